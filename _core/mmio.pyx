# cython: language_level=3, boundscheck=False, wraparound=False
"""MMIO: exactly one access of exactly the asked width to a register, checked for alignment and bounds."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from nvlab._core cimport nvme
from nvlab._core.atomics cimport nv_mmio_read32, nv_mmio_read64, nv_mmio_write32, nv_mmio_write64
from nvlab._core.trace cimport CQ_DOORBELL, HOST, REG_READ, REG_WRITE, SQ_DOORBELL, Lane
from nvlab.spec.errors import ControllerGone, RegisterError


cdef enum:
    DOORBELLS = 0x1000


def check_access(offset, width, size):
    """Raise RegisterError unless `width` bytes at `offset` are aligned and inside a BAR of `size` bytes."""
    if not 0 <= offset <= size - width:
        raise RegisterError(f"register offset {offset:#x}: outside the controller's BAR of {size:#x} bytes")
    if offset % width:
        raise RegisterError(f"register offset {offset:#x}: a {8 * width}-bit access must be aligned to {width} bytes "
                            "(PCIe transport 1.0c 3.1.2)")


def check_value(value, width):
    """Raise RegisterError unless `value` fits `width` bytes."""
    if not 0 <= value < 1 << (8 * width):
        raise RegisterError(f"value {value:#x} does not fit a {8 * width}-bit register")


cdef class Bar:
    """The registers of one controller. Subclasses carry the access: memory, a qtest socket, a trap.

    The Python methods check and raise; the C methods serve the core's loops, return 0, or a negative number when the
    device is gone. `direct()` gives the address of a doorbell where a plain store reaches it, NULL elsewhere. `lane` is where
    accesses from Python are recorded.
    """

    def __cinit__(self, *args, **kwargs):
        self.lane = Lane("host")
        self.doorbell_stride = 4
        self.doorbell_end = <uint64_t>-1

    cdef int c_read32(self, uint64_t offset, uint32_t *value) noexcept nogil:
        return -1

    cdef int c_write32(self, uint64_t offset, uint32_t value) noexcept nogil:
        return -1

    cdef volatile uint32_t *direct(self, uint64_t offset) noexcept nogil:
        return NULL

    cdef bint alive(self) noexcept nogil:
        return True

    cdef uint32_t csts(self) noexcept nogil:
        """CSTS as a loop can look at it in passing; 0 where that would take a round trip."""
        return 0

    cdef uint32_t queue_at(self, uint64_t doorbell) noexcept nogil:
        """The queue whose doorbell lies at an offset: SQ tail and CQ head by turns from 1000h on (PCIe transport 1.0c 3.1.2)."""
        return <uint32_t>((doorbell - DOORBELLS) // self.doorbell_stride) >> 1 if doorbell >= DOORBELLS else 0

    def read32(self, offset):
        """Read 32 bits at byte `offset`. Raises RegisterError (bounds, alignment) or ControllerGone."""
        return self._read(offset, 4)

    def read64(self, offset):
        """Read 64 bits at byte `offset`, in one access where the device has those. Raises as read32() does."""
        return self._read(offset, 8)

    def write32(self, offset, value):
        """Write 32 bits at byte `offset`. Raises RegisterError (bounds, alignment, value) or ControllerGone."""
        self._write(offset, 4, value)

    def write64(self, offset, value):
        """Write 64 bits at byte `offset`, in one access where the device has those. Raises as write32() does."""
        self._write(offset, 8, value)

    def _read(self, offset, width):
        check_access(offset, width, self.size)
        if self.lane.hook is not None:
            self.lane.hook(REG_READ, 0, width, offset, None)
        value = self.load(offset, width)
        if self.lane.lane.on:
            self.lane.record(REG_READ, HOST, 0, width, offset, value)
        return value

    def _write(self, offset, width, value):
        check_access(offset, width, self.size)
        check_value(value, width)
        if self.lane.lane.on or self.lane.hook is not None:
            self._announce(offset, width, value)
        self.store(offset, width, value)

    def _announce(self, offset, width, value):
        """Tell of a register write or a doorbell before it is done: what the device does comes later in time."""
        kind, qid, index, a, b = REG_WRITE, 0, width, offset, value
        if DOORBELLS <= offset < self.doorbell_end:
            kind = CQ_DOORBELL if (offset - DOORBELLS) // self.doorbell_stride & 1 else SQ_DOORBELL
            qid, index, b = self.queue_at(offset), value & 0xFFFFFFFF, 0
        if self.lane.hook is not None:
            self.lane.hook(kind, qid, index, a, value)
        self.lane.record(kind, HOST, qid, index, a, b)

    def load(self, offset, width):
        """Carry a checked read out; subclasses say how. Here: 32 bits at a time, low half first, which is always allowed."""
        cdef uint32_t value = 0
        if self.c_read32(offset, &value) < 0:
            raise ControllerGone(f"read of register {offset:#x}: the device is gone")
        return value if width == 4 else value | self.load(offset + 4, 4) << 32

    def store(self, offset, width, value):
        """Carry a checked write out; subclasses say how. Here: 32 bits at a time, low half first."""
        if self.c_write32(offset, value & 0xFFFFFFFF) < 0:
            raise ControllerGone(f"write of {value:#x} to register {offset:#x}: the device is gone")
        if width == 8:
            self.store(offset + 4, 4, value >> 32)

    def is_alive(self):
        """False once the device is known to have vanished."""
        return self.alive()


cdef class MappedBar(Bar):
    """A BAR that is memory: a mapped PCI resource, or the doorbell page of a drive in this process."""

    def __init__(self, memory):
        cdef uint8_t[::1] view = memory
        self.memory = memoryview(memory)           # exported: an mmap can't be closed underneath us
        self.ptr = &view[0]
        self.size = view.shape[0]

    cdef uint32_t csts(self) noexcept nogil:
        return nv_mmio_read32(self.ptr + nvme.REG_CSTS) if self.size >= DOORBELLS else 0

    cdef bint alive(self) noexcept nogil:
        return self.csts() != <uint32_t>0xFFFFFFFFu        # all ones: nobody answers

    cdef int c_read32(self, uint64_t offset, uint32_t *value) noexcept nogil:
        if offset > self.size - 4:
            return -1
        value[0] = nv_mmio_read32(self.ptr + offset)
        return 0

    cdef int c_write32(self, uint64_t offset, uint32_t value) noexcept nogil:
        if offset > self.size - 4:
            return -1
        nv_mmio_write32(self.ptr + offset, value)
        return 0

    cdef volatile uint32_t *direct(self, uint64_t offset) noexcept nogil:
        return <volatile uint32_t *>(self.ptr + offset) if offset <= self.size - 4 else NULL

    def load(self, offset, width):
        """Read in one access."""
        if width == 8:
            return nv_mmio_read64(self.ptr + <uint64_t>offset)
        return nv_mmio_read32(self.ptr + <uint64_t>offset)

    def store(self, offset, width, value):
        """Write in one access."""
        if width == 8:
            nv_mmio_write64(self.ptr + <uint64_t>offset, value)
        else:
            nv_mmio_write32(self.ptr + <uint64_t>offset, value)
