"""Code that is being debugged: its thread, the hook in which it stands, and how it is told to go on."""
import contextlib
import dis
import sys
import threading

from nvlab import pci
from nvlab._core.trace import Kind
from nvlab.host.controller import LIVE, Controller
from nvlab.spec.errors import UsageError
from nvlab.spec.render import mimebundle

from .backtrace import backtrace, brief
from .breakpoints import History


class Killed(BaseException):
    """Ends the debugged thread where it stands. No Exception, so that no handler on the way takes it for an error."""


class NotStopped(UsageError):
    """Asked for what only code that stands can tell, or be told."""


def _inside(frame, function):
    """Whether a thread whose innermost frame this is has `function` among its callers."""
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return frame is not None


class Stop:
    """Where the code stands. `reason` "breakpoint", "step", "interrupt" or "finish" · `event` the HostEvent about to happen
    (None after finish) · `breakpoint` or None · `frames` its Backtrace · `value` what the finished function returned ·
    `error` what it raised, or a condition, or None · `function` that finished · `decoded` in words.
    """

    def __init__(self, reason, event, frames, breakpoint=None, value=None, error=None, function=None):
        self.reason, self.event, self.frames, self.breakpoint = reason, event, frames, breakpoint
        self.value, self.error, self.function = value, error, function

    @property
    def decoded(self):
        """What is about to happen, or what was returned, in words."""
        if self.event is not None:
            return self.event.text
        if self.error is not None:
            return f"{self.function} raised {type(self.error).__name__}: {self.error}"
        return f"{self.function} returned {brief(self.value)}"

    @property
    def title(self):
        """Why it stands, and before what."""
        if self.reason == "finish":
            return self.decoded
        if self.breakpoint is not None:
            kind = "Temporary breakpoint" if self.breakpoint.temporary else "Breakpoint"
            note = f" (its condition failed: {type(self.error).__name__}: {self.error})" if self.error is not None else ""
            return f"{kind} {self.breakpoint.number}{note}, before {self.decoded}"
        return f"{'Interrupted' if self.reason == 'interrupt' else 'Stopped'} before {self.decoded}"

    def __str__(self):
        return f"{self.title}\n{self.frames[0]}" if self.frames else self.title

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        table = self.frames.table()
        table.title = self.title
        return {**mimebundle(table), "text/plain": str(self)}


class Debuggee:
    """One run of some code. `ctrl` is what it drives; None: the first controller that it opens itself.

    `why(event)` says in the debugged thread whether to stop: (reason, breakpoint, error), the reason None to go on.
    `stopped` is the Stop, or None; `value` and `error` how it ended, once it is `done`.
    """

    def __init__(self, ctrl, why):
        self._ctrl, self._why, self._function = ctrl, why, None if ctrl is None else ctrl.function
        self._turn = threading.Condition()
        self.stopped, self.done, self.value, self.error, self.ident = None, False, None, None, None
        self.asked = None                        # "step" or "interrupt": stop before the next event
        self._order, self._bar, self._busy, self._watched = None, None, False, None
        self._free, self._killed, self._dead = False, False, False
        self._until, self._tracer, self._raised = None, None, None
        pairs = [pair for pair in (ctrl.admin, *ctrl.io.values()) if pair is not None and pair.owner is None] if ctrl else []
        self._history = History(pairs, [pair.cq for pair in pairs])

    @property
    def ctrl(self):
        """The Controller, or None while there is none yet."""
        if self._ctrl is None and self._function is not None:
            with contextlib.suppress(RuntimeError):          # somebody else opens one just now
                self._ctrl = next((c for c in LIVE if c.function is self._function), None)
        return self._ctrl

    @property
    def bar(self):
        """The registers of what is debugged, or None."""
        return self._bar

    @property
    def state(self):
        """"running", "stopped" or "ended"."""
        return "stopped" if self.stopped is not None else "ended" if self.done else "running"

    def start(self, function, args, kw):
        """Begin to run the code in its thread."""
        if self._ctrl is None:
            pci.WATCHERS.append(self._watch)
        else:
            self._hook_on(self._ctrl.bar)
        self.thread = threading.Thread(target=self.main, args=(function, args, kw), name="nvlab-debugged", daemon=True)
        self.thread.start()

    def _watch(self, function):
        if threading.get_ident() == self.ident and self._bar is None:
            self._function = function
            self._hook_on(function.bar)

    def _hook_on(self, bar):
        watch = bar.lane.hook                    # one who only watches goes on being told
        if watch is not None and not getattr(watch, "watches", False):
            raise UsageError("another debugger runs code on this controller: let that end first")
        self._bar, self._watched, bar.lane.hook = bar, watch, self._hook

    # -- in the debugged thread

    def main(self, function, args, kw):
        """The thread: the outermost frame, which back-traces leave out."""
        self.ident = threading.get_ident()
        try:
            self.value = function(*args, **kw)
        except BaseException as error:
            self.error = error
        with contextlib.suppress(ValueError):
            pci.WATCHERS.remove(self._watch)
        if self._bar is not None:
            self._bar.lane.hook = self._watched
        with self._turn:
            self.done = True
            self._turn.notify_all()

    def _hook(self, kind, qid, index, a, value):
        """Called by the core before each event of Python's on this controller, in the thread that makes it."""
        try:
            mine = threading.get_ident() == self.ident
            if self._free and not self._killed or mine and self._busy:
                return
            event = self._history.event(kind, qid, index, a, value, self._bar.doorbell_stride)
            if not mine:
                if self.stopped is not None and self.ctrl is not None and self._ctrl.closed:
                    self.kill(5)                     # somebody closes the controller: what stands must not be in the way
                return
            if self._killed:
                return self._die(event)
            self.ctrl                                # found as soon as it is there
            self._busy = True                        # what a condition looks at is no event of the code's
            try:
                reason, breakpoint, error = self._why(event)
            finally:
                self._busy = False
            if reason:
                frames = backtrace(sys._getframe(1), event, Debuggee.main.__code__)
                self._stand(Stop(reason, event, frames, breakpoint, error=error))
        finally:                                 # just before it happens: whoever stood here may have changed the rings
            if self._watched is not None:
                self._watched(kind, qid, index, a, value)

    def _stand(self, stop):
        """Wait here until somebody says how to go on."""
        self._untrace()
        with self._turn:
            self._order, self.asked, self.stopped = None, None, stop
            self._turn.notify_all()
            while self._order is None and not self._killed:
                self._turn.wait()
            (order, until), self.stopped = self._order or ("kill", None), None
        for frame in stop.frames:
            frame.forget()
        if self._killed:
            self._die(stop.event)
        elif order == "finish":
            self._trace(until)
        else:
            self.asked = self.asked or ("step" if order == "step" else None)

    def _die(self, event):
        """End the thread before `event` happens, with the driver's books in order. What unwinds then makes no stops."""
        if self._dead:
            return
        self._dead, ctrl = True, self.ctrl
        if _inside(sys._getframe(), Controller.close):
            return                               # it is on its way out and gives back what it holds: let it
        if event is not None and event.kind == Kind.SQE_POST and ctrl is not None:
            pair = ctrl.admin if event.qid == 0 else ctrl.io.get(event.qid)
            if pair is not None:                 # it will never be in the ring
                pair.sq.outstanding.pop(int(event.command.cid), None)
        raise Killed

    def _trace(self, frame):
        """Have Python call back when `frame` returns."""
        self._until, self._raised, self._tracer = frame, None, (sys.gettrace(), frame.f_trace, frame.f_trace_lines)
        frame.f_trace, frame.f_trace_lines = self._returning, False
        sys.settrace(lambda *call: None)

    def _untrace(self):
        frame, self._until = self._until, None
        if frame is not None:
            before, frame.f_trace, frame.f_trace_lines = self._tracer
            sys.settrace(before)

    def _returning(self, frame, what, value):
        if frame is not self._until or self._free:
            return None
        if what == "exception":
            self._raised = value[1]
        if what == "return":
            by = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            error = None if by.startswith(("RETURN", "YIELD")) else self._raised
            frames = backtrace(frame.f_back, None, Debuggee.main.__code__)
            name = frame.f_code.co_qualname.rsplit("<locals>.", 1)[-1]
            self._stand(Stop("finish", None, frames, value=value, error=error, function=name))
            return None
        return self._returning

    # -- from outside

    def wait(self, timeout):
        """Wait until it stops or ends, `timeout` seconds at most. Returns the Stop, or None."""
        with self._turn:
            self._turn.wait_for(lambda: self.stopped is not None or self.done, timeout)
        if self.done:
            self.thread.join(1)
        return self.stopped

    def go(self, order, until=None):
        """Tell it to go on: "cont", "step", or "finish" the frame `until`. Raises NotStopped unless it stands."""
        with self._turn:
            if self.stopped is None:
                remedy = "run() it again" if self.done else "wait() for it to stop, or interrupt() it"
                raise NotStopped(f"the code is {self.state}: {remedy}")
            self.stopped, self._order = None, (order, until)
            self._turn.notify_all()

    def detach(self):
        """Let it run on, without a stop from here on."""
        self._free = True
        with contextlib.suppress(NotStopped):
            self.go("cont")

    def kill(self, timeout):
        """End it before its next event: where it stands, if it does. Returns True once its thread is gone."""
        with self._turn:
            self._killed, self.stopped = True, None
            self._turn.notify_all()
        if self.thread is not threading.current_thread():
            self.thread.join(timeout)
        return not self.thread.is_alive()
