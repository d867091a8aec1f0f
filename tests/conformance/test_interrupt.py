"""Ctrl-C while a call waits: it goes through at once, and the controller is as usable as before."""
import random
import signal
import threading
import time

import pytest

import nvlab
from nvlab import Perf
from nvlab.spec import errors
from nvlab.spec.commands import cmd

from .conftest import says


@pytest.fixture(autouse=True)
def python_interrupts():
    """SIGINT raises KeyboardInterrupt, whatever runs these tests; so does SIGALRM, which needs no thread to come in time."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupt_after(seconds):
    timer = threading.Timer(seconds, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))
    timer.start()
    return timer


def interrupt_when(condition, seconds=10):
    """Interrupt the main thread as soon as `condition()` holds, or when it took too long."""
    def wait():
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(0.005)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=wait).start()


def test_in_a_wait_for_a_command(ctrl):
    request = ctrl.submit(cmd.async_event_request())
    interrupt_after(0.05)
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        request.wait(timeout=30)
    assert time.monotonic() - begin < 2 and not request.done
    assert ctrl.identify_controller().sn == ctrl.id.sn
    ctrl.namespaces[1].write(0, b"still there")
    assert bytes(ctrl.namespaces[1].read(0))[:5] == b"still"


def test_in_a_wait_for_perf(device, ctrl):
    device.moves_by_itself(ctrl)
    perf = Perf(ctrl, workload="randread", depth=8, seconds=60).start()
    interrupt_after(0.05)
    with pytest.raises(KeyboardInterrupt):
        perf.wait()
    assert perf.running                          # it goes on
    result = perf.stop()
    assert result.ended == "stopped" and result.errors == 0 and result.ios > 0


def test_in_perf_run(device, ctrl):
    device.moves_by_itself(ctrl)
    perf = Perf(ctrl, workload="randread", depth=8, seconds=60)
    interrupt_when(lambda: perf.running and perf.snapshot().ios)
    with pytest.raises(KeyboardInterrupt):
        perf.run()
    assert not perf.running and perf.result().ended == "stopped" and ctrl.io == {}


def test_in_the_bring_up(embedded):
    ctrl = embedded.probe(size="1M")
    fault = ctrl.ssd.faults.never_ready()
    interrupt_after(0.1)
    with pytest.raises(KeyboardInterrupt):
        ctrl.start()
    fault.remove()
    ctrl.start()
    ctrl.namespaces[1].flush()


@pytest.mark.negative
def test_anywhere(device):
    """Interrupts at random moments of random work. Commands may be lost to us, never to the controller."""
    ctrl = device.attach(size="1M", timeout=2.0)
    ctrl.io_queue()
    ns, rng, landed = ctrl.namespaces[1], random.Random(4), 0
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.0005, 0.004))
            while True:
                ns.write(8, b"\x5a" * 4096)
                assert (ns.read(8, 8) == 0x5A).all()
                ctrl.identify_controller()
                ctrl.smart_log()
        except KeyboardInterrupt:
            landed += 1
    assert landed > 20
    assert ctrl.identify_controller().sn == ctrl.id.sn and (ns.read(8, 8) == 0x5A).all()
    ctrl.admin.poll(), ctrl.io[1].poll()
    ctrl.delete_io_queue_pair(ctrl.io[1])
    ctrl.start()
    ctrl.namespaces[1].flush()


# -- addresses

@pytest.mark.parametrize("address, words", [
    ("", ["the kind is missing", "embedded", "qemu"]),
    ("embeded", ["embeded", "did you mean 'embedded'"]),
    ("floppy:0", ["unknown kind 'floppy'", "embedded"]),
    ("embedded:sise=1M", ["sise", "did you mean 'size'", "Valid options"]),
    ("embedded:size=1X", ["size=1X", "K, M, G"]),
    ("embedded:size=0", ["size=0", "at least"]),
    ("embedded:size=-1", ["size=-1"]),
    ("embedded:size=1000", ["size=1000", "multiple of 512"]),
    ("embedded:block=1024", ["block=1024", "512 or 4096"]),
    ("embedded:block=4096,size=4608", ["4608", "4096"]),
    ("embedded:mode=quick", ["mode=quick", "manual or inline or thread"]),
    ("embedded:namespaces=0", ["namespaces=0", "1 to"]),
    ("embedded:namespaces=129", ["namespaces", "1 to 128"]),
    ("embedded:mqes=1", ["mqes=1", "2 to 65536"]),
    ("embedded:size=1M,size=2M", ["size", "twice"]),
    ("embedded:size", ["'size'", "key=value"]),
    ("embedded/size=1M", ["colon"]),
    ("/dev/nvme0n1", ["/dev/nvme0n1", "PCI address"]),
    ("0000:99:99.9", ["0000"]),
    ("pcie:xyz", ["pcie:xyz", "DOMAIN:BUS:DEVICE.FUNCTION"]),
    ("qemu:size=0", ["size=0"]),
    ("qemu:image=/nonexistent", ["/nonexistent", "No such file"]),
    ("qemu:binary=no-such-qemu", ["no-such-qemu", "apt-get install qemu-system-x86"]),
    ("pcie:0000:00:1f.7", ["pcie:0000:00:1f.7"]),
    ("tcp:127.0.0.1/nqn.x", ["tcp:127.0.0.1:4420/nqn.x"]),
])
def test_addresses_that_lead_nowhere(address, words):
    for open_it in (nvlab.probe, nvlab.attach):
        with pytest.raises(errors.UsageError) as error:
            open_it(address)
        says(error, *words)


@pytest.mark.parametrize("address", [None, 7, b"embedded"])
def test_addresses_that_are_no_text(address):
    with pytest.raises(errors.UsageError, match="is a string such as"):
        nvlab.attach(address)
