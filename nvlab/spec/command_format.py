"""The language in which commands are declared, and the parts that all entries share.

A submission queue entry (SQE) is 64 bytes, a completion queue entry (CQE) 16. Their fields are Fields whose bits count
from the entry's first byte: CDW10 starts at bit 320. `dword(10, "cns", 0, 7, …)` does that sum.
"""

from dataclasses import dataclass

from .fields import Field
from .render import Table

SQE_SIZE, CQE_SIZE = 64, 16

FUSE = {0: "normal", 1: "fused, first", 2: "fused, second"}
PSDT = {0: "PRP", 1: "SGL, metadata a buffer", 2: "SGL, metadata an SGL"}


def dword(n, name, lo, hi, title, values=None, unit=None, doc=""):
    """A Field at bits `lo` to `hi` counted from dword `n` of the entry; `hi` may reach into the next dwords."""
    return Field(name, 32 * n + lo, 32 * n + hi, title, values, unit, doc)


def place(field):
    """Where a field lies, as the standard writes it: "CDW10 15:0", "CDW11:10"."""
    first, last = field.lo // 32, field.hi // 32
    if first != last:
        return f"CDW{last}:{first}"
    return f"CDW{first} {field.hi % 32}:{field.lo % 32}" if field.width > 1 else f"CDW{first} {field.lo % 32}"


def read_bits(raw, field):
    """The number in `field` of the entry `raw`."""
    first, last = field.lo >> 3, field.hi >> 3
    return int.from_bytes(raw[first:last + 1], "little") >> (field.lo & 7) & field.max


def write_bits(raw, field, number):
    """Put `number` into `field` of the entry `raw`, a bytearray; the number must fit."""
    first, last = field.lo >> 3, (field.hi >> 3) + 1
    word = int.from_bytes(raw[first:last], "little") & ~(field.max << (field.lo & 7)) | number << (field.lo & 7)
    raw[first:last] = word.to_bytes(last - first, "little")


SQE = (
    dword(0, "opc", 0, 7, "Opcode"),
    dword(0, "fuse", 8, 9, "Fused Operation", FUSE),
    dword(0, "psdt", 14, 15, "PRP or SGL for Data Transfer", PSDT),
    dword(0, "cid", 16, 31, "Command Identifier"),
    dword(1, "nsid", 0, 31, "Namespace Identifier", {0xFFFFFFFF: "all namespaces"}),
    dword(2, "cdw2", 0, 31, "Command Dword 2"),
    dword(3, "cdw3", 0, 31, "Command Dword 3"),
    dword(4, "mptr", 0, 63, "Metadata Pointer"),
    dword(6, "prp1", 0, 63, "PRP Entry 1"),
    dword(8, "prp2", 0, 63, "PRP Entry 2"),
    *(dword(n, f"cdw{n}", 0, 31, f"Command Dword {n}") for n in range(10, 16)),
)
"""What every SQE has (base 2.0c 3.3.3.1)."""

CQE = (
    dword(0, "dw0", 0, 31, "Command Specific"),
    dword(1, "dw1", 0, 31, "Command Specific"),
    dword(2, "sqhd", 0, 15, "SQ Head Pointer"),
    dword(2, "sqid", 16, 31, "SQ Identifier"),
    dword(3, "cid", 0, 15, "Command Identifier"),
    dword(3, "p", 16, 16, "Phase Tag"),
    dword(3, "sc", 17, 24, "Status Code"),
    dword(3, "sct", 25, 27, "Status Code Type", {
        0: "generic", 1: "command specific", 2: "media and data integrity", 3: "path related", 7: "vendor specific"}),
    dword(3, "crd", 28, 29, "Command Retry Delay", {0: "none", 1: "CRDT1", 2: "CRDT2", 3: "CRDT3"}),
    dword(3, "m", 30, 30, "More", {0: "no", 1: "see the Error Information log"}),
    dword(3, "dnr", 31, 31, "Do Not Retry", {0: "a retry may succeed", 1: "a retry would fail too"}),
)
"""What every CQE has (base 2.0c 3.3.3.2)."""

_DIRECTIONS = {0: "none", 1: "h2c", 2: "c2h", 3: "both"}


@dataclass(frozen=True, eq=False)
class CommandFormat:
    """One command: its fields beyond those every SQE has, and how a person calls it.

    builder is its name in `cmd`; nsid the default namespace there, None when the command takes none. data overrides the
    direction that the opcode's low bits give ("none", "h2c" from the host, "c2h" to the host). pointers are the addresses
    it takes, extras the plain dwords that are left open. keywords maps a builder's keyword to the field it fills, where
    they differ; defaults are the builder's defaults that aren't 0.
    """

    name: str
    opcode: int
    builder: str
    fields: tuple = ()
    cite: str = ""
    admin: bool = True
    nsid: int | None = None
    data: str | None = None
    pointers: tuple | None = None
    extras: tuple = ()
    keywords: dict | None = None
    defaults: dict | None = None

    def __post_init__(self):
        if self.data is None:
            object.__setattr__(self, "data", _DIRECTIONS[self.opcode & 3])
        if self.pointers is None:
            object.__setattr__(self, "pointers", () if self.data == "none" else ("prp1", "prp2"))

    def __repr__(self):
        kind = "admin" if self.admin else "NVM"
        return f"<{kind} command {self.name} ({self.opcode:#04x}): {', '.join(f.name for f in self.fields) or 'no fields'}>"

    def table(self):
        """The command's own fields, one a row, as a render.Table."""
        rows = [(place(f), f.name, f.title, ", ".join(f"{k}: {v}" for k, v in (f.values or {}).items()) or f.unit, f.doc)
                for f in self.fields]
        return Table(f"{self.name}, opcode {self.opcode:#04x} ({self.cite})", ("Bits", "Field", "Title", "Values", "More"),
                     rows, numbers=("Bits", "Field"))

    def _repr_html_(self):
        return self.table().html()
