"""Faults on demand: `ssd.faults`, with which the embedded drive misbehaves as it is told.

    >>> ssd.faults.delay(0.2, opcode="Read", qid=1, count=3)        # three Reads of queue 1 complete 0.2 s late
    >>> ssd.faults.status("Unrecovered Read Error", lba=range(100, 108))
    >>> ssd.faults                                                  # a table of what is armed, and how often it acted
    >>> ssd.faults.clear()
"""
import functools
import inspect
import threading

from nvlab._core.trace import Kind, Side
from nvlab.spec.errors import UsageError
from nvlab.spec.render import Table, counted, mimebundle

from .fault_kinds import (NAMES, ChosenStatus, Corrupt, Delay, Drop, Duplicate, Fatal, NeverReady, Plan, SlowReady, Vanish,
                          WrongCid, WrongPhase, WrongSqhd)
from .fault_match import KEYWORDS, Match, number

_KEYWORDS_DOC = """
        Which commands, all optional: `opcode` number or name, `qid`, `nsid`, `{cid}` (each one or several), `lba` number or
        range that the command's blocks touch; `count` how many times it acts (None: always), `after` how many matching
        commands pass first. An Asynchronous Event Request is struck only where `opcode` names it. Returns the Fault.
        Raises UsageError for values that can't be, and conditions that no command meets."""


def matched(method):
    """Give a method the keywords of Match, and the Match made of them as its first argument."""
    own = inspect.signature(method)
    kept = [parameter for name, parameter in own.parameters.items() if name != "match"]
    word = {name: f"match_{name}" if name in own.parameters else name for name in KEYWORDS}
    more = [inspect.Parameter(word[name], inspect.Parameter.KEYWORD_ONLY, default=default) for name, default in KEYWORDS.items()]
    signature = own.replace(parameters=[*kept, *more])

    @functools.wraps(method)
    def arm(*args, **given):
        try:
            bound = signature.bind(*args, **given).arguments
        except TypeError as error:
            raise UsageError(f"faults.{method.__name__}: {error}; it takes {', '.join(list(signature.parameters)[1:])}") from None
        match = Match(**{name: bound.pop(word[name]) for name in KEYWORDS if word[name] in bound})
        return method(match=match, **bound)

    arm.__signature__ = signature
    arm.__doc__ += "\n" + _KEYWORDS_DOC.format(cid=word["cid"])
    return arm


class Faults:
    """The faults of one drive, in the order in which they were armed: iterate, count, look.

    Each method arms a fault and returns it; fault.remove() and clear() disarm. Several faults that match a command all act
    on it. While one is armed, I/O commands are executed in Python, one by one; with none, the core is as fast as ever.
    """

    def __init__(self, drive):
        self._drive = drive
        self._faults = []
        self._ready = []                         # of them: what happens as the controller is enabled
        self.armed = ()                          # of the others: what may still act on a command
        self._lock = threading.Lock()            # the drive's thread spends a fault while another one arms the next

    # -- completions

    @matched
    def drop(self, match, *, execute=True):
        """Lose a completion: the command is executed and nobody is told.

        With `execute` False the command itself is lost, and hangs in the drive where an Abort can find it."""
        return self._arm(Drop(match, execute))

    @matched
    def delay(self, seconds, match):
        """Execute a command at once, and post its completion `seconds` later; others overtake it. Abort finds it meanwhile."""
        return self._arm(Delay(match, seconds))

    @matched
    def duplicate(self, match, times=1):
        """Post a completion `times` more than once."""
        return self._arm(Duplicate(match, times))

    @matched
    def corrupt(self, match, *, xor=None, dw0=None, dw1=None, sqid=None):
        """Post a completion with wrong bits: `xor` (16 bytes, or an int) is applied last, after `dw0`, `dw1`, `sqid` are put in.

        With none of them, every bit but the Phase Tag is inverted."""
        fields = {name: number(value, name, 0, most, "a value that its field can hold")
                  for name, value, most in (("dw0", dw0, 0xFFFFFFFF), ("dw1", dw1, 0xFFFFFFFF), ("sqid", sqid, 0xFFFF))
                  if value is not None}
        if xor is None:
            xor = 0 if fields else ~(1 << 112) & (1 << 128) - 1
        elif isinstance(xor, (bytes, bytearray, memoryview)):
            if len(xor) != 16:
                raise UsageError(f"xor of {len(xor)} bytes: a completion has 16 (base 2.0c 3.3.3.2)")
            xor = int.from_bytes(xor, "little")
        return self._arm(Corrupt(match, number(xor, "xor", 0, (1 << 128) - 1, "16 bytes, or an int of 128 bits"), fields))

    @matched
    def wrong_cid(self, match, cid=None):
        """Complete another command than the one that was executed: `cid`, or the true one with its highest bit inverted."""
        return self._arm(WrongCid(match, cid))

    @matched
    def wrong_phase(self, match):
        """Post a completion with the Phase Tag of the lap before: the host never sees it, nor what follows in that queue."""
        return self._arm(WrongPhase(match))

    @matched
    def wrong_sqhd(self, match, sqhd=None):
        """Report a wrong SQ Head Pointer: `sqhd`, or one past the tail, to where nothing was posted."""
        return self._arm(WrongSqhd(match, sqhd))

    @matched
    def status(self, what, match, *, dnr=False, crd=0):
        """Complete a command with a status of your choice, without executing it.

        `what` is a Status, its title, or (sct, sc). `dnr` sets Do Not Retry; `crd` 1 to 3 points to CRDT1 to CRDT3, and is
        reported only while the host has set ACRE (feature 16h) and without `dnr` (base 2.0c 3.3.3.2.1)."""
        if dnr and crd:
            raise UsageError(f"crd={crd} with dnr=True: the delay before a retry means nothing where none may be tried "
                             "(base 2.0c 3.3.3.2.1); leave one of them out")
        return self._arm(ChosenStatus(match, what, dnr, crd))

    # -- the controller

    def never_ready(self, *, count=None, after=0):
        """Leave CSTS.RDY at 0 when CC.EN is set: the next `count` times (None: always), after `after` times as it should be."""
        return self._arm(NeverReady(Match(count=count, after=after)))

    def slow_ready(self, seconds, *, count=None, after=0):
        """Set CSTS.RDY `seconds` after CC.EN was set; CAP.TO promises 0.5 s."""
        return self._arm(SlowReady(Match(count=count, after=after), seconds))

    @matched
    def fatal(self, match):
        """Set CSTS.CFS and stand still until a controller reset (CC.EN from 1 to 0). Without keywords: now.

        With keywords: when such a command has been fetched, once unless `count` says otherwise."""
        return self._strike_now(Fatal(match), self._drive.fail)

    @matched
    def vanish(self, match):
        """Be gone, as if pulled out: registers read all ones, writes and doorbells are lost, nothing moves. Without keywords: now.

        With keywords: when such a command has been fetched. return_() plugs the drive in again."""
        return self._strike_now(Vanish(match), self._drive.vanish)

    def return_(self):
        """Plug a vanished drive in again: powered on anew, with what was written to it; the host has to start from the beginning."""
        if self._drive.gone:
            self._drive.come_back(lambda: self._note("drive back again"))

    def _strike_now(self, fault, do):
        if not fault.match.anything:
            fault.count = fault.count or 1
            return self._arm(fault)
        fault.count = 1
        do(lambda: self._note(fault.event))
        fault.owner, fault.hits = self, 1
        self._faults.append(fault)
        return fault

    # -- the list

    def _arm(self, fault):
        fault.owner = self
        self._faults.append(fault)
        self._update()
        return fault

    def remove(self, fault):
        """Disarm one fault: fault.remove()."""
        if fault in self._faults:
            self._faults.remove(fault)
        fault.owner = None
        self._update()

    def clear(self):
        """Disarm all faults. What is held back still comes when it is due; release() lets it go now."""
        for fault in self._faults:
            fault.owner = None
        self._faults = []
        self._update()

    def release(self):
        """Let go of all completions that are held back: they are due now. Returns how many."""
        return self._drive.release_held()

    def _update(self):
        """Leave I/O commands to Python while a fault may act on one, and only then."""
        with self._lock:
            able = [fault for fault in self._faults if fault.armed]
            self._ready = [fault for fault in able if isinstance(fault, (NeverReady, SlowReady))]
            self.armed = tuple(fault for fault in able if fault not in self._ready)
            self._drive.datapath.defer = bool(self.armed)

    # -- as the drive asks; it holds its lock

    def strike(self, held):
        """The Plan of a command that was fetched, or None when no fault strikes it."""
        plan = None
        for fault in self.armed:
            if fault.match.fits(held.sqid, held.raw) and fault.takes():
                plan = plan or Plan()
                fault.act(plan)
                self._note(fault.event, held)
                if plan.stop:
                    break
        if plan is not None:
            self._update()
        return plan

    def ready_delay(self):
        """Seconds from CC.EN to CSTS.RDY as the faults want it: 0 without one, None for never."""
        delay = 0
        for fault in self._ready:
            if fault.takes():
                self._note(fault.event)
                delay = None if delay is None or isinstance(fault, NeverReady) else delay + fault.seconds
        self._update()
        return delay

    def _note(self, event, held=None):
        """Record that a fault acts (Kind.FAULT)."""
        key = 0
        if held is not None:
            key = held.raw[0] | held.cid << 16 | int.from_bytes(held.raw[4:8], "little") << 32
        self._drive.datapath.lane.record(Kind.FAULT, Side.DRIVE, held.sqid if held else 0, NAMES.index(event), key)

    # -- for people

    def __iter__(self):
        return iter(list(self._faults))

    def __len__(self):
        return len(self._faults)

    def __getitem__(self, index):
        return self._faults[index]

    def table(self):
        """The faults as a render.Table."""
        note = f"{counted(len(self._drive.held_back), 'command')} held back" if len(self._drive.held_back) else ""
        note = f"{self._drive.gone}; faults.return_() plugs it in again" if self._drive.gone else note
        return Table("Faults" if self._faults else "No faults: the drive behaves", ("Fault", "Strikes", "After", "Hits", "State"),
                     [fault.row() for fault in self._faults], note=note)

    def __repr__(self):
        return self.table().text() if self._faults else f"<no faults{f'; {self._drive.gone}' if self._drive.gone else ''}>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())
