"""CommandBuilder: any command of the tables as a form, its 16 dwords, the Python line that makes it, and a button that sends it."""

import json

import ipywidgets
import numpy as np
import traitlets

from nvlab.host.prp import build_prp
from nvlab.lab import assets, memfields, safety
from nvlab.lab.whyview import Explained
from nvlab.spec.commands import ADMIN, NVM, Command, _parameters, cmd
from nvlab.spec.errors import NvmeStatusError, UsageError
from nvlab.spec.render import Table

MOST = 1 << 20           # bytes of a data buffer
SHOWN = 4096             # bytes of it that the page gets
DEPTH = 16               # entries of a queue pair made for the purpose
NEVER = frozenset({"async_event_request"})
"""Commands that complete when something happens, if ever: sent, and not waited for."""


def forms_json():
    """What a page needs to build any command: {"admin": {opcode: form}, "nvm": …}, a form being {name, builder, cite, data,
    params: [{word, name, title, byte, bit, width, values, unit, doc, default}], danger}."""
    return {kind: {str(opcode): _form(fmt, kind) for opcode, fmt in table.items()} for kind, table in (("admin", ADMIN), ("nvm", NVM))}


def _form(fmt, kind):
    params = [{"word": word, "name": f.name, "title": f.title, "byte": f.lo >> 3, "bit": f.lo & 7, "width": f.width, "unit": f.unit and str(f.unit),
               "values": {str(k): v for k, v in f.values.items()} if f.values else None, "doc": f.doc, "default": default,
               "common": f.name in ("fuse", "psdt", "cid", "mptr", "cdw2", "cdw3")}
              for word, (f, default) in _parameters(fmt).items()]
    return {"name": fmt.name, "builder": fmt.builder, "cite": fmt.cite, "data": fmt.data, "params": params,
            "danger": (kind, fmt.builder) in safety.DESTRUCTIVE}


def data_length(command, block=512):
    """Bytes that a command moves, as far as its fields say; a page (4096) where they don't, 0 where it moves none."""
    known = command.format
    if known is None or known.data == "none":
        return 4096 if known is not None and "prp1" in known.pointers else 0
    fields = {field.name for field in known.fields}
    if "nlb" in fields:
        return (int(command.nlb) + 1) * block
    if known.builder == "get_log_page":
        return 4 * ((int(command.numdu) << 16 | int(command.numdl)) + 1)
    if "numd" in fields:
        return 4 * (int(command.numd) + 1)
    return 4096


class CommandBuilder(Explained):
    """A form for any command, on a controller with at least an admin queue.

    The page builds the 64 bytes by itself. A data buffer is allocated when the command moves data (`data` is that buffer), its
    PRPs are filled in. "send" posts, rings and waits; "post" fills the slot and leaves the doorbell alone. `command` is the
    last command built, `completion` what the last one that was sent brought. `send()` and `post()` do the same from Python.
    On a drive that isn't embedded or QEMU's, what changes its contents has to be confirmed.
    """

    _esm = assets.script("why.js", "decode.js", "hexpane.js", "dwords.js", "builder.js")
    _css = assets.style("why.css", "hexpane.css", "builder.css")
    _forms = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    _answer = traitlets.Dict().tag(sync=True)
    _data = traitlets.Bytes().tag(sync=True)
    _fields = traitlets.List().tag(sync=True)
    PERIOD, LONG = 0.25, frozenset({"send"})

    def __init__(self, ctrl, command=None, title=None, **kwargs):
        self._ctrl, self._title = ctrl, title
        self.command = command if command is not None else cmd.identify(cns=1)
        self.completion, self.data, self._prp, self._told = None, None, None, {}
        self._blocks = {nsid: ns.block_size for nsid, ns in getattr(ctrl, "namespaces", {}).items()}
        if command is None or not int(command.prp1):
            self._provide(self.command)
        super().__init__(_forms=assets.Library.get("forms", "2.0", lambda: json.dumps(forms_json()).encode()), **kwargs)

    def explained(self):
        return self._ctrl

    # -- the data buffer

    def _provide(self, command):
        """Have a buffer for what the command moves, and put its PRPs into it."""
        wanted = min(MOST, data_length(command, self._blocks.get(int(command.nsid), 512)))
        if not wanted:
            command.prp1, command.prp2 = 0, 0
            return
        self._room(wanted)
        if command.format is not None and "prp2" in command.format.pointers:
            prp = self._prp = build_prp(self._ctrl.dma, self.data.iova, wanted, self._ctrl.page)
            command.prp1, command.prp2 = prp.prp1, prp.prp2
        else:
            command.prp1 = self.data.iova

    def _room(self, wanted):
        size = -(-wanted // 4096) * 4096
        if self.data is None or self.data.nbytes != size:
            old, self.data = self.data, self._ctrl.alloc(size)
            if old is not None:
                keep = min(old.nbytes, size)
                self.data[:keep] = old[:keep]

    # -- from Python

    def post(self, command=None, qid=None, confirmed=False):
        """Put the command (by default the one in the form) into the next slot without ringing. Returns the slot."""
        command, pair = self._ready(command, qid, confirmed)
        return pair.sq.post(command, held=(self.data, self._prp))

    def send(self, command=None, qid=None, confirmed=False, timeout=None):
        """Post, ring, and wait. Returns the Completion, also one with an error status; None for a command that may never complete."""
        command, pair = self._ready(command, qid, confirmed)
        request = pair.submit(command, (self.data, self._prp), on_done=self._done)
        if command.format is not None and command.format.builder in NEVER:
            return None
        try:
            return request.wait(timeout)
        except NvmeStatusError as error:
            return error.completion

    def _ready(self, command, qid, confirmed):
        command = self.command = self.command if command is None else command
        safety.check(self._ctrl, safety.destructive(command), confirmed, command.name)
        admin = command.admin is not False
        if admin:
            return command, self._ctrl.admin_queue()
        pairs = self._ctrl.io
        if qid:
            if qid not in pairs:
                raise UsageError(f"{command.name}: there is no I/O queue pair {qid}; there are {', '.join(map(str, pairs)) or 'none'}")
            return command, pairs[qid]
        return command, next((p for p in pairs.values() if p.owner is None), None) or self._ctrl.create_io_queue_pair(DEPTH)

    def _done(self, request):
        self.completion = request.completion
        self._told = {"cqe": list(bytes(request.completion)), "command": request.command.brief(), "ok": bool(request.completion.ok),
                      "title": request.completion.status.title, "hint": request.completion.status.hint or "", "reason": request.reason,
                      "kind": memfields.returned(request.command) if request.completion.ok else None}

    # -- what the page is told

    def look(self):
        ctrl, data = self._ctrl, self.data
        raw = b"" if data is None else data[:SHOWN].tobytes()
        news = {"_state": {
            "title": str(self._title or getattr(ctrl, "address", "")), "command": list(bytes(self.command)),
            "kind": "nvm" if self.command.admin is False else "admin", "guarded": safety.guarded(ctrl), "page": ctrl.page,
            "buffer": None if data is None else {"iova": hex(data.iova), "size": data.nbytes},
            "admin": getattr(ctrl, "admin", None) is not None, "pairs": [[q, p.depth, str(p.owner) if p.owner else ""] for q, p in sorted(ctrl.io.items())],
            "blocks": {str(n): size for n, size in self._blocks.items()}}, "_answer": self._told}
        if raw != self._data or self._told != self._answer:
            news.update(_data=raw, _fields=self._decoded(raw))
        return news

    def _decoded(self, raw):
        kind = self._told.get("kind")
        if kind is None or len(raw) < memfields.size_of(kind):
            return []
        return memfields.rows(memfields.view_of(kind, raw))

    # -- what the page asks for

    def actions(self):
        return {"send": self._do_send, "post": self._do_post, "buffer": self._do_buffer, "fill": self._do_fill}

    def _built(self, content):
        raw = bytes(content.get("sqe", b""))
        command = Command(raw, content.get("kind") != "nvm")
        for name in ("prp1", "prp2"):                  # as they stand: the buffer is held by the request
            command.held.pop(name, None)
        return command, int(content.get("qid") or 0), bool(content.get("confirmed"))

    def _do_buffer(self, content):
        command, _, _ = self._built(content)
        self._provide(command)
        self.command = command

    def _do_fill(self, content):
        if self.data is None:
            raise UsageError("this command moves no data: there is nothing to fill")
        what = str(content.get("with", ""))
        raw = _pattern(what, self.data.nbytes)
        self.data[:len(raw)] = np.frombuffer(raw, np.uint8)
        return f"Filled {len(raw)} bytes of the buffer."

    def _do_send(self, content):
        command, qid, confirmed = self._built(content)
        done = self.send(command, qid, confirmed)
        if done is None:
            return f"{command.name} is with the controller (cid {int(command.cid)}); it completes when there is something to tell."
        if self.completion is not done:
            self.completion = done
        return f"{command.name}: {done.status.title}."

    def _do_post(self, content):
        command, qid, confirmed = self._built(content)
        pair = self._ready(command, qid, confirmed)[1]
        _, slot = pair.sq.post_request(command, None, (self.data, self._prp), "", self._done)
        return f"In slot {slot} of SQ{pair.sq.qid} as command {int(command.cid)}; the controller doesn't know until SQ{pair.sq.qid}TDBL is written."

    # -- where there is no page

    def text(self):
        lines = [self.command.table().text(), "", *(f"DW{n:<2} {int.from_bytes(bytes(self.command)[4 * n:4 * n + 4], 'little'):08X}h" for n in range(16))]
        if self.completion is not None:
            lines += ["", self.completion.table().text()]
        return "\n".join(lines)

    def picture(self):
        raw = bytes(self.command)
        words = Table("The 16 dwords", tuple(str(n) for n in range(8)), [
            tuple(f"{int.from_bytes(raw[4 * n:4 * n + 4], 'little'):08X}" for n in range(at, at + 8)) for at in (0, 8)],
            numbers=tuple(str(n) for n in range(8)))
        tables = [self.command.table(), words, *([self.completion.table()] if self.completion is not None else [])]
        return f"<div>{''.join(table.html() for table in tables)}</div>"


def _pattern(what, size):
    """`size` bytes: of text, of hex digits after "0x", or counting up for "count"; text is followed by zeros, hex is repeated."""
    if what == "count":
        return bytes(n & 0xFF for n in range(size))
    if what.lower().startswith("0x"):
        try:
            unit = bytes.fromhex(what[2:])
        except ValueError:
            raise UsageError(f"{what}: after 0x come pairs of hexadecimal digits") from None
        return (unit * (size // max(1, len(unit)) + 1))[:size] if unit else bytes(size)
    return what.encode()[:size].ljust(size, b"\0")
