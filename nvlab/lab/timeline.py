"""Timeline: what happened at a controller, on a time axis to move along, with rings and registers at any instant of it."""

import threading
import time

import ipywidgets
import numpy as np
import traitlets

from nvlab.lab import assets, past, timeline_static
from nvlab.lab.timeline_model import Level, clean, words_of
from nvlab.lab.whyview import Explained
from nvlab.spec.errors import UsageError

AROUND = 8          # instants on either side of the chosen one whose rings and registers are sent along
SHARE = 15          # at most one part in so many of the time goes into following a trace


class Timeline(Explained):
    """The events of a Trace or a Recording: a lane for the host and one for the drive of each queue, arrows between them.

    In the page: zoom and move with wheel, buttons and keys, filter, choose an event to see it decoded; the slider goes to any
    instant, and rings and registers show how they stood then. `source` is a Trace, followed while it records, or a Recording.
    Of Trace(ctrl, stacks=True) chosen events show who made them; for a Recording `stacks` is the Stacks that ran meanwhile.
    `filter` as Recording.select() takes it, e.g. {"qid": 1}.

    `instant` how many events have happened at the chosen instant, None for the end; it may be set · `state` the State there ·
    `on_instant(f)` has f(State) called whenever it changes · `pair(qid)`, `drive` and `registers` stand for a queue pair, its
    drive and the registers at that instant: RingView(timeline.pair(1), timeline.drive) and RegistersView(timeline.registers)
    show them so.
    """

    _esm = assets.script("decode.js", "ring.js", "why.js", "moment.js", "events.js", "timedraw.js", "timeparts.js", "timeline.js")
    _css = assets.style("why.css", "moment.css", "timeline.css")
    _registers = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    _overview = traitlets.Bytes().tag(sync=True)
    _bins = traitlets.Bytes().tag(sync=True)
    _events = traitlets.Bytes().tag(sync=True)
    _entries = traitlets.Bytes().tag(sync=True)
    _near = traitlets.Bytes().tag(sync=True)
    _near_entries = traitlets.Bytes().tag(sync=True)
    _window = traitlets.Dict().tag(sync=True)
    _moments = traitlets.Dict().tag(sync=True)
    _goto = traitlets.Dict().tag(sync=True)
    instant = traitlets.Int(None, allow_none=True)

    def __init__(self, source, title=None, stacks=None, filter=None, **kwargs):
        self._source, self._stacks, self._title = source, stacks or getattr(source, "stacks", None), title
        self._live = hasattr(source, "recording")
        self._filter, self._level, self._serial, self._cost = clean(filter), None, 0, 0.0
        self._traces = (None, {})
        self._ask, self._when, self._callbacks, self._asked = None, None, [], threading.local()
        self._find(0)                                        # what can't be filtered is said at once
        super().__init__(_registers=assets.registers_library(), **kwargs)
        self.observe(self._moved, "instant")

    # -- what it looks at

    @property
    def recording(self):
        """The Recording shown just now; of a Trace, what it had recorded when last looked at."""
        return self._level.recording

    @property
    def state(self):
        """Rings and registers at the chosen instant, a State."""
        recording = self.recording
        return recording.after(len(recording) if self.instant is None else min(self.instant, len(recording)))

    def pair(self, qid):
        """Queue pair `qid` as it stood at the chosen instant, in the shape of a live one; at the end of a Trace, the live one."""
        def live():
            ctrl = self._now()
            return None if ctrl is None else ctrl.admin if qid == 0 else ctrl.io.get(qid)
        return past.PastPair(qid, lambda: self.state, live)

    @property
    def drive(self):
        """What the drive believed at the chosen instant, for views that take an `ssd`."""
        def live():
            ctrl = self._now()
            return None if ctrl is None else ctrl.ssd
        return past.PastDrive(lambda: self.state, live)

    @property
    def registers(self):
        """The registers at the chosen instant, for a RegistersView."""
        return past.PastRegisters(getattr(self.recording, "address", None) or "a recording", lambda: self.state, self._now)

    def _now(self):
        """The Controller, if the chosen instant is now."""
        ctrl = self._source.controller if self._live and self.instant is None else None
        return ctrl if hasattr(ctrl, "namespaces") else None

    def explained(self):
        ctrl = self._source.controller if self._live else None
        return ctrl if hasattr(ctrl, "explain") else None

    def on_instant(self, callback):
        """Have callback(State) called whenever the chosen instant changes. Returns `callback`, so that it decorates, too."""
        self._callbacks.append(callback)
        return callback

    def go(self, when):
        """Choose an instant: an Event (it has just happened), ns since the recording began, or None for the end."""
        if when is None:
            self.instant = None
        else:
            self.instant = self.recording.at(when).count

    # -- what the page is told

    def period(self):
        """A look at a trace that records costs more the more it holds: it is taken so often that the whole stays cheap."""
        return max(0.2, SHARE * self._cost) if self._live and self._source.on else 0.5

    def watched(self):
        """A recording doesn't change by itself."""
        return self._live and super().watched()

    def look(self):
        began = time.perf_counter()
        if not self._find(self._serial) and self._state.get("serial") == self._serial:
            return {"_state": {**self._state, "on": self._on}} if self._state["on"] != self._on else {}
        news = {"_state": self._describe(), **self._view(), **self._around()}
        self._cost = time.perf_counter() - began
        return news

    @property
    def _on(self):
        return bool(self._live and self._source.on)

    def _find(self, serial):
        """The recording as it is now; True when it isn't the one that the page knows."""
        recording, before = self._source.recording() if self._live else self._source, self._level
        if before is not None and before.recording is recording and before.filter == self._filter and serial:
            return False
        self._level, self._serial = Level(recording, self._filter), self._serial + 1
        if before is not None and self.instant is not None and recording.dropped != before.recording.dropped:
            self._asked.by_page = True                       # the numbers shifted, the time didn't
            self.set_trait("instant", int(np.searchsorted(recording.events["time"], np.uint64(self._when or 0), side="right")))
            self._asked.by_page = False
        return True

    def _describe(self):
        level, recording = self._level, self._level.recording
        return {"title": self._title or "", "address": str(recording.address), "live": self._live, "on": self._on,
                "total": len(recording), "count": level.count, "dropped": int(recording.dropped), "seconds": recording.seconds,
                "lanes": level.lanes, "hidden": level.hidden, "extent": level.extent, "axis": level.axis(),
                "start": {axis: level.start(axis) for axis in ("time", "order")}, "filter": level.filter,
                "choices": level.choices(), "words": words_of(recording), "partial": recording.partial, "serial": self._serial,
                "stacks": self._stacks is not None}

    def _view(self):
        """The densities and events for what the page looks at."""
        level, ask = self._level, self._ask or {}
        axis = ask.get("axis") or level.axis()
        first, last = level.extent[axis]
        start = level.start(axis)
        low, high = ask.get("low", start[0]), ask.get("high", start[1])
        if ask.get("follow"):
            low, high = last - (high - low), last
        left, right, found = level.window(axis, low, high)
        events, entries = found or level.pack(0, 0)
        return {"_overview": level.bins(axis, first, last).tobytes(), "_events": events.tobytes(), "_entries": entries.tobytes(),
                "_bins": b"" if found else level.bins(axis, low, high).tobytes(),
                "_window": {"axis": axis, "low": left, "high": right, "whole": [first, last], "exact": found is not None,
                            "serial": self._serial, "n": ask.get("n", 0)}}

    def _around(self):
        """The events around the chosen instant, and rings and registers at it and some instants before and after."""
        level, recording = self._level, self._level.recording
        count = len(recording) if self.instant is None else min(self.instant, len(recording))
        events, entries = level.near(count)
        news = {"_near": events.tobytes(), "_near_entries": entries.tobytes()}
        if recording.partial:
            return news
        numbers = events["number"].astype(np.int64)
        place = int(np.searchsorted(numbers, count))
        those = sorted({count, *(int(n) + 1 for n in numbers[max(0, place - AROUND):place + AROUND])})
        shared, items = [], {}
        for instant in those:
            moment = past.of_state(recording.after(instant))
            if moment["regs"] not in shared:
                shared.append(moment["regs"])
            items[str(instant)] = {"rings": moment["rings"], "regs": shared.index(moment["regs"])}
        news["_moments"] = {"serial": self._serial, "at": count, "items": items, "regs": shared, "stacks": self._frames(those)}
        return news

    def _frames(self, instants):
        """{number: [line, …]}: the back-traces of the events that end these instants, where they were recorded."""
        if self._stacks is None:
            return {}
        if self._traces[0] is not self._level.recording:
            self._traces = self._level.recording, self._stacks.of(self._level.recording)
        known = self._traces[1]
        return {str(n - 1): [{"text": f"{f.function}({f.said})", "where": f.where, "source": f.source} for f in _own(known[n - 1])]
                for n in instants if n - 1 in known}

    # -- what the page asks for

    def actions(self):
        return {"look": self._do_look, "instant": self._do_instant, "clear": self._do_clear}

    def _do_look(self, content):
        """The page looks elsewhere, along another axis, or through another filter."""
        with self._lock:
            self._ask = {name: content[name] for name in ("axis", "low", "high", "follow", "n") if content.get(name) is not None}
            if "filter" in content and clean(content["filter"]) != self._filter:
                before, self._filter = self._filter, clean(content["filter"])
                try:
                    Level(self._level.recording, self._filter)
                except UsageError:
                    self._filter = before
                    raise
            if not self._find(self._serial):
                self.tell(**self._view())
            else:
                self.tell(_state=self._describe(), **self._view(), **self._around())

    def _do_instant(self, content):
        """The page's slider or keys chose an instant."""
        count = content.get("count")
        self._asked.by_page = True
        try:
            self.instant = None if count is None else max(0, min(int(count), len(self.recording)))
        finally:
            self._asked.by_page = False

    def _do_clear(self, _content):
        if self._live:
            self._source.clear()
            return "Forgot what was recorded."

    def _moved(self, change):
        """Another instant was chosen: by the page, or from Python; then the page goes there."""
        with self._lock:
            recording, count = self.recording, change["new"]
            if count is not None and not 0 <= count <= len(recording):
                raise UsageError(f"instant = {count}: the recording has {len(recording)} events")
            self._when = int(recording.events["time"][count - 1]) if count else 0
            self.tell(**self._around())
            if not getattr(self._asked, "by_page", False):
                self.tell(_goto={"count": count, "n": self._goto.get("n", 0) + 1})
        for callback in list(self._callbacks):
            try:
                callback(self.state)
            except Exception as error:
                self.say("error", f"{type(error).__name__} in on_instant: {error}")

    # -- where there is no page

    def text(self):
        return repr(self._level.recording)

    def picture(self):
        return timeline_static.picture(self._level, self.instant)


def _own(frames):
    """Frames up to the notebook's cell: what called that is IPython's."""
    cell = next((n for n, frame in enumerate(frames) if frame.where.startswith("<cell>") and frame.function == "<module>"), len(frames))
    return frames[:cell + 1]
