"""Controllers that never become ready, that fail, and that vanish: an exception in time, and a session that lives on."""
import os
import signal
import threading
import time

import pytest

import nvlab
from nvlab import Perf
from nvlab.spec import errors
from nvlab.spec.commands import cmd
from tests.waiting import holds

from .conftest import says

pytestmark = pytest.mark.negative
IN_TIME = 2.0                      # seconds from a device's end to the exception


def gone(pid):
    """True when the process has ended, within 2 s."""
    deadline = time.monotonic() + 2
    while os.path.exists(f"/proc/{pid}/stat") and time.monotonic() < deadline:
        with open(f"/proc/{pid}/stat") as file:
            if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        time.sleep(0.005)
    return not os.path.exists(f"/proc/{pid}")


# -- never ready, and fatal

def test_never_ready(embedded):
    ctrl = embedded.probe()
    fault = ctrl.ssd.faults.never_ready()
    ctrl.disable()
    ctrl.create_admin_queue()
    begin = time.monotonic()
    with pytest.raises(errors.ControllerTimeout) as error:
        ctrl.enable()
    assert float(ctrl.cap.TO.seconds) <= time.monotonic() - begin < float(ctrl.cap.TO.seconds) + 2
    says(error, "CSTS.RDY = 1", "0.5 s", "CAP.TO")
    registers = error.value.registers
    assert registers["CC"].EN == 1 and registers["CSTS"].RDY == 0 and registers["CAP"] == ctrl.cap
    assert isinstance(error.value, TimeoutError)
    fault.remove()
    ctrl.start()                                 # waits for CAP.TO once more, resets, and comes up
    ctrl.namespaces[1].flush()


def test_attach_to_one_that_is_never_ready(monkeypatch):
    from nvlab.target.controller import Controller
    monkeypatch.setattr(Controller, "_enable", lambda self, cc: None)
    before = threading.active_count()
    with pytest.raises(errors.ControllerTimeout, match="CAP.TO"):
        nvlab.attach("embedded:mode=thread")
    assert holds(lambda: threading.active_count() == before, 2)    # closed again, its thread gone


def test_fatal_status(device):
    ctrl = device.probe(size="1M")
    ctrl.disable()
    ctrl.create_admin_queue()
    ctrl.regs.ASQ = 0x800                        # no page begins here (base 2.0c 3.1.3.9)
    with pytest.raises(errors.ControllerFatal) as error:
        ctrl.enable()
    says(error, "CSTS.CFS", "ASQ", "disable()")
    assert error.value.registers["CSTS"].CFS == 1 and error.value.registers["CC"].EN == 1
    assert ctrl.state == "fatal error (CSTS.CFS)"
    ctrl.start()
    assert ctrl.csts.CFS == 0
    ctrl.namespaces[1].flush()


def test_fatal_status_for_queue_memory_that_is_not_there(embedded):
    ctrl = embedded.probe(size="1M")
    ctrl.disable()
    ctrl.create_admin_queue()
    ctrl.regs.ACQ = 1 << 50
    with pytest.raises(errors.ControllerFatal):
        ctrl.enable()
    ctrl.start()


def test_fatal_while_commands_wait(embedded):
    from nvlab.spec.registers import CSTS
    ctrl = embedded.attach(size="1M")
    request = ctrl.submit(cmd.async_event_request())
    drive = ctrl.ssd.controller
    drive._set(CSTS, drive.csts.replace(CFS=1))
    with pytest.raises(errors.ControllerFatal) as error:
        request.wait(timeout=5)
    says(error, "CSTS.CFS", "disable()")
    ctrl.start()


def test_a_command_that_never_completes(device, ctrl):
    request = ctrl.submit(cmd.async_event_request())
    begin = time.monotonic()
    with pytest.raises(errors.ControllerTimeout) as error:
        request.wait(timeout=0.1)
    assert time.monotonic() - begin < IN_TIME
    says(error, "no completion within 0.1 s", "Asynchronous Event Request", "disable()")
    assert error.value.registers["CSTS"].RDY == 1 and not request.done
    assert ctrl.identify_controller().sn == ctrl.id.sn
    ctrl.disable()
    ctrl.start()
    assert ctrl.identify_controller().sn == ctrl.id.sn


def test_a_queue_that_is_not_served_times_out(embedded):
    ctrl = embedded.attach(size="1M", timeout=0.2)
    pair = ctrl.create_io_queue_pair(4)
    with ctrl.ssd:                               # held still by this thread
        pass
    ctrl.ssd.mode = "manual"
    ctrl.function.pump = pair.cq.pump = lambda blocking=False: None
    requests = [pair.submit(cmd.flush(nsid=1)) for _ in range(3)]
    with pytest.raises(errors.ControllerTimeout) as error:
        pair.submit(cmd.flush(nsid=1))
    says(error, "a free slot of SQ 1", "mode manual", "ssd.step()")
    assert not any(request.done for request in requests)


# -- all ones

class AllOnes:
    """What is left in a slot after the device was pulled out."""

    gone = None

    def read_register(self, offset, width):
        return (1 << 8 * width) - 1

    def write_register(self, offset, value, width):
        pass


def test_all_ones_is_gone(embedded):
    ctrl = embedded.attach(size="1M")
    pair = ctrl.create_io_queue_pair(4)
    drive, ctrl.bar.ssd = ctrl.bar.ssd, AllOnes()
    pumps = ctrl.function.pump
    pair.cq.pump = ctrl.admin.cq.pump = lambda blocking=False: None
    for touch in (lambda: ctrl.csts, lambda: ctrl.regs.CC.read(), lambda: ctrl.regs.CAP.MQES, lambda: ctrl.regs.snapshot(),
                  lambda: ctrl.disable(), lambda: ctrl.wait(lambda csts: csts.RDY, "CSTS.RDY = 1")):
        with pytest.raises(errors.ControllerGone) as error:
            touch()
        says(error, "gone", "ones", "attach again")
    begin = time.monotonic()
    with pytest.raises(errors.ControllerGone):
        ctrl.execute(cmd.async_event_request())              # which completes nothing by itself
    assert time.monotonic() - begin < IN_TIME
    ctrl.bar.ssd, pair.cq.pump, ctrl.admin.cq.pump = drive, pumps, pumps
    ctrl.start()


# -- a QEMU that is killed

def kill(ctrl):
    os.kill(ctrl.function.process.pid, signal.SIGKILL)
    return time.monotonic()


def test_killed_while_idle(qemu):
    ctrl = qemu.attach(size="1M")
    ns = ctrl.namespaces[1]
    for touch in (lambda: ns.read(0), lambda: ctrl.identify(), lambda: ctrl.csts, lambda: ctrl.create_io_queue_pair(4),
                  lambda: ctrl.disable(), lambda: Perf(ctrl, count=1).run()):
        begin = kill(ctrl) if ctrl.function.gone() is None else time.monotonic()
        with pytest.raises(errors.ControllerGone) as error:
            while True:
                touch()
        assert time.monotonic() - begin < IN_TIME
        says(error, "gone")
    assert "gone" in ctrl.state and "SIGKILL" in repr(ctrl)
    ctrl.close()
    assert ctrl.closed and gone(ctrl.function.process.pid)


def test_killed_in_the_middle_of_a_command(qemu):
    ctrl = qemu.attach(size="1M")
    request = ctrl.submit(cmd.async_event_request())
    died = []
    timer = threading.Timer(0.05, lambda: died.append(kill(ctrl)))
    timer.start()
    with pytest.raises(errors.ControllerGone) as error:
        request.wait(timeout=10)
    assert time.monotonic() - died[0] < IN_TIME
    says(error, "Asynchronous Event Request", "gone", "SIGKILL", "attach again")


def test_killed_in_the_middle_of_reads(qemu):
    ctrl = qemu.attach(size="8M")
    died = []
    timer = threading.Timer(0.05, lambda: died.append(kill(ctrl)))
    timer.start()
    with pytest.raises(errors.ControllerGone) as error:
        while True:
            ctrl.namespaces[1].read(0, 16384)
    assert time.monotonic() - died[0] < IN_TIME
    says(error, "gone")
    ctrl.close()
    with nvlab.attach("qemu:size=1M") as again:  # the session lives
        again.namespaces[1].write(0, b"alive")
        assert bytes(again.namespaces[1].read(0))[:5] == b"alive"
    assert gone(ctrl.function.process.pid) and gone(again.function.process.pid)


@pytest.mark.parametrize("how", ["wait", "stop", "close"])
def test_killed_in_the_middle_of_perf(qemu, how):
    ctrl = qemu.attach(size="8M", namespaces=2)
    perf = Perf(ctrl, workload="randrw", depth=32, seconds=60).start()
    while not perf.snapshot().ios:
        time.sleep(0.001)
    begin = kill(ctrl)
    if how == "close":
        ctrl.close()
    else:
        with pytest.raises(errors.ControllerGone) as error:
            getattr(perf, how)()
        says(error, "perf: the controller vanished", "I/Os", "attach again")
    assert time.monotonic() - begin < IN_TIME and not perf.running
    assert perf.snapshot().ios > 0 and repr(perf)
    ctrl.close()
    assert gone(ctrl.function.process.pid)
    with nvlab.attach("qemu:size=1M") as again:
        assert Perf(again, count=100).run().ios == 100


def test_killed_while_it_hangs(qemu):
    """A QEMU that stands still answers no register read; when it ends, whoever waits for the answer hears of it."""
    ctrl = qemu.attach(size="1M", timeout=0.1)
    pair = ctrl.create_io_queue_pair(4)
    os.kill(ctrl.function.process.pid, signal.SIGSTOP)
    died = []
    timer = threading.Timer(0.4, lambda: died.append(kill(ctrl)))
    timer.start()
    with pytest.raises(errors.ControllerError):
        pair.submit(cmd.flush(nsid=1)).wait()
    timer.join()
    assert time.monotonic() - died[0] < IN_TIME
    ctrl.close()
    assert gone(ctrl.function.process.pid)


# -- forged completions

def forge(pair, slot, cid, phase):
    """Write a completion that no controller posted into the completion queue's memory."""
    entry = bytearray(16)
    entry[10:12] = pair.qid.to_bytes(2, "little")
    entry[12:14] = cid.to_bytes(2, "little")
    entry[14] = phase
    pair.cq.entries[slot] = entry


@pytest.mark.parametrize("cid", [0, 5, 8, 0x4000, 0xFFFF])
def test_a_forged_completion_in_perf(device, ctrl, cid):
    """The one command of the run completes into slot 0; slot 1 then holds what nobody asked for (0: the same once more)."""
    device.moves_by_itself(ctrl)
    perf = Perf(ctrl, workload="read", io_size=512, depth=8, count=1)
    create = ctrl.create_io_queue_pair

    def created(depth, qid=None, vector=None):
        pair = create(depth, qid, vector)
        forge(pair, 1, cid, 1)
        return pair

    ctrl.create_io_queue_pair = created
    perf.start()
    with pytest.raises(errors.ControllerError) as error:
        perf.wait()
    del ctrl.create_io_queue_pair
    says(error, "perf", "completed a command that was not outstanding", "disable()")
    assert not perf.running
    pair = next(iter(ctrl.io.values()))
    with pytest.raises(errors.QueueBusy, match="reset"):
        pair.submit(cmd.flush(nsid=1))
    ctrl.namespaces[1].flush()                   # other queues go on
    ctrl.start()
    assert Perf(ctrl, count=100).run().ios == 100


def test_a_forged_completion_for_python(ctrl):
    pair = ctrl.create_io_queue_pair(8)
    forge(pair, pair.cq.head, 0x1234, pair.cq.phase)
    found = pair.poll()
    assert [int(completion.cid) for completion in found] == [0x1234]         # shown, and nobody's
    assert not pair.sq.outstanding
    ctrl.start()
    ctrl.namespaces[1].flush()
