"""I/O queue pairs: created, shared, filled, wrapped and deleted in the order that the standard wants."""
import numpy as np
import pytest

from nvlab.spec import errors
from nvlab.spec.commands import cmd


def run_through(ctrl, pair, commands):
    """Complete `commands` reads of one block on `pair`, several at once; the data is checked."""
    ns = ctrl.namespaces[1]
    waiting, done = [], 0
    while done < commands:
        while len(waiting) < min(pair.depth - 1, 4) and done + len(waiting) < commands:
            lba = (done + len(waiting)) % 16
            buffer = ctrl.alloc(ns.block_size)
            waiting.append((lba, buffer, pair.submit(cmd.read(nsid=1, slba=lba, prp1=buffer), (buffer,))))
        lba, buffer, request = waiting.pop(0)
        assert request.wait().ok and request.done and (buffer == lba + 1).all()
        done += 1


@pytest.fixture
def marked(ctrl):
    """A controller whose first 16 blocks hold their LBA + 1."""
    ctrl.namespaces[1].write(0, np.repeat(np.arange(1, 17, dtype=np.uint8), 512))
    ctrl.delete_io_queue_pair(ctrl.io[1])
    return ctrl


def depths(ctrl):
    return [2, 3, 5, 64, 1000, int(ctrl.cap.MQES) + 1]


def test_queues_of_all_depths(marked):
    pairs = [marked.create_io_queue_pair(depth) for depth in depths(marked)]
    assert [pair.qid for pair in pairs] == [1, 2, 3, 4, 5, 6] == sorted(marked.io)
    for pair in pairs:
        assert pair.sq.depth == pair.cq.depth == pair.depth == len(pair.sq)
        assert pair.sq.entries.shape == (pair.depth, 64) and pair.cq.entries.shape == (pair.depth, 16)
        run_through(marked, pair, 20)
    for pair in pairs:                           # and all of them again, now that the others exist
        run_through(marked, pair, 3)


@pytest.mark.parametrize("depth", [2, 3, 7])
def test_the_phase_turns_over_lap_after_lap(marked, depth):
    pair = marked.create_io_queue_pair(depth)
    seen = []
    for i in range(depth * 5 + 1):
        assert pair.cq.head == i % depth and pair.sq.tail == i % depth
        seen.append(pair.cq.phase)
        run_through(marked, pair, 1)
    assert seen == [1 - i // depth % 2 for i in range(depth * 5 + 1)]
    assert pair.cq.rung == pair.cq.head and pair.sq.rung == pair.sq.tail == pair.sq.head


def test_full_queue_and_back(marked):
    pair = marked.create_io_queue_pair(8)
    buffers = [marked.alloc(512) for _ in range(7)]
    for lap in range(3):
        requests = [pair.submit(cmd.read(nsid=1, slba=i, prp1=b)) for i, b in enumerate(buffers)]
        for request in requests:
            request.wait()
        assert pair.sq.space == 7 and not pair.sq.outstanding
        assert [int(b[0]) for b in buffers] == [1, 2, 3, 4, 5, 6, 7]


def test_submit_waits_for_a_free_slot(marked):
    pair = marked.create_io_queue_pair(2)
    requests = [pair.submit(cmd.flush(nsid=1)) for _ in range(20)]
    for request in requests:
        request.wait()
    assert all(request.completion.ok for request in requests)


def test_several_submission_queues_on_one_completion_queue(marked):
    cq = marked.create_io_cq(qid=5, depth=16)
    sqs = [marked.create_io_sq(qid=qid, cq=cq, depth=depth) for qid, depth in ((1, 4), (2, 8), (9, 16))]
    assert set(cq.sqs) == {1, 2, 9} and marked.io[2].cq is cq and marked.io[2].sq is sqs[1]
    buffers = {sq.qid: marked.alloc(512) for sq in sqs}
    for lap in range(10):
        requests = [marked.io[sq.qid].submit(cmd.read(nsid=1, slba=sq.qid, prp1=buffers[sq.qid])) for sq in sqs for _ in range(3)]
        for request in reversed(requests):
            completion = request.wait()
            assert completion.sqid == request.sq.qid
        assert all(int(buffers[qid][0]) == qid + 1 for qid in buffers)
    for sq in sqs:
        assert sq.head == sq.tail
    for qid in (2, 9, 1):
        marked.delete_io_sq(qid)
    marked.delete_io_cq(5)
    assert marked.io == {} and marked.io_cqs == {}


def test_deletion_order_and_reuse(device, marked):
    pair = marked.create_io_queue_pair(16)
    for _ in range(4):
        run_through(marked, pair, 5)             # heads, tails and phase away from their beginnings
        marked.delete_io_queue_pair(pair)
        if device.embedded:
            assert marked.ssd.queue_state(pair.qid) is None
        pair = marked.create_io_queue_pair(3, qid=pair.qid)
        assert pair.cq.phase == 1 and pair.sq.tail == 0
    run_through(marked, pair, 10)


def test_any_identifier_may_be_taken(marked):
    assert marked.create_io_queue_pair(4, qid=64).qid == 64
    assert marked.create_io_queue_pair(4, qid=2).qid == 2
    assert [marked.create_io_queue_pair(4).qid for _ in range(3)] == [1, 3, 4]
    for qid in (64, 2, 1, 3, 4):
        run_through(marked, marked.io[qid], 3)


def test_all_queues_that_there_are(marked):
    pairs = [marked.create_io_queue_pair(4) for _ in range(64)]
    run_through(marked, pairs[0], 4)
    run_through(marked, pairs[63], 4)
    with pytest.raises(errors.UsageError, match="all 64"):
        marked.create_io_queue_pair(4)


def test_a_failing_submission_queue_takes_its_completion_queue_along(marked, monkeypatch):
    def fail(qid, cq, depth=None):
        raise errors.InvalidQueueSize("no")
    monkeypatch.setattr(marked, "create_io_sq", fail)
    with pytest.raises(errors.InvalidQueueSize):
        marked.create_io_queue_pair(8)
    monkeypatch.undo()
    assert marked.io == {} and marked.io_cqs == {}
    run_through(marked, marked.create_io_queue_pair(8, qid=1), 2)


def test_a_wait_moves_a_drive_that_moves_with_the_host(device, ctrl):
    pair = ctrl.create_io_queue_pair(4)
    assert pair.cq.wait(0) is False and pair.cq.wait(0.03) is False
    pair.sq.post(cmd.flush(nsid=1))
    pair.sq.ring()
    if device.manual:
        assert pair.cq.wait(0.01) is False
        ctrl.ssd.step()
    assert pair.cq.wait(5) is True and pair.cq.poll().status.ok


def test_what_the_drive_believes(embedded):
    ctrl = embedded.attach(size="1M")
    pair = ctrl.create_io_queue_pair(4)
    assert ctrl.ssd.queue_state(pair.qid) == {"sq_head": 0, "sq_tail": 0, "cq_head": 0, "cq_tail": 0, "phase": 1}
    for _ in range(5):
        pair.execute(cmd.flush(nsid=1))
    assert ctrl.ssd.queue_state(pair.qid) == {"sq_head": 1, "sq_tail": 1, "cq_head": 1, "cq_tail": 1, "phase": 0}
    assert ctrl.ssd.queue_state(33) is None and ctrl.ssd.queue_state(-1) is None and ctrl.ssd.queue_state(9999) is None


def test_a_full_completion_queue_holds_the_drive_back(device, ctrl):
    """Nothing is posted over entries that the host has not taken (base 2.0c 3.3.1.2)."""
    device.moves_by_itself(ctrl)
    cq = ctrl.create_io_cq(qid=1, depth=4)
    sq = ctrl.create_io_sq(qid=1, cq=cq, depth=16)
    for _ in range(10):
        sq.post(cmd.flush(nsid=1))
    sq.ring()
    taken = []
    while len(taken) < 10:
        if not cq.wait(0.0005):
            cq.pump()
        batch = [completion for completion in iter(cq.poll, None)]
        assert len(batch) <= 3                   # one slot always stays empty
        taken += batch
        cq.ring()
    assert sorted(int(c.cid) for c in taken) == list(range(10)) and not cq.has_new()
