"""Watching a driver for ctrl.why(): its events in bounded memory, and what lay in the rings at each doorbell.

A driver with rings of its own tells nobody what it puts into them. At the instant of a doorbell they hold what it means:
that is noted here, and later held against what the drive fetched and posted.
"""
import collections
import contextlib
import weakref

import numpy as np

from nvlab._core.trace import Kind, now
from nvlab.pci.function import Function
from nvlab.spec import registers
from nvlab.spec.errors import Error

from .baseline import Unknown, rings_of
from .live import _RECORDING, Trace

MEMORY = 2 << 20
"""Bytes of events that a watch keeps of each writer, when it records by itself: some 20,000 of the newest."""

PEEKS = 4096
"""Doorbells of which it is kept what lay in the ring."""

LOOKED_AT = 64
"""Entries looked at for one doorbell, at most."""

WATCHING = weakref.WeakKeyDictionary()
"""Function -> the Watch that looks at it now."""

_ADMIN_QUEUE = {register.offset + at: (register.name, at) for register in (registers.AQA, registers.ASQ, registers.ACQ)
                for at in range(0, register.size, 4)}


class Peek:
    """What was seen at one doorbell, just before it was written.

    `time` monotonic ns · `value` about to be written · `iova`, `size` of the ring as the drive was told · `entries`
    {slot: 64 bytes} that the doorbell hands over; where it hands over nothing, the slot that it names · `lists` {slot: the
    first 64 bytes where PRP2 points} · `tail` of a completion queue: the next slot to be posted to, as its Phase Tags tell.
    """

    __slots__ = ("time", "kind", "qid", "value", "iova", "size", "entries", "lists", "tail")

    def __init__(self, kind, qid, value, iova, size):
        self.time, self.kind, self.qid, self.value, self.iova, self.size = now(), int(kind), qid, value, iova, size
        self.entries, self.lists, self.tail = {}, {}, None


def posted_up_to(entries):
    """(slot, phase) that a drive posts to next, told by the Phase Tags of a completion ring: (depth, 16) uint8.

    None where they make no sense. A ring that holds one tag all over has just been gone round (base 2.0c 3.3.3.2).
    """
    tags = entries[:, 14] & 1
    turns = (tags[1:] != tags[:-1]).nonzero()[0]
    if len(turns) == 0:
        return 0, 1 - int(tags[0])
    return (int(turns[0]) + 1, int(tags[0])) if len(turns) == 1 else None


class Watch:
    """Watches the driver of one controller, so that ctrl.why() knows what it did; nvlab.watch(ctrl) begins one.

    `trace` is the Trace that records: the one that recorded already, or one of its own in `memory` bytes a writer.
    stop() ends it; a context manager. Doorbells that Python writes cost some microseconds more meanwhile, those of perf
    loops what tracing costs.
    """

    def __init__(self, ctrl):
        self.controller, self.function = (Unknown(ctrl), ctrl) if isinstance(ctrl, Function) else (ctrl, ctrl.function)
        self.trace, self._own, self.peeks = None, False, collections.deque(maxlen=PEEKS)
        self.told = {}                           # ("sq" or "cq", qid) -> (iova, size) as the host told a drive that isn't ours
        self.born = set()                        # those of them that came while we watched: their doorbells began at 0
        self._registers, self._rung = {"AQA": 0, "ASQ": 0, "ACQ": 0}, {}

    @property
    def on(self):
        """True while it watches."""
        return WATCHING.get(self.function) is self

    def start(self, memory=MEMORY):
        """Watch from now on. Returns self. Harmless when it does already; takes over from another Watch."""
        other = WATCHING.get(self.function)
        if other is not None and other is not self:
            other.stop()
        if not self.on:
            self.trace = _RECORDING.get(self.function)
            self._own = self.trace is None
            if self._own:
                self.trace = Trace(self.controller if not isinstance(self.controller, Unknown) else self.function).start(memory)
            WATCHING[self.function] = self
            self._rung.clear()
            self._ask()
            if self.function.bar.lane.hook is None:          # else somebody debugs: then there are events alone
                self.function.bar.lane.hook = self._look
        return self

    def stop(self):
        """Watch nothing more; what its own trace recorded stays there. Harmless when repeated."""
        if self.on:
            del WATCHING[self.function]
            if self.function.bar.lane.hook == self._look:
                self.function.bar.lane.hook = None
            if self._own:
                self.trace.stop()

    def _ask(self):
        """The admin queue that a drive of somebody else's has already been told of."""
        with contextlib.suppress(Error):
            if self.controller.ssd is None:
                self._registers = {name: int(self.controller.regs[name]) for name in self._registers}
                self._tell_admin()

    # -- at each event

    def _look(self, kind, qid, index, a, value):
        """Called by the core before each event of Python's."""
        if kind not in (Kind.SQ_DOORBELL, Kind.CQ_DOORBELL, Kind.REG_WRITE) or not self.on:
            return
        with contextlib.suppress(Exception):     # to watch must never be what breaks a driver
            if kind == Kind.REG_WRITE:
                self._register(a, index, value)
            else:
                self._doorbell(kind, qid, index)

    _look.watches = True                         # (a debugger takes the place of such a hook, and goes on calling it)

    def _register(self, offset, width, value):
        for at in range(0, width, 4):
            name, half = _ADMIN_QUEUE.get(offset + at, (None, 0))
            if name is not None:
                kept = self._registers[name] & ~(0xFFFFFFFF << 8 * half)
                self._registers[name] = kept | (value >> 8 * at & 0xFFFFFFFF) << 8 * half
        if offset == registers.CC.offset:        # enabled or reset: no queue but the admin queue, if that
            self.told.clear()
            self.born.clear()
            self._rung.clear()
            if value & 1:
                self._tell_admin()
                self.born.update(self.told)

    def _tell_admin(self):
        aqa = registers.AQA.decode(self._registers["AQA"])
        self.told["sq", 0] = self._registers["ASQ"] & ~0xFFF, int(aqa.ASQS) + 1
        self.told["cq", 0] = self._registers["ACQ"] & ~0xFFF, int(aqa.ACQS) + 1

    def where(self, ring, qid):
        """(iova, entries) of a ring, "sq" or "cq", as the drive was told; None where nobody knows."""
        ssd = self.controller.ssd
        if ssd is not None:
            shape = ssd.datapath.shape(qid) if qid <= ssd.datapath.queues else {}
            return (shape[f"{ring}_iova"], shape[f"{ring}_size"]) if shape and shape[f"{ring}_iova"] is not None else None
        mine = rings_of(self.controller)[ring == "cq"].get(qid)
        return (int(mine.iova), mine.depth) if mine is not None else self.told.get((ring, qid))

    def _doorbell(self, kind, qid, value):
        ring = "sq" if kind == Kind.SQ_DOORBELL else "cq"
        iova, size = self.where(ring, qid) or (None, 0)
        peek = Peek(kind, qid, value, iova, size)
        old = self._rung.get((ring, qid, iova), self._stood(ring, qid))
        if size and value < size:
            if ring == "cq" and self.controller.ssd is None:
                found = posted_up_to(self._entries(iova, size, 16))
                peek.tail = found and found[0]
            elif ring == "sq":
                self._submitted(peek, old)
            self._rung[ring, qid, iova] = value
        self.peeks.append(peek)

    def _stood(self, ring, qid):
        """What a doorbell was last rung with before we looked."""
        ssd = self.controller.ssd
        if ssd is not None:
            state = ssd.queue_state(qid) or {}
            return state.get("sq_tail" if ring == "sq" else "cq_head") or 0
        mine = rings_of(self.controller)[ring == "cq"].get(qid)
        return mine.rung if mine is not None else 0

    def _submitted(self, peek, old):
        """Note the entries that a doorbell hands over."""
        count = (peek.value - old) % peek.size
        entries = self._entries(peek.iova, peek.size, 64)
        for at in range(max(0, count - LOOKED_AT), count) if count else (0,):
            slot = (old + at) % peek.size
            raw = peek.entries[slot] = entries[slot].tobytes()
            prp2 = int.from_bytes(raw[32:40], "little")
            if prp2 and count:
                with contextlib.suppress(Error):
                    peek.lists[slot] = self.controller.dma.read(prp2 & ~7, min(64, 4096 - prp2 % 4096 & ~7))
            if peek.qid == 0 and count:
                self._tell(raw)

    def _tell(self, raw):
        """Note a queue that an admin command creates or deletes."""
        qid, qsize = int.from_bytes(raw[40:42], "little"), int.from_bytes(raw[42:44], "little")
        if raw[0] in (1, 5):                     # Create I/O SQ, Create I/O CQ
            ring = "sq" if raw[0] == 1 else "cq", qid
            self.told[ring] = int.from_bytes(raw[24:32], "little"), qsize + 1
            self.born.add(ring)
        elif raw[0] in (0, 4) and qid:           # Delete I/O SQ, Delete I/O CQ
            self.told.pop(("sq" if raw[0] == 0 else "cq", qid), None)

    def _entries(self, iova, size, width):
        return np.frombuffer(self.controller.dma.read(iova, size * width), np.uint8).reshape(size, width)

    # -- for people

    def why(self):
        """ctrl.why(), which knows what was seen here."""
        from .why import why
        return why(self.controller)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def __repr__(self):
        return f"<{'watching' if self.on else 'stopped'}: {self.controller.address}, {len(self.peeks)} doorbells looked at>"


def watch(ctrl):
    """Begin to watch what drives `ctrl`, so that ctrl.why() can tell more. Returns the Watch; stop() it, or use `with`."""
    return Watch(ctrl).start()
