"""The embedded SSD's data path: the drive's side of the rings, and the commands that never leave the core."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from nvlab._core.memory cimport IovaMap, iova_map_t
from nvlab._core.trace cimport Lane, lane_t

cdef enum:
    MAX_QUEUES = 129               # queue identifiers 0 to 128
    MAX_NAMESPACES = 128
    MAX_VECTORS = 129
    DEFER = 0x10000                # not a status: Python executes this command

cdef struct dsq_t:                 # a submission queue, as the drive holds it
    uint8_t *base
    volatile uint32_t *db          # SQyTDBL in shared memory
    uint32_t size
    uint32_t head                  # next entry to fetch
    uint32_t bad                   # last doorbell value refused, to report it once; 0: none
    uint16_t cqid
    bint live
    uint64_t iova                  # where the host said it is
    bint stalled                   # the entry at the head waits for Python

cdef struct dcq_t:
    uint8_t *base
    volatile uint32_t *db          # CQyHDBL
    uint32_t size
    uint32_t tail                  # next entry to post
    uint32_t head                  # how far the host has read: last valid doorbell value
    uint32_t bad
    uint32_t phase
    uint64_t iova
    bint live
    bint ien                       # its completions raise interrupts
    uint16_t iv                    # on this vector

cdef struct dvector_t:             # an interrupt vector
    uint64_t address               # its entry in the MSI-X table: where the message goes, and what it says
    uint32_t data
    bint masked
    bint pending                   # raised while masked
    bint due                       # completions wait to be told
    bint urgent                    # some of them of the admin queue, which nothing holds back
    bint prompt                    # coalescing is disabled for this vector
    uint16_t cqid                  # who raised it last
    int fd                         # who listens in this process: an eventfd, or the end of a pipe; -1 for nobody
    uint32_t gathered              # completions to tell
    uint64_t since                 # ns, when the first of them was posted
    uint64_t sent

cdef struct dns_t:                 # a namespace
    uint8_t *data                  # NULL: a null bdev
    uint64_t blocks
    uint32_t shift                 # log2 of the block size
    bint exists

cdef struct derror_t:              # a command that failed here, for the error log
    uint16_t sqid
    uint16_t cid
    uint32_t status
    uint32_t nsid
    uint64_t slba

cdef struct ssd_t:
    iova_map_t *iova
    volatile int lock
    volatile int stop
    bint enabled
    volatile bint inline_mode      # the host's own loops move the drive
    uint32_t page                  # bytes, from CC.MPS
    uint64_t max_transfer          # bytes, from MDTS
    uint32_t live_count
    uint16_t live[129]             # I/O submission queues, in the order of their creation
    dsq_t sq[129]
    dcq_t cq[129]
    dns_t ns[129]
    volatile bint attention        # Python is wanted: an admin or deferred command, or a doorbell to report
    uint64_t counts[8]             # reads, writes, bytes read, bytes written, other commands, errors
    derror_t failed[64]            # the last ones, round and round
    uint64_t failures              # how many there were
    lane_t *lane                   # where events are recorded
    uint64_t alarm                 # ns, when Python wants to be called; 0: not by the clock
    bint defer                     # every I/O command is left to Python: faults are armed
    uint64_t now                   # the time of this round's events
    uint32_t sqid                  # whose command is in execution, for its DMA events
    uint32_t cid
    uint32_t due_count             # vectors with something to tell; 0 nearly always
    uint16_t due[129]
    dvector_t vectors[129]
    bint msix                      # MSI-X is enabled; else the line (a pin) is what there is
    bint all_masked                # MSI-X Function Mask
    uint32_t intms                 # INTMS as it stands, for the line
    dvector_t line                 # of it: who listens, how often it rose
    uint32_t threshold             # completions to gather, and for how long, before a vector is raised (feature 08h)
    uint64_t patience              # ns; 0: raise it at once

cdef int ssd_poll(ssd_t *d, int budget) noexcept nogil
cdef int ssd_try_poll(ssd_t *d, int budget) noexcept nogil


cdef class DataPath:
    cdef ssd_t d
    cdef readonly object memory        # the BAR: doorbells from 1000h on
    cdef readonly uint32_t stride      # bytes between doorbells
    cdef readonly int queues           # highest queue identifier
    cdef IovaMap map
    cdef list held                     # namespaces' memory, kept alive
    cdef uint32_t idle_seen[129][2]
    cdef readonly Lane lane            # where the drive's events are recorded
    cdef uint64_t told                 # failures that Python has taken
    cdef public object service         # called without arguments when a loop finds that Python is wanted; raises nothing
    cdef object __weakref__
    cdef int known(self, int qid, uint32_t size=*) except -1
    cdef void serve_in_python(self) noexcept
    cdef bint astray(self) noexcept nogil
