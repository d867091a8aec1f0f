"""nvlab: an NVMe laboratory. Drive a real userspace NVMe driver one step at a time, or at full speed.

    ctrl = nvlab.attach("embedded")        # ready for I/O: identified, queues on demand
    ctrl = nvlab.probe("embedded:mode=manual")   # mapped, nothing written yet: every step is yours

An address says where the controller is: `embedded`, `qemu`; see nvlab.pci.
"""
import importlib

__version__ = "0.1.0"

_LAZY = {
    "cmd": ("nvlab.spec.commands", "cmd"), "Command": ("nvlab.spec.commands", "Command"),
    "Completion": ("nvlab.spec.commands", "Completion"), "Controller": ("nvlab.host.controller", "Controller"),
    "Perf": ("nvlab.host.perf", "Perf"), "errors": ("nvlab.spec.errors", None), "spec": ("nvlab.spec", None),
    "Trace": ("nvlab.trace", "Trace"), "watch": ("nvlab.trace.watch", "watch"), "trace": ("nvlab.trace", None),
    "lab": ("nvlab.lab", None), "explore": ("nvlab.lab", "explore"), "debug": ("nvlab.trace.debug", "Debugger"),
    **{name: ("nvlab.spec.errors", name) for name in (
        "Error", "UsageError", "DeviceNotFound", "QueueBusy", "RegisterError", "ControllerError", "ControllerTimeout",
        "ControllerFatal", "ControllerGone", "NvmeStatusError")},
}

__all__ = ["attach", "probe", "__version__", *_LAZY]


def probe(address="embedded", timeout=10.0):
    """Find and map the controller at `address`; nothing is written to it yet. Returns a Controller.

    `timeout` is how many seconds a command may take. Raises UsageError or DeviceNotFound.
    """
    from nvlab import pci
    from nvlab.host.controller import Controller
    function = pci.open(address)
    try:
        ctrl = Controller(function, timeout)
    except BaseException:
        function.close()
        raise
    ctrl.explain = _why
    return ctrl


def _why(ctrl):
    """What ctrl.why() asks: the host doesn't know the checker, which knows both ends."""
    from nvlab.trace.why import why
    return why(ctrl)


def attach(address="embedded", timeout=10.0):
    """Find the controller at `address` and bring it up: all of ctrl.steps(). Returns it ready for I/O; a context manager."""
    ctrl = probe(address, timeout)
    try:
        return ctrl.start()
    except BaseException:
        ctrl.close()
        raise


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'nvlab' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__():
    return sorted(__all__)
