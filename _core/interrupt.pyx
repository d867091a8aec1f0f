# cython: language_level=3, boundscheck=False, wraparound=False
"""Waiting for an interrupt without the GIL: on a descriptor, or on the word of memory that its message is written to.

Whoever waits notes first how many interrupts were taken, then looks at what they tell of (a completion queue), then waits for
one more: whatever comes in between ends the wait at once.
"""
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EINTR, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from nvlab._core.atomics cimport (nv_exchange32, nv_load32, nv_load64, nv_now_ns, nv_relax, nv_sleep_ns, nv_store64, nv_trylock,
                                  nv_unlock)
from nvlab.spec.errors import UsageError

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd *fds, unsigned long count, int timeout)
    const int POLLIN

cdef extern from "<unistd.h>" nogil:
    ssize_t read(int fd, void *buffer, size_t length)
    ssize_t write(int fd, const void *buffer, size_t length)
    int close_fd "close" (int fd)

cdef enum:
    SPINS = 200                         # looks at the word before the first sleep
    NAPS = 500                          # short sleeps before longer ones
    SHORT_NAP = 10000                   # ns; the kernel's timer slack adds some 50 us
    LONG_NAP = 250000
    SLICE = 50000000                    # ns between two looks for Ctrl-C


cdef class Vector:
    """One interrupt vector, as its receiver sees it.

    Told by a descriptor (`fd` to read, `signal` for the sender: the same eventfd, or the two ends of a pipe, both non-blocking;
    they are closed with this object), or by `memory`, 4 aligned bytes that the device's message makes nonzero.
    """

    def __cinit__(self, int fd=-1, int signal=-1, memory=None):
        cdef uint8_t[::1] view
        self.fd, self.signal = fd, signal
        if memory is not None and fd < 0:
            view = memory
            if view.shape[0] < 4 or <size_t>&view[0] & 3:
                raise UsageError("an interrupt's word needs 4 aligned bytes")
            self.memory, self.word = memory, <volatile uint32_t *>&view[0]
        elif fd < 0:
            raise UsageError("an interrupt vector needs a descriptor, or a word of memory")

    def __dealloc__(self):
        if self.fd >= 0:
            close_fd(self.fd)
        if self.signal >= 0 and self.signal != self.fd:
            close_fd(self.signal)

    cdef uint64_t take(self) noexcept nogil:
        """Take what has arrived, without waiting: how many interrupts. Only with `leading` held."""
        cdef uint64_t told[64]
        cdef ssize_t n
        if self.fd < 0:
            return 1 if nv_load32(self.word) and nv_exchange32(self.word, 0) else 0
        n = read(self.fd, told, sizeof(told))
        if n < 8:
            return 0
        return told[0] if self.fd == self.signal else <uint64_t>n // 8

    cdef bint c_wait(self, uint64_t past, uint64_t ns) noexcept nogil:
        """Wait until more than `past` interrupts were taken, `ns` at most, or a signal came. True when there are more, or at the end."""
        cdef uint64_t end = nv_now_ns() + ns, now, n
        cdef uint32_t idle = 0
        cdef pollfd watched
        while not self.closed:
            if nv_load64(&self.taken) != past:
                return True
            now = nv_now_ns()
            if not nv_trylock(&self.leading):   # another waits for the same vector, and will count for us too
                if now >= end:
                    return False
                nv_sleep_ns(SHORT_NAP)
                continue
            n = self.take()
            if n:
                nv_store64(&self.taken, self.taken + n)
            elif now < end and self.fd >= 0:
                watched.fd, watched.events, watched.revents = self.fd, POLLIN, 0
                if poll(&watched, 1, <int>((end - now + 999999) // 1000000)) < 0 and errno == EINTR:
                    end = now                   # the caller looks at its signals
            nv_unlock(&self.leading)
            if n:
                continue
            if now >= end:
                return False
            if self.fd < 0:
                if idle < SPINS:
                    nv_relax()
                else:
                    nv_sleep_ns(SHORT_NAP if idle < SPINS + NAPS else LONG_NAP)
                idle += 1
        return True

    def wait(self, double seconds, past=None):
        """Wait up to `seconds`, without the GIL, until more than `past` interrupts were taken (None: than until now).

        Returns True when there are more, or when it was closed. On a descriptor it sleeps in poll(); on a word it looks some
        hundred times, then sleeps for 10 us and later 250 us between two looks. Ctrl-C interrupts it.
        """
        cdef uint64_t seen = self.taken if past is None else past
        cdef uint64_t now = nv_now_ns(), end, look
        cdef bint came = False
        end = now + <uint64_t>(min(seconds, 1e9) * 1e9) if seconds > 0 else now
        while True:
            look = min(end - now, <uint64_t>SLICE)
            with nogil:
                came = self.c_wait(seen, look)
                now = nv_now_ns()
            PyErr_CheckSignals()
            if came or now >= end:
                return came

    @property
    def count(self):
        """Interrupts taken since the start; of those on a word, several at once count as one."""
        return nv_load64(&self.taken)

    def collect(self):
        """Take what has arrived, without waiting. Returns `count`."""
        self.c_wait(self.taken, 0)
        return self.count

    def close(self):
        """End all waits, now and later; the descriptors go with the last reference."""
        cdef uint64_t one = 1
        self.closed = 1
        if self.signal >= 0:
            write(self.signal, &one, 8)

    def __repr__(self):
        return f"Vector({f'fd {self.fd}' if self.fd >= 0 else 'a word of memory'}, {self.count} taken)"
