"""Rings, drawn in text: what a queue pair holds, and what each side believes about it.

`snapshot(qp, ssd)` takes one consistent look at a queue pair; `ring_text(qp, ssd)` draws it:

    SQ0  8 entries   host tail 3, head 0, SQ0TDBL 2   drive head 1, tail 2
        H   D   T
     0  ◆   ▸   •   ·   ·   ·   ·   ·
            h   t

Only memory and Python attributes are read; no register of the device is touched, since the doorbells are
write-only (PCIe transport 1.0c 3.1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LIVES", "MARKS", "Ring", "Rings", "ring_text", "snapshot"]

LIVES = ("free", "posted", "rung", "fetched", "polled", "done", "stale")
FREE, POSTED, RUNG, FETCHED, POLLED, DONE, STALE = range(7)
MARKS = "·•▸◆▾✓○"
ASCII_MARKS = ".*>#v-o"
MEANINGS = {
    "SQ": {
        FREE: "free", POSTED: "posted by the host, doorbell not rung", RUNG: "rung, not yet fetched",
        FETCHED: "fetched by the drive", DONE: "done, the slot may be used again",
        STALE: "stale: what the lap before left here",
    },
    "CQ": {
        FREE: "free", POSTED: "posted by the drive, phase flipped", POLLED: "polled by the host, doorbell not rung",
        DONE: "done, given back to the drive", STALE: "stale: the phase tag of the lap before",
    },
}
UNSEEN = "rung, perhaps fetched already"       # all that can be said where the drive isn't to be looked into


@dataclass(frozen=True)
class Ring:
    """One queue as it stood at one moment: memory copied, indices as each side believes them."""

    kind: str                 # "SQ" or "CQ"
    qid: int
    depth: int
    host: dict                # SQ: tail, head, rung; CQ: head, phase, rung
    drive: dict | None        # SQ: head, tail; CQ: tail, head, phase; None where the drive keeps it to itself
    entries: np.ndarray       # (depth, 64) or (depth, 16), uint8
    life: np.ndarray          # (depth,) uint8, an index into LIVES

    @property
    def doorbell(self) -> str:
        """The standard's name of this queue's doorbell: SQ0TDBL, CQ1HDBL."""
        return f"{self.kind}{self.qid}{'T' if self.kind == 'SQ' else 'H'}DBL"

    def meaning(self, slot: int) -> str:
        """What the colour of a slot says, in words."""
        return self.means(int(self.life[slot]))

    def means(self, life: int) -> str:
        """A life of LIVES in words, as far as it is known of this ring."""
        return UNSEEN if life == RUNG and self.drive is None else MEANINGS[self.kind][life]

    def pointers(self) -> list[tuple[str, str, int]]:
        """(side, name, slot) of every index that either side keeps."""
        names = ("head", "rung", "tail") if self.kind == "SQ" else ("rung", "head")
        out = [("host", n, self.host[n]) for n in names]
        if self.drive:
            out += [("drive", n, self.drive[n]) for n in ("head", "tail") if self.drive.get(n) is not None]
        return out

    def may(self) -> dict:
        """{"host": (first slot, how many), "drive": …}: the slots that each side may touch now, as that side knows it.

        Of the SQ the host may fill and the drive fetch; of the CQ the drive may post into and the host take from. The drive's
        is None where it isn't to be looked into. One slot always stays free (base 2.0c 3.3.1.5).
        """
        h, d = self.host, self.drive if self.drive and None not in self.drive.values() else None
        if self.kind == "SQ":
            return {"host": (h["tail"], self.depth - 1 - (h["tail"] - h["head"]) % self.depth),
                    "drive": d and (d["head"], (d["tail"] - d["head"]) % self.depth)}
        return {"host": (h["head"], int((self.life == POSTED).sum())),
                "drive": d and (d["tail"], self.depth - 1 - (d["tail"] - d["head"]) % self.depth)}

    def beliefs(self) -> tuple[str, str]:
        """Two short sentences: what the host holds true of this ring, and what the drive does."""
        h, d = self.host, self.drive
        if self.kind == "SQ":
            host = f"host tail {h['tail']}, head {h['head']}, {self.doorbell} {h['rung']}"
            drive = d and f"drive head {d['head']}, tail {d['tail']}"
        else:
            host = f"host head {h['head']}, phase {h['phase']}, {self.doorbell} {h['rung']}"
            drive = d and f"drive tail {d['tail']}, head {d['head']}, phase {d['phase']}"
        return host, drive or f"drive not visible; last doorbell written was {h['rung']}"


@dataclass(frozen=True)
class Rings:
    """Both queues of a pair. `busy` names the owner while a loop has the pair; the rings are then None, or a glimpse.

    `retired` is true once the controller no longer knows the pair: it was deleted, or a reset swept it away.
    """

    qid: int
    sq: Ring | None
    cq: Ring | None
    busy: str | None = None
    retired: bool = False

    def __str__(self) -> str:
        return rings_text(self)


def snapshot(qp, ssd=None, moving=False) -> Rings:
    """One look at a queue pair: a `Rings`. With `ssd` (an embedded drive) its side is told too.

    `moving` looks also while a loop has the pair: a glimpse, whose slots and indices are a few microseconds apart.
    """
    name = qp.owner
    if name is not None and not isinstance(name, str):
        name = type(name).__name__.lower()
    if name is not None and not moving:
        return Rings(qp.qid, None, None, name)
    retired = _retired(qp)
    tell = ssd.queue_state if hasattr(ssd, "queue_state") and not retired else lambda qid: None
    return Rings(qp.qid, _look_sq(qp.sq, tell(qp.sq.qid)), _look_cq(qp.cq, tell(qp.cq.qid)), name, retired)


def ring_text(qp, ssd=None, width: int = 16, ascii: bool = False) -> str:
    """Both rings of a queue pair drawn in text, `width` slots a line.

    Above a line stand the host's marks (H head, T tail, D the doorbell as last written), below it the drive's own
    (h, t). `ascii=True` uses no characters beyond ASCII.
    """
    return rings_text(snapshot(qp, ssd), width, ascii)


def rings_text(rings: Rings, width: int = 16, ascii: bool = False) -> str:
    """The same from a `Rings` taken earlier."""
    if rings.sq is None:
        return f"queue pair {rings.qid} belongs to {rings.busy} just now; its rings move too fast to draw"
    head = [f"queue pair {rings.qid} is no longer part of the controller; this is how it was left"] if rings.retired else []
    return "\n".join([*head, *_ring_lines(rings.sq, width, ascii), "", *_ring_lines(rings.cq, width, ascii)])


def _retired(qp):
    ctrl = getattr(qp, "controller", None)
    return ctrl is not None and (ctrl.admin if qp.qid == 0 else ctrl.io.get(qp.qid)) is not qp


def _look_sq(sq, told):
    entries = np.array(sq.entries, dtype=np.uint8)
    host = {"tail": int(sq.tail), "head": int(sq.head), "rung": int(sq.rung or 0)}
    drive = None
    if told and told["sq_head"] is not None:
        drive = {"head": told["sq_head"], "tail": told["sq_tail"]}
    depth = int(sq.depth)
    life = _left(entries, host["head"])
    order = (np.arange(depth) - host["head"]) % depth          # 0 at the host's head, counting towards the tail
    held, rung = (host["tail"] - host["head"]) % depth, (host["rung"] - host["head"]) % depth
    taken = (drive["head"] - host["head"]) % depth if drive else 0
    life[order < held] = POSTED
    life[order < min(rung, held)] = RUNG
    life[order < min(taken, held)] = FETCHED
    return Ring("SQ", int(sq.qid), depth, host, drive, entries, life)


def _look_cq(cq, told):
    entries = np.array(cq.entries, dtype=np.uint8)
    host = {"head": int(cq.head), "phase": int(cq.phase), "rung": int(cq.rung or 0)}
    drive = None
    if told and told["cq_tail"] is not None:
        drive = {"tail": told["cq_tail"], "head": told["cq_head"], "phase": told["phase"]}
    depth = int(cq.depth)
    life = _left(entries, host["head"])
    seen = (host["head"] - host["rung"]) % depth
    life[(np.arange(depth) - host["rung"]) % depth < seen] = POLLED
    slots = (host["head"] + np.arange(depth)) % depth
    expected = np.where(slots >= host["head"], host["phase"], 1 - host["phase"])   # the tag inverts at the wrap
    stale = (entries[slots, 14] & 1) != expected                                   # DW3 bit 16: base 2.0c 3.3.3.2
    life[slots[: int(stale.argmax()) if stale.any() else 0]] = POSTED
    return Ring("CQ", int(cq.qid), depth, host, drive, entries, life)


def _left(entries, head):
    """Lives of slots that nobody waits for: behind the host's head they were used in this lap, before it in the last one."""
    depth = len(entries)
    used = entries.view(np.uint64).any(axis=1)
    return np.where(used, np.where(np.arange(depth) < head, DONE, STALE), FREE).astype(np.uint8)


def _ring_lines(ring, width, ascii):
    marks = ASCII_MARKS if ascii else MARKS
    host, drive = ring.beliefs()
    lines = [f"{ring.kind}{ring.qid}  {ring.depth} entries   {host}   {drive}"]
    width = min(width, ring.depth)
    quiet = None                                               # first row of a run that has nothing to tell
    for first in range(0, ring.depth, width):
        last = min(first + width, ring.depth)
        life = ring.life[first:last]
        above, below = _pointer_line(ring, "host", first, last), _pointer_line(ring, "drive", first, last)
        if ring.depth > 8 * width and not above and not below and (life == life[0]).all():
            run = (first, int(life[0])) if quiet is None or quiet[1] != life[0] else quiet
            if run is not quiet:
                lines.append("")
            quiet = run
            dots = "..." if ascii else "…"
            lines[-1] = f"{quiet[0]:>6}  {dots} {last - quiet[0]} slots {LIVES[quiet[1]]} {dots}"
            continue
        quiet = None
        lines += [above] if above else []
        lines.append(f"{first:>6}  " + "".join(f"{marks[x]:<4}" for x in life).rstrip())
        lines += [below] if below else []
    used = sorted(set(ring.life.tolist()))
    lines.append("        " + "   ".join(f"{marks[x]} {ring.means(x)}" for x in used))
    return lines


def _pointer_line(ring, side, first, last):
    letters = {"head": "H", "tail": "T", "rung": "D"}
    cells = {}
    for who, name, slot in ring.pointers():
        if who == side and first <= slot < last:
            letter = letters[name] if side == "host" else letters[name].lower()
            cells[slot - first] = cells.get(slot - first, "") + letter
    if not cells:
        return ""
    return "        " + "".join(f"{cells.get(i, ''):<4}" for i in range(last - first)).rstrip()
