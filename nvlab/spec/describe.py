"""Members as text for people: the number in its unit, the word for it, watts, degrees; and structures as tables."""

from .fields import Unit
from .render import Table, hexadecimal
from .struct import Array, Struct

__all__ = ["bit_text", "human", "struct_table", "text", "version"]

_KELVIN = 273  # what nvme-cli and SPDK subtract too


def text(struct, name, index=None, sizes=None):
    """One member of `struct` as a person would write it: "1b36", "25.00 W", "323 Kelvin (50 Celsius)", "Unlimited".

    sizes: as in bit_text.
    """
    member = struct.members()[name]
    value = getattr(struct, name) if index is None else getattr(struct, name)[index]
    if member.kind == "bytes":
        return value.hex()
    if member.kind != "uint":
        return str(value)
    if member.scale:
        return _scaled(struct, member, value)
    if member.form == "hex":
        return f"{int(value):0{2 * member.size}x}"
    if member.form == "version":
        return version(value)
    return bit_text(value, sizes)


def bit_text(value, sizes=None):
    """A FieldValue in words where the standard has them, in its unit where it has one, else as a number.

    sizes: {"pages": 4096, "blocks": 512}, what those words are worth in bytes, where that is known.
    """
    field = value.field
    if field is None or not field.unit or int(value) in (field.values or {}):
        return value.meaning or str(int(value))
    if field.unit == "K":
        return f"{int(value)} Kelvin ({int(value) - _KELVIN} Celsius)"
    unit = Unit(field.unit)
    amount = unit.scale(value)
    size = unit.bytes(value) or amount * (sizes or {}).get(unit.word, 0)
    if unit.word == "bytes" and field.unit[0].isdigit() and not field.unit.startswith("2**"):
        return f"{int(value)} × {field.unit} ({human(size)})"
    if unit.word in (sizes or {}) or size >= 1 << 20:
        return f"{_count(amount, unit.word)} ({human(size)})"
    if unit.word in ("min", "h") or unit.seconds(value) is None or not amount:
        return _count(amount, unit.word)
    return unit.show(value)


def _count(amount, word):
    if amount == 1 and word.endswith("s") and len(word) > 2:
        word = word[:-3] + "y" if word.endswith("ies") else word[:-1]
    return f"{amount} {word}"


def human(size):
    """A number of bytes in the largest binary unit that it fills: 0.5 KiB is "512 bytes", 1536 "1.5 KiB"."""
    for power, word in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >> 10 * power:
            return f"{round(size / (1 << 10 * power), 2):g} {word}"
    return f"{size} bytes"


def version(value):
    """A VS-like number as "2.0" or "1.2.1": the tertiary part only where it isn't zero."""
    return f"{int(value) >> 16}.{int(value) >> 8 & 0xFF}" + (f".{int(value) & 0xFF}" if int(value) & 0xFF else "")


def _scaled(struct, member, value):
    holder, bit = member.scale.split(".")
    step = getattr(getattr(struct, holder), bit).meaning or "Reserved"
    if not step[0].isdigit():
        return step
    amount, word = step.split(" ", 1)
    decimals = len(amount.partition(".")[2])
    return f"{int(value) * float(amount):.{decimals}f} {word}"


def struct_table(struct):
    """`struct` as a render.Table: each member, below it its bits, and the elements of arrays that aren't zero."""
    rows = []
    for name, member in struct.members().items():
        value = getattr(struct, name)
        if isinstance(value, Array):
            rows += _element_rows(struct, member)
        elif isinstance(value, Struct):
            rows.append((f"{member.offset:#06x}", name, "", repr(value), member.title))
        else:
            rows += _member_rows(struct, member, value)
    title = f"{type(struct).__name__}, {struct.SIZE} bytes" + (f" ({struct.CITE})" if struct.CITE else "")
    return Table(title, ("Offset", "Member", "Value", "Meaning", "Title"), rows, numbers=("Offset", "Member", "Value"))


def _member_rows(struct, member, value):
    if member.kind == "bytes":
        number, meaning = (_clip(value.hex()) if any(value) else "0"), ""
    elif member.kind == "uint":
        number = hexadecimal(value, member.size) if member.bits or member.form else int(value)
        meaning = text(struct, member.name)
        if meaning in (str(int(value)), f"{int(value):0{2 * member.size}x}"):
            meaning = ""
    else:
        number, meaning = "", _clip(str(value))
    yield f"{member.offset:#06x}", member.name, number, meaning, member.title
    for field in member.bits:
        bits = field.decode(value)
        yield f"  {field.bits}", f"  .{field.name}", int(bits), bits.meaning, field.title


def _element_rows(struct, member):
    for index in range(member.count):
        if any(member.span(struct, index)):
            value = member.read(struct, index)
            shown = repr(value) if isinstance(value, Struct) else text(struct, member.name, index)
            yield (f"{member.offset + index * member.size:#06x}", f"{member.name}[{index}]", "", shown,
                   f"{member.title} {index}")


def _clip(shown, most=64):
    return shown if len(shown) <= most else shown[:most] + "…"
