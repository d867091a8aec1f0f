"""One suite, four devices: the embedded drive in its three modes, and QEMU's, which nobody here wrote.

A test asks for `ctrl` (attached) or for `device`, whose attach() and probe() open as many as it needs. After each test
QEMU's trace of broken rules must be empty, unless the test is marked `negative`: it breaks rules on purpose.
"""
import numpy as np
import pytest

import nvlab
from nvlab.spec.errors import Error

MODES = ("manual", "inline", "thread")
DEVICES = [*MODES, pytest.param("qemu", marks=pytest.mark.require("qemu"))]


def pytest_configure(config):
    config.addinivalue_line("markers", "negative: breaks rules on purpose; QEMU's trace may say so")


class Device:
    """A kind of device under test; opens controllers and remembers them."""

    def __init__(self, name):
        self.name, self.opened = name, []
        self.qemu = name == "qemu"
        self.embedded = not self.qemu
        self.manual = name == "manual"

    def address(self, **options):
        """The address of a device like this one, with options."""
        options = options if self.qemu else {"mode": self.name, **options}
        words = ",".join(f"{key}={value}" for key, value in options.items())
        kind = "qemu" if self.qemu else "embedded"
        return f"{kind}:{words}" if words else kind

    def probe(self, timeout=5.0, **options):
        """A controller that is mapped, nothing written yet."""
        ctrl = nvlab.probe(self.address(**options), timeout)
        self.opened.append(ctrl)
        return ctrl

    def attach(self, timeout=5.0, **options):
        """A controller that is ready."""
        return self.probe(timeout, **options).start()

    def moves_by_itself(self, ctrl):
        """Let a manual drive move in the host's poll, for what steps can't drive."""
        if self.manual:
            ctrl.ssd.mode = "inline"

    def settle(self, ctrl):
        """Let the device do what it was told, where nobody waits for it."""
        if self.manual:
            while ctrl.ssd.step():
                pass

    def close(self):
        """Close everything. Returns what QEMU's trace holds, all together."""
        broken = []
        for ctrl in self.opened:
            ctrl.close()
            if self.qemu:
                broken += ctrl.function.trace()
        return broken


@pytest.fixture(params=DEVICES)
def device(request):
    """The Device of this run."""
    device = Device(request.param)
    try:
        yield device
    finally:
        broken = device.close()
    if not request.node.get_closest_marker("negative"):
        assert broken == []


@pytest.fixture(params=MODES)
def embedded(request):
    """The Device of this run where only the embedded drive can do what the test needs."""
    device = Device(request.param)
    yield device
    device.close()


@pytest.fixture(params=[pytest.param("qemu", marks=pytest.mark.require("qemu"))])
def qemu(request):
    """QEMU's Device, for what only it can do."""
    device = Device(request.param)
    yield device
    device.close()


@pytest.fixture
def ctrl(device):
    """A ready controller with one namespace of 8 MiB in blocks of 512 bytes."""
    return device.attach(size="8M")


@pytest.fixture
def rng():
    """Random bytes that are the same in every run."""
    return np.random.default_rng(2)


def status_of(ctrl, command, data=None):
    """The Status that a command completes with, good or bad."""
    request = ctrl.submit(command, data)
    return status_of_request(request)


def status_of_request(request):
    request.sq.pair.wait(request)
    return request.completion.status


def says(error, *words):
    """Assert that an exception's message names each of `words`."""
    text = str(error.value if hasattr(error, "value") else error)
    assert isinstance(error.value if hasattr(error, "value") else error, Error)
    missing = [word for word in words if str(word).lower() not in text.lower()]
    assert not missing, f"{text!r} does not name {missing}"
