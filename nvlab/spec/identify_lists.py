"""The lists that Identify returns: namespaces, controllers, namespace descriptors, command set vectors."""

import uuid as _uuid
from dataclasses import dataclass

from .errors import UsageError
from .fields import Field
from .struct import Member, Struct

__all__ = ["ControllerList", "DESCRIPTOR_TYPES", "DescriptorType", "IoCommandSetVectors", "NamespaceDescriptor",
           "NamespaceDescriptors", "NamespaceList"]


class NamespaceList(Struct):
    """Up to 1024 namespace identifiers in rising order, ended by a zero: 4096 bytes (CNS 02h, 07h, 10h)."""

    SIZE = 4096
    CITE = "base 2.0c 5.17.2.2"
    MEMBERS = [Member("nsid", 0, 4, "Namespace Identifier", count=1024)]

    @classmethod
    def of(cls, nsids):
        """A list that holds `nsids`, sorted. UsageError when there are more than 1024."""
        return cls.new(nsid=sorted(nsids))

    @property
    def nsids(self):
        """The identifiers before the first zero, as a list of int."""
        entries = self.to_numpy()["nsid"].tolist()
        return entries[:entries.index(0)] if 0 in entries else entries

    def __iter__(self):
        return iter(self.nsids)

    def to_dict(self):
        """`{"nsid": [...]}` with the identifiers in use."""
        return {"nsid": self.nsids}


class ControllerList(Struct):
    """Up to 2047 controller identifiers in rising order, after their number: 4096 bytes (CNS 12h, 13h)."""

    SIZE = 4096
    CITE = "base 2.0c 4.4.1"
    MEMBERS = [
        Member("num", 0, 2, "Number of Identifiers"),
        Member("cntlid", 2, 2, "Controller Identifier", count=2047),
    ]

    @classmethod
    def of(cls, cntlids):
        """A list that holds `cntlids`, sorted. UsageError when there are more than 2047."""
        cntlids = sorted(cntlids)
        return cls.new(num=len(cntlids), cntlid=cntlids)

    @property
    def cntlids(self):
        """The identifiers in use, as a list of int."""
        return self.to_numpy()["cntlid"].tolist()[:int(self.num)]

    def __iter__(self):
        return iter(self.cntlids)

    def to_dict(self):
        """`{"num": n, "cntlid": [...]}` with the identifiers in use."""
        return {"num": int(self.num), "cntlid": self.cntlids}


class IoCommandSetVectors(Struct):
    """The combinations of I/O command sets that can be chosen together: 512 vectors, 4096 bytes (CNS 1Ch)."""

    SIZE = 4096
    CITE = "base 2.0c 5.17.2.21"
    MEMBERS = [
        Member("vector", 0, 8, "I/O Command Set Vector", count=512, bits=[
            Field("NVM", 0, 0, "NVM Command Set", {0: "No", 1: "Yes"}),
            Field("KV", 1, 1, "Key Value Command Set", {0: "No", 1: "Yes"}),
            Field("ZNS", 2, 2, "Zoned Namespace Command Set", {0: "No", 1: "Yes"}),
        ]),
    ]

    @property
    def vectors(self):
        """The vectors before the first empty one."""
        used = []
        for vector in self.vector:
            if not vector:
                break
            used.append(vector)
        return used

    def to_dict(self):
        """`{"vector": [...]}` with the vectors in use."""
        return {"vector": [int(v) for v in self.vectors]}


@dataclass(frozen=True)
class DescriptorType:
    """A kind of namespace descriptor: its code (NIDT), name, length in bytes, and how its value is written."""

    nidt: int
    name: str
    length: int
    title: str
    form: str

    def text(self, value):
        """`value` (bytes) as the type's own form: a UUID with dashes, plain hex digits, or a number.

        Too few bytes for the type come out as hex digits, whatever it is.
        """
        if self.form == "uuid" and len(value) == self.length:
            return str(_uuid.UUID(bytes=bytes(value)))
        if self.form == "number" and value:
            number = int.from_bytes(value, "little")
            return hex(number) if number else "0"
        return bytes(value).hex()


DESCRIPTOR_TYPES = {t.nidt: t for t in (
    DescriptorType(1, "eui64", 8, "IEEE Extended Unique Identifier", "hex"),
    DescriptorType(2, "nguid", 16, "Namespace Globally Unique Identifier", "hex"),
    DescriptorType(3, "uuid", 16, "Namespace UUID", "uuid"),
    DescriptorType(4, "csi", 1, "Command Set Identifier", "number"),
)}


@dataclass(frozen=True)
class NamespaceDescriptor:
    """One descriptor as found: where, its type code, its length and its bytes."""

    offset: int
    nidt: int
    nidl: int
    value: bytes

    @property
    def type(self):
        """The DescriptorType, or None for a code that the standard reserves."""
        return DESCRIPTOR_TYPES.get(self.nidt)

    @property
    def text(self):
        """The value in its type's own form."""
        return self.type.text(self.value[:self.type.length]) if self.type else self.value.hex()

    def __str__(self):
        return f"{self.type.name if self.type else f'type {self.nidt}'}={self.text}"


class NamespaceDescriptors(Struct):
    """The names a namespace goes by, one descriptor after another: 4096 bytes (CNS 03h)."""

    SIZE = 4096
    CITE = "base 2.0c 5.17.2.3"
    MEMBERS = [Member("data", 0, 4096, "Namespace Identification Descriptors", kind="bytes")]

    @classmethod
    def build(cls, **values):
        """A list of descriptors in the order given.

        Keywords: `eui64`, `nguid` (bytes), `uuid` (uuid.UUID, bytes or text), `csi` (int); None leaves one out.
        UsageError for another keyword or a value of the wrong length.
        """
        types = {t.name: t for t in DESCRIPTOR_TYPES.values()}
        data = bytearray()
        for name, value in values.items():
            if name not in types:
                raise UsageError(f"no namespace descriptor is called {name!r}; there are {', '.join(types)}")
            if value is not None:
                raw = _descriptor_bytes(types[name], value)
                data += bytes([types[name].nidt, len(raw), 0, 0]) + raw
        return cls(data.ljust(cls.SIZE, b"\0"))

    @property
    def entries(self):
        """The descriptors as a list of NamespaceDescriptor, up to the first of length zero."""
        data, found, at = bytes(self.raw), [], 0
        while at + 4 <= self.SIZE and data[at + 1]:
            nidl = data[at + 1]
            found.append(NamespaceDescriptor(at, data[at], nidl, data[at + 4:at + 4 + nidl]))
            at += 4 + nidl
        return found

    def __iter__(self):
        return iter(self.entries)

    def _value(self, name):
        return next((e.value for e in self.entries if e.type and e.type.name == name), None)

    @property
    def eui64(self):
        """The EUI-64 as 8 bytes, or None."""
        return self._value("eui64")

    @property
    def nguid(self):
        """The NGUID as 16 bytes, or None."""
        return self._value("nguid")

    @property
    def uuid(self):
        """The namespace's UUID as uuid.UUID, or None."""
        value = self._value("uuid")
        return _uuid.UUID(bytes=value) if value is not None and len(value) == 16 else None

    @property
    def csi(self):
        """The command set identifier (0 NVM, 1 key value, 2 zoned), or None."""
        value = self._value("csi")
        return value[0] if value else None

    def to_dict(self):
        """`{name: text}` of the descriptors whose type is known."""
        return {e.type.name: e.text for e in self.entries if e.type}

    def __repr__(self):
        return f"<NamespaceDescriptors {' '.join(map(str, self.entries)) or 'empty'}>"


def _descriptor_bytes(kind, value):
    if kind.form == "number":
        raw = bytes([value])
    elif kind.form == "uuid" and not isinstance(value, (bytes, bytearray)):
        raw = _uuid.UUID(str(value)).bytes
    else:
        raw = bytes(value)
    if len(raw) != kind.length:
        raise UsageError(f"{kind.title} takes {kind.length} bytes, not {len(raw)}")
    return raw
