"""A driver that is misused, forked, interrupted or lied to: a clear exception in time, and nothing else suffers."""
import os
import sys
import time

import numpy as np
import pytest

import nvlab
from nvlab import cmd
from nvlab.spec.errors import ControllerError, ControllerGone, ControllerTimeout, UsageError
from nvlab.spec.identify import NamespaceList


@pytest.fixture
def ctrl():
    with nvlab.attach("embedded:mode=inline,size=1M", timeout=2) as ctrl:
        yield ctrl


def test_one_command_object_submitted_twice(ctrl):
    """Each request goes by its own identifier, though the Command carries the last one."""
    pair, flush = ctrl.create_io_queue_pair(8), cmd.flush(nsid=1)
    requests = [pair.submit(flush) for _ in range(3)]
    assert [request.cid for request in requests] == [0, 1, 2]
    for request in requests:
        assert int(request.wait().cid) == request.cid
    assert not pair.sq.outstanding


def test_more_commands_than_half_the_identifiers():
    with nvlab.attach("embedded:mode=manual,mqes=65536,size=1M") as ctrl:
        pair, flush = ctrl.create_io_queue_pair(65536), cmd.flush(nsid=1)
        pair.sq.outstanding.update(dict.fromkeys(range(0x8100)))
        assert pair.sq.post(flush) == 0 and flush.cid == 0x8100
        pair.sq.outstanding.update(dict.fromkeys(range(0xFFFF)))
        with pytest.raises(UsageError, match="identifiers are outstanding"):
            pair.sq.post(flush)
        pair.sq.outstanding.clear()


def test_a_wait_ends_though_completions_never_cease(ctrl):
    """Whoever floods a completion queue with what nobody asked for can't hold up the deadline."""
    pair = ctrl.create_io_queue_pair(4)
    cq = pair.cq

    def flood(blocking=False):
        cq.entries[cq.head][8:16] = [0, 0, 9, 0, 0x77, 0x77, cq.phase, 0]

    cq.pump, start = flood, time.monotonic()
    with pytest.raises(ControllerTimeout):
        pair.execute(cmd.flush(nsid=1), timeout=0.2)
    assert time.monotonic() - start < 2


def test_a_namespace_list_that_never_ends(ctrl, monkeypatch):
    endless = bytes(NamespaceList.of(range(1, 1025)))
    monkeypatch.setattr(ctrl, "identify_data", lambda cns, nsid=0: endless)
    with pytest.raises(ControllerError, match="ascend"):
        ctrl.namespace_ids()


def test_an_event_callback_that_raises(ctrl):
    """The exception comes out; the next event does too, and the slots were given back."""
    def explode(event):
        raise ZeroDivisionError("the callback's own")

    ctrl.on_event.append(explode)
    for value in (1, 2):
        ctrl.bar.write32(0x1000 + 8 * 40, value)             # a queue that doesn't exist
        with pytest.raises(ZeroDivisionError):
            for _ in range(3):
                ctrl.identify()
        assert ctrl.admin.cq.rung == ctrl.admin.cq.head
        ctrl.error_log()                                     # unmasks
    assert len(ctrl.events) == 2


def test_data_that_is_not_contiguous(ctrl):
    """From such a view's address on, a transfer would run over its neighbours."""
    buffer = ctrl.alloc(8192)
    for view in (buffer[::2], buffer.view(np.uint32)[1024:][::-1], bytearray(4096), np.zeros(4096, np.uint8)):
        with pytest.raises(UsageError, match="contiguous"):
            ctrl.execute(cmd.identify(cns=1), view)
    assert not buffer.any()


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), None, "soon"])
def test_timeouts_that_can_not_be(timeout):
    with pytest.raises(UsageError, match="timeout="):
        nvlab.probe("embedded:size=1M", timeout)


@pytest.mark.parametrize("settings", [
    {"seconds": float("inf")}, {"seconds": float("nan")}, {"seconds": 1e12}, {"count": 1 << 70}, {"seed": -1}, {"seed": 1 << 64},
    {"io_size": 4096.0}, {"depth": 2.0}, {"qpairs": 1.5}, {"io_size": 1 << 33}, {"region": -1}])
def test_perf_settings_that_can_not_be(ctrl, settings):
    with pytest.raises(UsageError):
        nvlab.Perf(ctrl, **{"count": 1} | settings)


def test_perf_with_more_blocks_than_a_command_can_name():
    """NLB has 16 bits: one block more would be a command that moves one block."""
    with nvlab.attach("embedded:size=64M,mdts=0,dma=256M") as ctrl:
        assert nvlab.Perf(ctrl, depth=1, io_size=65536 * 512, count=1).run().bytes == 65536 * 512
        with pytest.raises(UsageError, match="65536 blocks"):
            nvlab.Perf(ctrl, depth=1, io_size=65537 * 512, count=1)


@pytest.mark.parametrize("mode", ["inline", "thread"])
@pytest.mark.parametrize("verify", [False, True])
def test_a_reset_cuts_perf_off_at_once(mode, verify):
    """No doorbell of its loops may reach the queues that come after the reset."""
    with nvlab.attach(f"embedded:mode={mode},size=1M", timeout=10) as ctrl:
        perf = nvlab.Perf(ctrl, depth=16, verify=verify, qpairs=2).start()
        start = time.monotonic()
        ctrl.start()
        with pytest.raises(ControllerError, match="reset cut the run off"):
            perf.wait()
        assert time.monotonic() - start < 3 and not perf.running
        ctrl.namespaces[1].write(0, b"good as new")
        assert perf.start().stop().ended == "stopped"


def test_the_error_log_of_a_controller_not_identified():
    with nvlab.probe("embedded:mode=inline,size=1M") as ctrl:
        ctrl.create_admin_queue()
        ctrl.enable()
        assert len(ctrl.error_log(2)) == 2


def test_an_interrupted_close_still_lets_go(monkeypatch):
    ctrl = nvlab.attach("embedded:mode=thread,size=1M")

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(ctrl, "shutdown", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ctrl.close()
    assert ctrl.function.closed


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="forks")
@pytest.mark.parametrize("address", ["embedded:mode=inline,size=1M", pytest.param("qemu:size=1M", marks=pytest.mark.require("qemu"))])
@pytest.mark.parametrize("use", [False, True])
def test_a_fork_leaves_the_device_to_its_parent(address, use):
    with nvlab.attach(address, timeout=3) as ctrl:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if use:
                    ctrl.namespaces[1].write(1, b"from the child")
                ctrl.close()
                ctrl.function.close()
                status = 0
            except ControllerGone as error:
                status = 0 if "fork" in str(error) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        ctrl.namespaces[1].write(0, b"still here")
        assert bytes(ctrl.namespaces[1].read(0))[:10] == b"still here"
    with pytest.raises(ControllerGone):
        ctrl.identify()
