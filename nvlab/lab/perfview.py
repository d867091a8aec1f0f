"""PerfView: measure from the notebook: choose, start, watch, keep runs and compare them, and sweep the depth."""

import base64
import contextlib
import os
import threading

import traitlets

from nvlab.host.perf import WORKLOADS, Perf
from nvlab.lab import assets, perfruns, safety, static
from nvlab.lab.perfruns import BINS, COLUMNS, FROM_NS, PER_DECADE, Results, Run, Samples, describe
from nvlab.lab.whyview import Explained
from nvlab.spec.errors import QueueBusy, UsageError

SAMPLE_S = 0.2           # between two samples of a run
SIZES = tuple(512 << n for n in range(12))
WORDS = {"read": "read in sequence", "write": "write in sequence", "randread": "read at random", "randwrite": "write at random",
         "rw": "read and write in sequence", "randrw": "read and write at random"}
NAMES = ("workload", "mix", "io_size", "depth", "qpairs", "seconds", "interrupts", "mode")
MODES = {"inline": "inline: in the loop that asks", "thread": "thread: on a core of its own"}


class PerfView(Explained):
    """Perf with a face: what to measure, start and stop, throughput and latency while it runs, runs beside each other, depth sweeps.

    `ctrl` is a Controller that is ready. Keywords set the form (workload, mix, io_size, depth, qpairs, seconds, interrupts, and
    mode, that of an embedded drive during a run). `results` has the runs, also as JSON, CSV and DataFrame. Runs go on in
    background threads; `close()` ends them.
    """

    _esm = assets.script("why.js", "perfchart.js", "perfplots.js", "perfruns.js", "perfview.js")
    _css = assets.style("why.css", "perfview.css")
    _live = traitlets.Bytes().tag(sync=True)
    _heat = traitlets.Bytes().tag(sync=True)
    _hist = traitlets.Bytes().tag(sync=True)
    _runs = traitlets.List().tag(sync=True)
    _sweep = traitlets.List().tag(sync=True)
    TABLES, PERIOD = False, 0.1

    def __init__(self, ctrl, title=None, **settings):
        self._ctrl, self._title = ctrl, title
        self._form = self._defaults()
        unknown = settings.keys() - set(NAMES)
        if unknown:
            raise UsageError(f"PerfView: there is no setting {', '.join(sorted(unknown))}; settings are {', '.join(NAMES)}")
        self._form.update(settings)
        self._kept, self._n, self._sweeps = Results(), 0, 0
        self._phase, self._job, self._samples, self._sent = "idle", None, Samples(), None
        self._halt, self._driver, self._plan = threading.Event(), None, []
        super().__init__()

    def explained(self):
        return self._ctrl

    def _defaults(self):
        ssd = getattr(self._ctrl, "ssd", None)
        alone = len(os.sched_getaffinity(0)) == 1 if hasattr(os, "sched_getaffinity") else os.cpu_count() == 1
        mode = None
        if ssd is not None:
            mode = "inline" if alone or str(ssd.mode) == "manual" else str(ssd.mode)
        block = max((ns.block_size for ns in self._ctrl.namespaces.values()), default=512)
        return {"workload": "randread", "mix": 70, "io_size": max(4096, block), "depth": 32, "qpairs": 1, "seconds": 5.0,
                "interrupts": False, "mode": mode}

    # -- from Python

    @property
    def results(self):
        """The runs so far, a Results: a list of Run."""
        with self._lock:
            return Results(self._kept)

    def to_json(self, path=None):
        """The runs as JSON; see Results.to_json."""
        return self.results.to_json(path)

    def to_csv(self, path=None):
        """The runs as CSV; see Results.to_csv."""
        return self.results.to_csv(path)

    def to_dataframe(self):
        """The runs as a pandas DataFrame; see Results.to_dataframe."""
        return self.results.to_dataframe()

    @property
    def running(self):
        """Whether a run or a sweep is under way."""
        return self._driver is not None and self._driver.is_alive()

    def start(self, **settings):
        """Begin a run in the background; keywords change the form. Returns self. Raises UsageError, or QueueBusy while one runs."""
        with self._lock:
            self._form.update(self._checked(settings))
            form = dict(self._form)
            Perf(self._ctrl, **_keywords(form))                  # what can't be is told now
            self._launch([form], None)
        return self

    def sweep(self, up_to=256, seconds=1.0, **settings):
        """Measure at depths 1, 2, 4 … `up_to`, `seconds` each, in the background. Returns self. Raises as start() does."""
        with self._lock:
            self._form.update(self._checked(settings))
            if not float(seconds) > 0:
                raise UsageError(f"a sweep of {seconds} s at each depth: more than 0 is needed")
            depths = depths_to(int(up_to))
            jobs = [{**self._form, "depth": depth, "seconds": float(seconds)} for depth in depths]
            Perf(self._ctrl, **_keywords(jobs[-1]))
            self._sweeps += 1
            self._launch(jobs, self._sweeps)
        return self

    def stop(self):
        """End what runs; what was measured so far is kept."""
        self._halt.set()
        self.wait()

    def wait(self, timeout=None):
        """Wait for the run or sweep to end. Returns whether it has."""
        driver = self._driver
        if driver is not None and driver is not threading.current_thread():
            driver.join(timeout)
        return not self.running

    def _checked(self, settings):
        """Settings from a page or a person, as what Perf takes."""
        known = {}
        for name, value in settings.items():
            if name not in NAMES:
                raise UsageError(f"there is no setting {name!r}; settings are {', '.join(NAMES)}")
            try:
                known[name] = {"workload": str, "mode": lambda v: v and str(v), "interrupts": bool,
                               "seconds": float}.get(name, int)(value)
            except (TypeError, ValueError):
                raise UsageError(f"{name} {value!r}: a number is needed") from None
        return known

    def _launch(self, jobs, sweep):
        if self.running:
            raise QueueBusy("A run is under way: stop it first.")
        self._halt.clear()
        self._phase, self._plan = "sweeping" if sweep else "running", [job["depth"] for job in jobs] if sweep else []
        self._driver = threading.Thread(target=self._drive, args=(jobs, sweep), name="nvlab-perfview-run", daemon=True)
        self._driver.start()

    # -- the thread of a run

    def _drive(self, jobs, sweep):
        told, first = None, self._n
        try:
            with self._mode(jobs[0]["mode"]):
                for job in jobs:
                    if self._halt.is_set():
                        break
                    told = self._measure(job, sweep)
            if sweep and self._n > first:
                best = max((run for run in self.results if run.sweep == sweep), key=lambda run: run.total.iops)
                told = f"Sweep {sweep}: {self._n - first} depths; most IOPS at depth {best.settings['depth']}, {best.total.iops:,.0f}."
            self.say("info", told or "Stopped.")
        except Exception as error:                     # raised here, nobody would see it
            self.say("error", f"{type(error).__name__}: {error}")
        finally:
            self._phase, self._job = "idle", None
            self.refresh()

    @contextlib.contextmanager
    def _mode(self, mode):
        """An embedded drive in another mode for as long as runs go."""
        ssd = getattr(self._ctrl, "ssd", None)
        before = str(ssd.mode) if ssd is not None else None
        if ssd is None or not mode or mode == before:
            yield
            return
        ssd.mode = mode
        try:
            yield
        finally:
            with contextlib.suppress(Exception):       # a drive that vanished keeps none
                ssd.mode = before

    def _measure(self, job, sweep):
        perf = Perf(self._ctrl, **_keywords(job), warmup=min(0.2, job["seconds"] / 5) if sweep else 0.0)
        samples = self._samples = Samples()
        self._job = {"label": describe(perf.settings(), job["mode"]), "asked": job["seconds"], "depth": job["depth"]}
        perf.start()
        try:
            while perf.running and not self._halt.wait(SAMPLE_S):
                samples.take(perfruns.with_cpu(perf))
        finally:
            result = perf.stop()
        samples.take(result.total, last=True)
        if result.total.ios:
            with self._lock:
                self._n += 1
                flight = perf.depth * perf.qpairs * len(perf.namespaces)
                self._kept.append(Run(self._n, result, samples, flight, job["mode"], sweep))
        t = result.total
        return (f"Run {self._n}: {t.iops:,.0f} IOPS, {t.mibps:,.1f} MiB/s, {t.lat_avg_us:.1f} µs average"
                + (f"; {t.errors} errors, the first: {result.first_error}" if t.errors else "."))

    # -- what the page is told

    def look(self):
        samples = self._samples
        now, job = samples.before, self._job
        state = {"title": str(self._title or self._ctrl.address), "phase": self._phase, "form": dict(self._form), "limits": self._limits(),
                 "columns": list(COLUMNS), "bins": [FROM_NS, PER_DECADE, BINS], "plan": list(self._plan), "job": job,
                 "now": now and {"seconds": now.seconds, "ios": now.ios, "errors": now.errors}, "whole": self._whole()}
        news = {"_state": state}
        if self._sent != (samples, samples.count):
            self._sent = samples, samples.count
            news.update(_live=samples.points.T.tobytes(), _heat=samples.heat.tobytes(),
                        _hist=perfruns.binned(now.hist).astype("float32").tobytes() if now else b"")
        kept = self._kept
        if [r.n for r in kept if r.sweep is None] != [r["run"] for r in self._runs]:
            news["_runs"] = [r.brief() for r in kept if r.sweep is None]
        swept = [r for r in kept if r.sweep and r.sweep == self._sweeps]
        if [r.n for r in swept] != [r["run"] for r in self._sweep]:
            news["_sweep"] = [{**r.row(), "label": r.label} for r in swept]
        return news

    def _whole(self):
        """The numbers of the last run as a whole; None while another goes."""
        if self._phase != "idle" or not self._kept:
            return None
        t = self._kept[-1].total
        return {"iops": t.iops, "mibps": t.mibps, "avg": t.lat_avg_us, "p50": t.percentile_us(50), "p99": t.percentile_us(99),
                "p999": t.percentile_us(99.9), "cpu": t.cpu_us_per_io}

    def _limits(self):
        ctrl = self._ctrl
        most, blocks = ctrl.max_transfer or SIZES[-1], [ns.block_size for ns in ctrl.namespaces.values()]
        sizes = [size for size in SIZES if size <= most and not any(size % block for block in blocks)]
        ssd = getattr(ctrl, "ssd", None)
        return {"depth": int(ctrl.cap.MQES), "sizes": [[size, perfruns.size_of(size)] for size in sorted({*sizes, self._form["io_size"]})],
                "workloads": [[name, WORDS[name]] for name in WORKLOADS], "vectors": int(ctrl.function.vectors), "guarded": safety.guarded(ctrl),
                "modes": [] if ssd is None else [[name, words] for name, words in MODES.items()]}

    # -- what the page asks for

    def actions(self):
        return {"start": self._do_start, "stop": self._do_stop, "sweep": self._do_sweep, "forget": self._do_forget}

    def _allowed(self, content):
        """A page must confirm what writes over somebody's drive."""
        workload = str(content.get("settings", {}).get("workload", self._form["workload"]))
        reads, _ = WORKLOADS.get(workload, (100, False))
        safety.check(self._ctrl, reads != 100, content.get("confirmed"), f"The workload {workload}")

    def _do_start(self, content):
        self._allowed(content)
        self.start(**content.get("settings", {}))
        return " "

    def _do_sweep(self, content):
        self._allowed(content)
        asked = {name: value for name, value in content.get("settings", {}).items() if name != "seconds"}
        self.sweep(content.get("up_to", 256), content.get("each", 1.0), **asked)
        return " "

    def _do_stop(self, _content):
        self._halt.set()

    def _do_forget(self, content):
        with self._lock:
            self._kept = Results(run for run in self._kept if run.n != content.get("n"))

    # -- where there is no page

    def text(self):
        kept, now = self.results, self._samples.before
        lines = [f"PerfView of {self._title or self._ctrl.address}: {self._phase}"]
        if self._job and now is not None:
            lines[0] += f", {self._job['label']}: {now.seconds:.1f} s, {now.iops:,.0f} IOPS, {now.lat_avg_us:.1f} us average"
        return "\n".join([*lines, repr(kept) if kept else "no runs yet: start(), or sweep()"])

    def picture(self):
        kept, samples = self.results, self._samples
        parts = []
        if len(samples.points):
            points = samples.points
            parts.append(_image(static.curve_svg(kept[-1].label if kept else "perf", [
                ("throughput", "IOPS", points[:, 1].tolist()), ("average latency", "µs", [0 if v != v else v for v in points[:, 3].tolist()]),
                ("p99 latency", "µs", [0 if v != v else v for v in points[:, 5].tolist()])], float(points[-1, 0]))))
        return f"<div>{''.join(parts)}{kept.table().html()}</div>" if kept else static.text_html(self.text())

    def close(self):
        """End the run that is under way, stop following, and close the widget's channel."""
        if getattr(self, "_halt", None) is not None:
            self._halt.set()
            self.wait(3)
        super().close()


def _keywords(form):
    """What Perf takes, out of a form."""
    return {name: value for name, value in form.items() if name != "mode"} | {"seconds": form["seconds"] or None}


def depths_to(most):
    """1, 2, 4 … and `most` itself. Raises UsageError unless that is positive."""
    if most < 1:
        raise UsageError(f"a sweep up to depth {most}: 1 at least")
    depths = [1 << n for n in range(most.bit_length()) if 1 << n <= most]
    return depths if depths[-1] == most else [*depths, most]


def _image(svg):
    return f'<img alt="throughput and latency over time" src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" style="max-width:100%">'
