"""What a timeline tells its page of a recording: densities of all of it, and the events of a window, as bytes.

A page that has both can draw at any zoom without asking: exactly where it has the events, as densities elsewhere.
"""

from functools import cached_property

import numpy as np

from nvlab._core.trace import KINDS, Kind
from nvlab.spec.errors import UsageError
from nvlab.trace import decode
from nvlab.trace.decode import QUEUED, name_of

MOST = 6000        # events in a window: 336 KB of them, and 64 bytes a command
BINS = 512         # densities: as many columns
NEAR = 24          # events on either side of the instant that are always told
WHOLE = 140        # events that are shown all at first
LANES = 33         # drawn under each other at most: the controller and 32 queues
FILTERS = ("qid", "cid", "opcode", "kind", "side")

PACKED = np.dtype([("time", "<f8"), ("a", "<u8"), ("b", "<u8"), ("number", "<u4"), ("pos", "<u4"), ("index", "<u4"),
                   ("post", "<i4"), ("entry", "<i4"), ("cid", "<i4"), ("qid", "<u2"), ("lane", "<i2"), ("opcode", "<i2"),
                   ("kind", "u1"), ("side", "u1")])
"""An event as the page reads it: `number` in the recording, `pos` among those that the filter lets pass, `post` the number of
its command's SQE_POST (-1: unknown), `entry` which of the entries sent along is that command (-1: none), `lane` its row."""

WORDS = {"register": "registers", "doorbell": "doorbells", "command": "commands posted", "completion": "completions",
         "entry": "all entries", "queue": "queues made and deleted"}
"""The filters by kind that a page offers first, beside each kind by itself."""


def clean(filter):
    """`filter`, a dict as a page or a person gives it, as Recording.select() takes it; raises UsageError for unknown words."""
    unknown = set(filter or ()) - set(FILTERS)
    if unknown:
        raise UsageError(f"filter: {', '.join(sorted(unknown))}: one of {', '.join(FILTERS)}")
    return {name: value for name, value in (filter or {}).items() if value is not None and value != ""}


class Level:
    """A recording as a filter shows it. `count` events of the recording pass; `lanes` the rows: -1 the controller, else a queue."""

    def __init__(self, recording, filter=None, queue_lanes=True):
        self.recording, self.filter = recording, clean(filter)
        wanted = dict(self.filter)
        only = wanted.pop("qid", None)
        chosen = recording.select(**wanted) if wanted else recording
        self._numbers = np.arange(len(recording)) if chosen is recording else np.asarray(chosen._positions)
        if only is not None:
            lanes = self._lane_keys
            keep = lanes[self._numbers] == only if only < 0 else (
                (lanes[self._numbers] == only) | (recording.sqids[self._numbers] == only))
            self._numbers = self._numbers[keep]
        self.numbers, self.count = self._numbers, len(self._numbers)
        self.times = recording.events["time"][self._numbers].astype(np.float64)
        keys = np.unique(self._lane_keys[self._numbers] if self.filter else self._lane_keys)
        self.hidden = [int(k) for k in keys[LANES:]]
        self.lanes = [int(k) for k in keys[:LANES]]

    @cached_property
    def _lane_keys(self):
        events = self.recording.events
        return np.where(np.isin(events["kind"], _QUEUED), events["qid"].astype(np.int64), -1)

    @cached_property
    def rows(self):
        """The lane of each event that passes, -1 for lanes that aren't drawn."""
        keys = self._lane_keys[self.numbers]
        at = np.searchsorted(self.lanes, keys)
        at = np.minimum(at, max(0, len(self.lanes) - 1))
        return np.where(np.asarray(self.lanes, np.int64)[at] == keys, at, -1) if self.lanes else np.full(self.count, -1)

    # -- where things are

    @property
    def extent(self):
        """{axis: (low, high)} of all that passes: ns, and positions."""
        last = float(self.times[-1]) if self.count else 1.0
        first = float(self.times[0]) if self.count else 0.0
        return {"time": (first, max(last, first + 1.0)), "order": (-0.5, max(self.count, 1) - 0.5)}

    def axis(self):
        """The axis that shows more: "order" of few events, and where pauses take most of the time, else "time"."""
        if self.count <= WHOLE:
            return "order"
        low, high = self.extent["time"]
        used = np.unique(((self.times - low) * (200 / (high - low))).astype(int))
        return "order" if len(used) < min(60, self.count / 2) else "time"

    def start(self, axis):
        """(low, high) that a page shows first: all of a short recording, the end of a long one."""
        low, high = self.extent[axis]
        if self.count <= WHOLE:
            margin = (high - low) * 0.02
            return low - margin, high + margin
        return (high - WHOLE / 2, high) if axis == "order" else (float(self.times[-WHOLE // 2]), high)

    def _places(self, axis):
        return self.times if axis == "time" else np.arange(self.count, dtype=np.float64)

    def _span(self, axis, low, high):
        """(first, after the last) position between two places."""
        if axis == "order":
            return max(0, int(np.ceil(low))), min(self.count, max(0, int(np.floor(high)) + 1))
        return (int(np.searchsorted(self.times, low, "left")), int(np.searchsorted(self.times, high, "right")))

    # -- densities

    def bins(self, axis, low, high):
        """How many events of each lane and side lie in each of BINS columns: (lanes, 2, BINS) uint16."""
        first, last = self._span(axis, low, high)
        rows = self.rows[first:last]
        at = np.clip((self._places(axis)[first:last] - low) * (BINS / max(high - low, 1e-9)), 0, BINS - 1).astype(np.int64)
        side = self.recording.events["side"][self.numbers[first:last]].astype(np.int64)
        flat = (rows * 2 + side) * BINS + at
        counts = np.bincount(flat[rows >= 0], minlength=len(self.lanes) * 2 * BINS)
        return np.minimum(counts, 0xFFFF).astype("<u2").reshape(len(self.lanes), 2, BINS)

    # -- events

    def window(self, axis, low, high):
        """(lowest place, highest place, events or None) to send for a page that looks at low..high; None where they are too many.

        What lies to the left and right is sent along as far as there is room, so that the page can be moved at once.
        """
        for margin in (1.0, 0.5, 0.0):
            left, right = low - margin * (high - low), high + margin * (high - low)
            first, last = self._span(axis, left, right)
            if last - first <= MOST:
                return left, right, self.pack(first, last)
        return low, high, None

    def near(self, count):
        """The events around an instant, `count` events of the recording having happened."""
        at = int(np.searchsorted(self.numbers, count))
        return self.pack(max(0, at - NEAR), min(self.count, at + NEAR))

    def pack(self, first, last):
        """(events, entries): those at positions first..last as PACKED, and (n, 64) bytes of their commands."""
        recording, numbers = self.recording, self.numbers[first:last]
        raw, out = recording.events[numbers], np.zeros(len(numbers), PACKED)
        for name in ("a", "b", "index", "qid", "kind", "side"):
            out[name] = raw[name]
        out["time"], out["number"], out["pos"] = raw["time"], numbers, np.arange(first, first + len(numbers))
        out["lane"], out["cid"], out["opcode"] = self.rows[first:last], recording.cids[numbers], recording.opcodes[numbers]
        out["post"] = links = recording.links[numbers]
        posts, entry = np.unique(links, return_inverse=True)
        known = posts >= 0
        out["entry"] = np.where(links >= 0, entry - np.count_nonzero(~known), -1)
        return out, recording.events["sqe"][posts[known]]

    # -- what can be filtered by

    def choices(self):
        """{"queues", "opcodes", "kinds"} that occur in the whole recording, for a page to offer."""
        recording = self.recording
        opcodes, sqids = recording.opcodes, recording.sqids
        named = {(bool(q), int(op)) for q, op in {(int(k) >> 9, int(k) & 0x1FF) for k in np.unique(
            ((sqids == 0).astype(np.int64) << 9 | opcodes)[opcodes >= 0])}}
        kinds = [int(k) for k in np.unique(recording.events["kind"])]
        return {"queues": [int(k) for k in np.unique(self._lane_keys)],
                "opcodes": sorted({name_of(op, admin) for admin, op in named}),
                "kinds": [[Kind(k).name, KINDS[k]] for k in kinds], "words": [*WORDS.items()]}


_QUEUED = [int(kind) for kind in QUEUED]


def words_of(recording):
    """The texts that a page needs beside the numbers: names of kinds, of steps and of faults."""
    return {"kinds": list(KINDS), "steps": list(recording.texts), "faults": list(decode.FAULTS)}
