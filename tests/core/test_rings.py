"""The host's rings against a model: post, ring, drive, poll in any order; no entry lost, doubled or seen too early."""
import collections
import mmap

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nvlab._core.mmio import MappedBar
from nvlab._core.rings import CompletionRing, SubmissionRing
from nvlab.spec.errors import UsageError

SQ_DOORBELL, CQ_DOORBELL = 0x1008, 0x100C


class RingMachine(RuleBasedStateMachine):
    """A host on the rings, and a controller of a few lines that knows nothing but memory and doorbells."""

    @initialize(sq_depth=st.integers(2, 9), cq_depth=st.integers(2, 9))
    def start(self, sq_depth, cq_depth):
        self.memory = mmap.mmap(-1, 0x2000)
        self.bar = MappedBar(self.memory)
        self.entries, self.completions = bytearray(64 * sq_depth), bytearray(16 * cq_depth)
        self.sq = SubmissionRing(self.entries, sq_depth, self.bar, SQ_DOORBELL)
        self.cq = CompletionRing(self.completions, cq_depth, self.bar, CQ_DOORBELL)
        self.sq_depth, self.cq_depth = sq_depth, cq_depth
        self.number = 0                          # of the next entry posted
        self.posted, self.told = collections.deque(), collections.deque()
        self.completed, self.seen = collections.deque(), []
        self.drive_head = self.drive_tail = 0
        self.drive_phase = 1

    # -- the host

    @rule()
    def post(self):
        entry = self.number.to_bytes(64, "little")
        waiting = (self.sq.tail - self.sq.head) % self.sq_depth
        if waiting == self.sq_depth - 1:
            before = bytes(self.entries)
            with pytest.raises(UsageError, match=f"full: {self.sq_depth - 1} entries wait"):
                self.sq.push(entry)
            assert bytes(self.entries) == before
            return
        tail = self.sq.tail
        assert self.sq.push(entry) == tail and self.sq.tail == (tail + 1) % self.sq_depth
        self.posted.append(self.number)
        self.number += 1

    @rule()
    def ring(self):
        self.bar.write32(SQ_DOORBELL, self.sq.tail)
        self.sq.rung = self.sq.tail
        self.told += self.posted
        self.posted.clear()

    @rule()
    def poll(self):
        new, head = self.cq.has_new(), self.cq.head
        raw = self.cq.pop()
        assert (raw is not None) == new == bool(self.completed)
        if raw is None:
            assert self.cq.head == head
            return
        assert int.from_bytes(raw[:8], "little") == self.completed.popleft() == len(self.seen)
        self.seen.append(raw)
        self.sq.head = int.from_bytes(raw[8:10], "little")
        assert self.cq.head == (head + 1) % self.cq_depth

    @rule()
    def give_back(self):
        self.bar.write32(CQ_DOORBELL, self.cq.head)
        self.cq.rung = self.cq.head

    # -- the controller

    @rule(count=st.integers(1, 4))
    def drive(self, count):
        for _ in range(count):
            tail, head = self.bar.read32(SQ_DOORBELL), self.bar.read32(CQ_DOORBELL)
            if self.drive_head == tail or (self.drive_tail + 1) % self.cq_depth == head:
                return
            number = int.from_bytes(self.entries[64 * self.drive_head:64 * self.drive_head + 64], "little")
            assert number == self.told.popleft()                             # in order, and none that wasn't rung
            self.drive_head = (self.drive_head + 1) % self.sq_depth
            entry = number.to_bytes(8, "little") + self.drive_head.to_bytes(2, "little") + bytes(4)
            self.completions[16 * self.drive_tail:16 * self.drive_tail + 16] = entry + bytes([self.drive_phase, 0])
            self.completed.append(number)
            self.drive_tail = (self.drive_tail + 1) % self.cq_depth
            self.drive_phase ^= self.drive_tail == 0

    # -- what always holds

    @precondition(lambda self: hasattr(self, "sq"))
    @invariant()
    def nothing_is_lost(self):
        assert len(self.seen) + len(self.completed) + len(self.told) + len(self.posted) == self.number
        assert self.sq.space == (self.sq.head - self.sq.tail - 1) % self.sq_depth
        assert self.cq.has_new() == bool(self.completed)
        assert self.cq.phase in (0, 1) and 0 <= self.cq.head < self.cq_depth


TestRings = RingMachine.TestCase


@pytest.fixture
def bar():
    return MappedBar(mmap.mmap(-1, 0x2000))


@pytest.mark.parametrize("cls, size", [(SubmissionRing, 64), (CompletionRing, 16)])
def test_memory_that_is_too_small(bar, cls, size):
    for depth, nbytes in ((2, 2 * size - 1), (1, size), (0, 0), (1024, 1023 * size)):
        with pytest.raises((UsageError, ValueError, IndexError)):
            cls(bytearray(max(nbytes, 1)), depth, bar, 0x1000)
    assert cls(bytearray(2 * size), 2, bar, 0x1000).depth == 2


def test_entries_of_the_wrong_size(bar):
    sq = SubmissionRing(bytearray(256), 4, bar, 0x1000)
    for raw in (b"", bytes(63), bytes(65)):
        with pytest.raises(UsageError, match="64 bytes"):
            sq.push(raw)
    assert sq.tail == 0


def test_slots_that_do_not_exist(bar):
    sq = SubmissionRing(bytearray(256), 4, bar, 0x1000)
    for name in ("head", "tail"):
        for value in (-1, 4, 1 << 20):
            with pytest.raises(UsageError, match="slots 0 to 3"):
                setattr(sq, name, value)


def test_wait_returns_at_once_or_in_time(bar):
    memory = bytearray(64)
    cq = CompletionRing(memory, 4, bar, 0x1004)
    assert cq.wait(0.001) is False
    memory[14] = 1
    assert cq.wait(60) is True and cq.pop() is not None and cq.pop() is None
