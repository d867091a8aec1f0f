# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The perf loop: keep `depth` commands in flight on each queue pair, count, and never touch Python.

A tracker for each slot holds its entry built once; a resubmission writes the opcode and LBA, copies 64 bytes, and moves
on. One doorbell write and one timestamp a poll round. The statistics are a page that Python reads while the loop runs.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from nvlab._core cimport nvme
from nvlab._core.atomics cimport (nv_backoff, nv_load64, nv_lower_priority, nv_now_ns, nv_store64, nv_thread_ns)
from nvlab._core.histogram cimport HIST_BUCKETS, hist_index
from nvlab._core.interrupt cimport Vector
from nvlab._core.mmio cimport Bar
from nvlab._core.rings cimport (CompletionRing, SubmissionRing, cq_advance, cq_new, cq_ring, cq_t, sq_push, sq_ring, sq_space,
                                sq_t)
from nvlab._core.ssd cimport DataPath, ssd_t, ssd_try_poll
from nvlab._core.trace cimport (CQ_DOORBELL, CQE_SEEN, HOST, INTERRUPT, SQ_DOORBELL, SQE_POST, Lane, emit, emit_sqe, nv_traced)
from nvlab.spec.errors import UsageError

ENDS = ("running", "time", "count", "stopped", "gone", "timeout", "protocol", "reset", "fatal")
"""Why a loop ended, by its code: the deadline passed, the count was reached, somebody asked, the device vanished,
commands were never completed, the device completed what was not outstanding, a controller reset cut it off, or the
controller failed (CSTS.CFS)."""

cdef enum:
    RUNNING, TIME, COUNT, STOPPED, GONE, TIMEOUT, PROTOCOL, RESET, FATAL
    IO_CQ_BATCH = 256
    CFS = 1 << 1                        # of CSTS (base 2.0c 3.1.3.6)
    ABANDON = 2                         # a value of `stopping`
    NAP = 20000000                      # ns to sleep for an interrupt before a look around

cdef struct tracker_t:
    uint64_t start                      # ns, when it was submitted
    uint64_t lba
    uint8_t *data
    uint32_t busy
    uint32_t opcode
    uint8_t sqe[64]                     # built once

cdef struct queue_t:
    sq_t *sq
    cq_t *cq
    tracker_t *trackers
    uint32_t depth
    uint32_t outstanding
    uint64_t first                      # the LBAs of this workload: [first, end), in steps of `blocks`
    uint64_t slots
    uint64_t next                       # sequential position, in steps
    uint64_t rng
    uint64_t progress                   # ns, when something last completed

cdef struct stats_t:                    # one writer; Python reads
    uint64_t ios
    uint64_t bytes
    uint64_t errors
    uint64_t miscompares
    uint64_t latency_sum
    uint64_t latency_min
    uint64_t latency_max
    uint64_t first_error                # status | cid << 16 | 1 << 63
    uint64_t error_lba
    uint64_t interrupts                 # that came; on a word of memory several may count as one
    uint64_t cpu                        # ns of the processor that this thread took
    uint64_t cpu_start
    uint64_t start_ns
    uint64_t end_ns
    uint64_t hist[58 * 128]

cdef inline uint64_t mix64(uint64_t x) noexcept nogil:
    """splitmix64's finalizer: a cheap, well-spread hash."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu
    return x ^ (x >> 31)

cdef inline uint64_t draw(uint64_t *state) noexcept nogil:
    state[0] += 0x9E3779B97F4A7C15u
    return mix64(state[0])

cdef inline uint64_t below(uint64_t *state, uint64_t n) noexcept nogil:
    """A number in [0, n) without division; n is below 2**32 or the low bits carry a negligible bias."""
    if n >> 32:
        return draw(state) % n
    return ((draw(state) >> 32) * n) >> 32


cdef class PerfLoop:
    """One worker's loop over its queue pairs. Configure, add_queue(), run() in a thread, read snapshot(), stop()."""

    cdef queue_t *queues
    cdef int queue_count, queue_room
    cdef stats_t *stats
    cdef Bar bar
    cdef DataPath ssd
    cdef public Lane lane               # where this loop's events are recorded
    cdef Vector vector                  # what ends a wait for completions; None: they are polled
    cdef uint64_t past, first           # interrupts of it that were noticed, and before the statistics began
    cdef public uint32_t vector_number  # what events call it
    cdef list held
    cdef uint32_t blocks, block_size, io_size, read_percent
    cdef bint random, verify
    cdef uint64_t seed, count, limit, timeout_ns, submitted
    cdef double seconds, warmup
    cdef volatile int stopping
    cdef readonly int ended
    cdef uint32_t spins

    def __cinit__(self):
        self.stats = <stats_t *>calloc(1, sizeof(stats_t))
        self.stats.latency_min = <uint64_t>-1
        self.queue_room = 64
        self.queues = <queue_t *>calloc(self.queue_room, sizeof(queue_t))
        self.held = []

    def __dealloc__(self):
        cdef int i
        if self.queues != NULL:
            for i in range(self.queue_count):
                free(self.queues[i].trackers)
        free(self.queues)
        free(self.stats)

    def __init__(self, Bar bar, *, io_size, block_size, read_percent=100, random=False, verify=False, seed=0,
                 seconds=0.0, warmup=0.0, count=0, timeout=10.0, DataPath ssd=None, spins=100, Vector vector=None):
        """`ssd` is a drive in this process that this loop itself has to move (mode inline), or None.

        `seconds` and `warmup` in seconds (0: without limit), `count` I/Os (0: without limit), `timeout` in seconds is how
        long a queue may complete nothing. `read_percent` of the commands are reads, the others writes. With a `vector` the loop
        sleeps whenever nothing is new, until that interrupt comes; without one it polls.
        """
        self.bar, self.ssd, self.vector = bar, ssd, vector
        self.io_size, self.block_size, self.blocks = io_size, block_size, io_size // block_size
        self.read_percent, self.random, self.verify, self.seed = read_percent, random, verify, seed
        self.seconds, self.warmup, self.count, self.timeout_ns = seconds, warmup, count, <uint64_t>(timeout * 1e9)
        self.spins = spins
        self.lane = Lane("perf")

    def add_queue(self, SubmissionRing sq, CompletionRing cq, entries, data, *, first_lba, blocks, start=0, seed=0):
        """Drive a queue pair with one tracker for each 64-byte entry of `entries`.

        `entries` is a (depth, 64) uint8 array of prepared commands (nsid and PRPs set), `data` a (depth, io_size) uint8
        array of their buffers. I/Os stay within `blocks` blocks from `first_lba`; sequential ones begin at step `start`.
        """
        cdef uint8_t[:, ::1] sqes = entries
        cdef uint8_t[:, :] buffers = data
        cdef queue_t *q
        cdef uint32_t i
        if self.queue_count == self.queue_room:
            raise UsageError(f"a perf worker drives at most {self.queue_room} queue pairs")
        if sqes.shape[1] != 64 or sqes.shape[0] != buffers.shape[0] or buffers.shape[1] != <Py_ssize_t>self.io_size:
            raise UsageError("perf: entries must be (depth, 64) and data (depth, io_size)")
        if sqes.shape[0] >= <Py_ssize_t>sq.s.depth or sqes.shape[0] >= <Py_ssize_t>cq.c.depth:
            raise UsageError(f"perf: {sqes.shape[0]} commands in flight need queues of {sqes.shape[0] + 1} entries")
        if blocks < self.blocks:
            raise UsageError(f"perf: an I/O of {self.blocks} blocks doesn't fit the {blocks} blocks to measure on")
        q = &self.queues[self.queue_count]
        q.depth = <uint32_t>sqes.shape[0]
        q.trackers = <tracker_t *>calloc(q.depth, sizeof(tracker_t))
        for i in range(q.depth):
            memcpy(q.trackers[i].sqe, &sqes[i, 0], 64)
            (<uint16_t *>(q.trackers[i].sqe + nvme.SQE_CID))[0] = i
            (<uint32_t *>(q.trackers[i].sqe + nvme.RW_NLB))[0] = self.blocks - 1
            q.trackers[i].data = &buffers[i, 0]
        q.sq, q.cq = &sq.s, &cq.c
        q.first, q.slots = first_lba, blocks // self.blocks
        q.next = start % q.slots
        q.rng = mix64(self.seed ^ (<uint64_t>seed + 1) * 0x9E3779B97F4A7C15u)
        self.queue_count += 1
        self.held += [sq, cq, data]

    def run(self):
        """Run until the time, the count or stop(); then wait for what is in flight. Returns why, one of ENDS."""
        with nogil:
            nv_lower_priority(5)                    # below the kernel that serves the notebook
            self.loop()
        return ENDS[self.ended]

    def stop(self):
        """Ask run() to end; commands in flight are still awaited."""
        self.stopping = max(self.stopping, 1)

    def abandon(self):
        """Ask run() to end within a round, whatever is in flight, and to touch no doorbell any more: before a controller reset."""
        self.stopping = ABANDON

    # ------------------------------------------------------------ the loop

    cdef void loop(self) noexcept nogil:
        cdef uint64_t now = nv_now_ns(), end, warm, target
        cdef uint32_t idle = 0, n, live
        cdef int i
        cdef bint running = True
        self.ended = RUNNING
        self.stats.start_ns, self.stats.cpu_start = now, nv_thread_ns()
        self.first = self.past = self.taken()
        warm = now + <uint64_t>(self.warmup * 1e9) if self.warmup > 0 else 0
        end = now + <uint64_t>((self.warmup + self.seconds) * 1e9) if self.seconds > 0 else <uint64_t>-1
        self.limit = 0 if warm else self.count
        for i in range(self.queue_count):
            if self.stopping != ABANDON:
                self.fill(&self.queues[i], now)
        while True:
            if self.stopping == ABANDON:
                self.ended = RESET
                break
            n = 0
            live = 0
            if self.ssd is not None and self.ssd.d.inline_mode:
                ssd_try_poll(&self.ssd.d, IO_CQ_BATCH)
                if self.ssd.d.attention:        # faults are armed, say: Python executes the commands
                    with gil:
                        self.ssd.serve_in_python()
            for i in range(self.queue_count):
                if self.queues[i].outstanding:
                    n += self.round(&self.queues[i], &now, running)
                    live += self.queues[i].outstanding
            if live == 0:
                break
            if self.ended >= GONE:
                break
            if n:
                idle = 0
            elif self.vector is not None:
                now = self.sleep(now, end, idle)
                idle += 1
            else:
                nv_backoff(idle, self.spins)
                idle += 1
                if idle & 63 == 0:
                    now = nv_now_ns()
                    self.stats.cpu = nv_thread_ns() - self.stats.cpu_start
                    self.check_alive(now)
            if warm and now >= warm:
                self.reset_stats(now)
                self.submitted, self.limit, warm = live, self.count, 0
            if running:
                if now >= end:
                    running = self.halt(TIME)
                elif self.stopping:
                    running = self.halt(STOPPED)
                elif self.limit and self.submitted >= self.limit:
                    running = self.halt(COUNT)
        self.stats.interrupts = self.taken() - self.first
        self.stats.cpu = nv_thread_ns() - self.stats.cpu_start
        nv_store64(&self.stats.end_ns, nv_now_ns())
        if self.ended == RUNNING:               # all of it completed within one round
            self.ended = COUNT if self.limit and self.submitted >= self.limit else STOPPED

    cdef uint64_t taken(self) noexcept nogil:
        """Interrupts of the vector so far."""
        if self.vector is None:
            return 0
        self.vector.c_wait(nv_load64(&self.vector.taken), 0)
        return nv_load64(&self.vector.taken)

    cdef uint64_t sleep(self, uint64_t now, uint64_t end, uint32_t idle) noexcept nogil:
        """Nothing is new: sleep until the vector's interrupt, for a while at most. Returns the time.

        `past` was noted before the queues were looked at, so that nothing posted since then is slept through. Where this loop
        itself moves the drive (mode inline), it only takes the interrupt: asleep, it would wait for itself.
        """
        cdef bint moves = self.ssd is not None and self.ssd.d.inline_mode
        cdef uint64_t nap = NAP if end <= now else min(<uint64_t>NAP, end - now)
        if moves or self.vector.closed:
            nap = 0
        if self.vector.c_wait(self.past, nap) and not self.vector.closed:
            self.past = nv_load64(&self.vector.taken)
            self.stats.interrupts = self.past - self.first
            now = nv_now_ns()
            if nv_traced(self.lane.lane.on):
                emit(&self.lane.lane, now, INTERRUPT, HOST, self.queues[0].cq.qid, self.vector_number, 0, 0)
        else:
            now = nv_now_ns()
            if moves or self.vector.closed:
                nv_backoff(idle, self.spins)
            if not moves or idle & 63 == 63:
                self.check_alive(now)
        self.stats.cpu = nv_thread_ns() - self.stats.cpu_start
        return now

    cdef bint halt(self, int why) noexcept nogil:
        if self.ended == RUNNING:
            self.ended = why
        return False

    cdef void reset_stats(self, uint64_t now) noexcept nogil:
        """Start counting afresh after the warm-up."""
        memset(self.stats, 0, sizeof(stats_t))
        self.stats.latency_min = <uint64_t>-1
        self.stats.start_ns, self.stats.cpu_start = now, nv_thread_ns()
        self.first = self.taken()

    cdef void check_alive(self, uint64_t now) noexcept nogil:
        cdef int i
        if not self.bar.alive():
            self.ended = GONE
            return
        if self.bar.csts() & CFS:
            self.ended = FATAL
            return
        for i in range(self.queue_count):
            if self.queues[i].outstanding and now - self.queues[i].progress > self.timeout_ns and now > self.queues[i].progress:
                self.ended = TIMEOUT

    cdef inline void prepare(self, queue_t *q, tracker_t *t, uint64_t now) noexcept nogil:
        """Choose what the tracker does next and put its entry into the ring."""
        cdef uint64_t step
        cdef uint32_t opcode = nvme.NVM_READ
        if self.random:
            step = below(&q.rng, q.slots)
        else:
            step = q.next
            q.next = 0 if step + 1 == q.slots else step + 1
        if self.read_percent == 0 or (self.read_percent < 100 and below(&q.rng, 100) >= self.read_percent):
            opcode = nvme.NVM_WRITE
        t.lba = q.first + step * self.blocks
        t.opcode = opcode
        t.start = now
        t.busy = 1
        self.submitted += 1
        t.sqe[nvme.SQE_OPC] = opcode
        (<uint64_t *>(t.sqe + nvme.RW_SLBA))[0] = t.lba
        if self.verify and opcode == nvme.NVM_WRITE:
            self.stamp(t)
        sq_push(q.sq, t.sqe)

    cdef void fill(self, queue_t *q, uint64_t now) noexcept nogil:
        """Submit the first batch: one command a tracker, or fewer where the count is smaller."""
        cdef uint32_t i, slot
        for i in range(q.depth):
            if sq_space(q.sq) == 0 or (self.limit and self.submitted >= self.limit):
                break
            slot = q.sq.tail
            self.prepare(q, &q.trackers[i], now)
            if nv_traced(self.lane.lane.on):
                emit_sqe(&self.lane.lane, nv_now_ns(), SQE_POST, HOST, q.sq.qid, slot, q.trackers[i].sqe)
            q.outstanding += 1
        q.progress = now
        if self.ring_sq(q, nv_traced(self.lane.lane.on)) < 0:
            self.ended = GONE

    cdef inline int ring_sq(self, queue_t *q, bint traced) noexcept nogil:
        if nv_traced(traced):
            emit(&self.lane.lane, nv_now_ns(), SQ_DOORBELL, HOST, q.sq.qid, q.sq.tail, q.sq.doorbell, q.sq.rung)
        return sq_ring(q.sq, self.bar)

    cdef inline int ring_cq(self, queue_t *q, bint traced) noexcept nogil:
        if nv_traced(traced):
            emit(&self.lane.lane, nv_now_ns(), CQ_DOORBELL, HOST, q.cq.qid, q.cq.head, q.cq.doorbell, q.cq.rung)
        return cq_ring(q.cq, self.bar)

    cdef inline uint32_t round(self, queue_t *q, uint64_t *now, bint running) noexcept nogil:
        """Take what has completed, resubmit, ring each doorbell once. Returns how many completed."""
        cdef cq_t *cq = q.cq
        cdef tracker_t *t
        cdef uint64_t w, latency, sum = 0
        cdef uint64_t low = self.stats.latency_min, high = self.stats.latency_max
        cdef uint32_t cid, n = 0, good = 0
        cdef bint traced = nv_traced(self.lane.lane.on)
        if not cq_new(cq):
            return 0
        now[0] = nv_now_ns()
        while n < IO_CQ_BATCH and cq_new(cq):
            w = nv_load64(cq.entries + <uint64_t>cq.head * 16 + 8)
            cid = <uint32_t>(w >> 32) & 0xFFFF
            if cid >= q.depth or not q.trackers[cid].busy or (w & 0xFFFF) >= q.sq.depth:
                self.ended = PROTOCOL
                break
            t = &q.trackers[cid]
            q.sq.head = <uint32_t>(w & 0xFFFF)
            cq_advance(cq)
            n += 1
            latency = now[0] - t.start
            sum += latency
            if latency < low:
                low = latency
            if latency > high:
                high = latency
            self.stats.hist[hist_index(latency)] += 1
            if w >> 49:
                self.note_error(t, w)
            else:
                good += 1
                if self.verify and t.opcode == nvme.NVM_READ and not self.matches(t):
                    self.stats.miscompares += 1
            if running and (self.limit == 0 or self.submitted < self.limit):
                self.prepare(q, t, now[0])
            else:
                t.busy = 0
                q.outstanding -= 1
            if nv_traced(traced):
                self.note_turn(q, t)
        if n == 0:
            return 0
        q.progress = now[0]
        self.stats.latency_sum += sum
        self.stats.latency_min = low
        self.stats.latency_max = high
        self.stats.bytes += <uint64_t>good * self.io_size
        nv_store64(&self.stats.ios, self.stats.ios + n)
        if self.ring_cq(q, traced) < 0 or (q.sq.rung != q.sq.tail and self.ring_sq(q, traced) < 0):
            self.ended = GONE
        return n

    cdef void note_turn(self, queue_t *q, tracker_t *t) noexcept nogil:
        """Record the completion just taken, and the entry that follows it. A time of its own for each: the drive may have posted
        it just now."""
        cdef uint32_t slot = (q.cq.head if q.cq.head else q.cq.depth) - 1
        cdef uint64_t *cqe = <uint64_t *>(q.cq.entries + <uint64_t>slot * 16)
        cdef uint64_t now = nv_now_ns()
        emit(&self.lane.lane, now, CQE_SEEN, HOST, q.cq.qid, slot, cqe[0], cqe[1])
        if t.busy:
            slot = (q.sq.tail if q.sq.tail else q.sq.depth) - 1
            emit_sqe(&self.lane.lane, now, SQE_POST, HOST, q.sq.qid, slot, t.sqe)

    cdef void note_error(self, tracker_t *t, uint64_t w) noexcept nogil:
        self.stats.errors += 1
        if not self.stats.first_error:
            self.stats.error_lba = t.lba
            self.stats.first_error = (w >> 49) | (w >> 32 & 0xFFFF) << 16 | <uint64_t>1 << 63

    # ------------------------------------------------------------ verification

    cdef void stamp(self, tracker_t *t) noexcept nogil:
        """Fill the tracker's buffer with what its blocks have to hold: a function of seed and LBA."""
        cdef uint64_t *words = <uint64_t *>t.data
        cdef uint64_t lba, base
        cdef uint32_t i, b, per_block = self.block_size // 8
        for b in range(self.blocks):
            lba = t.lba + b
            base = mix64(self.seed ^ lba * 0x9E3779B97F4A7C15u)
            for i in range(per_block):
                words[i] = base + i * 0xD1342543DE82EF95u
            words += per_block

    cdef bint matches(self, tracker_t *t) noexcept nogil:
        """True when the tracker's buffer holds what stamp() would put there."""
        cdef uint64_t *words = <uint64_t *>t.data
        cdef uint64_t lba, base, wrong = 0
        cdef uint32_t i, b, per_block = self.block_size // 8
        for b in range(self.blocks):
            lba = t.lba + b
            base = mix64(self.seed ^ lba * 0x9E3779B97F4A7C15u)
            for i in range(per_block):
                wrong |= words[i] ^ (base + i * 0xD1342543DE82EF95u)
            words += per_block
        return wrong == 0

    # ------------------------------------------------------------ what Python reads

    def snapshot(self):
        """The statistics now, without stopping the loop: a dict of totals, times in ns, and `hist`, a copy of the buckets."""
        cdef stats_t *s = self.stats
        cdef uint64_t[::1] view = <uint64_t[:58 * 128]>s.hist
        cdef uint64_t end = nv_load64(&s.end_ns)
        cdef uint64_t now = end if end else nv_now_ns()
        return {
            "ios": nv_load64(&s.ios), "bytes": s.bytes, "errors": s.errors, "miscompares": s.miscompares,
            "latency_sum": s.latency_sum, "latency_min": s.latency_min if s.ios else 0, "latency_max": s.latency_max,
            "interrupts": s.interrupts, "cpu": s.cpu,
            "elapsed": now - s.start_ns if s.start_ns else 0, "hist": np.array(view),
        }

    @property
    def outstanding(self):
        """Commands in flight."""
        return sum(self.queues[i].outstanding for i in range(self.queue_count))

    @property
    def first_error(self):
        """(15-bit status, cid, lba) of the first command that failed, or None."""
        if not self.stats.first_error:
            return None
        return self.stats.first_error & 0x7FFF, self.stats.first_error >> 16 & 0xFFFF, self.stats.error_lba
