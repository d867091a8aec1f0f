"""No correct driver is accused: random depths, queues and interleavings, with nvlab's objects and with rings in raw memory."""
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nvlab
from nvlab.spec.commands import cmd

from .broken import CorrectDriver
from .broken.correct import Queue
from .test_why_broken import probe

MODES = st.sampled_from(["manual", "inline", "thread"])
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
LBA = st.integers(0, 63)


def fine(ctrl):
    """why(), which may wait for something and must accuse nobody."""
    why = ctrl.why()
    assert why.severity in ("ok", "waiting"), str(why)
    assert str(why) and why.sentence.endswith(".")
    return why


class Random(CorrectDriver):
    """The correct driver, with queues of any depth, which does its steps in any order that is allowed."""

    patience = 10.0

    def __init__(self, ctrl, depths, admin_depth):
        super().__init__(ctrl)
        self.depths, self.admin_depth = depths, admin_depth

    def create_io_queues(self):
        self.queues = [Queue(self.ctrl, qid, depth) for qid, depth in enumerate(self.depths, 1)]
        self.unrung, self.rung, self.unreturned = {}, {}, {}
        for queue in self.queues:
            self.do(self.admin, cmd.create_io_cq(qid=queue.qid, qsize=queue.depth - 1, pc=1, prp1=queue.cq_memory))
            self.do(self.admin, cmd.create_io_sq(qid=queue.qid, qsize=queue.depth - 1, pc=1, cqid=queue.qid, prp1=queue.sq_memory))
            self.unrung[queue.qid] = self.unreturned[queue.qid] = 0

    def identify(self):
        self.data = self.ctrl.alloc(4096)
        self.do(self.admin, cmd.set_features(fid=7, cdw11=3 | 3 << 16))

    def one(self, what, which, lba):
        """One step, if it is allowed just now."""
        queue = self.queues[which % len(self.queues)]
        qid = queue.qid
        if what == "post" and len(queue.outstanding) + self.unreturned[qid] < queue.depth - 1:
            blocks = 1 + lba % 12
            buffer = self.ctrl.alloc(blocks * 512)
            self.kept.append(buffer)
            prp1, prp2 = self.prps(buffer)
            self.put(queue, (cmd.write if lba & 1 else cmd.read)(nsid=1, slba=lba, nlb=blocks - 1, prp1=prp1, prp2=prp2))
            self.unrung[qid] += 1
        elif what == "ring" and self.unrung[qid]:
            self.ring_sq(queue)
            self.unrung[qid] = 0
        elif what == "move":
            self.move()
        elif what == "take" and self.is_new(queue):
            entry = bytes(queue.cq[queue.head])
            queue.outstanding.discard(int.from_bytes(entry[12:14], "little"))
            queue.head = self.next_head(queue)
            queue.phase ^= queue.head == 0
            self.unreturned[qid] += 1
        elif what == "return" and self.unreturned[qid]:
            self.ring_cq(queue)
            self.unreturned[qid] = 0
        elif what == "admin":
            self.do(self.admin, cmd.get_features(fid=7))
        elif what == "mode" and self.ctrl.ssd is not None:
            self.ctrl.ssd.mode = ("manual", "inline", "thread")[lba % 3]


STEPS = st.lists(st.tuples(st.sampled_from(["post", "post", "post", "ring", "ring", "move", "move", "take", "take", "take", "return",
                                            "return", "admin", "why", "mode"]), st.integers(0, 2), LBA), min_size=10, max_size=120)


def walk(ctrl, depths, admin_depth, steps):
    driver = Random(ctrl, depths, admin_depth)
    driver.run_steps = steps
    driver.bring_up()
    fine(ctrl)
    driver.create_io_queues()
    for what, which, lba in steps:
        if what == "why":
            fine(ctrl)
        else:
            driver.one(what, which, lba)
    fine(ctrl)


@QUICK
@given(MODES, st.lists(st.integers(2, 7), min_size=1, max_size=3), st.integers(2, 6), st.booleans(), STEPS)
def test_rings_in_raw_memory(mode, depths, admin_depth, watched, steps):
    with probe(mode) as ctrl:
        watch = nvlab.watch(ctrl) if watched else None
        walk(ctrl, depths, admin_depth, steps)
        assert watch is None or watch.on


@pytest.mark.require("qemu")
@settings(QUICK, max_examples=4)
@given(st.lists(st.integers(2, 7), min_size=1, max_size=3), st.integers(2, 6), st.booleans(), STEPS)
def test_rings_in_raw_memory_on_qemu(depths, admin_depth, watched, steps):
    with probe("qemu") as ctrl:
        watch = nvlab.watch(ctrl) if watched else None
        walk(ctrl, depths, admin_depth, steps)
        assert watch is None or watch.on
        assert ctrl.function.trace() == []


OPERATIONS = st.lists(st.tuples(st.sampled_from(["post", "post", "ring", "ring", "step", "step", "poll", "poll", "ring_cq", "execute",
                                                 "create", "delete", "disable", "perf", "mode", "admin", "watch", "trace", "why", "why"]),
                                st.integers(0, 2), LBA), min_size=10, max_size=80)


def operate(ctrl, what, which, lba, held):
    """One operation with nvlab's own objects; what isn't allowed just then is refused, and that's as good."""
    pairs = [pair for pair in ctrl.io.values()]
    pair = pairs[which % len(pairs)] if pairs else ctrl.admin
    if what == "create" and ctrl.csts.RDY and len(pairs) < 3:
        ctrl.create_io_queue_pair(2 + lba % 6)
    elif what == "disable" and lba < 16:
        ctrl.disable()
        fine(ctrl)
        ctrl.start()
    elif what == "disable" and lba >= 56:
        ctrl.reset()
    elif what == "mode" and ctrl.ssd is not None:
        ctrl.ssd.mode = ("manual", "inline", "thread")[lba % 3]
    elif what == "admin" and ctrl.admin:
        ctrl.smart_log()
    elif what == "watch":
        held.append(nvlab.watch(ctrl))
    elif what == "step" and ctrl.ssd is not None:
        ctrl.ssd.step()
    elif pair is None or pair is ctrl.admin:
        return
    elif what == "delete" and lba < 16 and not pair.sq.outstanding:
        ctrl.delete_io_queue_pair(pair)
    elif what == "post" and pair.sq.space and len(pair.sq.outstanding) < pair.depth - 1:
        buffer = ctrl.alloc(8192)
        pair.sq.post(cmd.read(nsid=1, slba=lba, nlb=0, prp1=buffer), held=(buffer,))
    elif what == "ring":
        pair.sq.ring()
    elif what == "poll":
        pair.cq.poll()
    elif what == "ring_cq":
        pair.cq.ring()
    elif what == "execute" and not any(p.sq.outstanding for p in pairs):
        ctrl.namespaces[1].write(lba, np.full(512 * (1 + lba % 20), lba, np.uint8))
    elif what == "perf" and lba < 8 and (ctrl.ssd is None or ctrl.ssd.mode != "manual") and not any(p.sq.outstanding for p in pairs):
        nvlab.Perf(ctrl, io_size=512, depth=4, count=300).run()


@QUICK
@given(MODES, OPERATIONS)
def test_nvlabs_own_rings(mode, operations):
    with probe(mode) as ctrl:
        held = []
        fine(ctrl)
        ctrl.start()
        for what, which, lba in operations:
            if what == "why":
                fine(ctrl)
            elif what == "trace":
                with (nvlab.Trace(ctrl) if not held else held[-1]):
                    operate(ctrl, "execute", which, lba, held)
                    fine(ctrl)
            else:
                operate(ctrl, what, which, lba, held)
        fine(ctrl)


@pytest.mark.require("qemu")
@settings(QUICK, max_examples=4)
@given(OPERATIONS)
def test_nvlabs_own_rings_on_qemu(operations):
    with probe("qemu") as ctrl:
        held = []
        ctrl.start()
        for what, which, lba in operations:
            fine(ctrl) if what == "why" else operate(ctrl, what, which, lba, held)
        fine(ctrl)


@pytest.mark.parametrize("mode", ["inline", "thread"])
def test_a_perf_loop_that_runs_is_not_accused(mode):
    with probe(mode) as ctrl, nvlab.watch(ctrl):
        ctrl.start()
        perf = nvlab.Perf(ctrl, io_size=4096, depth=16, seconds=20)
        perf.start()
        try:
            for _ in range(5):
                fine(ctrl)
            assert perf.running
        finally:
            perf.stop()
        fine(ctrl)
