"""The host's side of the rings: where a queue's memory is, and how far each end has come."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from nvlab._core.atomics cimport nv_fence, nv_load16, nv_mmio_write32
from nvlab._core.mmio cimport Bar

cdef struct sq_t:
    uint8_t *entries            # depth x 64 bytes
    volatile uint32_t *direct   # SQyTDBL where a plain store reaches it, else NULL
    uint64_t doorbell           # SQyTDBL's offset in the BAR
    uint32_t qid
    uint32_t depth
    uint32_t tail               # next slot to fill
    uint32_t head               # how far the controller has fetched, as its completions told (SQHD)
    uint32_t rung               # last value written to the doorbell

cdef struct cq_t:
    uint8_t *entries            # depth x 16 bytes
    volatile uint32_t *direct   # CQyHDBL, likewise
    uint64_t doorbell
    uint32_t qid
    uint32_t depth
    uint32_t head               # next slot to look at
    uint32_t phase              # the Phase Tag that makes that slot new (base 2.0c 3.3.3.2)
    uint32_t rung


cdef inline uint32_t sq_space(const sq_t *sq) noexcept nogil:
    """Slots free to fill: one always stays empty, or full would look like empty (base 2.0c 3.3.1.5)."""
    return (sq.head + sq.depth - sq.tail - 1) % sq.depth


cdef inline uint8_t *sq_push(sq_t *sq, const uint8_t *sqe) noexcept nogil:
    """Copy one entry into the slot at the tail and move the tail. The caller has checked sq_space()."""
    cdef uint8_t *slot = sq.entries + <uint64_t>sq.tail * 64
    memcpy(slot, sqe, 64)
    sq.tail = 0 if sq.tail + 1 == sq.depth else sq.tail + 1
    return slot


cdef inline int sq_ring(sq_t *sq, Bar bar) noexcept nogil:
    """Write the SQ tail doorbell; the twin of host.pcie.SubmissionQueue.ring()."""
    nv_fence()                                  # entries first, doorbell second (base 2.0c 3.3.1.2)
    sq.rung = sq.tail
    if sq.direct != NULL:
        nv_mmio_write32(sq.direct, sq.tail)
        return 0
    return bar.c_write32(sq.doorbell, sq.tail)


cdef inline int cq_ring(cq_t *cq, Bar bar) noexcept nogil:
    """Write the CQ head doorbell; the twin of host.pcie.CompletionQueue.ring()."""
    cq.rung = cq.head
    if cq.direct != NULL:
        nv_mmio_write32(cq.direct, cq.head)
        return 0
    return bar.c_write32(cq.doorbell, cq.head)


cdef inline bint cq_new(const cq_t *cq) noexcept nogil:
    """True when the slot at the head holds an entry that the controller posted in this lap."""
    return (nv_load16(cq.entries + <uint64_t>cq.head * 16 + 14) & 1) == cq.phase


cdef inline void cq_advance(cq_t *cq) noexcept nogil:
    """Move the head one slot; the expected phase turns over at the wrap."""
    if cq.head + 1 == cq.depth:
        cq.head = 0
        cq.phase ^= 1
    else:
        cq.head += 1


cdef class SubmissionRing:
    cdef sq_t s
    cdef readonly Bar bar
    cdef readonly object memory        # keeps the entries alive


cdef class CompletionRing:
    cdef cq_t c
    cdef readonly Bar bar
    cdef readonly object memory
