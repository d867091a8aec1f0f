# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What the machine can do at best: a two-thread ring that passes entries of NVMe's sizes and copies the same bytes, nothing else."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from nvlab._core.atomics cimport nv_backoff, nv_load32, nv_load64, nv_now_ns, nv_store32, nv_store64


cdef class BareRing:
    """Two rings of `depth` + 1 slots in ordinary memory; produce() and consume() run in a thread each."""

    cdef uint8_t[::1] sq, cq, source, target
    cdef uint32_t[::1] bells                    # [0] tail, [16] head: a cache line each
    cdef uint32_t depth, slots, size
    cdef volatile int stopping

    def __init__(self, sq, cq, bells, source, target, depth, size):
        self.sq, self.cq, self.bells, self.source, self.target = sq, cq, bells, source, target
        self.depth, self.slots, self.size = depth, depth + 1, size

    def produce(self, double seconds):
        """Keep `depth` entries in flight for `seconds`. Returns (completed, seconds)."""
        cdef uint32_t tail = 0, head = 0, phase = 1, idle = 0, n, i
        cdef uint64_t done = 0, start, end, w, blocks = self.source.shape[0] // self.size, lba = 0
        cdef uint8_t entry[64]
        for i in range(64):
            entry[i] = i
        with nogil:
            start = nv_now_ns()
            end = start + <uint64_t>(seconds * 1e9)
            for i in range(self.depth):
                (<uint64_t *>(entry + 40))[0] = lba
                lba = lba + 1 if lba + 1 < blocks else 0
                memcpy(&self.sq[tail * 64], entry, 64)
                tail = tail + 1 if tail + 1 < self.slots else 0
            nv_store32(&self.bells[0], tail)
            while True:
                n = 0
                while n < 256:
                    w = nv_load64(&self.cq[head * 16 + 8])
                    if (w >> 48 & 1) != phase:
                        break
                    head += 1
                    if head == self.slots:
                        head = 0
                        phase ^= 1
                    (<uint64_t *>(entry + 40))[0] = lba
                    lba = lba + 1 if lba + 1 < blocks else 0
                    memcpy(&self.sq[tail * 64], entry, 64)
                    tail = tail + 1 if tail + 1 < self.slots else 0
                    n += 1
                if n:
                    done += n
                    idle = 0
                    nv_store32(&self.bells[0], tail)
                    nv_store32(&self.bells[16], head)
                    if nv_now_ns() >= end:
                        break
                else:
                    nv_backoff(idle, 100)
                    idle += 1
            self.stopping = 1
            end = nv_now_ns()
        return done, (end - start) / 1e9

    def consume(self):
        """Copy the block of each entry and complete it, until produce() ends."""
        cdef uint32_t sq_head = 0, cq_tail = 0, phase = 1, tail, idle = 0
        cdef uint64_t lba, slot
        cdef uint8_t *e
        cdef uint8_t *c
        with nogil:
            while not self.stopping:
                tail = nv_load32(&self.bells[0])
                if tail == sq_head:
                    nv_backoff(idle, 100)
                    idle += 1
                    continue
                idle = 0
                while sq_head != tail:
                    e = &self.sq[sq_head * 64]
                    lba = (<uint64_t *>(e + 40))[0]
                    slot = sq_head
                    memcpy(&self.target[slot * self.size], &self.source[lba * self.size], self.size)
                    sq_head = sq_head + 1 if sq_head + 1 < self.slots else 0
                    c = &self.cq[cq_tail * 16]
                    (<uint64_t *>c)[0] = 0
                    nv_store64(c + 8, sq_head | <uint64_t>phase << 48)
                    cq_tail += 1
                    if cq_tail == self.slots:
                        cq_tail = 0
                        phase ^= 1


def copy_blocks(uint8_t[::1] source, uint8_t[::1] target, uint32_t size, uint32_t slots, double seconds):
    """memcpy of `size`-byte blocks from `source`, one after another, into `slots` places of `target`. Returns (blocks, seconds)."""
    cdef uint64_t start = nv_now_ns(), end, done = 0, blocks = source.shape[0] // size, lba = 0, now = 0
    cdef uint32_t i
    with nogil:
        end = start + <uint64_t>(seconds * 1e9)
        while now < end:
            for i in range(slots):
                memcpy(&target[<uint64_t>i * size], &source[lba * size], size)
                lba = lba + 1 if lba + 1 < blocks else 0
            done += slots
            now = nv_now_ns()
    return done, (now - start) / 1e9


def burn(double seconds, double share):
    """Use `share` of a core for `seconds`: busy for a slice of 10 ms, then asleep."""
    import time
    end = time.monotonic() + seconds
    cdef uint64_t until
    while time.monotonic() < end:
        until = nv_now_ns() + <uint64_t>(share * 1e7)
        with nogil:
            while nv_now_ns() < until:
                pass
        time.sleep((1 - share) * 0.01)
