# cython: language_level=3, boundscheck=False, wraparound=False
"""MMIO through QEMU's qtest socket: `writel 0xe0001000 0x1` → `OK`.

An answered access costs one round trip (about 30 µs). A doorbell needs no answer, so its write is *posted*: sent, and
its "OK" read later, before the next answer that somebody waits for. The socket keeps the order of all of them.
No call raises SIGPIPE, waits without a deadline, or waits with the GIL held. A peer that closed, answered nonsense or
answered too late makes the channel dead for good, and every later call fails at once.
"""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memmove, strlen, strncmp

from nvlab._core.atomics cimport nv_now_ns
from nvlab._core.mmio cimport Bar
from nvlab._core.mmio import check_access, check_value
from nvlab.spec.errors import ControllerGone, UsageError

cdef extern from *:
    """
    #include <poll.h>
    #include <pthread.h>
    #include <stdlib.h>
    #include <sys/socket.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif
    #ifdef POLLRDHUP
    #define NV_HANGUP (POLLHUP | POLLERR | POLLNVAL | POLLRDHUP)
    #else
    #define NV_HANGUP (POLLHUP | POLLERR | POLLNVAL)
    #endif
    """

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd *fds, unsigned long count, int timeout)
    const int POLLIN
    const int POLLOUT

cdef extern from *:
    const int NV_HANGUP

cdef extern from "<sys/socket.h>" nogil:
    ssize_t send(int fd, const void *buffer, size_t length, int flags)
    ssize_t recv(int fd, void *buffer, size_t length, int flags)
    int shutdown(int fd, int how)
    const int MSG_DONTWAIT
    const int MSG_NOSIGNAL
    const int SHUT_RDWR

cdef extern from "<unistd.h>" nogil:
    int close_fd "close" (int fd)
    int getpid()

cdef extern from "<pthread.h>" nogil:
    int pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes)
    int pthread_mutex_destroy(pthread_mutex_t *mutex)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)

cdef extern from "<stdlib.h>" nogil:
    unsigned long long strtoull(const char *text, char **end, int base)

cdef enum:
    CLOSED = 1
    ENDED = 2
    LATE = 3
    NONSENSE = 4
    FORKED = 5

cdef enum:
    GONE = -1                  # the channel is dead
    REFUSED = -2               # the peer said FAIL or ERR; the channel lives

cdef enum:
    POSTED_LOOK = 16           # look for answers, without waiting, after so many posted commands
    POSTED_MAX = 128           # wait for answers beyond: few enough that neither socket buffer ever fills
    TEXT = 128                 # bytes that hold any access, and its answer

REASONS = {CLOSED: "closed here", ENDED: "QEMU closed the connection (it ended, or was killed)",
           LATE: "QEMU did not answer in time", FORKED: "it belongs to the process that opened it, and this is a fork: attach anew here",
           NONSENSE: "QEMU sent an answer that qtest does not have"}


cdef int put_hex(char *at, uint64_t value) noexcept nogil:
    """Write " 0x" and the digits of `value`; the number of characters."""
    cdef int digits = 1, i
    while digits < 16 and value >> (4 * digits):
        digits += 1
    at[0], at[1], at[2] = 32, 48, 120
    for i in range(digits):
        at[3 + i] = b"0123456789abcdef"[(value >> (4 * (digits - 1 - i))) & 15]
    return 3 + digits


cdef class QtestChannel:
    """The owner of a qtest socket's descriptor; usable from several threads at once.

    `timeout` (seconds) bounds each command, from its send to its answer.
    """

    def __cinit__(self, int fd, timeout=10.0):
        self.fd, self.owner = fd, getpid()
        self.timeout_ms = int(timeout * 1000)
        pthread_mutex_init(&self.mutex, NULL)

    def __dealloc__(self):
        if self.fd >= 0:
            close_fd(self.fd)
        pthread_mutex_destroy(&self.mutex)

    # -- the core's side: every function below needs the mutex, except access, exchange and c_alive, which take it ---

    cdef int die(self, int state) noexcept nogil:
        if self.state == 0:
            self.state = state
            shutdown(self.fd, SHUT_RDWR)
        return GONE

    cdef int wait(self, int events, uint64_t deadline) noexcept nogil:
        """Poll until the socket can do one of `events` or has hung up; GONE when the deadline passes."""
        cdef pollfd watched
        cdef uint64_t now
        while self.state == 0:
            now = nv_now_ns()
            if now >= deadline:
                return self.die(LATE)
            watched.fd, watched.events, watched.revents = self.fd, <short>events, 0
            if poll(&watched, 1, <int>((deadline - now) // 1000000 + 1)) > 0:
                return 0
        return GONE

    cdef int transmit(self, const char *text, int length, uint64_t deadline) noexcept nogil:
        cdef ssize_t n
        if getpid() != self.owner:
            self.state = FORKED                    # in this process only
            return GONE
        while length:
            n = send(self.fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT)
            if n > 0:
                text += n
                length -= <int>n
            elif n < 0 and errno == EAGAIN:
                if self.wait(POLLOUT, deadline) < 0:
                    return GONE
            elif not (n < 0 and errno == EINTR):
                return self.die(ENDED)
        return 0

    cdef int receive(self, uint64_t deadline) noexcept nogil:
        """Take what has arrived, waiting for it until `deadline` (0: don't wait). Bytes taken, or GONE."""
        cdef ssize_t n
        if self.start:
            memmove(self.received, self.received + self.start, self.end - self.start)
            self.end -= self.start
            self.start = 0
        if self.end == sizeof(self.received):
            return self.die(NONSENSE)
        while True:
            n = recv(self.fd, self.received + self.end, sizeof(self.received) - self.end, MSG_DONTWAIT)
            if n > 0:
                self.end += <int>n
                return <int>n
            if n == 0 or (errno != EAGAIN and errno != EINTR):
                return self.die(ENDED)
            if errno == EAGAIN:
                if deadline == 0:
                    return 0
                if self.wait(POLLIN, deadline) < 0:
                    return GONE

    cdef int line(self, char *reply, int room, uint64_t deadline) noexcept nogil:
        """The next answer, without its newline, cut to `room` with a final NUL. Its length, 0 for none yet, or GONE."""
        cdef char *end
        cdef int length, taken
        while True:
            end = <char *>memchr(self.received + self.start, 10, self.end - self.start)
            if end == NULL:
                if deadline and nv_now_ns() >= deadline:
                    return self.die(LATE)                      # however much of what nobody asked for still comes
                taken = self.receive(deadline)
                if taken <= 0:
                    return taken
                continue
            length = <int>(end - (self.received + self.start))
            taken = min(length, room - 1)
            memcpy(reply, self.received + self.start, taken)
            reply[taken] = 0
            self.start += length + 1
            if length and strncmp(reply, b"IRQ ", 4) != 0:     # interrupt lines come unasked, between answers
                return taken

    cdef int settle(self, int allowed, uint64_t deadline) noexcept nogil:
        """Read the answers of posted commands until at most `allowed` are owed, or, with deadline 0, as have arrived."""
        cdef char reply[TEXT]
        cdef int n
        while self.owed > allowed:
            n = self.line(reply, TEXT, deadline)
            if n <= 0:
                return n
            if strncmp(reply, b"OK", 2) != 0:
                return self.die(NONSENSE)
            self.owed -= 1
        return 0

    cdef int exchange(self, const char *text, int length, char *reply, int room) noexcept nogil:
        """Send one command and wait for its answer. The answer's length, REFUSED (the answer says why), or GONE."""
        cdef uint64_t deadline
        cdef int n = GONE
        pthread_mutex_lock(&self.mutex)
        deadline = nv_now_ns() + <uint64_t>self.timeout_ms * 1000000
        if self.state == 0 and self.transmit(text, length, deadline) == 0 and self.settle(0, deadline) == 0:
            n = self.line(reply, room, deadline)
            if n > 0 and strncmp(reply, b"OK", 2) != 0:
                n = REFUSED
        pthread_mutex_unlock(&self.mutex)
        return n

    cdef int access(self, const char *verb, uint64_t address, bint writes, uint64_t value, bint posted,
                    uint64_t *result) noexcept nogil:
        """One memory or port access. 0, REFUSED or GONE; a posted one is 0 as soon as it is sent."""
        cdef char text[TEXT]
        cdef char reply[TEXT]
        cdef int length = <int>strlen(verb), n
        cdef uint64_t deadline
        memcpy(text, verb, length)
        length += put_hex(text + length, address)
        if writes:
            length += put_hex(text + length, value)
        text[length] = 10
        if not posted:
            n = self.exchange(text, length + 1, reply, TEXT)
            if n > 0 and result != NULL:
                result[0] = strtoull(reply + 2, NULL, 16)
            return n if n < 0 else 0
        pthread_mutex_lock(&self.mutex)
        n = GONE
        if self.state == 0:
            deadline = nv_now_ns() + <uint64_t>self.timeout_ms * 1000000
            n = self.transmit(text, length + 1, deadline)
            if n == 0:
                self.owed += 1
                if self.owed >= POSTED_MAX:
                    n = self.settle(POSTED_MAX // 2, deadline)
                elif self.owed % POSTED_LOOK == 0:
                    n = self.settle(0, 0)
        pthread_mutex_unlock(&self.mutex)
        return n

    cdef bint c_alive(self) noexcept nogil:
        """One poll() that doesn't wait: has the peer hung up?"""
        cdef pollfd watched
        if self.state:
            return False
        watched.fd, watched.events, watched.revents = self.fd, NV_HANGUP, 0
        return poll(&watched, 1, 0) <= 0 or not watched.revents & NV_HANGUP

    # -- Python's side ---------------------------------------------------------------------------------------------

    def command(self, text):
        """Send one qtest command line and return its answer without the leading OK.

        Raises UsageError when QEMU refuses the command, ControllerGone when the channel is dead or just died.
        """
        cdef bytes line = text.encode() + b"\n"
        cdef const char *start = line
        cdef int length = len(line), n
        cdef char reply[1024]
        if line.count(b"\n") != 1:
            raise UsageError(f"qtest command {text!r}: one line at a time")
        with nogil:
            n = self.exchange(start, length, reply, 1024)
        if n == GONE:
            raise ControllerGone(f"qtest {text!r}: {self.dead}")
        if n == REFUSED:
            raise UsageError(f"qtest {text!r}: QEMU answered {reply.decode(errors='replace')!r}")
        return reply[:n].decode(errors="replace")[2:].strip()

    def drain(self):
        """Wait for the answers of all posted writes. Raises ControllerGone."""
        cdef int n = GONE
        with nogil:
            pthread_mutex_lock(&self.mutex)
            if self.state == 0:
                n = self.settle(0, nv_now_ns() + <uint64_t>self.timeout_ms * 1000000)
            if n == 0 and not self.c_alive():
                n = self.die(ENDED)
            pthread_mutex_unlock(&self.mutex)
        if n < 0:
            raise ControllerGone(f"qtest: {self.dead}")

    def close(self):
        """Shut the socket and give its descriptor back; a command under way in another thread fails at once."""
        cdef int fd
        if self.state == 0:
            self.state = CLOSED
            if getpid() == self.owner:
                shutdown(self.fd, SHUT_RDWR)      # wakes whoever waits in poll() with the mutex held
        with nogil:
            pthread_mutex_lock(&self.mutex)
        fd = self.fd
        self.fd = -1
        pthread_mutex_unlock(&self.mutex)
        if fd >= 0:
            close_fd(fd)

    @property
    def dead(self):
        """Why nothing goes through any more, or None."""
        if self.state == 0 and not self.c_alive():
            return REASONS[ENDED]
        return REASONS.get(self.state)

    def __repr__(self):
        return f"QtestChannel(fd={self.fd}, {self.dead or 'alive'})"


cdef class QtestBar(Bar):
    """The BAR of a device in QEMU: `size` bytes at guest physical address `base`, through `channel`."""

    def __init__(self, QtestChannel channel not None, uint64_t base, uint64_t size):
        self.channel = channel
        self.base = base
        self.size = size

    cdef int c_read32(self, uint64_t offset, uint32_t *value) noexcept nogil:
        cdef uint64_t result = 0
        cdef int n = self.channel.access(b"readl", self.base + offset, False, 0, False, &result)
        value[0] = <uint32_t>result
        return n

    cdef int c_write32(self, uint64_t offset, uint32_t value) noexcept nogil:
        # Doorbells begin at 1000h (PCIe transport 1.0c 3.1.2) and have no side effect that the writer must see finished.
        return self.channel.access(b"writel", self.base + offset, True, value, offset >= 0x1000, NULL)

    cdef bint alive(self) noexcept nogil:
        return self.channel.c_alive()

    cdef object gone(self, what):
        return ControllerGone(f"{what}: the device is gone: {self.channel.dead or 'QEMU refused the access'}")

    def load(self, offset, width):
        """Read in one access."""
        return self.read(b"readl" if width == 4 else b"readq", offset)

    def store(self, offset, width, value):
        """Write in one access; returns when QEMU has taken it, or at once for a doorbell."""
        self.write(b"writel" if width == 4 else b"writeq", offset, value)

    cdef object read(self, const char *verb, uint64_t offset):
        cdef uint64_t result = 0
        cdef int n
        with nogil:
            n = self.channel.access(verb, self.base + offset, False, 0, False, &result)
        if n < 0:
            raise self.gone(f"read of register {offset:#x}")
        return result

    cdef object write(self, const char *verb, uint64_t offset, uint64_t value):
        cdef int n
        with nogil:
            n = self.channel.access(verb, self.base + offset, True, value, offset >= 0x1000, NULL)
        if n < 0:
            raise self.gone(f"write of {value:#x} to register {offset:#x}")

    def __repr__(self):
        return f"QtestBar({self.size:#x} bytes at {self.base:#x}, {self.channel.dead or 'alive'})"
