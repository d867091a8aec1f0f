"""How rings and registers stood when a recording began: what its events are applied to."""
import contextlib
from dataclasses import dataclass, field

import numpy as np

from nvlab._core.trace import Kind
from nvlab.host.regs import Registers
from nvlab.spec import registers
from nvlab.spec.errors import Error, UsageError

SQ, CQ = 0, 1
HOST_SQ = ("depth", "iova", "cqid", "tail", "head", "rung")
HOST_CQ = ("depth", "iova", "head", "phase", "rung")
DRIVE_SQ = ("size", "iova", "cqid", "head", "tail")
DRIVE_CQ = ("size", "iova", "tail", "head", "phase")
ENTRY = (64, 16)
"""Bytes of an entry: of a submission queue, of a completion queue."""


@dataclass
class Baseline:
    """Rings and registers at the beginning. A value that nobody could tell is None.

    `host` and `drive` are {(SQ or CQ, qid): {name: int}}, the two views of each queue; `drive` is None where the drive can't
    be looked into. `entries` {(SQ or CQ, qid): (depth, 64 or 16) uint8} of the host's rings, `memory` the same of those that
    only the drive knows: their driver is not nvlab's. `seen` {offset of a dword: value} is what the host
    knows of the registers, `held` {offset: value} what the drive holds in them (None where it keeps that to itself).
    `present` names the registers that this controller has.
    """

    host: dict = field(default_factory=dict)
    drive: dict | None = field(default_factory=dict)
    entries: dict = field(default_factory=dict)
    memory: dict = field(default_factory=dict)
    seen: dict = field(default_factory=dict)
    held: dict | None = field(default_factory=dict)
    present: list = field(default_factory=lambda: [name for name, r in registers.ALL.items() if r.offset < 0x38])

    # -- to and from a file

    def to_json(self):
        """All but the entries, as plain values for a JSON file."""
        def flat(table):
            return None if table is None else [[*key, values] for key, values in table.items()]
        return {"host": flat(self.host), "drive": flat(self.drive), "seen": [*self.seen.items()], "present": self.present,
                "held": None if self.held is None else [*self.held.items()]}

    @classmethod
    def from_json(cls, plain, entries, memory=None):
        """The Baseline of to_json() and its entries. Raises UsageError when they don't fit together."""
        host, drive = _table(plain["host"], HOST_SQ, HOST_CQ), _table(plain["drive"], DRIVE_SQ, DRIVE_CQ)
        if host is None or not all(name in registers.ALL for name in plain["present"]):
            raise UsageError("its baseline names registers that the standard doesn't have")
        memory = memory or {}
        for arrays, table, size in ((entries, host, "depth"), (memory, drive or {}, "size")):
            for (ring, qid), array in arrays.items():
                known = table.get((ring, qid))
                if known is None or array.dtype != np.uint8 or array.shape != (known[size], ENTRY[ring]):
                    raise UsageError(f"its entries of {'SC'[ring]}Q {qid} don't fit that queue")
        return cls(host=host, drive=drive, entries=entries, memory=memory, seen=_numbers(plain["seen"]), held=_numbers(plain["held"]),
                   present=list(plain["present"]))


def _table(rows, of_sq, of_cq):
    if rows is None:
        return None
    table = {}
    for ring, qid, values in rows:
        names = (of_sq, of_cq)[ring]
        values = {**dict.fromkeys({"iova", "cqid"} & set(names)), **values}
        if not 0 <= qid <= 0xFFFF or set(values) != set(names) or not all(v is None or isinstance(v, int) for v in values.values()):
            raise UsageError("its baseline of a queue is malformed")
        size = values.get("depth", values.get("size"))
        if size is not None and not 2 <= size <= 65536:
            raise UsageError(f"its baseline has a queue of {size} entries")
        table[ring, qid] = dict(values)
    return table


def _numbers(pairs):
    return None if pairs is None else {int(offset): int(value) for offset, value in pairs}


# ---------------------------------------------------------------- from a live controller

class Unknown:
    """A function that no Controller drives yet: no rings, and nothing read of its registers."""

    def __init__(self, function):
        self.function, self.ssd, self.address = function, function.ssd, function.address
        self.regs, self.admin, self.io, self.io_cqs = Registers(function.bar), None, {}, {}


@contextlib.contextmanager
def held_still(ctrl):
    """Hold the drive and the queue pairs of `ctrl` still; yields the completion queues that could be held.

    A pair that another thread doesn't let go of within a second is left alone: what it does just then isn't known.
    """
    with contextlib.ExitStack() as stack:
        held = []
        for cq in rings_of(ctrl)[1].values():
            if cq.lock.acquire(timeout=1.0):
                stack.callback(cq.lock.release)
                held.append(cq)
        if ctrl.ssd is not None and ctrl.ssd.datapath.acquire(1.0):
            stack.callback(ctrl.ssd.datapath.release)
        yield held                               # (a drive that can't be had in a second is held by somebody: it stands still)


def rings_of(ctrl):
    """({qid: SubmissionQueue}, {qid: CompletionQueue}) of all rings that the host has; a reset takes them away for a while."""
    pairs = ([ctrl.admin] if ctrl.admin is not None else []) + list(ctrl.io.values())
    cqs = {**{pair.cq.qid: pair.cq for pair in pairs}, **dict(ctrl.io_cqs)}
    return tuple({ring.qid: ring for ring in rings if ring.noted != Kind.QUEUE_GONE} for rings in ([p.sq for p in pairs], cqs.values()))


def snapshot(ctrl, held=()):
    """The Baseline of a live controller, while held_still() holds `held`. Reads registers only where no drive can be asked."""
    sqs, cqs = rings_of(ctrl)
    base = Baseline(drive=None, held=None)
    for qid, sq in sqs.items():
        still = sq.owner is None and sq.pair is not None and sq.pair.cq in held
        base.host[SQ, qid] = {"depth": sq.depth, "iova": int(sq.iova), "cqid": sq.pair.cq.qid if sq.pair else None,
                              **_values(sq, ("tail", "head", "rung"), still)}
        if still:
            base.entries[SQ, qid] = np.array(sq.entries)
    for qid, cq in cqs.items():
        still = cq.owner is None and cq in held
        base.host[CQ, qid] = {"depth": cq.depth, "iova": int(cq.iova), **_values(cq, ("head", "phase", "rung"), still)}
        if still:
            base.entries[CQ, qid] = np.array(cq.entries)
    with contextlib.suppress(Error):
        base.present = [r.name for r in ctrl.regs.present() if r.readable]
    if ctrl.ssd is not None:
        _ask_drive(ctrl.ssd, base)
        _read_memory(ctrl.function.dma, base)
    _ask_host(ctrl, base)
    return base


def _values(ring, names, still):
    return {name: int(getattr(ring, name)) if still else None for name in names}


def _ask_drive(ssd, base):
    """The drive's own view; it is held still."""
    base.drive, base.held = {}, {int(offset): int(value) for offset, value in ssd.controller.values.items()}
    for qid in range(ssd.datapath.queues + 1):
        state = ssd.queue_state(qid)
        if state is None:
            continue
        shape = ssd.datapath.shape(qid)
        if state["sq_head"] is not None:
            base.drive[SQ, qid] = {"size": shape["sq_size"], "iova": shape["sq_iova"], "cqid": shape["cqid"],
                                   "head": state["sq_head"], "tail": state["sq_tail"]}
        if state["cq_tail"] is not None:
            base.drive[CQ, qid] = {"size": shape["cq_size"], "iova": shape["cq_iova"],
                                   "tail": state["cq_tail"], "head": state["cq_head"], "phase": state["phase"]}


def _read_memory(dma, base):
    """What lies where the drive was told of a ring that isn't the host's: a driver made it that is not nvlab's."""
    for (ring, qid), held in base.drive.items():
        mine = base.host.get((ring, qid))
        if mine is None or (mine["iova"], mine["depth"]) != (held["iova"], held["size"]):
            with contextlib.suppress(Error):
                raw = dma.read(held["iova"], held["size"] * ENTRY[ring])
                base.memory[ring, qid] = np.frombuffer(raw, np.uint8).reshape(-1, ENTRY[ring])


def _ask_host(ctrl, base):
    """What the host knows of the registers: all of them are read where no drive can be asked, else those of the probe."""
    known = {} if isinstance(ctrl, Unknown) else {"CAP": ctrl.cap, "VS": ctrl.vs}
    if ctrl.ssd is None:
        with contextlib.suppress(Error):
            known = ctrl.regs.snapshot()
    for name, value in known.items():
        register = registers.ALL[name]
        for at in range(0, register.size, 4):
            base.seen[register.offset + at] = int(value) >> 8 * at & 0xFFFFFFFF
