"""A block device in memory: zeroes at first, gone with the process."""
import contextlib
import mmap

from nvlab.spec.errors import UsageError

from .base import Bdev


MADV_POPULATE_WRITE = 23
"""Linux 5.14: back pages with memory of their own, as a write would, without one."""
SETTLED_AT_MOST = 1 << 30
"""Bytes that settle() makes real: a huge device must not eat the machine because somebody measures a part of it."""


class MallocBdev(Bdev):
    """Blocks in anonymous memory, which costs nothing until it is written."""

    kind = "malloc"

    def __init__(self, size, block_size=512, name=None):
        super().__init__(size, block_size, name)
        try:
            self.memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except (OSError, ValueError, OverflowError) as error:
            raise UsageError(f"size={size}: no memory for a malloc device of that size ({error}); choose a smaller one") from None

    def settle(self):
        """Back the blocks with memory of their own: untouched ones all read from one page of zeroes, faster than any drive."""
        with contextlib.suppress(OSError, AttributeError):   # an older kernel, or another system: it stays lazy
            self.memory.madvise(MADV_POPULATE_WRITE, 0, min(self.size, SETTLED_AT_MOST))
