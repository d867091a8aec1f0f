"""PRPs: what the driver builds, read back by a walker written from the standard alone (base 2.0c 4.1.1)."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvlab._core.memory import DmaPool
from nvlab.host.prp import build_lists, build_prp
from nvlab.spec.errors import UsageError

PAGE = 4096
PER_LIST = PAGE // 8
POOL = DmaPool(32 << 20)


def walk(prp1, prp2, length, read_qword):
    """[(address, bytes)] of the pieces of a transfer, as the standard tells a controller to find them."""
    pieces = [(prp1, min(length, PAGE - prp1 % PAGE))]
    left = length - pieces[0][1]
    if left == 0:
        return pieces                                        # PRP2 is reserved
    if left <= PAGE:
        return [*pieces, (prp2, left)]
    at = prp2
    while left:
        entry = read_qword(at)
        last_of_list = at % PAGE == PAGE - 8
        if last_of_list and left > PAGE:
            at = entry                                       # more is to come than this entry could describe
            continue
        pieces.append((entry, min(left, PAGE)))
        left -= pieces[-1][1]
        at += 8
    return pieces


def read_qword(address):
    return int.from_bytes(POOL.read(address, 8), "little")


def joined(pieces):
    """Neighbouring pieces as one."""
    result = []
    for address, size in pieces:
        if result and sum(result[-1]) == address:
            result[-1] = (result[-1][0], result[-1][1] + size)
        else:
            result.append((address, size))
    return result


SMALL = st.integers(1, 5 * PAGE)
LARGE = st.integers(PER_LIST - 3, 3 * PER_LIST + 3).flatmap(
    lambda pages: st.integers(-8, 8).map(lambda off: pages * PAGE + 4 * off))


@given(offset=st.integers(0, PAGE // 4 - 1), length=st.one_of(SMALL, LARGE))
@settings(deadline=None)
def test_the_walker_finds_what_was_built(offset, length):
    buffer = POOL.alloc(PAGE * (length // PAGE + 2), zero=False)
    iova = buffer.iova + 4 * offset
    prp = build_prp(POOL, iova, length)
    pieces = walk(prp.prp1, prp.prp2, length, read_qword)
    assert joined(pieces) == [(iova, length)]
    assert all(address % PAGE == 0 for address, _ in pieces[1:])             # only PRP1 has an offset
    assert all(size == PAGE for _, size in pieces[1:-1])
    assert all(page.iova % PAGE == 0 and page.nbytes == PAGE for page in prp.lists)
    pages = len(pieces) - 1
    assert len(prp.lists) == (0 if pages <= 1 else 1 if pages <= PER_LIST else -(-(pages - 1) // (PER_LIST - 1)))
    assert prp.prp2 == (0 if pages == 0 else pieces[1][0] if pages == 1 else prp.lists[0].iova)


@pytest.mark.parametrize("pages", [2, PER_LIST - 1, PER_LIST, PER_LIST + 1, 2 * PER_LIST - 1, 2 * PER_LIST, 2 * PER_LIST + 1])
def test_the_ends_of_lists(pages):
    buffer = POOL.alloc(PAGE * (pages + 1), zero=False)
    prp = build_prp(POOL, buffer.iova, buffer.nbytes)
    assert joined(walk(prp.prp1, prp.prp2, buffer.nbytes, read_qword)) == [(buffer.iova, buffer.nbytes)]
    assert len(prp.lists) == (1 if pages <= PER_LIST else 2 if pages <= 2 * PER_LIST - 1 else 3)


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=3 * PER_LIST))
@settings(deadline=None, max_examples=30)
def test_lists_of_scattered_pages(numbers):
    pages = np.array(numbers, np.uint64) * PAGE
    lists = build_lists(POOL, pages)
    found = walk(0, lists[0].iova, PAGE * (len(numbers) + 1), read_qword)[1:] if len(numbers) > 1 else \
        [(read_qword(lists[0].iova), PAGE)]
    assert [address for address, _ in found] == [PAGE * n for n in numbers]


def test_other_page_sizes():
    buffer = POOL.alloc(1 << 20, align=1 << 16, zero=False)
    prp = build_prp(POOL, buffer.iova + 4096, 1 << 16, page=1 << 16)
    assert (prp.prp1, prp.prp2, prp.lists) == (buffer.iova + 4096, buffer.iova + (1 << 16), ())
    assert len(build_prp(POOL, buffer.iova, 1 << 20, page=1 << 16).lists) == 1


@pytest.mark.parametrize("iova, length, words", [(2, 512, "PRP1 = 0x2"), (4097, 512, "dword"), (0, 0, "0 bytes"), (0, -4, "-4 bytes")])
def test_what_no_prp_can_say(iova, length, words):
    with pytest.raises(UsageError, match=words):
        build_prp(POOL, iova, length)


def test_list_pages_live_as_long_as_the_prp():
    before = POOL.available
    prp = build_prp(POOL, 0, PAGE * 2000)
    assert POOL.available == before - 4 * PAGE and "4 list pages" in repr(prp)
    del prp
    assert POOL.available == before
