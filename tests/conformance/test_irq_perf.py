"""Perf with interrupts, on every device: the same counts and data, and what it took to get them."""
import time

import pytest

import nvlab
from nvlab import Perf
from nvlab.spec import errors
from tests.waiting import holds


@pytest.fixture
def perf_ctrl(device):
    """A controller that moves by itself, with two namespaces of 1 MiB."""
    ctrl = device.attach(size="1M", namespaces=2)
    device.moves_by_itself(ctrl)
    return ctrl


@pytest.mark.parametrize("depth, qpairs", [(1, 1), (16, 1), (4, 3)])
def test_counted_and_verified(perf_ctrl, depth, qpairs):
    perf = Perf(perf_ctrl, workload="randrw", io_size=4096, depth=depth, qpairs=qpairs, count=300, verify=True, seed=5, interrupts=True)
    result = perf.run()
    assert [row.ios for row in result.rows] == [300, 300] and result.errors == result.miscompares == 0 and result.ended == "count"
    assert result.settings["interrupts"] and 0 < result.interrupts == sum(row.interrupts for row in result.rows)
    assert perf_ctrl.io == {} and perf_ctrl.function.msix.enabled
    assert {worker.interrupt.number for worker in perf.workers} == {1, 2}


def test_polling_needs_none(perf_ctrl):
    result = Perf(perf_ctrl, count=100, depth=4).run()
    assert result.interrupts == 0 and not result.settings["interrupts"] and not perf_ctrl.function.msix.enabled
    assert "by polling" in result.cost


def test_what_it_took(perf_ctrl):
    result = Perf(perf_ctrl, seconds=0.1, depth=4, warmup=0.05, nsids=[1], interrupts=True).run()
    assert result.ended == "time" and 0 < result.cpu < 2 * result.seconds * 1e9
    total = result.to_dict()["total"]
    assert total["cpu_seconds"] == result.cpu / 1e9 and total["interrupts"] == result.interrupts
    assert total["cpu_us_per_io"] == pytest.approx(result.cpu / 1000 / result.ios) and 0 < total["cpu_percent"] < 200
    assert f"by {result.interrupts} interrupts" in result.cost


def test_a_slow_drive_is_slept_for():
    with nvlab.attach("embedded:mode=thread,size=1M") as ctrl:
        ctrl.ssd.faults.delay(0.002)
        for _ in range(5):                       # on a busy machine, polling gives its time away, too
            polled, slept = (Perf(ctrl, count=100, depth=1, interrupts=on).run() for on in (False, True))
            assert slept.ios == polled.ios == 100 and slept.interrupts >= 100
            if slept.cpu_us_per_io < polled.cpu_us_per_io / 3 and slept.cpu_percent < 30:
                return
    raise AssertionError(f"to sleep cost {slept.cpu_us_per_io:g} us an I/O, to poll {polled.cpu_us_per_io:g}")


def test_stopped_in_time(perf_ctrl):
    perf = Perf(perf_ctrl, seconds=60, depth=4, nsids=[1], interrupts=True).start()
    assert holds(lambda: perf.snapshot().ios)
    begin = time.monotonic()
    assert perf.stop().ended == "stopped" and time.monotonic() - begin < 1


def test_a_mask_costs_time_only(perf_ctrl):
    perf_ctrl.function.interrupt(1).mask()
    assert Perf(perf_ctrl, count=8, depth=2, nsids=[1], interrupts=True).run().ios == 8


def test_a_reset_cuts_it_off(perf_ctrl):
    perf = Perf(perf_ctrl, seconds=60, depth=4, nsids=[1], interrupts=True).start()
    assert holds(lambda: perf.snapshot().ios)
    perf_ctrl.disable()
    with pytest.raises(errors.ControllerError, match="reset"):
        perf.wait()


def test_a_function_without_vectors(perf_ctrl):
    perf_ctrl.function.msix = None
    assert perf_ctrl.function.vectors == 0
    with pytest.raises(errors.UsageError, match="no MSI-X vectors"):
        Perf(perf_ctrl, interrupts=True)
    with pytest.raises(errors.UsageError, match="none: it has no MSI-X capability"):
        perf_ctrl.function.interrupt(0)
