"""What a PerfView keeps of its runs: samples while they go, results when they end, and these as JSON, CSV or a DataFrame."""

import csv
import dataclasses
import io
import json
import pathlib

import numpy as np

from nvlab._core.histogram import BUCKETS, bucket_edges
from nvlab.spec.errors import UsageError
from nvlab.spec.render import Table

COLUMNS = ("t", "iops", "mibps", "avg", "p50", "p99", "p999", "cpu")
WINDOW = 300             # samples kept of a run: a minute at five a second
PER_DECADE, FROM_NS, BINS = 20, 100, 140
"""The latency bins that the page gets: 20 to a factor of ten, from 100 ns to 1 s."""

PERCENTILES = (50, 90, 99, 99.9, 99.99)
FAINT = 4                # powers of ten below 1 at which a share of the I/Os is no longer seen in the heat map


def _bin_of(bucket):
    low, high = bucket_edges(bucket)
    return min(BINS - 1, max(0, int(PER_DECADE * np.log10(max((low + high) / 2, FROM_NS) / FROM_NS))))


_BIN = np.array([_bin_of(bucket) for bucket in range(BUCKETS)])


def binned(hist):
    """The counts of a Histogram in the page's bins."""
    return np.bincount(_BIN, weights=hist.counts, minlength=BINS)


def heat(counts):
    """Counts as heat, 0 to 255: 0 is none, 1 a share of at most 10**-FAINT, 255 all; logarithmic."""
    total = counts.sum()
    if not total:
        return np.zeros(BINS, np.uint8)
    with np.errstate(divide="ignore"):
        level = 1 + 254 * (np.log10(counts / total) + FAINT) / FAINT
    return np.where(counts > 0, np.clip(level, 1, 255), 0).astype(np.uint8)


def with_cpu(perf):
    """perf.snapshot(), with the processor time that its threads have had by now: the loops themselves tell it at their end."""
    snap, spent = perf.snapshot(), 0
    for worker in perf.workers:
        try:
            with open(f"/proc/self/task/{worker.thread.native_id}/schedstat", encoding="ascii") as stat:     # Linux
                spent += int(stat.read().split()[0])
        except OSError:
            return snap
    return dataclasses.replace(snap, cpu=spent)


class Samples:
    """A run over time: `points`, a row of COLUMNS a sample (s, 1/s, MiB/s, µs), and `heat`, a row of BINS a sample."""

    def __init__(self):
        self.count, self.before = 0, None
        self._clear()

    def _clear(self):
        self.points, self.heat = np.empty((0, len(COLUMNS)), np.float32), np.empty((0, BINS), np.uint8)

    def take(self, snap, last=False):
        """Add what happened since the sample before."""
        before = self.before
        if before is None or snap.ios < before.ios or snap.seconds < before.seconds:   # begun, or its warm-up is over
            before = None
            self._clear()
        part = snap if before is None else snap.since(before)
        if part.seconds < 0.02 or (last and len(self.points) > 2):    # while a loop empties its queues it looks slow
            self.before = snap if last or before is None else before
            return
        nothing = (np.nan,) * (len(COLUMNS) - 3)
        told = (part.lat_avg_us, *(part.percentile_us(p) for p in (50, 99, 99.9)), max(0.0, part.cpu_us_per_io) or np.nan) if part.ios else nothing
        self.points = np.vstack([self.points[1 - WINDOW:], np.array([(snap.seconds, part.iops, part.mibps, *told)], np.float32)])
        self.heat = np.vstack([self.heat[1 - WINDOW:], heat(binned(part.hist))])
        self.before, self.count = snap, self.count + 1


class Run:
    """One measurement: `n` its number, `result` a PerfResult, `settings`, `samples`, `mode` of the drive, `sweep` it belongs to."""

    def __init__(self, n, result, samples, in_flight, mode=None, sweep=None):
        self.n, self.result, self.samples, self.depth_total, self.mode, self.sweep = n, result, samples, in_flight, mode, sweep

    @property
    def settings(self):
        """What was asked for, as plain values."""
        return self.result.settings

    @property
    def total(self):
        """The PerfSnapshot of the whole run."""
        return self.result.total

    @property
    def label(self):
        """What was measured, in a few words."""
        return describe(self.settings, self.mode)

    @property
    def little(self):
        """How many I/Os were in flight on average, by Little's law: IOPS x average latency."""
        return self.total.iops * self.total.lat_avg_us / 1e6

    def row(self):
        """{column: plain value}, the row of this run in CSV and DataFrame."""
        asked, t = self.settings, self.total
        return {"run": self.n, "sweep": self.sweep, "address": asked["address"], "workload": asked["workload"], "io_size": asked["io_size"],
                "reads_percent": asked["mix"], "depth": asked["depth"], "qpairs": asked["qpairs"], "in_flight": self.depth_total,
                "completions": "interrupts" if asked["interrupts"] else "polling", "drive_mode": self.mode, "ended": self.result.ended,
                "seconds": t.seconds, "ios": t.ios, "errors": t.errors, "iops": t.iops, "mibps": t.mibps, "lat_avg_us": t.lat_avg_us,
                "lat_min_us": t.lat_min_us, "lat_max_us": t.lat_max_us, **{f"lat_p{p:g}_us": t.percentile_us(p) for p in PERCENTILES},
                "cpu_us_per_io": t.cpu_us_per_io, "cpu_percent": t.cpu_percent, "interrupts": t.interrupts, "little": self.little}

    def to_dict(self):
        """Everything as plain values: settings, totals, percentiles, histogram, and the samples by column."""
        points = np.where(np.isnan(self.samples.points), None, self.samples.points.astype(float))
        return {"run": self.n, "sweep": self.sweep, "drive_mode": self.mode, "in_flight": self.depth_total, "little": self.little,
                **self.result.to_dict(), "histogram_us": [[low / 1000, high / 1000, count] for low, high, count in self.total.hist.rows()],
                "samples": {name: points[:, n].tolist() for n, name in enumerate(COLUMNS)}}

    def brief(self):
        """What the page needs to draw this run beside others."""
        keep = self.samples.points[:: max(1, len(self.samples.points) // 100)]
        return {**self.row(), "label": self.label, "hist": binned(self.total.hist).astype(int).tolist(),
                "t": _plain(keep[:, 0]), "series": _plain(keep[:, 1])}

    def __repr__(self):
        t = self.total
        return f"<run {self.n}: {self.label}: {t.iops:,.0f} IOPS, {t.lat_avg_us:.2f} us average>"


def _plain(values):
    return [float(f"{value:.5g}") for value in values]


def size_of(nbytes):
    """A size of an I/O: "512 B", "4 KiB"."""
    return f"{nbytes} B" if nbytes % 1024 else f"{nbytes // 1024} KiB" if nbytes % (1 << 20) else f"{nbytes >> 20} MiB"


def describe(settings, mode=None):
    """Settings in a few words: "randrw 70% reads, 4 KiB, depth 32, 2 queue pairs, polling, drive thread"."""
    mixed = f" {settings['mix']}% reads" if settings["workload"] in ("rw", "randrw") else ""
    pairs = f", {settings['qpairs']} queue pairs" if settings["qpairs"] > 1 else ""
    return (f"{settings['workload']}{mixed}, {size_of(settings['io_size'])}, depth {settings['depth']}{pairs}, "
            + ("interrupts" if settings["interrupts"] else "polling") + (f", drive {mode}" if mode else ""))


def table(runs, title=""):
    """Runs as a render.Table."""
    heads = ("Run", "What", "IOPS", "MiB/s", "Average us", "p50 us", "p99 us", "CPU us/IO", "IOPS x latency")
    rows = [(r.n, r.label, f"{r.total.iops:,.0f}", f"{r.total.mibps:,.1f}", f"{r.total.lat_avg_us:.2f}", f"{r.total.percentile_us(50):.2f}",
             f"{r.total.percentile_us(99):.2f}", f"{r.total.cpu_us_per_io:.3f}", f"{r.little:.1f}") for r in runs]
    return Table(title, heads, rows, numbers=(heads[0], *heads[2:]))


class Results(list):
    """Runs in the order they were made. Prints as a table."""

    def to_json(self, path=None):
        """All runs as JSON text: totals, percentiles, histograms, samples. Also written to `path`, if given."""
        return _written(json.dumps({"runs": [run.to_dict() for run in self]}, indent=1), path)

    def to_csv(self, path=None):
        """One line a run as CSV text, with headings. Also written to `path`, if given."""
        out = io.StringIO()
        rows = [run.row() for run in self]
        if rows:
            writer = csv.DictWriter(out, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return _written(out.getvalue(), path)

    def to_dataframe(self):
        """One row a run as a pandas DataFrame. Raises UsageError where pandas isn't installed."""
        try:
            import pandas
        except ImportError:
            raise UsageError("to_dataframe() needs pandas, which isn't installed: pip install pandas; "
                             "to_csv() and to_json() need nothing") from None
        return pandas.DataFrame([run.row() for run in self])

    def table(self):
        """The runs as a render.Table."""
        return table(self, f"{len(self)} run{'' if len(self) == 1 else 's'}")

    def __repr__(self):
        return self.table().text() if self else "no runs yet"

    def _repr_html_(self):
        return self.table().html()


def _written(text, path):
    if path is not None:
        pathlib.Path(path).write_text(text, encoding="utf-8")
    return text
