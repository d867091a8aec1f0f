"""Asynchronous events: kept, handed on, readable; a handler that raises breaks nothing."""
import time

import pytest

import nvlab
from nvlab import cmd
from nvlab.host.events import KEPT, Events
from nvlab.spec.events import AsyncEvent

INVALID_DOORBELL = 0x1000 + 8 * 40


@pytest.fixture(params=["inline", "thread"])
def ctrl(request):
    with nvlab.attach(f"embedded:mode={request.param},size=1M", timeout=2) as ctrl:
        yield ctrl


def provoke(ctrl, value):
    """Make the drive report an event: its completion is there, and nobody has looked at the admin queue."""
    ctrl.bar.write32(INVALID_DOORBELL, value)
    end = time.monotonic() + 5
    while not ctrl.admin.cq.has_new() and time.monotonic() < end:
        ctrl.function.pump()                     # (a drive in a thread looks at such doorbells when it has nothing to do)
        time.sleep(0.001)
    assert ctrl.admin.cq.has_new(), "the drive reported nothing within 5 s"


def test_an_event_arrives_while_only_io_is_done(ctrl):
    seen = []
    ctrl.on_event.append(seen.append)
    ctrl.namespaces[1].flush()
    provoke(ctrl, 3)
    ctrl.namespaces[1].flush()
    assert seen == [0x10000] == ctrl.events
    assert "Write to Invalid Doorbell Register" in repr(ctrl.events[-1])


def test_poll_brings_events_and_io(ctrl):
    pair = ctrl.create_io_queue_pair(4)
    request, found = pair.submit(cmd.flush(nsid=1)), []
    ctrl.bar.write32(INVALID_DOORBELL, 3)
    while not (ctrl.events and request.done):
        found += ctrl.poll()
    assert len(found) == 2 and int(ctrl.events[0]) == 0x10000


def test_handlers_that_raise(ctrl):
    """All are called, the request is armed again, and the exception comes out of the wait once that is over."""
    seen = []

    def explode(event):
        seen.append(event)
        raise ZeroDivisionError

    ctrl.on_event += [explode, explode, seen.append]
    pair = ctrl.create_io_queue_pair(4)
    for n in (1, 2):
        provoke(ctrl, n)
        request = pair.submit(cmd.flush(nsid=1))
        with pytest.raises(ZeroDivisionError):
            request.wait()
        assert request.done and len(seen) == 3 * n == 3 * len(ctrl.events)
        while True:                              # reading the log lets the next one come
            try:
                ctrl.error_log(1)
                break
            except ZeroDivisionError:
                pass
    assert sum(r.command.opc == 0x0C for r in ctrl.admin.sq.outstanding.values()) == 1


def test_one_request_stays_armed(ctrl):
    for _ in range(3):
        ctrl.arm_async_events()
        ctrl.reset()
    ctrl.start()
    assert sum(r.command.opc == 0x0C for r in ctrl.admin.sq.outstanding.values()) == 1


def test_events_are_bounded():
    events = Events()
    for n in range(KEPT + 10):
        events.append(AsyncEvent(n))
    assert len(events) == KEPT and events[0] == 10 and events.dropped == 10


@pytest.mark.parametrize("dw0, words", [
    (0x10100, ["Error", "Invalid Doorbell Write Value", "01h", "Error Information"]),
    (0x20101, ["SMART", "Temperature Threshold", "02h"]), (0x40002, ["Notice", "Namespace Attribute Changed", "04h"]),
    (0x810106, ["I/O command specific", "Sanitize Operation Completed", "81h"]), (0x3, ["Immediate", "Shutdown"]),
    (0xC2EE07, ["Vendor", "eeh", "c2h"]), (0x5, ["type 5"])])
def test_what_an_event_says(dw0, words):
    event = AsyncEvent(dw0)
    assert event == dw0 and isinstance(event, int) and hash(event) == hash(dw0)
    assert (event.type, event.information, event.log_page) == (dw0 & 7, dw0 >> 8 & 0xFF, dw0 >> 16)
    assert all(word in repr(event) for word in words) and str(event) == repr(event)
