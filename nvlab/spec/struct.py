"""Data structures of the standard as views over bytes, generated from tables of members.

    class LbaFormat(Struct):
        SIZE = 4
        MEMBERS = [Member("ms", 0, 2, "Metadata Size", unit="bytes"), ...]

A structure never copies what it looks at: reading `.ms` reads the bytes now, writing it writes them.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from .errors import UsageError
from .fields import BitsValue, Field, FieldValue, check_range, pack

__all__ = ["Array", "Json", "Member", "Struct", "supported"]


def supported(name, bit, title):
    """The commonest Field of all: one bit that says whether something is supported."""
    return Field(name, bit, bit, title, {0: "Not Supported", 1: "Supported"})


@dataclass(frozen=True)
class Json:
    """How nvme-cli's JSON shows a member, where it differs from `"name": number`.

    key: another key; `{n}` is the 1-based place in an array. bits: (lo, hi), only these bits of the number.
    form: "firmware" for a revision. when: "member.BIT" that must be set. after: the member it follows.
    length: the zero-based member that says how many elements there are. spread: a key an element, no array.
    skip_empty: left out when the number is zero or the text starts with NUL.
    """

    key: str | None = None
    bits: tuple | None = None
    form: str | None = None
    when: str | None = None
    after: str | None = None
    length: str | None = None
    spread: bool = False
    skip_empty: bool = False


class Array(Sequence):
    """The elements of an array member; assigning to one writes into the structure."""

    def __init__(self, struct, member):
        self._struct, self._member = struct, member

    def __len__(self):
        return self._member.count

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._member.read(self._struct, self._at(index))

    def __setitem__(self, index, value):
        self._member.write(self._struct, value, self._at(index))

    def _at(self, index):
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"{self._member.name} has {len(self)} elements, there is no [{index}]")
        return at

    def __eq__(self, other):
        return isinstance(other, (Sequence, Array)) and list(self) == list(other)

    __hash__ = None

    def __repr__(self):
        return repr(list(self))


class Member:
    """One member of a structure: where it is, what it means, how it reads and writes.

    offset, size: bytes (of one element, where count says how many). kind: "uint" (little-endian, any size),
    "ascii" (padded with spaces), "string" (ended by NUL), "bytes", "uuid", or a Struct class.
    bits: Fields of a number. values: {number: meaning}. unit: as in Field. form: "hex" or "version", how text shows
    it. scale: "member.BIT" whose meaning is the unit. json: a Json, a list of them, or False.
    """

    def __init__(self, name, offset, size, title, kind="uint", *, count=None, bits=(), values=None, unit=None,
                 form=None, scale=None, json=None, cite="", doc=""):
        self.name, self.offset, self.size, self.title, self.kind = name, offset, size, title, kind
        self.count, self.bits, self.values, self.unit = count, tuple(bits), values, unit
        self.form, self.scale, self.cite, self.doc = form, scale, cite, doc
        hints = json if isinstance(json, (list, tuple)) else [json]
        self.json = () if json is False else tuple(hint or Json() for hint in hints)
        self.field = Field(name, 0, size * 8 - 1, title, values, unit) if kind == "uint" else None
        self.__doc__ = f"{title}, {self.length} bytes at {offset:#x}." + (f" {doc}" if doc else "")

    @property
    def length(self):
        """Bytes that the whole member takes."""
        return self.size * (self.count or 1)

    @property
    def end(self):
        """Offset of the first byte after it."""
        return self.offset + self.length

    @property
    def numpy_type(self):
        """The member's numpy type: an unsigned number where numpy has one, else its bytes."""
        if isinstance(self.kind, type):
            one = self.kind.dtype
        elif self.kind == "uint" and self.size in (1, 2, 4, 8):
            one = numpy.dtype(f"<u{self.size}")
        else:
            one = numpy.dtype(f"{'S' if self.kind in ('ascii', 'string') else 'V'}{self.size}")
        return one if self.count is None else numpy.dtype((one, (self.count,)))

    def __get__(self, struct, owner=None):
        if struct is None:
            return self
        return self.read(struct) if self.count is None else Array(struct, self)

    def __set__(self, struct, value):
        if self.count is None:
            return self.write(struct, value)
        values = list(value)
        if len(values) > self.count:
            raise UsageError(f"{type(struct).__name__}.{self.name} holds {self.count} elements, {len(values)} given")
        for index, element in enumerate(values):
            self.write(struct, element, index)

    def span(self, struct, index=0):
        """The bytes of one element, as a memoryview into the structure."""
        at = self.offset + index * self.size
        return struct.raw[at:at + self.size]

    def read(self, struct, index=0):
        """The value of one element."""
        span = self.span(struct, index)
        if isinstance(self.kind, type):
            return self.kind(span)
        return _READ[self.kind](self, bytes(span))

    def write(self, struct, value, index=0):
        """Write one element; UsageError when it doesn't fit or the memory is read-only."""
        span = self.span(struct, index)
        if span.readonly:
            raise UsageError(f"this {type(struct).__name__} looks at read-only memory; "
                             f"{type(struct).__name__}(bytearray(...)) makes one that can be written")
        if isinstance(self.kind, type):
            raw = bytes(value if not isinstance(value, dict) else self.kind.new(**value))
        else:
            raw = _WRITE[self.kind](self, value)
        if len(raw) != self.size:
            raise UsageError(f"{type(struct).__name__}.{self.name} takes {self.size} bytes, {len(raw)} given")
        span[:] = raw

    def __repr__(self):
        return f"<Member {self.name} at {self.offset:#x}, {self.length} bytes: {self.title}>"


def _read_uint(member, raw):
    value = int.from_bytes(raw, "little")
    if member.bits:
        return BitsValue(value, member.bits, member.name, member.size, member.field)
    return FieldValue(value, member.field)


def _write_uint(member, value):
    if isinstance(value, dict):
        value = pack(member.bits, value, member.name)
    return check_range(value, member.field.max, member.name, member.title).to_bytes(member.size, "little")


def _read_text(member, raw):
    # NVMe pads with spaces; what follows a NUL is not text in either kind.
    return raw.split(b"\0", 1)[0].rstrip(b" ").decode("utf-8", "replace")


def _write_text(member, value):
    raw = value.encode() if isinstance(value, str) else bytes(value)
    if len(raw) > member.size:
        raise UsageError(f"{member.name} holds {member.size} bytes, {value!r} takes {len(raw)}")
    return raw.ljust(member.size, b" " if member.kind == "ascii" else b"\0")


_READ = {
    "uint": _read_uint,
    "ascii": _read_text,
    "string": _read_text,
    "bytes": lambda member, raw: raw,
    "uuid": lambda member, raw: uuid.UUID(bytes=raw),
}
_WRITE = {
    "uint": _write_uint,
    "ascii": _write_text,
    "string": _write_text,
    "bytes": lambda member, value: bytes(value),
    "uuid": lambda member, value: bytes(value) if isinstance(value, (bytes, bytearray)) else uuid.UUID(str(value)).bytes,
}


class Struct:
    """A structure of the standard, seen through its bytes.

    `Struct(buffer)` looks at any buffer of exactly SIZE bytes, without copying it where it is contiguous;
    `Struct.new(name=value, …)` makes one of its own. Raises UsageError for another size.
    """

    __slots__ = ("raw", "__weakref__")
    SIZE = 0
    CITE = ""
    MEMBERS = ()

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        end, cls._members = 0, {}
        for member in cls.MEMBERS:
            if member.offset < end or member.end > cls.SIZE:
                raise TypeError(f"{cls.__name__}.{member.name} overlaps, or lies past the end")
            end, cls._members[member.name] = member.end, member
            setattr(cls, member.name, member)
        cls.dtype = numpy.dtype({
            "names": [m.name for m in cls.MEMBERS],
            "formats": [m.numpy_type for m in cls.MEMBERS],
            "offsets": [m.offset for m in cls.MEMBERS],
            "itemsize": cls.SIZE,
        })

    def __init__(self, buffer):
        object.__setattr__(self, "raw", _bytes_of(buffer, type(self)))

    @classmethod
    def new(cls, **values):
        """A zeroed structure in memory of its own, with members set; bits may be given as a dict."""
        struct = cls(bytearray(cls.SIZE))
        struct.update(**values)
        return struct

    def update(self, **values):
        """Set several members. Raises UsageError for an unknown name or a value that doesn't fit."""
        for name, value in values.items():
            if name not in self._members:
                raise UsageError(f"{type(self).__name__} has no member {name!r}; it has {', '.join(self._members)}")
            setattr(self, name, value)

    @classmethod
    def members(cls):
        """The Members by name, in the order of their offsets."""
        return dict(cls._members)

    def __setattr__(self, name, value):
        if name not in self._members:
            raise AttributeError(f"{type(self).__name__} has no member {name!r}")
        object.__setattr__(self, name, value)

    def __len__(self):
        return self.SIZE

    def __bytes__(self):
        return bytes(self.raw)

    def __eq__(self, other):
        return type(other) is type(self) and bytes(self) == bytes(other)

    __hash__ = None

    def to_numpy(self):
        """The same bytes as one numpy record of `dtype`."""
        return numpy.frombuffer(self.raw, self.dtype)[0]

    def to_dict(self):
        """The members as plain Python: numbers, text, hex digits for bytes, lists and dicts."""
        return {name: _plain(getattr(self, name)) for name in self._members}

    def __repr__(self):
        shown = [f"{name}={_short(value, self._members[name])}" for name, value in self._scalars() if value]
        return f"<{type(self).__name__} {' '.join(shown[:8])}{' …' if len(shown) > 8 else ''}>"

    def _scalars(self):
        return [(name, getattr(self, name)) for name, member in self._members.items()
                if member.count is None and member.kind != "bytes"]

    def table(self):
        """The members and their bits, one a row, as a render.Table."""
        from .describe import struct_table  # describe looks at Struct itself

        return struct_table(self)

    def _repr_html_(self):
        return self.table().html()


def _bytes_of(buffer, cls):
    try:
        view = buffer.raw if isinstance(buffer, Struct) else memoryview(buffer)
    except TypeError:
        raise UsageError(f"{cls.__name__} looks at a buffer of {cls.SIZE} bytes, "
                         f"not at a {type(buffer).__name__}") from None
    if view.nbytes != cls.SIZE:
        raise UsageError(f"{cls.__name__} takes exactly {cls.SIZE} bytes, {view.nbytes} given")
    if not view.c_contiguous:
        return memoryview(bytearray(view.tobytes()))
    # numpy first: a memoryview of structured records can't be cast.
    return memoryview(numpy.frombuffer(view, numpy.uint8))


def _plain(value):
    if isinstance(value, Array):
        return [_plain(element) for element in value]
    if isinstance(value, Struct):
        return value.to_dict()
    if isinstance(value, int):
        return int(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def _short(value, member):
    if isinstance(value, BitsValue) or member.form == "hex":
        return hex(value)
    if isinstance(value, int):
        return str(int(value))
    return repr(value) if isinstance(value, str) else str(value)
