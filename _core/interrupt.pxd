"""An interrupt vector as the host waits for it."""
from libc.stdint cimport uint32_t, uint64_t


cdef class Vector:
    cdef readonly int fd                # becomes readable with an interrupt; -1: there is only the word
    cdef readonly int signal            # what the sender writes to: the same eventfd, or a pipe's other end
    cdef volatile uint32_t *word        # where the message lands; NULL where a descriptor tells
    cdef object memory                  # keeps the word alive
    cdef uint64_t taken                 # interrupts taken since the start
    cdef volatile int leading           # who waits in the descriptor, or clears the word: one at a time
    cdef volatile int closed
    cdef uint64_t take(self) noexcept nogil
    cdef bint c_wait(self, uint64_t past, uint64_t ns) noexcept nogil
