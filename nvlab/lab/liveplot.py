"""LivePlot: throughput and latency over time, drawn while perf runs and other cells do too."""

import json
import time

import ipywidgets
import numpy as np
import traitlets

from nvlab.lab import assets, static
from nvlab.lab.whyview import Explained

COLUMNS = ("t", "iops", "mibps", "avg", "p50", "p99")
WINDOW = 600             # points kept: a minute at ten a second
SPARKS = "▁▂▃▄▅▆▇█"


class LivePlot(Explained):
    """IOPS, MiB/s and latency of a `Perf` against time, `rate` points a second (at most 20), the last minute of it.

    Each point is the mean over the time since the point before. Everything is pushed from a thread of its own and
    nothing is asked of the browser, so the curve moves while a cell blocks. `close()` ends the following; perf itself
    is not stopped by it.
    """

    _esm = assets.script("why.js", "liveplot.js")
    _css = assets.style("why.css", "liveplot.css")
    _lib = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    _item = traitlets.Unicode().tag(sync=True)
    _columns = traitlets.List(list(COLUMNS)).tag(sync=True)
    _window = traitlets.Bytes().tag(sync=True)
    _now = traitlets.Dict().tag(sync=True)

    TABLES = False

    def __init__(self, perf, rate=10, title=None, **kwargs):
        self._perf, self._title, self._rate = perf, title or describe(perf), max(0.2, min(20.0, float(rate)))
        self._before, self._ran = None, False
        self._points = np.empty((0, len(COLUMNS)), np.float32)
        super().__init__(_lib=assets.bokeh_library(), _item=_figure_json(), **kwargs)
        self._views["start"] = time.monotonic()        # until a page says what it sees; perf may start a little later
        self._publisher.start()

    def explained(self):
        return getattr(self._perf, "controller", None)

    def look(self):
        """One point now, while perf runs; a run that is over stays as it is."""
        running = bool(self._perf.running)
        if not (running or self._ran):
            return {} if self._before else {"_now": {"state": "waiting", "title": self._title}}
        try:
            self._take(self._perf.snapshot(), last=not running)
        except Exception as error:                     # a device that vanished under perf: say so where it is seen
            self._ran = False
            return {"_now": {"state": "failed", "title": self._title, "text": f"{type(error).__name__}: {error}"}}
        seen, self._ran = self._before, running
        return {"_now": {"state": "running" if running else "finished", "title": self._title, "total": seen.ios,
                         "seconds": seen.seconds, "errors": seen.errors}, "_window": self._points.T.tobytes()}

    def _take(self, snap, last=False):
        before = self._before
        if before is None or snap.ios < before.ios or snap.seconds < before.seconds:   # a new run, or its warm-up is over
            before, self._points = None, self._points[:0]
        part = snap if before is None else snap.since(before)
        if part.seconds < 0.02 or (last and len(self._points) > 2):    # while a loop empties its queues it looks slow
            self._before = snap if last or before is None else before
            return
        latency = (part.lat_avg_us, part.percentile_us(50), part.percentile_us(99)) if part.ios else (np.nan,) * 3
        point = (part.iops, part.mibps, *latency)
        begun = [] if before is not None else [(0.0, *point)]            # the mean so far holds from the start on
        self._points = np.vstack([self._points[1 - WINDOW:], np.array([*begun, (snap.seconds, *point)], np.float32)])
        self._before = snap

    def period(self):
        return 1 / self._rate

    def watched(self):
        """Whether a page shows the plot; as long as none ever did, whether perf runs."""
        alone = "start" in self._views
        return super().watched() or (alone and (self._ran or self._perf.running))

    def _on_message(self, widget, content, buffers):
        if content.get("do") in ("here", "gone"):
            self._views.pop("start", None)             # from now on the page says whether anybody looks
        super()._on_message(widget, content, buffers)

    # Where there is no page

    def text(self):
        if not self._publisher.alive:
            self.refresh()                             # nobody looked, and so nothing was taken
        with self._lock:
            points, now = self._points, self._before
        if not len(points):
            return f"{self._title}: no I/O yet"
        lines = [f"{self._title}: {now.seconds:.1f} s, {now.ios:,} I/Os, {now.errors} errors"]
        for name, unit in (("iops", "IOPS"), ("mibps", "MiB/s"), ("avg", "µs average"), ("p99", "µs p99")):
            values = points[:, COLUMNS.index(name)]
            if not np.isnan(values).all():
                lines.append(f"  {spark(values)}  {values[-1]:>14,.{0 if name == 'iops' else 1}f} {unit}")
        return "\n".join(lines)

    def picture(self):
        with self._lock:
            points, seconds = self._points, self._before.seconds if self._before else 0.0
        series = [("throughput", "IOPS", points[:, 1].tolist()), ("throughput", "MiB/s", points[:, 2].tolist()),
                  ("latency", "µs", np.nan_to_num(points[:, 3]).tolist())]
        return static.curve_svg(self._title, series, seconds)


def describe(perf) -> str:
    """What a `Perf` does, in a few words: "read, 512 B, queue depth 128"."""
    size, depth = getattr(perf, "io_size", None), getattr(perf, "depth", None)
    parts = [getattr(perf, "workload", None), size and (f"{size} B" if size % 1024 else f"{size // 1024} KiB"),
             depth and f"queue depth {depth}"]
    return ", ".join(str(p) for p in parts if p) or "perf"


def spark(values, width=40) -> str:
    """A curve in one line of text, from zero to its highest value."""
    values = np.nan_to_num(np.asarray(values, float))
    if len(values) > width:
        values = np.array([part.mean() for part in np.array_split(values, width)])
    top = values.max() or 1
    return "".join(SPARKS[min(7, int(v / top * 7.999))] for v in values)


def _figure_json() -> str:
    """The empty figure as Bokeh's JSON. Ranges, units and colours are set in the browser, from what there is to see."""
    from bokeh.embed import json_item
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, LinearAxis, NumeralTickFormatter, Range1d
    from bokeh.plotting import figure

    source = ColumnDataSource({name: [] for name in COLUMNS}, name="live")
    x = Range1d(0, 10, name="x")
    common = dict(x_range=x, sizing_mode="stretch_width", toolbar_location=None, tools="", min_border_right=70,
                  min_border_left=70, background_fill_color=None, border_fill_color=None, outline_line_color=None,
                  output_backend="canvas")
    top = figure(height=190, y_range=Range1d(0, 1, name="iops"), **common)
    top.extra_y_ranges = {"mibps": Range1d(0, 1, name="mibps")}
    top.add_layout(LinearAxis(y_range_name="mibps", axis_label="MiB/s", name="mibps_axis"), "right")
    top.varea("t", y1=0, y2="iops", source=source, fill_alpha=0.15, name="area")
    rate = top.line("t", "iops", source=source, line_width=2, name="iops")
    top.yaxis[0].axis_label, top.yaxis[0].name = "IOPS", "iops_axis"
    top.add_tools(HoverTool(renderers=[rate], mode="vline", tooltips=[
        ("time", "@t{0.0} s"), ("throughput", "@mibps{0,0} MiB/s"), ("average latency", "@avg{0.0} µs")]))
    low = figure(height=185, min_border_top=12, y_range=Range1d(1, 1000, name="latency"), y_axis_type="log", **common)
    for name, dash in (("avg", "solid"), ("p50", "dashed"), ("p99", "dotdash")):
        low.line("t", name, source=source, line_width=2, line_dash=dash, name=name)
    low.yaxis.axis_label, low.xaxis.axis_label = "latency (µs)", "time since the start (s)"
    low.yaxis.ticker = FixedTicker(ticks=[1, 10, 100, 1000], name="latency_ticks")
    low.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    top.yaxis.formatter = NumeralTickFormatter(format="0,0.[0]")
    top.xaxis.major_label_text_font_size = "0px"
    for plot in (top, low):
        plot.xgrid.visible = False
        plot.axis.minor_tick_line_color = None
    return json.dumps(json_item(column(top, low, sizing_mode="stretch_width")))
