"""Where a PCI NVMe function comes from: `open("embedded")`, `open("qemu:size=256M")` give a Function."""
import importlib

from nvlab.pci.address import Address, parse
from nvlab.pci.function import Function
from nvlab.pci.options import KINDS
from nvlab.spec.errors import DeviceNotFound

__all__ = ["Address", "Function", "KINDS", "WATCHERS", "open", "parse"]

WATCHERS = []
"""Called with each Function that open() has opened, in the thread that asked: how tools find the controller of code they run."""


def open(address="embedded"):
    """Open the function at `address` (a string or an Address) and return it mapped, with nothing written to the controller.

    Raises UsageError for a malformed address, DeviceNotFound when nothing is there or it can't be reached.
    """
    address = parse(address)
    opener = KINDS[address.kind].opener
    if opener is None:
        there = " and ".join(kind.name for kind in KINDS.values() if kind.opener)
        raise DeviceNotFound(f"{address}: {KINDS[address.kind].title}: this version of nvlab can't open that yet. It can open {there}")
    module, function = opener.split(":")
    opened = getattr(importlib.import_module(module), function)(address)
    for watcher in list(WATCHERS):
        watcher(opened)
    return opened
