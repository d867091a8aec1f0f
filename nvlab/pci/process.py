"""A child process that ends when this process ends, whatever way that happens.

The kernel kills the child (PR_SET_PDEATHSIG) when the *thread* that started it ends, and threads of notebooks and loops
come and go: so one thread that never ends starts all children.
"""
import concurrent.futures
import contextlib
import fcntl
import os
import queue
import select
import signal
import tempfile
import threading
import time

from nvlab._core.spawn import spawn

_jobs = None                       # (pid of this process, queue of the starting thread)
_jobs_lock = threading.Lock()


def _starting_thread(jobs):
    while True:
        future, function, arguments = jobs.get()
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)
        del future, function, arguments


def _in_starting_thread(function, *arguments):
    """A Future of `function(*arguments)`, run in the thread that lives as long as the process."""
    global _jobs
    with _jobs_lock:
        if _jobs is None or _jobs[0] != os.getpid():       # a fork has no threads but the forking one
            _jobs = os.getpid(), queue.SimpleQueue()
            threading.Thread(target=_starting_thread, args=(_jobs[1],), name="nvlab-children", daemon=True).start()
        future = concurrent.futures.Future()
        _jobs[1].put((future, function, arguments))
    return future


def above_stdio(fd):
    """`fd`, or its duplicate above 2 where a closed stdin, stdout or stderr had left a low number free."""
    if fd > 2:
        return fd
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return high


def anonymous_file(name, size=0):
    """A new unbuffered file without a path, `size` bytes of zeroes; its memory goes with the last descriptor."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("nvlab-" + name)
    else:
        with tempfile.TemporaryFile(prefix="nvlab-" + name) as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return open(above_stdio(fd), "r+b", buffering=0)


def fd_path(fd):
    """A path by which a child that inherits the descriptor `fd` opens it anew."""
    return f"/proc/self/fd/{fd}" if os.path.exists("/proc/self/fd") else f"/dev/fd/{fd}"


class Child:
    """A running program, with its output in an anonymous file.

    `argv[0]` is an absolute path; the descriptors `keep` are inherited. Raises OSError when it can't be started.
    """

    def __init__(self, argv, keep=()):
        self.argv = list(argv)
        self.owner = os.getpid()
        self.status = None                 # what waitpid said, once it ended
        self._lock = threading.Lock()
        self._output = anonymous_file("output")
        try:
            self.pid = self._start(keep)
        except BaseException:
            self._output.close()
            raise

    def _start(self, keep):
        null = above_stdio(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
        future = _in_starting_thread(spawn, self.argv, (null, self._output.fileno(), self._output.fileno()), tuple(keep))
        try:
            return future.result()
        except BaseException:
            future.add_done_callback(_abandon)             # interrupted here, started nevertheless
            raise
        finally:
            concurrent.futures.wait([future])
            os.close(null)

    def poll(self):
        """True when it has ended."""
        if self.owner != os.getpid():
            return self.status is not None                 # a fork of ours can't wait for its siblings
        with self._lock:
            if self.status is None:
                try:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:
                    pid, status = self.pid, 0              # somebody else collected it
                if pid:
                    self.status = status
            return self.status is not None

    def wait(self, timeout):
        """Wait at most `timeout` seconds for its end; True when it has ended."""
        deadline = time.monotonic() + timeout
        with contextlib.ExitStack() as stack:
            poller = None
            if hasattr(os, "pidfd_open") and not self.poll():
                with contextlib.suppress(OSError):         # an old kernel
                    fd = os.pidfd_open(self.pid)
                    stack.callback(os.close, fd)
                    poller = select.poll()
                    poller.register(fd, select.POLLIN)
            while not self.poll():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                poller.poll(left * 1000) if poller else time.sleep(min(left, 0.005))
        return True

    def signal(self, number):
        """Send a signal, unless it has ended."""
        with self._lock:
            if self.status is None and self.owner == os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)

    def stop(self, patience=2.0):
        """End it: SIGTERM, after `patience` seconds SIGKILL; returns when it is gone. Harmless when it already is."""
        if self.owner == os.getpid() and not self.poll():
            self.signal(signal.SIGTERM)
            if not self.wait(patience):
                self.signal(signal.SIGKILL)
                self.wait(10)
        self._output.close()

    def output(self):
        """What it wrote to stdout and stderr, at most the last 64 KiB."""
        if self._output.closed:
            return ""
        fd = self._output.fileno()                         # pread: the offset is shared with the child
        return os.pread(fd, 65536, max(0, os.fstat(fd).st_size - 65536)).decode(errors="replace")

    def ending(self):
        """How it ended, in words ("was killed by SIGKILL"), or None while it runs."""
        if not self.poll():
            return None
        if os.WIFSIGNALED(self.status):
            return f"was killed by {signal.Signals(os.WTERMSIG(self.status)).name}"
        return f"ended with status {os.waitstatus_to_exitcode(self.status)}"


def _abandon(future):
    """Kill a child whose starter did not stay to hear of it."""
    if future.exception() is None:
        os.kill(future.result(), signal.SIGKILL)
        os.waitpid(future.result(), 0)
