"""Where two recordings part."""
import nvlab
from nvlab.spec.commands import cmd
from nvlab.spec.registers import CC
from nvlab.trace import diff
from tests.trace.synth import busy


def bring_up(change=lambda ctrl: None, address="embedded:size=1M,mode=inline", waste=0):
    with nvlab.probe(address) as ctrl:
        held = ctrl.alloc(4096 * (1 + waste))    # other addresses than the other run's
        with nvlab.Trace(ctrl) as trace:
            for step in ctrl.steps():
                step.run()
            change(ctrl)
        del held
    return trace.recording()


def test_two_bring_ups_are_the_same():
    found = diff(bring_up(), bring_up(waste=3))
    assert not found and found.first is None and found.text().startswith("the same (a: ")


def test_a_difference_is_found_where_it_is():
    found = diff(bring_up(lambda ctrl: ctrl.get_feature(7)), bring_up(lambda ctrl: ctrl.get_feature(4)))
    assert found and len(found.hunks) == 1 and found.first[0].command.fid == 7 and found.first[1].command.fid == 4
    lines = found.text().split("\n")
    assert any(line.startswith("- SQ0: Get Features fid=7") for line in lines)
    assert any(line.startswith("+ SQ0: Get Features fid=4") for line in lines)
    assert "Get Features" in found._repr_mimebundle_()["text/html"]


def test_my_own_bring_up_against_nvlabs():
    with nvlab.probe("embedded:size=1M,mode=inline") as ctrl:
        with nvlab.Trace(ctrl) as mine:
            ctrl.disable()
            ctrl.create_admin_queue(16)          # nvlab makes 32
            ctrl.regs.write(CC, CC.encode(EN=1, IOSQES=6, IOCQES=4))
    found = diff(mine, bring_up())
    assert "- AQA <- 0xf000f ASQS=15 ACQS=15" in found.text() and "+ AQA <- 0x1f001f ASQS=31 ACQS=31" in found.text()
    assert "ASQ <- (an address)" in found.text() or "the same" in found.text()


def test_one_that_ended_earlier():
    whole = bring_up()
    part = whole.select(until=whole[len(whole) // 2].time)
    found = diff(part, whole)
    assert found.first[0] is None and found.first[1] is not None and found.text().count("\n- ") == 0


def test_an_outcome_that_differs():
    def read_at(lba):
        return lambda ctrl: ctrl.admin.submit(cmd.identify(cns=0, nsid=lba, prp1=ctrl.alloc(4096))) and ctrl.admin.poll()
    a, b = bring_up(read_at(1)), bring_up(read_at(1), "embedded:size=1M,mode=manual")
    found = diff(a, b)                           # nobody steps the manual drive after the bring-up
    assert found.outcomes[-1][2] == "no completion" and "! Identify nsid=1: Successful Completion" in found.text()


def test_reads_can_be_left_out():
    a, b = bring_up(lambda ctrl: ctrl.regs.VS.read()), bring_up()
    assert diff(a, b) and not diff(a, b, reads=False)


def test_any_recording_is_as_itself_and_long_ones_too():
    for seed in range(5):
        recording = busy(300, seed=seed).recording()
        assert not diff(recording, recording)
    assert diff(busy(2000, seed=1).recording(), busy(2000, seed=2).recording())
