"""Where to stop: the host's events as they are about to happen, and the breakpoints that wait for some of them."""
import math
import re

from nvlab._core.trace import Kind
from nvlab.spec import registers
from nvlab.spec.commands import Command, Completion
from nvlab.spec.errors import UsageError

from .decode import command_text, completion_text, kinds_of, name_of, numbers_of, opcodes_of, register_text

HOST_KINDS = (Kind.REG_READ, Kind.REG_WRITE, Kind.SQ_DOORBELL, Kind.CQ_DOORBELL, Kind.SQE_POST, Kind.CQE_SEEN)
"""What a host does that a breakpoint can stand before."""

QUEUE_KINDS = HOST_KINDS[2:]
WRITES, READS = (Kind.REG_WRITE, Kind.SQ_DOORBELL, Kind.CQ_DOORBELL), (Kind.REG_READ,)
ACCESSES = {"write": WRITES, "read": READS, "any": WRITES + READS}
WORDS = {"event": HOST_KINDS, "register_read": READS, "register_write": (Kind.REG_WRITE,), "entry": HOST_KINDS[4:],
         "command": (Kind.SQE_POST,), "completion": (Kind.CQE_SEEN,), "error": (Kind.CQE_SEEN,), "step": (Kind.STEP,)}
"""Words of break_on(), before those of a trace's filters."""

TITLES = {Kind.REG_READ: "register reads", Kind.REG_WRITE: "register writes", Kind.SQ_DOORBELL: "SQ doorbells",
          Kind.CQ_DOORBELL: "CQ doorbells", Kind.SQE_POST: "entries posted", Kind.CQE_SEEN: "completions seen",
          Kind.STEP: "steps"}


class HostEvent:
    """Something that the host is about to do.

    `kind` Kind · `qid` None for a register · `register` its name, or None · `offset` in the BAR · `value` what is written,
    decoded (None for a read) · `old` a doorbell's value before · `slot` of an entry · `commands` those it is about: the one
    posted or completed, or all that a doorbell announces or gives back · `completions` the same for completions ·
    `step` the name of a step of the bring-up, or None · `text` in words.
    """

    def __init__(self, kind, qid=None, *, offset=None, width=4, value=None, old=None, slot=None, stride=4, commands=(), completions=(),
                 step=None):
        self.kind, self.qid, self.offset, self.width, self.old, self.slot = Kind(kind), qid, offset, width, old, slot
        self.commands, self.completions = tuple(commands), tuple(completions)
        self.register = None if offset is None else _name_at(offset, stride)
        self.raw_value, self.step = value, step
        self.value = self._decoded(value, stride)

    def _decoded(self, value, stride):
        if value is None or self.register is None or "+" in self.register:
            return value
        register = registers.lookup(self.register, int(math.log2(stride // 4)))
        return register.decode(value & (1 << 8 * register.size) - 1)

    @property
    def command(self):
        """The command it is about: the last one, where a doorbell announces several. None where there is none."""
        return self.commands[-1] if self.commands else None

    @property
    def completion(self):
        """The completion it is about, or None."""
        return self.completions[-1] if self.completions else None

    @property
    def text(self):
        """In words: "SQ0TDBL <- 1: Identify cns=1 cid=0"."""
        if self.kind == Kind.STEP:
            return f"step {self.step!r}"
        if self.kind == Kind.REG_READ:
            return f"read of {self.register or hex(self.offset)}"
        if self.kind == Kind.REG_WRITE:
            return " <- ".join(register_text(self.offset, self.width, int(self.raw_value)))
        if self.kind == Kind.SQE_POST:
            return f"SQ{self.qid}[{self.slot}] <- {entry_text(self.command)}"
        if self.kind == Kind.CQE_SEEN:
            return f"CQ{self.qid}[{self.slot}]: {self._whose(self.completion)}{completion_text(self.completion)}"
        return f"{self.register or hex(self.offset)} <- {int(self.value)}{self._about()}"

    def _about(self):
        """What a doorbell tells of: one entry in words, of several how many."""
        entries = self.commands if self.kind == Kind.SQ_DOORBELL else self.completions
        if not entries:
            return ""
        if len(entries) > 1:
            return f": {len(entries)} {'commands' if self.kind == Kind.SQ_DOORBELL else 'completions'}"
        if self.kind == Kind.SQ_DOORBELL:
            return f": {entry_text(self.command)}"
        return f": {self._whose(self.completion)}cid={self.completion.cid}: {self.completion.status.title}"

    def _whose(self, completion):
        return f"{self.command.name} " if self.command is not None else ""

    def names(self):
        """What a condition may call by name."""
        command, completion = self.command, self.completion
        whose = command if command is not None else completion
        found = {"event": self, "kind": self.kind, "qid": self.qid, "value": self.value, "old": self.old, "offset": self.offset,
                 "slot": self.slot, "step": self.step, "command": command, "completion": completion,
                 "opcode": None if command is None else int(command.opc), "nsid": None if command is None else int(command.nsid),
                 "cid": None if whose is None else int(whose.cid)}
        if self.register and self.value is not None and self.register.isidentifier():
            found[self.register] = self.value
        return found

    def __str__(self):
        return self.text

    def __repr__(self):
        return f"<{self.text}>"


def entry_text(command):
    """A command that is or will be in a queue, in words."""
    return f"{command_text(command)} cid={command.cid}"


def _name_at(offset, stride):
    found = registers.name_at(offset, int(math.log2(stride // 4)))
    if found is None and offset < registers.DOORBELLS and offset % 8 == 4:
        upper = registers.name_at(offset - 4)                # the upper half of a 64-bit register, written by itself
        found = f"{upper}+4" if upper and registers.ALL[upper].size == 8 else None
    return found


class History:
    """What the host has done so far, as far as an event's words need it: which commands wait for their doorbell."""

    def __init__(self, pairs=(), cqs=()):
        self.known, self.posted, self.seen, self.rung = {}, {}, {}, {}
        for pair in pairs:
            sq, rung = pair.sq, int(pair.sq.rung or 0)
            self.known.update({(sq.qid, cid): request.command for cid, request in list(sq.outstanding.items())})
            waiting = [(rung + i) % sq.depth for i in range((sq.tail - rung) % sq.depth)]
            self.posted[sq.qid] = [Command.decode(bytes(sq.entries[slot]), admin=sq.qid == 0) for slot in waiting]
            self.rung[Kind.SQ_DOORBELL, sq.qid] = rung
        for cq in cqs:
            self.rung[Kind.CQ_DOORBELL, cq.qid] = int(cq.rung or 0)

    def event(self, kind, qid, index, a, value, stride=4):
        """The HostEvent of what the core announces; remembered as done."""
        kind = Kind(kind)
        if kind == Kind.STEP:
            return HostEvent(kind, step=value)
        if kind == Kind.SQE_POST:
            command = Command.decode(value, admin=qid == 0)
            self.known[qid, int(command.cid)] = command
            self.posted.setdefault(qid, []).append(command)
            return HostEvent(kind, qid, slot=index, commands=[command])
        if kind == Kind.CQE_SEEN:
            completion = Completion(value)
            command = self.known.pop((int(completion.sqid), int(completion.cid)), None)
            self.seen.setdefault(qid, []).append((completion, command))
            return HostEvent(kind, qid, slot=index, commands=[command] if command else [], completions=[completion])
        if kind in (Kind.SQ_DOORBELL, Kind.CQ_DOORBELL):
            return self._doorbell(kind, qid, index, a, stride)
        if kind == Kind.REG_WRITE and a == registers.CC.offset and not value & 1:
            self.__init__()                                  # a reset: no queue is left (base 2.0c 3.7.2)
        return HostEvent(kind, offset=a, width=index, value=value, stride=stride)

    def _doorbell(self, kind, qid, index, a, stride):
        old, self.rung[kind, qid] = self.rung.get((kind, qid), 0), index
        if kind == Kind.SQ_DOORBELL:
            return HostEvent(kind, qid, offset=a, value=index, old=old, stride=stride, commands=self.posted.pop(qid, ()))
        found = self.seen.pop(qid, [])
        return HostEvent(kind, qid, offset=a, value=index, old=old, stride=stride, completions=[c for c, _ in found],
                         commands=[command for _, command in found if command])


class Breakpoint:
    """One place to stop at. `number` · `what` in words · `hits` so far · `enabled`, `ignore` (hits to let pass), `temporary`
    and `condition` (an expression, a function of the HostEvent, or None) may be changed at any time.
    """

    def __init__(self, number, what, kinds, *, register=None, value=None, opcodes=None, queues=None, cids=None, error=False,
                 condition=None, temporary=False, ignore=0):
        self.number, self.what, self.kinds, self.register = number, what, frozenset(kinds), register
        self.accepted, self.opcodes, self.queues, self.cids, self.error = value, opcodes, queues, cids, error
        self.temporary, self.ignore, self.enabled, self.hits = temporary, ignore, True, 0
        self.condition = condition

    @property
    def condition(self):
        """The expression (text) or function that must hold, or None."""
        return self._condition

    @condition.setter
    def condition(self, condition):
        if isinstance(condition, str):
            try:
                self._code = compile(condition.strip(), "<condition>", "eval")
            except SyntaxError as error:
                raise UsageError(f"condition {condition!r}: {error.msg}; an expression such as value > 3 or CC.EN == 1") from None
        elif condition is not None and not callable(condition):
            raise UsageError(f"condition={condition!r}: an expression as text, or a function of the event")
        self._condition = condition

    def covers(self, event):
        """Whether `event` is what this breakpoint waits for, its condition aside."""
        if event.kind not in self.kinds or (self.register is not None and not self._at(event)):
            return False
        if self.queues is not None and event.qid not in self.queues:
            return False
        if self.error and all(completion.ok for completion in event.completions):
            return False
        if self.opcodes is not None and not any((admin, int(c.opc)) in self.opcodes for c in event.commands for admin in (None, c.admin)):
            return False
        whose = event.commands or event.completions
        return self.cids is None or any(int(entry.cid) in self.cids for entry in whose)

    def _at(self, event):
        if event.offset is None or (event.register or hex(event.offset)).removesuffix("+4") != self.register:
            return False
        wanted = self.accepted
        if wanted is None or event.raw_value is None:
            return wanted is None
        return event.raw_value in wanted if hasattr(wanted, "__contains__") else event.raw_value == wanted

    def holds(self, event, names):
        """Whether the condition holds; `names` are what an expression may use beside the event's. What it raises is raised."""
        if self._condition is None:
            return True
        if callable(self._condition):
            return bool(self._condition(event))
        return bool(eval(self._code, {**names, **event.names()}))

    def hit(self):
        """Count a hit. False while hits are to be ignored."""
        self.hits += 1
        if self.ignore > 0:
            self.ignore -= 1
            return False
        return True

    def row(self):
        """(number, disposition, enabled, what): a line of a table."""
        extra = f" if {self._condition if isinstance(self._condition, str) else 'a function says so'}" if self._condition else ""
        hits = f", hit {self.hits} time{'s' if self.hits != 1 else ''}" if self.hits else ""
        skip = f", ignores the next {self.ignore}" if self.ignore else ""
        return str(self.number), "del" if self.temporary else "keep", "y" if self.enabled else "n", f"{self.what}{extra}{hits}{skip}"

    def __str__(self):
        return f"{'Temporary breakpoint' if self.temporary else 'Breakpoint'} {self.number} at {self.what}" + (
            f" if {self._condition}" if isinstance(self._condition, str) else "")

    def __repr__(self):
        return f"<{self}{'' if self.enabled else ', disabled'}, {self.hits} hits>"


def at_register(number, register, value=None, access=None, opcode=None, dstrd=0, **how):
    """The Breakpoint at a register: its name, offset or Register. Raises UsageError for what can't be."""
    found = find_register(register, dstrd)
    access = access or {"ro": "read", "rw1c": "any"}.get(found.access, "write")        # CSTS is written, too, but seldom
    if value is not None and found.writable and access == "any":
        access = "write"
    if access not in ACCESSES:
        raise UsageError(f"access={access!r}: write, read or any")
    if access == "read" and not found.readable or access == "write" and not found.writable:
        raise UsageError(f"{found.name} is {'write' if access == 'read' else 'read'}-only ({found.cite}): no {access} of it ever comes")
    if value is not None and access != "write":
        raise UsageError(f"value={value!r}: what a read gives is known after it; stop at the write, or step() past the read and look")
    if opcode is not None and found.offset < registers.DOORBELLS:
        raise UsageError(f"opcode={opcode!r} at {found.name}: only doorbells tell of commands")
    words = [found.name] + ([] if access == "write" or not found.writable else ["read" if access == "read" else "read or written"])
    if value is not None:
        words.append(f"<- {value_text(value)}")
    if opcode is not None:
        words.append(f"for {opcode_text(opcode)}")
    return Breakpoint(number, " ".join(words), ACCESSES[access], register=found.name, value=_accepted(value),
                      opcodes=None if opcode is None else opcodes_of(opcode), **how)


def find_register(register, dstrd=0):
    """The Register meant by a name in any case, an offset, or a Register. Raises RegisterError."""
    if isinstance(register, registers.Register):
        return register
    if hasattr(register, "__index__"):
        name = registers.name_at(register.__index__(), dstrd)
        if name is None:
            raise UsageError(f"no register begins at offset {register:#x} (base 2.0c 3.1.3)")
        register = name
    return registers.lookup(str(register).upper(), dstrd)


def on_event(number, what=None, opcode=None, queue=None, cid=None, error=False, **how):
    """The Breakpoint on a kind of event. Raises UsageError for what can't be."""
    if what is None and opcode is None and queue is None and cid is None and not error:
        raise UsageError('break_on(): say what to stop on: an event ("register read", "doorbell", "event"), opcode=, queue=, cid=, '
                         "error=True")
    error = error or what == "error"
    queues = None if queue is None else numbers_of(queue, "queue")
    opcodes = None if opcode is None else opcodes_of(opcode)
    if what is not None:
        kinds = _kinds(what)
    else:
        kinds = (Kind.CQE_SEEN,) if error else (Kind.SQE_POST,) if opcode is not None else QUEUE_KINDS
    words = [what.replace("_", " ").replace("-", " ") if isinstance(what, str) and what != "error" else
             opcode_text(opcode) if opcode is not None and what is None and not error else
             ", ".join(TITLES[kind] for kind in TITLES if kind in kinds)]
    if opcode is not None and (what is not None or error):
        words.append(f"of {opcode_text(opcode)}")
    words += ["with an error status"] if error else []
    words += [f"on queue {', '.join(map(str, sorted(queues)))}"] if queues else []
    words += [f"cid {', '.join(map(str, sorted(numbers_of(cid, 'cid'))))}"] if cid is not None else []
    return Breakpoint(number, " ".join(words), kinds, opcodes=opcodes, queues=queues, error=error,
                      cids=None if cid is None else numbers_of(cid, "cid"), **how)


def _kinds(what):
    word = re.sub(r"[\s-]+", "_", what.strip().lower()).removesuffix("s") if isinstance(what, str) else None
    kinds = WORDS.get(word) or kinds_of(word or what)
    kinds = [kind for kind in (*HOST_KINDS, Kind.STEP) if kind in kinds]
    if not kinds:
        raise UsageError(f"{what!r}: a breakpoint stands before what the host does: {', '.join(WORDS)}, doorbell, register")
    return kinds


def opcode_text(opcode):
    """An opcode, or several, as they were asked for, in words."""
    several = opcode if isinstance(opcode, (list, tuple, set, frozenset)) else [opcode]
    names = []
    for one in several:
        admin, number = next(iter(sorted(opcodes_of(one), key=str)))
        names.append(name_of(number, admin) if admin is not None else f"opcode {number:#04x}")
    return " or ".join(names)


def _accepted(value):
    """`value` as what `in` or == can be asked."""
    if value is None or hasattr(value, "__contains__") and not isinstance(value, str):
        return value
    return numbers_of(value, "value", (1 << 64) - 1).pop()


def value_text(value):
    """A value or range in words."""
    if isinstance(value, range) and value.step == 1 and len(value):
        return f"{value[0]} to {value[-1]}"
    return (str(int(value)) if value < 4096 else hex(value)) if hasattr(value, "__index__") else str(value)
