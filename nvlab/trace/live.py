"""Tracing a live controller: on and off at run time, in fixed memory, to be looked at while it records."""
import time
import weakref

from nvlab._core.trace import now
from nvlab.pci.function import Function
from nvlab.spec.errors import UsageError

from .baseline import Unknown, held_still, snapshot
from .recording import RECORD, Recording
from .stacks import Stacks

_RECORDING = weakref.WeakKeyDictionary()
"""Function -> the Trace that records it now."""

DELEGATED = frozenset((
    "events", "dropped", "baseline", "address", "origin", "began", "gaps", "seconds", "sqids", "cids", "opcodes", "commands",
    "latencies", "select", "at", "after", "save", "to_perfetto", "text", "table", "title"))
"""What a Trace answers as its recording() does."""


class Trace:
    """What happens at a controller: its registers, doorbells, entries and transfers, with times, from both sides.

    `with nvlab.Trace(ctrl) as trace:` records what the block does; start() and stop() do so by hand. It reads as a Recording
    does (len, iteration, select, at, text, save, …), also while it records. One Trace at a time can record a controller.
    `ctrl` may be a Function, of which nobody has made a Controller yet: its whole life is then recorded. With `stacks` the
    back-trace of each event that Python makes is recorded, too: `trace.stacks`, a Stacks; that costs some 50 us an event.
    """

    load = staticmethod(Recording.load)

    def __init__(self, ctrl, stacks=False):
        self.controller, self.function = (Unknown(ctrl), ctrl) if isinstance(ctrl, Function) else (ctrl, ctrl.function)
        self.stacks = Stacks(self) if stacks else None
        self._kept, self._stamp, self._baseline, self._origin, self._began = None, None, None, 0, 0

    @property
    def on(self):
        """True while it records."""
        return _RECORDING.get(self.function) is self

    def start(self, memory=None):
        """Record from now on, beginning anew. Returns self.

        `memory` bytes are at most used by each writer (the host, the drive, each perf worker): room for memory/96 events, the
        newest; it counts at a controller's first trace. None: what the lanes have. Raises UsageError when it is recorded already.
        """
        other = _RECORDING.get(self.function)
        if other is not None:
            raise UsageError(f"{'this' if other is self else 'another'} Trace records {self.controller.address} already: "
                             "stop() it first")
        room = None if memory is None else _room(memory)
        if self.stacks is not None:
            self.stacks.start()
        self._begin(room)
        return self

    def _begin(self, room=None):
        """Forget what was recorded, note how everything stands, and record."""
        lanes = self.function.lanes
        with held_still(self.controller) as held:
            for lane in lanes:
                lane.stop()
                lane.clear()
            self._baseline = snapshot(self.controller, held)
            self._kept, self._stamp, self._origin, self._began = None, None, now(), time.time_ns()
            for lane in lanes:
                lane.start() if room is None else lane.start(room)
            _RECORDING[self.function] = self

    def stop(self):
        """Record nothing more; what was recorded stays. Returns the Recording. Harmless when it doesn't record."""
        if self.on:
            if self.stacks is not None:
                self.stacks.stop()
            for lane in self.function.lanes:
                lane.stop()
            del _RECORDING[self.function]
            self._kept = self._read()
        return self.recording()

    def mark(self, text):
        """Put a step of your own into the recording: what `text` says begins here. Nothing while it doesn't record."""
        if self.on:
            self.function.mark(text)

    def clear(self):
        """Forget what was recorded; recording goes on if it was on."""
        if self.on:
            self._begin()
        else:
            self._kept = None

    def recording(self):
        """What was recorded so far, as a Recording that doesn't change any more.

        Of a loop that runs meanwhile, the last few events may still be missing.
        """
        if not self.on:
            if self._kept is None:
                self._kept = Recording.merge([], origin=0, address=self.controller.address)
            return self._kept
        stamp = [(lane.name, lane.written) for lane in self.function.lanes]
        if self._kept is None or stamp != self._stamp:
            self._kept, self._stamp = self._read(), stamp
        return self._kept

    def _read(self):
        """Merge the lanes, while the drive is held still: what it did has its cause in them."""
        ssd = self.controller.ssd
        still = ssd is not None and ssd.datapath.acquire(0.1)
        try:
            end = now()
            lanes = [(lane.name, *lane.read()) for lane in list(self.function.lanes)]
        finally:
            if still:
                ssd.datapath.release()
        lanes = [(name, events[past := events["time"] <= end], sqes[past], dropped) for name, events, sqes, dropped in lanes]
        return Recording.merge(lanes, self._origin, began=self._began, address=self.controller.address, baseline=self._baseline,
                               texts=self.function.texts)

    def __enter__(self):
        return self if self.on else self.start()

    def __exit__(self, *exc):
        self.stop()

    def __getattr__(self, name):
        if name in DELEGATED:
            return getattr(self.recording(), name)
        raise AttributeError(f"Trace has no attribute {name!r}")

    def __dir__(self):
        return sorted({*super().__dir__(), *DELEGATED})

    def __len__(self):
        return len(self.recording())

    def __bool__(self):
        return True

    def __iter__(self):
        return iter(self.recording())

    def __getitem__(self, key):
        return self.recording()[key]

    def __repr__(self):
        return f"<{'recording' if self.on else 'stopped'}: {self.recording().title}>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.recording()._repr_mimebundle_(include, exclude)


def _room(memory):
    """Events, a power of two, that fit `memory` bytes. Raises UsageError."""
    size = RECORD.itemsize
    if isinstance(memory, bool) or not hasattr(memory, "__index__") or not 2 * size <= memory <= size << 28:
        raise UsageError(f"memory={memory!r}: bytes for each writer, {2 * size} to {size << 28}")
    return 1 << (int(memory) // size).bit_length() - 1
