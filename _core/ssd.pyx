# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The embedded SSD's data path: fetch, execute, complete, without the GIL.

Reads, writes, compares, flushes and write zeroes are executed here; everything else is deferred to Python. Each address
that a command names is translated through the table of mapped regions before it is touched, each doorbell value is checked
against its queue: nothing that a driver writes can hurt the process.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from nvlab._core cimport nvme
from nvlab._core.atomics cimport (nv_backoff, nv_load16, nv_load32, nv_load64, nv_lower_priority, nv_now_ns, nv_prefetch, nv_prefetch_write,
                                  nv_relax, nv_store32, nv_store64, nv_trylock, nv_unlock)
from nvlab._core.memory cimport IovaMap, iova_translate
from nvlab._core.trace cimport (CQE_POST, DMA, DRIVE, FAULT, INTERRUPT, QUEUE_GONE, QUEUE_NEW, RESET, SQE_FETCH, Lane, emit,
                                nv_traced, sqe_key)
from nvlab.spec.errors import ControllerTimeout, UsageError

include "ssd_nvm.pxi"
include "ssd_irq.pxi"
include "ssd_rings.pxi"


# ---------------------------------------------------------------- what Python holds

cdef class DataPath:
    """The drive's queues, namespaces and doorbells, for nvlab.target.

    `memory` is the BAR (doorbells from 1000h), `map` the host memory that the drive may reach, `dstrd` is CAP.DSTRD.
    All methods but acquire() and run() expect the caller to hold the lock.
    """

    def __init__(self, memory, IovaMap map, int queues, int dstrd=0):
        cdef uint8_t[::1] view = memory
        memset(&self.d, 0, sizeof(ssd_t))
        self.lane = Lane("drive")
        self.d.lane = &self.lane.lane
        if not 0 < queues < MAX_QUEUES:
            raise UsageError(f"{queues} I/O queue pairs: this drive can have 1 to {MAX_QUEUES - 1}")
        self.stride = 4 << dstrd
        if view.shape[0] < DOORBELLS + 2 * (queues + 1) * self.stride:
            raise UsageError(f"a BAR of {view.shape[0]} bytes is too small for {queues} queue pairs")
        self.memory, self.map, self.queues = memoryview(memory), map, queues       # exported: no mmap closes underneath us
        self.held = [None] * MAX_QUEUES
        self.d.iova = &map.table
        cdef int q
        for q in range(queues + 1):
            self.d.sq[q].db = <volatile uint32_t *>&view[DOORBELLS + 2 * q * self.stride]
            self.d.cq[q].db = <volatile uint32_t *>&view[DOORBELLS + (2 * q + 1) * self.stride]
        for q in range(MAX_VECTORS):
            self.d.vectors[q].fd, self.d.vectors[q].masked = -1, True      # a vector is masked until somebody unmasks it
        self.d.line.fd = -1

    # -- taking turns
    def acquire(self, double seconds=10.0):
        """Take the drive's lock, waiting without the GIL. Returns False after `seconds`."""
        cdef uint64_t end = nv_now_ns() + <uint64_t>(seconds * 1e9)
        cdef uint32_t idle = 0
        cdef bint held = nv_trylock(&self.d.lock)
        if not held:
            with nogil:
                while not held and nv_now_ns() < end:
                    nv_backoff(idle, 100)
                    idle += 1
                    held = nv_trylock(&self.d.lock)
        return held

    def try_acquire(self):
        """Take the lock if it is free."""
        return nv_trylock(&self.d.lock)

    def release(self):
        """Give the lock back."""
        nv_unlock(&self.d.lock)

    def __enter__(self):
        """Hold the lock in a with block: no interrupt can come between taking it and the block, as it could in Python."""
        if not self.acquire(10.0):
            raise ControllerTimeout("the embedded drive has been busy for 10 s; another thread holds it still")
        return self

    def __exit__(self, *exc):
        nv_unlock(&self.d.lock)

    def pump(self, serve, bint blocking=False):
        """poll(), then serve(), under the lock: 0 when another thread has it (`blocking`: still, after 10 ms)."""
        if not (self.acquire(0.01) if blocking else nv_trylock(&self.d.lock)):
            return 0
        try:
            return self.poll() + serve()
        finally:
            nv_unlock(&self.d.lock)

    cdef void serve_in_python(self) noexcept:
        """What a loop in the core does when it finds that Python is wanted (`attention`)."""
        if self.service is not None:
            self.service()

    # -- configuration
    def configure(self, bint enabled, uint32_t page, uint64_t max_transfer):
        """Start or stop fetching, with memory pages of `page` bytes and at most `max_transfer` bytes a command."""
        self.d.page, self.d.max_transfer, self.d.enabled = page, max_transfer, enabled

    def reset(self):
        """Forget all queues and zero the doorbells (base 2.0c 3.7.2)."""
        cdef int q
        self.d.enabled, self.d.live_count, self.d.attention = False, 0, False
        for q in range(self.queues + 1):
            self.d.sq[q].live = self.d.cq[q].live = False
            self.d.sq[q].db[0] = self.d.cq[q].db[0] = 0
            self.idle_seen[q][0] = self.idle_seen[q][1] = 0
        irq_reset(&self.d)
        self.lane.record(RESET, DRIVE)

    def set_namespace(self, uint32_t nsid, uint64_t blocks, uint32_t block_size, memory=None):
        """Attach `blocks` blocks as namespace `nsid`; `memory` is their buffer, None a null bdev."""
        cdef uint8_t[::1] view
        if not 0 < nsid <= MAX_NAMESPACES or block_size & (block_size - 1) or not 512 <= block_size <= 65536:
            raise UsageError(f"namespace {nsid} with blocks of {block_size} bytes: nsid 1 to {MAX_NAMESPACES}, a power of two from 512")
        cdef dns_t *ns = &self.d.ns[nsid]
        ns.data = NULL
        if memory is not None:
            view = memory
            if <uint64_t>view.shape[0] // block_size < blocks:
                raise UsageError(f"namespace {nsid}: {view.shape[0]} bytes can't hold {blocks} blocks of {block_size}")
            ns.data = &view[0]
        ns.blocks, ns.shift, ns.exists = blocks, block_size.bit_length() - 1, True
        self.held[nsid] = memory if memory is None else memoryview(memory)

    cdef int known(self, int qid, uint32_t size=2) except -1:
        """The qid, if this drive can have such a queue, of `size` entries. Raises UsageError."""
        if not 0 <= qid <= self.queues or size < 2:
            raise UsageError(f"queue {qid} of {size} entries: this drive has queues 0 to {self.queues}, of 2 entries at least")
        return qid

    def create_cq(self, int qid, uint64_t iova, uint32_t size, bint ien=False, uint16_t iv=0):
        """Begin to post into the `size` entries at `iova`, raising vector `iv` if `ien`. Returns False when they are not mapped."""
        cdef dcq_t *cq = &self.d.cq[self.known(qid, size)]
        cq.base = iova_translate(self.d.iova, iova, <uint64_t>size * 16)
        if cq.base == NULL:
            return False
        cq.iova, cq.size, cq.tail, cq.head, cq.phase, cq.bad = iova, size, 0, 0, 1, 0
        cq.ien, cq.iv = ien and iv < MAX_VECTORS, iv if iv < MAX_VECTORS else 0
        cq.db[0] = 0
        cq.live = True
        self.lane.record(QUEUE_NEW, DRIVE, qid, size, iova, 1)
        return True

    def create_sq(self, int qid, uint64_t iova, uint32_t size, int cqid):
        """Begin to fetch from the `size` entries at `iova`. Returns False when they are not mapped."""
        cdef dsq_t *sq = &self.d.sq[self.known(qid, size)]
        self.known(cqid)
        if sq.live:
            self.delete_sq(qid)
        sq.base = iova_translate(self.d.iova, iova, <uint64_t>size * 64)
        if sq.base == NULL:
            return False
        sq.iova, sq.size, sq.head, sq.cqid, sq.bad, sq.stalled = iova, size, 0, cqid, 0, False
        sq.db[0] = 0
        sq.live = True
        self.lane.record(QUEUE_NEW, DRIVE, qid, size, iova, <uint64_t>cqid << 16)
        if qid:
            self.d.live[self.d.live_count] = qid
            self.d.live_count += 1
        return True

    def delete_cq(self, int qid):
        """Stop posting to a queue."""
        self.d.cq[self.known(qid)].live = False
        irq_forget(&self.d, qid)
        self.lane.record(QUEUE_GONE, DRIVE, qid, 0, 0, 1)
        self.d.cq[qid].db[0] = 0

    def delete_sq(self, int qid):
        """Stop fetching from a queue."""
        self.known(qid)
        kept = [self.d.live[i] for i in range(self.d.live_count) if self.d.live[i] != qid]
        for i, q in enumerate(kept):
            self.d.live[i] = q
        self.d.live_count = len(kept)
        self.d.sq[qid].live = False
        self.lane.record(QUEUE_GONE, DRIVE, qid)
        self.d.sq[qid].db[0] = 0

    def sq_live(self, int qid):
        """True while submission queue `qid` exists."""
        return bool(self.d.sq[self.known(qid)].live)

    def cq_live(self, int qid):
        """True while completion queue `qid` exists."""
        return bool(self.d.cq[self.known(qid)].live)

    def users_of_cq(self, int qid):
        """Submission queues that post to completion queue `qid`."""
        return [q for q in range(self.queues + 1) if self.d.sq[q].live and self.d.sq[q].cqid == qid]

    # -- one command at a time
    def waiting(self, int qid):
        """Entries between the head and the tail doorbell of a submission queue; 0 when the doorbell holds a bad value."""
        cdef dsq_t *sq = &self.d.sq[self.known(qid)]
        cdef uint32_t tail
        if not (self.d.enabled and sq.live):
            return 0
        tail = nv_load32(sq.db)
        return (tail + sq.size - sq.head) % sq.size if tail < sq.size else 0

    def fetch(self, int qid):
        """Take the next 64-byte entry off a submission queue, or None."""
        cdef dsq_t *sq = &self.d.sq[self.known(qid)]
        if not self.waiting(qid):
            return None
        raw = (<char *>(sq.base + <uint64_t>sq.head * 64))[:64]
        if begin_events(&self.d):
            note_fetch(&self.d, qid, sq.base + <uint64_t>sq.head * 64)
        sq.head = 0 if sq.head + 1 == sq.size else sq.head + 1
        sq.stalled = False
        return raw

    def execute(self, const uint8_t[::1] entry):
        """Execute one fetched I/O command here. Returns its 15-bit status, or None when Python has to."""
        if entry.shape[0] != 64:
            raise UsageError(f"a submission queue entry has 64 bytes, not {entry.shape[0]}")
        self.d.cid = (<uint16_t *>&entry[nvme.SQE_CID])[0]
        cdef uint32_t status = execute_io(&self.d, &entry[0])
        if status != DEFER and begin_events(&self.d):
            note_transfer(&self.d, &entry[0], status)
        return None if status == DEFER else status

    def take_failures(self):
        """What failed here since the last call: (how many, [(sqid, cid, status, slba, nsid)] of the last 64, oldest first)."""
        cdef uint64_t count = self.d.failures - self.told, i = self.d.failures - (count if count < 64 else 64)
        kept = []
        while i < self.d.failures:
            kept.append((self.d.failed[i % 64].sqid, self.d.failed[i % 64].cid, self.d.failed[i % 64].status,
                         self.d.failed[i % 64].slba, self.d.failed[i % 64].nsid))
            i += 1
        self.told = self.d.failures
        return count, kept

    def room(self, int sqid):
        """True when the completion queue of submission queue `sqid` can take an entry."""
        return cq_room(&self.d, &self.d.cq[self.d.sq[self.known(sqid)].cqid])

    def complete(self, int sqid, uint16_t cid, uint16_t status, uint32_t dw0=0, uint32_t dw1=0):
        """Post a completion for a command of `sqid`. Returns False, posting nothing, while the completion queue is full."""
        cdef dcq_t *cq = &self.d.cq[self.d.sq[self.known(sqid)].cqid]
        if not cq.live or not cq_room(&self.d, cq):
            return False
        if status:
            self.d.counts[5] += 1
        post(&self.d, self.d.sq[sqid].cqid, self.d.sq[sqid].head, sqid, cid, status & 0x7FFF, dw0 | <uint64_t>dw1 << 32,
             begin_events(&self.d))
        irq_posted(&self.d, self.d.sq[sqid].cqid, 1)
        irq_round(&self.d)
        return True

    def post_raw(self, int cqid, uint64_t dw01, uint64_t dw23, bint phase=True):
        """Post 16 bytes as they are, but for the Phase Tag: the right one, or (`phase` False) the wrong one.

        For a drive that is to misbehave. Returns False, posting nothing, while the completion queue is full.
        """
        cdef dcq_t *cq = &self.d.cq[self.known(cqid)]
        if not cq.live or not cq_room(&self.d, cq):
            return False
        cdef bint traced = begin_events(&self.d)
        if traced and not phase:   # a replay must know that this entry's Phase Tag is not the drive's
            emit(self.d.lane, self.d.now, FAULT, DRIVE, cqid, cq.tail, 0, 1)
        post_entry(&self.d, cqid, dw01, dw23 & ~(<uint64_t>1 << 48) | <uint64_t>(cq.phase if phase else cq.phase ^ 1) << 48, traced)
        irq_posted(&self.d, cqid, 1)
        irq_round(&self.d)
        return True

    def sq_head(self, int sqid):
        """(head, cqid) of submission queue `sqid`: what a completion says of it, and where it goes."""
        cdef dsq_t *sq = &self.d.sq[self.known(sqid)]
        return sq.head, sq.cqid

    @property
    def defer(self):
        """True while every I/O command is left to Python."""
        return bool(self.d.defer)

    @defer.setter
    def defer(self, value):
        self.d.defer = value

    @property
    def alarm(self):
        """When Python wants to be called, on the clock of nvlab._core.trace.now(); 0 when nothing becomes due."""
        return self.d.alarm

    @alarm.setter
    def alarm(self, uint64_t value):
        self.d.alarm = value

    def to_host(self, uint64_t prp1, uint64_t prp2, const uint8_t[::1] data):
        """Copy `data` to the memory that two PRP fields describe. Returns a 15-bit status."""
        if data.shape[0] == 0:
            return 0
        if begin_events(&self.d):
            prp_move(&self.d, prp1, prp2, NULL, data.shape[0], NOTE_TO_HOST)
        return prp_move(&self.d, prp1, prp2, <uint8_t *>&data[0], data.shape[0], TO_HOST)

    def from_host(self, uint64_t prp1, uint64_t prp2, uint8_t[::1] data):
        """Fill `data` from the memory that two PRP fields describe. Returns a 15-bit status."""
        if data.shape[0] == 0:
            return 0
        if begin_events(&self.d):
            prp_move(&self.d, prp1, prp2, NULL, data.shape[0], NOTE_FROM_HOST)
        return prp_move(&self.d, prp1, prp2, &data[0], data.shape[0], FROM_HOST)

    # -- rounds
    def poll(self, int budget=256):
        """Serve the I/O queues once. Returns how many commands completed."""
        cdef int n
        with nogil:
            n = ssd_poll(&self.d, budget)
        return n

    @property
    def wants_python(self):
        """True when an admin command, a deferred one or a bad doorbell waits for Python."""
        return self.d.attention or admin_waits(&self.d)

    def clear_attention(self):
        """Forget what asked for Python; whatever still holds asks again."""
        self.d.attention = False

    def stalled(self):
        """Queue identifiers whose next command waits for Python."""
        return [self.d.live[i] for i in range(self.d.live_count) if self.d.sq[self.d.live[i]].stalled]

    def bad_doorbells(self):
        """[("sq"|"cq", qid, value, exists)] of doorbell writes that no queue can take, each reported once."""
        cdef uint32_t value
        cdef int q
        found = []
        for q in range(self.queues + 1):
            value = nv_load32(self.d.sq[q].db)
            if self.d.sq[q].live:
                if value >= self.d.sq[q].size and value != self.d.sq[q].bad:
                    found.append(("sq", q, value, True))
                self.d.sq[q].bad = value if value >= self.d.sq[q].size else 0
            elif value != self.idle_seen[q][0]:
                found.append(("sq", q, value, False))
            self.idle_seen[q][0] = 0 if self.d.sq[q].live else value
            value = nv_load32(self.d.cq[q].db)
            if self.d.cq[q].live:
                if value >= self.d.cq[q].size and value != self.d.cq[q].bad:
                    found.append(("cq", q, value, True))
                self.d.cq[q].bad = value if value >= self.d.cq[q].size else 0
            elif value != self.idle_seen[q][1]:
                found.append(("cq", q, value, False))
            self.idle_seen[q][1] = 0 if self.d.cq[q].live else value
        return found

    cdef bint astray(self) noexcept nogil:
        """True when bad_doorbells() has something new to tell."""
        cdef uint32_t value
        cdef int q
        for q in range(self.queues + 1):
            value = nv_load32(self.d.sq[q].db)
            if value >= self.d.sq[q].size and value != self.d.sq[q].bad if self.d.sq[q].live else value != self.idle_seen[q][0]:
                return True
            value = nv_load32(self.d.cq[q].db)
            if value >= self.d.cq[q].size and value != self.d.cq[q].bad if self.d.cq[q].live else value != self.idle_seen[q][1]:
                return True
        return False

    def state(self, int qid):
        """What the drive believes of queue pair `qid`: a dict of sq_head, sq_tail, cq_head, cq_tail, phase; None without one."""
        if not 0 <= qid <= self.queues or not (self.d.sq[qid].live or self.d.cq[qid].live):
            return None
        cdef dsq_t *sq = &self.d.sq[qid]
        cdef dcq_t *cq = &self.d.cq[qid]
        return {"sq_head": sq.head if sq.live else None, "sq_tail": nv_load32(sq.db) if sq.live else None,
                "cq_head": nv_load32(cq.db) if cq.live else None, "cq_tail": cq.tail if cq.live else None,
                "phase": cq.phase if cq.live else None}

    def shape(self, int qid):
        """Where the drive was told that queue pair `qid` lies: a dict of sq_iova, sq_size, cqid, cq_iova, cq_size; None where there is none."""
        self.known(qid)
        cdef dsq_t *sq = &self.d.sq[qid]
        cdef dcq_t *cq = &self.d.cq[qid]
        return {"sq_iova": sq.iova if sq.live else None, "sq_size": sq.size if sq.live else None, "cqid": sq.cqid if sq.live else None,
                "cq_iova": cq.iova if cq.live else None, "cq_size": cq.size if cq.live else None}

    @property
    def counts(self):
        """Totals since the start: a dict of reads, writes, bytes_read, bytes_written, others, errors."""
        names = ("reads", "writes", "bytes_read", "bytes_written", "others", "errors")
        return {name: self.d.counts[i] for i, name in enumerate(names)}

    # -- a thread of its own
    def run(self, service, uint32_t spins=200):
        """Serve until stop(): the body of the drive's own thread. `service()` is called, with the GIL, when Python is wanted."""
        cdef uint32_t idle = 0, rounds = 0
        cdef int n
        cdef bint wanted
        with nogil:
            nv_lower_priority(5)                    # below the kernel that serves the notebook
            while not self.d.stop:
                n = 0
                wanted = False
                if nv_trylock(&self.d.lock):
                    n = ssd_poll(&self.d, 256)
                    rounds += 1                     # doorbells that no round looks at: now and then, and while there is nothing else to do
                    wanted = self.d.attention or admin_waits(&self.d) or (rounds & 0xFF == 0 or idle > spins) and self.astray()
                    nv_unlock(&self.d.lock)
                if wanted or idle & 0xFFF == 0xFFF:
                    with gil:
                        n += service()
                if n:
                    idle = 0
                else:
                    nv_backoff(min(idle, spins + 2000) if self.d.due_count else idle, spins)     # held back: not for long
                    idle = idle + 1 if idle < 0xFFFFF else 0x10000

    @property
    def inline_mode(self):
        """True while the host's own loops are to move the drive."""
        return bool(self.d.inline_mode)

    @inline_mode.setter
    def inline_mode(self, value):
        self.d.inline_mode = value

    def stop(self):
        """Ask run() to return."""
        self.d.stop = 1

    def restart(self):
        """Allow run() again after stop()."""
        self.d.stop = 0
