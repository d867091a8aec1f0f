"""Back-traces recorded with a trace: each belongs to the event that it was taken at."""
import pytest

import nvlab
from nvlab._core.trace import Kind
from nvlab.spec.errors import UsageError
from nvlab.trace import Stacks


def innermost(frames):
    return next(frame for frame in frames if not frame.core)


def test_each_event_of_python_knows_who_made_it():
    with nvlab.probe("embedded") as ctrl:
        with nvlab.Trace(ctrl, stacks=True) as trace:
            ctrl.start()
            ctrl.namespaces[1].read(0, 1)
        recording = trace.recording()
        found = trace.stacks.of(recording)
        made = [e for e in recording if e.side == "host" and e.kind in (
            Kind.REG_READ, Kind.REG_WRITE, Kind.SQ_DOORBELL, Kind.CQ_DOORBELL, Kind.SQE_POST, Kind.CQE_SEEN)]
        assert made and all(e.number in found for e in made)
        names = {e.text.split(" ")[0]: innermost(found[e.number]).function for e in made if e.kind in (Kind.SQ_DOORBELL, Kind.CQ_DOORBELL)}
        assert names["SQ1TDBL"] == "SubmissionQueue.ring" and names["CQ1HDBL"] == "CompletionQueue.ring"
        bell = next(e for e in made if e.text == "SQ1TDBL <- 1")
        assert "write32(offset=0x1008 SQ1TDBL, value=1)" in str(found[bell.number][0])
        assert any(frame.function == "Namespace.read" for frame in found[bell.number])
        assert not trace.stacks.on
        with pytest.raises(UsageError):
            innermost(found[bell.number]).locals             # nothing of the code is held on to


def test_one_at_a_time_looks_at_the_events():
    with nvlab.attach("embedded") as ctrl:
        trace = nvlab.Trace(ctrl)
        with Stacks(trace) as stacks:
            with pytest.raises(UsageError, match="debugger or a watch"):
                Stacks(trace).start()
            stacks.start()                                   # harmless
        stacks.stop()
        ctrl.namespaces[1].read(0, 1)
        assert len(stacks) == 0 or not stacks.on


def test_memory_is_bounded():
    with nvlab.attach("embedded") as ctrl, Stacks(ctrl, kept=10) as stacks:
        for _ in range(5):
            ctrl.namespaces[1].read(0, 1)
        assert len(stacks) == 10
