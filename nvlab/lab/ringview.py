"""RingView: both rings of a queue pair, alive in the notebook, with the doorbells to press."""

import contextlib

import traitlets

from nvlab.lab import assets, static
from nvlab.lab.whyview import Explained
from nvlab.spec.errors import UsageError
from nvlab.tools import draw

BYTES_PER_S = 4_000_000  # large rings are sent less often


class RingView(Explained):
    """The submission and completion queue of one queue pair: slots, head, tail, phase, and what each side believes.

    `qp` is a `QueuePair`, `ssd` the embedded drive behind it (`ctrl.ssd`); by default the drive that the queue pair's
    controller has, if any. Click a slot to see its entry decoded. The page follows by itself, up to 20 times a second,
    and only when something changed; `close()` ends that. Works for rings of 2 to 4096 entries.
    """

    _esm = assets.script("decode.js", "ring.js", "grid.js", "why.js", "ringview.js")
    _css = assets.style("why.css", "ringview.css")
    _sq = traitlets.Bytes().tag(sync=True)
    _cq = traitlets.Bytes().tag(sync=True)
    _life = traitlets.Bytes().tag(sync=True)

    def __init__(self, qp, ssd=None, title=None, **kwargs):
        ctrl = getattr(qp, "controller", None)
        self._qp, self._ssd = qp, ssd if ssd is not None else getattr(ctrl, "ssd", None)
        self._title = title or getattr(ctrl, "address", None) or ""
        self._last = None
        super().__init__(**kwargs)

    def explained(self):
        return getattr(self._qp, "controller", None)

    def actions(self):
        return {"ring": self._ring_sq, "step": self._step, "poll": self._poll, "ring_cq": self._ring_cq}

    # What the page is told

    def look(self):
        try:
            rings = draw.snapshot(self._qp, self._ssd)
        except UsageError:                             # nothing to show just now: the drive is not to blame
            raise
        except Exception:
            self._ssd = None                           # a drive that vanished: the host's side remains
            raise
        news = {"_state": self._describe(rings)}
        if rings.sq is not None:
            self._last = rings
            news.update(_sq=rings.sq.entries.tobytes(), _cq=rings.cq.entries.tobytes(),
                        _life=rings.sq.life.tobytes() + rings.cq.life.tobytes())
        return news

    def _describe(self, rings):
        mode = getattr(self._ssd, "mode", None)
        state = {"qid": rings.qid, "title": str(self._title), "busy": rings.busy, "retired": rings.retired, "mode": mode and str(mode),
                 "can_step": hasattr(self._ssd, "step"), "sq": None, "cq": None}
        seen = rings if rings.sq is not None else self._last
        for key in ("sq", "cq"):
            ring = seen and getattr(seen, key)
            if ring:
                host, drive = ring.beliefs()
                state[key] = {"qid": ring.qid, "depth": ring.depth, "doorbell": ring.doorbell, "host": ring.host,
                              "drive": ring.drive, "words": {"host": host, "drive": drive}}
        return state

    def period(self):
        return max(self.PERIOD, (len(self._sq) + len(self._cq)) / BYTES_PER_S)

    # What the page asks for

    def act(self, what, content=None):
        """Do what a button does: "ring", "step", "poll" or "ring_cq". Errors are shown in the widget."""
        with getattr(self._qp, "lock", contextlib.nullcontext()):
            super().act(what, content)

    def _ring_sq(self, _content):
        sq = self._qp.sq
        before = sq.rung or 0
        sq.ring()
        new = (sq.tail - before) % sq.depth
        told = f"{new} new {'entry' if new == 1 else 'entries'}" if new else "nothing new"
        return f"Wrote {sq.tail} to SQ{sq.qid}TDBL: {told} for the drive."

    def _ring_cq(self, _content):
        cq = self._qp.cq
        before = cq.rung or 0
        cq.ring()
        new = (cq.head - before) % cq.depth
        given = f"{new} slot{'' if new == 1 else 's'} given back" if new else "nothing new"
        return f"Wrote {cq.head} to CQ{cq.qid}HDBL: {given} to the drive."

    def _step(self, _content):
        if not hasattr(self._ssd, "step"):
            return "This drive moves by itself; only the embedded one can be stepped."
        before = self._ssd.queue_state(self._qp.qid)
        moved = self._ssd.step()
        after = self._ssd.queue_state(self._qp.qid)
        if before is None or after is None:
            return f"The drive has no queue pair {self._qp.qid}: is the controller enabled?"
        if before == after:
            return (f"The drive did something outside of queue pair {self._qp.qid}: {moved}" if moved else
                    f"The drive had nothing to do: its head of SQ{self._qp.qid} has reached its tail.")
        return (f"The drive moved: its SQ head {before['sq_head']} → {after['sq_head']}, "
                f"its CQ tail {before['cq_tail']} → {after['cq_tail']}.")

    def _poll(self, _content):
        cq = self._qp.cq
        slot, phase = cq.head, cq.phase
        completion = cq.poll()
        if completion is None:
            return f"Nothing new: the phase tag of CQ{cq.qid}[{slot}] is still {1 - phase}, the host waits for {phase}."
        status = getattr(completion, "status", None)
        return (f"CQ{cq.qid}[{slot}] has phase {phase}: command {completion.cid} completed"
                + (f" with {status.title}." if status is not None else "."))

    # Where there is no page

    def text(self):
        return draw.ring_text(self._qp, self._ssd)

    def picture(self):
        return static.rings_svg(draw.snapshot(self._qp, self._ssd))
