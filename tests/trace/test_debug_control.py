"""Going on, finishing, letting go, ending: whatever is done to the debugged code, its controller stays usable."""
import subprocess
import sys
import threading
import time

import pytest

import nvlab
from nvlab.spec.errors import UsageError
from nvlab.trace.debug import NotStopped, StillRunning

from .test_debug import DEVICES, ROOT, ctrl, functions, probed  # noqa: F401

@pytest.fixture
def ready():
    """A ready embedded controller, on any machine the same."""
    with nvlab.attach("embedded:size=4M,mode=inline") as ctrl:
        yield ctrl


def no_thread_is_left():
    return not [t for t in threading.enumerate() if t.name == "nvlab-debugged"]


def works(ctrl):
    """The controller identifies, writes and reads."""
    ctrl.identify()
    namespace = ctrl.namespaces.get(1) or ctrl.identify_namespaces()[1]
    namespace.write(5, b"still here")
    return bytes(namespace.read(5, 1))[:10] == b"still here"


def test_step_by_step(ctrl):  # noqa: F811
    with nvlab.debug(ctrl) as dbg:
        dbg.break_on(opcode="Identify")
        dbg.run(ctrl.identify)
        seen = [dbg.stopped.event.kind.name]
        while dbg.step():
            seen.append(dbg.stopped.event.kind.name)
        seen = [name for name in seen if name != "REG_READ"]     # how often CSTS is looked at is the driver's business
        assert seen == ["SQE_POST", "SQ_DOORBELL", "CQE_SEEN", "CQ_DOORBELL"]
        assert dbg.result() is ctrl.id


def test_finish(ctrl):  # noqa: F811
    with nvlab.debug(ctrl) as dbg:
        dbg.break_at("SQ0TDBL")
        dbg.run(ctrl.identify)
        assert functions(dbg)[1] == "SubmissionQueue.ring"
        stop = dbg.finish()
        assert stop.reason == "finish" and stop.event is None and stop.title == "SubmissionQueue.ring returned None"
        assert functions(dbg)[0] == "QueuePair.submit" and ctrl.admin.sq.rung == ctrl.admin.sq.tail
        stop = dbg.finish()
        assert stop.function == "QueuePair.submit" and stop.value.command.name == "Identify"
        number = functions(dbg).index("AdminMixin.identify_data")
        stop = dbg.finish(number)
        assert stop.function == "AdminMixin.identify_data" and len(stop.value) == 4096
        assert stop.title == "AdminMixin.identify_data returned <4096 bytes>"
        assert dbg.cont() is None and dbg.result() is ctrl.id


def test_finish_a_function_that_raises_and_meets_a_breakpoint(ready):
    with nvlab.debug(ready) as dbg:
        dbg.break_at("SQ0TDBL", temporary=True)
        dbg.run(ready.identify_data, 0xEE)
        dbg.break_at("CQ0HDBL", temporary=True)
        number = functions(dbg).index("AdminMixin.execute")
        assert dbg.finish(number).event.register == "CQ0HDBL"            # on the way
        stop = dbg.finish(functions(dbg).index("Request.wait"))
        assert stop.title.startswith("Request.wait raised InvalidFieldInCommand: Identify CNS eeh")
        assert functions(dbg)[0] == "AdminMixin.execute"
        dbg.cont()
        assert type(dbg.error).__name__ == "InvalidFieldInCommand"


def test_what_needs_a_stop_says_so(ready):
    dbg = nvlab.debug(ready)
    for call in (dbg.bt, dbg.cont, dbg.step, dbg.finish):
        with pytest.raises(NotStopped):
            call()
    with pytest.raises(UsageError, match="idle"):
        dbg.result()
    with pytest.raises(UsageError, match="function"):
        dbg.run(ready.csts)
    dbg.run(lambda: 5)
    assert dbg.result() == 5 and dbg.state == "ended" and "ended" in repr(dbg)
    with pytest.raises(NotStopped, match="run"):
        dbg.cont()


def test_one_run_and_one_debugger_at_a_time(ready):
    with nvlab.debug(ready) as dbg:
        dbg.break_on("event")
        dbg.run(ready.identify)
        with pytest.raises(UsageError, match="stopped"):
            dbg.run(ready.identify)
        with pytest.raises(UsageError, match="another debugger"):
            nvlab.debug(ready).run(ready.identify)
        with pytest.raises(UsageError, match="finish"):
            dbg.finish(99)
        with pytest.raises(UsageError, match="stopped before SQ0"):
            dbg.result()


def test_detach_lets_it_run_on(ctrl):  # noqa: F811
    dbg = nvlab.debug(ctrl)
    dbg.break_on("event")
    dbg.run(ctrl.identify)
    stop = dbg.stopped
    dbg.detach()
    assert dbg.result(5) is ctrl.id and no_thread_is_left() and ctrl.bar.lane.hook is None
    assert stop.frames and str(stop.frames[1])                       # the text stays, the objects are let go
    with pytest.raises(UsageError, match="went on"):
        stop.frames[1].locals
    assert works(ctrl)


def test_locals_and_listing(ready):
    with nvlab.debug(ready) as dbg:
        dbg.break_at("SQ0TDBL")
        dbg.run(ready.identify)
        frame = dbg.bt()[1]
        assert frame.locals["self"] is ready.admin.sq and dbg.bt()[0].locals == {}
        assert (frame.line, True) in [(n, "write32" in text) for n, text in frame.listing()]
        assert any("def write32" in text for _, text in dbg.bt()[0].listing())


KILLED_AT = ["SQE_POST", "SQ_DOORBELL", "CQE_SEEN", "CQ_DOORBELL"]


@pytest.mark.parametrize("kind", KILLED_AT)
def test_killed_anywhere_the_controller_goes_on(ctrl, kind):  # noqa: F811
    dbg = nvlab.debug(ctrl)
    dbg.break_on(kind)
    assert dbg.run(ctrl.identify).event.kind.name == kind
    outstanding = len(ctrl.admin.sq.outstanding)
    assert dbg.kill() and no_thread_is_left() and dbg.killed and dbg.error is None
    with pytest.raises(UsageError, match="killed"):
        dbg.result()
    if kind == "SQE_POST":
        assert len(ctrl.admin.sq.outstanding) == outstanding - 1         # never in the ring
    assert works(ctrl)


@pytest.mark.parametrize("register", ["AQA", "CC"])
def test_killed_in_the_bring_up(probed, register):  # noqa: F811
    dbg = nvlab.debug(probed)
    dbg.break_at(register)
    dbg.run(probed.start)
    assert dbg.kill() and probed.regs.CC.EN == 0
    probed.start()
    assert works(probed)


def test_an_exception_in_the_block_ends_the_code(ctrl):  # noqa: F811
    with pytest.raises(KeyboardInterrupt):
        with nvlab.debug(ctrl) as dbg:
            dbg.break_at("SQ1TDBL")
            dbg.run(ctrl.namespaces[1].write, 0, b"must not arrive")
            assert dbg.stopped
            raise KeyboardInterrupt
    assert dbg.killed and no_thread_is_left()
    if ctrl.ssd:
        assert ctrl.ssd.queue_state(1)["sq_tail"] == 0
    assert works(ctrl)


@pytest.mark.parametrize("address", DEVICES)
def test_closing_the_controller_ends_what_stands(address):
    began = time.monotonic()
    for register in ("CC", "SQ0TDBL", "CQ0HDBL"):
        with nvlab.probe(address, timeout=5) as ctrl:
            dbg = nvlab.debug(ctrl)
            dbg.break_at(register)
            assert dbg.run(ctrl.start)
        assert dbg.killed and no_thread_is_left() and ctrl.closed
    assert time.monotonic() - began < 20


def test_killed_while_it_closes_its_controller_it_finishes_that():
    def whole():
        with nvlab.attach("embedded:size=1M") as ctrl:
            ctrl.namespaces[1].read(0, 1)

    dbg = nvlab.debug()
    dbg.break_on(opcode="Delete I/O Submission Queue")
    assert "Controller.close" in functions_of(dbg.run(whole))
    ctrl = dbg.ctrl
    assert dbg.kill() and ctrl.closed and ctrl.function.closed


def test_interrupt_and_wait(ready):
    enough = threading.Event()

    def busy():
        while not enough.is_set():
            ready.csts
            time.sleep(0.001)
        return "enough"

    with nvlab.debug(ready, timeout=0.05) as dbg:
        assert dbg.run(busy) is None and dbg.state == "running"
        with pytest.raises(StillRunning):
            dbg.result()
        stop = dbg.interrupt()
        assert stop.reason == "interrupt" and stop.title == "Interrupted before read of CSTS"
        enough.set()
        dbg.cont()
        assert dbg.result(5) == "enough"


def test_code_that_never_ends_is_ended_by_close(ready):
    def forever():
        while True:
            ready.csts
            time.sleep(0.001)

    with nvlab.debug(ready, timeout=0.1) as dbg:
        dbg.run(forever)
    assert dbg.killed and no_thread_is_left() and works(ready)


def test_without_a_controller_it_takes_what_the_code_opens():
    with nvlab.debug() as dbg:
        assert dbg.ctrl is None and "no controller" in repr(dbg)
        dbg.break_at("CAP", access="read")
        assert functions_of(dbg.run(nvlab.attach, "embedded:size=1M"))[-2:] == ["probe", "attach"]
        dbg.delete()
        dbg.break_on(opcode="Identify", temporary=True)
        assert dbg.cont().event.command.cns == 1
        assert dbg.ctrl.csts.RDY == 1
        dbg.cont()
        assert dbg.result() is dbg.ctrl
        dbg.result().close()


def functions_of(stop):
    return [frame.function for frame in stop.frames]


@pytest.mark.parametrize("register", ["CC", "SQ0TDBL", "CQ1HDBL"])
def test_the_interpreter_ends_with_code_that_stands(register):
    code = ("import nvlab\nc = nvlab.probe('embedded:size=1M')\nd = nvlab.debug(c)\n"
            f"d.break_at({register!r})\n"
            "assert d.run(lambda: c.start().namespaces[1].read(0, 1))\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_shown(ready):
    with nvlab.debug(ready) as dbg:
        dbg.break_at("SQ0TDBL", condition="value > 0")
        stop = dbg.run(ready.identify)
        assert repr(stop).splitlines()[0] == f"Breakpoint 1, before SQ0TDBL <- {ready.admin.sq.tail}: Identify cns=1 cid={stop.event.command.cid}"
        assert repr(dbg.bt()).count("\n#") == len(dbg.bt()) - 1
        html = dbg.bt()._repr_html_() + stop._repr_mimebundle_()["text/html"] + dbg._repr_mimebundle_()["text/html"]
        assert "SubmissionQueue.ring" in html and "<SQ 0>" not in html and "&lt;SQ 0&gt;" in html
        assert str(ROOT) not in html + repr(stop) + repr(dbg.bt()) + repr(dbg)
