# Part of ssd.pyx: interrupts. Completions raise their queue's vector once a round; a raised vector sends its message.

from libc.errno cimport EINTR, errno

cdef extern from "<unistd.h>" nogil:
    ssize_t write(int fd, const void *buffer, size_t length)


# ---------------------------------------------------------------- from completions to vectors

cdef inline bint unread(ssd_t *d, dcq_t *cq) noexcept nogil:
    """True while the host has not taken all that was posted, as CQyHDBL tells."""
    cdef uint32_t head
    if not cq.live:
        return False
    head = nv_load32(cq.db)
    return (head if head < cq.size else cq.head) != cq.tail


cdef void irq_posted(ssd_t *d, uint32_t cqid, int n) noexcept nogil:
    """Note that `n` entries were posted to a completion queue; irq_round() tells the host."""
    cdef dcq_t *cq = &d.cq[cqid]
    cdef dvector_t *v = &d.vectors[cq.iv]
    if not cq.ien or n <= 0:
        return
    if not v.due:
        v.due = True
        d.due[d.due_count] = cq.iv
        d.due_count += 1
    if v.gathered == 0 and d.patience:
        v.since = nv_now_ns()
    v.gathered += n
    v.cqid = cqid
    v.urgent = v.urgent or cqid == 0


cdef inline bint held_back(ssd_t *d, dvector_t *v, uint64_t now) noexcept nogil:
    """True while coalescing lets a vector wait for more: too few entries, and not too long (base 2.0c 5.27.1.6)."""
    return (d.patience and v.gathered <= d.threshold and not v.urgent and not v.prompt
            and now - v.since < d.patience)


cdef void irq_round(ssd_t *d) noexcept nogil:
    """Raise each vector that has something to tell, once, unless coalescing holds it back."""
    cdef uint64_t now = nv_now_ns() if d.patience else 0
    cdef uint32_t i, kept = 0, count = d.due_count
    cdef dvector_t *v
    cdef bint line = False
    for i in range(count):
        v = &d.vectors[d.due[i]]
        if v.gathered and held_back(d, v, now):
            d.due[kept] = d.due[i]
            kept += 1
            continue
        v.due = False
        if v.gathered:
            v.gathered, v.urgent = 0, False
            if d.msix:
                irq_raise(d, d.due[i])
            else:
                line = True
    d.due_count = kept
    if line:
        irq_line(d)


# ---------------------------------------------------------------- from vectors to the host

cdef void irq_note(ssd_t *d, uint32_t vector, uint32_t cqid, uint64_t masked) noexcept nogil:
    if nv_traced(d.lane.on):
        emit(d.lane, nv_now_ns(), INTERRUPT, DRIVE, cqid, vector, 0, masked)


cdef void tell(int fd) noexcept nogil:
    """Wake who listens in this process. A full pipe, or a full count, tells already."""
    cdef uint64_t one = 1
    while fd >= 0 and write(fd, &one, 8) < 0 and errno == EINTR:
        pass


cdef void irq_send(ssd_t *d, uint32_t vector) noexcept nogil:
    """Write the vector's message: its data to its address (PCI 3.0, 6.8.3). One to nowhere is lost, as on a bus."""
    cdef dvector_t *v = &d.vectors[vector]
    cdef uint8_t *where = NULL if v.address & 3 or not v.address else iova_translate(d.iova, v.address, 4)
    v.pending = False
    v.sent += 1
    irq_note(d, vector, v.cqid, 0)
    if where != NULL:
        nv_store32(where, v.data)
    tell(v.fd)


cdef void irq_raise(ssd_t *d, uint32_t vector) noexcept nogil:
    """Send a vector's message, or remember it while it is masked."""
    cdef dvector_t *v = &d.vectors[vector]
    if not (v.masked or d.all_masked):
        irq_send(d, vector)
    elif not v.pending:
        v.pending = True
        irq_note(d, vector, v.cqid, 1)


cdef bint line_level(ssd_t *d) noexcept nogil:
    """The pin: asserted while a queue with interrupts holds entries that the host hasn't taken, and INTMS doesn't mask it."""
    cdef int q
    if d.msix or not d.enabled or d.intms & 1:
        return False
    for q in range(MAX_QUEUES):
        if d.cq[q].live and d.cq[q].ien and unread(d, &d.cq[q]):
            return True
    return False


cdef void irq_line(ssd_t *d) noexcept nogil:
    """Tell who listens to the pin that it is asserted."""
    if d.line.fd >= 0 and line_level(d):
        d.line.sent += 1
        irq_note(d, 0, d.vectors[0].cqid, 0)
        tell(d.line.fd)


cdef bint still_pending(ssd_t *d, uint32_t vector) noexcept nogil:
    """The pending bit. It goes when the host takes by polling what the vector was to tell of (PCI 3.0, 6.8.3.5)."""
    cdef dvector_t *v = &d.vectors[vector]
    cdef int q
    if v.pending:
        for q in range(MAX_QUEUES):
            if d.cq[q].live and d.cq[q].ien and d.cq[q].iv == vector and unread(d, &d.cq[q]):
                return True
        v.pending = False
    return False


cdef void irq_unmasked(ssd_t *d, uint32_t vector) noexcept nogil:
    """A mask may be gone: send what it kept."""
    if d.msix and not (d.vectors[vector].masked or d.all_masked) and still_pending(d, vector):
        irq_send(d, vector)


cdef void irq_forget(ssd_t *d, uint32_t cqid) noexcept nogil:
    """A completion queue is gone: nobody shall hear of it any more."""
    cdef uint32_t iv = d.cq[cqid].iv
    cdef int q
    for q in range(MAX_QUEUES):
        if d.cq[q].live and d.cq[q].ien and d.cq[q].iv == iv:
            return
    d.vectors[iv].gathered, d.vectors[iv].urgent, d.vectors[iv].pending = 0, False, False


cdef void irq_reset(ssd_t *d) noexcept nogil:
    """A controller reset: nothing is left to tell. The MSI-X table belongs to the PCI function and stays as it is."""
    cdef int i
    d.due_count = 0
    d.threshold, d.patience = 0, 0
    for i in range(MAX_VECTORS):
        d.vectors[i].due = d.vectors[i].urgent = d.vectors[i].pending = d.vectors[i].prompt = False
        d.vectors[i].gathered = 0


# ---------------------------------------------------------------- what Python holds

cdef class VectorTable:
    """The interrupt vectors of a DataPath, for nvlab.target.interrupts. All methods expect the caller to hold its lock."""

    cdef DataPath path
    cdef readonly int count

    def __init__(self, DataPath path not None, int count):
        if not 1 <= count <= MAX_VECTORS:
            raise UsageError(f"{count} interrupt vectors: a drive here has 1 to {MAX_VECTORS}")
        self.path, self.count = path, count

    cdef dvector_t *at(self, int vector) except NULL:
        if not 0 <= vector < self.count:
            raise UsageError(f"interrupt vector {vector}: this drive has vectors 0 to {self.count - 1}")
        return &self.path.d.vectors[vector]

    def entry(self, int vector):
        """(message address, message data, masked) of a vector."""
        cdef dvector_t *v = self.at(vector)
        return v.address, v.data, bool(v.masked)

    def program(self, int vector, uint64_t address, uint32_t data, bint masked):
        """Set a vector's entry; unmasked, it sends what was pending."""
        cdef dvector_t *v = self.at(vector)
        v.address, v.data, v.masked = address, data, masked
        irq_unmasked(&self.path.d, vector)

    def control(self, bint enabled, bint masked):
        """Enable MSI-X, or go back to the line; `masked` is the function mask."""
        cdef int i
        self.path.d.msix, self.path.d.all_masked = enabled, masked
        for i in range(self.count):
            irq_unmasked(&self.path.d, i)
        irq_line(&self.path.d)

    def pending(self, int vector):
        """The pending bit of a vector."""
        self.at(vector)
        return bool(still_pending(&self.path.d, vector))

    def sent(self, int vector):
        """How many messages a vector has sent."""
        return self.at(vector).sent

    def attach(self, vector, int fd):
        """Tell a file descriptor (8 bytes, a one) of each interrupt of a vector, or of the line (None); -1 for nobody."""
        if vector is None:
            self.path.d.line.fd = fd
            irq_line(&self.path.d)
        else:
            self.at(vector).fd = fd

    def mask_line(self, uint32_t bits):
        """INTMS has become `bits`. An asserted line is heard again once bit 0 is clear."""
        self.path.d.intms = bits
        irq_line(&self.path.d)

    @property
    def line(self):
        """True while the line is asserted."""
        return bool(line_level(&self.path.d))

    def coalesce(self, uint32_t threshold, uint64_t nanoseconds):
        """Hold a vector back while it has no more than `threshold` I/O completions to tell, for so long at most (0: never)."""
        self.path.d.threshold, self.path.d.patience = threshold, nanoseconds
        irq_round(&self.path.d)

    def set_prompt(self, int vector, bint prompt):
        """Coalesce on a vector, or (`prompt`) not."""
        self.at(vector).prompt = prompt
        irq_round(&self.path.d)

    def is_prompt(self, int vector):
        """True where coalescing is disabled."""
        return bool(self.at(vector).prompt)

    def tick(self):
        """Raise the vectors that coalescing has held back for long enough."""
        irq_round(&self.path.d)
