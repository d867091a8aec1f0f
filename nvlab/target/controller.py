"""The life of a controller, from the drive's side: what each register write does."""
from nvlab._core.trace import Kind, Side, now
from nvlab.spec import registers
from nvlab.spec.registers import ACQ, AQA, ASQ, CAP, CC, CSTS, INTMC, INTMS, NSSR, VS

from .admin import AdminCommands
from .events import ERROR, INVALID_DOORBELL_REGISTER, INVALID_DOORBELL_VALUE, AsyncEvents, ErrorLog
from .interrupts import Interrupts
from .nvm import NvmCommands

DOORBELLS = 0x1000
"""Where the registers end (PCIe transport 1.0c 3.1.2)."""
VERSION = 1 << 16 | 4 << 8
"""VS: NVMe 1.4, whose mandatory commands, logs and features this drive has."""

_BY_OFFSET = {register.offset: register for register in registers.ALL.values()}


class Controller:
    """Registers, and the state machine behind CC and CSTS.

    `datapath` is the core's part of the drive, `queues` how many I/O queue pairs there can be, `entries` how many entries
    a queue can have, `mdts` log2 of the pages a command can move, `timeout` seconds a change of CSTS.RDY may take.
    """

    def __init__(self, subsystem, datapath, *, queues=64, entries=1024, mdts=7, timeout=0.5):
        self.subsystem, self.datapath = subsystem, datapath
        self.max_queues, self.max_entries, self.mdts = queues, entries, mdts
        self.cntlid = 0
        self.ready_delay = lambda: 0             # seconds from CC.EN to CSTS.RDY, None for never: faults
        self.ready_at = None                     # when a slow start ends, on the clock of nvlab._core.trace.now()
        self.abort_command = lambda sqid, cid: False         # what the drive does about an Abort
        self.sq_deleted = lambda sqid: None
        self.events, self.errors, self.interrupts = AsyncEvents(), ErrorLog(), Interrupts(datapath, queues + 1)
        self.admin, self.nvm = AdminCommands(self), NvmCommands(self)
        dstrd = (datapath.stride // 4).bit_length() - 1
        self.cap = CAP.encode(MQES=entries - 1, CQR=1, DSTRD=dstrd, TO=max(1, round(timeout * 2)), CSS=0x01)
        self.power_on()

    # -- power

    def power_on(self):
        """All registers as after power-on: whatever was written is forgotten."""
        self._clear()
        self.values = {CAP.offset: self.cap, VS.offset: VERSION}
        self._fill_bar(0)
        self._mirror(CAP.offset, 8, self.cap)
        self._mirror(VS.offset, 4, VERSION)

    def power_off(self):
        """Pulled out: nothing is left, and the BAR reads all ones."""
        self._clear()
        self.values = {}
        self._fill_bar(0xFF)

    def _clear(self):
        self.ready_at = None
        self.datapath.reset()
        self.events.reset()
        self.admin.reset()

    def _fill_bar(self, byte):
        memoryview(self.datapath.memory)[:DOORBELLS] = bytes([byte]) * DOORBELLS

    # -- registers

    def read(self, offset, width):
        """The value of `width` bytes (4 or 8) of the register space; reserved bytes read zero."""
        start = offset & ~7 if self._size(offset & ~7) == 8 else offset
        value = self.values.get(start, 0) >> 8 * (offset - start)
        if width == 8 and start == offset and self._size(offset) == 4:
            value |= self.values.get(offset + 4, 0) << 32
        return int(value) & (1 << 8 * width) - 1

    def write(self, offset, value, width):
        """A host's write of `width` bytes; the caller holds the drive's lock. Reserved and read-only bytes ignore it."""
        size = self._size(offset & ~7)
        if size == 8 and width == 4:             # half of a 64-bit register
            start = offset & ~7
            shift = 8 * (offset - start)
            old = int(self.values.get(start, 0))
            offset, value = start, old & ~(0xFFFFFFFF << shift) | value << shift
        elif size != 8 and width == 8:
            self.write(offset + 4, value >> 32, 4)
            value &= 0xFFFFFFFF
        handler = self._writers.get(offset)
        if handler:
            handler(self, int(value))

    @staticmethod
    def _size(offset):
        register = _BY_OFFSET.get(offset)
        return register.size if register else 0

    def _set(self, register, value):
        self.values[register.offset] = int(value)
        self._mirror(register.offset, register.size, int(value))
        self.datapath.lane.record(Kind.REG_SET, Side.DRIVE, 0, register.size, register.offset, int(value))

    def _mirror(self, offset, size, value):
        """Keep the BAR's memory as the registers are: what loops in the core look at without trapping."""
        memoryview(self.datapath.memory)[offset:offset + size] = int(value).to_bytes(size, "little")

    def register(self, register):
        """The value of one register, decoded."""
        return register.decode(self.values.get(register.offset, 0))

    def _write_aqa(self, value):
        self._set(AQA, value)

    def _write_asq(self, value):
        self._set(ASQ, value & ~0xFFF)

    def _write_acq(self, value):
        self._set(ACQ, value & ~0xFFF)

    def _write_intms(self, value):
        self._set_line_mask(self.values.get(INTMS.offset, 0) | value)

    def _write_intmc(self, value):
        self._set_line_mask(self.values.get(INTMS.offset, 0) & ~value)

    def _set_line_mask(self, bits):
        self._set(INTMS, bits)
        self._set(INTMC, bits)                   # reads of either return the mask (base 2.0c 3.1.3.4)
        self.interrupts.mask_line(bits)

    def _write_nssr(self, value):
        """CAP.NSSRS is 0: no subsystem reset here, and a write changes nothing."""

    def _write_cc(self, value):
        old, new = self.register(CC), CC.decode(value)
        self._set(CC, new)
        if new.EN and not old.EN:
            self._enable(new)
        elif old.EN and not new.EN:
            self.reset()
        if new.SHN and not old.SHN:
            self._shutdown()

    _writers = {AQA.offset: _write_aqa, ASQ.offset: _write_asq, ACQ.offset: _write_acq, CC.offset: _write_cc,
                INTMS.offset: _write_intms, INTMC.offset: _write_intmc, NSSR.offset: _write_nssr}

    # -- states

    @property
    def csts(self):
        """Controller Status, decoded."""
        return self.register(CSTS)

    def _enable(self, cc):
        """CC.EN went from 0 to 1: start with the admin queue, or report what is wrong as a fatal status (base 2.0c 3.5.1)."""
        aqa = self.register(AQA)
        asq, acq = self.values.get(ASQ.offset, 0), self.values.get(ACQ.offset, 0)
        right = (asq and acq and aqa.ASQS and aqa.ACQS and cc.MPS == 0 and cc.AMS == 0 and cc.CSS in (0, 6, 7)
                 and not asq & 0xFFF and not acq & 0xFFF)
        path = self.datapath
        path.reset()
        if not (right and path.create_cq(0, acq, int(aqa.ACQS) + 1, True) and path.create_sq(0, asq, int(aqa.ASQS) + 1, 0)):
            self._set(CSTS, self.csts.replace(CFS=1, RDY=0))
            return
        delay = self.ready_delay()
        if delay:
            self.ready_at = now() + round(delay * 1e9)
        elif delay is not None:
            self._become_ready()

    def _become_ready(self):
        """Begin to serve the admin queue, and say so."""
        self.datapath.configure(True, 4096 << int(self.register(CC).MPS), 4096 << self.mdts if self.mdts else 1 << 63)
        self._set(CSTS, CSTS.encode(RDY=1))

    def note_time(self):
        """Become ready, where a slow start has lasted long enough."""
        if self.ready_at is not None and now() >= self.ready_at:
            self.ready_at = None
            self._become_ready()

    @property
    def running(self):
        """True while commands are executed: ready, and no fatal status."""
        csts = self.csts
        return bool(csts.RDY and not csts.CFS)

    def fail(self):
        """A fatal error: CSTS.CFS, and nothing moves until a controller reset (base 2.0c 3.1.3.6)."""
        self.datapath.configure(False, 4096, 4096)
        self._set(CSTS, self.csts.replace(CFS=1))

    def reset(self):
        """A controller reset: queues and events are gone, admin queue registers and namespaces stay (base 2.0c 3.7.2)."""
        self._clear()
        if self.values.get(INTMS.offset):
            self._set_line_mask(0)
        self._set(CSTS, CSTS.encode())

    def _shutdown(self):
        """CC.SHN asks for a shutdown; all data already rests in the bdevs, so it is complete at once (base 2.0c 3.6)."""
        self._set(CSTS, self.csts.replace(SHST=2))

    # -- what happened meanwhile

    def error_log(self):
        """The ErrorLog, with what failed in the core put in."""
        count, failed = self.datapath.take_failures()
        self.errors.count += count - len(failed)             # more than the log could hold
        for sqid, cid, code, slba, nsid in failed:
            self.errors.add(sqid, cid, code, lba=slba, nsid=nsid)
        return self.errors

    def note_doorbells(self):
        """Turn doorbell writes that no queue can take into asynchronous events. Returns them as found."""
        found = self.datapath.bad_doorbells()
        for _, _, _, exists in found:
            self.events.add(ERROR, INVALID_DOORBELL_VALUE if exists else INVALID_DOORBELL_REGISTER)
        return found
