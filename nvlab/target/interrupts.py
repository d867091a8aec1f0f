"""The drive's interrupts: its MSI-X table and pending bits, the line that INTMS masks, and coalescing.

The core raises vectors and sends their messages (_core/ssd_irq.pxi); here is what registers, configuration space and
features say about it.
"""
from nvlab._core.ssd import VectorTable
from nvlab.spec import status

from .admin import Failed

ENTRY = 16
"""Bytes of an MSI-X table entry: Message Address, Upper Address, Message Data, Vector Control (PCI 3.0, 6.8.2)."""
ENABLE, FUNCTION_MASK = 1 << 15, 1 << 14
"""Bits of MSI-X Message Control (PCI 3.0, 6.8.2.3)."""
COALESCING, VECTOR_CONFIGURATION = 0x08, 0x09
"""Features (base 2.0c 5.27.1.6 and 5.27.1.7)."""


class Interrupts:
    """The interrupts of one controller, with `count` vectors.

    What the PCI function reaches (control, table, pending bits, listeners) takes the drive's lock itself; what registers
    and commands do is called with the lock held.
    """

    def __init__(self, datapath, count=65):
        self.path, self.count = datapath, count
        self.table = VectorTable(datapath, count)
        self._control = count - 1                # Table Size is zero-based

    # -- as the PCI function reaches it

    @property
    def control(self):
        """MSI-X Message Control: enable (bit 15), function mask (14), table size less one (10:0)."""
        return self._control

    @control.setter
    def control(self, value):
        with self.path:
            self._control = self.count - 1 | value & (ENABLE | FUNCTION_MASK)
            self.table.control(bool(value & ENABLE), bool(value & FUNCTION_MASK))

    @property
    def enabled(self):
        """True while MSI-X is enabled; the line is what there is otherwise."""
        return bool(self._control & ENABLE)

    def read(self, offset, width):
        """`width` bytes (4 or 8) of the MSI-X table, from byte `offset` on; zero behind its end."""
        value = sum(self._dword(offset + at) << 8 * at for at in range(0, width, 4))
        return value

    def _dword(self, offset):
        if offset >= self.count * ENTRY:
            return 0
        address, data, masked = self.table.entry(offset // ENTRY)
        return (address & 0xFFFFFFFF, address >> 32, data, int(masked))[offset % ENTRY // 4]

    def write(self, offset, value, width):
        """Write `width` bytes (4 or 8) of the MSI-X table; an entry that becomes unmasked sends what was pending."""
        with self.path:
            for at in range(0, width, 4):
                self._set_dword(offset + at, value >> 8 * at & 0xFFFFFFFF)

    def _set_dword(self, offset, value):
        if offset >= self.count * ENTRY:
            return
        vector, field = offset // ENTRY, offset % ENTRY // 4
        address, data, masked = self.table.entry(vector)
        if field == 0:
            address = address & ~0xFFFFFFFF | value & ~3
        elif field == 1:
            address = address & 0xFFFFFFFF | value << 32
        elif field == 2:
            data = value
        else:
            masked = bool(value & 1)
        self.table.program(vector, address, data, masked)

    def pending(self, offset, width):
        """`width` bytes of the Pending Bit Array, a bit a vector."""
        with self.path:
            first = offset * 8
            return sum(self.table.pending(v) << v - first for v in range(first, min(first + width * 8, self.count)))

    def attach(self, vector, fd):
        """Have interrupts of a vector, or of the line (None), written to a file descriptor; -1 for none."""
        with self.path:
            self.table.attach(vector, fd)

    @property
    def line(self):
        """True while the interrupt line is asserted: never while MSI-X is enabled."""
        with self.path:
            return self.table.line

    # -- as registers and commands reach it

    def mask_line(self, bits):
        """INTMS has become `bits`: bit 0 masks the line. With MSI-X it has no effect (base 2.0c 3.1.3.3)."""
        self.table.mask_line(bits)

    def check_vector(self, vector):
        """Failed when a completion queue can't have this vector: one of the table, or 0 for the line (base 2.0c 5.4)."""
        if vector >= (self.count if self.enabled else 1):
            raise Failed(status.INVALID_INTERRUPT_VECTOR, location=46)

    def set_feature(self, fid, value):
        """Interrupt Coalescing or Interrupt Vector Configuration. Returns the value to keep; raises Failed."""
        if fid == COALESCING:
            self.table.coalesce(value & 0xFF, (value >> 8 & 0xFF) * 100_000)
            return value & 0xFFFF
        vector = value & 0xFFFF
        if vector >= self.count:
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=44)
        self.table.set_prompt(vector, bool(value >> 16 & 1))
        return value & 0x1FFFF

    def vector_configuration(self, vector):
        """What Get Features tells of a vector (dword 11 names it): its number and Coalescing Disable. Raises Failed."""
        if vector >= self.count:
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=44)
        return vector | self.table.is_prompt(vector) << 16

    def __repr__(self):
        mode = ("masked" if self._control & FUNCTION_MASK else "enabled") if self.enabled else "disabled, line"
        return f"<{self.count} interrupt vectors, MSI-X {mode}>"
