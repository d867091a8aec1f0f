"""A debugger for drivers: stop before a register or a doorbell is written, look around, go on.

    dbg = nvlab.debug(ctrl)
    dbg.break_at("SQ0TDBL")
    dbg.run(ctrl.start)                # in a thread of its own; comes back where it stopped
    dbg.bt()
    ctrl.regs, ctrl.admin.sq.entries   # everything is there to be looked at meanwhile
    dbg.cont()

What is debugged is one thread, the one that run() starts. Any other may read registers, rings and memory while it stands: that
neither stops nor waits. The standing thread may hold locks, though: a queue pair's, and in the middle of a creation the queues'.
Looking needs neither. Polling or submitting on that queue pair, creating and deleting do, and would wait until the code goes on.
The loops of perf run without Python: they make no events to stop at.
"""
from nvlab._core.trace import Kind
from nvlab.spec.errors import Error, UsageError
from nvlab.spec.render import Table, mimebundle

from .breakpoints import at_register, on_event
from .debuggee import Debuggee, Killed, NotStopped, Stop

__all__ = ["Debugger", "NotStopped", "StillRunning", "Stop"]

KILL_SECONDS = 5.0
"""How long close() and kill() wait for the thread's end."""


class StillRunning(Error, TimeoutError):
    """The code neither stopped nor ended within the time given."""


class Debugger:
    """Runs driver code in a thread of its own and stops it before chosen events. A context manager.

    Without a controller it takes the first that the code itself opens. `timeout` is how many seconds run(), cont(), step() and
    finish() wait for the next stop before they come back with the code still running. `breakpoints` {number: Breakpoint}.

    Leaving the `with` block lets the code run to its end without further stops. When an exception leaves it (Ctrl-C, say),
    or the code doesn't end within `timeout`, the code is ended where it stands: the event before which it stands doesn't
    happen. The controller stays usable. A controller that is closed while code stands ends that code first.
    """

    def __init__(self, ctrl=None, timeout=10.0):
        self.timeout, self.breakpoints = timeout, {}
        self._given, self._run, self._numbers = ctrl, None, 0

    @property
    def ctrl(self):
        """The Controller that is debugged, or None while the code has none yet."""
        return self._given if self._given is not None or self._run is None else self._run.ctrl

    @property
    def stopped(self):
        """The Stop where the code stands, or None."""
        return self._run and self._run.stopped

    @property
    def state(self):
        """"idle" before the first run, then "running", "stopped" or "ended"."""
        return self._run.state if self._run else "idle"

    # -- breakpoints

    def break_at(self, register, value=None, *, access=None, opcode=None, condition=None, temporary=False, ignore=0):
        """Stop before a register is written: "CC", "SQ0TDBL", an offset; before a read with access="read", or "any".

        `value` a number, range or set, of which one is about to be written · `opcode` only a doorbell that tells of such a
        command · `condition` an expression ("value > 3", "CC.EN == 1") or a function of the HostEvent · `ignore` hits to let
        pass. A read-only register is stopped at when read, CSTS at both. Returns the Breakpoint. Raises UsageError for what can't be.
        """
        dstrd = int(self.ctrl.cap.DSTRD) if self.ctrl is not None else 0
        return self._add(at_register(self._numbers + 1, register, value, access, opcode, dstrd, condition=condition,
                                     temporary=temporary, ignore=ignore))

    def break_on(self, what=None, *, opcode=None, queue=None, cid=None, error=False, condition=None, temporary=False, ignore=0):
        """Stop before an event: "register read", "register write", "doorbell", "command", "completion", "event" (any);
        or "step": before one of the bring-up begins (condition="step == 'enable'").

        `opcode` a number or name ("Identify"): before such a command is posted · `queue`, `cid` · `error=True`: before a
        completion with an error status is taken. The rest as in break_at(). Returns the Breakpoint.
        """
        return self._add(on_event(self._numbers + 1, what, opcode, queue, cid, error, condition=condition, temporary=temporary,
                                  ignore=ignore))

    def _add(self, breakpoint):
        self._numbers = breakpoint.number
        self.breakpoints[breakpoint.number] = breakpoint
        return breakpoint

    def breakpoint(self, number):
        """The Breakpoint of that number (or the Breakpoint itself). Raises UsageError."""
        found = self.breakpoints.get(getattr(number, "number", number))
        if found is None:
            raise UsageError(f"no breakpoint {number}: there are {', '.join(map(str, self.breakpoints)) or 'none'}")
        return found

    def enable(self, number):
        """Let a breakpoint stop again."""
        self.breakpoint(number).enabled = True

    def disable(self, number):
        """Keep a breakpoint, and don't stop at it."""
        self.breakpoint(number).enabled = False

    def ignore(self, number, count):
        """Let a breakpoint's next `count` hits pass."""
        if count < 0:
            raise UsageError(f"ignore {count}: a number of hits, 0 or more")
        self.breakpoint(number).ignore = count

    def delete(self, number=None):
        """Forget a breakpoint, or all of them."""
        if number is None:
            self.breakpoints.clear()
        else:
            del self.breakpoints[self.breakpoint(number).number]

    def _why(self, event):
        """Called in the debugged thread: (reason to stop or None, breakpoint, what its condition raised)."""
        found, failed = None, None
        for breakpoint in list(self.breakpoints.values()):
            if breakpoint.enabled and breakpoint.covers(event):
                holds, error = self._ask(breakpoint, event)
                if holds and breakpoint.hit() and found is None:
                    found, failed = breakpoint, error
        if found is None:
            return self._run.asked if event.kind != Kind.STEP else None, None, None       # nothing happens at a step itself
        if found.temporary:
            self.breakpoints.pop(found.number, None)
        return "breakpoint", found, failed

    def _ask(self, breakpoint, event):
        """(whether its condition holds, None), or (True, what it raised): then it is time to look, too."""
        try:
            return breakpoint.holds(event, {"ctrl": self.ctrl}), None
        except Exception as error:
            return True, error

    # -- running

    def run(self, function, *args, **kw):
        """Call function(*args, **kw) in a thread of its own. Returns the Stop where it stands, or None: see wait().

        Raises UsageError while earlier code still runs, or another debugger's on this controller.
        """
        if self.state in ("running", "stopped"):
            raise UsageError(f"the code is {self.state}: cont(), detach() or kill() it first")
        if not callable(function):
            raise UsageError(f"run({function!r}): a function and its arguments: dbg.run(ctrl.start), dbg.run(ns.read, 0, 1)")
        fresh, before = Debuggee(self._given, self._why), self._run
        self._run = fresh
        try:
            fresh.start(function, args, kw)
        except BaseException:
            self._run = before
            raise
        return self.wait()

    def wait(self, timeout=None):
        """Wait until the code stops or ends, `timeout` seconds at most (the debugger's when None).

        Returns the Stop; None when it ended, or still runs: `state` says which.
        """
        return self._run and self._run.wait(self.timeout if timeout is None else timeout)

    def _go(self, order, until=None):
        if self._run is None:
            raise NotStopped("nothing runs: run() some code first")
        self._run.go(order, until)
        return self.wait()

    def cont(self):
        """Go on to the next breakpoint. Returns the Stop, or None: see wait()."""
        return self._go("cont")

    def step(self):
        """Go on to the next event, whatever it is. Returns the Stop, or None: see wait()."""
        return self._go("step")

    def finish(self, frame=None):
        """Go on until the current function has returned: the innermost of Python's, or that of frame number `frame`.

        Returns the Stop, whose `value` is what it returned; a breakpoint on the way stops first. Raises UsageError for a frame
        that isn't there.
        """
        outer = self.bt()[frame or 0:]
        chosen = next((f for f in outer if f.live is not None), None)
        if chosen is None or (frame or 0) < 0:
            raise UsageError(f"finish({'' if frame is None else frame}): there is no such frame; bt() numbers them")
        return self._go("finish", chosen.live)

    def interrupt(self, timeout=1.0):
        """Stop before the next event. Returns the Stop, or None when there was none within `timeout` seconds."""
        if self.state == "running":
            self._run.asked = "interrupt"
        return self.wait(timeout)

    def bt(self):
        """The Backtrace: numbered frames, innermost first. Raises NotStopped unless the code stands."""
        stop = self.stopped
        if stop is None:
            raise NotStopped(f"no stack: the code is {self.state}")
        return stop.frames

    # -- ends

    def detach(self):
        """Let the code run on for good; it stops no more. run() may begin anew once it ended."""
        if self._run is not None:
            self._run.detach()

    def kill(self, timeout=KILL_SECONDS):
        """End the code before its next event: where it stands, if it does. Returns True once its thread is gone."""
        return self._run is None or self._run.kill(timeout)

    def close(self):
        """Let the code run to its end, `timeout` seconds at most, then end it. Closing twice is harmless."""
        self.detach()
        self.wait()
        if self.state == "running":
            self.kill()

    @property
    def killed(self):
        """True when kill() ended the code."""
        return self._run is not None and isinstance(self._run.error, Killed)

    @property
    def error(self):
        """The exception that ended the code, or None. Code that was killed has none."""
        return None if self._run is None or self.killed else self._run.error

    def result(self, timeout=None):
        """What the code returned; raises what it raised.

        Raises UsageError when it stands, was killed or never ran, StillRunning when it doesn't end within `timeout` seconds.
        """
        stop = self.wait(timeout)
        if self.state == "running":
            seconds = self.timeout if timeout is None else timeout
            raise StillRunning(f"the code still runs after {seconds:g} s: wait(), interrupt() or kill() it")
        if self.state != "ended" or self.killed:
            how = "killed" if self.killed else f"stopped before {stop.decoded}" if stop else self.state
            raise UsageError(f"no result: the code is {how}")
        if self._run.error is not None:
            raise self._run.error
        return self._run.value

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        self.close() if kind is None else self.kill()

    # -- for people

    @property
    def story(self):
        """The state in a sentence."""
        if self.stopped is not None:
            return self.stopped.title
        if self.state != "ended":
            return {"idle": "nothing ran yet", "running": "the code runs"}[self.state]
        return "killed" if self.killed else f"ended: {type(self.error).__name__}: {self.error}" if self.error else "ended"

    def table(self):
        """The breakpoints, one a row, as a render.Table."""
        rows = [breakpoint.row() for breakpoint in list(self.breakpoints.values())]
        return Table("", ("Num", "Disp", "Enb", "What"), rows) if rows else Table("", ("No breakpoints.",), ())

    def __repr__(self):
        where = self.ctrl.address if self.ctrl is not None else "no controller yet"
        return f"<Debugger of {where}: {self.story}; {len(self.breakpoints)} breakpoints>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        table = self.table()
        table.title, table.note = f"Debugger: {self.story}", ""
        return {**mimebundle(table), "text/plain": repr(self)}
