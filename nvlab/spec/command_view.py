"""Entries as people see them: Command is an SQE that can still be changed, Completion a CQE that can't."""

from . import status as statuses
from .command_format import (CQE, CQE_SIZE, SQE, SQE_SIZE, place, read_bits, write_bits)
from .commands_admin import ADMIN
from .commands_nvm import NVM
from .errors import UsageError
from .fields import FieldValue, check_range
from .render import Table, mimebundle

_SQE = {field.name: field for field in SQE}
_CQE = {field.name: field for field in CQE}
_OWN = {id(f): {field.name: field for field in f.fields} for f in (*ADMIN.values(), *NVM.values())}
_HEADINGS = ("Where", "Field", "Value", "Meaning", "Title")


def address_of(value, name):
    """`value` as an address: an int, or the `.iova` of a buffer."""
    iova = getattr(value, "iova", value)
    if isinstance(iova, bool) or not hasattr(iova, "__index__"):
        raise UsageError(f"{name}: expected an address or a DMA buffer (something with .iova), not {type(value).__name__}")
    return iova


def _bytes_of(raw, size, what):
    """The bytes of a buffer, or of anything with __bytes__; UsageError unless there are `size`."""
    try:
        data = bytes(raw) if hasattr(raw, "__bytes__") else memoryview(raw).tobytes()
    except TypeError:
        raise UsageError(f"{what} is made from {size} bytes, not from {type(raw).__name__}") from None
    if len(data) != size:
        raise UsageError(f"{what} is {size} bytes, not {len(data)}")
    return data


def _number(value, width):
    """Short numbers in decimal, long ones (addresses, dwords) in hexadecimal."""
    return f"{int(value):#x}" if width > 16 and value > 9 else str(int(value))


class Command:
    """64 bytes of submission queue entry. Fields are attributes: those every SQE has and, by opcode, the command's own.

    `admin` says whose opcode it is: True, False (an I/O command), or None when that isn't known.
    """

    __slots__ = ("_raw", "admin", "held")

    def __init__(self, raw=None, admin=None):
        data = bytearray(SQE_SIZE) if raw is None else bytearray(_bytes_of(raw, SQE_SIZE, "a command"))
        object.__setattr__(self, "_raw", data)
        object.__setattr__(self, "admin", admin)
        object.__setattr__(self, "held", {})

    @classmethod
    def decode(cls, raw, admin=None):
        """The command in `raw`: 64 bytes of any buffer, which are copied. Raises UsageError for another size."""
        return cls(raw, admin)

    @property
    def format(self):
        """The CommandFormat of this opcode, or None when the opcode or its kind isn't known."""
        if self.admin is None:
            return None
        return (ADMIN if self.admin else NVM).get(self._raw[0])

    @property
    def name(self):
        """The command's name in the standard."""
        found = self.format
        return found.name if found else f"Command {self._raw[0]:#04x}"

    @property
    def data(self):
        """Which way its data goes: "none", "h2c" from the host, "c2h" to the host, "both"; by the opcode's low bits if unknown."""
        found = self.format
        return found.data if found else ("none", "h2c", "c2h", "both")[self._raw[0] & 3]

    def _field(self, name):
        found = self.format
        own = _OWN[id(found)].get(name) if found else None
        return own or _SQE.get(name)

    def __getattr__(self, name):
        field = None if name.startswith("_") else self._field(name)
        if field is None:
            raise AttributeError(f"{self.name if name[:1] != '_' else 'Command'} has no field {name!r}")
        return FieldValue(read_bits(self._raw, field), field)

    def __setattr__(self, name, value):
        if name == "admin":
            return object.__setattr__(self, name, value)
        field = self._field(name)
        if field is None:
            raise AttributeError(f"{self.name} has no field {name!r}; it has {', '.join(self.fields)}")
        self._put(field, value)

    def _put(self, field, value):
        if field.name in ("prp1", "prp2", "mptr"):
            if hasattr(value, "iova"):
                self.held[field.name] = value          # the buffer must outlive the command
            else:
                self.held.pop(field.name, None)
            value = address_of(value, field.name)
        write_bits(self._raw, field, check_range(value, field.max, f"{self.name}: {field.name}", field.title))

    @property
    def fields(self):
        """{name: Field}: those of every SQE and the command's own, in the order of the bytes."""
        found = self.format
        named = {**_SQE, **(_OWN[id(found)] if found else {})}
        covered = [field for field in found.fields] if found else []
        plain = [f for f in named.values() if not (f.name.startswith("cdw") and any(
            o is not f and o.lo <= f.hi and f.lo <= o.hi for o in covered))]
        return {f.name: f for f in sorted(plain, key=lambda f: f.lo)}

    @property
    def raw(self):
        """The 64 bytes, as a writable memoryview."""
        return memoryview(self._raw)

    def to_dict(self):
        """{field name: int}."""
        return {name: read_bits(self._raw, field) for name, field in self.fields.items()}

    def brief(self):
        """The command in a few words: its name and the fields of its own that aren't 0."""
        found = self.format
        if found is None:
            return self.name
        shown = [f"nsid={_number(self.nsid, 32)}"] if found.nsid is not None and self.nsid else []
        shown += [f"{field.name}={_number(value, field.width if field.width == 64 else 0)}"
                  for field in found.fields if (value := read_bits(self._raw, field))]
        return " ".join([self.name, *shown])

    def table(self):
        """The fields, one a row, as a render.Table."""
        rows = []
        for field in self.fields.values():
            value = FieldValue(read_bits(self._raw, field), field)
            meaning = self.name if field.name == "opc" else value.meaning
            if value or field.lo < 64 or not field.name.startswith("cdw"):
                rows.append((place(field), field.name, _number(value, field.width), meaning, field.title))
        found = self.format
        return Table(f"{self.name} ({found.cite})" if found else self.name, _HEADINGS, rows, ("Where", "Field", "Value"))

    def __bytes__(self):
        return bytes(self._raw)

    def __len__(self):
        return SQE_SIZE

    def __eq__(self, other):
        return isinstance(other, Command) and (self._raw, self.admin) == (other._raw, other.admin)

    __hash__ = None

    def __copy__(self):
        twin = Command(self._raw, self.admin)
        twin.held.update(self.held)
        return twin

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __reduce__(self):
        return Command, (bytes(self._raw), self.admin)

    def __dir__(self):
        return [*super().__dir__(), *self.fields]

    def __repr__(self):
        shown = "".join(f" {name}={_number(value, field.width)}" + (f" ({value.meaning})" if value.meaning else "")
                        for name, field in self.fields.items() if name != "opc"
                        and (value := FieldValue(read_bits(self._raw, field), field)))
        return f"<{self.name}:{shown or ' all zero'}>"

    def _repr_html_(self):
        return self.table().html()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())


class Completion:
    """16 bytes of completion queue entry; its fields are attributes. Immutable."""

    __slots__ = ("raw",)

    def __init__(self, raw):
        object.__setattr__(self, "raw", _bytes_of(raw, CQE_SIZE, "a completion"))

    @classmethod
    def new(cls, status=None, **fields):
        """A completion with these fields, the others 0. `status` is a Status, for sct and sc."""
        if status is not None:
            fields = {"sct": status.sct, "sc": status.sc, **fields}
        raw = bytearray(CQE_SIZE)
        for name, value in fields.items():
            if name not in _CQE:
                raise UsageError(f"a completion has no field {name!r}; its fields are {', '.join(_CQE)}")
            field = _CQE[name]
            write_bits(raw, field, check_range(value, field.max, f"completion: {name}", field.title))
        return cls(bytes(raw))

    def __getattr__(self, name):
        field = _CQE.get(name)
        if field is None:
            raise AttributeError(f"a completion has no field {name!r}; its fields are {', '.join(_CQE)}")
        return FieldValue(read_bits(self.raw, field), field)

    def __setattr__(self, name, value):
        raise AttributeError("a completion does not change")

    @property
    def status(self):
        """The Status that sct and sc stand for."""
        return statuses.lookup(int(self.sct), int(self.sc))

    @property
    def ok(self):
        return (self.raw[14] & 0xFE | self.raw[15] & 0x0F) == 0

    def to_dict(self):
        """{field name: int}."""
        return {name: read_bits(self.raw, field) for name, field in _CQE.items()}

    def table(self):
        """The fields, one a row, as a render.Table."""
        rows = []
        for name, field in _CQE.items():
            value = FieldValue(read_bits(self.raw, field), field)
            meaning = self.status.title if name == "sc" else value.meaning
            rows.append((place(field).replace("CDW", "DW"), name, _number(value, field.width), meaning, field.title))
        return Table(f"Completion of command {self.cid}: {self.status.title}", _HEADINGS, rows, ("Where", "Field", "Value"),
                     self.status.hint)

    def __bytes__(self):
        return self.raw

    def __len__(self):
        return CQE_SIZE

    def __eq__(self, other):
        return isinstance(other, Completion) and self.raw == other.raw

    def __hash__(self):
        return hash(self.raw)

    def __reduce__(self):
        return Completion, (self.raw,)

    def __dir__(self):
        return [*super().__dir__(), *_CQE]

    def __repr__(self):
        extra = f" dw0={_number(self.dw0, 32)}" if self.dw0 else ""
        extra += " m" if self.m else ""
        extra += " dnr" if self.dnr else ""
        said = self.status.title if self.ok else str(self.status)
        return f"<Completion cid={self.cid} sqid={self.sqid} sqhd={self.sqhd} p={self.p}{extra}: {said}>"

    def _repr_html_(self):
        return self.table().html()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())
