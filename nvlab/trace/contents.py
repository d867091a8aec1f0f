"""Time travel's other half: what lay in the slots of a ring, and what stood in the registers."""
import numpy as np

from nvlab._core.trace import Kind, Side
from nvlab.spec import registers

from .baseline import CQ, ENTRY, SQ

_NONE = np.zeros(0, np.int64)


class Contents:
    """A Replay's entries and registers."""

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


def _stays(offset):
    """True where a register keeps what is written to it."""
    name = registers.name_at(offset) or registers.name_at(offset - 4)
    return name is not None and registers.ALL[name].access == "rw" if offset < registers.DOORBELLS else False
