"""What time travel arrives at: rings and registers at one instant, as each side saw them."""
from functools import cached_property

from nvlab._core.trace import Kind, Side
from nvlab.spec import registers
from nvlab.spec.commands import Command, Completion
from nvlab.spec.render import Table, hexadecimal, mimebundle


class _Ring:
    """What both rings have in common. Values are None where the recording can't tell."""

    owner = None

    def __init__(self, qid, depth, iova, drive, fill):
        self.qid, self.depth, self.iova, self.drive, self._fill = qid, depth, iova, drive, fill

    @cached_property
    def _slots(self):
        return self._fill()

    @property
    def entries(self):
        """(depth, 64 or 16) uint8: each slot as it was last known to be; None when the depth isn't known."""
        return self._slots[0]

    @property
    def known(self):
        """(depth,) bool: which slots are certain; the others hold zeros, or what was there before. None without a depth."""
        return self._slots[1]

    def _said(self, names):
        return ", ".join(f"{name} {'?' if getattr(self, name) is None else getattr(self, name)}" for name in names)

    def _drive_said(self):
        if self.drive is None:
            return "the drive: nothing known"
        return "the drive: " + ", ".join(f"{name} {'?' if value is None else value}" for name, value in self.drive.items())


class SqState(_Ring):
    """A submission queue at an instant: the host's `tail`, `head`, `rung` (its last doorbell), `depth`, `iova`, `cqid`.

    `drive` is {"head", "tail"} as the drive held them, None where it had no such queue or can't be looked into.
    """

    def __init__(self, qid, depth, iova, cqid, *, tail, head, rung, drive, fill):
        super().__init__(qid, depth, iova, drive, fill)
        self.cqid, self.tail, self.head, self.rung, self.name = cqid, tail, head, rung, f"SQ {qid}"

    def entry(self, slot):
        """The Command in a slot, or None where that isn't known."""
        if self.known is None or not self.known[slot]:
            return None
        return Command.decode(self.entries[slot].tobytes(), admin=self.qid == 0)

    def __repr__(self):
        return f"<{self.name}: {self.depth or '?'} entries, {self._said(('tail', 'head', 'rung'))}; {self._drive_said()}>"


class CqState(_Ring):
    """A completion queue at an instant: the host's `head`, `phase`, `rung` (its last doorbell), `depth`, `iova`.

    `drive` is {"tail", "head", "phase"} as the drive held them, None where it had no such queue or can't be looked into.
    """

    def __init__(self, qid, depth, iova, *, head, phase, rung, drive, fill):
        super().__init__(qid, depth, iova, drive, fill)
        self.head, self.phase, self.rung, self.name = head, phase, rung, f"CQ {qid}"

    def entry(self, slot):
        """The Completion in a slot, or None where that isn't known."""
        return Completion(self.entries[slot].tobytes()) if self.known is not None and self.known[slot] else None

    def __repr__(self):
        return f"<{self.name}: {self.depth or '?'} entries, {self._said(('head', 'phase', 'rung'))}; {self._drive_said()}>"


class DriveRing(_Ring):
    """A ring at an instant as the drive was told of it: `depth`, `iova`, `cqid` of a submission queue, and `drive` as in
    SqState or CqState. `entries` are those of that memory; of a ring that nvlab's host didn't make little of it may be `known`.
    """

    def __init__(self, name, qid, depth, iova, cqid, drive, fill):
        super().__init__(qid, depth, iova, drive, fill)
        self.name, self.cqid = name, cqid

    def entry(self, slot):
        """The Command or Completion in a slot, or None where that isn't known."""
        if self.known is None or not self.known[slot]:
            return None
        raw = self.entries[slot].tobytes()
        return Command.decode(raw, admin=self.qid == 0) if len(raw) == 64 else Completion(raw)

    def __repr__(self):
        return f"<{self.name} as the drive was told: {self.depth or '?'} entries at {self.iova or 0:#x}; {self._drive_said()}>"


class PairState:
    """A submission queue and its completion queue at an instant, shaped as a live queue pair is: `sq`, `cq`, `qid`."""

    owner = None

    def __init__(self, sq, cq):
        self.sq, self.cq, self.qid = sq, cq, sq.qid

    def __repr__(self):
        return f"<queue pair {self.qid}: {self.sq!r}, {self.cq!r}>"


class State:
    """Rings and registers when the first `count` events of a recording had happened.

    `sqs`, `cqs` {qid: SqState or CqState} of the rings that the host had · `drive_sqs`, `drive_cqs` {qid: DriveRing} of those
    that the drive was told of, whoever made them · `registers` {name: snapshot} as the drive held
    them, or where it can't be looked into as the host last saw them · `seen` and `held`: the two views apart · `time` ns ·
    `event` the last one that had happened, or None.
    """

    def __init__(self, replay, count):
        self._replay, self.count = replay, count

    @property
    def time(self):
        """ns since the recording began, of the last event that had happened; 0 at the beginning."""
        return int(self._replay.events["time"][self.count - 1]) if self.count else 0

    @property
    def event(self):
        """The last Event that had happened, or None at the beginning."""
        return self._replay.recording[self.count - 1] if self.count else None

    @cached_property
    def sqs(self):
        """{qid: SqState}: the submission queues of the host."""
        return self._rings(0, self._replay.host_sq)

    @cached_property
    def cqs(self):
        """{qid: CqState}: the completion queues of the host."""
        return self._rings(1, self._replay.host_cq)

    def _rings(self, which, find):
        found = {qid: find(qid, self.count) for ring, qid in self._replay.host_queues if ring == which}
        return {qid: ring for qid, ring in found.items() if ring is not None}

    @cached_property
    def drive_sqs(self):
        """{qid: DriveRing}: the submission queues of the drive."""
        return self._of_drive(0, "SQ", self._replay.drive_sq)

    @cached_property
    def drive_cqs(self):
        """{qid: DriveRing}: the completion queues of the drive."""
        return self._of_drive(1, "CQ", self._replay.drive_cq)

    def _of_drive(self, ring, name, find):
        told = {qid: self._replay.drive_ring(ring, qid, self.count) for which, qid in self._replay.drive_queues if which == ring}
        return {qid: DriveRing(f"{name} {qid}", qid, one["size"], one["iova"], one["cqid"], find(qid, self.count), one["fill"])
                for qid, one in told.items() if one is not None}

    @cached_property
    def pairs(self):
        """{qid: PairState}: each submission queue with the completion queue that it completes to, where both are known."""
        return {qid: PairState(sq, self.cqs[sq.cqid]) for qid, sq in self.sqs.items() if sq.cqid in self.cqs}

    def when(self, qid):
        """How this instant lies to the host's queue pair `qid`: "during" its life, "before" it, "after" it, or "never" recorded."""
        if qid in self.pairs:
            return "during"
        last = self._replay.state(len(self._replay.recording))
        made = self._replay.positions(Kind.QUEUE_NEW, qid, Side.HOST)
        if any(at >= self.count for at in made) or not len(made) and qid in last.pairs:
            return "before"
        there = len(made) or qid in self._replay.state(0).pairs
        return "after" if there else "never"

    def queue_state(self, qid):
        """What the drive believed of queue `qid`, as ssd.queue_state() tells it; None when it had none, or can't be asked."""
        sq, cq = self._replay.drive_sq(qid, self.count), self._replay.drive_cq(qid, self.count)
        if sq is None and cq is None:
            return None
        sq, cq = sq or {"head": None, "tail": None}, cq or {"head": None, "tail": None, "phase": None}
        return {"sq_head": sq["head"], "sq_tail": sq["tail"], "cq_head": cq["head"], "cq_tail": cq["tail"],
                "phase": cq["phase"]}

    @cached_property
    def seen(self):
        """{name: snapshot or None}: the registers as the host last read or wrote them."""
        return self._registers(self._replay.seen_register)

    @cached_property
    def held(self):
        """{name: snapshot or None}: the registers as the drive held them; None where it can't be looked into."""
        return None if self._replay.base.held is None else self._registers(self._replay.held_register)

    @property
    def registers(self):
        """{name: snapshot}: as the drive held them, else as the host last saw them; only those that are known."""
        return {name: value for name, value in (self.seen if self.held is None else self.held).items() if value is not None}

    def _registers(self, find):
        named = ((name, registers.ALL[name]) for name in self._replay.base.present)
        values = ((name, r, find(r, self.count)) for name, r in named)
        return {name: None if value is None else r.decode(value & (1 << 8 * r.size) - 1) for name, r, value in values}

    def table(self):
        """Registers and rings, as a render.Table."""
        rows = [(name, hexadecimal(value, value.register.size), "") for name, value in self.registers.items()]
        for ring in [ring for qid in sorted({*self.sqs, *self.cqs}) for ring in (self.sqs.get(qid), self.cqs.get(qid)) if ring]:
            rows.append((ring.name, ring._said(("tail", "head", "rung") if isinstance(ring, SqState) else ("head", "phase", "rung")),
                         ring._drive_said()))
        for mine, drives in ((self.sqs, self.drive_sqs), (self.cqs, self.drive_cqs)):
            rows += [(ring.name, "not nvlab's", ring._drive_said()) for qid, ring in drives.items() if qid not in mine]
        after = f"after {self.event.text}" if self.count else "at the beginning"
        return Table(f"At {self.time / 1000:.3f} us, {after}", ("", "Host", "Drive"), rows, numbers=("Host", "Drive"))

    def __repr__(self):
        return self.table().text()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())
