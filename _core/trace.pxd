"""Events of fixed size in rings of fixed memory, one lane a writer, so that nobody waits for anybody."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "trace.h" nogil:
    ctypedef struct event_t:       # 32 bytes
        uint64_t time              # ns, monotonic
        uint8_t kind
        uint8_t side
        uint16_t qid
        uint32_t index
        uint64_t a
        uint64_t b

    ctypedef struct lane_t:
        int on
        event_t *events
        uint8_t *sqes              # the 64 bytes of each entry posted, as many as there are events
        uint64_t posted            # entries posted since the start
        uint64_t mask              # room - 1, a power of two
        uint64_t head              # events since the start; the ring holds the last mask + 1

    bint nv_traced(int on)         # true while `on`: what guards each event in the core's loops
    uint64_t sqe_key(const uint8_t *sqe)
    void emit(lane_t *lane, uint64_t time, uint32_t kind, uint32_t side, uint32_t qid, uint32_t index, uint64_t a, uint64_t b)
    void emit_sqe(lane_t *lane, uint64_t time, uint32_t kind, uint32_t side, uint32_t qid, uint32_t slot, const uint8_t *sqe)


cpdef enum Kind:
    REG_READ = 1           # index: width in bytes, a: offset, b: value
    REG_WRITE = 2
    SQ_DOORBELL = 3        # index: new value, a: offset, b: the value before
    CQ_DOORBELL = 4
    SQE_POST = 5           # index: slot, a: opcode | cid << 16 | nsid << 32, b: number of its 64 bytes in `sqes`
    SQE_FETCH = 6          # index: slot, a: opcode | cid << 16 | nsid << 32
    DMA = 7                # index: cid, a: IOVA, b: bytes, bit 63 when the drive writes
    CQE_POST = 8           # index: slot, a and b: the entry's 16 bytes
    CQE_SEEN = 9           # the same
    QUEUE_NEW = 10         # index: entries, a: IOVA, b: 0 SQ, 1 CQ | the SQ's CQ << 16
    QUEUE_GONE = 11        # b: 0 SQ, 1 CQ
    STEP = 12              # index: number of the text
    RESET = 13             # the drive forgot its queues
    REG_SET = 14           # the drive changed a register's value; a: offset, b: value
    INTERRUPT = 15         # index: vector; of the drive: qid a CQ, b: 0 sent, 1 kept pending by a mask; of the host: a wait for it
                           # ended, qid the CQ that was waited for, 0 too where somebody waited for the Interrupt itself
    FAULT = 16             # the drive misbehaves as it was told; index: number of the text, a: as of SQE_FETCH; b: 1 when the CQE_POST
                           # that follows bears the wrong Phase Tag (index: its slot)
    SQ_HEAD = 17           # index: where the host takes the SQ's head to be; the CQE_SEEN that follows has a SQHD that can't be

cpdef enum Side:
    HOST = 0
    DRIVE = 1

cdef class Lane:
    cdef lane_t lane
    cdef readonly str name
    cdef public object hook        # called before an event of Python's happens: what breakpoints stand on
