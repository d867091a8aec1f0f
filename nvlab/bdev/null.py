"""A block device that keeps nothing: writes vanish, reads give zeroes. It shows what the rings alone can do."""
from .base import Bdev


class NullBdev(Bdev):
    """Blocks that hold zeroes whatever is written to them."""

    kind = "null"
