"""Bit fields: the smallest piece of every table in nvlab.spec.

A Field says where bits lie, what they are called and what they mean; a FieldValue is the number found there, an int that
knows its meaning; a Register is a controller property made of fields, a RegisterValue one reading of it.

    >>> TO = Field("TO", 24, 31, "Timeout", unit="500 ms")
    >>> TO.decode(0x3C000000), TO.decode(0x3C000000).seconds
    (60 (30 s), 30.0)
"""

import functools
import re
from dataclasses import dataclass

from .errors import UsageError
from .render import Table, hexadecimal, mimebundle

__all__ = ["BitsValue", "Field", "FieldValue", "Register", "RegisterValue", "Unit", "check_range", "pack", "reserved_bits"]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
_BYTES = {"byte": 1, "bytes": 1, "B": 1, "dwords": 4, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_FORM = re.compile(r"(?:2\*\*(?P<plain>n)|2\*\*\((?P<base>\d+)\+(?:(?P<step>\d+)\*)?n\)|(?P<zero>n\+1)|(?P<factor>\d+))?"
                   r"\s*(?P<word>.*)")


class Unit:
    """What one count of a field is worth, read from a short text.

    `"500 ms"` is n times 500 ms; `"2**(12+n) bytes"`, `"2**n pages"` powers of two; `"n+1 entries"` a zero-based count;
    `"bytes"` the number itself. The word may be anything; times and sizes are understood.
    """

    def __init__(self, text):
        self.text = text
        found = _FORM.fullmatch(text)
        if not found["word"]:
            raise UsageError(f"unit {text!r}: expected a number and a word, such as '500 ms' or '2**(12+n) bytes'")
        self.word, self._form = found["word"], found.groupdict()

    def scale(self, n):
        """How many of `word` the number `n` stands for."""
        form, n = self._form, int(n)
        if form["plain"]:
            return 1 << n
        if form["base"]:
            return 1 << int(form["base"]) + int(form["step"] or 1) * n
        return n + 1 if form["zero"] else n * int(form["factor"] or 1)

    def seconds(self, n):
        """`n` as a float of seconds; None when this is no unit of time."""
        return self.scale(n) * _SECONDS[self.word] if self.word in _SECONDS else None

    def bytes(self, n):
        """`n` as a number of bytes; None when this is no unit of size."""
        return self.scale(n) * _BYTES[self.word] if self.word in _BYTES else None

    def show(self, n):
        """`n` in its unit, for people: "30 s", "4096 bytes"."""
        seconds = self.seconds(n)
        if seconds is None:
            return f"{_short(self.scale(n))} {self.word}"
        for word, factor in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
            if seconds >= factor or word == "us":
                return f"{round(seconds / factor, 3):g} {word}"


def _short(n):
    """Whole numbers past a million as a power of two where they are one."""
    return f"2**{n.bit_length() - 1}" if n > 1 << 20 and n & (n - 1) == 0 else str(n)


@functools.lru_cache(maxsize=None)
def _unit(text):
    return Unit(text)


@dataclass(frozen=True, eq=False)
class Field:
    """Bits `lo` to `hi` (both included) of a register, a dword or a structure's member.

    `values` names the numbers that have a name, `unit` says what a count is worth (see Unit), `doc` is a sentence more.
    """

    name: str
    lo: int
    hi: int
    title: str
    values: dict | None = None
    unit: str | None = None
    doc: str = ""

    @property
    def width(self):
        return self.hi - self.lo + 1

    @property
    def max(self):
        """The largest number that fits."""
        return (1 << self.width) - 1

    @property
    def mask(self):
        """The field's bits, in place."""
        return self.max << self.lo

    @property
    def bits(self):
        """Where it lies, as the standard writes it: "31:24" or "0"."""
        return str(self.lo) if self.lo == self.hi else f"{self.hi}:{self.lo}"

    def decode(self, word):
        """The field's value within `word`, as a FieldValue."""
        return FieldValue(int(word) >> self.lo & self.max, self)

    def encode(self, value, owner=""):
        """`value` shifted into place.

        Raises UsageError when it doesn't fit; `owner` names the register or command in the message.
        """
        return check_range(value, self.max, f"{owner}.{self.name}" if owner else self.name, self.title) << self.lo

    def meaning(self, value):
        """What `value` stands for in words, or None."""
        named = self.values.get(int(value)) if self.values else None
        if named is None and self.unit:
            return _unit(self.unit).show(value)
        return named


def check_range(value, largest, name, title=""):
    """`value` as an int from 0 to `largest`; else UsageError naming the field, the value and the range."""
    label = f"{name} ({title})" if title and title != name else name
    try:
        number = value.__index__()
    except AttributeError:
        raise UsageError(f"{label}: expected a whole number from 0 to {largest:#x}, not {value!r}") from None
    if not 0 <= number <= largest:
        raise UsageError(f"{label}: {number} does not fit; the range is 0 to {largest} ({largest:#x})")
    return number


class FieldValue(int):
    """The number found in a field: an int that knows its field, hence its meaning."""

    def __new__(cls, value, field=None):
        self = super().__new__(cls, value)
        self.field = field
        return self

    @property
    def meaning(self):
        """The value in words ("NVM", "30 s"), or None where the standard gives it none."""
        return self.field.meaning(self) if self.field else None

    @property
    def seconds(self):
        """The time it stands for, in seconds. AttributeError for a field that is no time."""
        return self._in("seconds", "time")

    @property
    def bytes(self):
        """The size it stands for, in bytes. AttributeError for a field that is no size."""
        return self._in("bytes", "size")

    def _in(self, kind, what):
        unit = self.field.unit if self.field else None
        amount = getattr(_unit(unit), kind)(self) if unit else None
        if amount is None:
            raise AttributeError(f"{self.field.name if self.field else 'this number'} is not a {what}")
        return amount

    def __repr__(self):
        return f"{int(self)} ({self.meaning})" if self.meaning else int.__repr__(self)

    __str__ = int.__repr__

    def __reduce__(self):
        return type(self), (int(self), self.field)


def pack(fields, values, owner="", start=0):
    """`start` with the fields named in `values` replaced: an int.

    Raises UsageError for a name that is no field, or a value that doesn't fit.
    """
    known = {field.name: field for field in fields}
    word = int(start)
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"{owner or 'this'} has no field {name!r}; its fields are {', '.join(known) or 'none'}")
        word = word & ~known[name].mask | known[name].encode(value, owner)
    return word


def reserved_bits(fields, size):
    """The mask of the bits of `size` bytes that belong to no field."""
    used = 0
    for field in fields:
        used |= field.mask
    return (1 << 8 * size) - 1 & ~used


class BitsValue(FieldValue):
    """A number made of bit fields, each an attribute: `csts.RDY`. Immutable; replace() makes another."""

    def __new__(cls, value, fields=(), name="", size=4, field=None):
        self = super().__new__(cls, value, field)
        self.fields, self.name, self.size = tuple(fields), name, size
        return self

    def __getattr__(self, name):
        if not name.startswith("_"):
            for field in self.__dict__.get("fields", ()):
                if field.name == name:
                    return field.decode(self)
            raise AttributeError(f"{self.__dict__.get('name') or 'this'} has no field {name!r}; its fields are "
                                 f"{', '.join(f.name for f in self.__dict__.get('fields', ()))}")
        raise AttributeError(name)

    def __setattr__(self, name, value):
        if any(field.name == name for field in self.__dict__.get("fields", ())):
            raise AttributeError(f"a decoded value does not change: use .replace({name}={value!r})")
        super().__setattr__(name, value)

    def __dir__(self):
        return [*super().__dir__(), *(field.name for field in self.fields)]

    def _remade(self, value):
        return type(self)(value, self.fields, self.name, self.size, self.field)

    def replace(self, **values):
        """The same number with some fields changed. Raises UsageError for an unknown field or one out of range."""
        return self._remade(pack(self.fields, values, self.name, self))

    def items(self):
        """(Field, FieldValue) pairs, lowest bits first."""
        return [(field, field.decode(self)) for field in self.fields]

    def to_dict(self):
        """{field name: int}."""
        return {field.name: int(value) for field, value in self.items()}

    def table(self):
        """The fields, one a row, highest bits first, as a render.Table."""
        rows = [(field.bits, field.name, int(value), value.meaning, field.title)
                for field, value in reversed(self.items())]
        left = self & reserved_bits(self.fields, self.size) if self.fields else 0
        return Table(f"{self.name} = {hexadecimal(self, self.size)}", ("Bits", "Field", "Value", "Meaning", "Title"), rows,
                     numbers=("Bits", "Field", "Value"), note=f"reserved bits set: {left:#x}" if left else "")

    def __repr__(self):
        shown = " ".join(f"{field.name}={value!r}" for field, value in self.items() if value)
        return f"<{self.name} {hexadecimal(self, self.size)}{': ' if shown else ''}{shown}>"

    def _repr_html_(self):
        return self.table().html()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())

    def __reduce__(self):
        return type(self), (int(self), self.fields, self.name, self.size, self.field)


class RegisterValue(BitsValue):
    """One reading of a register: an immutable int with its fields as attributes, and the register as `.register`."""

    def __new__(cls, value, register):
        self = super().__new__(cls, value, register.fields, register.name, register.size)
        self.register = register
        return self

    def _remade(self, value):
        return type(self)(value, self.register)

    def table(self):
        """The fields, one a row, under the register's title and citation, as a render.Table."""
        table = super().table()
        table.title += f"  {self.register.title} ({self.register.cite})" if self.register.cite else ""
        return table

    def __reduce__(self):
        return type(self), (int(self), self.register)


@dataclass(frozen=True, eq=False)
class Register:
    """A controller property: `size` bytes (4 or 8) at `offset` of the register space.

    `access` is "ro", "rw", "rw1s" (write 1 to set), "rw1c" (write 1 to clear) or "wo" (reading gives nothing: never read it).
    """

    name: str
    offset: int
    size: int
    title: str
    fields: tuple = ()
    access: str = "rw"
    cite: str = ""
    doc: str = ""

    def __post_init__(self):
        object.__setattr__(self, "fields", tuple(self.fields))

    @property
    def readable(self):
        return self.access != "wo"

    @property
    def writable(self):
        return self.access != "ro"

    def field(self, name):
        """The Field called `name`. Raises UsageError when there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise UsageError(f"{self.name} has no field {name!r}; its fields are {', '.join(f.name for f in self.fields) or 'none'}")

    def decode(self, value):
        """A RegisterValue: `value` (an int) seen as this register."""
        return RegisterValue(check_range(value, (1 << 8 * self.size) - 1, self.name), self)

    def encode(self, **values):
        """A RegisterValue with the named fields set and all others 0. Raises UsageError."""
        return self.decode(pack(self.fields, values, self.name))

    def table(self):
        """The fields, one a row, as a render.Table."""
        rows = [(f.bits, f.name, f.title, ", ".join(f"{k}: {v}" for k, v in (f.values or {}).items()) or f.unit, f.doc)
                for f in reversed(self.fields)]
        return Table(f"{self.name} at {self.offset:#x}, {self.size} bytes, {self.access}: {self.title} ({self.cite})",
                     ("Bits", "Field", "Title", "Values", "More"), rows, numbers=("Bits", "Field"))

    def _repr_html_(self):
        return self.table().html()

    def __repr__(self):
        return f"<Register {self.name} at {self.offset:#x}: {self.title}>"
