"""DMA memory: the allocator's promises, IOVAs of slices and views, the checked way from IOVA to memory."""
import gc
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nvlab._core.memory import DmaBuffer, DmaPool, IovaMap
from nvlab.spec.errors import UsageError

MIB = 1 << 20


class PoolMachine(RuleBasedStateMachine):
    """Random alloc and release: buffers never overlap, stay inside and keep their bytes; what is released comes back."""

    def __init__(self):
        super().__init__()
        self.memory = np.zeros(MIB, dtype=np.uint8)
        self.pool = DmaPool(memory=self.memory, base=0x7000_0000, first=8192)
        self.buffers, self.spans, self.mark = [], [], 0

    @rule(pages=st.integers(1, 40), less=st.integers(0, 4095), align=st.sampled_from([1, 64, 4096, 16384, 65536]))
    def alloc(self, pages, less, align):
        nbytes = 4096 * pages - less
        try:
            buffer = self.pool.alloc(nbytes, align=align)
        except UsageError:
            assert self.pool.available < nbytes + 2 * max(align, 4096) or len(self.buffers) > 1
            return
        assert buffer.shape == (nbytes,) and buffer.dtype == np.uint8 and not buffer.any()
        assert buffer.iova % max(align, 4096) == 0
        self.mark = self.mark % 255 + 1
        buffer[:] = self.mark
        self.buffers.append((buffer, self.mark))
        self.spans.append(4096 * pages)

    @rule(data=st.data())
    def release(self, data):
        if self.buffers:
            i = data.draw(st.integers(0, len(self.buffers) - 1))
            del self.buffers[i], self.spans[i]

    @invariant()
    def nothing_overlaps(self):
        end = self.pool.base + 8192
        for buffer, mark in sorted(self.buffers, key=lambda pair: pair[0].iova):
            assert buffer.iova >= end
            end = buffer.iova + buffer.nbytes
            assert (buffer == mark).all()
            assert self.memory[buffer.iova - self.pool.base] == mark       # the IOVA says where the bytes are
        assert end <= self.pool.base + self.pool.size

    @invariant()
    def every_page_is_accounted_for(self):
        assert self.pool.available == MIB - 8192 - sum(self.spans)

    def teardown(self):
        self.buffers.clear()
        whole = self.pool.alloc(MIB - 8192)                                 # merged again into one span
        assert whole.iova == self.pool.base + 8192 and self.pool.available == 0


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.fixture
def pool():
    return DmaPool(MIB)


@given(start=st.integers(0, 8191), length=st.integers(0, 8192), step=st.integers(1, 7))
def test_slices_know_their_iova(start, length, step):
    buffer = DmaPool(MIB).alloc(8192)
    part = buffer[start:start + length:step]
    if len(part):
        part[0] = 7
        assert part.iova == buffer.iova + start and buffer[start] == 7


def test_views_and_shapes_know_their_iova(pool):
    buffer = pool.alloc(8192)
    assert buffer.view(np.uint32)[3:].iova == buffer.iova + 12
    assert buffer.reshape(128, 64)[5].iova == buffer.iova + 320
    assert buffer[::-1].iova == buffer.iova + 8191
    assert memoryview(buffer).nbytes == 8192 and bytes(buffer[:2]) == b"\0\0"


def test_copies_have_no_iova(pool):
    buffer = pool.alloc(4096)
    for copy in (buffer + 1, buffer.copy(), buffer[[0, 1]], np.array(buffer).view(DmaBuffer)):
        with pytest.raises(UsageError, match="copy in ordinary memory"):
            copy.iova
        repr(copy)


def test_the_last_reference_releases(pool):
    before = pool.available
    buffer = pool.alloc(10_000)
    assert pool.available == before - 12288
    part = buffer[100:200]
    del buffer
    gc.collect()
    assert pool.available == before - 12288
    part[:] = 1
    view = memoryview(part)
    del part
    gc.collect()
    assert pool.available == before - 12288 and view[0] == 1
    del view
    gc.collect()
    assert pool.available == before


def test_the_pool_outlives_its_owner():
    buffer = DmaPool(MIB).alloc(4096)
    gc.collect()
    buffer[:] = 3
    assert buffer.sum() == 3 * 4096


def test_memory_used_before_is_zeroed(pool):
    pool.alloc(4096)[:] = 0xFF
    gc.collect()
    assert not pool.alloc(4096).any()


@pytest.mark.parametrize("arguments", [dict(nbytes=0), dict(nbytes=-1), dict(nbytes=1, align=3), dict(nbytes=1, align=0),
                                       dict(nbytes=MIB + 1), dict(nbytes=1 << 70)])
def test_impossible_allocations(pool, arguments):
    with pytest.raises(UsageError):
        pool.alloc(**arguments)
    assert pool.available == MIB


def test_an_exhausted_pool_says_so_and_recovers(pool):
    buffers = [pool.alloc(4096) for _ in range(256)]
    with pytest.raises(UsageError, match="no 1 contiguous bytes left in the DMA pool of 1 MiB"):
        pool.alloc(1)
    del buffers[7]
    gc.collect()
    assert pool.alloc(1).iova == pool.base + 7 * 4096


def test_sizes_of_pools():
    for size in (0, -4096, 100):
        with pytest.raises(UsageError):
            DmaPool(size)


def test_buffers_say_what_they_are(pool):
    buffer = pool.alloc(4096)
    buffer[:2] = 0x12, 0xAB
    assert repr(buffer).startswith(f"DmaBuffer(4096 bytes, iova={buffer.iova:#x}, 12 ab 00")
    assert repr(pool) == f"DmaPool(1 MiB at IOVA {pool.base:#x}, 0 MiB free)"


def test_threads_share_a_pool(pool):
    before, wrong = pool.available, []

    def work(mark):
        for i in range(300):
            buffer = pool.alloc(4096 * (1 + i % 3))
            buffer[:] = mark
            if not (buffer == mark).all():
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    gc.collect()
    assert not wrong and pool.available == before


def test_iova_map_translates_only_what_one_region_holds():
    table, first, second = IovaMap(), bytearray(4096), bytearray(b"x" * 4096)
    table.add(0x10000, first)
    table.add(0x11000, second)                     # adjacent, and still two
    assert table.regions == [(0x10000, 4096), (0x11000, 4096)]
    table.write(0x10010, b"abc")
    assert first[0x10:0x13] == b"abc" == table.read(0x10010, 3)
    assert table.translate(0x10FFF) and table.translate(0x11000, 4096)
    for iova, length in [(0xFFFF, 1), (0x10FFF, 2), (0x12000, 1), (0, 1), ((1 << 64) - 1, 1), (0x11FFF, (1 << 64) - 1), (0x10000, 1 << 63)]:
        assert not table.translate(iova, length)
        with pytest.raises(UsageError, match="not mapped"):
            table.read(iova, length)
    with pytest.raises(UsageError, match="not mapped"):
        table.write(0x11FFF, b"ab")
    assert repr(table) == "IovaMap(0x10000+0x1000, 0x11000+0x1000)"


@given(st.integers(0, (1 << 64) - 1), st.integers(1, (1 << 64) - 1))
def test_translation_agrees_with_arithmetic(iova, length):
    table = IovaMap()
    table.add(1 << 63, bytearray(8192))
    assert table.translate(iova, length) == ((1 << 63) <= iova and iova + length <= (1 << 63) + 8192)


def test_iova_map_refuses_what_it_cannot_hold():
    table = IovaMap()
    table.add(0x10000, bytearray(4096))
    for iova, size, words in [(0x10FFF, 1, "overlaps"), (0xF001, 4096, "overlaps"), (0, 0, "empty"), ((1 << 64) - 4096, 4097, "wraps")]:
        with pytest.raises(UsageError, match=words):
            table.add(iova, bytearray(size))
    for i in range(63):
        table.add((i + 2) << 16, bytearray(16))
    with pytest.raises(UsageError, match="holds 64"):
        table.add(1 << 40, bytearray(16))
    with pytest.raises((BufferError, ValueError, TypeError)):
        IovaMap().add(0, b"read-only")
