"""I/O commands that the core leaves to Python: Dataset Management, Verify, and everything that is refused."""
import struct

from nvlab.spec import commands, status

from .admin import Failed, handlers, handles

IN_CORE = (0x00, 0x01, 0x02, 0x05, 0x08)
"""Flush, Write, Read, Compare, Write Zeroes: executed in nvlab._core.ssd."""


class NvmCommands:
    """The NVM command set of one controller, but for what never leaves the core."""

    def __init__(self, controller):
        self.controller = controller
        self.table = handlers(type(self))

    def supported(self):
        """Opcodes that this drive executes."""
        return sorted({*IN_CORE, *self.table})

    def execute(self, command):
        """Run one I/O command. Returns dw0; raises Failed."""
        opcode = int(command.opc)
        if opcode not in self.table and opcode not in IN_CORE:
            raise Failed(status.INVALID_OPCODE, location=0)
        space = self.controller.subsystem.namespaces.get(int(command.nsid))
        if space is None:
            raise Failed(status.INVALID_NAMESPACE_OR_FORMAT, location=4)
        return self.table[opcode](self, command, space) or 0

    @staticmethod
    def _check_range(space, slba, blocks):
        if slba >= space.bdev.blocks or blocks > space.bdev.blocks - slba:
            raise Failed(status.LBA_OUT_OF_RANGE, location=40)

    @handles(commands.NVM, 0x0C)
    def verify(self, command, space):
        """The blocks of memory can't rot: Verify checks the range and says so (NVM command set 1.0c 3.2.5)."""
        self._check_range(space, int(command.slba), int(command.nlb) + 1)

    @handles(commands.NVM, 0x09)
    def dataset_management(self, command, space):
        """Deallocate ranges, which read as zeroes afterwards; other attributes are hints (NVM command set 1.0c 3.2.3)."""
        count = (int(command.cdw10) & 0xFF) + 1
        raw = bytearray(16 * count)
        code = self.controller.datapath.from_host(int(command.prp1), int(command.prp2), raw)
        if code:
            raise Failed(status.lookup(code >> 8 & 7, code & 0xFF), dnr=bool(code >> 14), location=24)
        ranges = [(slba, blocks) for _, blocks, slba in struct.iter_unpack("<IIQ", raw)]
        for slba, blocks in ranges:
            self._check_range(space, slba, blocks)
        if int(command.cdw11) >> 2 & 1 and space.bdev.memory is not None:
            size, memory = space.bdev.block_size, memoryview(space.bdev.memory)
            for slba, blocks in _merged(ranges):
                _zero(memory[slba * size:(slba + blocks) * size])


def _merged(ranges):
    """The same blocks, each named once: 256 ranges may all be the whole namespace."""
    end = 0
    for slba, blocks in sorted(ranges):
        first, end = max(slba, end), max(slba + blocks, end)
        if first < end and first < slba + blocks:
            yield first, end - first


def _zero(span, piece=bytes(1 << 20)):
    for at in range(0, len(span), len(piece)):
        part = span[at:at + len(piece)]
        part[:] = piece[:len(part)]
