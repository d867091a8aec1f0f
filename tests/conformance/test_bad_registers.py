"""Registers and doorbells misused: what doesn't exist, what can't be read or written, values that no queue has."""
import time

import pytest

import nvlab
from nvlab.spec import errors
from nvlab.spec.commands import cmd

from .conftest import Device, says

pytestmark = pytest.mark.negative
INVALID_DOORBELL_REGISTER, INVALID_DOORBELL_VALUE = 0x010000, 0x010100       # dw0: log 01h, information, type error


def test_a_register_that_does_not_exist(ctrl):
    with pytest.raises(errors.RegisterError) as error:
        ctrl.regs["CSTZ"]
    says(error, "'CSTZ'", "did you mean", "CSTS")
    with pytest.raises(AttributeError, match="did you mean"):
        ctrl.regs.CSTZ
    with pytest.raises(errors.RegisterError):
        ctrl.regs.CSTZ = 1
    for offset in (0x18, 0x15, 0x100, 0xFFF):
        with pytest.raises(errors.RegisterError) as error:
            ctrl.regs[offset].read()
        says(error, f"{offset:#x}", "reserve")
    with pytest.raises(AttributeError, match="ENN"):
        ctrl.regs.CC.ENN
    with pytest.raises((errors.UsageError, AttributeError)):
        ctrl.regs.CC.ENN = 1
    assert ctrl.regs.CC.EN == 1


def test_reading_a_write_only_register(ctrl):
    pair = ctrl.create_io_queue_pair(8)
    for name in ("SQ0TDBL", "CQ0HDBL", "SQ1TDBL", 0x1000, 0x100C):
        with pytest.raises(errors.RegisterError) as error:
            ctrl.regs[name].read()
        says(error, "TDBL" if name in ("SQ0TDBL", "SQ1TDBL", 0x1000) else "HDBL", "write-only", "sq.rung")
        with pytest.raises(errors.RegisterError):
            int(ctrl.regs[name])
    assert "SQ1TDBL" in repr(ctrl.regs["SQ1TDBL"]) and pair.sq.rung == 0
    assert not any(name.endswith("DBL") for name in ctrl.regs.snapshot())


def test_writing_a_read_only_register(ctrl):
    for name in ("CAP", "VS", "CMBSZ"):
        before = int(ctrl.regs[name])
        with pytest.raises(errors.RegisterError) as error:
            ctrl.regs[name].write(0)
        says(error, f"{name} is read-only")
        with pytest.raises(errors.RegisterError):
            setattr(ctrl.regs, name, 0)
        assert ctrl.regs[name] == before


def test_values_that_do_not_fit(ctrl):
    for write in (lambda: ctrl.regs.CC.write(1 << 32), lambda: ctrl.regs.AQA.write(-1), lambda: ctrl.bar.write32(0x14, 1 << 32),
                  lambda: setattr(ctrl.regs.CC, "IOSQES", 16)):
        with pytest.raises(errors.UsageError):
            write()
    assert ctrl.cc.EN == 1 and ctrl.csts.RDY == 1


def test_unaligned_and_out_of_the_bar(ctrl):
    bar = ctrl.bar
    for access, words in ((lambda: bar.read32(0x15), ["0x15", "aligned to 4"]), (lambda: bar.read64(0x14), ["0x14", "aligned to 8"]),
                          (lambda: bar.write32(0x1001, 1), ["0x1001", "aligned"]), (lambda: bar.read32(bar.size), ["outside"]),
                          (lambda: bar.write64(bar.size - 4, 1), ["outside"]), (lambda: bar.write32(-4, 1), ["outside"]),
                          (lambda: bar.read32(1 << 40), ["outside", f"{bar.size:#x}"])):
        with pytest.raises(errors.RegisterError) as error:
            access()
        says(error, *words)


def test_halves_of_a_64_bit_register(device):
    ctrl = device.probe()
    ctrl.bar.write32(0x28, 0x12345000)
    ctrl.bar.write32(0x2C, 0x1)
    assert ctrl.regs.ASQ.read() == 0x1_1234_5000 == ctrl.bar.read32(0x28) | ctrl.bar.read32(0x2C) << 32
    ctrl.bar.write64(0x30, 0x2_0000_7000)
    assert ctrl.bar.read64(0x30) == 0x2_0000_7000 and ctrl.bar.read32(0x34) == 2
    cap = ctrl.bar.read64(0)
    assert ctrl.bar.read32(0) | ctrl.bar.read32(4) << 32 == cap == int(ctrl.cap)


# -- doorbells

def wait_for_event(device, ctrl, count=1):
    """Poll the admin queue until `count` events are there, at most 10 s."""
    deadline = time.monotonic() + 10
    while len(ctrl.events) < count and time.monotonic() < deadline:
        device.settle(ctrl)
        ctrl.admin.poll()
        time.sleep(0.0005)
    return ctrl.events


@pytest.mark.parametrize("queue, value", [("SQ1TDBL", 8), ("SQ1TDBL", 0xFFFF), ("CQ1HDBL", 8), ("CQ1HDBL", 0xFFFF)])
def test_a_doorbell_value_past_the_queue(device, ctrl, queue, value):
    pair = ctrl.create_io_queue_pair(8)
    seen = []
    ctrl.on_event.append(seen.append)
    ctrl.regs[queue].write(value)
    assert wait_for_event(device, ctrl) == [INVALID_DOORBELL_VALUE] == seen
    ring = pair.sq if queue.startswith("SQ") else pair.cq
    ring.ring()                                  # the right value again, and the queue goes on
    for _ in range(20):
        assert pair.execute(cmd.flush(nsid=1)).ok
    ctrl.error_log()                             # read: the next one may be reported
    ctrl.regs[queue].write(value + 1 if value < 0xFFFF else 0xFFFE)
    assert wait_for_event(device, ctrl, 2) == [INVALID_DOORBELL_VALUE] * 2
    ring.ring()
    assert pair.execute(cmd.flush(nsid=1)).ok


@pytest.mark.parametrize("queue", ["SQ1TDBL", "CQ1HDBL", "SQ64TDBL", "CQ64HDBL"])
def test_a_doorbell_of_a_queue_that_does_not_exist(device, ctrl, queue):
    ctrl.regs[queue].write(1)
    assert wait_for_event(device, ctrl) == [INVALID_DOORBELL_REGISTER]
    qid = int(queue[2:-4])
    pair = ctrl.create_io_queue_pair(8, qid=qid)             # what was written to it before it existed doesn't count
    assert pair.execute(cmd.flush(nsid=1)).ok
    if device.embedded:
        assert ctrl.ssd.queue_state(qid)["sq_head"] == 1


def test_a_doorbell_gone_astray_while_others_are_busy():
    device = Device("thread")
    try:
        ctrl = device.attach(size="8M")
        ctrl.create_io_queue_pair(64)
        perf = nvlab.Perf(ctrl, io_size=512, depth=32, seconds=20).start()
        try:
            ctrl.regs["CQ9HDBL"].write(1)
            assert wait_for_event(device, ctrl) == [INVALID_DOORBELL_REGISTER] and perf.running
        finally:
            perf.stop()
    finally:
        device.close()


def test_events_are_silent_until_their_log_is_read(device, ctrl):
    pair = ctrl.create_io_queue_pair(8)
    for value in (9, 10, 11):
        ctrl.regs["SQ1TDBL"].write(value)
        wait_for_event(device, ctrl)
    for _ in range(20):
        device.settle(ctrl)
        ctrl.admin.poll()
    assert ctrl.events == [INVALID_DOORBELL_VALUE]
    pair.sq.ring()
    assert pair.execute(cmd.flush(nsid=1)).ok


def test_the_admin_doorbell_past_its_queue(device, ctrl):
    good = ctrl.admin.sq.tail
    ctrl.regs["SQ0TDBL"].write(ctrl.admin.depth)
    assert wait_for_event(device, ctrl) == [INVALID_DOORBELL_VALUE]
    assert ctrl.admin.sq.tail == (good + 1) % ctrl.admin.depth           # the next event request is on its way
    assert ctrl.identify_controller().sn == ctrl.id.sn
