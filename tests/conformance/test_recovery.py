"""Resets with commands in flight, aborts, timeouts: each request ends once, and the controller is usable afterwards."""
import gc
import threading
import time

import numpy as np
import pytest
from nvlab._core.trace import Kind

from nvlab import Perf, Trace
from nvlab.spec import errors
from nvlab.spec.commands import cmd
from tests.waiting import holds

from .conftest import says

DEPTHS = pytest.mark.parametrize("depth", [1, 128])


def usable(ctrl, pair=None):
    """Assert that I/O works, on a queue pair that was there before too."""
    ctrl.namespaces[1].write(7, b"usable")
    assert bytes(ctrl.namespaces[1].read(7))[:6] == b"usable"
    if pair is not None:
        assert pair.execute(cmd.flush(nsid=1)).ok


def writes(ctrl, pair, count, done):
    """`count` writes of a block each, in flight; `done` counts their ends."""
    buffers = [ctrl.alloc(512) for _ in range(count)]
    requests = []
    for n, buffer in enumerate(buffers):
        buffer[:] = n + 1 & 0xFF
        requests.append(pair.submit(cmd.write(nsid=1, slba=n, prp1=buffer), (buffer,), on_done=lambda request: done.append(request)))
    return requests


def was_given_up(request, *words):
    """Assert that a request ended by Command Aborted By Host, for a reason that has these words."""
    assert request.reason and request.completion.status.title == "Command Aborted By Host"
    with pytest.raises(errors.CommandAbortedByHost) as error:
        request.wait()
    says(error, request.command.name, *words)
    return True


# -- reset

@DEPTHS
@pytest.mark.parametrize("how", ["reset", "disable"])
def test_a_reset_with_writes_in_flight(ctrl, depth, how):
    pair, done = ctrl.create_io_queue_pair(depth + 1), []
    ctrl.namespaces[1].write_zeroes(0, 128)
    free = ctrl.dma.available
    requests = writes(ctrl, pair, depth, done)
    getattr(ctrl, how)()
    assert sorted(r.cid for r in done) == sorted(r.cid for r in requests) and all(r.done for r in requests)
    for request in requests:
        assert request.completion.ok or was_given_up(request, "reset" if how == "reset" else "disabled")
    if how == "disable":
        with pytest.raises(errors.UsageError, match="disabled"):
            pair.submit(cmd.flush(nsid=1))
        assert ctrl.start() is ctrl
        pair = None
    usable(ctrl, pair)
    for n, request in enumerate(requests):       # an acknowledged write is there; another may be, or not
        seen = int(ctrl.namespaces[1].read(n)[0])
        assert n == 7 or seen == (n + 1 & 0xFF) or not request.completion.ok and seen == 0
    assert len(done) == depth                    # and no more
    del requests[:], done[:], request            # (a Command holds its buffer, too, and an exception its command)
    gc.collect()
    assert how == "disable" or ctrl.dma.available == free


def test_a_reset_keeps_what_people_hold(ctrl):
    """Queue pairs with their identifiers and depths, two queues that share a completion queue, namespaces, the event request."""
    pair = ctrl.create_io_queue_pair(4)
    shared = ctrl.create_io_cq(qid=5, depth=9)
    ctrl.create_io_sq(qid=5, cq=shared, depth=3), ctrl.create_io_sq(qid=6, cq=shared, depth=7)
    pairs, ns, admin = dict(ctrl.io), ctrl.namespaces[1], ctrl.admin
    for _ in range(3):
        ns.write(3, b"before")
        assert ctrl.reset() is ctrl
        assert ctrl.io == pairs and ctrl.io_cqs[5] is shared and ctrl.namespaces[1] is ns and ctrl.admin is admin
        assert bytes(ns.read(3))[:6] == b"before"
        for qid, kept in pairs.items():
            assert kept.sq.depth == {pair.qid: 4, 5: 3, 6: 7}[qid]
            for _ in range(20):                  # several laps
                kept.execute(cmd.flush(nsid=1))
        assert [r.command.name for r in admin.sq.outstanding.values()] == ["Asynchronous Event Request"]
    assert ctrl.resets == 3
    assert ctrl.create_io_queue_pair(8).qid not in pairs


def test_a_reset_of_a_controller_that_was_never_brought_up(device):
    ctrl = device.probe(size="1M")
    ctrl.reset()
    usable(ctrl)


def test_a_reset_by_hand_between_the_steps(device):
    ctrl = device.probe(size="1M")
    ctrl.disable()
    pair = ctrl.create_admin_queue(8)
    ctrl.reset()
    assert ctrl.admin is pair and pair.depth == 8
    usable(ctrl)


def test_resets_while_other_threads_work(device, ctrl):
    """They wait for the reset's end, and go on; what was in flight is theirs to do again."""
    device.moves_by_itself(ctrl)
    ctrl.create_io_queue_pair(8)
    ns, failed, stop, aborted = ctrl.namespaces[1], [], threading.Event(), [0]

    def work(first):
        lba, data = first, np.full(4096, first, np.uint8)
        while not stop.is_set():
            try:
                ns.write(lba, data)
                assert (ns.read(lba, 8) == first).all()
            except errors.CommandAbortedByHost:
                aborted[0] += 1
            except BaseException as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=work, args=(n * 8,)) for n in range(1, 4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        time.sleep(0.01)
        ctrl.reset()
    stop.set()
    for thread in threads:
        thread.join(20)
    assert not failed and not any(thread.is_alive() for thread in threads)
    usable(ctrl)


def test_perf_in_flight_during_a_reset(device, ctrl):
    device.moves_by_itself(ctrl)
    mine = ctrl.create_io_queue_pair(4)
    perf = Perf(ctrl, workload="randrw", depth=32, qpairs=2, seconds=60).start()
    assert holds(lambda: perf.snapshot().ios)
    ctrl.reset()
    with pytest.raises(errors.ControllerError, match="reset"):
        perf.wait()
    assert list(ctrl.io) == [mine.qid]
    usable(ctrl, mine)
    assert Perf(ctrl, depth=32, count=500, verify=True, region=1 << 20).run().errors == 0


def test_a_request_resubmitted_by_its_on_done_goes_into_the_new_queue(ctrl):
    pair, ends = ctrl.create_io_queue_pair(8), []

    def again(request):
        ends.append(request)
        if len(ends) < 20:
            pair.submit(cmd.flush(nsid=1), on_done=again)

    pair.submit(cmd.flush(nsid=1), on_done=again)
    ctrl.reset()
    pair.wait_until(lambda: len(ends) == 20, 5, "20 flushes")
    assert not pair.sq.outstanding


def test_an_on_done_that_raises_does_not_disturb_the_reset(ctrl):
    if ctrl.ssd is not None:
        ctrl.ssd.mode = "manual"                 # nothing completes before
    pair, ends = ctrl.create_io_queue_pair(8), []

    def explode(request):
        ends.append(request)
        raise ZeroDivisionError

    for _ in range(3):
        pair.submit(cmd.flush(nsid=1), on_done=explode)
    with pytest.raises(ZeroDivisionError):
        ctrl.reset()
        assert holds(lambda: pair.poll() and len(ends) >= 3)     # QEMU may have been faster
    assert len(ends) == 3
    usable(ctrl, pair)


def test_deleting_a_queue_with_commands_in_it(device, ctrl):
    pair, done = ctrl.create_io_queue_pair(16), []
    requests = writes(ctrl, pair, 8, done)
    ctrl.delete_io_queue_pair(pair)
    assert len(done) == 8 and all(request.done for request in requests)
    for request in requests:
        assert request.completion.ok or request.completion.status.title == "Command Aborted due to SQ Deletion"
    with pytest.raises(errors.UsageError, match="deleted"):
        pair.submit(cmd.flush(nsid=1))
    usable(ctrl)


def test_closing_ends_what_is_outstanding(device, ctrl):
    done = []
    request = ctrl.admin.submit(cmd.async_event_request(), on_done=done.append)
    ctrl.close()
    assert done == [request] and request.done
    with pytest.raises(errors.ControllerGone, match="closed"):
        request.wait()
    with pytest.raises(errors.ControllerGone):
        ctrl.identify()


# -- Abort

def test_abort_of_an_event_request(device, ctrl):
    request = ctrl.submit(cmd.async_event_request())
    armed = len(ctrl.admin.sq.outstanding)
    if not request.abort():
        assert device.qemu and not request.done  # QEMU before 8.1 aborts nothing
        return
    with pytest.raises(errors.CommandAbortRequested):
        request.wait()
    assert len(ctrl.admin.sq.outstanding) == armed - 1
    assert request.abort() is False              # it is done: nothing is sent
    usable(ctrl)


def test_abort_of_what_is_not_there(ctrl):
    pair = ctrl.create_io_queue_pair(4)
    request = pair.submit(cmd.flush(nsid=1))
    aborted = ctrl.abort(request)                # it may or may not have been in time
    try:
        assert request.wait().ok
    except errors.CommandAbortRequested:
        assert aborted
    usable(ctrl, pair)


def test_more_aborts_than_the_controller_takes_at_once(embedded):
    """ACL is a limit on Aborts outstanding: the driver waits for one of its own."""
    ctrl = embedded.attach(size="1M")
    ctrl.ssd.mode = "inline"
    limit = int(ctrl.id.acl) + 1
    most, submit = [], ctrl.admin.submit

    def count(command, *args, **kw):
        request = submit(command, *args, **kw)
        most.append(sum(r.command.opc == 0x08 for r in ctrl.admin.sq.outstanding.values()))
        return request

    ctrl.admin.submit = count
    requests = [ctrl.submit(cmd.async_event_request()) for _ in range(3)]
    threads = [threading.Thread(target=r.abort) for r in requests for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert all(request.done for request in requests) and max(most) <= limit


# -- timeouts

def held_back(ctrl, depth=4):
    """(pair, let) of a drive that answers nothing on that pair until `let()`, for it is in mode manual and nobody turns its crank."""
    pair = ctrl.create_io_queue_pair(depth)
    ctrl.ssd.mode = "manual"
    before, pair.cq.pump = pair.cq.pump, lambda blocking=False: None

    def let():
        pair.cq.pump = before
    return pair, let


@pytest.mark.negative
def test_a_timeout_says_that_the_controller_was_disabled(device):
    ctrl = device.attach(timeout=0.1)
    ctrl.regs.CC.set(EN=0)                                           # by hand; the driver's own disable() takes its queues away
    with pytest.raises(errors.ControllerTimeout) as error:
        ctrl.identify_controller()
    says(error, "not ready (CSTS.RDY = 0)", "reset()")
    ctrl.reset()
    assert ctrl.identify_controller().sn == ctrl.id.sn


def test_a_timeout_leaves_the_request_outstanding(embedded):
    ctrl = embedded.attach(size="1M", timeout=0.1)
    pair, let = held_back(ctrl)
    done = []
    request = pair.submit(cmd.flush(nsid=1), on_done=done.append)
    for _ in range(2):
        with pytest.raises(errors.ControllerTimeout) as error:
            request.wait()
    says(error, "no completion within 0.1 s", "outstanding", "reset()")
    assert not request.done and not done and request.cid in pair.sq.outstanding
    others = [pair.submit(cmd.flush(nsid=1)) for _ in range(2)]
    assert request.cid not in [other.cid for other in others]        # not used again while it may complete
    let()
    assert request.wait().ok and done == [request]
    for other in others:
        other.wait()


def test_a_timeout_ends_by_an_abort(embedded):
    """The drive holds the command fetched: Abort gets it, or doesn't, and then a reset ends it."""
    ctrl = embedded.attach(size="1M", timeout=0.1)
    ctrl.on_timeout = "abort"
    fault = ctrl.ssd.faults.delay(30, opcode="Write", count=1)
    pair = ctrl.create_io_queue_pair(4)
    buffer, done = ctrl.alloc(512), []
    request = pair.submit(cmd.write(nsid=1, slba=0, prp1=buffer), (buffer,), on_done=done.append)
    with pytest.raises((errors.CommandAbortRequested, errors.CommandAbortedByHost)):
        request.wait()
    assert done == [request] and fault.hits == 1
    usable(ctrl, pair)
    assert done == [request]


def test_a_timeout_ends_by_a_reset(embedded):
    ctrl = embedded.attach(size="1M", timeout=0.1)
    ctrl.on_timeout = "reset"
    ctrl.ssd.faults.drop(opcode="Write", count=1)
    pair = ctrl.create_io_queue_pair(4)
    buffer, done = ctrl.alloc(512), []
    request = pair.submit(cmd.write(nsid=1, slba=0, prp1=buffer), (buffer,), on_done=done.append)
    with pytest.raises(errors.CommandAbortedByHost, match="reset"):
        request.wait()
    assert done == [request] and ctrl.resets == 1
    usable(ctrl, pair)


@pytest.mark.parametrize("policy", ["abort", "reset"])
def test_an_admin_command_that_times_out_leads_to_a_reset(embedded, policy):
    ctrl = embedded.attach(size="1M", timeout=0.1)
    ctrl.on_timeout = policy
    ctrl.ssd.faults.drop(opcode="Get Log Page", count=1)
    with pytest.raises(errors.CommandAbortedByHost, match="Get Log Page"):
        ctrl.smart_log()
    assert ctrl.resets == 1 and ctrl.smart_log().temperature
    usable(ctrl)


def test_an_event_request_never_leads_to_a_reset(ctrl):
    ctrl.on_timeout = "reset"
    with pytest.raises(errors.ControllerTimeout):
        ctrl.submit(cmd.async_event_request()).wait(0.05)
    assert ctrl.resets == 0


def test_a_queue_that_stays_full(embedded):
    ctrl = embedded.attach(size="1M", timeout=0.1)
    ctrl.on_timeout = "reset"
    pair = ctrl.create_io_queue_pair(4)
    ctrl.ssd.faults.drop(opcode="Flush", count=3, execute=False)
    requests = [pair.submit(cmd.flush(nsid=1)) for _ in range(3)]
    pair.submit(cmd.flush(nsid=1)).wait()        # waits for a slot, and gets one by a reset
    assert all(request.done for request in requests) and ctrl.resets <= 1


def test_a_fatal_status_leads_to_a_reset(embedded):
    ctrl = embedded.attach(size="1M", timeout=0.5)
    ctrl.on_timeout = "reset"
    ctrl.ssd.faults.fatal(opcode="Write", count=1)
    with pytest.raises(errors.CommandAbortedByHost):
        ctrl.namespaces[1].write(0, b"x")
    usable(ctrl)


def test_policies(ctrl):
    assert ctrl.on_timeout == "raise"
    with pytest.raises(errors.UsageError, match="raise, abort, reset"):
        ctrl.on_timeout = "panic"


def test_a_transfer_that_gets_stuck_ends_in_one_timeout(embedded):
    """Not in one for each of its commands."""
    ctrl = embedded.attach(size="8M", timeout=0.3, mdts=1)
    ns = ctrl.namespaces[1]
    ctrl.ssd.faults.drop(opcode="Read")
    begun = time.monotonic()
    with pytest.raises(errors.ControllerTimeout):
        ns.read(0, 1024)
    assert time.monotonic() - begun < 1
    ctrl.ssd.faults.clear()
    ctrl.reset()
    usable(ctrl)


# -- gone

@DEPTHS
def test_vanished_with_commands_in_flight(embedded, depth):
    ctrl = embedded.attach(size="1M", timeout=2)
    if ctrl.ssd.mode == "thread":
        ctrl.ssd.mode = "inline"
    pair, done = ctrl.create_io_queue_pair(depth + 1), []
    event = ctrl.submit(cmd.async_event_request())
    requests = writes(ctrl, pair, depth, done)
    ctrl.ssd.faults.vanish()
    begun = time.monotonic()
    with pytest.raises(errors.ControllerGone):
        while True:
            requests[-1].wait()
            ctrl.csts
    with pytest.raises(errors.ControllerGone):
        ctrl.check_alive()
    assert time.monotonic() - begun < 2
    assert sorted(r.cid for r in done) == sorted(r.cid for r in requests) and event.done
    for request in [*requests, event]:
        if request.reason:
            assert request.reason.startswith("gone")
            with pytest.raises(errors.ControllerGone):
                request.wait()
    assert ctrl.state.startswith("gone")
    for touch in (lambda: ctrl.namespaces[1].read(0), ctrl.reset, ctrl.disable, ctrl.poll, lambda: pair.submit(cmd.flush(nsid=1))):
        with pytest.raises(errors.ControllerGone):
            touch()
    ctrl.close()
    usable(embedded.attach(size="1M"))


# -- what is seen of it

def test_a_recording_with_a_reset_in_it(device, ctrl):
    """Time travel to the end of it gives the rings as they are."""
    pair = ctrl.create_io_queue_pair(4)
    with Trace(ctrl) as trace:
        writes(ctrl, pair, 3, [])
        ctrl.reset()
        for _ in range(5):
            pair.execute(cmd.flush(nsid=1))
        device.settle(ctrl)
    state = trace.after(len(trace))
    for live in (ctrl.admin, pair):
        then = state.pairs[live.qid]
        assert (then.sq.tail, then.sq.head, then.sq.rung) == (live.sq.tail, live.sq.head, live.sq.rung)
        assert (then.cq.head, then.cq.phase, then.cq.rung) == (live.cq.head, live.cq.phase, live.cq.rung)
        assert (then.sq.entries == live.sq.entries).all() and (then.cq.entries == live.cq.entries).all()
    assert (trace.events["kind"] == Kind.QUEUE_GONE).any()


def test_reset_while_the_controller_does_not_come_up(embedded):
    """Everything in flight has ended; a later reset brings the same queues back."""
    ctrl = embedded.attach(size="1M")
    pair, done = ctrl.create_io_queue_pair(4), []
    ctrl.submit(cmd.async_event_request()).on_done = done.append
    fault = ctrl.ssd.faults.never_ready()
    with pytest.raises(errors.ControllerTimeout, match="CSTS.RDY = 1"):
        ctrl.reset()
    assert len(done) == 1 and ctrl.resets == 0
    for touch in (lambda: pair.submit(cmd.flush(nsid=1)), ctrl.identify, lambda: ctrl.namespaces[1].read(0)):
        with pytest.raises(errors.UsageError, match="did not come up"):
            touch()
    fault.remove()
    ctrl.reset()
    usable(ctrl, pair)


def test_several_waits_time_out_at_once(embedded):
    """One reset ends them all."""
    ctrl = embedded.attach(size="1M", timeout=0.2)
    ctrl.on_timeout = "reset"
    ctrl.ssd.faults.drop(opcode="Write", count=6)
    pairs = [ctrl.create_io_queue_pair(8) for _ in range(3)]
    requests = [request for pair in pairs for request in writes(ctrl, pair, 2, [])]
    ended = []

    def wait(request):
        try:
            request.wait()
        except errors.CommandAbortedByHost:
            ended.append(request)

    threads = [threading.Thread(target=wait, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(ended) == 6 and ctrl.resets == 1
    for pair in pairs:
        usable(ctrl, pair)


def test_a_queue_with_an_interrupt_has_it_after_a_reset(device, ctrl):
    device.moves_by_itself(ctrl)
    pair = ctrl.create_io_queue_pair(4, vector=1)
    writes(ctrl, pair, 3, [])
    ctrl.reset()
    interrupt = pair.cq.interrupt
    while interrupt.wait(0):                     # those of before
        pass
    request = pair.submit(cmd.flush(nsid=1))
    ctrl.function.pump()
    assert pair.cq.vector == 1 and interrupt.wait(2) and request.wait().ok
    usable(ctrl, pair)
