"""Children that end with us: whoever started them, whatever ended us."""
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from nvlab.pci.process import Child, above_stdio, anonymous_file, fd_path
from tests.waiting import holds

SLEEP = ["/bin/sleep", "60"]


def alive(pid):
    """True unless the process is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def child():
    child = Child(SLEEP)
    yield child
    child.stop()


def test_stop_is_quick_final_and_repeatable(child):
    assert alive(child.pid) and child.ending() is None
    start = time.monotonic()
    child.stop()
    assert time.monotonic() - start < 1
    assert not os.path.exists(f"/proc/{child.pid}")
    assert child.ending() == "was killed by SIGTERM"
    child.stop()


def test_a_child_that_ignores_sigterm_is_killed():
    child = Child(["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
    assert holds(lambda: "ready" in child.output())
    child.stop(patience=0.2)
    assert child.ending() == "was killed by SIGKILL"


def test_output_status_and_inherited_files():
    with anonymous_file("kept") as kept, anonymous_file("other") as other:
        kept.write(b"from the parent")
        os.set_inheritable(other.fileno(), True)           # even so: only what `keep` names is inherited
        number = kept.fileno()
        child = Child(["/bin/sh", "-c", f"cat {fd_path(number)}; echo; ls /proc/self/fd >&2; exit 3"], [number])
    assert child.wait(5)
    assert child.ending() == "ended with status 3"
    head, *numbers = child.output().splitlines()
    assert head == "from the parent"
    assert {"0", "1", "2", str(number)} < set(numbers) and len(numbers) == 5       # the fifth is ls's own
    child.stop()
    assert child.output() == ""


def test_a_program_that_is_not_there():
    gc.collect()                                 # what earlier tests left
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        Child(["/nonexistent"])
    gc.collect()
    assert os.listdir("/proc/self/fd") == before


def test_a_child_outlives_the_thread_that_asked_for_it():
    children = []
    thread = threading.Thread(target=lambda: children.append(Child(SLEEP)))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert alive(children[0].pid)
    children[0].stop()


def test_a_child_is_in_a_session_of_its_own(child):
    assert os.getsid(child.pid) == child.pid != os.getsid(0)       # Ctrl-C is not for it


def run_parent(body):
    """Start a Python that starts a child, prints its pid and goes on with `body`; the process and the child's pid."""
    script = "import os, signal, sys, threading, time\nfrom nvlab.pci.process import Child\n"
    script += f"child = Child({SLEEP!r})\nprint(child.pid, flush=True)\n" + textwrap.dedent(body)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=os.getcwd())
    return parent, int(parent.stdout.readline())


@pytest.mark.parametrize("body", ["", "sys.exit(1)", "os._exit(0)", "raise ValueError", "os.abort()", "os.kill(os.getpid(), 9)"],
                         ids=["end", "exit", "_exit", "exception", "abort", "kill"])
def test_whatever_ends_us_ends_the_child(body):
    parent, pid = run_parent(body)
    with parent:
        parent.wait(20)
    assert holds(lambda: not alive(pid))


def test_kill_from_outside_ends_the_child():
    parent, pid = run_parent("time.sleep(60)")
    with parent:
        assert alive(pid)
        parent.kill()
    assert holds(lambda: not alive(pid))


def test_a_fork_leaves_the_child_alone_and_can_start_its_own():
    parent, pid = run_parent("""
        fork = os.fork()
        if fork == 0:
            child.stop()
            child.signal(signal.SIGKILL)
            own = Child(["/bin/sleep", "60"])
            own.stop()
            os._exit(0 if own.ending() == "was killed by SIGTERM" else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]), child.ending(), flush=True)
        time.sleep(60)
    """)
    with parent:
        assert parent.stdout.readline().split() == ["0", "None"]
        assert alive(pid)
        parent.kill()
    assert holds(lambda: not alive(pid))


def test_works_with_stdin_stdout_and_stderr_closed():
    script = """
import os
from nvlab.pci.process import Child, anonymous_file
result = os.dup(1)
for fd in (0, 1, 2): os.close(fd)
with anonymous_file("x") as file:
    child = Child(["/bin/sh", "-c", "echo out; echo err >&2"], [file.fileno()])
child.wait(5)
os.write(result, (repr(child.output()) + child.ending()).encode())
os._exit(0)
"""
    said = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=30, check=True).stdout
    assert said == "'out\\nerr\\n'ended with status 0"


def test_above_stdio_moves_low_descriptors():
    fd = os.open(os.devnull, os.O_RDONLY)
    assert above_stdio(fd) == fd > 2
    os.close(fd)


def test_signals_are_only_sent_while_it_runs(child):
    child.signal(signal.SIGKILL)
    assert child.wait(5)
    child.signal(signal.SIGKILL)                   # the pid may be another's by now: nothing is sent
    assert child.ending() == "was killed by SIGKILL"
