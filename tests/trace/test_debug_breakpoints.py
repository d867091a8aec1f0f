"""Breakpoints by themselves: what they cover, conditions, counts, and what is refused."""
import pytest

import nvlab
from nvlab._core.trace import Kind
from nvlab.spec import registers
from nvlab.spec.errors import UsageError
from nvlab.trace import backtrace
from nvlab.trace.breakpoints import History, at_register, on_event


@pytest.fixture
def dbg():
    """A debugger of a ready embedded controller, whose first argument-less I/O commands count from cid 0."""
    with nvlab.attach("embedded:size=1M,mode=inline") as ctrl, nvlab.debug(ctrl) as debugger:
        yield debugger


def reads(ctrl, count):
    for at in range(count):
        ctrl.namespaces[1].read(at, 1)


def stops(dbg, *code):
    """What it stood before until the end."""
    dbg.run(*code)
    seen = []
    while dbg.stopped:
        seen.append(dbg.stopped.decoded)
        dbg.cont()
    dbg.result()
    return seen


def test_values_ranges_and_conditions(dbg):
    ctrl = dbg.ctrl
    ctrl.create_io_queue_pair(16)
    point = dbg.break_at("SQ1TDBL", value=3)
    assert [s[:12] for s in stops(dbg, reads, ctrl, 4)] == ["SQ1TDBL <- 3"]
    dbg.delete(point)
    dbg.break_at("SQ1TDBL", value=range(6, 8))
    dbg.break_at("SQ1TDBL", condition="value == 8 and old == 7 and command.slba == 3")
    assert [s[:12] for s in stops(dbg, reads, ctrl, 4)] == ["SQ1TDBL <- 6", "SQ1TDBL <- 7", "SQ1TDBL <- 8"]
    dbg.delete()
    dbg.break_on(opcode="Read", condition=lambda event: event.command.slba == 2)
    dbg.break_on(opcode=2, condition="nsid == 1 and command.slba == ctrl.namespaces[1].nsid")
    assert len(stops(dbg, reads, ctrl, 4)) == 2
    dbg.delete()
    dbg.break_on(cid=3, queue=1)
    assert stops(dbg, reads, ctrl, 3) == []


def test_disable_enable_ignore_temporary(dbg):
    ctrl = dbg.ctrl
    point = dbg.break_on(opcode="Read")
    dbg.disable(point.number)
    assert stops(dbg, reads, ctrl, 2) == [] and point.hits == 0
    dbg.enable(1)
    dbg.ignore(1, 2)
    assert len(stops(dbg, reads, ctrl, 3)) == 1 and point.hits == 3 and point.ignore == 0
    assert "hit 3 times" in point.row()[3]
    dbg.delete()
    dbg.break_on(opcode="Read", temporary=True)
    assert len(stops(dbg, reads, ctrl, 3)) == 1 and not dbg.breakpoints
    with pytest.raises(UsageError, match="no breakpoint 9"):
        dbg.delete(9)
    with pytest.raises(UsageError):
        dbg.break_on("event").number and dbg.ignore(3, -1)


def test_a_condition_that_fails_stops_and_one_that_reads_does_not_stop_itself(dbg):
    dbg.break_on(opcode="Read", condition="command.nothing > 3")
    stop = dbg.run(reads, dbg.ctrl, 1)
    assert "its condition failed: AttributeError" in stop.title
    dbg.delete()
    dbg.cont()
    dbg.break_on("register read")
    dbg.break_on(opcode="Read", condition="ctrl.csts.RDY == 1")
    assert [s for s in stops(dbg, reads, dbg.ctrl, 1) if s != "read of CSTS"] == ["SQ1[1] <- Read nsid=1 slba=0 cid=1"]


@pytest.mark.parametrize("make, says", [
    (lambda d: d.break_at("SQTDBL"), "SQ0TDBL"),
    (lambda d: d.break_at("CCC"), "did you mean CC"),
    (lambda d: d.break_at(0x3), "no register begins"),
    (lambda d: d.break_at("CAP", access="write"), "read-only"),
    (lambda d: d.break_at("SQ0TDBL", access="read"), "write-only"),
    (lambda d: d.break_at("CC", access="often"), "write, read or any"),
    (lambda d: d.break_at("CC", value="one"), "value"),
    (lambda d: d.break_at("CSTS", 1, access="read"), "known after it"),
    (lambda d: d.break_at("CC", opcode="Read"), "doorbells"),
    (lambda d: d.break_at("CC", condition="value >"), "condition"),
    (lambda d: d.break_at("CC", condition=5), "condition"),
    (lambda d: d.break_on(), "say what"),
    (lambda d: d.break_on("lunch"), "lunch"),
    (lambda d: d.break_on("DMA"), "what the host does"),
    (lambda d: d.break_on(opcode="Lunch"), "Lunch"),
    (lambda d: d.break_on(queue=-1), "queue"),
])
def test_what_is_refused(dbg, make, says):
    with pytest.raises(UsageError, match=says):
        make(dbg)
    assert not dbg.breakpoints


def test_words_of_breakpoints():
    assert str(at_register(1, "sq0tdbl")) == "Breakpoint 1 at SQ0TDBL"
    assert at_register(1, 0x1004).what == "CQ0HDBL" and at_register(1, 0x1008, dstrd=1).what == "CQ0HDBL"
    assert at_register(1, registers.CAP).kinds == {Kind.REG_READ} and at_register(1, "CC", range(4, 9)).what == "CC <- 4 to 8"
    assert on_event(2, opcode=[6, "Read"]).what == "opcode 0x06 or Read"
    assert on_event(2, error=True, queue=1, opcode="Read").what == "completions seen of Read with an error status on queue 1"
    assert on_event(2, "doorbells").kinds == {Kind.SQ_DOORBELL, Kind.CQ_DOORBELL}
    assert on_event(2, "register").kinds == {Kind.REG_READ, Kind.REG_WRITE}


def test_events_of_halves_strides_and_resets():
    history = History()
    half = history.event(Kind.REG_WRITE, 0, 4, 0x2C, 1)
    assert half.register == "ASQ+4" and at_register(1, "ASQ").covers(half) and half.text == "ASQ+4 <- 0x1"
    wide = history.event(Kind.SQ_DOORBELL, 1, 5, 0x1000 + 4 * 16, 5, stride=32)
    assert wide.register == "SQ1TDBL" and wide.value.SQT == 5 and wide.old == 0
    assert history.event(Kind.SQ_DOORBELL, 1, 6, 0x1000 + 4 * 16, 6, stride=32).old == 5
    history.event(Kind.REG_WRITE, 0, 4, 0x14, 0)
    assert history.event(Kind.SQ_DOORBELL, 1, 1, 0x1000 + 4 * 16, 1, stride=32).old == 0
    odd = history.event(Kind.REG_WRITE, 0, 4, 0x1FC, 7)
    assert odd.register is None and "0x1fc" in odd.text and not at_register(1, "CC").covers(odd)


def test_odd_accesses_are_no_trouble():
    """What nobody should write is written all the same, with a debugger as without."""
    with nvlab.probe("embedded:size=1M,dstrd=1") as ctrl, nvlab.debug(ctrl) as debugger:
        debugger.break_on("event")
        writes = [(ctrl.bar.write64, 0x20, 1 << 40), (ctrl.bar.write32, 0x2C, 1), (ctrl.bar.write32, 0xF00, 1), (ctrl.bar.write32, 0x1004, 1),
                  (ctrl.bar.write32, 0x1000, 0xFFFFFFFF)]
        said = stops(debugger, lambda: [write(*what) for write, *what in writes] and None)
    assert [text.split(" <- ")[0] for text in said] == ["NSSR", "ASQ+4", "0xf00", "0x1004", "SQ0TDBL"]


def test_the_cores_lines_are_found_by_searching():
    for kind, (file, function, statement) in backtrace.CORE_FRAMES.items():
        for bits in (32, 64):
            line, source = backtrace.core_line(file, function.format(bits=bits), statement)
            assert line and statement in source, kind
    assert backtrace.core_line("mmio.pyx", "no_such", "self.") == (None, "")
    assert backtrace.core_line("gone.pyx", "read32", "self.") == (None, "")


def test_values_are_told_without_touching_the_device():
    class Stranger:
        def __repr__(self):
            raise AssertionError("nobody may call this")

    with nvlab.probe("embedded:size=1M") as ctrl:
        ctrl.bar.lane.hook = lambda *event: pytest.fail("the device was read")
        try:
            for value in (ctrl, ctrl.regs, ctrl.regs.CC, ctrl.bar, ctrl.cap, Stranger(), [Stranger()], {"a": Stranger()}, Stranger):
                assert "0x7f" not in backtrace.brief(value)
        finally:
            ctrl.bar.lane.hook = None
    assert backtrace.brief(list(range(9))) == "[0, 1, 2, 3, … 5 more]" and len(backtrace.brief("x" * 500)) == backtrace.LONGEST
    assert backtrace.brief(b"x" * 99) == "<99 bytes>" and backtrace.brief((1,)) == "(1,)" and backtrace.brief(1 << 40) == "0x10000000000"


def test_paths_are_relative():
    assert backtrace.short_path(nvlab.__file__) == "nvlab/__init__.py"
    assert backtrace.short_path("/tmp/ipykernel_77/123.py") == "<cell>" and backtrace.short_path("/home/me/mine.py") == "mine.py"


def test_a_step_of_the_bring_up(dbg):
    ctrl = dbg.ctrl
    dbg.break_on("step", condition="step in ('enable', 'identify controller')")
    stop = dbg.run(lambda: (ctrl.disable(), ctrl.start()))
    assert stop.title == "Breakpoint 1, before step 'enable'" and "Controller.enable" in str(stop.frames) and not ctrl.cc.EN
    assert dbg.step().decoded.startswith("CC <- ")           # a step by itself is no place to stop: nothing happens there
    assert dbg.cont().decoded == "step 'identify controller'" and dbg.cont() is None
    assert str(dbg.breakpoint(1)).startswith("Breakpoint 1 at step if")
