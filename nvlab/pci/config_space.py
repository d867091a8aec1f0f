"""PCI configuration space by hand, as a BIOS does it: find the NVMe function, size its BAR, place it, enable it."""
import threading

from nvlab.pci.msix import TABLE_SIZE, Msix
from nvlab.spec.errors import DeviceNotFound

CONFIG_ADDRESS, CONFIG_DATA = 0xCF8, 0xCFC     # PCI local bus 3.0, 3.2.2.3.2
VENDOR_DEVICE, COMMAND, CLASS, BAR0, BAR1, SUBSYSTEM, CAPABILITIES = 0x00, 0x04, 0x08, 0x10, 0x14, 0x2C, 0x34
MEMORY_SPACE, BUS_MASTER = 1 << 1, 1 << 2      # bits of COMMAND
NVME_CLASS = 0x010802                          # mass storage, non-volatile memory, NVMe I/O controller (PCI class codes, base class 01h)
INTERRUPT_STATUS, HAS_CAPABILITIES = 1 << 19, 1 << 20                    # bits 3 and 4 of Status, the dword's upper half
MSIX = 0x11                                    # its capability ID (PCI 3.0, appendix H)
TYPE_64_BIT = 0b100                            # in a memory BAR's low bits


class ConfigSpace:
    """Configuration space of PCI bus 0, through the port accesses of a qtest channel."""

    def __init__(self, channel):
        self.channel = channel
        self.lock = threading.Lock()             # an access is two commands

    def read(self, device, function, offset):
        """The dword at `offset` of 00:device.function; all ones where nothing answers."""
        with self.lock:
            self.channel.command(f"outl {CONFIG_ADDRESS:#x} {self.select(device, function, offset):#x}")
            return int(self.channel.command(f"inl {CONFIG_DATA:#x}"), 16)

    def write(self, device, function, offset, value):
        """Write the dword at `offset` of 00:device.function."""
        with self.lock:
            self.channel.command(f"outl {CONFIG_ADDRESS:#x} {self.select(device, function, offset):#x}")
            self.channel.command(f"outl {CONFIG_DATA:#x} {value:#x}")

    @staticmethod
    def select(device, function, offset):
        return 1 << 31 | device << 11 | function << 8 | offset

    def find_nvme(self):
        """(device, function) of the first NVMe controller on bus 0. Raises DeviceNotFound."""
        for device in range(32):
            if self.read(device, 0, VENDOR_DEVICE) != 0xFFFFFFFF and self.read(device, 0, CLASS) >> 8 == NVME_CLASS:
                return device, 0
        raise DeviceNotFound("no NVMe controller on PCI bus 0")

    def ids(self, device, function):
        """{"vid", "did", "ssvid", "ssid"} of a function."""
        own, subsystem = self.read(device, function, VENDOR_DEVICE), self.read(device, function, SUBSYSTEM)
        return {"vid": own & 0xFFFF, "did": own >> 16, "ssvid": subsystem & 0xFFFF, "ssid": subsystem >> 16}

    def place_bar0(self, device, function, base):
        """Put BAR0 at `base`, let the function answer there and reach memory. Its size in bytes."""
        self.write(device, function, BAR0, 0xFFFFFFFF)
        answer = self.read(device, function, BAR0)
        mask = answer & ~0xF
        if answer & TYPE_64_BIT:
            self.write(device, function, BAR1, base >> 32)
        self.write(device, function, BAR0, base & 0xFFFFFFFF)
        command = self.read(device, function, COMMAND) & 0xFFFF          # the upper half is Status, cleared by ones
        self.write(device, function, COMMAND, command | MEMORY_SPACE | BUS_MASTER)
        return (~mask & 0xFFFFFFFF) + 1

    def capability(self, device, function, wanted):
        """The offset of the capability with ID `wanted`, or None; a list that runs in circles ends (PCI 3.0, 6.7)."""
        if not self.read(device, function, COMMAND) & HAS_CAPABILITIES:
            return None
        at, seen = self.read(device, function, CAPABILITIES) & 0xFC, set()
        while at and at not in seen:
            seen.add(at)
            head = self.read(device, function, at)
            if head & 0xFF == wanted:
                return at
            at = head >> 8 & 0xFC
        return None

    def interrupt_status(self, device, function):
        """True while the function asserts its interrupt line (Status bit 3)."""
        return bool(self.read(device, function, COMMAND) & INTERRUPT_STATUS)

    def msix(self, device, function, bar):
        """The function's Msix, whose table must lie in `bar`, BAR0; None without one."""
        at = self.capability(device, function, MSIX)
        if at is None:
            return None
        table, pba = self.read(device, function, at + 4), self.read(device, function, at + 8)
        if table & 7 or pba & 7:                 # BIR: another BAR than 0
            return None

        def read_control():
            return self.read(device, function, at) >> 16

        def write_control(value):                # ID and Next are read-only
            self.write(device, function, at, value << 16)

        return Msix(bar, (read_control() & TABLE_SIZE) + 1, table & ~7, pba & ~7, read_control, write_control)
