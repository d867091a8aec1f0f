"""IdentifyView: what a controller and its namespaces say of themselves, to be searched; and two controllers side by side."""

import traitlets

from nvlab.lab import assets, static
from nvlab.lab.whyview import Explained
from nvlab.spec import describe
from nvlab.spec.errors import UsageError
from nvlab.spec.identify import IdentifyController
from nvlab.spec.render import Table, hexadecimal
from nvlab.spec.struct import Array, Struct

CONTROLLER = "Controller"
PARTS = ((0, "Capabilities and features"), (256, "Admin command set"), (512, "I/O command set"), (1792, "Fabrics"),
         (2048, "Power states"), (3072, "Vendor specific"))
"""Where the parts of Identify Controller begin, by byte (base 2.0c 5.17.2.1)."""
CLIP = 48


class IdentifyView(Explained):
    """Identify Controller and Identify Namespace of `ctrl`: each member with its bits, value, meaning and place.

    With `other`, a second controller, both stand side by side and what differs is marked. Either may also be an
    `IdentifyController` that was kept. The page searches by itself, without the kernel; "read" asks the controllers anew.
    `shown` names the structure that is shown: "Controller", "Namespace 1", …
    """

    _esm = assets.script("why.js", "identifyview.js")
    _css = assets.style("why.css", "identifyview.css")
    _rows = traitlets.List().tag(sync=True)
    TABLES = False
    LONG = frozenset({"read"})

    def __init__(self, ctrl, other=None, title=None, **kwargs):
        self._sides = [_Side(ctrl), *([_Side(other)] if other is not None else [])]
        self._title, self.shown = title, CONTROLLER
        super().__init__(**kwargs)

    def explained(self):
        return self._sides[0].ctrl

    def watched(self):
        """These structures hardly ever change: they are read when asked for, not by the clock."""
        return False

    # What the page is told

    def look(self):
        names = list(dict.fromkeys(name for side in self._sides for name in side.structures))
        shown = self.shown if self.shown in names else CONTROLLER
        found = [side.structures.get(shown) for side in self._sides]
        some = next((struct for struct in found if struct is not None), None)
        return {"_state": {"title": self._title or "", "sides": [side.name for side in self._sides], "structures": names, "shown": shown,
                           "there": [struct is not None for struct in found], "live": any(side.ctrl is not None for side in self._sides),
                           "cite": f"{some.CITE}, {some.SIZE} bytes" if some is not None else ""},
                "_rows": compare(found, [side.sizes for side in self._sides])}

    # What the page asks for

    def actions(self):
        return {"read": self._read, "show": self._show}

    def _read(self, _content):
        for side in self._sides:
            side.read()
        return "Asked " + " and ".join(side.name for side in self._sides if side.ctrl is not None) + " anew."

    def _show(self, content):
        names = {name for side in self._sides for name in side.structures}
        if content.get("structure") not in names:
            raise UsageError(f"there is no structure {content.get('structure')!r}; there is {', '.join(sorted(names))}")
        self.shown = content["structure"]

    # Where there is no page

    def text(self):
        return self.table().text()

    def picture(self):
        return static.text_html(self.text())

    def table(self):
        """What is shown as a render.Table: members that aren't zero; of two sides, ≠ before those that differ."""
        state, two = self._state, len(self._sides) > 1
        rows = []
        for row in self._rows:
            cells = [_cell(value) for value in row["values"]]
            if any(value and not value[2] for value in row["values"]) or row["differs"]:
                name = f"  .{row['bit']}" if row["bit"] else row["name"]
                rows.append(((("≠" if row["differs"] else ""),) if two else ()) + (name, *cells, row["title"]))
        columns = (("",) if two else ()) + ("Member", *(state["sides"] if two else ("Value",)), "Title")
        return Table(f"Identify {state['shown']} of {' and '.join(state['sides'])} ({state['cite'] or 'nothing was read yet'})", columns, rows,
                     note="members that are 0 are left out")


def _cell(value):
    if value is None:
        return "-"
    number, meaning, _zero = value
    return f"{number} ({meaning})" if number and meaning else number or meaning


class _Side:
    """One controller: its name, its structures {title: Struct}, and what its words "pages" and "blocks" are worth in bytes."""

    def __init__(self, source):
        self.ctrl = None if isinstance(source, IdentifyController) else source
        if self.ctrl is not None and not hasattr(source, "identify_controller"):
            raise UsageError(f"IdentifyView: a controller or an IdentifyController, not a {type(source).__name__}")
        self.kept = source if self.ctrl is None else None
        self.name = f"{source.mn} (kept)" if self.ctrl is None else str(source.address)
        self.sizes = {"pages": int(source.page)} if self.ctrl is not None else {}
        self.structures = {CONTROLLER: source} if self.ctrl is None else {}
        if self.ctrl is not None and self.ctrl.id is not None:
            self.structures[CONTROLLER] = self.ctrl.id
            self.structures.update((f"Namespace {nsid}", namespace.id) for nsid, namespace in self.ctrl.namespaces.items())

    def read(self):
        """Ask the controller for all of them. Blocks; raises what Controller.identify_controller() raises."""
        if self.ctrl is not None:
            fresh = {CONTROLLER: self.ctrl.identify_controller()}
            fresh.update((f"Namespace {nsid}", self.ctrl.identify_namespace(nsid)) for nsid in self.ctrl.namespace_ids())
            self.structures = fresh


# ---------------------------------------------------------------- structures as rows

def compare(structs, sizes) -> list:
    """The members and bits of one or two structures (None: not there) as rows, in the order of the standard.

    A row: {name, bit, at, part, title, doc, cite, differs, values: [[number, meaning, whether it is zero] or None]}.
    """
    columns = [{} if struct is None else {row["key"]: row for row in _rows(struct, size)} for struct, size in zip(structs, sizes)]
    keys = sorted({key: row["order"] for column in columns for key, row in column.items()}.items(), key=lambda item: item[1])
    out = []
    for key, _ in keys:
        found = [column.get(key) for column in columns]
        some = next(row for row in found if row is not None)
        values = [row and row["value"] for row in found]
        row = {name: value for name, value in some.items() if name not in ("key", "order", "value")}
        both = len(structs) > 1 and all(struct is not None for struct in structs)
        out.append({**row, "values": values, "differs": both and _differs(values)})
    return out


def _differs(values):
    """Elements that one side leaves out are zero there."""
    known = [value[:2] if value is not None and not value[2] else None for value in values]
    return known[0] != known[1]


def _rows(struct, sizes):
    part = "" if type(struct) is not IdentifyController else None
    for name, member in struct.members().items():
        where = part if part is not None else next(words for start, words in reversed(PARTS) if member.offset >= start)
        about = {"name": name, "bit": "", "part": where, "title": member.title, "doc": member.doc or "", "cite": member.cite or struct.CITE}
        value = getattr(struct, name)
        if isinstance(value, Array):
            yield from _elements(struct, member, about, sizes)
            continue
        shown = ("", _words(value)) if isinstance(value, Struct) else _value(struct, member, value, sizes)
        yield {**about, "key": name, "order": (member.offset, 0, 0), "at": f"{member.offset:X}h", "value": [*shown, not any(member.span(struct))]}
        for field in member.bits:
            bits = field.decode(value)
            yield {**about, "key": f"{name}.{field.name}", "order": (member.offset, 0, 1 + field.lo), "at": f"  {field.bits}", "bit": field.name,
                   "title": field.title, "doc": field.doc, "value": [str(int(bits)), _meaning(bits, sizes), not int(bits)]}


def _elements(struct, member, about, sizes):
    for index in range(member.count):
        if any(member.span(struct, index)):
            value = member.read(struct, index)
            shown = ("", _words(value)) if isinstance(value, Struct) else ("", describe.text(struct, member.name, index, sizes))
            yield {**about, "key": f"{member.name}[{index}]", "order": (member.offset, index, 0), "name": f"{member.name}[{index}]",
                   "at": f"{member.offset + index * member.size:X}h", "title": f"{member.title} {index}", "value": [*shown, False]}


def _words(struct):
    """A structure within another in a line: its members that aren't zero."""
    return ", ".join(f"{name} {describe.text(struct, name)}" for name, member in struct.members().items() if any(member.span(struct)))


def _value(struct, member, value, sizes):
    """(the number, what it means) of a scalar member."""
    if member.kind == "bytes":
        shown = value.hex()
        return (shown if len(shown) <= CLIP else shown[:CLIP] + "…") if any(value) else "0", ""
    if member.kind != "uint":
        return "", str(value)
    number = hexadecimal(value, member.size) if member.bits or member.form else str(int(value))
    meaning = describe.text(struct, member.name, sizes=sizes)
    if meaning.startswith(f"{number} "):               # "343 Kelvin" says it all
        number = ""
    return number, "" if meaning in (number, str(int(value)), f"{int(value):0{2 * member.size}x}") else meaning


def _meaning(bits, sizes):
    meaning = describe.bit_text(bits, sizes)
    return "" if meaning == str(int(bits)) else meaning
