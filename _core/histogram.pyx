# cython: language_level=3, boundscheck=False, wraparound=False
"""Log-linear latency histograms: what the perf loop fills, and the percentiles that come out."""
from libc.stdint cimport uint64_t

import numpy as np

from nvlab.spec.errors import UsageError

BUCKETS = HIST_BUCKETS
"""Buckets in a histogram."""


def bucket_of(uint64_t ns):
    """The bucket that counts a latency of `ns` nanoseconds."""
    return hist_index(ns)


def bucket_edges(index):
    """(first, past the last) nanosecond that bucket `index` counts."""
    if index < 128:
        return index, index + 1
    octave, step = divmod(index, 128)
    width = 1 << (octave - 1)
    return (128 + step) * width, (129 + step) * width


class Histogram:
    """Counts of latencies in nanoseconds; `counts` is a uint64 array with one element a bucket."""

    def __init__(self, counts=None):
        self.counts = np.zeros(BUCKETS, np.uint64) if counts is None else np.asarray(counts, np.uint64)
        if self.counts.shape != (BUCKETS,):
            raise UsageError(f"a histogram has {BUCKETS} buckets, not {self.counts.shape}")

    @property
    def total(self):
        """How many values were counted."""
        return int(self.counts.sum())

    def record(self, ns):
        """Count one latency of `ns` nanoseconds."""
        self.counts[bucket_of(ns)] += 1

    def percentile(self, percent):
        """The latency in ns that `percent` of the values do not exceed (the upper edge of its bucket); 0 when empty."""
        total = self.total
        if not total:
            return 0
        rank = max(1, -(-total * percent // 100))
        index = int(np.searchsorted(np.cumsum(self.counts), rank))
        return bucket_edges(index)[1]

    def __add__(self, other):
        return Histogram(self.counts + other.counts)

    def __sub__(self, other):
        return Histogram(self.counts - other.counts)

    def rows(self):
        """[(first ns, past the last ns, count)] of the buckets that counted anything, ascending."""
        return [(*bucket_edges(int(i)), int(self.counts[i])) for i in np.flatnonzero(self.counts)]

    def __repr__(self):
        p50, p99 = (self.percentile(p) / 1000 for p in (50, 99))
        return f"Histogram({self.total} values, p50 {p50:.1f} us, p99 {p99:.1f} us)"
