"""Interrupts as a PCI function has them: the MSI-X capability and its table, and the vectors that a driver waits for.

A vector's message lands in a word of DMA memory. The embedded drive also tells an eventfd, in which a waiting thread sleeps;
where nothing can (QEMU without a guest), it looks at the word, with short sleeps in between.
"""
import os
import threading
import time

from nvlab._core.interrupt import Vector
from nvlab._core.trace import Kind, Side
from nvlab.spec.errors import ControllerGone, UsageError
from nvlab.spec.registers import INTMC, INTMS

ENTRY = 16
"""Bytes of a table entry: Message Address, Message Upper Address, Message Data, Vector Control (PCI 3.0, 6.8.2)."""
ADDRESS, UPPER, DATA, CONTROL = 0, 4, 8, 12
ENABLE, FUNCTION_MASK, TABLE_SIZE = 1 << 15, 1 << 14, 0x7FF
"""Message Control (PCI 3.0, 6.8.2.3)."""
LINE_OF_CACHE = 64
MESSAGE = 1
"""What every message says: anything but 0, which is how a word is found empty."""
LINE_SLICE = 0.001


def make_signal():
    """(descriptor to wait for, descriptor to write to): an eventfd, or a pipe where there are none."""
    if hasattr(os, "eventfd"):
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        return fd, fd
    ends = os.pipe()
    for fd in ends:
        os.set_blocking(fd, False)
    return ends


class Msix:
    """The MSI-X capability of a function: `size` vectors, their table at `table_offset` of the BAR, pending bits at `pba_offset`.

    `read_control` and `write_control` reach its Message Control in configuration space.
    """

    def __init__(self, bar, size, table_offset, pba_offset, read_control, write_control):
        self.bar, self.size, self.table_offset, self.pba_offset = bar, size, table_offset, pba_offset
        self._read_control, self._write_control = read_control, write_control

    def _set_control(self, bit, on):
        control = self._read_control()
        self._write_control(control | bit if on else control & ~bit)

    @property
    def enabled(self):
        """MSI-X Enable. While it is off, the function asserts its interrupt line instead; can be set."""
        return bool(self._read_control() & ENABLE)

    @enabled.setter
    def enabled(self, value):
        self._set_control(ENABLE, value)

    @property
    def function_mask(self):
        """Function Mask: all vectors are masked, whatever their own bits say; can be set."""
        return bool(self._read_control() & FUNCTION_MASK)

    @function_mask.setter
    def function_mask(self, value):
        self._set_control(FUNCTION_MASK, value)

    def _at(self, vector, field):
        if not 0 <= vector < self.size:
            raise UsageError(f"interrupt vector {vector}: the MSI-X table has the vectors 0 to {self.size - 1}")
        return self.table_offset + vector * ENTRY + field

    def entry(self, vector):
        """(message address, message data, masked) of a vector, as they stand in the table."""
        address = self.bar.read32(self._at(vector, ADDRESS)) | self.bar.read32(self._at(vector, UPPER)) << 32
        return address, self.bar.read32(self._at(vector, DATA)), self.masked(vector)

    def program(self, vector, address, data):
        """Point a vector's message at a bus address; its mask stays, and should be set meanwhile."""
        self.bar.write32(self._at(vector, ADDRESS), address & 0xFFFFFFFF)
        self.bar.write32(self._at(vector, UPPER), address >> 32)
        self.bar.write32(self._at(vector, DATA), data)

    def masked(self, vector):
        """The vector's own Mask bit."""
        return bool(self.bar.read32(self._at(vector, CONTROL)) & 1)

    def set_mask(self, vector, value):
        """Mask a vector, or unmask it: what was pending is sent then."""
        self.bar.write32(self._at(vector, CONTROL), int(value))

    def pending(self, vector):
        """The vector's bit in the Pending Bit Array: raised while masked, and not yet sent."""
        self._at(vector, 0)
        return bool(self.bar.read32(self.pba_offset + vector // 32 * 4) >> vector % 32 & 1)

    def __repr__(self):
        state = "enabled" if self.enabled else "disabled"
        return (f"<MSI-X, {state}{', function masked' if self.function_mask else ''}: {self.size} vectors, "
                f"table at {self.table_offset:#x}, pending bits at {self.pba_offset:#x}>")


class Interrupt:
    """One vector of a function, to wait for. `number` which one · `vector` the core's part, which loops wait on."""

    def __init__(self, function, number, vector):
        self.function, self.number, self.vector = function, number, vector
        self._seen = 0

    @property
    def count(self):
        """Interrupts that arrived and were noticed by a wait or collect(); of those on a word, several may count as one."""
        return self.vector.count

    @property
    def fd(self):
        """The descriptor that becomes readable with an interrupt (an eventfd), or None where a word of memory tells."""
        return self.vector.fd if self.vector.fd >= 0 else None

    def collect(self):
        """Take what has arrived, without waiting; wait() then waits for the next. Returns `count`."""
        self._seen = self.vector.collect()
        return self._seen

    def wait(self, timeout=None, past=None):
        """Block until the interrupt arrives that follows those waited for before (or more than `past` in all).

        Returns True, or False after `timeout` seconds (None: as long as it takes). A drive that the host itself has to move,
        moves here. It sleeps on a descriptor where there is one, and else looks at a word of memory between short sleeps.
        Ctrl-C ends it. Raises ControllerGone when the device vanished or was closed.
        """
        past = self._seen if past is None else past
        deadline = None if timeout is None else time.monotonic() + timeout
        function = self.function
        while True:
            function.pump(blocking=True)
            left = 1.0 if deadline is None else deadline - time.monotonic()
            came = self.sleep(max(0.0, min(left, function.poll_slice)), past)
            reason = function.gone() or (None if function.bar.is_alive() else "its connection broke")
            if reason:
                raise ControllerGone(f"waiting for interrupt vector {self.number}: the controller is gone ({reason}); attach again")
            if came:
                self._seen = self.vector.count
                return True
            if left <= 0:
                return False

    def sleep(self, seconds, past, qid=0):
        """Sleep up to `seconds` until more than `past` interrupts came in all; True when they did. Nothing moves meanwhile."""
        came = self.vector.wait(seconds, past)
        if came:
            self.function.bar.lane.record(Kind.INTERRUPT, Side.HOST, qid, self.number)
        return came

    def mask(self):
        """Set the vector's Mask bit: what it is raised for becomes pending."""
        self.function.msix.set_mask(self.number, True)

    def unmask(self):
        """Clear the vector's Mask bit; what is pending is sent."""
        self.function.msix.set_mask(self.number, False)

    @property
    def masked(self):
        """The vector's Mask bit."""
        return self.function.msix.masked(self.number)

    @property
    def pending(self):
        """The vector's pending bit."""
        return self.function.msix.pending(self.number)

    def __repr__(self):
        how = f"eventfd {self.fd}" if self.fd is not None else "its message in memory"
        return f"<interrupt vector {self.number} of {self.function.address}: told by {how}, {self.count} taken>"


class Line:
    """The function's interrupt line, a pin: asserted while completions wait that nobody took, and INTMS bit 0 doesn't mask it.

    It is there while MSI-X is disabled. `vector` is the core's part where an eventfd tells of it, else None.
    """

    number = 0

    def __init__(self, function, vector=None):
        self.function, self.vector = function, vector

    @property
    def count(self):
        """How often an eventfd told of it; 0 where none does."""
        return self.vector.collect() if self.vector is not None else 0

    @property
    def asserted(self):
        """True while the drive asserts it. Always False with MSI-X enabled."""
        return self.function.line_level()

    def wait(self, timeout=None):
        """Block until it is asserted. Returns True, or False after `timeout` seconds. Raises ControllerGone."""
        deadline = None if timeout is None else time.monotonic() + timeout
        function = self.function
        while True:
            past = self.count
            function.pump(blocking=True)
            reason = function.gone()
            if reason:
                raise ControllerGone(f"waiting for the interrupt line: the controller is gone ({reason}); attach again")
            left = 1.0 if deadline is None else deadline - time.monotonic()
            if self.sleep(max(0.0, min(left, function.poll_slice)), past):
                return True
            if left <= 0:
                return False

    def sleep(self, seconds, past, qid=0):
        """Sleep up to `seconds` until the line is asserted; True when it is. Nothing moves meanwhile."""
        if not self.asserted:
            if self.vector is not None:
                self.vector.wait(seconds, past)
            else:
                time.sleep(min(seconds, LINE_SLICE))
            if not self.asserted:
                return False
        self.function.bar.lane.record(Kind.INTERRUPT, Side.HOST, qid)
        return True

    def mask(self):
        """Set bit 0 of INTMS."""
        self.function.bar.write32(INTMS.offset, 1)

    def unmask(self):
        """Clear it again, through INTMC."""
        self.function.bar.write32(INTMC.offset, 1)

    def __repr__(self):
        return f"<interrupt line of {self.function.address}: {'asserted' if self.asserted else 'not asserted'}>"


class Interrupts:
    """What a Function can do about interrupts; `msix` is its Msix, or None where it has none."""

    msix = None
    _words = _line = None

    def _begin_interrupts(self):
        self._interrupts, self._making = {}, threading.Lock()

    @property
    def vectors(self):
        """How many MSI-X vectors there are; 0 without the capability."""
        return self.msix.size if self.msix is not None else 0

    def interrupt(self, number):
        """The Interrupt of a vector: enabled, unmasked, and the same object each time. Enables MSI-X.

        Raises UsageError for a vector that the function doesn't have.
        """
        if isinstance(number, bool) or not hasattr(number, "__index__") or not 0 <= number.__index__() < self.vectors:
            have = f"0 to {self.vectors - 1}" if self.vectors else "none: it has no MSI-X capability that can be used"
            raise UsageError(f"interrupt vector {number!r}: {self.address} has {have}")
        with self._making:
            found = self._interrupts.get(number)
            return found if found is not None else self._make_interrupt(int(number))

    def _make_interrupt(self, number):
        if self._words is None:
            self._words = self.dma.alloc(self.vectors * LINE_OF_CACHE)
        word = self._words[number * LINE_OF_CACHE:number * LINE_OF_CACHE + 4]
        vector = self._listen(number, word)
        self.msix.set_mask(number, True)
        self.msix.program(number, word.iova, MESSAGE)
        if not self.msix.enabled:
            self.msix.enabled = True
        self.msix.set_mask(number, False)
        made = self._interrupts[number] = Interrupt(self, number, vector)
        return made

    def _listen(self, number, word):
        """The Vector that tells of a vector's messages; here by its word."""
        return Vector(memory=word)

    @property
    def line(self):
        """The interrupt Line, for a driver without MSI-X."""
        with self._making:
            if self._line is None:
                self._line = self._make_line()
            return self._line

    def _make_line(self):
        return Line(self)

    def line_level(self):
        """True while the line is asserted. Raises UsageError where nobody can see it."""
        raise UsageError(f"{self.address}: its interrupt line can't be seen from here; use interrupt(), its MSI-X vectors")

    def _end_interrupts(self):
        """End all waits."""
        for interrupt in self._interrupts.values():
            interrupt.vector.close()
        if self._line is not None and self._line.vector is not None:
            self._line.vector.close()
