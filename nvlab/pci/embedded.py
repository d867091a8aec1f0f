"""The SSD model behind a BAR in this process: the one place where host and target meet without a wire."""
import mmap
import os

from nvlab import bdev
from nvlab._core.interrupt import Vector
from nvlab._core.memory import DmaPool
from nvlab._core.mmio import MappedBar
from nvlab.spec import registers
from nvlab.spec.errors import RegisterError, UsageError
from nvlab.target.pcie import Ssd
from nvlab.target.subsystem import MAX_NAMESPACES, Subsystem

from .function import Function
from .msix import Line, Msix, make_signal

DOORBELLS = 0x1000
IO_QUEUES = 64
PAGE = 4096
VENDOR = 0x1D1D
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EmbeddedBar(MappedBar):
    """Registers and the MSI-X table trap into the drive, as they do in a hypervisor; doorbells are plain shared memory.

    The table lies at byte `table`, the pending bits a page further.
    """

    def __init__(self, memory, table):
        super().__init__(memory)
        self.ssd, self.doorbell_end = None, table

    def __repr__(self):
        return f"<BAR0 of the embedded SSD: {self.size:#x} bytes, doorbells from {DOORBELLS:#x}>"

    def load(self, offset, width):
        """Trap a register read. Doorbells are write-only: RegisterError."""
        if self.ssd.gone:
            return (1 << 8 * width) - 1          # nobody answers
        if offset >= self.doorbell_end:
            interrupts, table = self.ssd.controller.interrupts, self.doorbell_end
            return interrupts.read(offset - table, width) if offset < table + PAGE else interrupts.pending(offset - table - PAGE, width)
        if offset >= DOORBELLS:
            raise RegisterError(f"register offset {offset:#x} is a doorbell, which is write-only: "
                                "ask the queue (sq.rung, cq.rung) what was written last")
        return self.ssd.read_register(offset, width)

    def store(self, offset, width, value):
        """Trap a register write; put a doorbell's value into shared memory."""
        if self.ssd.gone:
            return
        if offset < DOORBELLS:
            self.ssd.write_register(offset, value, width)
        elif offset >= self.doorbell_end:        # pending bits are read-only: they ignore it
            self.ssd.controller.interrupts.write(offset - self.doorbell_end, value, width)
        elif width == 4:
            super().store(offset, width, value)
        else:
            raise RegisterError(f"register offset {offset:#x}: doorbells are 32 bits wide (PCIe transport 1.0c 3.1.2)")


class EmbeddedFunction(Function):
    """The embedded SSD as a PCI function. `ssd` is the drive itself, to look into and to step."""

    def __init__(self, address, bar, dma, ssd):
        super().__init__(address, bar, dma, {"vid": VENDOR, "did": 0x0001, "ssvid": VENDOR, "ssid": 0x0001},
                         model="nvlab embedded SSD", ssd=ssd)
        interrupts, table = ssd.controller.interrupts, bar.doorbell_end
        self.msix = Msix(bar, interrupts.count, table, table + PAGE, lambda: interrupts.control,
                         lambda value: setattr(interrupts, "control", value))

    def pump(self, blocking=False):
        """Let the drive move where the host has to: in a poll (inline), or in a call that waits (manual too).

        A call that blocks its caller would wait for ever for somebody to step a manual drive, so it turns the crank itself.
        """
        if self.ssd.mode == "inline":
            self.ssd.pump(blocking)
        elif blocking and self.ssd.mode == "manual":
            self.ssd.step()

    def _listen(self, number, word):
        """A Vector told by an eventfd, which the drive writes as it sends the message."""
        vector = Vector(*make_signal())
        self.ssd.controller.interrupts.attach(number, vector.signal)
        return vector

    def _make_line(self):
        return Line(self, self._listen(None, None))

    def line_level(self):
        """True while the drive asserts its interrupt line."""
        return self.ssd.controller.interrupts.line

    def gone(self):
        """Why the drive vanished, or that it was closed; None while it is there."""
        return super().gone() or self.ssd.gone

    def settle(self):
        """Let the block devices take their memory now, so that a measurement moves real bytes from the first I/O on."""
        for namespace in self.ssd.subsystem.namespaces.values():
            namespace.bdev.settle()

    @property
    def poll_slice(self):
        """Seconds to poll before pump() again: short where the waiting host itself moves the drive."""
        return 0.02 if self.ssd.mode == "thread" else 0.0005

    def _release(self):
        for number in (*self._interrupts, *([None] if self._line else [])):
            self.ssd.controller.interrupts.attach(number, -1)
        self.ssd.close()
        self.ssd.subsystem.close()


def default_mode():
    """"inline" where there are one or two cores, "thread" where the drive can have one to itself."""
    return "inline" if CPUS <= 2 else "thread"


def open_embedded(address):
    """Make a drive as `address.options` say. Raises UsageError for sizes that can't be."""
    o = address.options
    if not 1 <= o["namespaces"] <= MAX_NAMESPACES:
        raise UsageError(f"namespaces={o['namespaces']}: 1 to {MAX_NAMESPACES}")
    subsystem = Subsystem(serial=o["serial"] or "NVLAB0001")
    for _ in range(o["namespaces"]):
        subsystem.add_namespace(bdev.create(o["bdev"], o["size"], o["block"]))
    dma = DmaPool(o["dma"])
    last = registers.cq_head_doorbell(IO_QUEUES, o["dstrd"]) + 4
    table = -(-last // PAGE) * PAGE              # the MSI-X table in a page behind the doorbells, its pending bits in the next
    memory = mmap.mmap(-1, 1 << (table + 2 * PAGE - 1).bit_length(), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)    # a fork has its own
    bar = EmbeddedBar(memory, table)
    bar.ssd = Ssd(subsystem, memory, dma.map, mode=o["mode"] or default_mode(), queues=IO_QUEUES, entries=o["mqes"],
                  mdts=o["mdts"], dstrd=o["dstrd"])
    return EmbeddedFunction(address, bar, dma, bar.ssd)
