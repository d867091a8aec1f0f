"""What becomes of a command that faults have struck, and completions that are held back."""
import heapq
import itertools

from nvlab._core.trace import now

PHASE = 1 << 48
"""The Phase Tag in the upper qword of a completion."""
MASK = (1 << 64) - 1


class Plan:
    """What the faults that struck one command make of it. A fault acts by changing it; unchanged, it is a right completion.

    `stop` "fatal" or "vanish" instead of everything · `execute` the command or not · `status` 15 bits in place of the true
    one · `post` its completion or not · `delay` seconds until then · `copies` of it · `dw0 dw1 sqhd sqid cid` in place of
    the true ones (sqhd: also a function of the true one, the tail and the queue's size) · `xor` onto its 16 bytes · `phase`
    the right one or not.
    """

    __slots__ = ("stop", "execute", "status", "post", "delay", "copies", "dw0", "dw1", "sqhd", "sqid", "cid", "xor", "phase")

    def __init__(self):
        self.stop = self.status = self.dw0 = self.dw1 = self.sqhd = self.sqid = self.cid = None
        self.execute = self.post = self.phase = True
        self.delay, self.copies, self.xor = 0.0, 1, 0

    def entry(self, sqid, cid, status, dw0, sqhd, tail, size):
        """The completion to post, from the true one: (dwords 0 and 1, dwords 2 and 3, is the Phase Tag right)."""
        if self.sqhd is not None:
            sqhd = self.sqhd(sqhd, tail, size) if callable(self.sqhd) else self.sqhd
        dw0, sqid, cid = (old if new is None else new for old, new in ((dw0, self.dw0), (sqid, self.sqid), (cid, self.cid)))
        upper = sqhd | sqid << 16 | cid << 32 | status << 49
        return (dw0 | (self.dw1 or 0) << 32) ^ self.xor & MASK, upper ^ self.xor >> 64, self.phase != bool(self.xor >> 64 & PHASE)


class HeldBack:
    """Commands inside the drive whose completion is late, or never comes. `next` is when the first is due, in ns, or None."""

    def __init__(self):
        self._late, self._turn = [], itertools.count()      # a heap of (due, turn, command)
        self._lost = {}                                     # (sqid, cid) -> a command that was never executed

    def delay(self, held, seconds):
        """Keep an executed command for some seconds."""
        heapq.heappush(self._late, (now() + round(seconds * 1e9), next(self._turn), held))

    def lose(self, held):
        """Keep a command for ever, for an Abort to find. A command with its identifier takes its place."""
        self._lost[held.sqid, held.cid] = held

    @property
    def next(self):
        """When the first is due, on the clock of nvlab._core.trace.now(); None while nothing is late."""
        return self._late[0][0] if self._late else None

    def due(self):
        """Take the commands whose time has come, in the order of their times."""
        found = []
        while self._late and self._late[0][0] <= now():
            found.append(heapq.heappop(self._late)[2])
        return found

    def release(self):
        """Make everything that is late due now. Returns how much."""
        self._late = [(0, next(self._turn), held) for _, _, held in sorted(self._late)]
        return len(self._late)

    def take(self, sqid, cid):
        """Take the command with this identifier, or None: Abort."""
        for entry in self._late:
            if (entry[2].sqid, entry[2].cid) == (sqid, cid):
                self._late.remove(entry)
                heapq.heapify(self._late)
                return entry[2]
        return self._lost.pop((sqid, cid), None)

    def forget(self, sqid=None):
        """Drop the commands of a queue that was deleted, or (None) all, as a reset does."""
        self._late = [entry for entry in self._late if sqid is not None and entry[2].sqid != sqid]
        heapq.heapify(self._late)
        self._lost = {key: held for key, held in self._lost.items() if sqid is not None and key[0] != sqid}

    def __len__(self):
        return len(self._late) + len(self._lost)

    def __iter__(self):
        return iter([held for _, _, held in sorted(self._late)] + list(self._lost.values()))

    def __repr__(self):
        return f"<held back: {len(self._late)} late, {len(self._lost)} lost>"
