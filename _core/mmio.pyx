# cython: language_level=3, boundscheck=False, wraparound=False
"""MMIO: exactly one access of exactly the asked width to a register, checked for alignment and bounds."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from nvlab._core.atomics cimport nv_mmio_read32, nv_mmio_read64, nv_mmio_write32, nv_mmio_write64
from nvlab.spec.errors import ControllerGone, RegisterError


def check_access(offset, width, size):
    """Raise RegisterError unless `width` bytes at `offset` are aligned and inside a BAR of `size` bytes."""
    if not 0 <= offset <= size - width:
        raise RegisterError(f"register offset {offset:#x}: outside the controller's BAR of {size:#x} bytes")
    if offset % width:
        raise RegisterError(f"register offset {offset:#x}: a {8 * width}-bit access must be aligned to {width} bytes "
                            "(NVMe over PCIe 1.0, 3.1.1)")


def check_value(value, width):
    """Raise RegisterError unless `value` fits `width` bytes."""
    if not 0 <= value < 1 << (8 * width):
        raise RegisterError(f"value {value:#x} does not fit a {8 * width}-bit register")


cdef class Bar:
    """The registers of one controller. Subclasses carry the access: memory, a qtest socket, a trap.

    The Python methods check and raise; the C methods serve the core's loops, return 0, or a negative number when the
    device is gone. `direct()` gives the address of a doorbell where a plain store reaches it, NULL elsewhere.
    """

    cdef int c_read32(self, uint64_t offset, uint32_t *value) noexcept nogil:
        return -1

    cdef int c_write32(self, uint64_t offset, uint32_t value) noexcept nogil:
        return -1

    cdef volatile uint32_t *direct(self, uint64_t offset) noexcept nogil:
        return NULL

    cdef bint alive(self) noexcept nogil:
        return True

    def read32(self, offset):
        """Read 32 bits at byte `offset`. Raises RegisterError (bounds, alignment) or ControllerGone."""
        cdef uint32_t value = 0
        check_access(offset, 4, self.size)
        if self.c_read32(offset, &value) < 0:
            raise ControllerGone(f"read of register {offset:#x}: the device is gone")
        return value

    def read64(self, offset):
        """Read 64 bits at byte `offset` as two 32-bit reads, low half first (always allowed: NVMe over PCIe 1.0, 3.1.1)."""
        check_access(offset, 8, self.size)
        low = self.read32(offset)
        return low | self.read32(offset + 4) << 32

    def write32(self, offset, value):
        """Write 32 bits at byte `offset`. Raises RegisterError (bounds, alignment, value) or ControllerGone."""
        check_access(offset, 4, self.size)
        check_value(value, 4)
        if self.c_write32(offset, value) < 0:
            raise ControllerGone(f"write of {value:#x} to register {offset:#x}: the device is gone")

    def write64(self, offset, value):
        """Write 64 bits at byte `offset` as two 32-bit writes, low half first."""
        check_access(offset, 8, self.size)
        check_value(value, 8)
        self.write32(offset, value & 0xFFFFFFFF)
        self.write32(offset + 4, value >> 32)

    def is_alive(self):
        """False once the device is known to have vanished."""
        return self.alive()


cdef class MappedBar(Bar):
    """A BAR that is memory: a mapped PCI resource, or the doorbell page of a drive in this process."""

    def __init__(self, memory):
        cdef uint8_t[::1] view = memory
        self.memory = memory
        self.ptr = &view[0]
        self.size = view.shape[0]

    cdef int c_read32(self, uint64_t offset, uint32_t *value) noexcept nogil:
        value[0] = nv_mmio_read32(self.ptr + offset)
        return 0

    cdef int c_write32(self, uint64_t offset, uint32_t value) noexcept nogil:
        nv_mmio_write32(self.ptr + offset, value)
        return 0

    cdef volatile uint32_t *direct(self, uint64_t offset) noexcept nogil:
        return <volatile uint32_t *>(self.ptr + offset)

    def read64(self, offset):
        """Read 64 bits at byte `offset` in one access."""
        check_access(offset, 8, self.size)
        return nv_mmio_read64(self.ptr + <uint64_t>offset)

    def write64(self, offset, value):
        """Write 64 bits at byte `offset` in one access."""
        check_access(offset, 8, self.size)
        check_value(value, 8)
        nv_mmio_write64(self.ptr + <uint64_t>offset, value)
