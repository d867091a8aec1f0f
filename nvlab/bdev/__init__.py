"""Where bytes rest: block devices by kind."""
from nvlab.spec.errors import UsageError

from .base import Bdev
from .malloc import MallocBdev
from .null import NullBdev

KINDS = {cls.kind: cls for cls in (MallocBdev, NullBdev)}
"""Block devices by the word that names them in an address."""


def create(kind, size, block_size=512, name=None):
    """Make a block device of `size` bytes. Raises UsageError for an unknown kind or an impossible size."""
    if kind not in KINDS:
        raise UsageError(f"bdev={kind}: known kinds are {', '.join(KINDS)}")
    return KINDS[kind](size, block_size, name)


__all__ = ["Bdev", "KINDS", "MallocBdev", "NullBdev", "create"]
