"""What lies in which bytes: the fields of any structure of the standard as plain rows, for a page to show beside the bytes."""

from nvlab.spec import identify, identify_ctrl, identify_ns, identify_power, logs
from nvlab.spec.command_view import Command, Completion
from nvlab.spec.describe import text
from nvlab.spec.errors import UsageError
from nvlab.spec.fields import FieldValue
from nvlab.spec.identify import CNS
from nvlab.spec.logs import LOGS
from nvlab.spec.struct import Array, Struct

_MODULES = (identify_ctrl, identify_ns, identify_power, identify, logs)
STRUCTS = {found.__name__: found for module in _MODULES for found in vars(module).values()
           if isinstance(found, type) and issubclass(found, Struct) and found.SIZE}
"""Name -> Struct class."""

ENTRIES = {"admin SQE": (64, lambda raw: Command(raw, True)), "I/O SQE": (64, lambda raw: Command(raw, False)),
           "CQE": (16, Completion)}
"""Name -> (size, what makes a view of the bytes) of ring entries."""

KINDS = (*ENTRIES, *STRUCTS)


def kind_of(what):
    """The name in KINDS of a Struct class, a name, or a view; None stays None. Raises UsageError for anything else."""
    if what is None or what == "":
        return None
    if isinstance(what, Command):
        return "I/O SQE" if what.admin is False else "admin SQE"
    if isinstance(what, Completion):
        return "CQE"
    name = what if isinstance(what, str) else getattr(what, "__name__", type(what).__name__)
    name = {"SQE": "I/O SQE", "Command": "admin SQE", "Completion": "CQE"}.get(name, name)
    if name not in KINDS:
        name = type(what).__name__ if type(what).__name__ in KINDS else name
    if name not in KINDS:
        raise UsageError(f"struct={what!r}: choose a structure of nvlab.spec, or one of {', '.join(ENTRIES)}")
    return name


def size_of(kind):
    """Bytes that a structure of this kind takes."""
    return ENTRIES[kind][0] if kind in ENTRIES else STRUCTS[kind].SIZE


def view_of(kind, raw):
    """The bytes at the start of `raw` as a view of that kind. Raises UsageError where there are too few."""
    size = size_of(kind)
    if len(raw) < size:
        raise UsageError(f"{kind} takes {size} bytes, here are {len(raw)}")
    return (ENTRIES[kind][1] if kind in ENTRIES else STRUCTS[kind])(bytes(raw[:size]))


def returned(command):
    """The kind of what a command brings back, or None: Identify and Get Log Page say so in a field."""
    known = command.format
    if known is None or not known.admin:
        return None
    table, field = {"identify": (CNS, "cns"), "get_log_page": (LOGS, "lid")}.get(known.builder, ({}, None))
    found = table.get(int(getattr(command, field))) if field else None
    return found.struct.__name__ if found is not None and found.struct.__name__ in STRUCTS else None


def rows(view, base=0, level=0):
    """The fields of a view in the order of their bytes: {name, title, first, last, bits, value, meaning, level, zero}."""
    if isinstance(view, (Command, Completion)):
        return _entry_rows(view)
    out = []
    for name, member in view.members().items():
        value = getattr(view, name)
        if isinstance(value, Array):
            out += _array_rows(view, member, value, base, level)
        elif isinstance(value, Struct):
            out.append(_row(name, member.title, base + member.offset, member.size, "", repr(value), level))
            out += rows(value, base + member.offset, level + 1)
        else:
            out += _member_rows(view, member, value, base, level)
    return out


def _row(name, title, first, size, value, meaning, level, zero=False, bits=""):
    return {"name": name, "title": title, "first": first, "last": first + size - 1, "bits": bits, "value": value,
            "meaning": meaning if meaning != value else "", "level": level, "zero": bool(zero)}


def _hex(value, size):
    return f"{int(value):0{2 * size}X}h" if int(value) > 9 else str(int(value))


def _member_rows(view, member, value, base, level):
    zero = not any(member.span(view))
    if member.kind == "uint":
        said = text(view, member.name)
        plain = said in (str(int(value)), f"{int(value):0{2 * member.size}x}")
        yield _row(member.name, member.title, base + member.offset, member.size, _hex(value, member.size), "" if plain else said, level, zero)
    elif member.kind == "bytes":
        yield _row(member.name, member.title, base + member.offset, member.size, "0" if zero else value.hex()[:24] + ("…" if len(value) > 12 else ""), "", level, zero)
    else:
        yield _row(member.name, member.title, base + member.offset, member.size, "", str(value), level, zero)
    for field in member.bits:
        bits = field.decode(value)
        byte = base + member.offset + field.lo // 8
        yield _row(field.name, field.title, byte, field.hi // 8 - field.lo // 8 + 1, str(int(bits)), bits.meaning or "", level + 1, not bits, field.bits)


def _array_rows(view, member, values, base, level):
    used = [n for n in range(member.count) if any(member.span(view, n))]
    if not used:
        yield _row(member.name, member.title, base + member.offset, member.length, "0", f"{member.count} elements, all zero", level, True)
    for n in used:
        at, value = base + member.offset + n * member.size, values[n]
        if isinstance(value, Struct):
            yield _row(f"{member.name}[{n}]", f"{member.title} {n}", at, member.size, "", "", level)
            yield from rows(value, at, level + 1)
        else:
            yield _row(f"{member.name}[{n}]", f"{member.title} {n}", at, member.size, "", text(view, member.name, n), level)


def _entry_rows(entry):
    if isinstance(entry, Completion):
        from nvlab.spec.command_format import CQE
        fields, raw = {field.name: field for field in CQE}, bytes(entry)
    else:
        fields, raw = entry.fields, bytes(entry)
    out = []
    for name, field in fields.items():
        value = FieldValue(int.from_bytes(raw, "little") >> field.lo & field.max, field)
        meaning = value.meaning or ""
        if name == "opc":
            meaning = entry.name
        elif name == "sc":
            meaning = entry.status.title
        bits = "" if field.lo % 8 == 0 and field.width % 8 == 0 else f"{field.hi % 32}:{field.lo % 32}" if field.width > 1 else str(field.lo % 32)
        shown = f"{int(value):X}h" if field.width > 8 and value > 9 else str(int(value))
        out.append(_row(name, field.title, field.lo // 8, field.hi // 8 - field.lo // 8 + 1, shown, meaning, 0, not value, bits))
    return out
