"""Admin commands, as the driver sends them: Identify, logs, features, and the queues' creation and deletion."""
import functools
import threading

from nvlab._core.memory import DmaBuffer
from nvlab._core.trace import Kind
from nvlab.spec.commands import cmd
from nvlab.spec.errors import ControllerError, NvmeStatusError, UsageError
from nvlab.spec.identify import IdentifyController, IdentifyNamespace, NamespaceDescriptors, NamespaceList
from nvlab.spec.logs import CommandsSupportedLog, ErrorLogEntry, FirmwareLog, SmartLog
from nvlab.spec.status import COMMAND_ABORTED_DUE_TO_SQ_DELETION

from .pcie import CompletionQueue, QueuePair, SubmissionQueue, note_queue
from .prp import build_prp
from .retry import REPEATABLE

ALL_NAMESPACES = 0xFFFFFFFF
NUMBER_OF_QUEUES = 0x07
MOST_QUEUES = 64
"""I/O queue pairs that the driver asks for, unless told another number."""
ASYNC_EVENT_CONFIGURATION = 0x0B
IDENTIFY_BYTES = 4096
LOG_CHUNK = 4096


def one_at_a_time(method):
    """Let one thread of a controller into such a method: which identifiers are free must not change underneath."""
    @functools.wraps(method)
    def locked(self, *args, **kw):
        with self.queues_lock:
            before, self._changing = self._changing, threading.get_ident()
            try:
                return method(self, *args, **kw)
            finally:
                self._changing = before
    return locked


class AdminMixin:
    """What a Controller can ask over its admin queue. All methods block, and raise NvmeStatusError when refused."""

    def submit(self, command, data=None, held=()):
        """Send any command on the queue that it belongs to (admin, or the first free I/O queue pair). Returns its Request.

        `data` is a buffer from alloc() whose PRPs are put into the command; without it prp1 and prp2 stay as they are.
        """
        held = self._attach(command, data, held)
        pair = self.io_queue() if command.admin is False else self.admin_queue()
        return pair.submit(command, held)

    def _attach(self, command, data, held):
        """Put the PRPs of `data` into a command. Returns what has to be held until it has completed."""
        if data is not None:
            if not isinstance(data, DmaBuffer) or not data.flags.c_contiguous:
                raise UsageError("data: a buffer from ctrl.alloc(), whole or a contiguous slice of it")
            prp = build_prp(self.dma, data.iova, data.nbytes, self.page)
            command.prp1, command.prp2, held = prp.prp1, prp.prp2, (*held, data, prp)
        return held

    def execute(self, command, data=None, held=(), what="", timeout=None, retries=None):
        """Send any command and wait for it. Returns its Completion.

        `timeout` in seconds and `retries` stand for the controller's own where they are given. Only I/O commands that may be
        executed twice (REPEATABLE) are sent again, when their status says that this may help.
        """
        held = self._attach(command, data, held)
        pair = self.io_queue() if command.admin is False else self.admin_queue()
        request = pair.submit(command, held, what)
        if command.admin is False and int(command.opc) in REPEATABLE:
            return self.settle(request, held, timeout, retries)
        return request.wait(timeout)

    # -- Identify

    def identify_data(self, cns, nsid=0, cntid=0, csi=0):
        """The 4096 bytes that Identify returns for a CNS, as bytes."""
        buffer = self.alloc(IDENTIFY_BYTES)
        self.execute(cmd.identify(cns=cns, nsid=nsid, cntid=cntid, csi=csi), buffer, what=f"Identify CNS {cns:02x}h nsid={nsid}")
        return bytes(buffer)

    def identify_controller(self):
        """Identify Controller (CNS 01h)."""
        return IdentifyController(self.identify_data(1))

    def identify_namespace(self, nsid):
        """Identify Namespace (CNS 00h)."""
        return IdentifyNamespace(self.identify_data(0, nsid))

    def namespace_ids(self):
        """All active namespace identifiers (CNS 02h), ascending."""
        found, last = [], 0
        while True:
            some = NamespaceList(self.identify_data(2, last)).nsids
            if some != sorted(set(some)) or (some and some[0] <= last):
                raise ControllerError(f"Identify CNS 02h: the list of active namespaces after nsid {last} does not ascend "
                                      "(base 2.0c 5.17.2.2); the controller can't be trusted")
            found += some
            if len(some) < 1024:
                return found
            last = some[-1]

    def namespace_descriptors(self, nsid):
        """Namespace Identification Descriptors (CNS 03h)."""
        return NamespaceDescriptors(self.identify_data(3, nsid))

    # -- Get Log Page

    def log_page(self, lid, length, nsid=ALL_NAMESPACES, offset=0, rae=0):
        """`length` bytes of a log page from byte `offset` on, as bytes. Both multiples of 4."""
        if length <= 0 or length % 4 or offset % 4:
            raise UsageError(f"log page {lid:#x}: {length} bytes at {offset}: both must be multiples of 4 (base 2.0c 5.16)")
        parts = []
        for at in range(offset, offset + length, LOG_CHUNK):
            size = min(LOG_CHUNK, offset + length - at)
            buffer = self.alloc(size)
            dwords = size // 4 - 1
            self.execute(cmd.get_log_page(lid=lid, nsid=nsid, rae=rae, numdl=dwords & 0xFFFF, numdu=dwords >> 16,
                                          lpol=at & 0xFFFFFFFF, lpou=at >> 32), buffer, what=f"Get Log Page {lid:02x}h")
            parts.append(bytes(buffer))
        return b"".join(parts)

    def smart_log(self, nsid=ALL_NAMESPACES):
        """The SMART / Health Information log."""
        return SmartLog(self.log_page(0x02, SmartLog.SIZE, nsid))

    def error_log(self, entries=None):
        """The Error Information log, newest first, as a list (`entries` of them, or all that ELPE allows)."""
        count = min(entries or 256, int((self.id or self.identify_controller()).elpe) + 1)
        raw = self.log_page(0x01, count * ErrorLogEntry.SIZE)
        return [ErrorLogEntry(raw[i:i + 64]) for i in range(0, len(raw), 64)]

    def firmware_log(self):
        """The Firmware Slot Information log."""
        return FirmwareLog(self.log_page(0x03, FirmwareLog.SIZE))

    def commands_log(self):
        """The Commands Supported and Effects log."""
        return CommandsSupportedLog(self.log_page(0x05, CommandsSupportedLog.SIZE))

    # -- features

    def get_feature(self, fid, select=0, nsid=0):
        """A feature's value: dw0 of Get Features."""
        return int(self.execute(cmd.get_features(fid=fid, sel=select, nsid=nsid), what=f"Get Features {fid:02x}h").dw0)

    def set_feature(self, fid, value, nsid=0):
        """Set a feature to `value` (dword 11). Returns dw0."""
        return int(self.execute(cmd.set_features(fid=fid, cdw11=value, nsid=nsid), what=f"Set Features {fid:02x}h").dw0)

    def set_number_of_queues(self, pairs=MOST_QUEUES):
        """Ask for `pairs` I/O submission and completion queues. Returns how many pairs were granted; once, before the first."""
        self.function.mark("number of queues")
        if not 0 < pairs < 65536:
            raise UsageError(f"Number of Queues {pairs}: 1 to 65535 (base 2.0c 5.27.1.5)")
        granted = self.set_feature(NUMBER_OF_QUEUES, pairs - 1 | (pairs - 1) << 16)
        self.queues_asked, self.queue_limit = pairs, min(granted & 0xFFFF, granted >> 16) + 1
        return self.queue_limit

    # -- I/O queues

    @one_at_a_time
    def create_io_cq(self, qid, depth=64, vector=None):
        """Create I/O Completion Queue `qid` with `depth` entries. Returns the CompletionQueue.

        With a `vector`, waits for it sleep until that interrupt comes: a number, or function.line. Without, it is polled.
        Number of Queues is negotiated first, if nobody did. Raises UsageError for a qid that is 0, taken or over the
        number granted, and for a depth under 2 or over CAP.MQES.
        """
        self._check_queue("Create I/O CQ", qid, depth, self.io_cqs)
        cq = CompletionQueue(qid, depth, self.bar, self.dma, self.regs.dstrd, self.function.pump)
        cq.take_interrupt(self.function, vector)
        self._announce_cq(cq)
        self.io_cqs[qid] = cq
        return cq

    def _announce_cq(self, cq):
        """Create a completion queue at the controller."""
        self._create(cmd.create_io_cq(qid=cq.qid, qsize=cq.depth - 1, prp1=cq.iova, pc=1, ien=int(cq.interrupt is not None),
                                      iv=cq.vector or 0), cq, f"Create I/O CQ qid={cq.qid}")
        note_queue(Kind.QUEUE_NEW, cq, True)

    @one_at_a_time
    def create_io_sq(self, qid, cq, depth=None):
        """Create I/O Submission Queue `qid` with `depth` entries (the completion queue's when None) that completes to `cq`.

        Returns the SubmissionQueue; its pair is ctrl.io[qid]. Raises UsageError as create_io_cq() does.
        """
        depth = cq.depth if depth is None else depth
        self._check_queue("Create I/O SQ", qid, depth, self.io)
        if self.io_cqs.get(cq.qid) is not cq:
            raise UsageError(f"Create I/O SQ qid={qid}: {cq.name} is not an I/O completion queue of this controller; "
                             "create_io_cq() comes first (base 2.0c 5.5)")
        sq = SubmissionQueue(qid, depth, self.bar, self.dma, self.regs.dstrd)
        self._announce_sq(sq, cq)
        self.io[qid] = QueuePair(sq, cq, self)
        return sq

    def _announce_sq(self, sq, cq):
        """Create a submission queue at the controller."""
        self._create(cmd.create_io_sq(qid=sq.qid, qsize=sq.depth - 1, cqid=cq.qid, prp1=sq.iova, pc=1), sq, f"Create I/O SQ qid={sq.qid}")
        note_queue(Kind.QUEUE_NEW, sq, False, cq.qid)

    def _create(self, command, queue, what):
        """Send a creation. When its outcome stays unknown, the queue's memory and identifier stay reserved until a reset."""
        self.unsure[queue.qid] = queue
        try:
            self.execute(command, what=what)
        except NvmeStatusError:
            self.unsure.pop(queue.qid, None)
            raise
        self.unsure.pop(queue.qid, None)

    def _check_queue(self, what, qid, depth, taken):
        mqes = int(self.cap.MQES) + 1
        if not 2 <= depth <= mqes:
            raise UsageError(f"{what} qid={qid}: {depth} entries asked; a queue has at least 2, and CAP.MQES allows {mqes}")
        if self.queue_limit is None:
            self.set_number_of_queues()
        if not 1 <= qid <= self.queue_limit:
            raise UsageError(f"{what} qid={qid}: I/O queues are numbered 1 to {self.queue_limit}, the Number of Queues that the "
                             "controller granted; 0 is the admin queue")
        if qid in taken:
            raise UsageError(f"{what} qid={qid}: that identifier is in use ({sorted(taken)}); delete the queue first, or take another")

    @one_at_a_time
    def delete_io_sq(self, qid):
        """Delete I/O Submission Queue `qid`; goes before its completion queue. Raises QueueBusy while something owns it."""
        pair = self.io.get(qid)
        if pair is not None:
            pair.sq._free()
        self.execute(cmd.delete_io_sq(qid=qid), what=f"Delete I/O SQ qid={qid}")
        if pair is not None:
            try:
                self._bury(pair)
            finally:                             # a callback may have raised
                self.io.pop(qid)
                note_queue(Kind.QUEUE_GONE, pair.sq, False)

    @one_at_a_time
    def delete_io_cq(self, qid):
        """Delete I/O Completion Queue `qid`. Refused by the controller while a submission queue still completes to it."""
        self.execute(cmd.delete_io_cq(qid=qid), what=f"Delete I/O CQ qid={qid}")
        cq = self.io_cqs.pop(qid, None)
        if cq is not None:
            cq.retired = UsageError, "it was deleted; create another"
            note_queue(Kind.QUEUE_GONE, cq, True)

    @staticmethod
    def _bury(pair):
        """End what a deleted submission queue left: with what was completed, else as the standard calls it (base 2.0c 5.7)."""
        with pair.lock:
            pair._drain()
            pair.sq.retired = UsageError, "it was deleted; create another"
            pair.sq.end_requests(f"{pair.sq.name} was deleted", status=COMMAND_ABORTED_DUE_TO_SQ_DELETION)
            pair.cq.sqs.pop(pair.qid, None)
            pair.cq.tell()

    @one_at_a_time
    def create_io_queue_pair(self, depth=64, qid=None, vector=None):
        """Create a completion queue, then its submission queue, both `qid` (the next free one). Returns the QueuePair.

        With a `vector`, waits for it sleep until that interrupt comes, as create_io_cq() says.
        When the submission queue fails, the completion queue is deleted again and the error says why.
        """
        if self.queue_limit is None:
            self.set_number_of_queues()
        if qid is None:
            taken = {*self.io, *self.io_cqs, *self.unsure}
            qid = next((q for q in range(1, self.queue_limit + 1) if q not in taken), None)
            if qid is None:
                raise UsageError(f"no I/O queue identifier is free: all {self.queue_limit} that the controller granted are in use; "
                                 "delete_io_queue_pair() one of them")
        cq = self.create_io_cq(qid, depth, vector)
        try:
            self.create_io_sq(qid, cq, depth)
        except Exception:
            self.delete_io_cq(qid)
            raise
        return self.io[qid]

    @one_at_a_time
    def delete_io_queue_pair(self, pair):
        """Delete a pair: its submission queue, then its completion queue."""
        self.delete_io_sq(pair.sq.qid)
        self.delete_io_cq(pair.cq.qid)
