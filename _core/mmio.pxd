"""A controller's BAR: 32- and 64-bit registers, whoever carries the access."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from nvlab._core.trace cimport Lane


cdef class Bar:
    cdef readonly uint64_t size                 # bytes
    cdef readonly Lane lane                     # where Python's accesses are recorded
    cdef public uint32_t doorbell_stride        # bytes between doorbells: 4 << CAP.DSTRD
    cdef public uint64_t doorbell_end           # the first byte behind them, where an MSI-X table may lie
    cdef object __weakref__
    cdef int c_read32(self, uint64_t offset, uint32_t *value) noexcept nogil
    cdef int c_write32(self, uint64_t offset, uint32_t value) noexcept nogil
    cdef volatile uint32_t *direct(self, uint64_t offset) noexcept nogil
    cdef bint alive(self) noexcept nogil
    cdef uint32_t csts(self) noexcept nogil
    cdef uint32_t queue_at(self, uint64_t doorbell) noexcept nogil


cdef class MappedBar(Bar):
    cdef volatile uint8_t *ptr
    cdef object memory
