"""The driver's queue pairs on the embedded drive: what is outstanding, who gets a completion, what a full queue does."""
import gc

import numpy as np
import pytest

import nvlab
from nvlab.host.namespace import Namespace
from nvlab.spec import errors
from nvlab.spec.commands import Completion, cmd


@pytest.fixture
def ctrl():
    with nvlab.attach("embedded:mode=inline,size=1M", timeout=2) as ctrl:
        yield ctrl


def test_identifiers_are_used_again_when_they_are_free(ctrl):
    pair = ctrl.create_io_queue_pair(4)
    pair.sq._next_cid = 0xFFFD
    requests = [pair.submit(cmd.flush(nsid=1)) for _ in range(3)]
    assert [request.cid for request in requests] == [0xFFFD, 0xFFFE, 0]         # FFFFh is never one (base 2.0c 3.3.3.1)
    for request in requests:
        request.wait()
    pair.sq.post(cmd.flush(nsid=1), cid=1)
    pair.sq.ring()
    assert pair.submit(cmd.flush(nsid=1)).cid == 2


def test_buffers_live_while_their_command_does(ctrl):
    """Dropped by its owner, a buffer must not go back to the pool while the drive may still write to it."""
    ctrl.ssd.mode = "manual"
    pair = ctrl.create_io_queue_pair(4)
    free = ctrl.dma.available
    buffer = ctrl.alloc(1 << 20)
    request = ctrl.submit(cmd.read(nsid=1, nlb=1023), buffer)
    del buffer
    gc.collect()
    assert ctrl.dma.available <= free - (1 << 20) and request.sq is pair.sq
    request.wait()
    gc.collect()
    assert ctrl.dma.available == free


def test_a_refused_post_leaves_nothing(ctrl):
    pair = ctrl.create_io_queue_pair(2)
    pair.sq.post(cmd.flush(nsid=1))
    before = dict(pair.sq.outstanding)
    with pytest.raises(errors.UsageError, match="full"):
        pair.sq.post(cmd.flush(nsid=1))
    assert pair.sq.outstanding == before and pair.sq.tail == 1
    pair.sq.ring()
    pair.wait_until(lambda: not pair.sq.outstanding, 1, "it")


def test_completions_of_others_are_delivered_meanwhile(ctrl):
    pair = ctrl.create_io_queue_pair(16)
    requests = [pair.submit(cmd.flush(nsid=1)) for _ in range(10)]
    requests[9].wait()
    assert all(request.done for request in requests) and "Completion" in repr(requests[0]) and pair.cq.rung == pair.cq.head


def test_a_completion_with_an_impossible_head(ctrl):
    pair = ctrl.create_io_queue_pair(4)
    pair.cq.entries[0] = np.frombuffer(bytes(Completion.new(sqid=1, sqhd=200, cid=55, p=1)), np.uint8)
    assert pair.poll()[0].cid == 55 and pair.sq.head == 0 and pair.sq.space == 3


def test_completions_of_a_queue_that_is_not_ours(ctrl):
    pair = ctrl.create_io_queue_pair(4)
    pair.cq.entries[0] = np.frombuffer(bytes(Completion.new(sqid=9, sqhd=1, cid=0, p=1)), np.uint8)
    assert pair.poll()[0].sqid == 9 and pair.sq.head == 0


def test_a_request_that_fails_says_what_it_was(ctrl):
    request = ctrl.submit(cmd.read(nsid=1, slba=5000, prp1=ctrl.alloc(512)))
    with pytest.raises(errors.LbaOutOfRange) as error:
        request.wait()
    assert error.value.command is request.command and error.value.completion is request.completion
    assert "Read" in str(error.value) and "slba" in repr(request.command)
    with pytest.raises(errors.LbaOutOfRange):
        request.check()                          # as often as one asks


def test_one_failure_of_many_waits_for_the_others(ctrl):
    """A split transfer whose first part fails: the others are completed before the exception, for they share the buffer."""
    ns = ctrl.namespaces[1]
    ns.blocks *= 4                               # believes itself larger than it is
    with pytest.raises(errors.LbaOutOfRange, match="LBA 2048"):
        ns.read(0, 8192 - 2048)
    assert not ctrl.io[1].sq.outstanding and isinstance(ns, Namespace)
    ns.refresh()
    assert ns.blocks == 2048


def test_an_event_callback_may_use_the_controller(ctrl):
    seen = []
    ctrl.on_event.append(lambda event: seen.append((event, ctrl.smart_log().temperature, ctrl.error_log(1))))
    for value in (77, 78):
        ctrl.regs["SQ9TDBL"].write(value)
        ctrl.admin.wait_until(lambda: len(seen) == value - 76, 2, "the event")
    assert [event for event, *_ in seen] == [0x10000, 0x10000] == ctrl.events


def test_repr_says_where_everything_is(ctrl):
    pair = ctrl.create_io_queue_pair(8)
    pair.sq.post(cmd.flush(nsid=1))
    assert "tail 1" in repr(pair.sq) and "SQ1TDBL at 0x1008 last rung with 0" in repr(pair.sq)
    assert "phase 1" in repr(pair.cq) and "CQ1HDBL" in repr(pair.cq) and "1 outstanding" in repr(pair)
    assert "outstanding" in repr(next(iter(pair.sq.outstanding.values())))
