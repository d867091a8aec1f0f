"""One instant, small enough to be sent many times: the rings of all queue pairs and the registers, for a panel to draw.

The instant may be of a recording (a State) or now, of a live controller. `PastPair`, `PastDrive` and `PastRegisters` stand for a
queue pair, its drive and the registers as a recording has them at an instant that moves: views of live ones can be given them.
"""

import contextlib

import numpy as np

from nvlab.spec import registers
from nvlab.spec.errors import Error, UsageError
from nvlab.spec.render import hexadecimal
from nvlab.tools import draw
from nvlab.trace.baseline import rings_of

FIRST = ("CC", "CSTS", "AQA", "ASQ", "ACQ", "CAP", "VS", "INTMS", "INTMC")
"""Registers that a person looks for, in that order; the others follow."""


# ---------------------------------------------------------------- as plain values

def of_state(state) -> dict:
    """A State of a recording as {"rings": [...], "regs": [...]}, plain values for JSON."""
    return {"rings": [_pair(pair, state) for _, pair in sorted(state.pairs.items())],
            "regs": registers_rows(state.registers)}


def of_controller(ctrl, registers=True) -> dict:
    """The same of a live controller. Reads memory, and registers only where no drive can be asked what it holds."""
    sqs, _ = rings_of(ctrl)
    pairs = [sqs[qid].pair for qid in sorted(sqs) if sqs[qid].pair is not None]
    return {"rings": [_pair(pair, ctrl.ssd) for pair in pairs], "regs": registers_of(ctrl) if registers else []}


def registers_of(ctrl) -> list:
    """The registers of a live controller, as registers_rows() tells them."""
    return registers_rows(registers_now(ctrl))


def registers_now(ctrl) -> dict:
    """{name: snapshot} of a live controller's registers, without a read that the driver didn't make where its drive can be asked."""
    if ctrl.ssd is None:
        with contextlib.suppress(Error):
            return ctrl.regs.snapshot()
        return {}
    held = dict(ctrl.ssd.controller.values)
    found = {}
    for name, register in registers.ALL.items():
        parts = [held.get(register.offset + at) for at in range(0, register.size, 4)]
        if register.readable and (parts[0] is not None or name in FIRST[:5]):
            whole = sum((part or 0) << 32 * n for n, part in enumerate(parts))
            found[name] = register.decode(whole & (1 << 8 * register.size) - 1)
    return found


def registers_rows(values) -> list:
    """[[name, hexadecimal, fields that aren't 0, title]] of {name: snapshot}, the ones looked for first; zeros left out."""
    order = [name for name in FIRST if name in values] + [name for name in values if name not in FIRST]
    rows = []
    for name in order:
        value, register = values[name], registers.ALL[name]
        if int(value) or name in FIRST[:5]:
            said = "" if name in ("ASQ", "ACQ") else " ".join(f"{f.name}={int(v)}" for f, v in value.items() if v)
            rows.append([name, hexadecimal(value, register.size), said, register.title])
    return rows


def _pair(pair, tell):
    try:
        rings = draw.snapshot(pair, tell)
    except (TypeError, AttributeError):                        # a recording that doesn't know where it all stood
        return {"qid": int(pair.qid), "busy": None, "sq": None, "cq": None}
    return {"qid": int(rings.qid), "busy": rings.busy, "sq": rings.sq and _ring(rings.sq), "cq": rings.cq and _ring(rings.cq)}


def _ring(ring):
    return {"kind": ring.kind, "qid": ring.qid, "depth": ring.depth, "doorbell": ring.doorbell,
            "host": {name: int(value) for name, value in ring.host.items()},
            "drive": ring.drive and {name: None if value is None else int(value) for name, value in ring.drive.items()},
            "runs": runs(ring.life)}


def runs(life) -> list:
    """[life, how many, life, how many, …] of an array of lives: what is next to each other and alike, together."""
    life = np.asarray(life)
    starts = np.flatnonzero(np.concatenate(([True], life[1:] != life[:-1])))
    lengths = np.diff(np.append(starts, len(life)))
    return [int(x) for pair in zip(life[starts], lengths) for x in pair]


# ---------------------------------------------------------------- as objects that other views take

class NotThere(UsageError):
    """A queue pair doesn't exist at the instant that is looked at; its words say whether it is to come or was deleted."""


class PastPair:
    """Queue pair `qid` as it stood at the instant that `state()` tells: `sq`, `cq`, `owner`, as a live pair has them.

    `live()` gives the pair of the controller for the instant "now", or None.
    """

    def __init__(self, qid, state, live=lambda: None):
        self.qid, self._state, self._live = qid, state, live

    def _pair(self):
        pair = self._live()
        if pair is None:
            state = self._state()
            pair = state.pairs.get(self.qid) if state is not None else None
        if pair is None:
            raise NotThere(f"there is no queue pair {self.qid} at this instant: {self._fate()}")
        if pair.owner is None and (pair.sq.entries is None or pair.sq.tail is None or pair.cq.head is None):
            raise UsageError(f"of queue pair {self.qid} the recording doesn't know enough at this instant")
        return pair

    def _fate(self):
        """What became of a pair that isn't there, in words."""
        state = self._state()
        return {"before": "it is made later", "after": "it was there earlier and is gone", "never": "the recording knows of none"}[
            "never" if state is None else state.when(self.qid)]

    @property
    def owner(self):
        """Who has the pair; never anybody in the past."""
        return self._pair().owner

    @property
    def sq(self):
        """Its SubmissionQueue, or SqState."""
        return self._pair().sq

    @property
    def cq(self):
        """Its CompletionQueue, or CqState."""
        return self._pair().cq

    @property
    def depth(self):
        """Entries of the submission queue."""
        return self.sq.depth

    def __repr__(self):
        return f"<queue pair {self.qid} at an instant>"


class PastDrive:
    """What the drive believed of its queues at the instant that `state()` tells."""

    def __init__(self, state, live=lambda: None):
        self._state, self._live = state, live

    def queue_state(self, qid):
        """As ssd.queue_state() tells it; None where there is no such queue, or it isn't known."""
        now = self._live()
        if now is not None:
            return now.queue_state(qid)
        state = self._state()
        return None if state is None else state.queue_state(qid)


class PastRegisters:
    """The registers at the instant that `state()` tells, for a RegistersView; `live()` is the controller for the instant "now", or None."""

    closed = False

    def __init__(self, address, state, live=lambda: None):
        self.address, self._state, self._live = address, state, live

    def values(self) -> dict:
        """{name: snapshot} of the registers that are known at the instant."""
        now = self._live()
        return self._state().registers if now is None else registers_now(now)

    def __repr__(self):
        return f"<registers of {self.address} at an instant>"
