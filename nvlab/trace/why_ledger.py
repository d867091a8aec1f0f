"""The books that ctrl.why() keeps of a recording: each command's life, each doorbell, each completion, since the last reset.

Only what the order of events proves is noted. The drive notes when it posted an entry no later than it did so, the host a
doorbell no later than it wrote it: whatever a correct driver does after it has seen a completion also comes after it here.
"""
import collections
import itertools

from nvlab._core.trace import Kind, Side
from nvlab.spec import registers, status
from nvlab.target.fault_kinds import NAMES

from .baseline import CQ, SQ

LONGEST = 30000
"""Events that are gone through: the newest."""

KEPT = 2000
"""Commands of a queue that are remembered: the newest."""

BLANK = bytes(64)


class Command:
    """A command on its way. `rung`, `fetched`, `completed`: the numbers of the events, None where they aren't known.

    `raw` its 64 bytes where somebody saw them before the drive did, `listed` what lay where PRP2 points, `status` a Status.
    """

    __slots__ = ("sqid", "slot", "rung", "fetched", "completed", "raw", "listed", "key", "status", "peeked")

    def __init__(self, sqid, slot, rung=None, raw=None, listed=None):
        self.sqid, self.slot, self.rung, self.raw, self.listed = sqid, slot, rung, raw, listed
        self.fetched = self.completed = self.key = self.status = None
        self.peeked = False                      # `raw` is what lay there at the doorbell
        if raw is not None:
            self.key = key_of(raw)

    @property
    def opcode(self):
        return None if self.key is None else self.key[0]

    @property
    def cid(self):
        return None if self.key is None else self.key[1]


def key_of(raw):
    """(opcode, cid, nsid) of an entry's bytes."""
    return raw[0], int.from_bytes(raw[2:4], "little"), int.from_bytes(raw[4:8], "little")


class Sq:
    """A submission queue: `rung` its doorbell's last value, `value` as written (valid or not), `still` an unmoved one."""

    def __init__(self, qid, size, rung=0, head=0, whole=True):
        self.qid, self.size, self.rung, self.value, self.head, self.whole = qid, size, rung, rung, head, whole
        self.doorbells, self.entries = 0, 0      # written; entries handed over
        self.guessed = False                     # `rung` is what the first doorbell was about to write
        self.sure = True                         # `rung` and `head` are what they were: nothing was dropped, or both came since
        self.still = None                        # the Peek (or True) of a last doorbell that didn't move
        self.commands = collections.deque(maxlen=KEPT)
        self.waiting, self.latest, self.in_slot = {}, {}, {}     # by slot; by cid; what a slot held last
        self.open = collections.defaultdict(list)                # by cid: those rung and not completed, as far as the host can tell
        self.range, self.posted = range(0), None  # slots of the last doorbell; entries posted since it (None: not known)


class Cq:
    """A completion queue: `rung` its doorbell's last value, `tail` where the drive posts next (None: not known, for what it
    did was dropped), `taken` slots given back."""

    def __init__(self, qid, size, rung=0, tail=0, taken=0, whole=True):
        self.qid, self.size, self.rung, self.value, self.tail, self.taken = qid, size, rung, rung, tail, taken
        self.doorbells, self.posted, self.whole, self.still, self.guessed = 0, 0, whole, False, False


class Mark:
    """Something that was done wrong: `what`, at event `number`, of queue `qid`; further attributes as it needs."""

    def __init__(self, what, number, qid, **about):
        self.what, self.number, self.qid = what, number, qid
        vars(self).update(about)


class Ledger:
    """The books. `recorded` False: nobody recorded. `sqs`, `cqs` {qid: Sq or Cq} · `marks` what was done wrong · `faults`
    [(name, number, qid, its command's key)] · `written` {register: the value that the host wrote} · `at_enable` those of the
    moment of CC.EN = 1."""

    def __init__(self, recording=None, peeks=(), drive=True):
        self.recorded, self.drive = recording is not None, drive
        self.sqs, self.cqs, self.marks, self.faults, self.failed = {}, {}, [], [], []
        self.written, self.at_enable, self.strays, self.host = {}, None, {}, {}
        self.events = 0
        if recording is not None:
            self._peeks = collections.deque(peeks)
            self._origin = recording.origin
            self._begin(recording)
            self._go_through(recording)

    # -- how it all stood

    def _begin(self, recording):
        start = max(0, len(recording) - LONGEST, *recording.gaps.values())
        self.first, base, self.complete = start, recording.baseline, start == 0 and not recording.gaps
        self._whole, self._missing = self.complete, set()        # are all queues known that there are; which there aren't for certain
        if not self.complete:
            state = recording.after(start)
            sqs = {q: (s.depth, s.rung, (s.drive or {}).get("head") or 0) for q, s in state.sqs.items()}
            cqs = {q: (c.depth, c.rung, (c.drive or {}).get("tail")) for q, c in state.cqs.items()}
        elif base.drive is not None:
            sqs = {q: (v["size"], v["tail"], v["head"]) for (ring, q), v in base.drive.items() if ring == SQ}
            cqs = {q: (v["size"], v["head"], v["tail"]) for (ring, q), v in base.drive.items() if ring == CQ}
        else:
            sqs = {q: (v["depth"], v["rung"], v["head"]) for (ring, q), v in base.host.items() if ring == SQ}
            cqs = {q: (v["depth"], v["rung"], v["head"]) for (ring, q), v in base.host.items() if ring == CQ}
        for qid, (size, rung, head) in sqs.items():
            if size and rung is not None and rung < size:
                self.sqs[qid] = Sq(qid, size, rung, head or 0, whole=False)
                self.sqs[qid].sure = self.complete and base.drive is not None
                mine = base.host.get((SQ, qid)) if self.complete else None
                if mine is not None and mine["tail"] is not None and mine["rung"] == rung:
                    self.sqs[qid].posted = (mine["tail"] - rung) % size
        self.host = {key: values["depth"] for key, values in base.host.items()} if self.complete else {}
        for qid, (size, rung, tail) in cqs.items():
            if size and rung is not None and rung < size:
                self.cqs[qid] = Cq(qid, size, rung, tail, whole=False)

    def _go_through(self, recording):
        events = recording.events[self.first:]
        self.events = len(events)
        columns = [events[name].tolist() for name in ("time", "kind", "side", "qid", "index", "a", "b")]
        entries = events["sqe"]
        for number, (time, kind, side, qid, index, a, b) in enumerate(zip(*columns)):
            step = _STEPS.get(kind)
            if step is not None:
                self._time, self._entry = time, (lambda number=number: entries[number].tobytes())
                step(self, number, side, qid, index, a, b)

    def _peek(self, kind, qid, value):
        """The Peek of a doorbell event, or None."""
        absolute = self._time + self._origin
        found = None
        while self._peeks and self._peeks[0].time <= absolute:
            peek = self._peeks.popleft()
            if peek.kind == kind and peek.qid == qid and peek.value == value:
                found = peek
        return found

    # -- registers and queues

    def _register(self, number, side, qid, width, offset, value):
        register = _REGISTERS.get(offset)
        if register is None:
            high = _REGISTERS.get(offset - 4)
            if high is not None and high.size == 8 and width == 4:
                self.written[high.name] = self.written.get(high.name, 0) & 0xFFFFFFFF | value << 32
            return
        if register.size == 8 and width == 4:
            value |= self.written.get(register.name, 0) & ~0xFFFFFFFF
        elif register.size == 4 and width == 8:
            self._register(number, side, qid, 4, offset + 4, value >> 32)
            value &= 0xFFFFFFFF
        old = self.written.get("CC", 0)
        self.written[register.name] = value
        if register.name == "CC" and (value ^ old) & 1:
            if value & 1:
                self.at_enable = {name: self.written.get(name, 0) for name in ("AQA", "ASQ", "ACQ")} if self.complete else None
            if not self.drive:
                self._reset(number)

    def _reset(self, number, *_):
        """No queue any more, and what was done wrong with those of before is the past."""
        self.sqs, self.cqs, self.strays, self._whole = {}, {}, {}, True
        self.marks, self.failed, self.faults = [], [], []

    def _new(self, number, side, qid, size, iova, b):
        if side == Side.HOST:
            self.host[b & 1, qid] = size
            if self.drive:
                if not b & 1 and qid in self.sqs:
                    self.sqs[qid].posted = 0
                return
        if b & 1:
            self.cqs[qid] = Cq(qid, size)
        else:
            self.sqs[qid] = Sq(qid, size)
            self.sqs[qid].posted = 0 if (SQ, qid) in self.host else None
        self.strays.pop((b & 1, qid), None)
        self._missing.discard((b & 1, qid))
        self.marks = [m for m in self.marks if m.qid != qid or (m.what in _OF_CQ) != bool(b & 1)]

    def _gone(self, number, side, qid, index, a, b):
        if side == Side.HOST:
            self.host.pop((b & 1, qid), None)
        if side == Side.DRIVE or not self.drive:
            (self.cqs if b & 1 else self.sqs).pop(qid, None)
            self.strays.pop((b & 1, qid), None)  # it was there, though nobody recorded how it came
            self._missing.add((b & 1, qid))
            self.marks = [m for m in self.marks if m.qid != qid or (m.what in _OF_CQ) != bool(b & 1)]

    # -- doorbells

    def _stray(self, key, value, number, peek):
        """A doorbell of a queue that isn't known; where what came before was dropped, that proves nothing."""
        if value and (self.drive or peek is not None) and (self._whole or key in self._missing):
            self.strays[key] = value, number

    def _guess(self, kind, qid, size, value):
        """The Sq or Cq of which a doorbell is all that is known: it stood at 0 before, or, where older events were dropped, anywhere."""
        queue = kind(qid, size, 0 if self._whole or value >= size else value, whole=self._whole)
        queue.guessed = not self._whole
        return queue

    def _ring_sq(self, number, side, qid, value, a, b):
        peek, sq = self._peek(Kind.SQ_DOORBELL, qid, value), self.sqs.get(qid)
        if sq is None and peek is not None and peek.size and not self.drive:
            sq = self.sqs[qid] = self._guess(Sq, qid, peek.size, value)
        if sq is None:
            self._stray((SQ, qid), value, number, peek)
            return
        sq.doorbells, old, sq.value = sq.doorbells + 1, sq.rung, value
        if value >= sq.size:
            return
        count = (value - old) % sq.size
        sq.still = (peek or True) if count == 0 and not sq.posted == 0 and not sq.guessed else None
        sq.guessed = False
        if count == 0:
            return
        unfetched = (old - sq.head) % sq.size
        if self.drive and sq.sure and unfetched + count >= sq.size:        # the drive notes a fetch before the host can know of it
            self.marks.append(Mark("overfull", number, qid, old=old, value=value, head=sq.head, size=sq.size, unfetched=unfetched, count=count))
        sq.range = [(old + at) % sq.size for at in range(count)]
        seen = {}
        for slot in sq.range:
            raw = peek.entries.get(slot) if peek is not None and peek.size == sq.size else None
            listed = peek.lists.get(slot) if raw is not None else None
            known = sq.in_slot.get(slot)
            if raw is None and known is not None and known.rung is None and known.fetched is None:
                raw = known.raw                  # posted through the driver's own ring
            command = Command(qid, slot, number, raw, listed)
            command.peeked = peek is not None and slot in peek.entries
            sq.waiting[slot] = sq.in_slot[slot] = command
            sq.commands.append(command)
            if command.raw is not None and not self.drive:
                sq.open[command.cid].append(command)
                self._check_entry(sq, command, seen, number)
        sq.rung, sq.entries, sq.posted = value, sq.entries + count, None if sq.posted is None else max(0, sq.posted - count)

    def _check_entry(self, sq, command, seen, number):
        """On a drive that nobody can look into: an empty slot, and the same cid twice in one doorbell, both outstanding for certain."""
        if command.peeked and command.raw == BLANK:
            self.marks.append(Mark("after-doorbell", number, sq.qid, slot=command.slot, command=command, size=sq.size,
                                   last=command.slot == sq.size - 1 and sq.size > 2))
        if command.cid in seen and command.raw != BLANK:
            self.marks.append(Mark("cid-reused", number, sq.qid, cid=command.cid, first=seen[command.cid], second=command))
        seen[command.cid] = command

    def _ring_cq(self, number, side, qid, value, a, b):
        peek, cq = self._peek(Kind.CQ_DOORBELL, qid, value), self.cqs.get(qid)
        if cq is None and peek is not None and peek.size and not self.drive:
            cq = self.cqs[qid] = self._guess(Cq, qid, peek.size, value)
        if cq is None:
            self._stray((CQ, qid), value, number, peek)
            return
        cq.doorbells, old, cq.value = cq.doorbells + 1, cq.rung, value
        if value >= cq.size:
            return
        if not self.drive:
            cq.tail = peek.tail if peek is not None else None
        if cq.tail is None:
            cq.taken, cq.rung = cq.taken + (value - old) % cq.size, value
            return
        released, there = (value - old) % cq.size, (cq.tail - old) % cq.size
        if released > there:
            self.marks.append(Mark("overrun", number, qid, old=old, value=value, tail=cq.tail, size=cq.size,
                                   taken=cq.taken + there, there=there, released=released, whole=cq.whole))
        cq.still = released == 0 and there > 0 and not cq.guessed
        cq.guessed = False
        cq.taken, cq.rung = cq.taken + released, value

    # -- entries

    def _post(self, number, side, qid, slot, a, b):
        sq = self.sqs.get(qid)
        if sq is None:
            return
        raw = self._entry()
        if slot == sq.rung:
            sq.still = None                      # that doorbell had nothing to tell yet
        sq_size = self.host.get((SQ, qid), sq.size)
        if sq.posted is not None and sq_size == sq.size:
            if slot in sq.range and slot != (sq.rung + sq.posted) % sq.size:
                self.marks.append(Mark("after-doorbell", number, qid, slot=slot, command=sq.in_slot.get(slot), now=raw))
            sq.posted += 1
        if slot not in sq.waiting:
            sq.in_slot[slot] = Command(qid, slot, raw=raw)

    def _fetch(self, number, side, qid, slot, a, b):
        sq = self.sqs.get(qid)
        if sq is None:
            return
        command = sq.waiting.pop(slot, None)
        if command is None:
            command = Command(qid, slot)
            sq.commands.append(command)
        sq.head, sq.in_slot[slot] = (slot + 1) % sq.size, command
        sq.sure = sq.sure or sq.doorbells > 0
        fetched = a & 0xFF, a >> 16 & 0xFFFF, a >> 32
        if command.peeked and (command.key != fetched or command.raw == BLANK):
            self.marks.append(Mark("after-doorbell", number, qid, slot=slot, command=command, fetched=fetched, size=sq.size,
                                   last=slot == sq.size - 1 and sq.size > 2))
        elif not any(fetched) and command.raw is None:
            self.marks.append(Mark("fetched-empty", number, qid, slot=slot, command=command, fetched=fetched, size=sq.size,
                                   last=slot == sq.size - 1 and sq.size > 2))
        if command.key != fetched:
            command.raw = None                   # not what the drive got
        command.key, command.fetched = fetched, number
        before = sq.latest.get(command.cid)
        if before is not None and before.fetched is not None and (
                before.completed is None or command.rung is not None and command.rung < before.completed):
            self.marks.append(Mark("cid-reused", number, qid, cid=command.cid, first=before, second=command))
        sq.latest[command.cid] = command

    def _completion(self, number, side, qid, slot, a, b):
        cq = self.cqs.get(qid)
        if side == Side.DRIVE and cq is not None:
            cq.tail, cq.posted = (slot + 1) % cq.size, cq.posted + 1
        elif self.drive:
            return                               # seen by the host: the drive has told it before
        sq, cid = self.sqs.get(b >> 16 & 0xFFFF), b >> 32 & 0xFFFF
        command = sq.latest.get(cid) if sq is not None else None
        if sq is not None and command is None and not self.drive:
            command = sq.open[cid].pop() if sq.open.get(cid) else None
        field = b >> 49
        found = status.lookup(field >> 8 & 7, field & 0xFF)
        if command is not None:
            command.completed, command.status = number, found
        if not found.ok and sq is not None:
            self.failed.append((number, sq.qid, cid, found, command))

    def _fault(self, number, side, qid, index, a, b):
        if b == 0 and index < len(NAMES):        # (b tells of the entry that follows, index its slot)
            self.faults.append((NAMES[index], number, qid, a))

    # -- asked by the rules

    def healed(self, sqid, opcode, number):
        """True when a later command of the same kind on the same queue did succeed."""
        sq = self.sqs.get(sqid)
        recent = itertools.islice(reversed(sq.commands), 200) if sq is not None else ()
        return any(c.opcode == opcode and c.completed is not None and c.completed > number and c.status.ok for c in recent)


_REGISTERS = {register.offset: register for register in registers.ALL.values()}
_OF_CQ = ("overrun",)
_STEPS = {Kind.REG_WRITE: Ledger._register, Kind.QUEUE_NEW: Ledger._new, Kind.QUEUE_GONE: Ledger._gone, Kind.RESET: Ledger._reset,
          Kind.SQ_DOORBELL: Ledger._ring_sq, Kind.CQ_DOORBELL: Ledger._ring_cq, Kind.SQE_POST: Ledger._post,
          Kind.SQE_FETCH: Ledger._fetch, Kind.CQE_POST: Ledger._completion, Kind.CQE_SEEN: Ledger._completion,
          Kind.FAULT: Ledger._fault}
