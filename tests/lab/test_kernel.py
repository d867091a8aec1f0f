"""A kernel that is interrupted or restarted: driver, drive and widgets go on; no QEMU, thread or socket stays behind."""

import contextlib
import pathlib

import pytest

pytest.importorskip("ipykernel", reason="needs the lab extra")

from jupyter_client.manager import start_new_kernel  # noqa: E402

from tests.pci.test_process import alive  # noqa: E402
from tests.waiting import holds  # noqa: E402

GONE_WITHIN = 5.0      # seconds
BLOCKING = {
    "a command": """request = explorer.ctrl.admin.submit(cmd.async_event_request())
say_when(lambda: True)
request.wait(timeout=60)""",
    "a measurement": """perf = nvlab.Perf(explorer.ctrl, depth=8, seconds=60, workload="randread")
say_when(lambda: perf.running and perf.snapshot().ios)
perf.run()""",
}
"""What doesn't return by itself; an event is never reported, and nobody waits a minute."""

SAY_WHEN = """
import threading, time
def say_when(condition):
    def wait():
        while not condition():
            time.sleep(0.01)
        print("it waits", flush=True)
    threading.Thread(target=wait, daemon=True).start()
"""


class Kernel:
    """A Python kernel, asked for one expression or statement at a time."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(cwd=pathlib.Path(__file__).resolve().parents[2])

    def run(self, code):
        """Run statements; raises what they raise, as an AssertionError."""
        reply = self.client.execute(code, reply=True, timeout=60)["content"]
        assert reply["status"] == "ok", f"{reply.get('ename')}: {reply.get('evalue')}"

    def ask(self, expression):
        """The value of an expression, a Python literal."""
        reply = self.client.execute("", user_expressions={"it": expression}, reply=True, timeout=60)["content"]
        told = reply["user_expressions"]["it"]
        assert told["status"] == "ok", f"{told.get('ename')}: {told.get('evalue')}"
        return eval(told["data"]["text/plain"])

    def interrupt_in(self, code):
        """Interrupt the kernel in `code` once it has said "it waits". Returns the name of what came of it."""
        asked, said = self.client.execute(code), ""
        while "it waits" not in said:
            said += self.client.get_iopub_msg(timeout=30)["content"].get("text", "")
        self.manager.interrupt_kernel()
        reply = self.client.get_shell_msg(timeout=20)
        while reply["parent_header"].get("msg_id") != asked:
            reply = self.client.get_shell_msg(timeout=20)
        return reply["content"].get("ename")

    def restart(self):
        """As the page's restart does: the kernel is asked to end, and a new one begins with the same connection."""
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=60)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel():
    it = Kernel()
    yield it
    it.close()


def opened(kernel, address):
    """Open an explorer and let its views work as if a page showed them."""
    kernel.run(f"import nvlab\nfrom nvlab import cmd\nexplorer = nvlab.explore({address!r})")
    kernel.run("explorer._on_message(explorer, {'do': 'here', 'view': 'a'}, [])\n"
               "explorer.view('rings')._on_message(explorer, {'do': 'here', 'view': 'b'}, [])")
    assert kernel.ask("explorer.view('rings')._publisher.alive")


def maps(pid, name):
    """Whether a process maps memory of this name."""
    with contextlib.suppress(OSError):
        return name in pathlib.Path(f"/proc/{pid}/maps").read_text()
    return False


def held(pid):
    """What a process holds open, by name."""
    names = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):       # closed meanwhile
            names.append(str(fd.readlink()))
    return names


def children(pid):
    """The processes that a process has started and that live."""
    return [int(child) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
            if alive(int(child))]


@pytest.mark.require("qemu")
def test_a_restart_leaves_no_qemu_thread_or_socket(kernel):
    opened(kernel, "qemu")
    before, qemu = kernel.ask("__import__('os').getpid()"), kernel.ask("explorer.ctrl.function.process.pid")
    assert alive(qemu) and qemu in children(before) and maps(before, "nvlab-ram") and maps(qemu, "nvlab-ram")
    assert any("nvlab-" in name for name in held(before))
    kernel.restart()
    after = kernel.ask("__import__('os').getpid()")
    assert after != before
    assert holds(lambda: not alive(before) and not alive(qemu), GONE_WITHIN), f"alive: {[pid for pid in (before, qemu) if alive(pid)]}"
    assert not children(after) and not maps(after, "nvlab-")
    assert not any("nvlab" in name for name in held(after))
    assert not kernel.ask("[t.name for t in __import__('threading').enumerate() if t.name.startswith('nvlab')]")
    opened(kernel, "qemu")                       # and another begins with nothing in its way


@pytest.mark.parametrize("address", ["embedded:mode=thread", pytest.param("qemu", marks=pytest.mark.require("qemu"))])
def test_an_interrupt_leaves_driver_drive_and_widgets_usable(kernel, address):
    opened(kernel, address)
    kernel.run(SAY_WHEN)
    for code in BLOCKING.values():
        assert kernel.interrupt_in(code) == "KeyboardInterrupt"
        kernel.run("explorer.ctrl.namespaces[1].write(0, b'still there')")
        assert kernel.ask("bytes(explorer.ctrl.namespaces[1].read(0, 1))[:11]") == b"still there"
        assert kernel.ask("explorer.ctrl.identify_controller().sn == explorer.ctrl.id.sn")
        kernel.run("rings = explorer.view('rings')\nbefore = rings._seq\nrings.act('post', {'command': 'flush'})\nrings.act('ring')")
        assert "SQ1TDBL: 1 new entry" in kernel.ask("rings._notice['text']")
        kernel.run("explorer.ctrl.io[1].poll()")
        assert kernel.ask("rings._seq > before and rings._publisher.alive and explorer._publisher.alive")
    kernel.run("explorer.close()")
    assert kernel.ask("explorer.ctrl.closed")
