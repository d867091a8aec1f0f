"""The drive's MSI-X table and pending bits, as a bus access sees them, and where its messages go."""
import mmap
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvlab._core.memory import DmaPool
from nvlab._core.ssd import DataPath, VectorTable
from nvlab.spec.errors import UsageError
from nvlab.target.admin import Failed
from nvlab.target.interrupts import ENABLE, FUNCTION_MASK, Interrupts

VECTORS = 5


class Rig:
    """A data path with completion queues 1 and 2 on vectors 1 and 2, and an eventfd for each vector."""

    def __init__(self):
        self.pool = DmaPool(1 << 20)
        self.path = DataPath(mmap.mmap(-1, 0x2000), self.pool.map, 4)
        self.irq = Interrupts(self.path, VECTORS)
        self.memory, self.words = self.pool.alloc(8192), self.pool.alloc(4096)
        self.path.configure(True, 4096, 1 << 20)
        for q in (1, 2):
            assert self.path.create_cq(q, self.memory.iova + 4096 * (q - 1), 256, True, q)
            assert self.path.create_sq(q, self.memory.iova + 4096 * (q - 1), 2, q)
        self.fds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(VECTORS)]
        for vector, fd in enumerate(self.fds):
            self.irq.attach(vector, fd)

    def post(self, qid):
        assert self.path.complete(qid, 7, 0)

    def told(self, vector):
        """Interrupts of a vector since the last call."""
        try:
            return os.eventfd_read(self.fds[vector])
        except BlockingIOError:
            return 0

    def unmask(self, vector, address=0, data=0):
        self.irq.write(16 * vector, address, 8)
        self.irq.write(16 * vector + 8, data, 4)
        self.irq.write(16 * vector + 12, 0, 4)

    def close(self):
        for fd in self.fds:
            os.close(fd)


@pytest.fixture
def rig():
    rig = Rig()
    yield rig
    rig.close()


def test_the_table_after_power_on(rig):
    for vector in range(VECTORS):
        assert [rig.irq.read(16 * vector + at, 4) for at in (0, 4, 8, 12)] == [0, 0, 0, 1]
    assert rig.irq.control == VECTORS - 1 and not rig.irq.enabled and rig.irq.pending(0, 8) == 0
    assert rig.irq.read(16 * VECTORS, 4) == 0
    rig.irq.write(16 * VECTORS + 12, 0, 4)       # behind the end: ignored
    rig.irq.control = 0xFFFF
    assert rig.irq.control == VECTORS - 1 | ENABLE | FUNCTION_MASK and "masked" in repr(rig.irq)


@given(st.lists(st.tuples(st.integers(0, VECTORS * 2), st.sampled_from([0, 4, 8, 12]), st.sampled_from([4, 8]),
                          st.integers(0, (1 << 64) - 1)), max_size=20))
@settings(deadline=None, max_examples=60)
def test_any_access_of_the_table(accesses):
    rig = Rig()
    try:
        model = {16 * v + 12: 1 for v in range(VECTORS)}
        for vector, field, width, value in accesses:
            at, width = 16 * vector + field, width if field % 8 == 0 else 4
            rig.irq.write(at, value & (1 << 8 * width) - 1, width)
            for i in range(0, width, 4):
                mask = {0: ~3, 12: 1}.get((at + i) % 16, -1) & 0xFFFFFFFF
                model[at + i] = value >> 8 * i & mask
            for check in range(0, 16 * VECTORS, 4):
                assert rig.irq.read(check, 4) == model.get(check, 0)
            assert rig.irq.read(at, 8) == (rig.irq.read(at, 4) | rig.irq.read(at + 4, 4) << 32)
    finally:
        rig.close()


def test_a_message_lands_where_the_table_says(rig):
    rig.irq.control = ENABLE
    rig.unmask(1, rig.words.iova + 64, 0xBEEF)
    rig.post(1)
    assert bytes(rig.words[64:68]) == b"\xef\xbe\0\0" and not rig.words[68:].any() and rig.told(1) == 1
    for nowhere in (0, 0xFEE00000, (1 << 64) - 4, rig.pool.base + rig.pool.size):
        rig.words[:] = 0
        rig.unmask(1, nowhere, 1)
        rig.post(1)
        assert not rig.words.any() and rig.told(1) == 1
    assert rig.irq.table.sent(1) == 5


def test_pending_bits(rig):
    rig.irq.control = ENABLE
    rig.post(1)
    rig.post(2)
    assert rig.irq.pending(0, 8) == rig.irq.pending(0, 4) == 0b110 and rig.irq.pending(4, 4) == 0
    rig.unmask(2)
    assert rig.irq.pending(0, 8) == 0b010 and rig.told(2) == 1 and rig.told(1) == 0
    rig.irq.control = ENABLE | FUNCTION_MASK
    rig.post(2)
    rig.post(2)
    assert rig.irq.pending(0, 4) == 0b110
    rig.irq.control = ENABLE
    assert rig.irq.pending(0, 4) == 0b010 and rig.told(2) == 1
    np.frombuffer(rig.path.memory, np.uint32, offset=0x1000)[3] = 1          # CQ1HDBL: the host has taken it
    rig.path.poll()
    assert rig.irq.pending(0, 4) == 0
    rig.unmask(1)
    assert rig.told(1) == 0


def test_the_line(rig):
    line = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        rig.irq.attach(None, line)
        rig.post(1)
        assert rig.irq.line and os.eventfd_read(line) == 1 and rig.told(1) == 0
        with rig.path:
            rig.irq.mask_line(1)
        assert not rig.irq.line
        rig.post(2)
        with pytest.raises(BlockingIOError):
            os.eventfd_read(line)
        with rig.path:
            rig.irq.mask_line(2)
        assert rig.irq.line and os.eventfd_read(line) == 1
        rig.irq.control = ENABLE
        assert not rig.irq.line
        rig.irq.control = 0
        assert rig.irq.line and os.eventfd_read(line) == 1                   # the level is still there
        rig.path.reset()
        assert not rig.irq.line
    finally:
        rig.irq.attach(None, -1)
        os.close(line)


def test_which_vectors_a_queue_can_have(rig):
    rig.irq.check_vector(0)
    for vector in (1, 4):
        with pytest.raises(Failed):
            rig.irq.check_vector(vector)
    rig.irq.control = ENABLE
    rig.irq.check_vector(VECTORS - 1)
    with pytest.raises(Failed):
        rig.irq.check_vector(VECTORS)


def test_tables_that_no_drive_has(rig):
    for count in (0, 130):
        with pytest.raises(UsageError, match="interrupt vectors"):
            VectorTable(rig.path, count)
    for vector in (-1, VECTORS):
        with pytest.raises(UsageError, match="vectors 0 to 4"):
            rig.irq.table.entry(vector)
