"""View: what all widgets of the lab share: one lock, one publisher, actions, notices, and what stands in for them.

A view looks at something (`look()` returns the traits a page needs), tells the page what changed, and does what the page
asks for (`_acts`). It works only while somebody sees it: the page says "here" and "gone", and in between a thread calls
`refresh()` every `period()` seconds.
"""

import threading
import time
import uuid

import anywidget
import ipywidgets
import traitlets

from nvlab.lab import assets, static, still
from nvlab.lab.publish import Publisher
from nvlab.spec.errors import QueueBusy

VIEW_SILENT_S = 60      # a page that was closed without a word is forgotten after this long


class View(anywidget.AnyWidget):
    """The base of every view. A subclass sets `_esm`, `_css` (assets.script, assets.style) and overrides `look()`, `text()`
    and `picture()`; it sets its own attributes before it calls `super().__init__()`.

    Any thread may call any method. `close()` ends the view's threads and its channel to the page.
    """

    _tables = traitlets.Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    _state = traitlets.Dict().tag(sync=True)
    _notice = traitlets.Dict().tag(sync=True)
    _seq = traitlets.Int(0).tag(sync=True)
    _token = traitlets.Unicode().tag(sync=True)        # by which the page knows the still picture of this view

    PERIOD = 0.05           # seconds between two looks
    TABLES = True           # whether the page gets the field tables of the standard (nvlTables)
    LONG = frozenset()      # names of the actions that take long: each message runs them in a thread of their own

    def __init__(self, **kwargs):
        self._lock, self._views, self._count, self._failed = threading.RLock(), {}, 0, None
        self._acts, self._worker = self.actions(), None
        super().__init__(_tables=assets.tables_library() if self.TABLES else None, _token=uuid.uuid4().hex[:12], **kwargs)
        self._publisher = Publisher(f"nvlab-{type(self).__name__.lower()}", self.refresh, self.period, self.watched)
        self.refresh()
        self.on_msg(self._on_message)

    # What a subclass says

    def look(self) -> dict:
        """{trait: value} as things stand now. Called with the lock held; what it raises is shown in the widget."""
        return {}

    def actions(self) -> dict:
        """{name: method(content)} of what the page may ask for; a method returns a sentence to show, or None."""
        return {}

    def text(self) -> str:
        """The view as text: its repr, and what a page without a kernel may fall back to."""
        return f"<{type(self).__name__}>"

    def picture(self) -> str:
        """A still picture: one element of SVG or HTML."""
        return static.text_html(self.text())

    def period(self) -> float:
        """Seconds from one look to the next."""
        return self.PERIOD

    def watched(self) -> bool:
        """Whether any page shows this view where it can be seen."""
        late = time.monotonic() - VIEW_SILENT_S
        return any(seen > late for seen in list(self._views.values()))

    # What the page is told

    def refresh(self):
        """Look now, and tell the page what changed. Called by itself while the view is seen; never raises."""
        with self._lock:
            try:
                news = self.look()
            except Exception as error:                 # a drive that vanished, a queue pair that was deleted
                words = f"{type(error).__name__}: {error}"
                if words != self._failed:
                    self._failed = words
                    self.say("error", words)
                return
            self._failed = None
            self.tell(**news)

    def tell(self, **traits):
        """Send the traits that differ from what the page has, in one message."""
        with self._lock:
            news = {name: value for name, value in traits.items() if value != getattr(self, name)}
            if news:
                with self.hold_sync():                 # not safe between threads, hence the lock
                    for name, value in news.items():
                        setattr(self, name, value)
                    self._seq += 1

    def say(self, kind, text):
        """Show a sentence in the widget. `kind` is "info", "busy" or "error"."""
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
        elif what in self.LONG:
            self._work(what, content)
        elif what in self._acts:
            self.act(what, content)

    def act(self, what, content=None):
        """Do what a control of the page does. Errors are shown in the widget, never raised."""
        try:
            told = self._acts[what](content or {})
            if told:
                self.say("info", told)
        except QueueBusy as error:
            self.say("busy", str(error))
        except Exception as error:                     # printed or raised here, nobody would see it
            self.say("error", f"{type(error).__name__}: {error}")
        self.refresh()

    def _work(self, what, content):
        with self._lock:
            if self._worker is not None and self._worker.is_alive():
                return self.say("busy", "The last thing asked for is still under way.")
            self._worker = threading.Thread(target=self.act, args=(what, content), daemon=True,
                                            name=f"nvlab-{type(self).__name__.lower()}-{what}")
            self._worker.start()

    # Where there is no page

    def __repr__(self):
        return self.text()

    __str__ = __repr__

    def _ipython_display_(self):
        still.show(self._alive(), self._picture(), self.text(), self._token)

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = self._alive(**kwargs) if still.page_there() else ({}, {})
        picture = self._picture()
        return {**data, "text/plain": self.text(), still.mime(picture): picture}, metadata

    def _alive(self, **kwargs):
        made = super()._repr_mimebundle_(**kwargs)
        return made if isinstance(made, tuple) else (made or {}, {})

    def _picture(self):
        try:
            return self.picture()
        except Exception as error:                     # the text says what there is to say
            return static.text_html(f"{self.text()}\n{type(error).__name__}: {error}")

    def close(self):
        """Stop following and close the widget's channel."""
        if getattr(self, "_publisher", None) is not None:
            self._publisher.stop()
        super().close()
