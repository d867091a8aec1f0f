"""What ctrl.why() looks at: both ends as they stand now, and the books of what was recorded.

Everything is read once, while the drive is held still for a moment. Nothing is written; registers are read only where no
drive of ours can be asked.
"""
import contextlib
import time
import types

import numpy as np

from nvlab.spec import registers, status
from nvlab.spec.errors import Error

from .baseline import rings_of
from .live import _RECORDING
from .watch import WATCHING, posted_up_to
from .why_ledger import Ledger

PATIENCE = 0.3
"""Seconds to wait for whoever is in the drive just now, or in its queue pairs, all together."""

LOOKED_AT = ("CAP", "VS", "CC", "CSTS", "AQA", "ASQ", "ACQ")
DOORBELLS = 0x1000


def as_it_stands(ring):
    """What a ring of the host's holds now, for rules that look when it has moved on; None for None."""
    if ring is None:
        return None
    found = types.SimpleNamespace(**{name: getattr(ring, name) for name in ("depth", "iova", "owner", "head", "rung")})
    found.tail, found.phase = getattr(ring, "tail", None), getattr(ring, "phase", None)
    found.outstanding = dict(getattr(ring, "outstanding", ()))
    return found


class SqView:
    """A submission queue now: `tail` its doorbell, `head` how far the drive has fetched (None: not known), as the drive has it.

    `ring` is the host's own SubmissionQueue or None · `entries` (size, 64) or None · `inferred`: the drive can't be asked.
    """

    def __init__(self, qid, size, iova, cqid, head, tail, ring=None, entries=None, inferred=False):
        self.qid, self.size, self.iova, self.cqid, self.head, self.tail = qid, size, iova, cqid, head, tail
        self.ring, self.entries, self.inferred = as_it_stands(ring), entries, inferred

    @property
    def rung(self):
        """Entries that the doorbell handed over and that the drive hasn't fetched; None where that isn't known."""
        if self.tail is None or self.head is None or self.tail >= self.size or self.head >= self.size:
            return None
        return (self.tail - self.head) % self.size

    def entry(self, slot):
        """The 64 bytes of a slot, or None."""
        return self.entries[slot].tobytes() if self.entries is not None and slot < len(self.entries) else None


class CqView:
    """A completion queue now: `tail` where the drive posts next and with which `phase`, `head` its doorbell."""

    def __init__(self, qid, size, iova, tail, phase, head, ring=None, entries=None, inferred=False):
        self.qid, self.size, self.iova, self.tail, self.phase, self.head = qid, size, iova, tail, phase, head
        self.ring, self.entries, self.inferred = as_it_stands(ring), entries, inferred

    @property
    def pending(self):
        """Entries posted and not given back; None where that isn't known."""
        if self.tail is None or self.head is None or self.head >= self.size:
            return None
        return (self.tail - self.head) % self.size

    @property
    def full(self):
        return self.pending == self.size - 1


class Scene:
    """Both ends of one controller.

    `still` whether host and drive could both be held while we looked · `gone` why nothing answers, or None · `registers` {name:
    snapshot} · `sqs`, `cqs` {qid: view} · `held` [(sqid, cid)] of what the drive holds back · `ledger` · `page` bytes of a
    memory page as CC.MPS says · `stray` {(ring, qid): value} of doorbells without a queue.
    """

    def __init__(self, ctrl):
        self.ctrl, self.ssd, self.time = ctrl, ctrl.ssd, time.monotonic()
        self.still = False
        self.gone, self.registers, self.sqs, self.cqs, self.stray, self.inside, self.held, self.errors = None, {}, {}, {}, {}, [], [], []
        self.trace = _RECORDING.get(ctrl.function)
        self.watch = WATCHING.get(ctrl.function)
        self._read_books()
        self._find_out_whether_gone()
        if self.gone is None:
            for _ in range(3):
                rings = list(rings_of(ctrl)[1].values())
                with self._still():
                    self.sqs, self.cqs, self.stray, self.errors = {}, {}, {}, []
                    self._look()
                if rings == list(rings_of(ctrl)[1].values()):        # else others have been made meanwhile: look again
                    break

    def _read_books(self):
        recording = self.trace.recording() if self.trace is not None else None
        peeks = list(self.watch.peeks) if self.watch is not None and self.watch.trace is self.trace else ()
        self.ledger = Ledger(recording, peeks, drive=self.ssd is not None)

    def _find_out_whether_gone(self):
        ctrl = self.ctrl
        if ctrl.closed:
            self.gone = "it was closed"
            return
        self.gone = ctrl.function.gone()
        if self.gone is None and not ctrl.bar.is_alive():
            self.gone = "its connection broke"
        try:
            if self.gone is None:
                self._read_registers()
        except Error as error:
            self.gone = ctrl.function.gone() or str(error)

    def _read_registers(self):
        for name in LOOKED_AT:
            register = registers.ALL[name]
            if self.ssd is not None:
                value = self.ssd.controller.read(register.offset, register.size)
            else:
                value = self.ctrl.bar.read64(register.offset) if register.size == 8 else self.ctrl.bar.read32(register.offset)
            self.registers[name] = register.decode(int(value))
        if self.registers["CSTS"] == 0xFFFFFFFF:
            self.gone = "CSTS reads as all ones, as where no device answers"

    @property
    def page(self):
        """Bytes of a memory page, as CC.MPS says."""
        return 4096 << int(self.registers["CC"].MPS) if self.registers else 4096

    def memory(self, iova, length):
        """The host's memory, or None where none is mapped."""
        try:
            return self.ctrl.dma.read(iova, length)
        except (Error, OverflowError):
            return None

    # -- held still

    @contextlib.contextmanager
    def _still(self):
        """Hold the drive and the host's queue pairs still, as far as they let go in time."""
        deadline = time.monotonic() + PATIENCE
        with contextlib.ExitStack() as stack:
            self.still = True
            for cq in rings_of(self.ctrl)[1].values():
                if cq.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                    stack.callback(cq.lock.release)
                else:
                    self.still = False
            path = self.ssd.datapath if self.ssd is not None else None
            if path is not None and path.acquire(max(0.05, deadline - time.monotonic())):
                stack.callback(path.release)
            else:
                self.still = False
            yield

    def _look(self):
        sqs, cqs = rings_of(self.ctrl)
        if self.ssd is not None:
            self._ask_drive(sqs, cqs)
            self._read_registers()               # again: now nobody moves
        else:
            self._infer(sqs, cqs)
        for qid in {*self.sqs, *self.cqs}:
            self._leave_out_strangers([view for view in (self.sqs.get(qid), self.cqs.get(qid)) if view is not None])

    @staticmethod
    def _leave_out_strangers(views):
        """Rings of nvlab's that somebody has replaced, both of them, by rings of his own have no part in it any more."""
        if all(view.ring is None or int(view.ring.iova) != view.iova for view in views):
            for view in views:
                view.ring = None

    def _entries(self, iova, size, width):
        raw = self.memory(iova, size * width) if iova is not None and size else None
        return None if raw is None else np.frombuffer(raw, np.uint8).reshape(size, width)

    # -- a drive of ours

    def _ask_drive(self, sqs, cqs):
        path = self.ssd.datapath
        for qid in range(path.queues + 1):
            shape, state = path.shape(qid), path.state(qid)
            if shape and shape["sq_size"]:
                self.sqs[qid] = SqView(qid, shape["sq_size"], shape["sq_iova"], shape["cqid"], state["sq_head"], state["sq_tail"],
                                       sqs.get(qid), self._entries(shape["sq_iova"], shape["sq_size"], 64))
            else:
                self._note_stray("SQ", qid, 2 * qid)
            if shape and shape["cq_size"]:
                self.cqs[qid] = CqView(qid, shape["cq_size"], shape["cq_iova"], state["cq_tail"], state["phase"], state["cq_head"],
                                       cqs.get(qid), self._entries(shape["cq_iova"], shape["cq_size"], 16))
            else:
                self._note_stray("CQ", qid, 2 * qid + 1)
        self.inside = [(held.sqid, int(held.command.cid), int(held.command.opc), held.state) for held in list(self.ssd.inside)]
        self.held = [(held.sqid, held.cid) for held in self.ssd.held_back]
        self.waiting_events = list(self.ssd.controller.events.requests)
        for entry in list(self.ssd.controller.error_log().entries)[:16]:
            field = int(entry.status_field) >> 1
            self.errors.append((int(entry.sqid), int(entry.cmdid), status.lookup(field >> 8 & 7, field & 0xFF)))

    def _note_stray(self, ring, qid, place):
        path = self.ssd.datapath
        at = DOORBELLS + place * path.stride
        value = int.from_bytes(path.memory[at:at + 4], "little")
        if value:
            self.stray[ring, qid] = value

    waiting_events = ()

    # -- a drive of somebody else's

    def _infer(self, sqs, cqs):
        """What the host's memory and its doorbells tell of a drive that can't be asked."""
        if not self.registers["CC"].EN:
            return
        told = dict(self.watch.told) if self.watch is not None else {}
        aqa = self.registers["AQA"]
        told.setdefault(("sq", 0), (int(self.registers["ASQ"]) & ~0xFFF, int(aqa.ASQS) + 1))
        told.setdefault(("cq", 0), (int(self.registers["ACQ"]) & ~0xFFF, int(aqa.ACQS) + 1))
        for (kind, qid), (iova, size) in told.items():
            if kind == "cq" or qid in cqs:
                self._infer_cq(qid, iova, size, cqs.get(qid))
        for qid, cq in cqs.items():
            if qid not in self.cqs or qid:
                self._infer_cq(qid, int(cq.iova), cq.depth, cq)
        for (kind, qid), (iova, size) in told.items():
            if kind == "sq":
                self._infer_sq(qid, iova, size, sqs.get(qid))
        for qid, sq in sqs.items():
            if qid not in self.sqs:
                self._infer_sq(qid, int(sq.iova), sq.depth, sq)

    def _infer_cq(self, qid, iova, size, ring):
        entries, book = self._entries(iova, size, 16), self.ledger.cqs.get(qid)
        if entries is None or size < 2:
            return
        tail, phase = posted_up_to(entries) or (None, None)
        head = self._bell("cq", qid, book, ring)
        self.cqs[qid] = CqView(qid, size, iova, tail, phase, head, ring, entries, inferred=True)

    def _infer_sq(self, qid, iova, size, ring):
        entries, book = self._entries(iova, size, 64), self.ledger.sqs.get(qid)
        if entries is None or size < 2:
            return
        tail = self._bell("sq", qid, book, ring)
        cqid = ring.pair.cq.qid if ring is not None and ring.pair is not None else 0 if qid == 0 else None
        self.sqs[qid] = SqView(qid, size, iova, cqid, self._told_head(qid, size), tail, ring, entries, inferred=True)

    def _bell(self, kind, qid, book, ring):
        """What a doorbell was last written with, or None."""
        if book is not None or ring is not None:
            return book.value if book is not None else ring.rung
        return 0 if self.watch is not None and (kind, qid) in self.watch.born else None

    def _told_head(self, sqid, size):
        """How far the drive has fetched at least: SQHD of the newest completion of a queue, or 0 without one."""
        for cq in self.cqs.values():
            if cq.tail is None:
                continue
            for back in range(1, cq.size + 1):
                entry = cq.entries[(cq.tail - back) % cq.size].tobytes()
                if any(entry) and int.from_bytes(entry[10:12], "little") == sqid:
                    head = int.from_bytes(entry[8:10], "little")
                    return head if head < size else None
        return 0

    def completions(self):
        """[(sqid, cid, Status)] of completions with an error that lie in rings of a drive that can't be asked."""
        found = []
        for cq in self.cqs.values():
            for entry in cq.entries if cq.entries is not None else ():
                raw = entry.tobytes()
                field = int.from_bytes(raw[14:16], "little") >> 1
                if field:
                    found.append((int.from_bytes(raw[10:12], "little"), int.from_bytes(raw[12:14], "little"),
                                  status.lookup(field >> 8 & 7, field & 0xFF)))
        return found
