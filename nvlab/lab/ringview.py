"""RingView: the rings of queue pairs, alive in the notebook, with the doorbells to press."""

import contextlib
import time

import traitlets

from nvlab.lab import assets, ringacts, ringstill
from nvlab.lab.past import NotThere, runs
from nvlab.lab.whyview import Explained
from nvlab.spec.errors import UsageError
from nvlab.tools import draw

BYTES_PER_S = 4_000_000  # large rings are sent less often
GLIMPSE_S = 0.25         # seconds from one look at the entries of a ring that a loop moves to the next
OTHERS = 4               # pairs besides the shown one that each look takes its turn at


class RingView(Explained):
    """The submission and completion queue of queue pairs: slots, head, tail, phase, and what each side believes.

    `pairs` is a `QueuePair`, several of them, or a `Controller`, whose queue pairs are then followed as they come and go.
    One is shown in full (`qid`, which may be set), the others beside it in a line each. `ssd` is the embedded drive behind
    them (`ctrl.ssd`); by default the drive that their controller has, if any. Click a slot to see its entry decoded. The
    page follows by itself, up to 25 times a second, and only when something changed; `close()` ends that. Rings of 2 to
    4096 entries.
    """

    _esm = assets.script("decode.js", "ring.js", "grid.js", "why.js", "pairs.js", "ringview.js")
    _css = assets.style("why.css", "ringview.css")
    _sq = traitlets.Bytes().tag(sync=True)
    _cq = traitlets.Bytes().tag(sync=True)
    _life = traitlets.Bytes().tag(sync=True)
    _pairs = traitlets.List().tag(sync=True)
    PERIOD = 0.04

    def __init__(self, pairs, ssd=None, title=None, qid=None, **kwargs):
        self._source, self._asked, self._last, self._turn, self._rows = pairs, qid, None, 0, {}
        self._entries = (None, 0.0)
        if qid is not None and qid not in {int(pair.qid) for pair in self._all()}:
            raise UsageError(f"RingView: there is no queue pair {qid} among {[int(pair.qid) for pair in self._all()]}")
        ctrl = self._controller()
        self._ssd = ssd if ssd is not None else getattr(ctrl, "ssd", None)
        self._title = title or getattr(ctrl, "address", None) or ""
        super().__init__(**kwargs)

    def _follows(self):
        return hasattr(self._source, "admin") and hasattr(self._source, "io")

    def _all(self):
        """The queue pairs as there are now, the admin queue first."""
        if self._follows():
            return [pair for pair in (self._source.admin, *self._source.io.values()) if pair is not None]
        return list(self._source) if isinstance(self._source, (list, tuple)) else [self._source]

    def _controller(self):
        if self._follows():
            return self._source
        return next((ctrl for ctrl in (getattr(pair, "controller", None) for pair in self._all()) if ctrl is not None), None)

    def explained(self):
        return self._controller()

    @property
    def qid(self):
        """The queue pair that is shown in full."""
        pair = self._shown()
        return None if pair is None else int(pair.qid)

    @qid.setter
    def qid(self, qid):
        self.act("show", {"qid": qid})

    def _shown(self):
        pairs = self._all()
        asked = next((pair for pair in pairs if pair.qid == self._asked), None)
        if asked is None:                              # a controller's first I/O pair says more than its admin pair
            asked = next((pair for pair in pairs if pair.qid), None) if self._follows() else None
        return asked if asked is not None else next(iter(pairs), None)

    # What the page is told

    def look(self):
        pair = self._shown()
        if pair is None:
            return {"_state": {"qid": None, "title": str(self._title), "sq": None, "cq": None, "mode": None}, "_pairs": []}
        try:
            rings = self._snapshot(pair)
        except NotThere as absent:
            return {"_state": {"qid": int(pair.qid), "title": str(self._title), "absent": _sentence(absent), "can_move": False, "sq": None, "cq": None,
                               "mode": None},
                    "_pairs": []}
        news = {"_state": self._describe(pair, rings), "_pairs": self._lines(pair, rings)}
        if rings.sq is not None:
            self._last = rings
            news["_life"] = rings.sq.life.tobytes() + rings.cq.life.tobytes()
            if self._entries_are_due(rings):
                news.update(_sq=rings.sq.entries.tobytes(), _cq=rings.cq.entries.tobytes())
        return news

    def _entries_are_due(self, rings):
        """Whether entries are to be sent: with every look, but of a pair that a loop moves only so often as a person can read them."""
        (qid, sent), now = self._entries, time.monotonic()
        due = not rings.busy or rings.qid != qid or now - sent >= GLIMPSE_S
        if due:
            self._entries = rings.qid, now
        return due

    def _snapshot(self, pair):
        try:
            return draw.snapshot(pair, self._ssd, moving=True)
        except UsageError:                             # nothing to show just now: the drive is not to blame
            raise
        except Exception:
            self._ssd = None                           # a drive that vanished: the host's side remains
            raise

    def _describe(self, pair, rings):
        mode = getattr(self._ssd, "mode", None)
        state = {"qid": rings.qid, "title": str(self._title), "busy": rings.busy, "retired": rings.retired, "mode": mode and str(mode),
                 "can_move": ringacts.movable(pair), "can_step": hasattr(self._ssd, "step"), "commands": ringacts.choices(pair), "sq": None, "cq": None}
        seen = rings if rings.sq is not None else self._last if self._last is not None and self._last.qid == rings.qid else None
        for key in ("sq", "cq"):
            ring = seen and getattr(seen, key)
            if ring:
                host, drive = ring.beliefs()
                state[key] = {"qid": ring.qid, "depth": ring.depth, "doorbell": ring.doorbell, "host": ring.host,
                              "drive": ring.drive, "may": ring.may(), "words": {"host": host, "drive": drive}}
        return state

    def _lines(self, shown, rings):
        """A line for each pair, where there are several: the shown one as it is now, some others looked at in turn."""
        pairs = self._all()
        if len(pairs) < 2 and not self._follows():
            return []
        self._rows = {pair.qid: self._rows.get(pair.qid) for pair in pairs}
        self._rows[shown.qid] = _line(rings)
        others = [pair for pair in pairs if pair is not shown]
        for n in range(min(OTHERS, len(others))):
            self._turn = (self._turn + 1) % len(others)
            pair = others[self._turn]
            self._rows[pair.qid] = _line(draw.snapshot(pair, self._ssd))
        return [self._rows[pair.qid] or _line(draw.snapshot(pair, self._ssd)) for pair in pairs]

    def period(self):
        return max(self.PERIOD, (len(self._sq) + len(self._cq)) / BYTES_PER_S)

    # What the page asks for

    def actions(self):
        one = {name: getattr(ringacts, name) for name in ("ring", "poll", "ring_cq")}
        return {**{name: lambda _content, act=act: act(self._need()) for name, act in one.items()},
                "step": lambda _content: ringacts.step(self._need(), self._ssd),
                "post": lambda content: ringacts.post(self._need(), content.get("command", "")), "show": self._show}

    def act(self, what, content=None):
        """Do what a button does: "post" (content {"command": key}), "ring", "step", "poll", "ring_cq", or "show" ({"qid": n}).

        Errors are shown in the widget.
        """
        with getattr(self._shown(), "lock", None) or contextlib.nullcontext():
            super().act(what, content)

    def _need(self):
        pair = self._shown()
        if pair is None:
            raise UsageError("there is no queue pair yet: create_admin_queue() makes the first")
        if not ringacts.movable(pair):
            raise UsageError(f"{pair!r} is recorded: it can be looked at, not moved; a RingView of the controller's own pair can")
        return pair

    def _show(self, content):
        asked = content.get("qid")
        if asked not in {pair.qid for pair in self._all()}:
            raise UsageError(f"there is no queue pair {asked} here")
        self._asked = asked

    # Where there is no page

    def text(self):
        pairs = self._all()
        if not pairs:
            return f"{self._title or 'the controller'} has no queue pair yet"
        return "\n\n".join(self._drawn(pair) for pair in pairs)

    def _drawn(self, pair):
        try:
            return draw.ring_text(pair, self._ssd)
        except NotThere as absent:
            return _sentence(absent)

    def picture(self):
        pair = self._shown()
        if pair is None:
            return f"<div>{self.text()}</div>"
        try:
            rings = [draw.snapshot(other, self._ssd) for other in self._all()]
        except NotThere as absent:
            return f"<div>{_sentence(absent)}</div>"
        return ringstill.picture(rings, int(pair.qid), str(self._title))


def _sentence(error):
    return f"{str(error)[0].upper()}{str(error)[1:]}."


def _line(rings):
    """A queue pair in one line: [qid, busy, retired, the SQ, the CQ], each queue as {depth, runs, what waits in it}."""
    queues = []
    for ring in (rings.sq, rings.cq):
        if ring is None:
            queues.append(None)
            continue
        counts = {draw.LIVES[life]: int((ring.life == life).sum()) for life in set(ring.life.tolist())}
        queues.append({"depth": ring.depth, "runs": runs(ring.life), "counts": {k: v for k, v in counts.items() if k not in ("free", "done", "stale")}})
    return [int(rings.qid), rings.busy, rings.retired, *queues]
