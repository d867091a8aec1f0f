"""Structures as nvme-cli 2.3 prints them with `-o json`: its keys, its order, its forms of value.

What differs from "the member's name and its number" is declared on the members (struct.Json); here is only how
nvme-cli writes each kind of value. Two habits of it are kept because scripts meet them: a number of up to 32 bits
goes through a signed int, so FFFFFFFFh comes out as -1; a number of 128 bits comes out as a string.
"""

import json

from . import registers
from .errors import UsageError
from .identify import DESCRIPTOR_TYPES, IdentifyController, IdentifyNamespace, IdentifyNamespaceNvm, NamespaceDescriptors
from .logs import ErrorLogEntry, FirmwareLog, SmartLog
from .struct import Struct

__all__ = ["KINDS", "dumps", "parse", "registers_of", "to_json"]

KINDS = {
    "id-ctrl": IdentifyController,
    "id-ns": IdentifyNamespace,
    "smart-log": SmartLog,
    "error-log": ErrorLogEntry,
    "fw-log": FirmwareLog,
    "ns-descs": NamespaceDescriptors,
    "nvm-id-ns": IdentifyNamespaceNvm,
    "regs": dict,
}
"""What can be shown, by nvme-cli's name for it. An error log is any number of its entries, `regs` a BAR0."""

SMALLEST_BAR = 0x40


def parse(kind, data):
    """The structure that `data` holds: a Struct; for "error-log" a list of them, for "regs" {name: RegisterValue}.

    Raises UsageError for an unknown kind or a size that can't be right.
    """
    if kind not in KINDS:
        raise UsageError(f"can't decode {kind!r}; there are {', '.join(KINDS)}")
    struct = KINDS[kind]
    if kind == "regs":
        return data if isinstance(data, dict) else registers_of(data)
    if kind != "error-log":
        return data if isinstance(data, struct) else struct(data)
    if isinstance(data, (list, tuple)):
        return [struct(entry) for entry in data]
    view = memoryview(data).cast("B")
    if not view.nbytes or view.nbytes % struct.SIZE:
        raise UsageError(f"an error log is a run of {struct.SIZE}-byte entries; {view.nbytes} bytes are not")
    return [struct(view[at:at + struct.SIZE]) for at in range(0, view.nbytes, struct.SIZE)]


def registers_of(dump):
    """The registers that a raw copy of BAR0 holds, {name: RegisterValue} in the order of their offsets.

    Raises UsageError when it is too short to hold those every controller has (40h bytes).
    """
    view = memoryview(dump).cast("B")
    if view.nbytes < SMALLEST_BAR:
        raise UsageError(f"a register dump starts at BAR0 and has at least {SMALLEST_BAR:#x} bytes; this has "
                         f"{view.nbytes}")
    return {name: register.decode(int.from_bytes(view[register.offset:register.offset + register.size], "little"))
            for name, register in registers.ALL.items()
            if register.readable and register.offset + register.size <= view.nbytes}


def to_json(kind, data, *, device="nvme0", id_ns=None):
    """The object that `nvme <kind> -o json` prints (for "regs": `nvme show-regs`), as plain Python.

    data: bytes of the right size, or the structure (a list of ErrorLogEntry for "error-log").
    device: the name that fw-log carries as its key. id_ns: the IdentifyNamespace whose NLBAF says how many
    formats nvm-id-ns has; without it, those up to the last that isn't zero. Raises UsageError as `parse`.
    """
    found = parse(kind, data)
    if kind == "regs":
        return {name.lower(): _number(int(value), registers.ALL[name].size, None) for name, value in found.items()}
    if kind == "error-log":
        return {"errors": [_object(entry) for entry in found]}
    if kind == "fw-log":
        return {device: _object(found)}
    if kind == "ns-descs":
        return _descriptors(found)
    if kind == "nvm-id-ns":
        return _object(found, nlbaf=_formats(found, id_ns))
    return _object(found)


def dumps(value):
    """`value` as text in the layout of nvme-cli (two spaces, no space after a colon)."""
    return json.dumps(value, indent=2, separators=(",", ":"), ensure_ascii=False) if value else "{\n}"


def _object(struct, **lengths):
    shown = {}
    for member in _ordered(struct):
        for hint in member.json:
            if hint.when is None or _bit(struct, hint.when):
                shown.update(_items(struct, member, hint, lengths))
    return shown


def _ordered(struct):
    members = list(struct.members().values())
    for member in [m for m in members if any(hint.after for hint in m.json)]:
        members.remove(member)
        names = [m.name for m in members]
        if member.json[0].after in names:
            members.insert(names.index(member.json[0].after) + 1, member)
    return members


def _bit(struct, path):
    member, bit = path.split(".")
    return getattr(getattr(struct, member), bit)


def _items(struct, member, hint, lengths):
    key = hint.key or member.name
    if member.count is None:
        if not (hint.skip_empty and _empty(struct, member, 0)):
            yield key, _value(struct, member, hint, 0)
    elif hint.spread:
        for index in range(member.count):
            if not (hint.skip_empty and _empty(struct, member, index)):
                yield key.format(n=index + 1), _value(struct, member, hint, index)
    else:
        last = lengths.get(hint.length, None) if hint.length in lengths else int(getattr(struct, hint.length))
        # A count past the array is the controller's mistake: there is nothing more to show.
        yield key, [_value(struct, member, hint, index) for index in range(min(last + 1, member.count))]


def _empty(struct, member, index):
    raw = bytes(member.span(struct, index))
    return not any(raw) if member.kind == "uint" else raw[:1] in (b"\0", b"")


def _value(struct, member, hint, index):
    if isinstance(member.kind, type) and issubclass(member.kind, Struct):
        return _object(member.read(struct, index))
    raw = bytes(member.span(struct, index))
    if hint.form == "firmware":
        # As a number first, then what can be printed of it; a space counts as unprintable here.
        text = "".join(chr(byte) if 0x21 <= byte <= 0x7E else "." for byte in raw)
        return f"{int.from_bytes(raw, 'little')} ({text})"
    if member.kind in ("ascii", "string"):
        return raw.split(b"\0", 1)[0].decode("utf-8", "replace")
    if member.kind == "uint":
        return _number(int.from_bytes(raw, "little"), member.size, hint.bits)
    return raw.hex() if member.kind == "bytes" else str(member.read(struct, index))


def _number(value, size, bits):
    if bits:
        return value >> bits[0] & (1 << bits[1] - bits[0] + 1) - 1
    if size > 8:
        return str(value)
    return value - (1 << 32) if size == 4 and value >> 31 else value


def _descriptors(found):
    # nvme-cli 2.3 loses its way behind a CSI descriptor that isn't the last; this list goes on (base 2.0c 5.17.2.3).
    shown = []
    for entry in found.entries:
        if entry.nidt in DESCRIPTOR_TYPES:
            name = entry.type.name
            shown.append({"loc": entry.offset, "nidt": entry.nidt, "nidl": entry.nidl, "type": name,
                          name: entry.text})
    return {"ns-descs": shown} if shown else {}


def _formats(found, id_ns):
    if id_ns is not None:
        return int(parse("id-ns", id_ns).nlbaf)
    used = [index for index, fmt in enumerate(found.elbaf) if fmt.elbaf]
    return used[-1] if used else 0
