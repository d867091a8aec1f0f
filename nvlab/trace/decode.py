"""Events in words: what an entry of the event stream says, and how to ask for some of them."""
from nvlab._core.trace import KINDS, SIDES, Kind
from nvlab.spec import registers
from nvlab.spec.commands import ADMIN, NVM, Command, Completion
from nvlab.spec.errors import UsageError
from nvlab.target.fault_kinds import NAMES as FAULTS

GROUPS = {
    "register": (Kind.REG_READ, Kind.REG_WRITE, Kind.REG_SET),
    "doorbell": (Kind.SQ_DOORBELL, Kind.CQ_DOORBELL),
    "command": (Kind.SQE_POST,),
    "completion": (Kind.CQE_POST, Kind.CQE_SEEN),
    "entry": (Kind.SQE_POST, Kind.SQE_FETCH, Kind.CQE_POST, Kind.CQE_SEEN),
    "queue": (Kind.QUEUE_NEW, Kind.QUEUE_GONE, Kind.RESET),
}
"""Words for several kinds at once, in filters."""

QUEUED = (Kind.SQ_DOORBELL, Kind.CQ_DOORBELL, Kind.SQE_POST, Kind.SQE_FETCH, Kind.DMA, Kind.CQE_POST, Kind.CQE_SEEN,
          Kind.QUEUE_NEW, Kind.QUEUE_GONE, Kind.INTERRUPT, Kind.FAULT, Kind.SQ_HEAD)
"""Kinds that belong to a queue."""

OF_COMMAND = (Kind.SQE_POST, Kind.SQE_FETCH, Kind.DMA, Kind.CQE_POST, Kind.CQE_SEEN, Kind.FAULT)
"""Kinds that belong to one command; a fault only where it names one."""

WRONG_PHASE = 1
"""What a FAULT holds in `b` when the completion that follows it bears the wrong Phase Tag."""

_BY_OFFSET = {register.offset: register for register in registers.ALL.values()}


# ---------------------------------------------------------------- filters

def kinds_of(wanted):
    """The kinds that a filter names: a Kind, its name or a word of GROUPS, or several of these. Raises UsageError."""
    found = set()
    for one in _several(wanted):
        word = str(one).lower().replace("-", "_").replace(" ", "_") if isinstance(one, str) else None
        if word in GROUPS:
            found.update(map(int, GROUPS[word]))
        elif word is not None and word.upper() in Kind.__members__:
            found.add(int(Kind[word.upper()]))
        elif word is None and 0 < int(one) < len(KINDS):
            found.add(int(one))
        else:
            raise UsageError(f"kind={one!r}: one of {', '.join(Kind.__members__)}; or of {', '.join(GROUPS)}, "
                             "which stand for several")
    return found


def sides_of(wanted):
    """The sides that a filter names: "host", "drive" or a Side. Raises UsageError."""
    found = set()
    for one in _several(wanted):
        number = SIDES.index(one) if one in SIDES else one
        if number not in (0, 1) or isinstance(number, str):
            raise UsageError(f"side={one!r}: {' or '.join(SIDES)}")
        found.add(int(number))
    return found


def opcodes_of(wanted):
    """What a filter by opcode names, as a set of (admin, opcode); admin is None where a number stands for either."""
    found = set()
    for one in _several(wanted):
        if not isinstance(one, str):
            found.add((None, numbers_of(one, "opcode", 0xFF).pop()))
            continue
        word = _plain(one)
        same = {(formats is ADMIN, opcode) for formats in (ADMIN, NVM) for opcode, known in formats.items()
                if _plain(known.name) == word}
        if not same:
            raise UsageError(f"opcode={one!r}: no command is called that; a number, or a name such as Read or Identify")
        found |= same
    return found


def numbers_of(wanted, name, highest=0xFFFF):
    """The numbers that a filter names: one or several. Raises UsageError."""
    found = set()
    for one in _several(wanted):
        if isinstance(one, (str, bool)) or not hasattr(one, "__index__") or not 0 <= one.__index__() <= highest:
            raise UsageError(f"{name}={one!r}: a number from 0 to {highest}, or several")
        found.add(one.__index__())
    return found


def _several(wanted):
    return wanted if isinstance(wanted, (list, tuple, set, frozenset, range)) else [wanted]


def _plain(name):
    return "".join(c for c in name.lower() if c.isalnum())


# ---------------------------------------------------------------- words

def register_text(offset, width, value):
    """(name, value in words) of a register access: ("CC", "0x460001 EN=1 IOSQES=6 IOCQES=4")."""
    register = _BY_OFFSET.get(offset)
    if register is None and _BY_OFFSET.get(offset - 4) is not None and _BY_OFFSET[offset - 4].size == 8:
        return f"{_BY_OFFSET[offset - 4].name}+4", f"{value:#x}"
    if register is None:
        return f"{offset:#x}", f"{value:#x}"
    if width < register.size:
        return register.name, f"{value:#x} (low half)"
    if register.name in ("ASQ", "ACQ"):
        return register.name, f"{value:#x}"
    decoded = register.decode(value & (1 << 8 * register.size) - 1)
    return register.name, " ".join([f"{value:#x}", *(f"{field.name}={int(v)}" for field, v in decoded.items() if v)])


def command_text(command):
    """A command in a few words: `Read nsid=1 slba=0 nlb=7`; the address of the first block is told even when it is 0."""
    text = command.brief()
    if "slba" in command.fields and not int(command.slba):
        head, space, tail = text.partition(f"nsid={int(command.nsid)}")
        text = f"{head}{space} slba=0{tail}" if space else f"{text} slba=0"
    return text


def key_of(a):
    """(opcode, cid, nsid) that an SQE_POST or SQE_FETCH holds."""
    return a & 0xFF, a >> 16 & 0xFFFF, a >> 32


def name_of(opcode, admin):
    """The name of a command."""
    known = (ADMIN if admin else NVM).get(opcode)
    return known.name if known else f"Command {opcode:#04x}"


def completion_of(a, b):
    """The Completion whose 16 bytes a CQE_POST or CQE_SEEN holds."""
    return Completion(int(a).to_bytes(8, "little") + int(b).to_bytes(8, "little"))


def completion_text(completion):
    """A completion in a few words: `cid=3 sqhd=4 p=1: Successful Completion`."""
    words = [f"cid={completion.cid} sqhd={completion.sqhd} p={completion.p}"]
    words += [f"dw0={int(completion.dw0):#x}"] if completion.dw0 else []
    return f"{' '.join(words)}: {completion.status.title if completion.ok else completion.status}"


def event_text(event):
    """One Event in words."""
    known = _TEXTS.get(event.kind)
    return known(event) if known else f"{KINDS[event.kind]} {event.index} {event.a:#x} {event.b:#x}"


def _read(e):
    name, value = register_text(e.a, e.index, e.b)
    return f"{name} -> {value}"


def _write(e):
    name, value = register_text(e.a, e.index, e.b)
    return f"{name} <- {value}"


def _set(e):
    register = _BY_OFFSET.get(e.a)
    name, value = register_text(e.a, register.size if register else 4, e.b)
    return f"{name} = {value}"


def _dma(e):
    size, writes = e.b & (1 << 63) - 1, e.b >> 63
    return f"{size} bytes {'to' if writes else 'from'} {e.a:#x} cid={e.index}{_whose(e)}"


def _whose(e):
    return f" ({name_of(e.opcode, e.sqid == 0)})" if e.opcode is not None else ""


def _post(e):
    return f"SQ{e.qid}[{e.index}] {command_text(e.command)} cid={e.cid}"


def _fetch(e):
    opcode, cid, _ = key_of(e.a)
    return f"SQ{e.qid}[{e.index}] {name_of(opcode, e.qid == 0)} cid={cid}"


def _completion(e):
    name = f" of {name_of(e.opcode, e.sqid == 0)}" if e.opcode is not None else ""
    return f"CQ{e.qid}[{e.index}]{name} SQ{e.sqid} {completion_text(e.completion)}"


def _queue_new(e):
    name = f"{'CQ' if e.b & 1 else 'SQ'}{e.qid}"
    to = "" if e.b & 1 else f", completes to CQ{e.b >> 16 & 0xFFFF}"
    return f"{name}: {e.index} entries at {e.a:#x}{to}"


def _interrupt(e):
    if e.side == "host":
        return f"vector {e.index} waited for"
    return f"vector {e.index} for CQ{e.qid}{', kept pending: it is masked' if e.b & 1 else ''}"


def _fault(e):
    if e.b == WRONG_PHASE:
        return f"CQ{e.qid}[{e.index}] gets the wrong Phase Tag"
    name = e.fault or f"fault {e.index}"
    return name if e.cid is None else f"{name}: {name_of(key_of(e.a)[0], e.qid == 0)} SQ{e.qid} cid={e.cid}"


_TEXTS = {
    Kind.REG_READ: _read, Kind.REG_WRITE: _write, Kind.REG_SET: _set,
    Kind.SQ_DOORBELL: lambda e: f"SQ{e.qid}TDBL <- {e.index}", Kind.CQ_DOORBELL: lambda e: f"CQ{e.qid}HDBL <- {e.index}",
    Kind.SQE_POST: _post, Kind.SQE_FETCH: _fetch, Kind.DMA: _dma, Kind.CQE_POST: _completion, Kind.CQE_SEEN: _completion,
    Kind.QUEUE_NEW: _queue_new, Kind.QUEUE_GONE: lambda e: f"{'CQ' if e.b & 1 else 'SQ'}{e.qid}",
    Kind.STEP: lambda e: e.step or f"step {e.index}", Kind.RESET: lambda e: "all queues forgotten",
    Kind.INTERRUPT: _interrupt, Kind.FAULT: _fault, Kind.SQ_HEAD: lambda e: f"SQ{e.qid} head {e.index}: the SQHD that follows can't be",
}


class Event:
    """One event of a Recording: `index` in it is `number`; the rest as recorded, decoded on demand.

    `time` ns since the recording began · `kind` Kind · `side` "host" or "drive" · `qid` · `index`, `a`, `b` as the kind
    needs (see nvlab._core.trace) · `text` in words · `command` the Command it belongs to, as far as it was recorded.
    """

    __slots__ = ("recording", "number", "time", "kind", "side", "qid", "index", "a", "b")

    def __init__(self, recording, number):
        row = recording.events[number]
        self.recording, self.number = recording, int(number)
        self.time, self.qid, self.index, self.a, self.b = (int(row[name]) for name in ("time", "qid", "index", "a", "b"))
        self.kind, self.side = Kind(int(row["kind"])), SIDES[row["side"]]

    @property
    def sqid(self):
        """The submission queue of the event's command; None where there is no command."""
        if self.kind in (Kind.CQE_POST, Kind.CQE_SEEN):
            return self.b >> 16 & 0xFFFF
        return self.qid if self.kind in OF_COMMAND and (self.kind != Kind.FAULT or self.a and not self.b) else None

    @property
    def cid(self):
        """The command identifier, or None."""
        found = int(self.recording.cids[self.number])
        return None if found < 0 else found

    @property
    def opcode(self):
        """The opcode of the event's command, or None."""
        found = int(self.recording.opcodes[self.number])
        return None if found < 0 else found

    @property
    def command(self):
        """The Command that was posted, or None where its posting wasn't recorded."""
        entry = self.recording.entry(self.number)
        return None if entry is None else Command.decode(entry, admin=self.sqid == 0)

    @property
    def completion(self):
        """The Completion that was posted or seen, or None."""
        return completion_of(self.a, self.b) if self.kind in (Kind.CQE_POST, Kind.CQE_SEEN) else None

    @property
    def step(self):
        """The name of the step that began, or None."""
        texts = self.recording.texts
        return texts[self.index] if self.kind == Kind.STEP and self.index < len(texts) else None

    @property
    def fault(self):
        """What the drive did wrong as it was told to, by name; None for another event."""
        if self.kind != Kind.FAULT or self.b:
            return None
        return FAULTS[self.index] if self.index < len(FAULTS) else None

    @property
    def text(self):
        """The event in words: "SQ1TDBL <- 5"."""
        return event_text(self)

    def row(self):
        """(time in us, side, kind, text): a line of a table."""
        return f"{self.time / 1000:.3f}", self.side, KINDS[self.kind], self.text

    def __eq__(self, other):
        return isinstance(other, Event) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def _key(self):
        return self.time, self.kind, self.side, self.qid, self.index, self.a, self.b

    def __str__(self):
        return f"{self.time / 1000:12.3f}  {self.side:5}  {KINDS[self.kind]:16}  {self.text}"

    def __repr__(self):
        return f"<{self.time / 1000:.3f} us, {self.side}, {KINDS[self.kind]}: {self.text}>"
