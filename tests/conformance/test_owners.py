"""Who may touch a queue pair, and several threads on one controller."""
import threading

import numpy as np
import pytest

from nvlab import Perf
from nvlab.spec import errors
from nvlab.spec.commands import cmd
from tests.waiting import holds

from .conftest import says


def at_once(*functions):
    """Run functions in threads; raise what any of them raised."""
    failed = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if failed:
        raise failed[0]


def test_a_busy_queue_pair_has_one_owner(device, ctrl):
    device.moves_by_itself(ctrl)
    perf = Perf(ctrl, workload="read", depth=4, seconds=60).start()
    pair = next(pair for pair in ctrl.io.values() if pair.owner is perf)
    for touch in (lambda: pair.submit(cmd.flush(nsid=1)), lambda: pair.sq.post(cmd.flush(nsid=1)), pair.sq.ring, pair.cq.ring,
                  pair.cq.poll, pair.poll, lambda: pair.take("me"), lambda: ctrl.delete_io_sq(pair.qid),
                  lambda: ctrl.delete_io_queue_pair(pair)):
        with pytest.raises(errors.QueueBusy) as error:
            touch()
        says(error, pair.cq.name[3:], "perf read", "stop", "create")
    assert perf.running and perf.stop().errors == 0
    assert pair.owner is None


def test_owning_by_hand(ctrl):
    pair = ctrl.create_io_queue_pair(8)
    request = pair.submit(cmd.flush(nsid=1))
    with pytest.raises(errors.QueueBusy, match="outstanding"):
        pair.take("a loop")
    request.wait()
    pair.take("a loop")
    with pytest.raises(errors.QueueBusy, match="a loop"):
        pair.execute(cmd.flush(nsid=1))
    assert ctrl.io_queue() is not pair           # Python's I/O goes elsewhere
    pair.release()
    pair.execute(cmd.flush(nsid=1))
    ctrl.create_io_sq(qid=7, cq=pair.cq)
    with pytest.raises(errors.QueueBusy, match="serves 2 submission queues"):
        pair.take("a loop")


def test_perf_beside_other_work(device, ctrl):
    device.moves_by_itself(ctrl)
    ns = ctrl.namespaces[1]
    perf = Perf(ctrl, workload="randrw", depth=32, seconds=60, region=1 << 20, verify=True).start()
    before = perf.snapshot().ios
    for i in range(30):
        assert ctrl.identify_controller().sn == ctrl.id.sn
        ns.write(4096 + i, bytes([i + 1]) * 512)
        assert bytes(ns.read(4096 + i))[:2] == bytes([i + 1]) * 2
        assert ctrl.smart_log().temperature
    assert holds(lambda: perf.snapshot().ios > before)
    result = perf.stop()
    assert result.errors == 0 and result.miscompares == 0


def test_two_perf_runs_at_once(device, ctrl):
    device.moves_by_itself(ctrl)
    runs = [Perf(ctrl, workload="randrw", depth=8, count=2000, verify=True, region=1 << 20, seed=1) for _ in range(2)]
    for run in runs:
        run.start()
    assert [run.wait().ios for run in runs] == [2000, 2000]
    assert ctrl.io == {}


def test_two_threads_on_one_queue_pair(ctrl):
    """Requests of several threads share a queue; each gets its own completion."""
    ctrl.create_io_queue_pair(4)                 # shallow: they wait for slots
    ns = ctrl.namespaces[1]

    def work(first):
        data = np.random.default_rng(first).integers(0, 256, 512, dtype=np.uint8)
        for i in range(40):
            ns.write(first + i, data)
            assert (ns.read(first + i) == data).all()

    at_once(*(lambda first=first: work(first) for first in (0, 100, 200, 300)))
    assert len(ctrl.io) == 1 and not ctrl.io[1].sq.outstanding


def test_two_threads_on_two_submission_queues_of_one_completion_queue(ctrl):
    cq = ctrl.create_io_cq(qid=1, depth=8)
    for qid in (1, 2, 3):
        ctrl.create_io_sq(qid=qid, cq=cq, depth=4)

    def work(pair):
        buffer = ctrl.alloc(512)
        for i in range(60):
            assert pair.execute(cmd.read(nsid=1, slba=i, prp1=buffer)).sqid == pair.qid

    at_once(*(lambda pair=pair: work(pair) for pair in ctrl.io.values()))
    assert all(pair.sq.space == 3 for pair in ctrl.io.values())


def test_threads_that_begin_without_queues(ctrl):
    """The first I/O of each thread finds no queue pair, and all want one."""
    at_once(*(lambda lba=lba: ctrl.namespaces[1].write(lba, bytes([lba]) * 512) for lba in range(1, 9)))
    assert [int(ctrl.namespaces[1].read(lba)[0]) for lba in range(1, 9)] == list(range(1, 9))


def test_admin_commands_from_threads(ctrl):
    def work():
        for _ in range(25):
            assert ctrl.identify_controller().sn == ctrl.id.sn

    def queues():
        for _ in range(10):
            ctrl.delete_io_queue_pair(ctrl.create_io_queue_pair(4))

    at_once(work, work, queues, queues)
    assert ctrl.io == {} and ctrl.io_cqs == {}
