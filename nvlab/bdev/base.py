"""What a block device is: a number of blocks of one size, and where the bytes rest."""
from nvlab.spec.errors import UsageError

BLOCK_SIZES = (512, 4096)


class Bdev:
    """A block device. `memory` is a writable buffer of all its bytes, or None where nothing is kept."""

    kind = "bdev"
    memory = None

    def __init__(self, size, block_size=512, name=None):
        """`size` in bytes, a multiple of `block_size` (512 or 4096). Raises UsageError for anything else."""
        if block_size not in BLOCK_SIZES:
            raise UsageError(f"block={block_size}: a block has 512 or 4096 bytes")
        if size <= 0 or size % block_size:
            raise UsageError(f"size={size}: a device has a positive number of whole blocks of {block_size} bytes")
        self.block_size, self.blocks = block_size, size // block_size
        self.name = name or self.kind

    @property
    def size(self):
        """Bytes."""
        return self.blocks * self.block_size

    def settle(self):
        """Give every block the memory it will need, contents unchanged, so that what follows measures no first touches."""

    def close(self):
        """Release what the device holds; closing twice is harmless."""

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, {self.blocks} blocks of {self.block_size} bytes)"
