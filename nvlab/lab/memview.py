"""MemoryView: bytes in hexadecimal with the structure that they are beside them, as they change; PrpView: a command's PRPs walked."""

import numpy as np
import traitlets

from nvlab.lab import assets, memfields, static
from nvlab.lab.prpdraw import prp_svg
from nvlab.lab.prpwalk import walk
from nvlab.lab.whyview import Explained
from nvlab.spec.command_view import Command, Completion
from nvlab.spec.errors import UsageError
from nvlab.spec.struct import Struct

WINDOW = 4096            # bytes that a page shows at a time


class MemoryView(Explained):
    """Memory as a drive sees it: a field lights its bytes, a byte its field.

    `memory` is a buffer (ctrl.alloc()'s, bytes, an array), a structure or command, a queue with `slot`
    (`MemoryView(ctrl.admin.sq, slot=3)`), or a Controller: all memory that its drive can reach, by address. `struct` says what lies at its begin: a class of nvlab.spec (IdentifyController,
    SmartLog …), or "admin SQE", "I/O SQE", "CQE"; the page can choose another. It follows the memory while it is seen.
    Raises UsageError for what isn't memory, or a structure that nobody knows.
    """

    _esm = assets.script("why.js", "hexpane.js", "memview.js")
    _css = assets.style("why.css", "hexpane.css", "memview.css")
    _bytes = traitlets.Bytes().tag(sync=True)
    _fields = traitlets.List().tag(sync=True)
    TABLES, PERIOD = False, 0.2

    def __init__(self, memory, struct=None, slot=None, title=None, **kwargs):
        self._memory, self._name, self._at = memory, title, 0
        self._kind, self._ctrl, self._owner, self._base = memfields.kind_of(struct), None, None, 0
        if hasattr(memory, "dma"):
            self._of_controller(memory)
        elif hasattr(memory, "entries") and hasattr(memory, "qid"):
            self._of_queue(memory, slot)
        elif slot is not None:
            raise UsageError("slot: only a queue has slots; give a queue, or leave it out")
        elif self._kind is None and isinstance(memory, (Struct, Command, Completion)):
            self._kind = memfields.kind_of(memory)
        if not self._size():
            raise UsageError("there is no memory to show: the buffer is empty")
        if self._kind is not None:
            memfields.view_of(self._kind, self._shown())         # too small is said now
        super().__init__(**kwargs)

    def explained(self):
        return self._owner

    def _of_controller(self, ctrl):
        pool = ctrl.dma
        self._ctrl = self._owner = ctrl
        self._memory, self._base, self._name = None, pool.base, self._name or f"DMA memory of {ctrl.address}"
        if self._kind is None and ctrl.admin is not None:
            self._kind, self._at = "admin SQE", ctrl.admin.sq.iova - self._base

    def _places(self):
        """[(words, offset, kind)] of what a person may want to see in a controller's memory."""
        found = []
        for qid, pair in sorted({**({0: self._ctrl.admin} if self._ctrl.admin is not None else {}), **self._ctrl.io}.items()):
            found += [[f"SQ{qid}", pair.sq.iova - self._base, "I/O SQE" if qid else "admin SQE"], [f"CQ{qid}", pair.cq.iova - self._base, "CQE"]]
        return [place for place in found if 0 <= place[1] < self._size()]

    def _of_queue(self, queue, slot):
        if slot is None or not 0 <= slot < queue.depth:
            raise UsageError(f"slot={slot}: which entry of the queue, 0 to {queue.depth - 1}")
        sq = queue.entries.shape[1] == 64
        self._memory, self._owner = queue.entries[slot], getattr(getattr(queue, "pair", None), "controller", None)
        self._kind = self._kind or (("admin SQE" if queue.qid == 0 else "I/O SQE") if sq else "CQE")
        self._name = self._name or f"{'SQ' if sq else 'CQ'}{queue.qid} slot {slot}"

    def _read(self):
        """The bytes now, as an array of uint8 without a copy where that can be."""
        memory = self._memory
        if isinstance(memory, (Struct, Command, Completion)):
            memory = memory.raw
        try:
            return np.frombuffer(memory, np.uint8)
        except (TypeError, ValueError, BufferError):
            pass
        if isinstance(memory, np.ndarray):
            return np.frombuffer(np.ascontiguousarray(memory).tobytes(), np.uint8)
        raise UsageError(f"MemoryView shows a buffer, a structure, a command, or a queue's slot, not a {type(memory).__name__}")

    def _size(self):
        return int(self._ctrl.dma.size) if self._ctrl is not None else len(self._read())

    def _shown(self):
        """The bytes that a page gets."""
        if self._ctrl is not None:
            return self._ctrl.dma.read(self._base + self._at, min(WINDOW, self._size() - self._at))
        return self._read()[self._at:self._at + WINDOW].tobytes()

    # -- what the page is told

    def look(self):
        size = self._size()
        self._at = min(self._at, max(0, size - 1) // 16 * 16)
        raw = self._shown()
        fits = [kind for kind in memfields.KINDS if memfields.size_of(kind) <= len(raw)]
        kind = self._kind if self._kind in fits else None
        news = {"_state": {"title": self._title(), "kind": kind or "", "kinds": fits, "at": self._at, "size": size, "window": WINDOW,
                           "step": memfields.size_of(kind) if kind in memfields.ENTRIES else WINDOW, "base": self._base,
                           "places": self._places() if self._ctrl is not None else []}}
        if raw != self._bytes or kind != self._state.get("kind"):
            news.update(_bytes=raw, _fields=[] if kind is None else memfields.rows(memfields.view_of(kind, raw)))
        return news

    def _title(self):
        if self._ctrl is not None:
            return str(self._name)
        where = ""
        try:
            where = f"{int(self._memory.iova):#x}"
        except (AttributeError, UsageError):
            pass
        return ", ".join(part for part in (str(self._name or ""), f"{self._size():,} bytes" + (f" at {where}" if where else "")) if part)

    # -- what the page asks for

    def actions(self):
        return {"kind": self._do_kind, "at": self._do_at}

    def _do_kind(self, content):
        self._kind = memfields.kind_of(content.get("kind"))

    def _do_at(self, content):
        try:
            at, size = int(str(content.get("at", 0)), 0) - self._base, self._size()
        except ValueError:
            raise UsageError(f"{content.get('at')}: a number is needed, such as 4096 or {self._base + self._at:#x}") from None
        if not 0 <= at < size:
            raise UsageError(f"{at + self._base:#x}: this memory goes from {self._base:#x} to {self._base + size - 1:#x}")
        self._at = at // 16 * 16
        if "kind" in content:
            self._do_kind(content)

    # -- where there is no page

    def text(self):
        raw = self._shown()
        parts = [f"MemoryView: {self._title()}"]
        if self._kind is not None and len(raw) >= memfields.size_of(self._kind):
            parts.append(memfields.view_of(self._kind, raw).table().text())
        return "\n\n".join([*parts, hexdump(raw, base=self._base + self._at)])

    def picture(self):
        raw = self._shown()
        fits = self._kind is not None and len(raw) >= memfields.size_of(self._kind)
        table = memfields.view_of(self._kind, raw).table().html() if fits else ""
        return f"<div>{static.text_html(hexdump(raw, base=self._base + self._at))}{table}</div>"


def hexdump(raw, most=24, base=0):
    """Bytes as lines of sixteen; lines like the one before are left out, as are all after `most`."""
    lines, before, skipped = [], None, False
    for at in range(0, len(raw), 16):
        row = raw[at:at + 16]
        if row == before and at + 16 < len(raw):
            if not skipped:
                lines.append("*")
            skipped = True
            continue
        before, skipped = row, False
        if len(lines) >= most:
            lines.append(f"… {len(raw) - at} more bytes")
            break
        shown = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{base + at:04x}  {row[:8].hex(' '):23}  {row[8:].hex(' '):23}  {shown}")
    return "\n".join(lines)


class PrpView(Explained):
    """Where a command's data lies: PRP1, PRP2 and the PRP lists walked as the drive walks them, bad entries marked.

    `PrpView(ctrl, command, length)` or `PrpView(ctrl, prp1=…, prp2=…, length=…)`, addresses as numbers or buffers. Click an entry
    or a page to read its bytes. `walk` is the Walk as memory stands now. Raises UsageError for a length that can't be.
    """

    _esm = assets.script("why.js", "hexpane.js", "prpview.js")
    _css = assets.style("why.css", "hexpane.css", "memview.css")
    _svg = traitlets.Unicode().tag(sync=True)
    _bytes = traitlets.Bytes().tag(sync=True)
    _fields = traitlets.List().tag(sync=True)
    TABLES, PERIOD = False, 0.3

    def __init__(self, ctrl, command=None, length=None, prp1=None, prp2=0, title=None, **kwargs):
        if (command is None) == (prp1 is None):
            raise UsageError("PrpView: give a command, or prp1= and prp2=")
        if command is not None:
            prp1, prp2 = int(command.prp1), int(command.prp2)
            length = length or _length_of(ctrl, command)
        if not length:
            raise UsageError("PrpView: length=, the bytes that the command moves, can't be told from the command")
        self._ctrl, self._command, self._name, self._chosen = ctrl, command, title, None
        self._prps = int(getattr(prp1, "iova", prp1)), int(getattr(prp2, "iova", prp2)), int(length)
        self._follow()
        super().__init__(**kwargs)

    def explained(self):
        return self._ctrl

    def _follow(self):
        prp1, prp2, length = self._prps
        return walk(self._ctrl.dma, prp1, prp2, length, self._ctrl.page)

    @property
    def walk(self):
        """The Walk as memory stands now."""
        return self._follow()

    def look(self):
        found = self._follow()
        prp1, prp2, length = self._prps
        told = self._command.brief() if self._command is not None else ""
        bad = [{"name": e.name, "value": hex(e.value), "wrong": e.wrong} for e in found.wrong[:8]]
        state = {"title": str(self._name or told or self._ctrl.address), "sentence": found.sentence, "ok": found.ok, "wrong": bad,
                 "prp1": hex(prp1), "prp2": hex(prp2), "length": length, "chosen": self._chosen, "shown": ""}
        raw, fields, base = b"", [], 0
        if self._chosen is not None and self._chosen < len(found.entries):
            state["shown"], raw, fields, base = self._memory(found, found.entries[self._chosen])
        state["base"] = base
        return {"_state": state, "_svg": prp_svg(found, self._chosen), "_bytes": raw, "_fields": fields}

    def _memory(self, found, entry):
        """What an entry points to: (a sentence, its bytes, fields, the address of the first byte)."""
        page = found.page
        size = entry.length if entry.role == "data" else page - entry.value % page
        if entry.wrong or not self._ctrl.dma.map.translate(entry.value, size):
            return f"{entry.name} = {entry.value:#x} {entry.wrong or 'is not mapped'}.", b"", [], 0
        raw = self._ctrl.dma.read(entry.value, size)
        if entry.role == "data":
            return f"{entry.name}: {size:,} bytes of data at {entry.value:#x}, from byte {entry.offset:,} of the transfer", raw, [], entry.value
        inside = [e for e in found.entries if e.at is not None and entry.value <= e.at < entry.value + size]
        fields = [{"name": e.name, "title": "PRP entry", "first": e.at - entry.value, "last": e.at - entry.value + 7, "bits": "", "level": 0,
                   "value": f"{e.value:#x}", "meaning": f"✗ {e.wrong}" if e.wrong else f"{e.length} bytes" if e.role == "data" else "the next list",
                   "zero": False} for e in inside]
        return f"{entry.name}: the list page at {entry.value:#x}", raw, fields, entry.value

    def actions(self):
        return {"open": self._do_open, "walk": self._do_walk}

    def _do_open(self, content):
        self._chosen = int(content["entry"])

    def _do_walk(self, content):
        before = self._prps
        try:
            self._prps = tuple(int(str(content[name]).strip() or "0", 0) for name in ("prp1", "prp2", "length"))
            self._follow()
            self._command, self._chosen = None, None
        except Exception:
            self._prps = before
            raise

    def text(self):
        return self.walk.table().text()

    def picture(self):
        return prp_svg(self.walk)


def _length_of(ctrl, command):
    from nvlab.lab.builder import data_length

    ns = getattr(ctrl, "namespaces", {}).get(int(command.nsid))
    return data_length(command, ns.block_size if ns is not None else 512)
