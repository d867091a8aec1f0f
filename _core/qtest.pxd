"""QEMU's qtest protocol: one line a command, one line an answer, over a socket."""
from libc.stdint cimport uint32_t, uint64_t

from nvlab._core.mmio cimport Bar

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass


cdef class QtestChannel:
    cdef int fd
    cdef int owner                     # the process that opened it: a fork shares the socket and must keep off
    cdef int state                     # 0, or why the channel is dead: it stays dead
    cdef readonly int owed             # posted commands whose "OK" has not been read yet
    cdef readonly int timeout_ms
    cdef pthread_mutex_t mutex         # one command at a time; never waited for with the GIL held
    cdef char received[4096]           # [start, end) has arrived and is not read yet
    cdef int start
    cdef int end
    cdef object __weakref__

    cdef int access(self, const char *verb, uint64_t address, bint writes, uint64_t value, bint posted,
                    uint64_t *result) noexcept nogil
    cdef int exchange(self, const char *text, int length, char *reply, int room) noexcept nogil
    cdef bint c_alive(self) noexcept nogil
    cdef int die(self, int state) noexcept nogil
    cdef int wait(self, int events, uint64_t deadline) noexcept nogil
    cdef int transmit(self, const char *text, int length, uint64_t deadline) noexcept nogil
    cdef int receive(self, uint64_t deadline) noexcept nogil
    cdef int line(self, char *reply, int room, uint64_t deadline) noexcept nogil
    cdef int settle(self, int allowed, uint64_t deadline) noexcept nogil


cdef class QtestBar(Bar):
    cdef readonly QtestChannel channel
    cdef readonly uint64_t base        # guest physical address of the BAR

    cdef object gone(self, what)
    cdef object read(self, const char *verb, uint64_t offset)
    cdef object write(self, const char *verb, uint64_t offset, uint64_t value)
