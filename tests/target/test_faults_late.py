"""Completions that come late: overtaken, due when nothing else moves, found by Abort, forgotten by resets and deletions."""
import time

import pytest

import nvlab
from nvlab.spec import status
from nvlab.spec.commands import cmd

from .faulty import all_seen, cids, ctrl, faults, post, seen, until  # noqa: F401


def flushes(n):
    return [cmd.flush(nsid=1) for _ in range(n)]


def test_others_overtake(ctrl, faults):
    pair = ctrl.create_io_queue_pair(128)
    fault = faults.delay(3600, count=1)
    late, *others = post(pair, *flushes(120))
    found = cids(seen(pair, 119))
    assert found == [request.cid for request in others] and not late.done and fault.hits == 1
    faults.release()
    assert cids(seen(pair, 1)) == [late.cid]
    assert late.completion.ok and late.completion.sqhd == 120


def test_due_when_nothing_else_moves(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    faults.delay(0.02, opcode="Read")
    begin = time.monotonic()
    ctrl.namespaces[1].read(0)                           # a blocking call: waits, and turns the crank of a manual drive
    assert 0.02 <= time.monotonic() - begin < 0.5
    faults.clear()
    faults.delay(0.02, count=1)
    request, = post(pair, *flushes(1))
    assert cids(seen(pair, 1, 0.5)) == [request.cid]


def test_in_the_order_of_their_times(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    first, second, third = (faults.delay(seconds, opcode="Flush", cid=cid) for cid, seconds in ((0, 0.15), (1, 0.02), (2, 0.08)))
    requests = post(pair, *flushes(3))
    assert [request.cid for request in requests] == [0, 1, 2]
    assert cids(seen(pair, 3)) == [1, 2, 0] and first.hits == second.hits == third.hits == 1


def test_released_at_once(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    faults.delay(3600)
    requests = post(pair, *flushes(3))
    until(pair, lambda: len(ctrl.ssd.held_back) == 3)
    faults.clear()
    assert not all_seen(pair) and len(ctrl.ssd.held_back) == 3 and "3 commands held back" in faults.table().text()
    assert faults.release() == 3
    seen(pair, 3)
    assert all(request.done for request in requests) and faults.release() == 0


def test_abort(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    faults.delay(3600, opcode="Flush", count=2)
    one, two, three = post(pair, *flushes(3))
    assert cids(all_seen(pair, 1)) == [three.cid]
    for cid, answer in ((two.cid, 0), (two.cid, 1), (three.cid, 1), (99, 1)):
        assert ctrl.execute(cmd.abort(sqid=1, cid=cid)).dw0 & 1 == answer
    assert ctrl.execute(cmd.abort(sqid=2, cid=one.cid)).dw0 & 1 == 1
    found = all_seen(pair, 1)
    assert cids(found) == [two.cid] and found[0].status == status.COMMAND_ABORT_REQUESTED
    assert not one.done and [held.cid for held in ctrl.ssd.held_back] == [one.cid]


def test_abort_of_an_admin_command(ctrl, faults):
    faults.delay(3600, opcode="Identify", count=1)
    late = ctrl.admin.submit(cmd.identify(cns=1, prp1=ctrl.alloc(4096)))
    all_seen(ctrl.admin)
    assert ctrl.execute(cmd.abort(sqid=0, cid=late.cid)).dw0 & 1 == 0
    assert late.completion.status == status.COMMAND_ABORT_REQUESTED


def test_abort_by_hand_of_a_command_not_yet_executed():
    with nvlab.attach("embedded:mode=manual,size=1M", timeout=2) as ctrl:
        pair = ctrl.create_io_queue_pair(8)
        executed, fetched = post(pair, *flushes(2))
        ctrl.ssd.fetch(), ctrl.ssd.fetch(), ctrl.ssd.execute()
        aborts = post(ctrl.admin, cmd.abort(sqid=1, cid=executed.cid), cmd.abort(sqid=1, cid=fetched.cid))
        ctrl.ssd.fetch(), ctrl.ssd.fetch()
        held = list(ctrl.ssd.inside)
        assert [h.state for h in held] == ["executed", "fetched", "fetched", "fetched"]
        ctrl.ssd._execute_one(held[2]), ctrl.ssd._execute_one(held[3])
        assert held[1].state == "completed"
        seen(ctrl.admin, 2), seen(pair, 2)
        assert [abort.completion.dw0 for abort in aborts] == [1, 0]
        assert executed.completion.ok and fetched.completion.status == status.COMMAND_ABORT_REQUESTED


def test_a_reset_forgets(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    faults.delay(3600, opcode="Flush")
    faults.drop(execute=False, opcode="Verify")
    post(pair, *flushes(3), cmd.verify(nsid=1))
    until(pair, lambda: len(ctrl.ssd.held_back) == 4)
    ctrl.disable()
    assert not len(ctrl.ssd.held_back)
    ctrl.start()
    pair = ctrl.create_io_queue_pair(8)
    assert faults.release() == 0 and not all_seen(pair) and not all_seen(ctrl.admin)
    assert ctrl.ssd.queue_state(1)["cq_tail"] == 0


@pytest.mark.parametrize("anew", [False, True])
def test_a_deleted_queue_takes_its_commands_along(ctrl, faults, anew):
    pair, other = ctrl.create_io_queue_pair(8), ctrl.create_io_queue_pair(8)
    faults.delay(3600, opcode="Flush")
    faults.drop(execute=False, opcode="Verify")
    post(pair, *flushes(2), cmd.verify(nsid=1))
    kept, = post(other, *flushes(1))
    until(pair, lambda: len(ctrl.ssd.held_back) == 4)
    ctrl.execute(cmd.delete_io_sq(qid=1))
    assert [held.sqid for held in ctrl.ssd.held_back] == [2] and faults.release() == 1
    if anew:
        assert ctrl.execute(cmd.create_io_sq(qid=1, cqid=1, qsize=7, pc=1, prp1=pair.sq.iova)).ok
    assert cids(seen(other, 1)) == [kept.cid]
    assert not all_seen(pair)


def test_fetched_by_hand_then_deleted_and_made_anew():
    """What was fetched from the old queue must not complete on the new one."""
    with nvlab.attach("embedded:mode=manual,size=1M", timeout=2) as ctrl:
        pair = ctrl.create_io_queue_pair(8)
        post(pair, *flushes(1))
        held = ctrl.ssd.fetch()
        ctrl.admin.submit(cmd.delete_io_sq(qid=1)), ctrl.admin.submit(cmd.create_io_sq(qid=1, cqid=1, qsize=7, pc=1, prp1=pair.sq.iova))
        with ctrl.ssd:
            for _ in range(2):                           # only the admin commands
                ctrl.ssd._execute_one(ctrl.ssd._take_in(0))
        while ctrl.ssd.step():
            pass
        assert held.state == "dropped" and not pair.poll()


def test_late_in_a_change_of_mode(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    for mode in ("thread", "manual", "inline", "thread", "inline", "manual"):
        ctrl.ssd.mode = mode
        faults.delay(0.005, count=1)
        request, = post(pair, *flushes(1))
        ctrl.ssd.mode = mode
        assert cids(seen(pair, 1)) == [request.cid]
