"""Faults of the controller as a whole: not ready, slow to be, fatal, gone and back again."""
import contextlib
import time

import pytest

import nvlab
from nvlab import Perf
from nvlab.spec import errors
from nvlab.spec.commands import cmd
from nvlab.spec.registers import CC

from .faulty import all_seen, ctrl, faults, post, until  # noqa: F401


def moved_nothing(pair):
    """Assert that the completion queue's memory stays as it is: the drive is gone."""
    before = bytes(pair.cq.entries)
    with contextlib.suppress(errors.ControllerGone):     # which a poll may find out
        all_seen(pair)
    assert bytes(pair.cq.entries) == before


def test_never_ready(ctrl, faults):
    ctrl.disable()
    ctrl.create_admin_queue()
    fault = faults.never_ready(count=1)
    ctrl.regs.write(CC, CC.encode(EN=1, IOSQES=6, IOCQES=4))
    time.sleep(0.02)
    assert ctrl.csts == 0
    assert fault.hits == 1 and fault.state == "spent" and not ctrl.ssd.datapath.defer
    ctrl.regs.write(CC, 0)
    ctrl.start()
    ctrl.namespaces[1].flush()


def test_never_ready_the_second_time(ctrl, faults):
    fault = faults.never_ready(after=1)
    ctrl.disable(), ctrl.start()
    assert (fault.hits, fault.passed) == (0, 1)
    ctrl.disable(), ctrl.create_admin_queue()
    ctrl.regs.write(CC, CC.encode(EN=1, IOSQES=6, IOCQES=4))
    time.sleep(0.01)
    assert ctrl.csts.RDY == 0 and fault.hits == 1
    ctrl.regs.write(CC, 0)
    fault.remove()
    ctrl.start()


def test_slow_ready(ctrl, faults):
    ctrl.disable()
    fault = faults.slow_ready(0.05)
    begin = time.monotonic()
    ctrl.start()
    assert 0.05 <= time.monotonic() - begin < 0.5 and fault.hits == 1
    ctrl.namespaces[1].flush()


def test_a_reset_in_a_slow_start_forgets_it(ctrl, faults):
    ctrl.disable(), ctrl.create_admin_queue()
    faults.slow_ready(0.01)
    ctrl.regs.write(CC, CC.encode(EN=1, IOSQES=6, IOCQES=4))
    ctrl.regs.write(CC, 0)
    time.sleep(0.02)
    assert ctrl.csts == 0 and ctrl.ssd.controller.ready_at is None


def test_fatal_now(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    fault = faults.fatal()
    assert ctrl.csts.CFS == 1 and fault.hits == 1 and fault.state == "spent" and not ctrl.ssd.datapath.defer
    requests = post(pair, *[cmd.flush(nsid=1)] * 3)
    admin, = post(ctrl.admin, cmd.identify(cns=1, prp1=ctrl.alloc(4096)))
    assert not all_seen(pair) and not all_seen(ctrl.admin) and not admin.done and not any(request.done for request in requests)
    ctrl.disable()
    assert ctrl.csts == 0
    ctrl.start()
    ctrl.namespaces[1].flush()


def test_fatal_at_a_command(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    fault = faults.fatal(opcode="Flush", after=2)
    late = faults.delay(0.01, count=1)
    requests = post(pair, *[cmd.flush(nsid=1)] * 5)
    until(pair, lambda: fault.hits == 1 and requests[1].done)
    time.sleep(0.01), all_seen(pair)
    assert [request.done for request in requests] == [False, True, False, False, False] and ctrl.csts.CFS == 1
    assert fault.state == "spent" and late.hits == 1 and not len(ctrl.ssd.held_back)
    ctrl.disable(), ctrl.start()
    ctrl.namespaces[1].flush()                           # once unless count says otherwise


def test_vanish_now(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    ctrl.namespaces[1].write(0, b"kept")
    faults.vanish()
    assert ctrl.function.gone() == "the embedded drive vanished (fault)"
    for offset in (0x00, 0x08, 0x14, 0x1C, 0x40):
        assert ctrl.bar.read32(offset) == 0xFFFFFFFF
    assert ctrl.bar.read64(0) == 0xFFFFFFFFFFFFFFFF
    ctrl.bar.write32(0x14, 0x460001)
    post(pair, cmd.flush(nsid=1))
    moved_nothing(pair)
    assert ctrl.ssd.step() is None and ctrl.ssd.pump() == 0
    assert "gone: the embedded drive vanished" in ctrl.state and "return_()" in faults.table().text()
    with pytest.raises(errors.ControllerGone, match="vanished"):
        ctrl.namespaces[1].read(0)
    with pytest.raises(errors.ControllerGone):
        ctrl.disable()
    with pytest.raises(errors.UsageError, match="vanished"):
        faults.fatal()
    faults.vanish()                                      # already
    faults.return_(), faults.return_()
    assert ctrl.function.gone() is None and ctrl.bar.read32(0x14) == 0 and ctrl.bar.read32(0x1C) == 0


def test_a_drive_that_came_back_has_its_data(ctrl, faults):
    ctrl.namespaces[1].write(0, b"kept")
    address = ctrl.address
    faults.vanish()
    faults.return_()
    ctrl.start()
    assert bytes(ctrl.namespaces[1].read(0))[:4] == b"kept" and ctrl.address == address


def test_vanish_at_a_command(ctrl, faults):
    pair = ctrl.create_io_queue_pair(8)
    fault = faults.vanish(opcode="Flush", after=2)
    requests = post(pair, *[cmd.flush(nsid=1)] * 5)
    while not ctrl.ssd.gone:
        ctrl.ssd.mode == "manual" and ctrl.ssd.step()
        ctrl.ssd.mode == "inline" and ctrl.ssd.pump()
    assert [bool(entry[14] & 1) for entry in pair.cq.entries] == [True, True] + [False] * 6 and len(requests) == 5
    assert ctrl.ssd.gone and fault.hits == 1
    with pytest.raises(errors.ControllerGone):
        ctrl.csts


@pytest.mark.parametrize("mode", ["inline", "thread"])
@pytest.mark.parametrize("what, error, timeout", [
    ("vanish", errors.ControllerGone, 30), ("fatal", errors.ControllerFatal, 30), ("drop", errors.ControllerTimeout, 0.1)])
def test_perf_notices(mode, what, error, timeout):
    with nvlab.attach(f"embedded:mode={mode},size=1M", timeout=timeout) as ctrl:
        getattr(ctrl.ssd.faults, what)(opcode="Read", after=500, count=1)
        begin = time.monotonic()
        with pytest.raises(error):
            Perf(ctrl, io_size=512, depth=16, workload="read", count=100000).run()
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize("mode", ["inline", "thread"])
def test_perf_at_depth_128_under_delays(mode):
    with nvlab.attach(f"embedded:mode={mode},size=1M", timeout=2) as ctrl:
        fault = ctrl.ssd.faults.delay(0.002, opcode="Read", after=100, count=20)
        result = Perf(ctrl, io_size=512, depth=128, workload="randrw", count=3000, seed=1).run()
        assert result.total.ios == 3000 and fault.hits == 20 and not ctrl.ssd.datapath.defer
        assert result.total.lat_max_us >= 2000
