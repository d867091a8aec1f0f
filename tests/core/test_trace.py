"""A lane where memory is short."""
import subprocess
import sys

import pytest

SHORT = """
import resource
from nvlab._core.trace import Kind, Lane, Side
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (3 << 30),) * 2)
lane = Lane("host")
for _ in range(2):                               # 2 GiB for the events would be there, 4 GiB for the entries not
    try:
        lane.start(1 << 26)
    except MemoryError:
        assert not lane.on
lane.start(64)
lane.record_sqe(1, 0, bytes(64))
lane.record(Kind.STEP, Side.HOST)
assert len(lane.read()[0]) == 2
print("fine")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc how much memory is taken, and limits it")
def test_a_lane_without_memory_for_its_entries_can_be_started_smaller():
    ran = subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "fine\n", ran.stderr
