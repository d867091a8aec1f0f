"""A log-linear histogram of nanoseconds in fixed memory."""
from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    static inline unsigned nv_msb(unsigned long long v) { return 63u - (unsigned)__builtin_clzll(v); }
    """
    unsigned int nv_msb(unsigned long long v) nogil

cdef enum:
    HIST_SHIFT = 7                     # 128 buckets an octave: a bucket is at most 0.8% wide
    HIST_BUCKETS = 58 * 128            # octaves up to 2**64


cdef inline uint32_t hist_index(uint64_t ns) noexcept nogil:
    """The bucket of a value: linear below 128, then 128 buckets for each power of two."""
    cdef unsigned int msb
    if ns < 128:
        return <uint32_t>ns
    msb = nv_msb(ns)
    return ((msb - HIST_SHIFT + 1) << HIST_SHIFT) + <uint32_t>((ns >> (msb - HIST_SHIFT)) & 127)
