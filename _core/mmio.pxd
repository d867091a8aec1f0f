"""A controller's BAR: 32- and 64-bit registers, whoever carries the access."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef class Bar:
    cdef readonly uint64_t size                 # bytes
    cdef object __weakref__
    cdef int c_read32(self, uint64_t offset, uint32_t *value) noexcept nogil
    cdef int c_write32(self, uint64_t offset, uint32_t value) noexcept nogil
    cdef volatile uint32_t *direct(self, uint64_t offset) noexcept nogil
    cdef bint alive(self) noexcept nogil


cdef class MappedBar(Bar):
    cdef volatile uint8_t *ptr
    cdef object memory
