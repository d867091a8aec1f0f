"""Rings that only the drive knows, because a driver that isn't nvlab's made them by raw commands: their past, too."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nvlab
from nvlab.spec.commands import cmd
from nvlab.spec.registers import cq_head_doorbell, sq_tail_doorbell
from nvlab.trace import load


class RawDriver:
    """Queue pair 3 in memory of its own, without a SubmissionQueue or CompletionQueue."""

    def __init__(self, ctrl, sq_size, cq_size):
        self.ctrl, self.sizes, self.tail, self.head, self.phase, self.cid = ctrl, (sq_size, cq_size), 0, 0, 1, 0
        self.sq, self.cq = ctrl.alloc(sq_size * 64), ctrl.alloc(cq_size * 16)
        ctrl.execute(cmd.create_io_cq(qid=3, qsize=cq_size - 1, prp1=self.cq, pc=1))
        ctrl.execute(cmd.create_io_sq(qid=3, qsize=sq_size - 1, cqid=3, prp1=self.sq, pc=1))

    def post(self):
        self.cid += 1
        self.sq[self.tail * 64:self.tail * 64 + 64] = np.frombuffer(bytes(cmd.flush(nsid=1, cid=self.cid)), np.uint8)
        self.tail = (self.tail + 1) % self.sizes[0]
        self.ctrl.bar.write32(sq_tail_doorbell(3, 0), self.tail)

    def take(self):
        if self.cq[self.head * 16 + 14] & 1 == self.phase:
            self.head += 1
            if self.head == self.sizes[1]:
                self.head, self.phase = 0, self.phase ^ 1
            self.ctrl.bar.write32(cq_head_doorbell(3, 0), self.head)

    def look(self):
        """What the drive holds now, and the entries of both rings."""
        state = self.ctrl.ssd.queue_state(3)
        return state, np.array(self.sq).reshape(-1, 64), np.array(self.cq).reshape(-1, 16)


def compare(state, told):
    drive, sq, cq = told
    assert state.queue_state(3) == drive and 3 not in state.sqs and 3 not in state.cqs
    mine, its = state.drive_sqs[3], state.drive_cqs[3]
    assert mine.drive == {"head": drive["sq_head"], "tail": drive["sq_tail"]}
    assert its.drive == {"tail": drive["cq_tail"], "head": drive["cq_head"], "phase": drive["phase"]}
    assert np.array_equal(mine.entries[mine.known], sq[mine.known]) and np.array_equal(its.entries[its.known], cq[its.known])


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 4), st.lists(st.sampled_from(["post", "step", "take"]), max_size=25))
def test_a_raw_queue_before_the_trace_and_in_it(sq_size, cq_size, waiting, script):
    with nvlab.attach("embedded:size=1M,mode=manual") as ctrl:
        driver, ssd = RawDriver(ctrl, sq_size, cq_size), ctrl.ssd
        room = lambda: (driver.tail + 1) % sq_size != ssd.queue_state(3)["sq_head"]  # noqa: E731
        for _ in range(waiting):
            if room():
                driver.post()
        trace = nvlab.Trace(ctrl).start()
        moments = [(0, driver.look())]
        for what in script:
            if what == "step":
                ssd.step()
            elif what == "take":
                driver.take()
            elif room():
                driver.post()
            moments.append((len(trace), driver.look()))
        recording = trace.stop()
        for count, told in moments:
            compare(recording.after(count), told)
            assert recording.after(count).drive_cqs[3].known.all()
        begin = recording.after(0)
        assert begin.drive_sqs[3].known.all() and begin.drive_sqs[3].cqid == 3 and begin.drive_sqs[3].iova == driver.sq.iova
        assert begin.drive_sqs[0].known.all() and np.array_equal(begin.drive_sqs[0].entries, begin.sqs[0].entries)


def test_one_made_in_the_trace_and_one_in_a_file(tmp_path):
    with nvlab.attach("embedded:size=1M,mode=manual") as ctrl:
        with nvlab.Trace(ctrl) as trace:
            driver = RawDriver(ctrl, 4, 4)
            driver.post(), ctrl.ssd.step(), driver.take()
        state = trace.at(trace[-1])
        compare(state, driver.look())
        assert state.drive_cqs[3].entry(0).cid == 1 and state.drive_cqs[3].entry(1) is None and state.drive_sqs[3].entry(0) is None
        assert "SQ 3" in repr(state) and "not nvlab's" in repr(state)
        driver.post()
        with nvlab.Trace(ctrl) as trace:
            ctrl.ssd.fetch(), ctrl.ssd.execute()
        recording = trace.recording()
        back = load(recording.save(tmp_path / "raw.trace"))
        for one in (recording, back):
            assert one.after(0).drive_sqs[3].entry(1).cid == 2 and one.after(1).drive_sqs[3].entry(1) is None
            assert one.after(1).drive_cqs[3].entry(0).cid == 1
        ctrl.disable()
        assert nvlab.Trace(ctrl).start().after(0).drive_sqs == {}


@pytest.mark.require("qemu")
def test_a_drive_that_cannot_be_asked_has_none():
    with nvlab.attach("qemu:size=1M") as ctrl, nvlab.Trace(ctrl) as trace:
        ctrl.namespaces[1].read(0, 1)
        assert trace.at(trace[-1]).drive_sqs == {} and trace.at(trace[-1]).drive_cqs == {}
