"""The drive by hand: fetch, execute, complete one by one; modes changed in between; commands that are never lost."""
import threading

import pytest

import nvlab
from nvlab.spec import errors, status
from nvlab.spec.commands import cmd


@pytest.fixture
def ctrl():
    with nvlab.attach("embedded:mode=manual,size=1M", timeout=2) as ctrl:
        yield ctrl


def raw_admin(depth):
    """A manual controller with an admin queue of `depth` entries and nothing outstanding."""
    ctrl = nvlab.probe("embedded:mode=manual,size=1M", timeout=2)
    ctrl.disable()
    ctrl.create_admin_queue(depth=depth)
    ctrl.enable()
    return ctrl


def test_fetch_execute_complete(ctrl):
    pair, ssd = ctrl.create_io_queue_pair(8), ctrl.ssd
    assert ssd.fetch() is None and ssd.execute() is None and ssd.complete() is None and ssd.step() is None
    buffer = ctrl.alloc(512)
    buffer[:] = 9
    pair.sq.post(cmd.write(nsid=1, slba=3, prp1=buffer))
    assert ssd.fetch() is None                   # not rung
    pair.sq.ring()

    held = ssd.fetch()
    assert held.state == "fetched" and held.sqid == 1 and held.command.slba == 3 and list(ssd.inside) == [held]
    assert ssd.queue_state(1)["sq_head"] == 1 and "fetched from SQ 1" in repr(held)
    disk = ssd.subsystem.namespaces[1].bdev.memory
    assert not any(disk[3 * 512:4 * 512]) and ssd.complete() is None

    assert ssd.execute() is held and held.state == "executed" and held.status == 0
    assert disk[3 * 512:4 * 512] == bytes([9]) * 512 and not pair.cq.has_new()

    assert ssd.complete() is held and held.state == "completed" and not ssd.inside
    assert pair.cq.has_new() and pair.cq.poll().ok and ssd.queue_state(1)["cq_tail"] == 1
    assert "inside" in repr(ssd) and "manual" in repr(ssd)


def test_step_finishes_what_was_begun(ctrl):
    pair = ctrl.create_io_queue_pair(8)
    for _ in range(3):
        pair.sq.post(cmd.flush(nsid=1))
    pair.sq.ring()
    first, second = ctrl.ssd.fetch(), ctrl.ssd.fetch()
    ctrl.ssd.execute()
    assert ctrl.ssd.step() is first and ctrl.ssd.step() is second
    assert ctrl.ssd.step().state == "completed" and ctrl.ssd.step() is None
    assert len(pair.poll()) == 3


@pytest.mark.parametrize("mode", ["inline", "thread"])
@pytest.mark.parametrize("begun", ["fetched", "executed"])
def test_a_change_of_mode_loses_nothing(ctrl, mode, begun):
    pair = ctrl.create_io_queue_pair(8)
    requests = [pair.sq.post_request(cmd.flush(nsid=1))[0] for _ in range(3)]
    admin = ctrl.admin.submit(cmd.identify(prp1=ctrl.alloc(4096)))
    pair.sq.ring()
    for _ in range(3):
        ctrl.ssd.fetch()
    if begun == "executed":
        ctrl.ssd.execute(), ctrl.ssd.execute()
    ctrl.ssd.mode = mode
    assert admin.wait().ok
    for request in requests:
        pair.wait(request)
    assert all(request.completion.ok for request in requests) and not ctrl.ssd.inside
    ctrl.ssd.mode = "manual"
    assert ctrl.ssd.step() is None


def test_queues_take_turns(ctrl):
    pairs = [ctrl.create_io_queue_pair(8) for _ in range(3)]
    for pair in pairs:
        pair.sq.post(cmd.flush(nsid=1)), pair.sq.post(cmd.flush(nsid=1))
        pair.sq.ring()
    ctrl.admin.submit(cmd.identify(prp1=ctrl.alloc(4096)))
    order = [ctrl.ssd.step().sqid for _ in range(7)]
    assert order[0] == 0 and sorted(order[1:4]) == sorted(order[4:]) == [1, 2, 3]


def test_a_full_completion_queue_blocks_only_itself(ctrl):
    """CQ 1 is full and nobody reads it: the admin queue still works, even to delete the queue."""
    cq = ctrl.create_io_cq(qid=1, depth=2)
    sq = ctrl.create_io_sq(qid=1, cq=cq, depth=8)
    for _ in range(3):
        sq.post(cmd.flush(nsid=1))
    sq.ring()
    a, b = ctrl.ssd.fetch(), ctrl.ssd.fetch()
    ctrl.ssd.execute(), ctrl.ssd.execute()
    assert ctrl.ssd.complete() is a and ctrl.ssd.complete() is None and b.state == "executed"
    assert ctrl.ssd.step() is None
    assert ctrl.identify_controller().sn == ctrl.id.sn
    ctrl.delete_io_sq(1)
    assert ctrl.ssd.step() is b and b.state == "dropped" and not ctrl.ssd.inside
    ctrl.delete_io_cq(1)


def test_abort_with_hardly_any_room():
    """Abort completes two commands; with room for one, the other waits until the host has read."""
    ctrl = raw_admin(depth=4)
    with ctrl:
        sq, cq = ctrl.admin.sq, ctrl.admin.cq
        sq.post(cmd.async_event_request(), cid=100)
        sq.post(cmd.identify(prp1=ctrl.alloc(4096)), cid=101)
        sq.ring()
        while ctrl.ssd.step():
            pass
        cq.take()                                # the SQ has a slot again; the drive doesn't know: its doorbell isn't rung
        sq.post(cmd.identify(prp1=ctrl.alloc(4096)), cid=102)
        sq.post(cmd.abort(sqid=0, cid=100), cid=103)
        sq.ring()
        while ctrl.ssd.step():
            pass
        seen = []
        for _ in range(6):
            seen += [(int(c.cid), c.status) for c in iter(cq.poll, None)]
            cq.ring()
            while ctrl.ssd.step():
                pass
        assert [cid for cid, _ in seen] == [102, 100, 103]
        assert seen[1][1] == status.COMMAND_ABORT_REQUESTED and seen[2][1].ok


def test_an_event_waits_for_room_and_for_a_request():
    ctrl = raw_admin(depth=4)
    with ctrl:
        ctrl.regs["SQ5TDBL"].write(3)
        assert ctrl.ssd.step() is None and len(ctrl.ssd.controller.events.pending) == 1
        request = ctrl.admin.submit(cmd.async_event_request())
        assert ctrl.ssd.step().state == "waiting"
        assert "asynchronous event 0x10000" in ctrl.ssd.step() and ctrl.ssd.step() is None
        ctrl.admin.poll()
        assert request.done and request.completion.dw0 == 0x10000


def test_a_reset_forgets_what_is_inside(ctrl):
    pair = ctrl.create_io_queue_pair(8)
    pair.sq.post(cmd.flush(nsid=1))
    pair.sq.ring()
    ctrl.ssd.fetch()
    ctrl.disable()
    assert not ctrl.ssd.inside and ctrl.ssd.step() is None
    ctrl.start()


def test_modes(ctrl):
    for mode in ("inline", "thread", "thread", "manual", "thread", "inline"):
        ctrl.ssd.mode = mode
        assert ctrl.ssd.mode == mode
        ctrl.namespaces[1].write(0, mode.encode())
        assert bytes(ctrl.namespaces[1].read(0)).startswith(mode.encode())
    with pytest.raises(errors.UsageError, match="manual, inline, thread"):
        ctrl.ssd.mode = "quick"


def test_the_mode_changed_by_several_threads(ctrl):
    failed = []

    def change(turn):
        try:
            for n in range(40):
                ctrl.ssd.mode = ("thread", "inline", "manual")[(n + turn) % 3]
        except Exception as error:
            failed.append(error)

    def movers():
        return {thread for thread in threading.enumerate() if thread.name == "nvlab-ssd"}

    before, threads = movers(), [threading.Thread(target=change, args=(turn,)) for turn in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    ctrl.ssd.mode = "manual"
    assert not failed and movers() <= before         # nor does a drive's thread go on that nobody knows of


def test_the_drives_own_bugs_are_a_status(ctrl, monkeypatch):
    monkeypatch.setattr(ctrl.ssd.controller.admin, "identify_controller", lambda: 1 // 0)
    with pytest.raises(errors.InternalError):
        ctrl.identify_controller()
    assert isinstance(ctrl.ssd.bug, ZeroDivisionError)
    monkeypatch.undo()
    ctrl.identify_controller()
