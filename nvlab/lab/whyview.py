"""What the checker says, in the notebook: WhyView by itself, and a strip that any view can carry.

A view that extends `Explained` in place of `View`, and names its controller in `explained()`, gets a `_why` trait, asked for about once a second
while a page sees it; its script puts `new NvlWhy(view, parent)` where the strip is to be.
"""

import threading
import time
import weakref

import traitlets

from nvlab.lab import assets
from nvlab.lab.publish import Publisher
from nvlab.lab.view import View
from nvlab.spec.errors import Error

PERIOD_S = 1.0       # between two questions to the checker
STILL_S = 0.8        # what only waits is told once it has waited that long

_ANSWERS, _LOCK = weakref.WeakKeyDictionary(), threading.Lock()
"""Controller -> (when, Why, since when it has said the same): views of one controller share one answer."""


def answer(ctrl, age=PERIOD_S * 0.7):
    """(the checker's Why, seconds since it first said so) of a controller, at most `age` seconds old."""
    with _LOCK:
        when, why, since = _ANSWERS.get(ctrl, (None, None, 0.0))
        now = time.monotonic()
        if when is None or now - when > age:
            fresh = ctrl.why()
            if why is None or (fresh.rule, fresh.sentence) != (why.rule, why.sentence):
                since = now
            _ANSWERS[ctrl] = now, fresh, since
            why = fresh
        return why, now - since


def told(why, still=STILL_S, seconds=float("inf")) -> dict:
    """A Why as plain values. What isn't wrong but only waits is told once it has stood still for `still` seconds."""
    shown = not why.ok and (why.severity == "error" or seconds >= still)
    if not shown:
        return {"ok": True, "severity": "ok", "sentence": why.sentence if why.ok else "Nothing stands still.",
                "title": "All is well", "findings": [], "seen": why.seen}
    findings = [{"rule": f.rule, "title": f.title, "severity": f.severity, "sentence": f.sentence, "cite": f.cite, "remedy": f.remedy,
                 "evidence": [[str(label), str(value)] for label, value in f.evidence]} for f in why.all]
    return {"ok": False, "severity": why.severity, "sentence": why.sentence, "title": why.title, "findings": findings,
            "seen": why.seen}


class Explained(View):
    """A View that carries what the checker says of `explained()`, a Controller or None, while the page sees it."""

    _why = traitlets.Dict().tag(sync=True)
    STILL, _asker = STILL_S, None

    def explained(self):
        """The Controller that the strip speaks of; None: no strip."""

    def __init__(self, **kwargs):
        self._asking = threading.Lock()
        super().__init__(**kwargs)
        self._asker = Publisher(f"nvlab-why-{type(self).__name__.lower()}", self.ask_why, lambda: PERIOD_S, lambda: View.watched(self))
        self.ask_why()

    def ask_why(self, age=PERIOD_S * 0.7):
        """Ask the checker now, and tell the page if it says something else. Never raises."""
        with self._asking:
            ctrl = self.explained()
            if ctrl is None or getattr(ctrl, "explain", None) is None or getattr(ctrl, "closed", False):
                news = {}
            else:
                try:
                    why, seconds = answer(ctrl, age)
                    news = told(why, self.STILL, seconds)
                except Error as error:
                    news = {"ok": False, "severity": "note", "sentence": f"The checker can't look: {error}", "title": "",
                            "findings": [], "seen": ""}
            self.tell(_why=news)

    def _on_message(self, widget, content, buffers):
        super()._on_message(widget, content, buffers)
        if content.get("do") == "here" and self._asker is not None:
            self._asker.start()

    def act(self, what, content=None):
        """Do what a control of the page does, and look at once whether all is well after it."""
        super().act(what, content)
        if self._asker is not None and not self._asking.locked():      # in a thread: code that stands may hold what it asks for
            threading.Thread(target=self.ask_why, args=(0,), name="nvlab-why-now", daemon=True).start()

    def close(self):
        """Stop following, and asking."""
        if self._asker is not None:
            self._asker.stop()
        super().close()


class WhyView(Explained):
    """Why nothing moves at `ctrl`, or what is wrong: the checker's sentence, the evidence, the rule, and the remedy.

    It looks about once a second while somebody sees it. `nvlab.watch(ctrl)` before a driver runs lets it know more.
    `why` is the answer as it stands, a nvlab.trace.why.Why.
    """

    _esm = assets.script("why.js", "whyview.js")
    _css = assets.style("why.css")
    TABLES, STILL = False, 0.0

    def __init__(self, ctrl, title=None, **kwargs):
        self._ctrl, self._title = ctrl, title
        super().__init__(**kwargs)

    def explained(self):
        return self._ctrl

    @property
    def why(self):
        """The checker's answer just now."""
        return self._ctrl.why()

    def watched(self):
        """The strip's own thread asks; there is nothing else to follow."""
        return False

    def look(self):
        return {"_state": {"title": str(self._title or getattr(self._ctrl, "address", ""))}}

    def actions(self):
        return {"look": lambda _: self.ask_why(age=0)}

    def text(self):
        return str(self.why)

    def picture(self):
        return self.why._repr_mimebundle_()["text/html"]
