"""Checks of notebook 11: a learner's driver reads blocks around its ring several times, on a drive that shows its bug."""
import secrets

import nvlab
from nvlab.spec.commands import cmd
from nvlab.spec.errors import Error

from .course import NotYet
from .course_driver import TinyDriver
from .course_guard import drive

__all__ = [f"drill_{n}" for n in range(1, 8)]

QID, BLOCKS, SLOW_LBA = 3, 64, 63
FULL = "Full is one less than the number of slots (base 2.0c 3.3.1.5)."


class _Eager:
    """A BAR whose drive begins the moment its doorbell is rung."""

    def __init__(self, ctrl):
        self._ctrl = ctrl

    def __getattr__(self, name):
        return getattr(self._ctrl.bar, name)

    def write32(self, offset, value):
        self._ctrl.bar.write32(offset, value)
        if offset == nvlab.spec.registers.sq_tail_doorbell(QID, 0):
            self._ctrl.ssd.fetch()


class _Trial:
    """One driver on one drive: reads sent and not yet answered, and what became of the others."""

    def __init__(self, report, ctrl, factory, depth, eager):
        self.report, self.ctrl, self.depth = report, ctrl, depth
        self.sent, self.done, self.outstanding = 0, 0, {}
        self.driver = self.call(factory, ctrl, QID, depth)
        if not isinstance(self.driver, TinyDriver):
            report.wrong(f"a class derived from TinyDriver is expected, not {factory!r}", "Give the class itself.")
        if eager:
            self.driver.bar = _Eager(ctrl)

    def call(self, function, *args):
        """What the learner's code returns; when it raises, with what why() knows of a broken rule."""
        try:
            return self.report.call(function, *args, seconds=3)
        except NotYet:
            self.blame(*self.report.findings.pop())
            raise

    def blame(self, right, what, hint, waits=False):
        """Note a failure, with what why() says about it as the hint: of broken rules, and where it `waits` of what for."""
        why = self.ctrl.why()
        if "KeyError" in what:
            hint = f"A completion was taken whose command doesn't wait. Was that entry new? {hint}".rstrip()
        tells = (why.accused or waits) and why.rule != "fault"        # that we asked for a fault is no news
        self.report.findings.append((right, what, f"ctrl.why() says: {why.sentence}" if tells else hint))

    def fail(self, what, hint="", waits=False):
        """Note a failure and end the trial."""
        self.blame(False, what, hint, waits)
        raise NotYet

    def send(self, lba=None):
        """Submit a read of a block that nobody knows. False when the driver says that its ring is full."""
        lba, buffer = secrets.randbelow(BLOCKS - 1) if lba is None else lba, self.ctrl.alloc(512)
        cid = self.call(self.driver.submit, cmd.read(nsid=1, slba=lba, nlb=0, prp1=buffer))
        if cid is None:
            return False
        if int(cid) in self.outstanding:
            self.fail(f"a second command got cid {cid}, while the first was still on its way",
                      "An identifier is free when its completion has been seen; its slot may be free much earlier.")
        self.outstanding[int(cid)] = lba, buffer
        self.sent += 1
        return True

    def settle(self):
        """Poll too early, let the drive work until it is idle, and take what came. Returns how many reads ended."""
        for completion in self.poll():
            self.take(completion)
        for _ in range(2 * self.depth + 4):
            if self.ctrl.ssd.step() is None:
                break
        ended = self.poll()
        for completion in ended:
            self.take(completion)
        return len(ended)

    def poll(self):
        """What the driver's poll() returns, a list."""
        ended = self.call(self.driver.poll)
        if not isinstance(ended, (list, tuple)):
            self.fail(f"poll() should return a list of completions, not {ended!r}")
        return ended

    def take(self, completion):
        """Hold a completion against what was sent."""
        lba, buffer = self.outstanding.pop(int(completion.cid), (None, None))
        if lba is None:
            self.fail(f"poll() returned a completion with cid {int(completion.cid)}, and no such command was on its way")
        if not completion.ok or not (buffer == lba + 1).all():
            self.fail(f"the read of block {lba} ended with {completion.status}" if not completion.ok else f"the read of block {lba} brought other data")
        self.done += 1


def _trial(report, factory, what, burst=1, laps=3, eager=False, slow=False):
    depth = 4 + secrets.randbelow(6)
    if not (isinstance(factory, type) and issubclass(factory, TinyDriver)):
        report.wrong(f"a class derived from TinyDriver is expected, not {factory!r}", "Give the class itself.")
    with drive(ready=True) as ctrl:
        ctrl.namespaces[1].write(0, b"".join(bytes([n + 1]) * 512 for n in range(BLOCKS)))
        with nvlab.watch(ctrl):
            trial = _Trial(report, ctrl, factory, depth, eager)
            if slow:
                ctrl.ssd.faults.delay(30, lba=SLOW_LBA)
                trial.send()
                trial.send(SLOW_LBA)             # not the first: its identifier should not be the lowest
                trial.settle()
            _laps(trial, depth, burst or depth - 1, laps, slow)
            why = ctrl.why()
            if why.accused and why.rule != "fault":
                trial.fail(f"{what}: all reads came, and a rule was broken")
    report.right(f"{what}: {trial.done} reads through a ring of {depth}")


def _laps(trial, depth, burst, laps, slow):
    left = int(slow)
    while trial.done < laps * depth:
        for _ in range(burst - left):
            if not trial.send():
                trial.fail(f"submit() said that the ring is full, with {len(trial.outstanding)} of {depth} slots in use", FULL)
        if not trial.settle():
            trial.fail(f"after {trial.done} of {laps * depth} reads nothing more came (a ring of {depth})", waits=True)
    if burst == depth - 1 and not slow:
        _brim(trial, depth)


def _brim(trial, depth):
    """Exactly depth - 1 commands fit, and a driver says so."""
    for _ in range(depth - 1):
        trial.send()
    if trial.driver.submit(cmd.flush(nsid=1)) is not None:
        trial.fail(f"a ring of {depth} took {depth} commands: it looks empty now", FULL)
    trial.settle()


def _drill(what, **how):
    """A check: one read at a time, bursts that fill the ring, and what shows the bug best."""
    def check(report, factory):
        if how:
            _trial(report, factory, what, **how)
        _trial(report, factory, "one at a time")
        _trial(report, factory, "as many at once as fit", burst=0)
    return check


drill_1 = _drill("the drive is told")
drill_2 = _drill("slots are given back")
drill_3 = _drill("around the ring")
drill_4 = _drill("the doorbell stays in the ring")
drill_5 = _drill("a full ring", burst=0)
drill_6 = _drill("a drive that begins at once", eager=True)
drill_7 = _drill("one command that takes long", burst=0, slow=True, laps=4)
