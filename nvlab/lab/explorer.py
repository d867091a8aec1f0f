"""Explorer: all views of one controller in one app, a tab each; `explore()` opens it on an address."""

import contextlib
import sys

import ipywidgets
import traitlets

from nvlab.host.controller import Controller
from nvlab.lab import assets, still
from nvlab.lab.tabs import TABS
from nvlab.lab.whyview import Explained, answer
from nvlab.spec.errors import Error, UsageError
from nvlab.trace import Trace

IO_DEPTH = 32        # entries of the I/O queue pair that a fresh explorer shows beside the admin queue
NO_RECORDING = "perf"
"""The tab that is to measure the drive, and not the recorder."""

_OF_CELLS = {}
"""Cell -> (the run that made them, [Explorer, …]): a cell that runs again ends what it made before."""


def explore(address="embedded", tab="rings", timeout=10.0):
    """Open the controller at `address` in an Explorer: rings, registers, timeline, debugger, memory, and what else there is.

    An address is opened and brought up, while its bring-up is recorded for the timeline; closing the Explorer, or running its
    cell again, closes the controller. An embedded drive whose address names no mode is stepped by hand. A Controller is taken
    as it stands, and stays open. `tab` is the view to show first. Returns the Explorer.
    Raises UsageError or DeviceNotFound, and what Controller.start() raises.
    """
    if isinstance(address, Controller):
        return _kept(Explorer(address, tab=tab))
    import nvlab

    _end_earlier()
    ctrl = nvlab.probe(address, timeout)
    try:
        trace = Trace(ctrl, stacks=True).start()
        ctrl.start()
        ctrl.create_io_queue_pair(IO_DEPTH)
        if ctrl.ssd is not None and not ctrl.function.options.get("mode"):
            ctrl.ssd.mode = "manual"
        return _kept(Explorer(ctrl, trace=trace, owned=True, tab=tab))
    except BaseException:
        ctrl.close()
        raise


class Explorer(Explained):
    """The views of a controller behind tabs, and what the checker says below them.

    A view is made when its tab is first shown, and rests while another is. `ctrl` is the controller, `trace` the Trace that the
    timeline shows, `tab` the name of the chosen view, which may be set; `view(name)` is a view itself. `owned`: close() also
    closes the controller. A context manager.
    """

    _esm = assets.script("why.js", "explorer.js")
    _css = assets.style("why.css", "explorer.css")
    _made = traitlets.Dict().tag(sync=True, **ipywidgets.widget_serialization)
    tab = traitlets.Unicode().tag(sync=True)
    TABLES, PERIOD = False, 0.5

    def __init__(self, ctrl, trace=None, owned=False, title=None, tab="rings", **kwargs):
        self.ctrl, self.trace, self._owned, self._title, self._ended = ctrl, trace or Trace(ctrl), owned, title, False
        self._tabs = {name: entry for name, *entry in TABS}
        super().__init__(tab=tab, **kwargs)

    def explained(self):
        return self.ctrl

    # -- the views

    def view(self, name):
        """The view called `name`, made when it is asked for first. Raises UsageError where there is none of that name."""
        with self._lock:
            if name not in self._made:
                self._known(name)
                if self._ended:
                    raise UsageError(f"this Explorer is closed, and {name} was never opened")
                view = self._tabs[name][-1](self)
                self.tell(_made={**self._made, name: view})
            return self._made[name]

    def _known(self, name):
        if name not in self._tabs:
            raise UsageError(f"there is no view {name!r}; views are {', '.join(self._tabs)}")
        return name

    @traitlets.validate("tab")
    def _check_tab(self, proposal):
        return self._known(proposal["value"])

    @traitlets.observe("tab")
    def _chosen(self, change):
        if change["new"] == NO_RECORDING and self.trace.on:
            self.trace.stop()
            self.say("info", "Recording has stopped, so that Perf measures the drive alone. The timeline keeps what there is; record begins anew.")
            self.refresh()

    def alone(self):
        """Let nobody else listen at each register write: code that is debugged does, and there is one such place."""
        if self.trace.stacks is not None:
            self.trace.stacks.stop()

    # -- what the page is told

    def look(self):
        ctrl, ssd = self.ctrl, self.ctrl.ssd
        gone = "closed" if ctrl.closed else ctrl.function.gone()
        name = f"{ctrl.id.mn} {ctrl.id.sn}" if ctrl.id is not None else ctrl.function.model
        return {"_state": {"title": str(self._title or ctrl.address), "what": name, "gone": gone or "",
                           "tabs": [[tab, *entry[:2]] for tab, entry in self._tabs.items()],
                           "mode": str(ssd.mode) if ssd is not None else None, "on": self.trace.on}}

    # -- what the page asks for

    def actions(self):
        return {"open": self._do_open, "mode": self._do_mode, "record": self._do_record}

    def _do_open(self, content):
        self.view(content.get("tab"))

    def _do_mode(self, content):
        self.ctrl.ssd.mode = content.get("mode")
        return {"manual": "The drive moves when it is stepped, and while a driver call waits.", "inline": "The drive moves whenever the host polls.",
                "thread": "The drive moves by itself, in a thread of its own."}[str(self.ctrl.ssd.mode)]

    def _do_record(self, content):
        if not content.get("on"):
            self.trace.stop()
            return "Recording has stopped; the timeline keeps what there is."
        if not self.trace.on:
            self.trace.start()
        if "debugger" in self._made:
            self.alone()
        return "Records for the timeline from now on."

    # -- where there is no page

    def text(self):
        lines = [f"Explorer of {self._title or self.ctrl.address}: {', '.join(entry[0] for entry in self._tabs.values())}", f"{self._state['what']} {self._state['gone']}".rstrip()]
        with contextlib.suppress(Error):
            if self.ctrl.explain is not None and not self.ctrl.closed:
                lines.append(answer(self.ctrl)[0].sentence)
        return "\n".join([*lines, "", self.view(self.tab).text()])

    def picture(self):
        shown = self.view(self.tab)
        heads = " · ".join(f"<b>{title}</b>" if name == self.tab else title for name, (title, *_) in self._tabs.items())
        return (f'<div><div style="font-weight:600">Explorer of {self._title or self.ctrl.address}</div><div>{heads}</div>'
                f"{still.html(shown.picture(), shown.text())}</div>")

    # -- its end

    def close(self):
        """Close the views that were made, end the recording, and close the controller if it is owned. Closing twice is harmless."""
        if getattr(self, "_ended", True):
            return super().close()
        self._ended = True
        for view in self._made.values():
            with contextlib.suppress(Exception):       # one that fails keeps no other open
                view.close()
        with contextlib.suppress(Error):
            self.trace.stop()
        try:
            super().close()
        finally:
            if self._owned:
                self.ctrl.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


# ---------------------------------------------------------------- one cell, one explorer

def _run():
    """(cell, run) in which the caller runs, as the page numbers them; (None, None) outside of a notebook."""
    with contextlib.suppress(Exception):                # no IPython, no kernel, no cell
        request = sys.modules["IPython"].get_ipython().kernel.get_parent("shell")
        return request["metadata"]["cellId"], request["header"]["msg_id"]
    return None, None


def _end_earlier():
    """Close what an earlier run of this cell opened: nobody can see it any more, and a drive's file may be locked by it."""
    cell, run = _run()
    if cell in _OF_CELLS and _OF_CELLS[cell][0] != run:
        for explorer in _OF_CELLS.pop(cell)[1]:
            explorer.close()


def _kept(explorer):
    cell, run = _run()
    if cell is not None:
        _end_earlier()
        _OF_CELLS.setdefault(cell, (run, []))[1].append(explorer)
    return explorer
