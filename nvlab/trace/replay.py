"""Time travel: rings and registers as they stood at any instant of a recording.

Nothing is run again. Every value that a side holds (a head, a doorbell, a register) was set by the last event of a certain
kind and queue before the instant, or stood so at the beginning: finding it is a search in a sorted list of positions. What an
event that was dropped may have set is None until another event sets it anew.
"""
from functools import cached_property

import numpy as np

from nvlab._core.trace import Kind, Side

from .baseline import CQ, SQ
from .contents import Contents
from .decode import WRONG_PHASE
from .state import CqState, SqState, State


class Replay(Contents):
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


def _or(position):
    return -1 if position is None else position
