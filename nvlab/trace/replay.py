"""Time travel: rings and registers as they stood at any instant of a recording.

Nothing is run again. Every value that a side holds (a head, a doorbell, a register) was set by the last event of a certain
kind and queue before the instant, or stood so at the beginning: finding it is a search in a sorted list of positions. What an
event that was dropped may have set is None until another event sets it anew.
"""
from functools import cached_property

import numpy as np

from nvlab._core.trace import Kind, Side
from nvlab.spec import registers

from .baseline import CQ, ENTRY, SQ
from .decode import WRONG_PHASE
from .state import CqState, SqState, State

_NONE = np.zeros(0, np.int64)


class Replay:
    """Finds what stood when at one whole Recording. Instants are counts of events that have happened."""

    def __init__(self, recording):
        self.recording, self.events, self.base = recording, recording.events, recording.baseline
        self.kinds, self.qids, self.sides = self.events["kind"], self.events["qid"].astype(np.int64), self.events["side"]
        gap = recording.gaps.get
        self.host_gap, self.perf_gap, self.drive_gap = gap("host", -1), gap("perf", -1), gap("drive", -1)
        self.has_drive = self.base.drive is not None
        self._positions = {}
        self.host_queues = self._queues()

    def _queues(self):
        """All (SQ or CQ, qid) of which the host ever has a ring, in order."""
        mine, found = self.sides == Side.HOST, set(self.base.host)
        for ring, kind in ((SQ, Kind.SQE_POST), (CQ, Kind.CQE_SEEN)):
            found.update((ring, int(q)) for q in np.unique(self.qids[self.kinds == kind]))
        made = mine & np.isin(self.kinds, [int(Kind.QUEUE_NEW), int(Kind.QUEUE_GONE)])
        for key in np.unique(self.qids[made] << 1 | (self.events["b"][made] & np.uint64(1)).astype(np.int64)):
            found.add((int(key) & 1, int(key) >> 1))
        return sorted(found, key=lambda key: (key[1], key[0]))

    @cached_property
    def drive_queues(self):
        """All (SQ or CQ, qid) that the drive ever has, in order."""
        made, found = self.positions(Kind.QUEUE_NEW, None, Side.DRIVE), set(self.base.drive or {})
        found.update((int(b) & 1, int(qid)) for b, qid in zip(self.events["b"][made], self.qids[made]))
        return sorted(found, key=lambda key: (key[1], key[0]))

    def state(self, count):
        """The State after the first `count` events."""
        return State(self, count)

    # -- finding

    def positions(self, kind, qid=None, side=None, ring=None):
        """Numbers of the events of a kind (and queue, side, and ring for a queue's coming and going), ascending."""
        key = (int(kind), qid, side, ring)
        found = self._positions.get(key)
        if found is None:
            if qid is None:
                keep = self.kinds == kind
            else:
                mine = self.positions(kind)
                keep = np.zeros(len(self.kinds), bool)
                keep[mine[self.qids[mine] == qid]] = True
            if side is not None:
                keep &= self.sides == side
            if ring is not None:
                keep &= (self.events["b"] & np.uint64(1)) == ring
            found = self._positions[key] = np.flatnonzero(keep)
        return found

    def _seen_of(self, sqid):
        """Numbers of the completions that the host saw of a submission queue."""
        key = ("seen of", sqid)
        if key not in self._positions:
            mine = self.positions(Kind.CQE_SEEN)
            of = self.events["b"][mine] >> np.uint64(16) & np.uint64(0xFFFF)
            self._positions[key] = mine[of == sqid]
        return self._positions[key]

    @staticmethod
    def last(positions, count, after=-1):
        """The last of `positions` before instant `count` and later than event `after`, or None."""
        place = int(np.searchsorted(positions, count)) - 1
        return int(positions[place]) if place >= 0 and positions[place] > after else None

    def value(self, name, position):
        """One number of an event."""
        return int(self.events[name][position])

    # -- queues

    def life(self, side, ring, qid, count):
        """(exists, born): whether a side has the queue, and the event that made it (-1: it was there at the beginning).

        exists is None where that isn't known.
        """
        gap = self.host_gap if side == Side.HOST else self.drive_gap
        if count <= gap:
            return None, -1
        made = self.last(self.positions(Kind.QUEUE_NEW, qid, side, ring), count, gap - 1 if gap >= 0 else -1)
        ended = self.last(self.positions(Kind.QUEUE_GONE, qid, side, ring), count, gap - 1 if gap >= 0 else -1)
        if side == Side.DRIVE:
            ended = max(_or(ended), _or(self.last(self.positions(Kind.RESET, None, side), count, gap - 1 if gap >= 0 else -1)))
        made, ended = _or(made), _or(ended)
        if made < 0 and ended < 0:
            base = self.base.host if side == Side.HOST else self.base.drive or {}
            return (None if gap >= 0 else (ring, qid) in base), -1
        return made > ended, made

    def io_gap(self, qid):
        """The event since which all that the host did at a queue is recorded: its own loops never touch the admin queue."""
        return max(self.host_gap, self.perf_gap) if qid else self.host_gap

    def latest(self, positions, count, born, gap):
        """(event, False) that set a value last; (None, True) when nothing did since the queue's birth; else (None, False)."""
        if count <= gap:
            return None, False
        found = self.last(positions, count, max(born, gap - 1))
        return found, found is None and born >= gap

    def index_of(self, positions, count, born, gap, fresh):
        """The `index` of the event that set a value last, or `fresh`, or None when unknown."""
        found, new = self.latest(positions, count, born, gap)
        return self.value("index", found) if found is not None else fresh if new else None

    def slot_after(self, positions, count, born, gap, size, fresh):
        """The slot that follows the last event's, round a ring of `size`."""
        found, new = self.latest(positions, count, born, gap)
        if found is None:
            return fresh if new else None
        return (self.value("index", found) + 1) % size if size else None

    def host_sq(self, qid, count):
        """The SqState of a submission queue, or None when the host has none."""
        exists, born = self.life(Side.HOST, SQ, qid, count)
        gap, base = self.io_gap(qid), self.base.host.get((SQ, qid), {}) if born < 0 else {}
        posts = self.positions(Kind.SQE_POST, qid)
        if exists is False or exists is None and self.last(posts, count) is None:
            return None
        fresh = (lambda name, start: base.get(name) if born < 0 else start) if exists else (lambda name, start: None)
        if born >= 0:
            depth, iova, cqid = self.value("index", born), self.value("a", born), self.value("b", born) >> 16 & 0xFFFF
        else:
            depth, iova, cqid = (fresh(name, None) for name in ("depth", "iova", "cqid"))
        rings = self.positions(Kind.SQ_DOORBELL, qid)
        return SqState(qid, depth, iova, cqid,
                       tail=self.slot_after(posts, count, born, gap, depth, fresh("tail", 0)),
                       head=self._told_head(qid, count, born, gap, depth, cqid, fresh("head", 0)),
                       rung=self.index_of(rings, count, born, gap, fresh("rung", 0)),
                       drive=self.drive_sq(qid, count), fill=self._filler(SQ, qid, count, born, gap, depth, iova))

    def _told_head(self, qid, count, born, gap, depth, cqid, fresh):
        """The SQ head as the last completion in its own queue told the host, or what the host made of that (SQ_HEAD)."""
        seen, bound = self._seen_of(qid), count
        while True:
            found, new = self.latest(seen, bound, born, gap)
            if found is None:
                return fresh if new else None
            if depth is None:
                return None
            if cqid in (None, self.value("qid", found)):
                return self._head_after(found, seen, qid, depth)
            bound = found

    def _head_after(self, found, seen, qid, depth):
        """The SQ head once completion `found` was seen; None where the SQ_HEAD before it, which doubted it, may be dropped."""
        doubts, before = self.positions(Kind.SQ_HEAD, qid), self.last(seen, found)
        doubt = self.last(doubts, found, -1 if before is None else before)
        if doubt is not None:
            return self.value("index", doubt)
        told = self.value("b", found) & 0xFFFF
        return told if told < depth and found != self.host_gap else None

    def host_cq(self, qid, count):
        """The CqState of a completion queue, or None when the host has none."""
        exists, born = self.life(Side.HOST, CQ, qid, count)
        gap, base = self.io_gap(qid), self.base.host.get((CQ, qid), {}) if born < 0 else {}
        seen = self.positions(Kind.CQE_SEEN, qid)
        if exists is False or exists is None and self.last(seen, count) is None:
            return None
        fresh = (lambda name, start: base.get(name) if born < 0 else start) if exists else (lambda name, start: None)
        if born >= 0:
            depth, iova = self.value("index", born), self.value("a", born)
        else:
            depth, iova = fresh("depth", None), fresh("iova", None)
        head, phase = self._turn(seen, count, born, gap, depth, fresh("head", 0), fresh("phase", 1))
        rung = self.index_of(self.positions(Kind.CQ_DOORBELL, qid), count, born, gap, fresh("rung", 0))
        gap = self.drive_gap if self.has_drive else gap
        return CqState(qid, depth, iova, head=head, phase=phase, rung=rung, drive=self.drive_cq(qid, count),
                       fill=self._filler(CQ, qid, count, born, gap, depth, iova))

    def _turn(self, positions, count, born, gap, size, head, phase, posted=False):
        """(slot, phase) that follow the last completion posted or seen: the Phase Tag turns over at the wrap (base 2.0c 3.3.3.2)."""
        found, new = self.latest(positions, count, born, gap)
        if found is None:
            return (head, phase) if new else (None, None)
        if not size:
            return None, None
        slot, tag = self.value("index", found) + 1, self.value("b", found) >> 48 & 1
        if posted:
            tag = self._meant(found, tag)
        return (slot % size, None) if tag is None else (0, tag ^ 1) if slot >= size else (slot, tag)

    # -- the drive's view

    def drive_sq(self, qid, count):
        """{"head", "tail"} of a submission queue as the drive holds it, or None."""
        if not self.has_drive:
            return None
        exists, born = self.life(Side.DRIVE, SQ, qid, count)
        if not exists:
            return None
        base = (self.base.drive or {}).get((SQ, qid), {}) if born < 0 else {}
        size = self.value("index", born) if born >= 0 else base.get("size")
        fetches, start = self.positions(Kind.SQE_FETCH, qid), 0 if born >= 0 else base.get("head")
        return {"head": self.slot_after(fetches, count, born, self.drive_gap, size, start),
                "tail": self._doorbell(Kind.SQ_DOORBELL, qid, count, born, 0 if born >= 0 else base.get("tail"))}

    def drive_cq(self, qid, count):
        """{"tail", "head", "phase"} of a completion queue as the drive holds it, or None."""
        if not self.has_drive:
            return None
        exists, born = self.life(Side.DRIVE, CQ, qid, count)
        if not exists:
            return None
        base = (self.base.drive or {}).get((CQ, qid), {})
        size = self.value("index", born) if born >= 0 else base.get("size")
        start = (0, 1) if born >= 0 else (base.get("tail"), base.get("phase"))
        tail, phase = self._turn(self.positions(Kind.CQE_POST, qid), count, born, self.drive_gap, size, *start, posted=True)
        return {"tail": tail, "head": self._doorbell(Kind.CQ_DOORBELL, qid, count, born, 0 if born >= 0 else base.get("head")),
                "phase": phase}

    def _meant(self, found, tag):
        """The Phase Tag that the drive counts with: not the posted one, where it was told to post the wrong one.

        The FAULT that says so is the drive's event before. None where that was dropped.
        """
        own = self.positions_of_drive
        place = int(np.searchsorted(own, found))
        if place == 0:
            return tag if self.drive_gap < 0 else None
        before = int(own[place - 1])
        return tag ^ int(self.kinds[before] == Kind.FAULT and self.value("b", before) == WRONG_PHASE)

    @cached_property
    def positions_of_drive(self):
        """Numbers of all events of the drive."""
        return np.flatnonzero(self.sides == Side.DRIVE)

    def _doorbell(self, kind, qid, count, born, fresh):
        """What lies in a doorbell: the last value written since the drive made the queue, which zeroed it."""
        return self.index_of(self.positions(kind, qid), count, born, max(self.drive_gap, self.io_gap(qid)), fresh)

    def drive_ring(self, ring, qid, count):
        """{"size", "iova", "cqid", "fill"} of a ring as the drive was told of it, or None; `fill` as _filler() gives it."""
        if not self.has_drive:
            return None
        exists, born = self.life(Side.DRIVE, ring, qid, count)
        if not exists:
            return None
        base = (self.base.drive or {}).get((ring, qid), {})
        if born >= 0:
            told = {"size": self.value("index", born), "iova": self.value("a", born), "cqid": self.value("b", born) >> 16 & 0xFFFF}
        else:
            told = {name: base.get(name) for name in ("size", "iova", "cqid")}
        mine = (self.host_cq if ring == CQ else self.host_sq)(qid, count)
        if mine is not None and (mine.depth, mine.iova) == (told["size"], told["iova"]):
            return {**told, "fill": lambda: mine._slots}
        return {**told, "fill": lambda: self._fill_of_drive(ring, qid, count, born, told["size"])}

    # -- entries

    def _fill_of_drive(self, ring, qid, count, born, size):
        """(entries, known) of a ring that isn't the host's: what lay there at the beginning, and what the drive has posted since.

        Whoever fills such a submission queue does it unseen: only what was waiting at the beginning, and still is, is certain.
        """
        if not size:
            return None, None
        start = self.base.memory.get((ring, qid)) if born < 0 and self.drive_gap < 0 else None
        entries = np.zeros((size, ENTRY[ring]), np.uint8) if start is None else np.array(start)
        known = np.full(size, start is not None and (ring == CQ or not count))
        if ring == CQ:
            posted = self.positions(Kind.CQE_POST, qid)
            after = max(born, self.drive_gap - 1)
            posted, slots = self._last_in_slots(posted[np.searchsorted(posted, after + 1):np.searchsorted(posted, count)], size)
            words = np.stack([self.events["a"][posted], self.events["b"][posted]], axis=1)
            entries[slots], known[slots] = words.view(np.uint8).reshape(-1, 16), True
        elif start is not None:
            held = self.base.drive[SQ, qid]
            waited = (held["tail"] - held["head"]) % size
            left = waited - int(np.searchsorted(self.positions(Kind.SQE_FETCH, qid), count))
            known |= (held["tail"] - 1 - np.arange(size)) % size < left
        return entries, known

    def _filler(self, ring, qid, count, born, gap, depth, iova):
        """A function that gives (entries, known) of a host's ring; called when somebody looks."""
        return lambda: self._fill(ring, qid, count, born, gap, depth, iova)

    def _fill(self, ring, qid, count, born, gap, depth, iova):
        """(entries, known): the slots' bytes as last written, and which of them are certain; (None, None) without a depth."""
        if not depth:
            return None, None
        width = ENTRY[ring]
        start = self.base.entries.get((ring, qid)) if born < 0 else np.zeros((depth, width), np.uint8)
        certain = born >= gap and count > gap and start is not None
        entries = np.array(start) if certain else np.zeros((depth, width), np.uint8)
        known = np.full(depth, certain)
        written = self._written(ring, qid, count, max(born, gap - 1), iova) if count > gap else _NONE
        written, slots = self._last_in_slots(written, depth)
        if ring == SQ:
            entries[slots] = self.events["sqe"][written]
        else:
            words = np.stack([self.events["a"][written], self.events["b"][written]], axis=1)
            entries[slots] = words.view(np.uint8).reshape(-1, 16)
        known[slots] = True
        if ring == CQ and not self.has_drive:        # what was seen holds until its slot is given back; the rest nobody knows
            known[:] = False
            self._mark_unreturned(known, slots, qid, count, born, depth)
        return entries, known

    def _written(self, ring, qid, count, after, iova):
        """Events that wrote into a ring, from `after` to `count`: posts, or completions of a drive that has this memory."""
        if ring == SQ:
            found = self.positions(Kind.SQE_POST, qid)
        else:
            found = self.positions(Kind.CQE_POST if self.has_drive else Kind.CQE_SEEN, qid)
        found = found[np.searchsorted(found, after + 1):np.searchsorted(found, count)]
        made = self.positions(Kind.QUEUE_NEW, qid, Side.DRIVE, CQ)
        if ring == CQ and len(made) and len(found):  # a drive told of another address writes there
            which = np.searchsorted(made, found) - 1
            right = (which < 0) | (self.events["a"][made[np.maximum(which, 0)]] == np.uint64(iova or 0))
            found = found[right]
        return found

    def _last_in_slots(self, written, depth):
        """(events, slots): the last writer of each slot. The newest lap or two tell, as a rule."""
        for some in (written[-2 * depth:], written):
            slots = self.events["index"][some].astype(np.int64)
            slots, first = np.unique(slots[::-1], return_index=True)
            inside = slots < depth
            slots, last = slots[inside], some[len(some) - 1 - first[inside]]
            if len(slots) == depth:
                break
        return last, slots

    def _mark_unreturned(self, known, slots, qid, count, born, depth):
        gap = self.io_gap(qid)
        base = self.base.host.get((CQ, qid), {}) if born < 0 else {"head": 0, "rung": 0, "phase": 1}
        head, _ = self._turn(self.positions(Kind.CQE_SEEN, qid), count, born, gap, depth, base.get("head"), base.get("phase"))
        rung = self.index_of(self.positions(Kind.CQ_DOORBELL, qid), count, born, gap, base.get("rung"))
        if head is not None and rung is not None:
            held = (np.arange(depth) - rung) % depth < (head - rung) % depth
            known[slots] = held[slots]

    # -- registers

    def _register_index(self):
        """({dword offset: events that told the host}, {offset: events where the drive set it})."""
        if "registers" not in self._positions:
            seen, held = {}, {}
            for kind in (Kind.REG_READ, Kind.REG_WRITE):
                for number in self.positions(kind).tolist():
                    offset, width = self.value("a", number), self.value("index", number)
                    if kind == Kind.REG_WRITE and not _stays(offset):
                        continue
                    for at in range(0, width, 4):
                        seen.setdefault(offset + at, []).append(number)
            for number in self.positions(Kind.REG_SET).tolist():
                held.setdefault(self.value("a", number), []).append(number)
            self._positions["registers"] = ({k: np.array(sorted(v), np.int64) for k, v in seen.items()},
                                            {k: np.array(v, np.int64) for k, v in held.items()})
        return self._positions["registers"]

    def seen_register(self, register, count):
        """What the host knew of a register: its last read, or what it wrote where a write stays; None when nothing."""
        value = 0
        for at in range(0, register.size, 4):
            offset = register.offset + at
            found = self.last(self._register_index()[0].get(offset, _NONE), count, max(self.host_gap - 1, -1))
            if found is not None and count > self.host_gap:
                part = self.value("b", found) >> 8 * (offset - self.value("a", found)) & 0xFFFFFFFF
            else:
                part = self.base.seen.get(offset) if self.host_gap < 0 else None
            if part is None:
                return None
            value |= part << 8 * at
        return value

    def held_register(self, register, count):
        """What the drive held in a register, or None."""
        if self.base.held is None or count <= self.drive_gap:
            return None
        found = self.last(self._register_index()[1].get(register.offset, _NONE), count, max(self.drive_gap - 1, -1))
        if found is not None:
            return self.value("b", found)
        return self.base.held.get(register.offset, 0) if self.drive_gap < 0 else None


def _or(position):
    return -1 if position is None else position


def _stays(offset):
    """True where a register keeps what is written to it."""
    name = registers.name_at(offset) or registers.name_at(offset - 4)
    return name is not None and registers.ALL[name].access == "rw" if offset < registers.DOORBELLS else False
