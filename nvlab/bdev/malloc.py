"""A block device in memory: zeroes at first, gone with the process."""
import mmap

from nvlab.spec.errors import UsageError

from .base import Bdev


class MallocBdev(Bdev):
    """Blocks in anonymous memory, which costs nothing until it is written."""

    kind = "malloc"

    def __init__(self, size, block_size=512, name=None):
        super().__init__(size, block_size, name)
        try:
            self.memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except (OSError, ValueError, OverflowError) as error:
            raise UsageError(f"size={size}: no memory for a malloc device of that size ({error}); choose a smaller one") from None
