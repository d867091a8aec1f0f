"""Back-traces for a recording: who made each event of the host's Python, as it was made.

    with nvlab.Trace(ctrl, stacks=True) as trace:
        ctrl.start()
    trace.stacks.of(trace.recording())       # {number of an event: its Backtrace}

Walking the stack costs some 50 us an event: this is for code that is looked at, not for loops. The core's loops have no Python
frames, and no back-trace.
"""
import collections
import sys

import numpy as np

from nvlab._core.trace import Kind, Side, now
from nvlab.spec.errors import UsageError

from .backtrace import backtrace
from .breakpoints import HostEvent

KEPT = 20_000
"""Back-traces kept at most, the newest."""

_OFFSETS = (Kind.REG_READ, Kind.REG_WRITE)


class Stacks:
    """Records the back-trace of each event that Python makes at a controller. A context manager.

    `traced` is a Trace or a Controller; `last` a code object that ends each back-trace, or None. It uses the same hook as a
    Debugger and a Watch: one of them at a time.
    """

    def __init__(self, traced, last=None, kept=KEPT):
        self._lane, self._stride = traced.function.bar.lane, getattr(traced.function.bar, "doorbell_stride", 4)
        self._last, self._noted = last, collections.deque(maxlen=kept)

    @property
    def on(self):
        """True while it records."""
        return self._lane.hook == self._note

    def start(self):
        """Record from now on. Returns self. Raises UsageError while a debugger or a watch has the hook."""
        if not self.on and self._lane.hook is not None:
            raise UsageError("a debugger or a watch looks at each event of this controller already: end that first")
        self._lane.hook = self._note
        return self

    def stop(self):
        """Record nothing more; what was recorded stays. Harmless when repeated."""
        if self.on:
            self._lane.hook = None

    def __len__(self):
        return len(self._noted)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def _note(self, kind, qid, index, a, value):
        """Called by the core before each event of Python's."""
        key = (int(kind), int(qid), int(index), int(a) if kind in _OFFSETS else 0)
        frames = backtrace(sys._getframe(1), self._event(Kind(kind), qid, index, a, value), self._last)
        for frame in frames:
            frame.forget()
        self._noted.append((now(), key, frames))

    def _event(self, kind, qid, index, a, value):
        """What the innermost frame, the core's, is told of; None where that isn't the core's."""
        if kind in (Kind.REG_READ, Kind.REG_WRITE):
            return HostEvent(kind, offset=a, width=index, value=value, stride=self._stride)
        if kind in (Kind.SQ_DOORBELL, Kind.CQ_DOORBELL):
            return HostEvent(kind, qid, offset=a, value=index, stride=self._stride)
        return HostEvent(kind, qid, slot=index) if kind in (Kind.SQE_POST, Kind.CQE_SEEN) else None

    def of(self, recording):
        """{number: Backtrace} for the events of a whole Recording whose stack was seen: each is the first such event after it."""
        events, found, places = recording.events, {}, {}
        times = events["time"].astype(np.int64) + int(recording.origin)
        mine = np.flatnonzero(events["side"] == Side.HOST)
        for when, key, frames in list(self._noted):
            if key not in places:
                kind, qid, index, a = key
                fits = (events["kind"][mine] == kind) & (events["qid"][mine] == qid) & (events["index"][mine] == index)
                if kind in _OFFSETS:
                    fits &= events["a"][mine] == a
                places[key] = mine[fits]
            those = places[key]
            at = int(np.searchsorted(times[those], when))
            if at < len(those):
                found[int(those[at])] = frames
        return found
