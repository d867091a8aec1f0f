"""RegistersView: every property of a controller with its bits, as they are now, and to be written where the standard allows."""

import re

import traitlets

from nvlab.host.regs import OPTIONAL, Registers
from nvlab.lab import assets, safety
from nvlab.lab.past import PastRegisters
from nvlab.lab.whyview import Explained
from nvlab.spec import registers
from nvlab.spec.errors import ControllerGone, UsageError
from nvlab.spec.fields import reserved_bits
from nvlab.spec.render import Table, hexadecimal

PERIODS = (0.1, 0.5, 2.0)
ONES = {"CSTS": ("NSSRO",)}
"""Fields that alone may be written where the rest of the register is read-only."""
MASKS = ("rw1c", "rw1s")
_NUMBER = re.compile(r"(?:0x)?([0-9a-f_]+)h|(0x[0-9a-f_]+|0b[01_]+|[0-9_]+)", re.IGNORECASE)


class RegistersView(Explained):
    """The controller properties of `ctrl`: each register with its fields, what they mean, and where the standard says so.

    What changed lights up. Click a register to see its bits; a field that may be written takes a value and Enter. Write-only
    registers are never read: doorbells show what the host wrote last. The page reads once a period (`period_s`, seconds) while
    it is seen, past the recording of a trace, and not at all while `paused`. `close()` ends that.

    In place of `ctrl`, `timeline.registers` shows them as they were at the instant that a Timeline stands at; the past is read-only.
    """

    _esm = assets.script("why.js", "bitmap.js", "registersview.js")
    _css = assets.style("why.css", "registersview.css")
    _registers = traitlets.List().tag(sync=True)
    _values = traitlets.Dict().tag(sync=True)
    TABLES = False

    def __init__(self, ctrl, title=None, period_s=0.5, **kwargs):
        self._ctrl, self._title, self.paused, self._seen = ctrl, title or ctrl.address, False, {}
        self._past = isinstance(ctrl, PastRegisters)
        self._regs = None if self._past else Registers(_Quiet(ctrl.bar), ctrl.function.gone)
        self._there, self._dstrd, self._described = None, 0 if self._past else int(ctrl.cap.DSTRD), (0, [])
        self.period_s = self._checked(period_s)
        super().__init__(**kwargs)

    @staticmethod
    def _checked(seconds):
        if not isinstance(seconds, (int, float)) or not 0.05 <= seconds <= 3600:
            raise UsageError(f"period_s={seconds!r}: seconds from one reading to the next, 0.05 to 3600")
        return float(seconds)

    def explained(self):
        return None if self._past else self._ctrl

    def period(self):
        return self.period_s

    # What the page is told

    def look(self):
        gone = "it was closed" if self._ctrl.closed else None
        if not gone and not self.paused:
            try:
                self._read()
            except ControllerGone as error:
                gone = self._ctrl.function.gone() or str(error)
        doorbells = self._doorbells()
        return {"_state": {"title": str(self._title), "gone": gone or "", "paused": self.paused, "period": self.period_s,
                           "periods": list(PERIODS), "guarded": not self._past and safety.guarded(self._ctrl)},
                "_registers": [*self._table(), *(_described(register) for register, _ in doorbells)],
                "_values": {**{name: _told(value) for name, value in self._seen.items()},
                            **{register.name: _told(register.decode(rung)) for register, rung in doorbells}}}

    def _read(self):
        if self._past:
            self._seen = self._ctrl.values()
            if self._there is None or {register.name for register in self._there} != set(self._seen):
                self._there = [registers.ALL[name] for name in self._seen]
            return
        if self._there is None:
            self._there = self._regs.present()
        self._seen = {register.name: self._regs.read(register) for register in self._there if register.readable}

    def _table(self):
        if self._described[0] is not self._there:
            there = registers.ALL if self._there is None else {register.name for register in self._there}
            why = (lambda register: "not known at this instant") if self._past else _reason
            self._described = self._there, [_described(register, "" if register.name in there else why(register), self._past)
                                            for register in registers.ALL.values()]
        return self._described[1]

    def _doorbells(self):
        """[(Register, what the host wrote last)] of the queues that the driver has."""
        if self._past:
            return []
        pairs = [pair for pair in (self._ctrl.admin, *list(self._ctrl.io.values())) if pair is not None]
        found = {}
        for pair in pairs:
            for name, queue in ((f"SQ{pair.sq.qid}TDBL", pair.sq), (f"CQ{pair.cq.qid}HDBL", pair.cq)):
                if pair.owner is None:
                    found[name] = registers.lookup(name, self._dstrd), int(queue.rung or 0)
        return list(found.values())

    # What the page asks for

    def actions(self):
        return {"write": self._write, "pause": self._pause, "period": self._set_period, "read": lambda content: None}

    def _pause(self, content):
        self.paused = bool(content.get("on"))
        return "Reading rests; what is shown is how it was." if self.paused else None

    def _set_period(self, content):
        self.period_s = self._checked(content.get("seconds"))

    def act(self, what, content=None):
        """Do what a control does: "write" ({"register", "field" or None, "value"}), "pause" ({"on"}), "period" ({"seconds"}), "read"."""
        paused = self.paused
        if what in ("read", "write") and paused:       # one look, although it rests
            self.paused = False
        super().act(what, content)
        if what in ("read", "write") and paused:
            self.paused = True
            self.refresh()

    def _write(self, content):
        register = registers.lookup(content["register"], self._dstrd)
        if self._past:
            raise UsageError(f"{register.name} at an instant that is past can't be written; a RegistersView of the controller can")
        safety.check(self._ctrl, True, content.get("confirmed"), f"a write of {register.name}")
        if not register.writable:
            raise UsageError(f"{register.name} is read-only ({register.cite})")
        field = register.field(content["field"]) if content.get("field") else None
        value = number(content.get("value", ""), field or register)
        if field is not None:
            if field.name not in _writable(register):
                raise UsageError(f"{register.name}.{field.name} is read-only ({register.cite})")
            before = 0 if register.access in MASKS or not register.readable else self._regs.read(register)
            value = register.decode(before).replace(**{field.name: value})
        self._ctrl.regs.write(register, value)
        wrote = f"Wrote {hexadecimal(value, register.size)} to {register.name}"
        if not register.readable:
            return f"{wrote}. It is never read; its queue, which rings it, doesn't know of this write."
        after = self._regs.read(register)
        if register.access in MASKS or register.name in ("NSSR", "NSSD"):
            return f"{wrote}; it reads {hexadecimal(after, register.size)}."
        return f"{wrote}." if int(after) == int(value) else f"{wrote}, and it reads {hexadecimal(after, register.size)}: the device kept some bits."

    # Where there is no page

    def text(self):
        self.refresh()
        return self._as_table().text()

    def picture(self):
        return self._as_table().html()

    def _as_table(self):
        rows = [(f"{value.register.offset:#x}", name, hexadecimal(value, value.size),
                 " ".join(f"{field.name}={number!r}" for field, number in value.items() if number) if name not in ("ASQ", "ACQ") else "",
                 value.register.title) for name, value in self._seen.items()]
        gone = self._state.get("gone")
        return Table(f"Registers of {self._title}" + (f": gone ({gone})" if gone else ""), ("Offset", "Name", "Value", "Fields", "Title"),
                     rows, numbers=("Offset", "Value"))


class _Quiet:
    """A Bar to look through: reads that no recording, breakpoint or listener of the driver's takes for the driver's own."""

    def __init__(self, bar):
        self._bar = bar

    def read32(self, offset):
        return self._bar.load(offset, 4)

    def read64(self, offset):
        return self._bar.load(offset, 8)


def number(text, place) -> int:
    """What a person typed for a Field or Register: 6, 0x460001, 460001h, 0b11, or the words that the standard has for a value.

    Raises UsageError.
    """
    said = str(text).strip()
    found = _NUMBER.fullmatch(said)
    if found:
        return int(found[1], 16) if found[1] else int(found[2], 0 if found[2][:2].lower() in ("0x", "0b") else 10)
    for value, words in (getattr(place, "values", None) or {}).items():
        if said.lower() == words.lower():
            return value
    raise UsageError(f"{place.name}: {said!r} is no number; 6, 0x6, 6h and 0b110 are")


def _writable(register):
    """Names of the fields of a register that a host may write."""
    if register.access == "ro":
        return ()
    return ONES.get(register.name) or tuple(field.name for field in register.fields)


def _reason(register):
    bit = next(bit for prefix, bit in OPTIONAL.items() if register.name.startswith(prefix))
    return f"not there: CAP.{bit} is 0"


def _described(register, absent="", past=False):
    writable = () if past else _writable(register)
    return {"name": register.name, "offset": register.offset, "size": register.size, "access": register.access, "title": register.title,
            "cite": register.cite, "absent": absent, "doc": register.doc, "whole": bool(writable) and register.name not in ONES,
            "fields": [{"name": f.name, "lo": f.lo, "hi": f.hi, "bits": f.bits, "title": f.title, "doc": f.doc, "rw": f.name in writable and not absent,
                        "values": [[str(k), v] for k, v in (f.values or {}).items()]} for f in register.fields]}


def _told(value):
    """A snapshot as plain values: {hex, fields: {name: [number, meaning]}, reserved: bits set that no field has}."""
    left = int(value) & reserved_bits(value.fields, value.size)
    return {"hex": hexadecimal(value, value.size), "reserved": f"{left:#x}" if left else "",
            "fields": {field.name: [str(int(number)), number.meaning or ""] for field, number in value.items()}}
