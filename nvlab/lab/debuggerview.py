"""DebuggerView: breakpoints, back-trace, step and continue as buttons, beside the rings and registers as they stand."""

import ast
import linecache
import sys

import traitlets

from nvlab.lab import assets, past
from nvlab.lab.whyview import Explained
from nvlab.spec.errors import UsageError
from nvlab.tools.debug_break import set_breakpoint
from nvlab.trace.backtrace import brief
from nvlab.trace.baseline import rings_of
from nvlab.trace.debug import Debugger

REGISTERS = ("CC", "AQA", "ASQ", "ACQ", "CSTS")
EVENTS = ("command", "completion", "error", "doorbell", "register write", "step", "event")
"""What the page offers to stop before, besides the doorbells; anything else can be typed."""

SOURCE = "<code>"
HERE = "nvlab/lab/debuggerview.py"
LOCALS, AROUND = 40, 6


class DebuggerView(Explained):
    """A Debugger with a face. `debugged` is a Controller, a Debugger, or None: then the code opens its own controller.

    `run` is the code: a callable without arguments (ctrl.start), or text, which the page lets a person edit; text knows `ctrl`,
    `nvlab`, `cmd` and what the notebook knows. It runs in the debugger's thread, so that the notebook stays free.
    `debugger` is the Debugger; what cells do with it shows in the page, and the other way round.
    """

    _esm = assets.script("decode.js", "ring.js", "why.js", "moment.js", "debuggerview.js")
    _css = assets.style("why.css", "moment.css", "debuggerview.css")
    _moment = traitlets.Dict().tag(sync=True)
    _frame = traitlets.Dict().tag(sync=True)
    TABLES = False
    LONG = frozenset({"run", "step", "cont", "finish"})

    def __init__(self, debugged=None, run=None, title=None, **kwargs):
        self.debugger = debugged if isinstance(debugged, Debugger) else Debugger(debugged)
        if run is None:
            run = "ctrl.start()" if self.debugger.ctrl is not None else 'ctrl = nvlab.attach("embedded")'
        if not callable(run) and not isinstance(run, str):
            raise UsageError(f"run={run!r}: a function without arguments, or code as text")
        self._code, self._title, self._stop, self._chosen, self._regs = run, title, None, 0, ()
        super().__init__(**kwargs)

    def explained(self):
        return self.debugger.ctrl

    # -- what the page is told

    def period(self):
        return 0.12 if self.debugger.state in ("running", "stopped") else 0.4

    def look(self):
        dbg = self.debugger
        stop, ctrl = dbg.stopped, dbg.ctrl
        news = {"_state": {
            "title": str(self._title or (ctrl.address if ctrl is not None else "no controller yet")), "state": dbg.state,
            "failed": dbg.error is not None, "story": self._story(stop), "reason": stop.reason if stop else None,
            "frames": self._frames(stop),
            "breakpoints": [self._breakpoint(b) for b in list(dbg.breakpoints.values())], "offers": self._offers(ctrl),
            "code": self._code if isinstance(self._code, str) else None,
            "call": None if isinstance(self._code, str) else getattr(self._code, "__qualname__", repr(self._code)),
            "mode": str(ctrl.ssd.mode) if ctrl is not None and getattr(ctrl, "ssd", None) is not None else None}}
        if (stop, dbg.state) != self._stop:
            self._stop, self._regs = (stop, dbg.state), ()
            self._chosen = next((f.number for f in stop.frames if not f.core), 0) if stop else 0
        news["_frame"] = self._shown(stop)
        if ctrl is not None and not getattr(ctrl, "closed", False):
            news["_moment"] = self._now(ctrl)
        return news

    def _now(self, ctrl):
        """Rings and registers; where no drive can be asked the registers are read once at each stop and end, not all the time."""
        if ctrl.ssd is not None:
            return past.of_controller(ctrl)
        if not self._regs and self.debugger.state != "running":
            self._regs = past.registers_of(ctrl)
        return {**past.of_controller(ctrl, registers=False), "regs": list(self._regs)}

    def _story(self, stop):
        dbg = self.debugger
        if stop is not None:
            return stop.title
        if dbg.state == "ended" and not dbg.error and not dbg.killed:
            value = dbg._run.value
            return "The code ended" + (f" and returned {brief(value)}." if value is not None else ".")
        return {"idle": "Nothing runs yet: set a breakpoint, then run the code.", "running": "The code runs."}.get(
            dbg.state, "The code was killed." if dbg.killed else f"The code ended: {type(dbg.error).__name__}: {dbg.error}")

    @staticmethod
    def _frames(stop):
        frames = [] if stop is None else list(stop.frames)
        if frames and frames[-1].where.startswith(HERE):
            frames.pop()                                     # ours, which only runs the text
        return [{"n": f.number, "function": f.function, "said": f.said, "where": f.where, "source": f.source, "core": f.core}
                for f in frames]

    @staticmethod
    def _breakpoint(point):
        what = point.row()[-1]
        return {"n": point.number, "what": what, "name": point.what, "enabled": point.enabled, "temporary": point.temporary,
                "hits": point.hits}

    @staticmethod
    def _offers(ctrl):
        qids = {0, 1}
        if ctrl is not None:
            sqs, cqs = rings_of(ctrl)
            qids |= {*sqs, *cqs}
        bells = [name for qid in sorted(qids)[:9] for name in (f"SQ{qid}TDBL", f"CQ{qid}HDBL")]
        return {"registers": [*REGISTERS], "doorbells": bells, "events": [*EVENTS]}

    def _shown(self, stop):
        """The source around the chosen frame, and its locals."""
        frame = stop.frames[self._chosen] if stop and self._chosen < len(stop.frames) else None
        if frame is None:
            return {}
        try:
            values = [[name, brief(value)] for name, value in list(frame.locals.items())[:LOCALS] if not name.startswith("__")]
        except UsageError:                                   # it went on just now
            values = []
        if frame.function == "<module>":
            values = []
        return {"n": frame.number, "where": frame.where, "line": frame.line, "locals": values,
                "listing": [[line, text] for line, text in frame.listing(AROUND)]}

    # -- what the page asks for

    def actions(self):
        return {"run": self._do_run, "step": lambda _: self._stopped(self.debugger.step()),
                "cont": lambda _: self._stopped(self.debugger.cont()),
                "finish": lambda _: self._stopped(self.debugger.finish(self._chosen or None)),
                "interrupt": self._do_interrupt, "detach": self._do_detach, "kill": self._do_kill, "add": self._do_add,
                "remove": self._do_remove, "toggle": self._do_toggle, "frame": self._do_frame}

    def _stopped(self, stop):
        if stop is None and self.debugger.state == "running":
            return "The code runs on: nothing stopped it yet. Interrupt stops it before its next event."
        return " "

    def _do_run(self, content):
        if isinstance(self._code, str):
            self._code = content.get("code", self._code)
            return self._stopped(self.debugger.run(code_of(self._code, *self._names())))
        return self._stopped(self.debugger.run(self._code))

    def run(self, code=None):
        """Run the code, or other code from now on. Returns the Stop where it stands, or None: see Debugger.wait()."""
        if code is not None:
            self._code = code
        stop = self.debugger.run(code_of(self._code, *self._names()) if isinstance(self._code, str) else self._code)
        self.refresh()
        return stop

    def _names(self):
        """(what code that is given as text may call by name, where its new names go): the notebook's names and ours; `ctrl` is
        the controller that is debugged, whatever the notebook calls so."""
        import nvlab

        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        kept = shell.user_ns if shell is not None else {}
        names = {"nvlab": nvlab, "cmd": nvlab.cmd, "__name__": "__main__", **kept}
        if self.debugger._given is not None:
            names["ctrl"] = self.debugger._given
        return names, kept

    def _do_interrupt(self, _content):
        stop = self.debugger.interrupt()
        return " " if stop else "There was no event within a second to stop before."

    def _do_detach(self, _content):
        self.debugger.detach()
        return "Detached: the code runs on without stops."

    def _do_kill(self, _content):
        if self.debugger.kill(2.0):
            return "The code was ended; what it was about to do didn't happen."
        return "It doesn't end yet: it waits for something else."

    def _do_add(self, content):
        text = str(content.get("what", "")).strip()
        for word in ("break ", "b ", "tbreak "):
            if text.startswith(word):
                content, text = {**content, "temporary": word == "tbreak "}, text.removeprefix(word)
        access = None
        for word, found in (("rwatch ", "read"), ("awatch ", "any"), ("watch ", "write")):
            if text.startswith(word):
                access, text = found, text.removeprefix(word)
        return f"{set_breakpoint(self.debugger, text, bool(content.get('temporary')), access)}."

    def _do_remove(self, content):
        self.debugger.delete(content.get("n"))
        return " "

    def _do_toggle(self, content):
        point = self.debugger.breakpoint(content.get("n"))
        point.enabled = not point.enabled

    def _do_frame(self, content):
        with self._lock:
            self._chosen = int(content.get("n", 0))

    # -- where there is no page

    def text(self):
        dbg = self.debugger
        parts = [repr(dbg)]
        if dbg.breakpoints:
            parts.append(dbg.table().text())
        if dbg.stopped is not None:
            parts.append(f"{dbg.stopped.title}\n{dbg.stopped.frames}")
        return "\n\n".join(parts)

    def picture(self):
        dbg = self.debugger
        tables = [dbg.table()]
        tables[0].title = f"Debugger: {self._story(dbg.stopped)}"
        if dbg.stopped is not None:
            tables.append(dbg.stopped.frames.table())
        return f"<div>{''.join(table.html() for table in tables)}</div>"

    def close(self):
        """Let go of the page; code that stands is let run on, without stops."""
        if self.debugger.state in ("running", "stopped"):
            self.debugger.detach()
        super().close()


def code_of(text, names, kept=None):
    """A function that runs `text` with `names`, and puts what it called anew into `kept`. Returns the value of a last line.

    Raises UsageError where it isn't Python.
    """
    try:
        tree = ast.parse(text, SOURCE)
    except SyntaxError as error:
        raise UsageError(f"line {error.lineno}: {error.msg}: {(error.text or '').strip()}") from None
    linecache.cache[SOURCE] = len(text), None, text.splitlines(True), SOURCE     # so that back-traces can show the lines
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    body = compile(tree, SOURCE, "exec")
    value = compile(ast.Expression(last.value), SOURCE, "eval") if last else None
    before = dict(names)

    def code():
        try:
            exec(body, names)
            return eval(value, names) if value else None
        finally:
            if kept is not None:
                kept.update({name: value for name, value in names.items() if before.get(name, code) is not value})
    return code
