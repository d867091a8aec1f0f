"""A recording: the lanes of a trace merged into one stream, to filter, read, save, and travel in."""
from functools import cached_property

import numpy as np

from nvlab._core.trace import EVENT, Kind
from nvlab.spec.errors import UsageError
from nvlab.spec.render import Table, mimebundle

from . import decode
from .baseline import Baseline
from .decode import Event

RECORD = np.dtype(EVENT.descr + [("sqe", "u1", (64,))])
"""A recorded event: as the core wrote it, with `time` in ns since the recording began, and the 64 bytes of an entry posted."""

COMMAND = np.dtype([("sqid", "<u2"), ("cid", "<u2"), ("opcode", "u1"), ("nsid", "<u4"),
                    ("posted", "<i8"), ("fetched", "<i8"), ("completed", "<i8"), ("seen", "<i8")])
"""A command: whose it is, and the numbers of its events in the recording; -1 for what wasn't recorded."""

LINES = 20
"""Events that a repr shows: the last ones."""


class Recording:
    """What happened at one controller, in order of time: `len()` events; iterate or index for Events.

    `events` structured array of RECORD · `dropped` events that made room for newer ones · `baseline` rings and registers at
    the beginning · `address` of the controller · `origin` when it began, monotonic ns · `began` the same in ns since 1970 ·
    `gaps` {"host", "perf" or "drive": number of the first event since which that lane is complete}, where events were dropped.
    """

    def __init__(self, events, *, address="", origin=0, began=0, dropped=0, gaps=None, baseline=None, texts=(), partial=False):
        self.events, self.address, self.origin, self.began = events, address, origin, began
        self.dropped, self.gaps, self.texts, self.partial = dropped, dict(gaps or {}), tuple(texts), partial
        self.baseline = baseline if baseline is not None else Baseline()
        self._whole, self._positions = self, None

    @classmethod
    def merge(cls, lanes, origin=None, **about):
        """The Recording of `lanes`, [(name, events, sqes, dropped)] as Lane.read() gives them. `about` goes to Recording().

        Within a lane its own order holds; across lanes time decides, and in a tie the drive comes last.
        """
        lanes = sorted(lanes, key=lambda lane: lane[0] == "drive")
        parts = [_with_entries(events, sqes) for _, events, sqes, _ in lanes]
        together = np.concatenate(parts) if parts else np.zeros(0, RECORD)
        order = np.argsort(together["time"], kind="stable")
        ranks = np.repeat(np.arange(len(parts)), [len(part) for part in parts])[order]
        events = together[order]
        if origin is None:
            origin = int(events["time"][0]) if len(events) else 0
        events["time"] -= np.minimum(events["time"], np.uint64(origin))
        gaps = {}
        for rank, (name, _, _, dropped) in enumerate(lanes):
            if dropped:
                kept = np.flatnonzero(ranks == rank)
                writer = name if name in ("host", "drive") else "perf"
                gaps[writer] = max(gaps.get(writer, 0), int(kept[0]) if len(kept) else len(events))
        return cls(events, origin=origin, dropped=sum(int(lane[3]) for lane in lanes), gaps=gaps, **about)

    # -- one by one

    def __len__(self):
        return len(self.events)

    def __iter__(self):
        return (Event(self, number) for number in range(len(self.events)))

    def __getitem__(self, key):
        if isinstance(key, slice):
            return self._choose(np.arange(len(self.events))[key])
        number = key.__index__()
        if not -len(self.events) <= number < len(self.events):
            raise IndexError(f"event {number} of {len(self.events)}")
        return Event(self, number % len(self.events))

    @property
    def seconds(self):
        """From the beginning to the last event."""
        return int(self.events["time"][-1]) / 1e9 if len(self.events) else 0.0

    # -- what belongs together

    @cached_property
    def sqids(self):
        """The submission queue of each event's command, -1 where there is no command."""
        if self._whole is not self:
            return self._whole.sqids[self._positions]
        kind, found = self.events["kind"], np.full(len(self.events), -1, np.int64)
        direct, done = np.isin(kind, _DIRECT), np.isin(kind, _COMPLETIONS)
        direct |= self._faulted
        found[direct] = self.events["qid"][direct]
        found[done] = self.events["b"][done] >> np.uint64(16) & np.uint64(0xFFFF)
        return found

    @cached_property
    def cids(self):
        """The command identifier of each event, -1 where there is none."""
        if self._whole is not self:
            return self._whole.cids[self._positions]
        events, kind, found = self.events, self.events["kind"], np.full(len(self.events), -1, np.int64)
        keyed, done, moved = np.isin(kind, _KEYED) | self._faulted, np.isin(kind, _COMPLETIONS), kind == Kind.DMA
        found[keyed] = events["a"][keyed] >> np.uint64(16) & np.uint64(0xFFFF)
        found[done] = events["b"][done] >> np.uint64(32) & np.uint64(0xFFFF)
        found[moved] = events["index"][moved] & 0xFFFF
        return found

    @property
    def _faulted(self):
        """Where a fault names the command that it was done to."""
        events = self.events
        return (events["kind"] == Kind.FAULT) & (events["a"] != 0) & (events["b"] == 0)

    @cached_property
    def links(self):
        """For each event the number of the SQE_POST of its command, -1 where that wasn't recorded. Of a whole recording."""
        found = np.full(len(self.events), -1, np.int64)
        mine = np.flatnonzero(self.cids >= 0)
        keys = self.sqids[mine] << 16 | self.cids[mine]
        order = mine[np.argsort(keys, kind="stable")]        # by command identifier, and in order of time within
        keys = self.sqids[order] << 16 | self.cids[order]
        places = np.arange(len(order))
        posts = np.where(self.events["kind"][order] == Kind.SQE_POST, places, -1)
        latest = np.maximum.accumulate(posts) if len(posts) else posts
        starts = np.maximum.accumulate(np.where(np.diff(keys, prepend=-1) != 0, places, 0)) if len(posts) else posts
        known = latest >= starts
        found[order[known]] = order[latest[known]]
        return found

    @cached_property
    def opcodes(self):
        """The opcode of each event's command, -1 where it isn't known."""
        if self._whole is not self:
            return self._whole.opcodes[self._positions]
        source = self.links.copy()
        fetched = (source < 0) & (self.events["kind"] == Kind.SQE_FETCH)
        source[fetched] = np.flatnonzero(fetched)
        return np.where(source >= 0, (self.events["a"][source] & np.uint64(0xFF)).astype(np.int64), -1) if len(source) else source

    def entry(self, number):
        """The 64 bytes of the command that event `number` belongs to, or None where its posting wasn't recorded."""
        whole = self._whole
        link = int(whole.links[number if whole is self else self._positions[number]])
        return bytes(whole.events["sqe"][link]) if link >= 0 else None

    @cached_property
    def commands(self):
        """All commands whose posting was recorded, in that order, as an array of COMMAND."""
        posted = np.flatnonzero(self.events["kind"] == Kind.SQE_POST)
        links = self.links if self._whole is self else self._local_links()
        found = np.zeros(len(posted), COMMAND)
        key = self.events["a"][posted]
        found["sqid"], found["posted"] = self.events["qid"][posted], posted
        found["opcode"], found["cid"] = key & np.uint64(0xFF), key >> np.uint64(16) & np.uint64(0xFFFF)
        found["nsid"] = key >> np.uint64(32)
        for name, kind in (("fetched", Kind.SQE_FETCH), ("completed", Kind.CQE_POST), ("seen", Kind.CQE_SEEN)):
            first = np.full(len(self.events) + 1, -1, np.int64)
            those = np.flatnonzero((self.events["kind"] == kind) & (links >= 0))[::-1]
            first[links[those]] = those          # backwards, so that the first stays
            found[name] = first[posted]
        return found

    def _local_links(self):
        """links, in this selection's own numbers."""
        place = np.full(len(self._whole.events) + 1, -1, np.int64)
        place[self._positions] = np.arange(len(self._positions))
        return place[self._whole.links[self._positions]]

    @property
    def latencies(self):
        """Nanoseconds from posting to the completion seen, of each command that has both, in the order of posting."""
        done = self.commands[self.commands["seen"] >= 0]
        time = self.events["time"].astype(np.int64)
        return time[done["seen"]] - time[done["posted"]]

    # -- some of it

    def select(self, *, qid=None, cid=None, opcode=None, kind=None, side=None, since=None, until=None):
        """The events that match all that is given, as a Recording; each filter takes one value or several.

        `qid` events of that queue (completions by their submission queue too) · `cid` · `opcode` a number, or a name such as
        "Read" · `kind` a Kind, its name, or a word for several: "register", "doorbell", "command", "completion" · `side`
        "host" or "drive" · `since`, `until` ns since the recording began, both included. Raises UsageError.
        """
        events, keep = self.events, np.ones(len(self.events), bool)
        if kind is not None:
            keep &= np.isin(events["kind"], list(decode.kinds_of(kind)))
        if side is not None:
            keep &= np.isin(events["side"], list(decode.sides_of(side)))
        if qid is not None:
            queues = list(decode.numbers_of(qid, "qid"))
            keep &= np.isin(events["kind"], _QUEUED) & np.isin(events["qid"], queues) | np.isin(self.sqids, queues)
        if cid is not None:
            keep &= np.isin(self.cids, list(decode.numbers_of(cid, "cid")))
        if opcode is not None:
            keep &= self._of_opcode(decode.opcodes_of(opcode))
        if since is not None:
            keep &= events["time"] >= _time(since)
        if until is not None:
            keep &= events["time"] <= _time(until)
        return self._choose(np.flatnonzero(keep))

    def _of_opcode(self, wanted):
        keep = np.zeros(len(self.events), bool)
        for admin, opcode in wanted:
            queue = True if admin is None else (self.sqids == 0) == admin
            keep |= (self.opcodes == opcode) & queue
        return keep

    def _choose(self, numbers):
        part = Recording(self.events[numbers], address=self.address, origin=self.origin, began=self.began, dropped=self.dropped,
                         gaps=self.gaps, baseline=self.baseline, texts=self.texts, partial=True)
        part._whole = self._whole
        part._positions = numbers if self._whole is self else self._positions[numbers]
        return part

    # -- travelling

    @cached_property
    def _replay(self):
        from .replay import Replay
        if self.partial:
            raise UsageError("this recording holds only selected events: rings and registers can be rebuilt from a whole one")
        return Replay(self)

    def at(self, when):
        """Rings and registers as both sides saw them at an instant: a State.

        `when` is ns since the recording began (all events up to and including that time have happened), or an Event (it
        has just happened). Raises UsageError for a recording that was saved with only some of its events.
        """
        whole = self._whole
        if isinstance(when, Event):
            number = when.number if when.recording is whole else int(when.recording._positions[when.number])
            return whole._replay.state(number + 1)
        return whole._replay.state(int(np.searchsorted(whole.events["time"], _time(when), side="right")) if not when < 0 else 0)

    def after(self, count):
        """The State when the first `count` events of the whole recording had happened; 0 is the beginning. Raises UsageError."""
        if not 0 <= count <= len(self._whole.events):
            raise UsageError(f"after({count}): the recording has {len(self._whole.events)} events")
        return self._whole._replay.state(count)

    # -- files

    def save(self, path):
        """Write the recording to a file, which load() opens without the device. Returns the path."""
        from .files import save
        return save(self, path)

    @staticmethod
    def load(path):
        """The Recording in a file. Raises UsageError for one that is no recording, or damaged."""
        from .files import load
        return load(path)

    def to_perfetto(self, path):
        """Write the commands as a timeline, in the Trace Event format that ui.perfetto.dev opens. Returns the path."""
        from .perfetto import write
        return write(self, path)

    # -- for people

    def text(self, last=None):
        """The events in words, a line each; the `last` ones, or all."""
        return "\n".join(str(event) for event in (self if last is None else self[-last:] if last else ()))

    @property
    def title(self):
        """What this is, in a phrase."""
        what = "events selected" if self.partial else "events"
        lost = f", {self.dropped:,} older ones dropped" if self.dropped else ""
        return f"Trace of {self.address or 'a controller'}: {len(self):,} {what} in {self.seconds:.6f} s{lost}"

    def table(self, last=LINES):
        """The last events as a render.Table."""
        note = f"{len(self) - last:,} more before these" if len(self) > last else ""
        return Table(self.title, ("Time (us)", "Side", "Kind", "Event"), [event.row() for event in self[-last:]],
                     numbers=("Time (us)", "Event"), note=note)

    def __repr__(self):
        return self.table().text()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())


_KEYED = [int(k) for k in (Kind.SQE_POST, Kind.SQE_FETCH)]
_DIRECT = [*_KEYED, int(Kind.DMA)]
_COMPLETIONS = [int(k) for k in (Kind.CQE_POST, Kind.CQE_SEEN)]
_QUEUED = [int(k) for k in decode.QUEUED]


def _time(ns):
    """A time as it compares with events["time"]: nothing is before 0. Raises UsageError for what is no whole number of ns."""
    if ns != ns or ns in (float("inf"), -float("inf")) or int(ns) != ns:
        raise UsageError(f"{ns!r}: times of a recording are whole nanoseconds since it began; of seconds, int(seconds * 1e9)")
    return np.uint64(min(max(0, int(ns)), 2**64 - 1))


def _with_entries(events, sqes):
    """One lane's events as RECORD, their times never running backwards."""
    part = np.zeros(len(events), RECORD)
    for name in EVENT.names:
        part[name] = events[name]
    part["time"] = np.maximum.accumulate(events["time"]) if len(events) else 0
    part["sqe"] = sqes
    return part
