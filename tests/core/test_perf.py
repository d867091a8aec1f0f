"""The perf loop alone, against a drive that only it moves: bounds, ends, and what it refuses to drive."""
import mmap

import numpy as np
import pytest

from nvlab._core.memory import DmaPool
from nvlab._core.mmio import MappedBar
from nvlab._core.perf import ENDS, PerfLoop
from nvlab._core.rings import CompletionRing, SubmissionRing
from nvlab._core.ssd import DataPath
from nvlab.spec.commands import cmd
from nvlab.spec.errors import UsageError

IO = 4096


class Rig:
    """Rings, a data path with a namespace of 1 MiB, and the entries of `depth` trackers."""

    def __init__(self, depth=8, queue=16):
        memory = mmap.mmap(-1, 0x2000)
        self.bar, self.pool = MappedBar(memory), DmaPool(16 << 20)
        self.path = DataPath(memory, self.pool.map, 2)
        self.disk = mmap.mmap(-1, 1 << 20)
        self.path.set_namespace(1, 2048, 512, self.disk)
        self.path.configure(True, 4096, 1 << 20)
        self.path.inline_mode = True
        self.sq_memory, self.cq_memory = self.pool.alloc(64 * queue), self.pool.alloc(16 * queue)
        self.path.create_cq(1, self.cq_memory.iova, queue)
        self.path.create_sq(1, self.sq_memory.iova, queue, 1)
        self.sq = SubmissionRing(self.sq_memory, queue, self.bar, 0x1008)
        self.cq = CompletionRing(self.cq_memory, queue, self.bar, 0x100C)
        self.data = self.pool.alloc(depth * IO)
        self.entries = np.stack([np.frombuffer(bytes(cmd.read(nsid=1, prp1=self.data.iova + i * IO)), np.uint8) for i in range(depth)])

    def loop(self, blocks=2048, first_lba=0, **options):
        loop = PerfLoop(self.bar, io_size=IO, block_size=512, ssd=self.path, **{"timeout": 0.2, **options})
        loop.add_queue(self.sq, self.cq, self.entries, self.data.reshape(-1, IO), first_lba=first_lba, blocks=blocks)
        return loop


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1000])
def test_count(count):
    loop = Rig().loop(count=count)
    assert loop.run() == "count" and loop.snapshot()["ios"] == count and loop.outstanding == 0
    assert loop.snapshot()["hist"].sum() == count and loop.first_error is None


@pytest.mark.parametrize("random", [False, True])
def test_it_stays_within_its_blocks(random):
    rig = Rig()
    rig.data[:] = 0xFF
    assert rig.loop(blocks=83, first_lba=100, count=500, read_percent=0, random=random).run() == "count"
    touched = np.frombuffer(rig.disk, np.uint8).reshape(-1, 512).any(axis=1)
    assert touched[100:180].all() and touched.sum() == 80                       # ten I/Os of 8 blocks; three blocks don't make one


def test_stop_before_and_time():
    loop = Rig().loop(seconds=60)
    loop.stop()
    assert loop.run() == "stopped" and loop.outstanding == 0
    assert Rig().loop(seconds=0.02).run() == "time"


def test_a_drive_that_does_not_answer():
    rig = Rig()
    rig.path.inline_mode = False
    loop = rig.loop(count=10)
    assert loop.run() == "timeout" and loop.outstanding == 8 and loop.snapshot()["ios"] == 0


@pytest.mark.parametrize("cid", [8, 100, 0xFFFF])
def test_a_completion_for_nobody(cid):
    rig = Rig()
    rig.path.inline_mode = False
    entry = bytearray(16)
    entry[12:14], entry[14] = cid.to_bytes(2, "little"), 1
    rig.cq_memory[:16] = entry
    assert rig.loop(count=10).run() == "protocol"


def test_a_queue_head_that_no_queue_has():
    """SQHD is the drive's word: a wrong one must not lead anywhere outside the ring."""
    rig = Rig()
    rig.path.inline_mode = False
    for slot in range(8):
        entry = bytearray(16)
        entry[8:10], entry[12:14], entry[14] = b"\xff\xff", slot.to_bytes(2, "little"), 1
        rig.cq_memory[16 * slot:16 * slot + 16] = entry
    assert rig.loop(count=10).run() in ("timeout", "protocol")
    assert rig.sq.tail < rig.sq.depth


def test_failures_are_counted():
    rig = Rig()
    rig.path.set_namespace(1, 1024, 512, rig.disk)
    loop = rig.loop(count=256)                   # 128 good steps, 128 past the end
    assert loop.run() == "count" and loop.snapshot()["errors"] == 128 and loop.snapshot()["bytes"] == 128 * IO
    assert loop.first_error[0] & 0xFF == 0x80 and loop.first_error[2] == 1024


def test_what_it_refuses():
    rig = Rig(depth=16, queue=16)
    with pytest.raises(UsageError, match="17 entries"):
        rig.loop()
    loop = PerfLoop(rig.bar, io_size=IO, block_size=512)
    data = rig.data.reshape(-1, IO)
    for entries, buffers in ((rig.entries[:, :32].copy(), data), (rig.entries[:4].copy(), data), (rig.entries[:4].copy(), data[:4, :512])):
        with pytest.raises(UsageError, match="entries must be"):
            loop.add_queue(rig.sq, rig.cq, entries, buffers, first_lba=0, blocks=64)
    assert set(ENDS) == {"running", "time", "count", "stopped", "gone", "timeout", "protocol", "reset", "fatal"}


def test_fewer_blocks_than_one_io():
    rig = Rig(depth=4)
    with pytest.raises(UsageError, match="blocks"):
        rig.loop(blocks=7)
