"""What Identify, the logs, the registers and some features tell, as text in SPDK's sections.

A section names structures and ranges of them; labels, numbers, units and words come from the tables of nvlab.spec.

    >>> found = Findings("embedded", registers={"CAP": cap}, id=idc, namespaces={1: NamespaceFindings(ns)})
    >>> print(report(found))
"""

from typing import NamedTuple

from nvlab.spec import commands, describe, status
from nvlab.spec.features import lookup as feature
from nvlab.spec.registers import ALL as REGISTERS
from nvlab.spec.struct import Array
from nvlab.tools.findings import Findings, NamespaceFindings

__all__ = ["Findings", "NamespaceFindings", "Row", "controller", "effects", "error_log", "firmware", "health",
           "members", "namespace", "power", "register_rows", "report", "text"]

_COLUMN = 54


class Row(NamedTuple):
    """One line: a label and its value, or a label alone (a heading)."""

    label: str
    value: object = None
    indent: int = 0

    def __str__(self):
        label = " " * self.indent + self.label
        return label if self.value is None else f"{label + ':':<{_COLUMN}} {self.value}"


_BLANK = Row("")


def text(rows):
    """Rows as text that ends with a newline."""
    return "\n".join([*map(str, rows), ""])


def report(found):
    """Everything in `found`, section by section, as one string that ends with a newline."""
    rule = "=" * 53
    name = f"NVMe Controller at {found.address}"
    if found.id is not None:
        name += f" [{describe.text(found.id, 'vid')}:{found.id.mn}]"
    rows = [Row(rule), Row(name), Row(rule)]
    for section in (controller, buffers, firmware, effects, error_log, arbitration, power, health, number_of_queues):
        rows += section(found)
    if found.namespaces:
        rows += _title("Active Namespaces")
        for nsid, one in found.namespaces.items():
            rows += namespace(nsid, one)
    return text(rows)


def controller(found):
    """Rows of the controller's capabilities: Identify Controller and CAP, in three sections."""
    if found.id is None:
        return _section("Controller Capabilities", register_rows(found, ("VS", "CAP")))
    rows = _title("Controller Capabilities/Features")
    rows += _range(found.id, 0, 256, found.sizes)
    if found.queues is not None:
        rows.append(Row("Number of I/O Queues Granted", found.queues))
    rows += register_rows(found, ("VS", "CAP")) + [_BLANK]
    rows += _section("Admin Command Set Attributes",
                      _range(found.id, 256, 512, found.sizes, skip=() if found.id.cmic.ANA else _ANA))
    nvm = _range(found.id, 512, 1024, found.sizes)
    if found.id_nvm is not None:
        nvm += _range(found.id_nvm, 0, found.id_nvm.SIZE, found.sizes)
    rows += _section("NVM Command Set Attributes", nvm)
    if found.id.ioccsz:
        rows += _section("Fabrics Attributes", _range(found.id, 1024, 2048))
    return rows


_ANA = ("anatt", "anacap", "anagrpmax", "nanagrpid")


def buffers(found):
    """Rows of the controller memory buffer and the persistent memory region, or that there is none."""
    cap, rows = found.register("CAP"), []
    for bit, prefix, title in (("CMBS", "CMB", "Controller Memory Buffer Support"),
                               ("PMRS", "PMR", "Persistent Memory Region Support")):
        if cap is not None:
            has = getattr(cap, bit)
            names = [name for name in REGISTERS if name.startswith(prefix) and name in found.registers]
            rows += _section(title, [Row("Supported", "Yes" if has else "No"),
                                      *(register_rows(found, names) if has else ())])
    return rows


def firmware(found):
    """Rows of the firmware slots."""
    return [] if found.firmware is None else _section("Firmware Slot Information", members(found.firmware))


def effects(found):
    """Rows of the Commands Supported and Effects log: each supported command, and what it changes."""
    if found.effects is None:
        return []
    rows = _title("Commands Supported and Effects")
    for heading, admin, table in (("Admin Commands", True, commands.ADMIN), ("I/O Commands", False, commands.NVM)):
        rows += [Row(heading), Row("-" * len(heading))]
        for opcode, entry in found.effects.supported(admin).items():
            name = table[opcode].name if opcode in table else "Vendor Specific" if opcode >= 0xC0 else "Unknown"
            also = [bit.title for bit, value in entry.effects.items() if value and bit.name not in ("CSUPP", "CSE")]
            if entry.effects.CSE:
                also.append(entry.effects.CSE.meaning or f"CSE {int(entry.effects.CSE)}")
            rows.append(Row(f"{name} ({opcode:02X}h)", ", ".join(["Supported", *also])))
    return rows + [_BLANK]


def error_log(found):
    """Rows of the error log's used entries; that there is none, when there is none."""
    if found.errors is None:
        return []
    used = [(index, entry) for index, entry in enumerate(found.errors) if entry.error_count]
    rows = []
    for index, entry in used:
        bits = entry.status_field
        rows += [*([Row("-----------")] if rows else ()), Row("Entry", index),
                  Row("Status", status.lookup(int(bits.SCT), int(bits.SC)).title), *members(entry)]
    return _section("Error Log", rows or [Row("No errors logged")])


def arbitration(found):
    """Rows of the Arbitration feature; the weights only where weighted round robin is supported."""
    if 0x01 not in found.features:
        return []
    cap = found.register("CAP")
    weighted = cap is None or cap.AMS & 1
    shown = [(bit, value) for bit, value in feature(0x01).decode(found.features[0x01]).items()
             if weighted or bit.name == "AB"]
    return _section("Arbitration", [Row(bit.title, describe.bit_text(value)) for bit, value in shown])


def power(found):
    """Rows of the power states, and of the one the controller is in."""
    if found.id is None:
        return []
    rows = [Row("Number of Power States", describe.text(found.id, "npss"))]
    if 0x02 in found.features:
        now = feature(0x02).decode(found.features[0x02])
        rows += [Row(f"Current {bit.title}", describe.bit_text(value)) for bit, value in now.items()]
    for index, state in enumerate(found.id.psd[:int(found.id.npss) + 1]):
        rows += [Row(f"Power State #{index}:"), *_indented(members(state))]
    return _section("Power Management", rows)


def health(found):
    """Rows of the SMART / Health log, with the threshold that the Temperature Threshold feature sets."""
    if found.smart is None:
        return []
    rows = members(found.smart)
    if 0x04 in found.features:
        threshold = feature(0x04).decode(found.features[0x04]).TMPTH
        rows.append(Row(threshold.field.title, describe.bit_text(threshold)))
    return _section("Health Information", rows)


def number_of_queues(found):
    """Rows of the Number of Queues feature."""
    if 0x07 not in found.features:
        return []
    counts = feature(0x07).decode(found.features[0x07])
    return _section("Number of Queues", [Row(bit.title, describe.bit_text(value)) for bit, value in counts.items()])


def namespace(nsid, found):
    """Rows of one namespace, from a NamespaceFindings."""
    about = found.id
    current = about.format if about.format_index < len(about.lbaf) else None
    sizes = {"blocks": about.block_size} if current is not None and current.lbads else {}
    rows = [Row("Namespace ID", nsid)] if nsid is not None else []
    told = {entry.type.name for entry in found.descriptors or ()
            if entry.type and entry.value == bytes(getattr(about, entry.type.name, b""))}
    for entry in found.descriptors or ():
        rows.append(Row(entry.type.title if entry.type else f"Descriptor type {entry.nidt}", entry.text))
    rows += members(about, sizes, skip=("lbaf", "vs", *told))
    for index, fmt in enumerate(about.lbaf[:int(about.nlbaf) + int(about.nulbaf) + 1]):
        extra = [found.nvm.elbaf[index]] if found.nvm is not None and found.nvm.elbaf[index].elbaf else []
        values = [f"{title}: {shown}" for one in (fmt, *extra) for title, shown in _pairs(one)]
        mark = " (current)" if index == about.format_index else ""
        rows.append(Row(f"LBA Format #{index:02}", "  ".join(values) + mark))
    if found.nvm is not None:
        rows += [_BLANK, *_section("NVM Specific Namespace Data", members(found.nvm, skip=("elbaf",)))[:-1]]
    return rows + [_BLANK]


def register_rows(found, names):
    """Rows of the registers in `names` that `found` has: each field, by its title."""
    rows = []
    for name in names:
        value = found.register(name)
        if value is None:
            continue
        digits = describe.version(value) if name == "VS" else f"{int(value):#x}"
        rows.append(Row(f"{REGISTERS[name].title} ({name})", digits))
        if name != "VS":
            rows += _indented([Row(bit.title, describe.bit_text(part)) for bit, part in value.items()])
    return rows


def members(struct, sizes=None, skip=()):
    """Rows of all members of `struct`: `Title: value`, and below a member with bits one row each."""
    return _range(struct, 0, struct.SIZE, sizes, skip)


def _range(struct, start, end, sizes=None, skip=()):
    scales, rows = _scales(struct), []
    for name, member in struct.members().items():
        # Raw bytes (identifiers, vendor areas) only where there are any.
        empty = member.kind == "bytes" and not any(member.span(struct))
        if start <= member.offset < end and name not in skip and not empty and _applies(struct, member):
            rows += _member_rows(struct, member, scales, sizes)
    return rows


def _member_rows(struct, member, scales, sizes):
    value = getattr(struct, member.name)
    if isinstance(value, Array):
        return [Row(f"{member.title} {index + 1}", describe.text(struct, member.name, index, sizes))
                for index in range(member.count) if any(member.span(struct, index))]
    named = member.values and int(value) in member.values
    if not member.bits or member.form or named:
        return [Row(member.title, describe.text(struct, member.name, sizes=sizes))]
    bits = [Row(bit.title, describe.bit_text(part, sizes)) for bit, part in value.items()
            if f"{member.name}.{bit.name}" not in scales]
    return bits if len(bits) <= 1 else [Row(member.title), *_indented(bits)]


def _applies(struct, member):
    """False for members that another says are not defined (as nvme-cli leaves them out)."""
    return all(hint.when is None or _bit_of(struct, hint.when) for hint in member.json)


def _bit_of(struct, path):
    member, bit = path.split(".")
    return getattr(getattr(struct, member), bit)


def _scales(struct):
    """The bits that only say in what unit another member counts: they show in that member's own text."""
    return {member.scale for member in struct.members().values() if member.scale}


def _pairs(struct):
    for member in struct.members().values():
        if member.bits:
            yield from ((bit.title, describe.bit_text(part)) for bit, part in getattr(struct, member.name).items())
        else:
            yield member.title, describe.text(struct, member.name)


def _indented(rows):
    return [row._replace(indent=row.indent + 2) for row in rows]


def _title(words):
    return [Row(words), Row("=" * len(words))]


def _section(title, rows):
    return [*_title(title), *rows, _BLANK]
