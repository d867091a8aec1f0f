"""QEMU's NVMe device as a Function: a QEMU that runs no guest, driven through its qtest socket, its RAM shared with us.

The CPU executes `cli; hlt` from a BIOS of ours and sleeps; the device model runs, and we play the guest's driver.
"""
import contextlib
import mmap
import os
import re
import socket
import weakref

from nvlab._core.memory import DmaPool
from nvlab._core.qtest import QtestBar, QtestChannel
from nvlab.pci import qemu_command
from nvlab.pci.config_space import ConfigSpace
from nvlab.pci.function import Function
from nvlab.pci.process import Child, above_stdio, anonymous_file, fd_path
from nvlab.spec.errors import ControllerGone, DeviceNotFound, UsageError

BAR0_BASE = 0xE000_0000            # in q35's 32-bit PCI window
RAM_FIRST = 16 << 20               # below lie the BIOS, the VGA hole and the ISA hole: RAM, but not all of it to devices


def open_qemu(address):
    """Start QEMU with the NVMe device that `address` describes and return its QemuFunction.

    Raises DeviceNotFound when QEMU or the image is missing or locked, UsageError when QEMU refuses an option.
    """
    machine = Machine(address)
    try:
        return QemuFunction(address, machine)
    except BaseException:
        machine.close()
        raise


class QemuFunction(Function):
    """The NVMe device of a QEMU that belongs to this object and ends with it.

    `process` is the child (`process.pid`); `channel` takes any qtest command.
    """

    def __init__(self, address, machine):
        self.machine = machine
        self.process = machine.process
        self.channel = machine.channel
        try:
            self.config = config = ConfigSpace(machine.channel)
            slot = config.find_nvme()
            size = config.place_bar0(*slot, BAR0_BASE)
            ids = config.ids(*slot)
            bar = QtestBar(machine.channel, BAR0_BASE, size)
            msix = config.msix(*slot, bar)
        except ControllerGone:
            raise machine.refusal() from None
        super().__init__(address, bar, DmaPool(memory=machine.ram, base=0, first=RAM_FIRST), ids, model="QEMU NVMe controller")
        self.slot, self.msix = slot, msix
        if msix is not None:
            bar.doorbell_end = msix.table_offset
        self._finalizer = weakref.finalize(self, machine.close)

    def gone(self):
        """Why the device vanished ("QEMU (pid 7) was killed by SIGKILL"), or None while it is there."""
        if self.closed:
            return super().gone()
        ending = self.process.ending()
        return f"QEMU (pid {self.process.pid}) {ending}" if ending else self.channel.dead

    def line_level(self):
        """True while the interrupt line is asserted, as the Status register of configuration space says."""
        return self.config.interrupt_status(*self.slot)

    def trace(self):
        """The rules that the driver broke so far, one line each as QEMU traced them: a correct driver gets [].

        Raises UsageError when the address said trace=off.
        """
        return self.machine.trace()

    def _release(self):
        self._finalizer()


class Machine:
    """A QEMU process, its qtest channel, its RAM and its trace; close() gives all of it back, the trace as it stood."""

    def __init__(self, address):
        self.address = address
        self.final_trace = None
        binary = qemu_command.find_binary(address.options["binary"])
        self.log = open_log(address.options) if address.options["trace"] else None
        try:
            with contextlib.ExitStack() as inherited:
                self._start(binary, inherited)
        except BaseException:
            if self.log:
                self.log.close()
            raise

    def _start(self, binary, inherited):
        """Start the process. What it inherits is ours only until then."""
        options = self.address.options
        ram = inherited.enter_context(anonymous_file("ram", options["dma"]))
        firmware = inherited.enter_context(anonymous_file("bios"))
        firmware.write(qemu_command.bios())
        files = [] if options["image"] or options["bdev"] == "null" else range(options["namespaces"])
        disks = [inherited.enter_context(anonymous_file("disk", options["size"])) for _ in files]
        ours, theirs = (above_stdio(end.detach()) for end in socket.socketpair())
        inherited.callback(os.close, theirs)
        self.channel = QtestChannel(ours)
        self.ram = mmap.mmap(ram.fileno(), options["dma"])

        keep = [file.fileno() for file in (ram, firmware, *disks)] + [theirs]
        arguments = qemu_command.machine_arguments(options["dma"], *map(fd_path, keep[:2]), theirs)
        arguments += qemu_command.disk_arguments(options, [fd_path(disk.fileno()) for disk in disks])
        arguments += qemu_command.device_arguments(self.address)
        if self.log:
            keep.append(self.log.fileno())
            arguments += qemu_command.trace_arguments(fd_path(self.log.fileno()))
        try:
            self.process = Child([binary, *arguments], keep)
        except OSError as error:
            raise DeviceNotFound(f"qemu: {binary} can't be started: {error.strerror}") from None

    def trace(self):
        """The broken rules so far."""
        if self.log is None:
            raise UsageError(f"{self.address}: there is no trace; open it without trace=off")
        if self.final_trace is not None:
            return list(self.final_trace)
        fd = self.log.fileno()
        text = os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="replace")
        return re.findall(r"^.*?(pci_nvme_(?:ub|err)\S*.*)$", text, re.MULTILINE)

    def refusal(self):
        """The exception for a QEMU that ended, or fell silent, before the device was found."""
        self.process.wait(1)
        return qemu_command.refusal(self.address, self.process.output(), self.process.ending() or self.channel.dead)

    def close(self):
        """Stop QEMU and wait until it is gone, its image unlocked. Harmless when repeated, and in a fork of our process."""
        if self.process.owner != os.getpid():
            return                               # the socket is shared, and the parent still needs it
        self.channel.close()
        self.process.stop()
        if self.log and self.final_trace is None:
            self.final_trace = self.trace()
            self.log.close()


def open_log(options):
    """The file that QEMU writes its trace to: options["log"], or one without a path. Raises UsageError."""
    if not options["log"]:
        return anonymous_file("trace")
    try:
        fd = os.open(options["log"], os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UsageError(f"qemu: log={options['log']}: {error.strerror}") from None
    return open(above_stdio(fd), "r+b", buffering=0)
