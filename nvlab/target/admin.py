"""Admin commands, executed. Each handler takes the decoded command and returns dw0, or raises Failed with a status."""
import time

from nvlab.spec import commands, features, status
from nvlab.spec.feature_data import HostBehavior
from nvlab.spec.identify import (ControllerList, IdentifyController, IdentifyControllerNvm, IdentifyNamespace,
                                 IdentifyNamespaceNvm, NamespaceList)
from nvlab.spec.logs import ChangedNamespaceList, CommandsSupportedLog, FirmwareLog, SmartLog

BROADCAST = 0xFFFFFFFF
HOST_BEHAVIOR = 0x16
CNS_ALLOCATED_LIST, CNS_ALLOCATED = 0x10, 0x11


class Failed(Exception):
    """A command fails with a status of the standard. `dnr`: the same command would fail again; `location`: byte in the SQE."""

    def __init__(self, what, dnr=True, location=0xFFFF):
        super().__init__(what.title)
        self.status, self.location = what, location
        self.field = what.sc | what.sct << 8 | dnr << 14


class Later:
    """Returned by a handler whose command completes when there is something to say (Asynchronous Event Request)."""


def handles(table, opcode):
    """Mark a method as the handler of an opcode of `table` (commands.ADMIN or commands.NVM)."""
    def mark(method):
        method.executes = table[opcode]
        return method
    return mark


def handlers(cls):
    """{opcode: method} of a class whose methods are marked with handles()."""
    return {m.executes.opcode: m for m in vars(cls).values() if hasattr(m, "executes")}


class AdminCommands:
    """The admin command set of one controller."""

    def __init__(self, controller):
        self.controller = controller
        self.table = handlers(type(self))
        self.started = time.monotonic()
        self.reset()

    def reset(self):
        """Forget what a controller reset clears: the allocation of queues, feature values."""
        self.allocated = None                    # I/O queue pairs, as Number of Queues granted
        self.granted = 0
        self.features = {0x01: 0, 0x02: 0, 0x04: 0x157, 0x05: 0, 0x08: 0, 0x09: 0, 0x0A: 0, 0x0B: 0, HOST_BEHAVIOR: 0}
        self.behavior = HostBehavior.new()       # none of it is saved: a host that resets a controller tells it again

    def execute(self, command):
        """Run one admin command. Returns dw0 or Later; raises Failed."""
        handler = self.table.get(int(command.opc))
        if handler is None:
            raise Failed(status.INVALID_OPCODE, location=0)
        if command.psdt or command.fuse:         # no SGLs for admin commands over PCIe (base 2.0c 4.1.2), no fused ones
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=1)
        return handler(self, command) or 0

    @property
    def retry_delays(self):
        """True when the host has enabled Advanced Command Retry: completions may say how long to wait (CRD)."""
        return bool(self.behavior.acre)

    def _send(self, command, data):
        """Transfer `data` to the host; Failed when its PRPs are wrong."""
        self._check(self.controller.datapath.to_host(int(command.prp1), int(command.prp2), data))

    @staticmethod
    def _check(code):
        if code:
            raise Failed(status.lookup(code >> 8 & 7, code & 0xFF), dnr=bool(code >> 14))

    # -- Identify and Get Log Page

    @handles(commands.ADMIN, 0x06)
    def identify(self, command):
        answer = self._identify_data(command)
        if answer is None:
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=40)
        self._send(command, bytes(answer))

    def _identify_data(self, command):
        """The 4096 bytes for one CNS, or None for a CNS that this drive doesn't have."""
        cns, nsid, spaces = int(command.cns), int(command.nsid), self.controller.subsystem.namespaces
        csi = int(command.cdw11) >> 24
        if cns in (0x05, 0x06, 0x07) and csi != 0:
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=47)
        if cns == 0x01:
            return self.identify_controller()
        if cns == 0x06:
            return IdentifyControllerNvm.new()
        if cns in (0x02, 0x07, CNS_ALLOCATED_LIST):
            if nsid >= 0xFFFFFFFE:
                raise Failed(status.INVALID_NAMESPACE_OR_FORMAT, location=4)
            return NamespaceList.of([n for n in spaces if n > nsid][:1024])
        if cns in (0x12, 0x13):
            if cns == 0x12:
                self._namespace(nsid)
            return ControllerList.of([c for c in (self.controller.cntlid,) if c >= int(command.cdw10) >> 16])
        if cns in (0x00, 0x03, 0x05, CNS_ALLOCATED):
            return self._identify_namespace(cns, nsid)
        return None

    def _identify_namespace(self, cns, nsid):
        if cns == 0x00 and nsid == BROADCAST:    # what all namespaces have in common: the formats (NVM command set 1.0c 4.1.5.1)
            return IdentifyNamespace.new()
        space = self._namespace(nsid, inactive_is_zero=cns in (0x00, 0x05, CNS_ALLOCATED))
        if space is None:
            return bytes(4096)
        if cns == 0x03:
            return space.descriptors()
        return IdentifyNamespaceNvm.new() if cns == 0x05 else space.identify()

    def _namespace(self, nsid, inactive_is_zero=False):
        spaces = self.controller.subsystem.namespaces
        if nsid in spaces:
            return spaces[nsid]
        if inactive_is_zero and 0 < nsid <= self._nn():
            return None
        raise Failed(status.INVALID_NAMESPACE_OR_FORMAT, location=4)

    def _nn(self):
        return max(self.controller.subsystem.namespaces, default=1)

    def identify_controller(self):
        """What Identify CNS 01h answers."""
        c, s = self.controller, self.controller.subsystem
        return IdentifyController.new(
            vid=0x1D1D, ssvid=0x1D1D, sn=s.serial, mn=s.model, fr=s.firmware, rab=4, ieee=0x525400, mdts=c.mdts,
            crdt1=1, crdt2=2, crdt3=5,           # 100 ms, 200 ms, 500 ms: what a retry delay (CRD) points to
            cntlid=c.cntlid, ver=int(c.values[0x08]), cntrltype=1, acl=3, aerl=c.events.limit - 1,
            frmw={"SLOT1_RO": 1, "SLOTS": 1}, lpa={"EFFECTS": 1, "EXTENDED": 1}, elpe=c.errors.entries.maxlen - 1,
            wctemp=343, cctemp=358, sqes=0x66, cqes=0x44, nn=self._nn(),
            tnvmcap=sum(n.bdev.size for n in s.namespaces.values()),
            oncs={"COMPARE": 1, "DSM": 1, "WRITE_ZEROES": 1, "VERIFY": 1}, vwc=0, subnqn=s.nqn,
            psd=[{"mp": 500, "enlat": 0, "exlat": 0}])

    @handles(commands.ADMIN, 0x02)
    def get_log_page(self, command):
        lid = int(command.lid)
        pages = {0x01: self._error_log, 0x02: self._smart_log, 0x03: self._firmware_log,
                 0x04: self._changed_namespaces, 0x05: self._commands_supported}
        if lid not in pages:
            raise Failed(status.INVALID_LOG_PAGE, location=40)
        if lid == 0x02 and int(command.nsid) not in (0, BROADCAST):
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=4)    # LPA: no SMART log per namespace
        page = bytes(pages[lid]())
        dwords = (int(command.cdw10) >> 16 | (int(command.cdw11) & 0xFFFF) << 16) + 1
        offset = int(command.cdw12) | int(command.cdw13) << 32
        if offset & 3 or offset > len(page):
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=48)
        if dwords * 4 > 4096 << (self.controller.mdts or 8):
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=42)
        self._send(command, page[offset:offset + dwords * 4].ljust(dwords * 4, b"\0"))
        if not int(command.cdw10) >> 15 & 1:     # RAE: retain the event
            self.controller.events.unmask(lid)

    def _error_log(self):
        return self.controller.error_log().page()

    def _smart_log(self):
        counts = self.controller.datapath.counts
        seconds = time.monotonic() - self.started
        return SmartLog.new(
            temperature=self.temperature(), avail_spare=100, spare_thresh=10,
            data_units_read=-(-counts["bytes_read"] // 512000), data_units_written=-(-counts["bytes_written"] // 512000),
            host_read_commands=counts["reads"], host_write_commands=counts["writes"], power_cycles=1,
            power_on_hours=int(seconds // 3600), num_err_log_entries=self.controller.error_log().count)

    @staticmethod
    def temperature():
        """Composite temperature in kelvins: a drive without a body is at 25 degrees Celsius."""
        return 298

    def _firmware_log(self):
        return FirmwareLog.new(afi={"ACTIVE": 1}, frs=[self.controller.subsystem.firmware])

    def _changed_namespaces(self):
        return ChangedNamespaceList.new()

    def _commands_supported(self):
        log = CommandsSupportedLog.new()
        for opcode in self.table:
            log.acs[opcode].effects = {"CSUPP": 1}
        for opcode in self.controller.nvm.supported():
            changes = bool(commands.NVM[opcode].data == "h2c" and opcode != 0x05) or opcode in (0x08, 0x09)
            log.iocs[opcode].effects = {"CSUPP": 1, "LBCC": int(changes)}
        return log

    # -- queues

    @handles(commands.ADMIN, 0x05)
    def create_io_cq(self, command):
        qid, entries = self._new_queue(command, self.controller.datapath.cq_live)
        self.controller.interrupts.check_vector(int(command.iv))
        if not self.controller.datapath.create_cq(qid, int(command.prp1), entries, int(command.ien), int(command.iv)):
            raise Failed(status.DATA_TRANSFER_ERROR, dnr=False, location=24)

    @handles(commands.ADMIN, 0x01)
    def create_io_sq(self, command):
        qid, entries = self._new_queue(command, self.controller.datapath.sq_live)
        path, cqid = self.controller.datapath, int(command.cqid)
        if not 0 < cqid <= path.queues or not path.cq_live(cqid):
            raise Failed(status.COMPLETION_QUEUE_INVALID, location=46)
        if not path.create_sq(qid, int(command.prp1), entries, cqid):
            raise Failed(status.DATA_TRANSFER_ERROR, dnr=False, location=24)

    def _new_queue(self, command, in_use):
        """Check what both creations have in common. Returns (qid, entries)."""
        qid, qsize = int(command.qid), int(command.qsize)
        limit = self.allocated if self.allocated is not None else self.controller.max_queues
        if not 0 < qid <= limit or in_use(qid):
            raise Failed(status.INVALID_QUEUE_IDENTIFIER, location=40)
        if not 0 < qsize < self.controller.max_entries:
            raise Failed(status.INVALID_QUEUE_SIZE, location=42)
        if not int(command.pc):                  # CAP.CQR: queues must be physically contiguous
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=44)
        if int(command.prp1) & 0xFFF:
            raise Failed(status.INVALID_PRP_OFFSET, location=24)
        return qid, qsize + 1

    @handles(commands.ADMIN, 0x00)
    def delete_io_sq(self, command):
        qid, path = int(command.qid), self.controller.datapath
        if not 0 < qid <= path.queues or not path.sq_live(qid):
            raise Failed(status.INVALID_QUEUE_IDENTIFIER, location=40)
        path.delete_sq(qid)
        self.controller.sq_deleted(qid)

    @handles(commands.ADMIN, 0x04)
    def delete_io_cq(self, command):
        qid, path = int(command.qid), self.controller.datapath
        if not 0 < qid <= path.queues or not path.cq_live(qid):
            raise Failed(status.INVALID_QUEUE_IDENTIFIER, location=40)
        if path.users_of_cq(qid):                # its submission queues go first (base 2.0c 5.6)
            raise Failed(status.INVALID_QUEUE_DELETION, location=40)
        path.delete_cq(qid)

    # -- features

    @handles(commands.ADMIN, 0x09)
    def set_features(self, command):
        fid, value = int(command.cdw10) & 0xFF, int(command.cdw11)
        if fid == 0x07:
            return self._set_number_of_queues(value)
        if fid not in self.features:
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=40)
        if int(command.cdw10) >> 31:
            raise Failed(status.FEATURE_IDENTIFIER_NOT_SAVEABLE, location=43)
        if fid == 0x02 and value & 0x1F:         # one power state: 0
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=44)
        if fid == HOST_BEHAVIOR:
            self._set_host_behavior(command)
            value = 0                            # all of it is in the data
        if fid in (0x08, 0x09):
            value = self.controller.interrupts.set_feature(fid, value)
        self.features[fid] = value

    def _set_host_behavior(self, command):
        raw = bytearray(HostBehavior.SIZE)
        self._check(self.controller.datapath.from_host(int(command.prp1), int(command.prp2), raw))
        told = HostBehavior(raw)
        if told.acre > 1 or told.etdas or told.lbafee:       # neither telemetry nor extended LBA formats here
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=24)
        self.behavior = told

    def _set_number_of_queues(self, value):
        path = self.controller.datapath
        if any(path.sq_live(q) or path.cq_live(q) for q in range(1, path.queues + 1)):
            raise Failed(status.COMMAND_SEQUENCE_ERROR, location=40)
        asked_sq, asked_cq = value & 0xFFFF, value >> 16
        if asked_sq == 0xFFFF or asked_cq == 0xFFFF:
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=44)
        most = self.controller.max_queues - 1
        granted_sq, granted_cq = min(asked_sq, most), min(asked_cq, most)
        self.allocated = max(granted_sq, granted_cq) + 1
        self.granted = granted_sq | granted_cq << 16
        return self.granted

    @handles(commands.ADMIN, 0x0A)
    def get_features(self, command):
        fid, select = int(command.cdw10) & 0xFF, int(command.cdw10) >> 8 & 7
        if fid not in features.FEATURES or not (fid in self.features or fid == 0x07):
            raise Failed(status.INVALID_FIELD_IN_COMMAND, location=40)
        if select == 3:                          # capabilities: changeable, neither saveable nor per namespace
            return 0b100
        if fid == 0x07:
            most = self.controller.max_queues - 1
            return self.granted if self.allocated is not None else most | most << 16
        if fid == 0x09:
            return self.controller.interrupts.vector_configuration(int(command.cdw11) & 0xFFFF)
        if fid == HOST_BEHAVIOR:
            self._send(command, bytes(HostBehavior.new() if select == 1 else self.behavior))
        return self.features[fid]

    # -- events and Abort

    @handles(commands.ADMIN, 0x0C)
    def async_event_request(self, command):
        if not self.controller.events.request(int(command.cid)):
            raise Failed(status.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED)
        return Later

    @handles(commands.ADMIN, 0x08)
    def abort(self, command):
        sqid, cid = int(command.cdw10) & 0xFFFF, int(command.cdw10) >> 16
        return 0 if self.controller.abort_command(sqid, cid) else 1      # bit 0: it was already complete, or never there
