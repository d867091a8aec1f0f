"""The drive's data path alone: PRP walking against the driver's builder, addresses checked, a full completion queue."""
import mmap
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvlab._core.memory import DmaPool
from nvlab._core.ssd import DataPath
from nvlab.host.prp import build_prp
from nvlab.spec import status
from nvlab.spec.commands import Completion, cmd
from nvlab.spec.errors import ControllerTimeout, UsageError

PAGE, BLOCKS = 4096, 16384


class Rig:
    """A data path with one namespace of 8 MiB, an SQ 1 and a CQ 1, and no controller around it."""

    def __init__(self, sq_depth=16, cq_depth=16, queues=2):
        self.bar = mmap.mmap(-1, 0x2000)
        self.pool = DmaPool(64 << 20)
        self.path = DataPath(self.bar, self.pool.map, queues)
        self.disk = mmap.mmap(-1, BLOCKS * 512)
        self.path.set_namespace(1, BLOCKS, 512, self.disk)
        self.path.set_namespace(2, BLOCKS, 512, None)
        self.path.configure(True, PAGE, 8 << 20)
        self.sq, self.cq = self.pool.alloc(64 * sq_depth), self.pool.alloc(16 * cq_depth)
        assert self.path.create_cq(1, self.cq.iova, cq_depth) and self.path.create_sq(1, self.sq.iova, sq_depth, 1)
        self.sq_depth, self.cq_depth, self.tail = sq_depth, cq_depth, 0

    def doorbell(self, offset, value):
        struct.pack_into("<I", self.bar, 0x1000 + offset, value)

    def post(self, command):
        self.sq[64 * self.tail:64 * self.tail + 64] = np.frombuffer(bytes(command), np.uint8)
        self.tail = (self.tail + 1) % self.sq_depth
        self.doorbell(8, self.tail)

    def completion(self, slot):
        return Completion(bytes(self.cq[16 * slot:16 * slot + 16]))

    def execute(self, command):
        """Straight to execution, without the rings. The Status."""
        code = self.path.execute(bytes(command))
        return None if code is None else status.lookup(code >> 8 & 7, code & 0xFF)


@pytest.fixture(scope="module")
def rig():
    return Rig()


@given(offset=st.integers(0, 1023), blocks=st.one_of(st.integers(1, 80), st.integers(4000, 4200), st.integers(8100, 8300)),
       slba=st.integers(0, BLOCKS - 8300), seed=st.integers(0, 255))
@settings(deadline=None, max_examples=60)
def test_the_drive_walks_what_the_driver_builds(rig, offset, blocks, slba, seed):
    length = blocks * 512
    buffer = rig.pool.alloc(length + 2 * PAGE, zero=False)
    part = buffer[4 * offset:4 * offset + length]
    part[:] = np.resize(np.arange(seed, seed + 251, dtype=np.uint16).astype(np.uint8), length)
    prp = build_prp(rig.pool, part.iova, length)
    fields = dict(nsid=1, slba=slba, nlb=blocks - 1, prp1=prp.prp1, prp2=prp.prp2)
    assert rig.execute(cmd.write(**fields)).ok
    assert rig.disk[slba * 512:slba * 512 + length] == part.tobytes()
    assert rig.execute(cmd.compare(**fields)).ok
    buffer[:] = 0xA5
    assert rig.execute(cmd.read(**fields)).ok
    assert part.tobytes() == rig.disk[slba * 512:slba * 512 + length]
    assert (buffer[:4 * offset] == 0xA5).all() and (buffer[4 * offset + length:] == 0xA5).all()


@given(prp1=st.integers(0, (1 << 64) - 1), prp2=st.integers(0, (1 << 64) - 1), nlb=st.integers(0, 2000))
@settings(deadline=None, max_examples=200)
def test_any_pointers_give_a_status(rig, prp1, prp2, nlb):
    for build in (cmd.read, cmd.write, cmd.compare):
        said = rig.execute(build(nlb=nlb, prp1=prp1, prp2=prp2))
        inside = rig.pool.base <= prp1 < rig.pool.base + rig.pool.size
        assert inside or said in (status.INVALID_PRP_OFFSET, status.DATA_TRANSFER_ERROR)
        assert prp1 % 4 == 0 or said == status.INVALID_PRP_OFFSET


def test_addresses_at_the_edge_of_what_is_mapped(rig):
    end = rig.pool.base + rig.pool.size
    assert rig.execute(cmd.read(prp1=end - 512)).ok
    assert rig.execute(cmd.read(prp1=end - 508)) == status.DATA_TRANSFER_ERROR
    assert rig.execute(cmd.read(prp1=end)) == status.DATA_TRANSFER_ERROR
    assert rig.execute(cmd.read(prp1=rig.pool.base)).ok
    assert rig.execute(cmd.read(prp1=rig.pool.base - 4)) == status.DATA_TRANSFER_ERROR
    assert rig.execute(cmd.read(prp1=(1 << 64) - 4)) == status.DATA_TRANSFER_ERROR
    assert rig.execute(cmd.read(nlb=15, prp1=end - 4096, prp2=end)) == status.DATA_TRANSFER_ERROR
    assert rig.execute(cmd.read(nlb=31, prp1=end - 4096, prp2=end - 8)) in (status.DATA_TRANSFER_ERROR, status.INVALID_PRP_OFFSET)


def test_limits(rig):
    buffer = rig.pool.alloc(PAGE)
    assert rig.execute(cmd.read(nlb=16383 + 1, prp1=buffer)) == status.LBA_OUT_OF_RANGE
    rig.path.configure(True, PAGE, 4096)
    assert rig.execute(cmd.read(nlb=8, prp1=buffer, prp2=buffer)) == status.INVALID_FIELD_IN_COMMAND
    assert rig.execute(cmd.read(nlb=7, prp1=buffer)).ok
    assert rig.execute(cmd.write_zeroes(nlb=0xFFF)).ok                       # moves no data: MDTS doesn't bind it
    rig.path.configure(True, PAGE, 8 << 20)
    assert rig.execute(cmd.verify()) is None and rig.execute(cmd.read(nsid=77, prp1=buffer)) is None     # for Python
    assert rig.execute(cmd.flush(nsid=0xFFFFFFFF)).ok


def test_a_null_namespace(rig):
    buffer = rig.pool.alloc(PAGE)
    buffer[:] = 1
    assert rig.execute(cmd.write(nsid=2, prp1=buffer)).ok
    assert rig.execute(cmd.compare(nsid=2, prp1=buffer)) == status.COMPARE_FAILURE
    assert rig.execute(cmd.read(nsid=2, prp1=buffer)).ok and not buffer[:512].any() and buffer[512:].all()
    assert rig.execute(cmd.compare(nsid=2, prp1=buffer)).ok and rig.execute(cmd.write_zeroes(nsid=2)).ok


def test_a_full_completion_queue_stops_the_drive():
    rig = Rig(sq_depth=16, cq_depth=4)
    for i in range(10):
        rig.post(cmd.flush(nsid=1, cid=i))
    assert rig.path.poll() == 3 and rig.path.poll() == 0
    assert [int(rig.completion(slot).cid) for slot in range(3)] == [0, 1, 2] and rig.path.state(1)["cq_tail"] == 3
    assert bytes(rig.cq[48:64]) == bytes(16)                                 # the last slot stays empty
    rig.doorbell(12, 2)                                                      # the host took two
    assert rig.path.poll() == 2
    assert [int(rig.completion(slot).cid) for slot in (3, 0)] == [3, 4]
    assert [int(rig.completion(slot).p) for slot in (2, 3, 0)] == [1, 1, 0]
    assert rig.path.state(1) == {"sq_head": 5, "sq_tail": 10, "cq_head": 2, "cq_tail": 1, "phase": 0}
    assert not rig.path.complete(1, 99, 0)                                   # nor by hand
    rig.doorbell(12, 1)
    assert rig.path.poll() == 3


def test_bad_doorbells_are_reported_once_and_do_nothing():
    rig = Rig(sq_depth=4, cq_depth=4)
    rig.post(cmd.flush(nsid=1))
    rig.doorbell(8, 4)
    assert rig.path.poll() == 0 and rig.path.wants_python and rig.path.waiting(1) == 0
    rig.doorbell(12, 0xFFFFFFFF)
    rig.doorbell(16, 3)                                                      # SQ 2 doesn't exist
    assert sorted(rig.path.bad_doorbells()) == [("cq", 1, 0xFFFFFFFF, True), ("sq", 1, 4, True), ("sq", 2, 3, False)]
    assert rig.path.bad_doorbells() == []
    rig.doorbell(8, 5)
    assert rig.path.bad_doorbells() == [("sq", 1, 5, True)]                  # another wrong value is other news
    rig.doorbell(8, 1)
    rig.doorbell(12, 0)
    assert rig.path.poll() == 1 and rig.path.bad_doorbells() == []
    rig.doorbell(8, 4)
    assert rig.path.bad_doorbells() == [("sq", 1, 4, True)]                  # and so is the old one after a right one


def test_one_command_at_a_time():
    rig = Rig()
    assert rig.path.fetch(1) is None and rig.path.waiting(1) == 0 and rig.path.room(1)
    rig.post(cmd.flush(nsid=1, cid=7))
    rig.post(cmd.verify(nsid=1, cid=8))
    assert rig.path.waiting(1) == 2
    raw = rig.path.fetch(1)
    assert raw == bytes(cmd.flush(nsid=1, cid=7)) and rig.path.waiting(1) == 1
    assert rig.path.execute(raw) == 0 and rig.path.complete(1, 7, 0)
    assert rig.path.poll() == 0 and rig.path.stalled() == [1] and rig.path.wants_python    # Verify waits for Python
    assert rig.path.fetch(1) == bytes(cmd.verify(nsid=1, cid=8)) and rig.path.stalled() == []
    rig.path.complete(1, 8, status.LBA_OUT_OF_RANGE.field, dw0=5)
    said = rig.completion(1)
    assert said.status == status.LBA_OUT_OF_RANGE and said.dw0 == 5 and said.cid == 8 and said.sqhd == 2 and said.sqid == 1
    assert rig.path.counts["errors"] == 1


def test_queues_in_memory_that_is_not_mapped():
    rig = Rig()
    end = rig.pool.base + rig.pool.size
    assert not rig.path.create_cq(2, end - 16, 2) and not rig.path.cq_live(2)
    assert not rig.path.create_sq(2, 0, 2, 1) and not rig.path.sq_live(2)
    assert rig.path.create_cq(2, end - 4096, 256) and rig.path.cq_live(2) and rig.path.users_of_cq(1) == [1]
    rig.path.delete_cq(2)
    rig.path.delete_sq(1)
    assert rig.path.state(2) is None and rig.path.users_of_cq(1) == [] and rig.path.poll() == 0
    rig.path.reset()
    assert rig.path.state(1) is None and rig.path.state(-1) is None and rig.path.state(1000) is None


def test_the_lock():
    path = Rig().path
    with path:
        assert not path.try_acquire() and not path.acquire(0.001)
        assert path.pump(lambda: 1) == 0 and path.pump(lambda: 1, True) == 0     # another has it
    assert path.pump(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        path.pump(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError), path:
        1 // 0
    assert path.try_acquire()
    path.release()
    assert issubclass(ControllerTimeout, TimeoutError)


@pytest.mark.parametrize("make, words", [
    (lambda pool: DataPath(bytearray(0x2000), pool.map, 0), "0 I/O queue pairs"),
    (lambda pool: DataPath(bytearray(0x2000), pool.map, 129), "129 I/O queue pairs"),
    (lambda pool: DataPath(bytearray(0x1010), pool.map, 64), "BAR of 4112 bytes"),
    (lambda pool: DataPath(bytearray(0x2000), pool.map, 8, 4).set_namespace(0, 1, 512), "namespace 0"),
    (lambda pool: DataPath(bytearray(0x2000), pool.map, 8).set_namespace(129, 1, 512), "namespace 129"),
    (lambda pool: DataPath(bytearray(0x2000), pool.map, 8).set_namespace(1, 1, 1000), "1000 bytes"),
    (lambda pool: DataPath(bytearray(0x2000), pool.map, 8).set_namespace(1, 9, 512, bytearray(512)), "can't hold 9 blocks"),
])
def test_what_no_drive_can_be(rig, make, words):
    with pytest.raises(UsageError, match=words):
        make(rig.pool)


def test_a_vector_that_nobody_has_is_not_raised():
    rig = Rig()
    for ien in (False, True):
        assert rig.path.create_cq(1, rig.cq.iova, rig.cq_depth, ien, 0xFFFF) and rig.path.create_sq(1, rig.sq.iova, rig.sq_depth, 1)
        rig.tail = 0
        rig.post(cmd.flush(nsid=1))
        assert rig.path.poll() == 1
        rig.path.delete_sq(1)
        rig.path.delete_cq(1)                    # what it forgets lies within the table
