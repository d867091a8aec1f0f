"""RingView: both rings of a queue pair, alive in the notebook, with the doorbells to press."""

import contextlib
import functools
import threading
import time

import anywidget
import ipywidgets
import traitlets

from nvlab.lab import assets, static
from nvlab.lab.publish import Publisher
from nvlab.spec.errors import QueueBusy
from nvlab.tools import draw

VIEW_SILENT_S = 60      # a page that was closed without a word is forgotten after this long
BYTES_PER_S = 4_000_000  # large rings are sent less often


class RingView(anywidget.AnyWidget):
    """The submission and completion queue of one queue pair: slots, head, tail, phase, and what each side believes.

    `qp` is a `QueuePair`, `ssd` the embedded drive behind it (`ctrl.ssd`); by default the drive that the queue pair's
    controller has, if any. Click a slot to see its entry decoded. The page follows by itself, up to 20 times a second,
    and only when something changed; `close()` ends that. Works for rings of 2 to 4096 entries.
    """

    _esm = assets.text("decode.js", "ring.js", "grid.js", "ringview.js")
    _css = assets.text("ringview.css")
    _tables = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    _state = traitlets.Dict().tag(sync=True)
    _sq = traitlets.Bytes().tag(sync=True)
    _cq = traitlets.Bytes().tag(sync=True)
    _life = traitlets.Bytes().tag(sync=True)
    _notice = traitlets.Dict().tag(sync=True)
    _seq = traitlets.Int(0).tag(sync=True)

    def __init__(self, qp, ssd=None, title=None, **kwargs):
        ctrl = getattr(qp, "controller", None)
        self._qp, self._ssd = qp, ssd if ssd is not None else getattr(ctrl, "ssd", None)
        self._title = title or getattr(ctrl, "address", None) or ""
        self._lock, self._last, self._views, self._count = threading.RLock(), None, {}, 0
        self._acts = {"ring": self._ring_sq, "step": self._step, "poll": self._poll, "ring_cq": self._ring_cq}
        super().__init__(_tables=assets.tables_library(), **kwargs)
        self._publisher = Publisher("nvlab-ringview", self.refresh, self._period, self._watched)
        self.refresh()
        self.on_msg(self._on_message)

    # What the page is told

    def refresh(self):
        """Look at the queue pair now, and tell the page if anything changed. Called 20 times a second by itself."""
        with self._lock:
            try:
                rings = draw.snapshot(self._qp, self._ssd)
            except Exception as error:                 # a drive that vanished, a queue pair that was deleted
                self._say("error", f"{type(error).__name__}: {error}")
                self._ssd = None
                return
            state = self._describe(rings)
            news = {"_state": state} if state != self._state else {}
            if rings.sq is not None:
                now = (rings.sq.entries.tobytes(), rings.cq.entries.tobytes(),
                       rings.sq.life.tobytes() + rings.cq.life.tobytes())
                news.update((k, v) for k, v in zip(("_sq", "_cq", "_life"), now) if v != getattr(self, k))
                self._last = rings
            if news:
                with self.hold_sync():
                    for name, value in news.items():
                        setattr(self, name, value)
                    self._seq += 1

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

    def _period(self):
        return max(0.05, (len(self._sq) + len(self._cq)) / BYTES_PER_S)

    def _watched(self):
        late = time.monotonic() - VIEW_SILENT_S
        return any(seen > late for seen in list(self._views.values()))

    def _say(self, kind, text):
        with self._lock:
            self._count += 1
            self._notice = {"kind": kind, "text": text, "n": self._count}

    # What the page asks for

    def _on_message(self, _widget, content, _buffers):
        what, view = content.get("do"), content.get("view")
        if what == "here":
            self._views[view] = time.monotonic()
            self._publisher.start()
        elif what == "gone":
            self._views.pop(view, None)
        elif what in self._acts:
            self.act(what)

    def act(self, what):
        """Do what a button does: "ring", "step", "poll" or "ring_cq". Errors are shown in the widget."""
        try:
            with getattr(self._qp, "lock", contextlib.nullcontext()):
                told = self._acts[what]()
            self._say("info", told)
        except QueueBusy as error:
            self._say("busy", str(error))
        except Exception as error:                     # printed or raised here, nobody would see it
            self._say("error", f"{type(error).__name__}: {error}")
        self.refresh()

    def _ring_sq(self):
        sq = self._qp.sq
        before = sq.rung or 0
        sq.ring()
        new = (sq.tail - before) % sq.depth
        told = f"{new} new {'entry' if new == 1 else 'entries'}" if new else "nothing new"
        return f"Wrote {sq.tail} to SQ{sq.qid}TDBL: {told} for the drive."

    def _ring_cq(self):
        cq = self._qp.cq
        before = cq.rung or 0
        cq.ring()
        new = (cq.head - before) % cq.depth
        given = f"{new} slot{'' if new == 1 else 's'} given back" if new else "nothing new"
        return f"Wrote {cq.head} to CQ{cq.qid}HDBL: {given} to the drive."

    def _step(self):
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

    def _poll(self):
        cq = self._qp.cq
        slot, phase = cq.head, cq.phase
        completion = cq.poll()
        if completion is None:
            return f"Nothing new: the phase tag of CQ{cq.qid}[{slot}] is still {1 - phase}, the host waits for {phase}."
        status = getattr(completion, "status", None)
        return (f"CQ{cq.qid}[{slot}] has phase {phase}: command {completion.cid} completed"
                + (f" with {status.title}." if status is not None else "."))

    # Where there is no page

    def __repr__(self):
        return draw.ring_text(self._qp, self._ssd)

    __str__ = __repr__

    def _repr_mimebundle_(self, **kwargs):
        rings = draw.snapshot(self._qp, self._ssd)
        alive = functools.partial(super()._repr_mimebundle_, **kwargs)
        return static.bundle(draw.rings_text(rings), static.rings_svg(rings), alive)

    def close(self):
        """Stop following the queue pair and close the widget's channel."""
        if getattr(self, "_publisher", None) is not None:
            self._publisher.stop()
        super().close()
