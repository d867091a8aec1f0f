"""The core's own limits: no identifier, size, time or closed mapping that Python hands in leads outside its memory."""
import mmap
import signal
import time

import numpy as np
import pytest

from nvlab._core.memory import DmaPool
from nvlab._core.mmio import MappedBar
from nvlab._core.rings import CompletionRing
from nvlab._core.ssd import DataPath
from nvlab.spec.commands import cmd
from nvlab.spec.errors import UsageError


@pytest.fixture
def rig():
    return Rig()


class Rig:
    """A data path with two submission queues that complete to one completion queue of four entries."""

    def __init__(self):
        self.pool, self.bar = DmaPool(1 << 20), mmap.mmap(-1, 0x4000)
        self.path = DataPath(self.bar, self.pool.map, 8)
        self.path.set_namespace(1, 128, 512)
        self.rings = [self.pool.alloc(4096) for _ in range(3)]
        assert self.path.create_cq(1, self.rings[0].iova, 4)
        assert all(self.path.create_sq(q, self.rings[q].iova, 8, 1) for q in (1, 2))
        self.path.configure(True, 4096, 1 << 20)

    def post(self, qid, *commands):
        for slot, command in enumerate(commands):
            self.rings[qid].reshape(-1, 64)[slot] = np.frombuffer(bytes(command), np.uint8)
        self.ring(2 * qid, len(commands))

    def ring(self, number, value):
        self.bar[0x1000 + 4 * number:0x1004 + 4 * number] = value.to_bytes(4, "little")


@pytest.mark.parametrize("qid", [-1, 9, 129, 10**8, -10**8])
def test_queues_that_no_drive_has(rig, qid):
    path, iova = rig.path, rig.pool.alloc(4096).iova
    for use in (path.sq_live, path.cq_live, path.waiting, path.fetch, path.room, path.delete_sq, path.delete_cq,
                lambda q: path.complete(q, 0, 0), lambda q: path.create_cq(q, iova, 4), lambda q: path.create_sq(q, iova, 4, 1),
                lambda q: path.create_sq(3, iova, 4, q)):
        with pytest.raises(UsageError, match="queues 0 to 8"):
            use(qid)


def test_sizes_that_no_queue_has(rig):
    iova = rig.pool.alloc(4096).iova
    for size in (0, 1):
        for create in (lambda: rig.path.create_cq(2, iova, size), lambda: rig.path.create_sq(3, iova, size, 1)):
            with pytest.raises(UsageError, match="2 entries at least"):
                create()
    with pytest.raises(UsageError, match="64 bytes"):
        rig.path.execute(b"\x02")
    with pytest.raises(UsageError, match="can't hold"):
        rig.path.set_namespace(2, 1 << 60, 4096, bytearray(4096))


def test_a_queue_created_again_is_served_once(rig):
    for _ in range(200):
        assert rig.path.create_sq(1, rig.rings[1].iova, 8, 1)
    rig.post(1, cmd.flush(nsid=1))
    assert rig.path.poll() == 1


def test_mappings_in_use_can_not_be_closed(rig):
    disk, memory = mmap.mmap(-1, 65536), mmap.mmap(-1, 65536)
    rig.path.set_namespace(2, 128, 512, disk)
    pool, bar = DmaPool(memory=memory), MappedBar(rig.bar)
    for mapping in (disk, memory, rig.bar):
        with pytest.raises(BufferError):
            mapping.close()
    assert pool.size == 65536 and bar.size == 0x4000


def test_a_stalled_queue_asks_again_when_there_is_room(rig):
    """Python found the completion queue full and went away: the queue's command must not be forgotten."""
    rig.post(1, cmd.verify(nsid=1, slba=0, nlb=0))
    assert rig.path.poll() == 0 and rig.path.wants_python and rig.path.stalled() == [1]
    rig.post(2, *[cmd.flush(nsid=1)] * 3)
    assert rig.path.poll() == 3 and not rig.path.room(1)
    rig.path.clear_attention()
    rig.path.poll()
    assert not rig.path.wants_python
    rig.ring(3, 3)
    rig.path.poll()
    assert rig.path.wants_python and rig.path.room(1)


def test_large_commands_leave_the_lock_soon(rig):
    rig.path.set_namespace(1, 65536, 512)
    rig.post(1, *[cmd.write_zeroes(nsid=1, slba=0, nlb=65535)] * 3)
    assert [rig.path.poll() for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("seconds", [0, -1, -1e300, float("nan")])
def test_waits_that_are_none(seconds):
    ring, start = CompletionRing(bytearray(64), 4, MappedBar(bytearray(0x2000)), 0x1000), time.monotonic()
    assert not ring.wait(seconds) and time.monotonic() - start < 0.5


@pytest.mark.parametrize("seconds", [30, 1e30, float("inf")])
def test_a_wait_can_be_interrupted(seconds):
    ring = CompletionRing(bytearray(64), 4, MappedBar(bytearray(0x2000)), 0x1000)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            ring.wait(seconds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
