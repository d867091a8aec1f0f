"""A drive to be broken, and a queue pair to see it by: what the fault tests share."""
import time

import pytest

import nvlab

MODES = ("manual", "inline", "thread")


@pytest.fixture(params=MODES)
def ctrl(request):
    """An attached embedded controller, in each mode."""
    with nvlab.attach(f"embedded:mode={request.param},size=1M", timeout=2) as ctrl:
        yield ctrl


@pytest.fixture
def faults(ctrl):
    """Its drive's faults."""
    return ctrl.ssd.faults


def post(pair, *commands):
    """Put commands into the queue and ring once. Returns their Requests."""
    requests = [pair.sq.post_request(command)[0] for command in commands]
    pair.sq.ring()
    return requests


def seen(pair, count, seconds=1.0):
    """The next `count` completions of a queue pair, whoever they are for; what is there after `seconds`."""
    found, ssd, end = [], pair.controller.ssd, time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        if ssd.mode == "manual":
            ssd.step()
        found += pair.poll()
    return found


def until(pair, condition):
    """Poll until `condition()` holds, for a second at most; asserts that it does."""
    end = time.monotonic() + 1
    while not condition() and time.monotonic() < end:
        seen(pair, 1, 0.002)
    assert condition()


def all_seen(pair, count=0):
    """The next `count` completions, and what comes within 10 ms after them."""
    return seen(pair, count) + seen(pair, 1 << 16, 0.01)


def cids(completions):
    """Their command identifiers."""
    return [int(completion.cid) for completion in completions]
