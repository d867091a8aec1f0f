"""Members as text for people: the number in its unit, the word for it, watts and degrees; and whole structures as tables."""

from .render import Table, hexadecimal
from .struct import Array, Struct

__all__ = ["bit_text", "struct_table", "text"]

_KELVIN = 273  # what nvme-cli and SPDK subtract too


def text(struct, name, index=None):
    """One member of `struct` as a person would write it: "1b36", "25.00 W", "323 Kelvin (50 Celsius)", "Unlimited"."""
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
    return bit_text(value)


def bit_text(value):
    """A FieldValue in words where the standard has them, in its unit where it has one, else as a number."""
    field = value.field
    if field is not None and field.unit == "K" and int(value) not in (field.values or {}):
        return f"{int(value)} Kelvin ({int(value) - _KELVIN} Celsius)"
    return value.meaning or str(int(value))


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
