"""The faults: what each does to a command that it strikes, or to the controller as it starts."""
from .fault_match import Match, number, seconds, status_of

NAMES = ("completion dropped", "command lost", "completion delayed", "completion posted again", "completion corrupted",
         "wrong cid", "wrong Phase Tag", "wrong sqhd", "status chosen", "never ready", "slow to become ready", "fatal status",
         "drive vanished", "drive back again")
"""What happened, by the `index` of a Kind.FAULT event."""


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


class Fault:
    """One way in which the drive misbehaves. `hits` counts how often it has, `passed` what `after` let pass; remove() ends it.

    `match` says which commands it strikes. A fault whose `count` is used up stays in the list, and does nothing more.
    """

    name, event = "", ""

    def __init__(self, match=None):
        self.match = match or Match()
        self.count, self.after = self.match.count, self.match.after
        self.hits = self.passed = 0
        self.owner = None

    @property
    def what(self):
        """The fault in words."""
        return self.name

    @property
    def armed(self):
        """True while it may still act."""
        return self.owner is not None and (self.count is None or self.hits < self.count)

    def remove(self):
        """Disarm it. What it holds back already still comes when it is due. Removing it twice is harmless."""
        if self.owner is not None:
            self.owner.remove(self)

    def takes(self):
        """Count one occasion. True when the fault acts on it: not before `after` others, not more than `count` times."""
        if not self.armed:
            return False
        if self.passed < self.after:
            self.passed += 1
            return False
        self.hits += 1
        return True

    def act(self, plan):
        """Change what becomes of a command."""

    @property
    def state(self):
        """"armed", "spent" (its count is used up) or "removed"."""
        return "armed" if self.armed else "removed" if self.owner is None else "spent"

    def row(self):
        """Cells of a table: what, on which commands, after how many, hits, state."""
        hits = f"{self.hits} of {self.count}" if self.count is not None else self.hits
        return self.what, str(self.match), self.after or "", hits, self.state

    def __repr__(self):
        after = f" after {self.after}" if self.after else ""
        of = f" of {self.count}" if self.count is not None else ""
        return f"<fault {self.what}: {self.match}{after}, {self.hits}{of} hits, {self.state}>"


class Drop(Fault):
    name = "drop"

    def __init__(self, match, execute):
        super().__init__(match)
        self.execute = bool(execute)
        self.event = "completion dropped" if execute else "command lost"

    @property
    def what(self):
        return "drop" if self.execute else "drop, not executed"

    def act(self, plan):
        plan.post, plan.execute = False, plan.execute and self.execute


class Delay(Fault):
    name, event = "delay", "completion delayed"

    def __init__(self, match, delay):
        super().__init__(match)
        self.seconds = seconds(delay)

    @property
    def what(self):
        return f"delay {self.seconds:g} s"

    def act(self, plan):
        plan.delay += self.seconds


class Duplicate(Fault):
    name, event = "duplicate", "completion posted again"

    def __init__(self, match, times):
        super().__init__(match)
        self.times = number(times, "times", 1, 0xFFFF, "how many more times to post the completion")

    @property
    def what(self):
        return "duplicate" if self.times == 1 else f"duplicate {self.times} times"

    def act(self, plan):
        plan.copies += self.times


class Corrupt(Fault):
    name, event = "corrupt", "completion corrupted"

    def __init__(self, match, xor, fields):
        super().__init__(match)
        self.xor, self.fields = xor, fields

    @property
    def what(self):
        words = [f"{name}={value:#x}" for name, value in self.fields.items()]
        return " ".join(["corrupt", *words, *([f"xor={self.xor:#x}"] if self.xor else [])])

    def act(self, plan):
        plan.xor ^= self.xor
        for name, value in self.fields.items():
            setattr(plan, name, value)


class WrongCid(Fault):
    name, event = "wrong cid", "wrong cid"

    def __init__(self, match, cid):
        super().__init__(match)
        self.cid = None if cid is None else number(cid, "cid", 0, 0xFFFF, "the command identifier to report")

    @property
    def what(self):
        return self.name if self.cid is None else f"{self.name} {self.cid}"

    def act(self, plan):
        if self.cid is None:
            plan.xor ^= 0x8000 << 96
        else:
            plan.cid = self.cid


class WrongPhase(Fault):
    name, event = "wrong phase", "wrong Phase Tag"

    def act(self, plan):
        plan.phase = not plan.phase


class WrongSqhd(Fault):
    name, event = "wrong sqhd", "wrong sqhd"

    def __init__(self, match, sqhd):
        super().__init__(match)
        self.sqhd = None if sqhd is None else number(sqhd, "sqhd", 0, 0xFFFF, "the SQ Head Pointer to report")

    @property
    def what(self):
        return self.name if self.sqhd is None else f"{self.name} {self.sqhd}"

    def act(self, plan):
        plan.sqhd = (lambda head, tail, size: (tail + 1) % size) if self.sqhd is None else self.sqhd


class ChosenStatus(Fault):
    name, event = "status", "status chosen"

    def __init__(self, match, what, dnr, crd):
        super().__init__(match)
        self.status = status_of(what)
        self.dnr, self.crd = bool(dnr), number(crd, "crd", 0, 3, "0, or which of CRDT1 to CRDT3 tells the delay")

    @property
    def what(self):
        return f"status {self.status}{' DNR' if self.dnr else ''}{f' CRD={self.crd}' if self.crd else ''}"

    def act(self, plan):
        plan.execute, plan.status = False, (self.status.field | self.dnr << 14, self.crd)


class NeverReady(Fault):
    name, event = "never ready", "never ready"


class SlowReady(Fault):
    name, event = "slow ready", "slow to become ready"

    def __init__(self, match, delay):
        super().__init__(match)
        self.seconds = seconds(delay)

    @property
    def what(self):
        return f"ready after {self.seconds:g} s"


class Fatal(Fault):
    name, event = "fatal", "fatal status"

    def act(self, plan):
        plan.stop = self.name


class Vanish(Fault):
    name, event = "vanish", "drive vanished"

    def act(self, plan):
        plan.stop = self.name
