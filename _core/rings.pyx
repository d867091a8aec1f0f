# cython: language_level=3, boundscheck=False, wraparound=False
"""Submission and completion rings as C structs that Python and the perf loop share, so that either sees the other's moves."""
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from nvlab._core.atomics cimport nv_backoff, nv_fence, nv_now_ns
from nvlab._core.mmio cimport Bar
from nvlab._core.trace cimport CQE_SEEN, HOST, SQ_HEAD, SQE_POST, Lane, emit, emit_sqe
from nvlab.spec.errors import UsageError


def fence():
    """Order all stores before against all accesses after: entries first, doorbell second."""
    nv_fence()


cdef class SubmissionRing:
    """The host's view of one submission queue: `memory` holds depth entries of 64 bytes, `doorbell` is SQyTDBL's offset."""

    def __init__(self, memory, depth, Bar bar, doorbell):
        cdef uint8_t[::1] view = memory
        if view.shape[0] < depth * 64 or depth < 2:
            raise UsageError(f"submission ring of {depth} entries in {view.shape[0]} bytes: at least 2 entries of 64 bytes each")
        memset(&self.s, 0, sizeof(sq_t))
        self.memory = memory
        self.bar = bar
        self.s.entries = &view[0]
        self.s.depth = depth
        self.s.doorbell = doorbell
        self.s.direct = bar.direct(doorbell)
        self.s.qid = bar.queue_at(doorbell)

    def push(self, const uint8_t[::1] sqe):
        """Copy a 64-byte entry into the slot at the tail, move the tail, return the slot. Raises UsageError when full."""
        if sqe.shape[0] != 64:
            raise UsageError(f"a submission queue entry has 64 bytes, not {sqe.shape[0]}")
        if sq_space(&self.s) == 0:
            raise UsageError(f"the submission queue is full: {self.s.depth - 1} entries wait (one of {self.s.depth} stays empty); "
                             "ring the doorbell, let the drive work, and poll the completion queue")
        cdef int slot = self.s.tail
        cdef Lane lane = self.bar.lane
        if lane.hook is not None:
            lane.hook(SQE_POST, self.s.qid, slot, 0, bytes(sqe))
        if lane.lane.on:
            emit_sqe(&lane.lane, nv_now_ns(), SQE_POST, HOST, self.s.qid, slot, &sqe[0])
        sq_push(&self.s, &sqe[0])
        return slot

    def clear(self):
        """As new: entries zeroed, every index 0. Only while no controller reads the ring."""
        memset(self.s.entries, 0, <uint64_t>self.s.depth * 64)
        self.s.tail = self.s.head = self.s.rung = 0

    @property
    def depth(self):
        """Entries in the ring."""
        return self.s.depth

    @property
    def tail(self):
        """The next slot that the host fills."""
        return self.s.tail

    @tail.setter
    def tail(self, value):
        self.s.tail = self._slot(value)

    @property
    def head(self):
        """How far the controller has fetched, as its completions told (SQHD)."""
        return self.s.head

    @head.setter
    def head(self, value):
        self.s.head = self._slot(value)

    @property
    def rung(self):
        """The value last written to the tail doorbell."""
        return self.s.rung

    @rung.setter
    def rung(self, value):
        self.s.rung = value

    @property
    def doorbell(self):
        """Offset of SQyTDBL in the BAR."""
        return self.s.doorbell

    @property
    def space(self):
        """Slots free to fill."""
        return sq_space(&self.s)

    def _slot(self, value):
        if not 0 <= value < self.s.depth:
            raise UsageError(f"slot {value}: this queue has slots 0 to {self.s.depth - 1}")
        return value


cdef class CompletionRing:
    """The host's view of one completion queue: `memory` holds depth entries of 16 bytes, `doorbell` is CQyHDBL's offset."""

    def __init__(self, memory, depth, Bar bar, doorbell):
        cdef uint8_t[::1] view = memory
        if view.shape[0] < depth * 16 or depth < 2:
            raise UsageError(f"completion ring of {depth} entries in {view.shape[0]} bytes: at least 2 entries of 16 bytes each")
        memset(&self.c, 0, sizeof(cq_t))
        self.memory = memory
        self.bar = bar
        self.c.entries = &view[0]
        self.c.depth = depth
        self.c.phase = 1                        # a zeroed ring holds phase 0: the first lap posts 1 (base 2.0c 3.3.3.2)
        self.c.doorbell = doorbell
        self.c.direct = bar.direct(doorbell)
        self.c.qid = bar.queue_at(doorbell)

    def has_new(self):
        """True when the slot at the head has flipped its phase: the controller posted there."""
        return cq_new(&self.c)

    def pop(self, SubmissionRing sq=None, uint32_t head=0):
        """The 16 bytes at the head, which then moves on, or None when nothing new is there.

        With `sq` its head becomes `head` in the same moment: what the host makes of the SQ Head Pointer in the entry.
        """
        cdef Lane lane = self.bar.lane
        cdef uint8_t *slot
        if not cq_new(&self.c):
            return None
        slot = self.c.entries + <uint64_t>self.c.head * 16
        raw = (<char *>slot)[:16]
        if lane.hook is not None:
            lane.hook(CQE_SEEN, self.c.qid, self.c.head, 0, raw)
        if lane.lane.on:
            if sq is not None and head != (<uint16_t *>(slot + 8))[0]:
                emit(&lane.lane, nv_now_ns(), SQ_HEAD, HOST, sq.s.qid, head, 0, 0)
            emit(&lane.lane, nv_now_ns(), CQE_SEEN, HOST, self.c.qid, self.c.head, (<uint64_t *>slot)[0], (<uint64_t *>slot)[1])
        if sq is not None:
            sq.s.head = head
        cq_advance(&self.c)
        return raw

    def wait(self, double seconds):
        """Poll up to `seconds` without the GIL, spinning briefly, then yielding; True as soon as something new is there."""
        cdef uint64_t now = nv_now_ns(), end, look
        cdef uint32_t idle = 0
        cdef bint new = cq_new(&self.c)
        end = now + <uint64_t>(min(seconds, 1e9) * 1e9) if seconds > 0 else now
        while not new and now < end:
            look = min(end, now + 50000000)         # now and then for Ctrl-C
            with nogil:
                while not new and now < look:
                    nv_backoff(idle, 100)
                    idle += 1
                    new = cq_new(&self.c)
                    now = nv_now_ns()
            PyErr_CheckSignals()
        return new

    def clear(self):
        """As new: entries zeroed, so that phase 1 makes one new. Only while no controller writes to the ring."""
        memset(self.c.entries, 0, <uint64_t>self.c.depth * 16)
        self.c.head = self.c.rung = 0
        self.c.phase = 1

    @property
    def depth(self):
        """Entries in the ring."""
        return self.c.depth

    @property
    def head(self):
        """The next slot that the host looks at."""
        return self.c.head

    @property
    def phase(self):
        """The Phase Tag that makes the slot at the head a new entry."""
        return self.c.phase

    @property
    def rung(self):
        """The value last written to the head doorbell."""
        return self.c.rung

    @rung.setter
    def rung(self, value):
        self.c.rung = value

    @property
    def doorbell(self):
        """Offset of CQyHDBL in the BAR."""
        return self.c.doorbell
