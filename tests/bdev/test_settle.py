"""A device that is about to be measured takes its memory first, and keeps what it holds."""
import os
import sys

import pytest

import nvlab
from nvlab.bdev import MallocBdev, NullBdev

SIZE = 32 << 20


def resident():
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages in Linux's /proc")
def test_settle_takes_memory_and_changes_nothing():
    bdev = MallocBdev(SIZE)
    bdev.memory[4096:4101] = b"hello"
    before = resident()
    bdev.settle()
    assert resident() - before > SIZE * 0.9
    assert bdev.memory[4096:4101] == b"hello" and bdev.memory[:4096] == bytes(4096)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages in Linux's /proc")
def test_a_null_device_has_nothing_to_settle():
    bdev, before = NullBdev(SIZE), resident()
    bdev.settle()
    assert bdev.memory is None and resident() - before < SIZE / 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages in Linux's /proc")
def test_perf_settles_the_drive_it_measures():
    with nvlab.attach(f"embedded:size={SIZE},mode=inline") as ctrl:
        before = resident()
        result = nvlab.Perf(ctrl, io_size=512, depth=1, count=1).run()
        assert result.ios == 1 and resident() - before > SIZE * 0.9
