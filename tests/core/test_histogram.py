"""Histograms: every value in its bucket, percentiles as numpy's within a bucket's width, sums and differences."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvlab._core.histogram import BUCKETS, Histogram, bucket_edges, bucket_of
from nvlab.spec.errors import UsageError

NS = st.one_of(st.integers(0, 300), st.integers(0, 10**7), st.integers(0, (1 << 64) - 1))


@given(NS)
def test_a_value_lies_in_its_bucket(ns):
    index = bucket_of(ns)
    low, high = bucket_edges(index)
    assert 0 <= index < BUCKETS and low <= ns < high
    assert high - low == 1 or (high - low) <= low / 128            # at most 0.8 % wide


def test_buckets_follow_each_other():
    edges = [bucket_edges(i) for i in range(BUCKETS)]
    assert edges[0] == (0, 1) and all(a[1] == b[0] for a, b in zip(edges, edges[1:])) and edges[-1][1] == 1 << 64
    assert all(bucket_of(low) == bucket_of(high - 1) == i for i, (low, high) in enumerate(edges))


def filled(values):
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(st.lists(NS, min_size=1, max_size=200), st.sampled_from([0, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 100]))
def test_percentiles_are_numpys(values, percent):
    found = filled(values).percentile(percent)
    exact = int(np.sort(np.array(values, np.uint64))[max(0, int(np.ceil(round(len(values) * percent / 100, 9))) - 1)])
    low, high = bucket_edges(bucket_of(exact))
    assert low <= found <= high


@given(st.lists(NS, max_size=50), st.lists(NS, max_size=50))
def test_sums_and_differences(first, second):
    a, b, both = filled(first), filled(second), filled(first + second)
    assert ((a + b).counts == both.counts).all() and ((both - a).counts == b.counts).all()
    assert both.total == len(first) + len(second) == sum(count for _, _, count in both.rows())
    rows = both.rows()
    assert rows == sorted(rows) and all(low < high and count for low, high, count in rows)


def test_empty_and_wrong():
    assert Histogram().percentile(50) == 0 and Histogram().rows() == [] and Histogram().total == 0
    assert "0 values" in repr(Histogram())
    with pytest.raises(UsageError, match="buckets"):
        Histogram(np.zeros(3, np.uint64))
