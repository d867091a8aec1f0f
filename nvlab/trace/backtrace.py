"""Back-traces: the frames between the code that was run and the event that it stands before, innermost first.

The core is compiled and leaves no Python frames. Which of its functions announces an event is known, though, and where that
stands is looked up in its source.
"""
import functools
import inspect
import linecache
import pathlib

import nvlab._core
from nvlab._core.memory import DmaBuffer
from nvlab._core.mmio import Bar
from nvlab._core.trace import Kind
from nvlab.host.controller import Controller, Step
from nvlab.host.namespace import Namespace
from nvlab.host.pcie import CompletionQueue, QueuePair, SubmissionQueue
from nvlab.host.regs import RegisterHandle, Registers
from nvlab.host.request import Request
from nvlab.pci import Address
from nvlab.spec.commands import Command, Completion
from nvlab.spec.errors import UsageError
from nvlab.spec.fields import Register, RegisterValue
from nvlab.spec.render import Table, mimebundle

CORE = pathlib.Path(nvlab._core.__file__).parent
ROOT = CORE.parent.parent

CORE_FRAMES = {
    Kind.REG_READ: ("mmio.pyx", "read{bits}", "self._read("),
    Kind.REG_WRITE: ("mmio.pyx", "write{bits}", "self._write("),
    Kind.SQ_DOORBELL: ("mmio.pyx", "write{bits}", "self._write("),
    Kind.CQ_DOORBELL: ("mmio.pyx", "write{bits}", "self._write("),
    Kind.SQE_POST: ("rings.pyx", "push", "sq_push("),
    Kind.CQE_SEEN: ("rings.pyx", "pop", "cq_advance("),
}
"""Kind of event -> (file of the core, function, the statement in it that the event is about to come from)."""

CLASSES = {"push": "SubmissionRing.", "pop": "CompletionRing."}
LONGEST = 72


class Frame:
    """One function on the way to where the code stands.

    `number` from 0, the innermost · `function` qualified name · `args` {name: text} · `file` relative to the package ·
    `line` number, or None · `core` True for compiled ones · `source` text of the line · `locals` {name: object}, while it stands.
    """

    def __init__(self, number, function, args, file, line, source="", core=False, frame=None):
        self.number, self.function, self.args = number, function, args
        self.file, self.line, self.source, self.core, self._frame = file, line, source, core, frame

    @property
    def locals(self):
        """{name: object} of a Python frame, as they are now. Raises UsageError once the code went on; {} in the core."""
        if self.core:
            return {}
        if self._frame is None:
            raise UsageError(f"frame #{self.number} {self.function}: the code went on; locals can be looked at while it stands")
        return dict(self._frame.f_locals)

    @property
    def live(self):
        """Python's own frame object; None in the core, and once the code went on."""
        return self._frame

    def listing(self, around=5):
        """[(line number, text)] of the source around where it stands; empty where there is no source."""
        path = CORE / pathlib.Path(self.file).name if self.core else self._frame and self._frame.f_code.co_filename
        if not path or not self.line:
            return []
        lines = linecache.getlines(str(path))
        first = max(1, self.line - around)
        return [(n, lines[n - 1].rstrip()) for n in range(first, min(len(lines), self.line + around) + 1)]

    def forget(self):
        """Let go of the code's objects; the text stays."""
        self._frame = None

    @property
    def said(self):
        """The arguments that say something: None, '' and () are left out, since they mostly stand for "not given"."""
        return ", ".join(f"{name}={text}" for name, text in self.args.items() if text not in ("None", "''", "()"))

    @property
    def where(self):
        """file:line."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self):
        return f"#{self.number:<2} {self.function}({self.said}) at {self.where}"

    def __repr__(self):
        return f"<{self}>"


class Backtrace(tuple):
    """Frames, innermost first. A tuple, whose repr is the list that gdb would print."""

    def __str__(self):
        return "\n".join(map(str, self))

    __repr__ = __str__

    def table(self):
        """The frames, one a row, as a render.Table."""
        rows = [(f"#{f.number}", f.function, f.said, f.where, f.source) for f in self]
        return Table("Back-trace", ("", "Function", "Arguments", "At", "Line"), rows, numbers=("Function", "Arguments", "At", "Line"))

    def _repr_html_(self):
        return self.table().html()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {**mimebundle(self.table()), "text/plain": str(self)}


def backtrace(frame, event=None, last=None):
    """The Backtrace of a thread: its Python `frame`, and outward up to the code object `last`, which doesn't count.

    With `event` the core's frame that announced it comes first.
    """
    frames = [core_frame(event, frame)] if event is not None and event.kind in CORE_FRAMES else []
    while frame is not None and frame.f_code is not last:
        frames.append(python_frame(len(frames), frame))
        frame = frame.f_back
    return Backtrace(frames)


def core_frame(event, frame=None):
    """Frame #0 of an event that stands: the core's function that is about to let it happen."""
    file, function, statement = CORE_FRAMES[event.kind]
    function = function.format(bits=8 * event.width)
    line, source = core_line(file, function, statement)
    if event.kind in (Kind.SQE_POST, Kind.CQE_SEEN):
        args = {"self": f"<{'SQ' if event.kind == Kind.SQE_POST else 'CQ'} {event.qid}>"}
        if event.command is not None and event.kind == Kind.SQE_POST:
            args["sqe"] = brief(event.command)
    else:
        args = {"offset": f"{event.offset:#x}" + (f" {event.register}" if event.register else "")}
        if event.raw_value is not None:
            args["value"] = f"{event.raw_value:#x}" if event.kind == Kind.REG_WRITE else str(event.raw_value)
    return Frame(0, CLASSES.get(function, "") + function, args, f"_core/{file}", line, source, core=True)


@functools.cache
def core_line(file, function, statement):
    """(number, text) of the first line with `statement` in `function` of a file of the core; (None, "") without the source."""
    inside = False
    try:
        lines = (CORE / file).read_text().splitlines()
    except OSError:
        return None, ""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith(("def ", "cdef ", "cpdef ")) and "(" in text:
            inside = text.startswith(f"def {function}(")
        elif inside and statement in text:
            return number, text
    return None, ""


def python_frame(number, frame):
    """The Frame of a Python frame."""
    code = frame.f_code
    return Frame(number, code.co_qualname.rsplit("<locals>.", 1)[-1], arguments(frame), short_path(code.co_filename), frame.f_lineno,
                 linecache.getline(code.co_filename, frame.f_lineno).strip(), frame=frame)


def arguments(frame):
    """{name: text} of a frame's arguments, as they are now."""
    code, found, values = frame.f_code, {}, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    for name in code.co_varnames[:count]:
        if name in values:
            found[name] = brief(values[name])
    rest = count
    for flag, star in ((inspect.CO_VARARGS, "*"), (inspect.CO_VARKEYWORDS, "**")):
        if code.co_flags & flag:
            name, rest = code.co_varnames[rest], rest + 1
            if values.get(name):
                found[star + name] = brief(values[name])
    return found


def short_path(filename):
    """A file as people name it: relative to the package, a notebook's cell as <cell>, else its last part."""
    path = pathlib.Path(filename)
    if path.is_relative_to(ROOT / "nvlab") or path.is_relative_to(ROOT / "tests"):
        return path.relative_to(ROOT).as_posix()
    return "<cell>" if any(part.startswith("ipykernel_") for part in path.parts) or filename.startswith("<ipython") else path.name


# ---------------------------------------------------------------- values

def brief(value):
    """A value in a few words. No device is read, no lock is taken, and nothing is called that a stranger wrote."""
    for kinds, words in _WORDS:
        if isinstance(value, kinds):
            text = words(value)
            return text if len(text) <= LONGEST else text[:LONGEST - 1] + "…"
    name = getattr(value, "__qualname__", None) if inspect.isroutine(value) or inspect.isclass(value) else None
    if isinstance(name, str):
        return f"<{name.rsplit('<locals>.', 1)[-1].strip('<>')}>"
    home = type(value).__module__.split(".")[0]
    return f"<{type(value).__name__}>" if home in ("nvlab", "builtins", "__main__") else f"<{home}.{type(value).__name__}>"


def _integer(value):
    return str(int(value)) if -4096 < value < 4096 else hex(value)


def _items(value):
    left, right = {"tuple": "()", "list": "[]", "dict": "{}"}[type(value).__name__]
    shown = list(value.items() if isinstance(value, dict) else value)[:4]
    words = [f"{k}={brief(v)}" for k, v in shown] if isinstance(value, dict) else [brief(v) for v in shown]
    words += [f"… {len(value) - 4} more"] if len(value) > 4 else []
    return left + ", ".join(words) + ("," if left == "(" and len(value) == 1 else "") + right


_EXACT = (str, float, complex, type(None), bool)
_WORDS = (
    (_EXACT, repr),
    (RegisterValue, repr),
    (int, _integer),
    ((bytes, bytearray, memoryview), lambda v: repr(bytes(v)) if len(v) <= 16 else f"<{len(v)} bytes>"),
    (DmaBuffer, lambda v: f"<DmaBuffer {v.nbytes} bytes>"),
    (Command, lambda v: f"<{v.brief()}>"),
    (Completion, lambda v: f"<Completion cid={v.cid}: {v.status.title}>"),
    ((SubmissionQueue, CompletionQueue), lambda v: f"<{v.name}>"),
    (QueuePair, lambda v: f"<queue pair {v.qid}>"),
    (Request, lambda v: f"<Request {v.what or v.command.brief()}>"),
    (Register, lambda v: f"<{v.name}>"),
    (RegisterHandle, lambda v: f"<{v.register.name}>"),
    (Registers, lambda v: "<Registers>"),
    (Controller, lambda v: f"<Controller {v.address}>"),
    (Namespace, lambda v: f"<Namespace {v.nsid}>"),
    (Address, lambda v: f"<{v}>"),
    (Step, lambda v: f"<step {v.name!r}>"),
    (Bar, lambda v: f"<{type(v).__name__}>"),
    ((tuple, list, dict), lambda v: _items(v) if type(v) in (tuple, list, dict) else f"<{type(v).__name__}>"),
)
