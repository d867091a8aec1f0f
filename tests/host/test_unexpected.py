"""Completions that lie: they are noted, end nobody's request, and a request still ends once."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nvlab
from nvlab import cmd
from nvlab.spec.commands import Completion


@pytest.fixture
def ctrl():
    with nvlab.attach("embedded:mode=manual,size=1M", timeout=1) as ctrl:
        yield ctrl


def put(pair, **fields):
    """Post a completion that the drive did not make."""
    entry = Completion.new(**{"sqid": pair.qid, "p": pair.cq.phase, **fields})
    pair.cq.entries[pair.cq.head] = np.frombuffer(bytes(entry), np.uint8)


@pytest.mark.parametrize("fields, words", [
    ({"cid": 9}, "cid 9 is not outstanding on SQ 1"), ({"cid": 0, "sqid": 4}, "no SQ 4 completes to CQ 1"),
    ({"cid": 1, "sqid": 0}, "no SQ 0"), ({"cid": 0xFFFF}, "cid 65535")])
def test_what_nobody_waits_for(ctrl, fields, words):
    pair = ctrl.create_io_queue_pair(8)
    requests = [pair.submit(cmd.flush(nsid=1)) for _ in range(2)]
    put(pair, sqhd=1, **fields)
    assert len(pair.poll()) == 1 and not any(r.done for r in requests)
    assert pair.cq.unexpected_count == 1 and words in pair.cq.unexpected[0].why
    assert pair.cq.unexpected[0].completion.cid == fields["cid"]
    ctrl.reset()
    assert all(r.done for r in requests)


def test_a_duplicate_does_not_end_a_later_request(ctrl):
    pair, ends = ctrl.create_io_queue_pair(8), []
    first = pair.submit(cmd.flush(nsid=1), on_done=ends.append)
    put(pair, cid=first.cid, sqhd=1)
    pair.poll()
    second = pair.submit(cmd.flush(nsid=1), on_done=ends.append)
    assert second.cid != first.cid
    put(pair, cid=first.cid, sqhd=2)
    pair.poll()
    assert ends == [first] and not second.done and pair.cq.unexpected_count == 1


def test_a_stale_entry_is_nothing_new(ctrl):
    """An entry with the Phase Tag of the lap before."""
    pair = ctrl.create_io_queue_pair(4)
    request = pair.submit(cmd.flush(nsid=1))
    put(pair, cid=request.cid, p=1 - pair.cq.phase)
    assert pair.poll() == [] and not request.done and pair.cq.unexpected_count == 0


@pytest.mark.parametrize("sqhd", [4, 200, 0, 3])
def test_a_head_that_can_not_be(ctrl, sqhd):
    """Past the end, behind the head, past the tail: the request ends, and the head is where that request proves it."""
    pair = ctrl.create_io_queue_pair(4)
    requests = [pair.submit(cmd.flush(nsid=1)) for _ in range(2)]
    put(pair, cid=requests[0].cid, sqhd=sqhd)
    pair.poll()
    assert requests[0].done and not requests[1].done and pair.sq.head == 1 and pair.sq.space == 2
    assert pair.cq.unexpected_count == 1 and f"SQHD is {sqhd}" in pair.cq.unexpected[0].why


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.booleans()), max_size=40))
def test_the_head_is_never_too_far(depth, moves):
    """Whatever SQHD a controller tells, in any order of completion: a slot that it didn't fetch is not filled again."""
    with nvlab.attach("embedded:mode=manual,size=1M", timeout=1) as ctrl:
        pair = ctrl.create_io_queue_pair(depth)
        slots = {}                               # cid -> slot, of what is outstanding
        for which, sqhd, right in moves:
            while pair.sq.space:
                slot = pair.sq.tail
                slots[pair.submit(cmd.flush(nsid=1)).cid] = slot
            order = sorted(slots)
            cid = order[which % len(order)]
            put(pair, cid=cid, sqhd=(slots[cid] + 1) % depth if right else sqhd)
            pair.poll()
            pair.cq.ring()
            assert slots.pop(cid) is not None and cid not in pair.sq.outstanding
            assert pair.sq.space < depth and len(pair.sq.outstanding) == len(slots)
        assert pair.cq.unexpected_count <= len(moves) * 2


def test_the_list_is_bounded(ctrl):
    pair = ctrl.create_io_queue_pair(4)
    for _ in range(100):
        put(pair, cid=77)
        pair.poll()
    assert pair.cq.unexpected_count == 100 and len(pair.cq.unexpected) == 64
    assert not ctrl.admin.cq.unexpected
