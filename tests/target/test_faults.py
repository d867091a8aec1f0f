"""What each fault does, in each of the drive's modes."""
import pytest

from nvlab.spec import status
from nvlab.spec.commands import cmd

from .faulty import all_seen, cids, ctrl, faults, post, seen, until  # noqa: F401

FLUSH = cmd.flush(nsid=1)


def flushes(n):
    return [cmd.flush(nsid=1) for _ in range(n)]


def test_drop(ctrl, faults):
    pair, buffer = ctrl.create_io_queue_pair(8), ctrl.alloc(512)
    buffer[:] = 7
    fault = faults.drop(opcode="Write", count=1)
    lost, kept = post(pair, cmd.write(nsid=1, slba=3, prp1=buffer), cmd.write(nsid=1, slba=4, prp1=buffer))
    assert cids(all_seen(pair, 1)) == [kept.cid] and not lost.done and fault.hits == 1 and fault.state == "spent"
    disk = ctrl.ssd.subsystem.namespaces[1].bdev.memory
    assert disk[3 * 512] == disk[4 * 512] == 7           # executed, and nobody told
    assert not len(ctrl.ssd.held_back)
    aborted, = post(ctrl.admin, cmd.abort(sqid=1, cid=lost.cid))
    seen(ctrl.admin, 1)
    assert aborted.completion.dw0 == 1                   # nothing left to abort


def test_drop_before_execution(ctrl, faults):
    pair, buffer = ctrl.create_io_queue_pair(8), ctrl.alloc(512)
    buffer[:] = 7
    faults.drop(execute=False, opcode="Write", count=1)
    lost, kept = post(pair, cmd.write(nsid=1, slba=3, prp1=buffer), cmd.write(nsid=1, slba=4, prp1=buffer))
    assert cids(all_seen(pair, 1)) == [kept.cid]
    disk = ctrl.ssd.subsystem.namespaces[1].bdev.memory
    assert disk[3 * 512] == 0 and disk[4 * 512] == 7
    held, = ctrl.ssd.held_back
    assert held.state == "lost" and held.cid == lost.cid and "1 command held back" in repr(faults)
    aborted, = post(ctrl.admin, cmd.abort(sqid=1, cid=lost.cid))
    seen(ctrl.admin, 1)
    assert aborted.completion.dw0 == 0
    assert [c.status for c in seen(pair, 1)] == [status.COMMAND_ABORT_REQUESTED] and not len(ctrl.ssd.held_back)


def test_duplicate(ctrl, faults):
    pair = ctrl.create_io_queue_pair(16)
    faults.duplicate(2, count=1)
    first, second = post(pair, *flushes(2))
    assert cids(all_seen(pair, 4)) == [first.cid, first.cid, first.cid, second.cid]


def test_duplicates_wait_for_room(ctrl, faults):
    cq = ctrl.create_io_cq(qid=1, depth=4)
    pair = ctrl.create_io_sq(qid=1, cq=cq, depth=4).pair
    fault = faults.duplicate(9, count=1)
    first, second = post(pair, *flushes(2))
    assert sorted(cids(seen(pair, 11))) == sorted([first.cid] * 10 + [second.cid]) and fault.hits == 1
    assert not all_seen(pair) and not ctrl.ssd.inside


def test_corrupt(ctrl, faults):
    pair = ctrl.create_io_queue_pair(16)
    faults.corrupt(dw0=0xABCD, dw1=5, count=1)
    faults.corrupt(xor=bytes(range(12)) + bytes(4), after=1, count=1)
    faults.corrupt(sqid=9, after=2, count=1)
    post(pair, *flushes(3))
    a, b, c = seen(pair, 3)
    assert (a.dw0, a.dw1, a.sqid, a.ok) == (0xABCD, 5, 1, True)
    assert (b.dw0, b.dw1, b.sqhd, b.sqid) == (0x03020100, 0x07060504, 0x0908 ^ 2, 0x0B0A ^ 1) and b.ok
    assert c.sqid == 9


def test_corrupt_everything(ctrl, faults):
    pair = ctrl.create_io_queue_pair(16)
    faults.corrupt(count=1)
    request, = post(pair, FLUSH)
    found, = seen(pair, 1)
    assert found.dw0 == found.dw1 == 0xFFFFFFFF and found.sqid == 0xFFFE and found.cid == 0xFFFF ^ request.cid and not found.ok
    assert not request.done


def test_wrong_cid(ctrl, faults):
    pair = ctrl.create_io_queue_pair(16)
    faults.wrong_cid(count=1), faults.wrong_cid(77, after=1, count=1), faults.wrong_cid(3, match_cid=2, after=0)
    requests = post(pair, *flushes(3))
    assert cids(seen(pair, 3)) == [requests[0].cid ^ 0x8000, 77, 3]
    assert not any(request.done for request in requests)


def test_wrong_phase(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    faults.wrong_phase(after=1, count=1)
    requests = post(pair, *flushes(3))
    assert cids(all_seen(pair, 1)) == [requests[0].cid]         # the others lie behind the one that looks old
    until(pair, lambda: ctrl.ssd.queue_state(1)["cq_tail"] == 3)
    assert int(pair.cq.peek().cid) == requests[1].cid and pair.cq.peek().p == 0


def test_a_phase_that_xor_inverts(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    faults.corrupt(xor=1 << 112, count=1)
    post(pair, FLUSH)
    until(pair, lambda: ctrl.ssd.queue_state(1)["cq_tail"] == 1)
    assert not all_seen(pair) and pair.cq.peek().p == 0 and ctrl.ssd.queue_state(1)["phase"] == 1


def test_wrong_sqhd(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    faults.wrong_sqhd(count=1), faults.wrong_sqhd(0xFFFF, after=1, count=1)
    post(pair, *flushes(3))
    assert [int(c.sqhd) for c in seen(pair, 3)] == [4, 0xFFFF, 3]            # tail 3: entry 3 was never posted


def test_status(ctrl, faults):
    pair, buffer = ctrl.create_io_queue_pair(8), ctrl.alloc(512)
    buffer[:] = 7
    faults.status("Write Fault", dnr=True, opcode="Write", lba=range(3, 5))
    post(pair, *(cmd.write(nsid=1, slba=lba, prp1=buffer) for lba in (2, 3, 4, 5)))
    found = seen(pair, 4)
    assert [c.ok for c in found] == [True, False, False, True]
    assert (found[1].sct, found[1].sc, found[1].dnr, found[1].m) == (2, 0x80, 1, 1)      # More: it is in the error log
    disk = ctrl.ssd.subsystem.namespaces[1].bdev.memory
    assert [disk[lba * 512] for lba in (2, 3, 4, 5)] == [7, 0, 0, 7]
    assert {int(entry.lba) for entry in ctrl.error_log(2)} == {3, 4}


def test_admin_commands_too(ctrl, faults):
    faults.status((1, 0x1), opcode="Create I/O Submission Queue")
    with pytest.raises(Exception, match="Invalid Queue Identifier"):
        ctrl.create_io_queue_pair(8, qid=3)
    faults.clear()
    assert not ctrl.ssd.datapath.cq_live(3)              # the driver took its completion queue back
    faults.delay(0.02, qid=0, opcode="Identify")
    assert ctrl.identify_controller().sn == "NVLAB0001"
    fault = faults.drop(opcode="Identify", count=1)
    request = ctrl.admin.submit(cmd.identify(cns=1, prp1=ctrl.alloc(4096)))
    until(ctrl.admin, lambda: fault.hits == 1)
    assert not all_seen(ctrl.admin) and not request.done


def test_an_event_request_can_be_struck_by_name(ctrl, faults):
    faults.corrupt(dw0=0x123, opcode="Asynchronous Event Request", count=1)
    faults.status("Internal Error", opcode="Asynchronous Event Request", after=0, count=1)
    request = ctrl.admin.submit(cmd.async_event_request())
    seen(ctrl.admin, 1)
    assert request.completion.status == status.INTERNAL_ERROR and request.completion.dw0 == 0x123
    faults.drop(opcode=0x0C, count=1)
    request = ctrl.admin.submit(cmd.async_event_request())
    all_seen(ctrl.admin)
    for value in (3, 0):                                 # two events: the driver's own request is the older
        ctrl.regs["SQ9TDBL"].write(value)
        all_seen(ctrl.admin)
        ctrl.error_log(1)
    assert not request.done and request.cid not in ctrl.ssd.waiting and not ctrl.ssd.controller.events.pending


def test_faults_add_up(ctrl, faults):
    pair = ctrl.create_io_queue_pair(16)
    faults.wrong_cid(40, count=1), faults.duplicate(count=1), faults.delay(0.1, count=1), faults.status("Internal Error", count=1)
    first, second = post(pair, *flushes(2))
    found = seen(pair, 3)
    assert cids(found) == [second.cid, 40, 40] and found[1].status == status.INTERNAL_ERROR
    assert [fault.hits for fault in faults] == [1, 1, 1, 1]


def test_after_and_count(ctrl, faults):
    pair = ctrl.create_io_queue_pair(16)
    fault = faults.status("Internal Error", opcode="Flush", after=2, count=3)
    post(pair, *(cmd.verify(nsid=1), *flushes(4), cmd.verify(nsid=1), *flushes(3)))
    assert [c.ok for c in seen(pair, 9)] == [True, True, True, False, False, True, False, True, True]
    assert fault.hits == 3 and fault.passed == 2 and fault.state == "spent" and not ctrl.ssd.datapath.defer


def test_none_armed_leaves_the_core_alone(ctrl, faults):
    pair, path = ctrl.create_io_queue_pair(8), ctrl.ssd.datapath
    assert not path.defer
    one, two = faults.drop(qid=9), faults.drop(qid=10)
    assert path.defer
    one.remove()
    assert path.defer
    two.remove()
    assert not path.defer
    faults.delay(5, nsid=7), faults.wrong_phase(qid=60)
    requests = post(pair, *flushes(3))
    seen(pair, 3)
    faults.clear()
    assert not path.defer and all(request.done for request in requests)
    ctrl.namespaces[1].write(0, b"fast")
    assert bytes(ctrl.namespaces[1].read(0))[:4] == b"fast"


def test_cleared_with_commands_waiting(ctrl, faults):
    """Entries that were left to Python when the last fault goes are still served."""
    pair = ctrl.create_io_queue_pair(128)
    faults.drop(qid=60)
    with ctrl.ssd:
        requests = post(pair, *flushes(100))
        ctrl.ssd.datapath.poll()
        faults.clear()
    assert len(seen(pair, 100)) == 100 and all(request.done for request in requests)
