"""Commands inside a drive: on their way, and those that are held back."""
import heapq
import itertools

from nvlab._core.trace import now
from nvlab.spec import status
from nvlab.spec.commands import Command


class InFlight:
    """A command inside the drive: `state` fetched, then executed, then completed; or waiting, delayed, lost, dropped, stopped."""

    def __init__(self, sqid, raw, admin):
        self.sqid, self.raw = sqid, raw
        self.command = Command.decode(raw, admin=admin)
        self.cid = int(self.command.cid)
        self.state, self.status, self.dw0 = "fetched", None, 0
        self.plan = None                         # what faults make of it
        self.orphan = False                      # its submission queue was deleted

    def __repr__(self):
        result = "" if self.status is None else f", status {status.lookup(self.status >> 8 & 7, self.status & 0xFF).title}"
        return f"<{self.state} from SQ {self.sqid}: {self.command!r}{result}>"


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
