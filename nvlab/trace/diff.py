"""Where two recordings part: what each host did to its controller, times, command identifiers and addresses aside."""
import difflib

import numpy as np

from nvlab._core.trace import Kind
from nvlab.spec import registers
from nvlab.spec.render import Table, mimebundle

from .decode import command_text

ACTIONS = ("REG_READ", "REG_WRITE", "SQ_DOORBELL", "CQ_DOORBELL", "SQE_POST")
ADDRESSES = frozenset(register.offset + at for register in (registers.ASQ, registers.ACQ) for at in (0, 4))
POINTERS = slice(16, 40)
"""MPTR, PRP1 and PRP2 in an entry: bytes 16 to 39."""

LONGEST = 20000
"""Actions that are aligned one by one after the point where the recordings part; of more, the rest isn't compared."""

CONTEXT = 3
"""Actions in common that a report shows before and after a difference."""


def diff(a, b, reads=True):
    """Compare what two hosts did, as recorded: a Diff, which is false when they did the same.

    `a` and `b` are Recordings or Traces. Compared are register accesses, doorbells and commands, in order; times, command
    identifiers and addresses (of queues, of data) don't count, nor how often a register was polled. `reads` False leaves
    register reads out.
    """
    a, b = (one.recording() if hasattr(one, "recording") else one for one in (a, b))
    return Diff(_Side(a, reads), _Side(b, reads))


class _Side:
    """What one host did: a token for each action, and the event that it was."""

    def __init__(self, recording, reads):
        wanted = [int(Kind[name]) for name in ACTIONS if reads or name != "REG_READ"]
        self.recording, self.tokens, self.numbers = recording, [], []
        for number in np.flatnonzero(np.isin(recording.events["kind"], wanted)).tolist():
            event = recording[number]
            token = _token(event)
            if event.kind == Kind.REG_READ and self.tokens and self.tokens[-1] == token:
                continue                         # polling: how often is a matter of time
            self.tokens.append(token)
            self.numbers.append(number)

    def event(self, place):
        """The Event of an action."""
        return self.recording[self.numbers[place]]

    def text(self, place):
        """An action in words, without what doesn't count."""
        event = self.event(place)
        if event.kind == Kind.SQE_POST:
            return f"SQ{event.qid}: {command_text(event.command)}"
        return " ".join([*event.text.split(" ")[:2], "(an address)"]) if _is_address(event) else event.text

    def outcome(self, place):
        """The status that a command's completion brought, as text; None for another action, or one that wasn't completed."""
        number = self.numbers[place]
        if self.recording.events["kind"][number] != Kind.SQE_POST:
            return None
        commands = self.recording.commands
        seen = int(commands["seen"][np.searchsorted(commands["posted"], number)])
        return str(self.recording[seen].completion.status) if seen >= 0 else "no completion"


def _is_address(event):
    return event.kind in (Kind.REG_READ, Kind.REG_WRITE) and event.a in ADDRESSES


def _token(event):
    """What makes an action the same as another."""
    if event.kind == Kind.SQE_POST:
        raw = bytearray(event.recording.events["sqe"][event.number].tobytes())
        raw[2:4] = bytes(2)
        raw[POINTERS] = bytes(bool(word.any()) for word in np.frombuffer(raw[POINTERS], "<u8")) + bytes(21)
        return int(event.kind), event.qid, bytes(raw)
    if _is_address(event):
        return int(event.kind), event.a, event.index
    if event.kind in (Kind.SQ_DOORBELL, Kind.CQ_DOORBELL):
        return int(event.kind), event.qid, event.index
    return int(event.kind), event.a, event.index, event.b


class Diff:
    """The differences between two recordings; false when there are none.

    `hunks` [(first of a, last of a, first of b, last of b)] slices of the actions that differ · `first` (Event of a, Event
    of b) where they part (None: that one had ended), or None · `outcomes` [(Event, status in a, status in b)] of the same
    commands that ended differently · `text()` a report.
    """

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.hunks, self.cut = _hunks(a.tokens, b.tokens)
        self.first = None
        if self.hunks:
            i, _, j, _ = self.hunks[0]
            self.first = tuple(side.event(n) if n < len(side.tokens) else None for side, n in ((a, i), (b, j)))
        self.outcomes = [(a.event(i), one, other) for i, j in self._pairs()
                         if (one := a.outcome(i)) != (other := b.outcome(j))]

    def _pairs(self):
        """(place in a, place in b) of all actions that both took."""
        i = j = 0
        end = [] if self.cut else [(len(self.a.tokens),) * 2 + (len(self.b.tokens),) * 2]
        for first_a, last_a, first_b, last_b in [*self.hunks, *end]:
            yield from zip(range(i, first_a), range(j, first_b))
            i, j = last_a, last_b

    def __bool__(self):
        return bool(self.hunks or self.outcomes)

    def text(self):
        """A report: - what only a did, + what only b did, with what both did around it."""
        count = f"a: {len(self.a.tokens)} actions of the host, b: {len(self.b.tokens)}"
        if not self:
            return f"the same ({count})"
        lines = [count]
        shown = 0                                # of a, up to here
        for first_a, last_a, first_b, last_b in self.hunks:
            start = max(shown, first_a - CONTEXT)
            lines += [f"… {start - shown} the same"] if start > shown else []
            lines += [f"  {self.a.text(n)}" for n in range(start, first_a)]
            lines += [f"- {self.a.text(n)}" for n in range(first_a, last_a)]
            lines += [f"+ {self.b.text(n)}" for n in range(first_b, last_b)]
            shown = last_a
        if self.cut:
            lines.append("… the rest isn't compared: it is too long")
        elif len(self.a.tokens) > shown:
            lines.append(f"… {len(self.a.tokens) - shown} the same")
        lines += [f"! {command_text(event.command)}: {one} in a, {other} in b" for event, one, other in self.outcomes]
        return "\n".join(lines)

    def table(self):
        """The report as a render.Table."""
        return Table("Two recordings", ("",), [(line,) for line in self.text().split("\n")], numbers=("",))

    def __repr__(self):
        return self.text()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())


def _hunks(a, b):
    """([(first of a, last of a, first of b, last of b)], cut): what differs; what is the same at both ends is taken off first."""
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    left, right = a[head:len(a) - tail], b[head:len(b) - tail]
    cut = max(len(left), len(right)) > LONGEST
    numbers = {}
    left, right = ([numbers.setdefault(token, len(numbers)) for token in some[:LONGEST]] for some in (left, right))
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=max(len(left), len(right)) > 2000)
    return [(head + i, head + j, head + m, head + n) for op, i, j, m, n in matcher.get_opcodes() if op != "equal"], cut


def _common(a, b):
    """How many tokens are the same from the beginning."""
    for n, (one, other) in enumerate(zip(a, b)):
        if one != other:
            return n
    return min(len(a), len(b))
