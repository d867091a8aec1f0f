"""PerfView without a page: runs, sweeps, what is kept and how it leaves, and what is refused."""

import csv
import io
import json
import sys
import threading

import numpy as np
import pytest

import nvlab
from nvlab._core.histogram import Histogram
from nvlab.lab import PerfView, perfruns
from nvlab.lab.perfview import depths_to
from nvlab.spec.errors import QueueBusy, UsageError
from tests.lab.fake_nvme import snapshot


@pytest.fixture(scope="module")
def ctrl():
    with nvlab.attach("embedded:size=4M") as ctrl:
        yield ctrl


@pytest.fixture
def view(ctrl):
    view = PerfView(ctrl, seconds=0.3, depth=4)
    yield view
    view.close()


def test_a_run_is_measured_kept_and_told(view):
    assert view.start().wait(20) and not view.running
    (run,) = view.results
    assert run.n == 1 and run.total.ios > 0 and run.label == "randread, 4 KiB, depth 4, polling, drive inline"
    assert view._notice["kind"] == "info" and "Run 1" in view._notice["text"] and view._state["phase"] == "idle"
    assert view._runs[0]["run"] == 1 and sum(view._runs[0]["hist"]) == run.total.ios
    points = np.frombuffer(view._live, np.float32).reshape(len(perfruns.COLUMNS), -1)
    assert points.shape[1] >= 1 and (points[1] > 0).all() and len(view._heat) == points.shape[1] * perfruns.BINS
    assert "randread" in str(view) and "data:image/svg+xml" in view.picture()


def test_a_sweep_keeps_littles_law_and_leaves_the_form(view):
    view.sweep(4, 0.2).wait(20)
    assert [run.settings["depth"] for run in view.results] == [1, 2, 4] and view._state["form"]["depth"] == 4
    assert all(abs(run.little / run.depth_total - 1) < 0.2 for run in view.results)
    assert view._runs == [] and [point["depth"] for point in view._sweep] == [1, 2, 4]


def test_stop_keeps_what_was_measured(view):
    view.start(seconds=60)
    with pytest.raises(QueueBusy):
        view.start()
    view._halt.wait(0.3)
    view.stop()
    assert view.results[0].result.ended == "stopped" and not view._ctrl.io
    view.act("forget", {"n": 1})
    assert not view.results and view._runs == []


def test_close_ends_the_run(ctrl):
    view = PerfView(ctrl, seconds=0).start()
    view.close()
    assert not view.running and not ctrl.io
    assert not any(t.name.startswith("nvlab-perfview") for t in threading.enumerate())


@pytest.mark.parametrize("settings, says", [
    ({"depth": 9999}, "queue depth 9999"), ({"depth": "many"}, "a number is needed"), ({"speed": 1}, "no setting 'speed'"),
    ({"io_size": 1000}, "multiple of the block size"), ({"workload": "guess"}, "choose one of")])
def test_what_can_not_be_is_refused(view, settings, says):
    with pytest.raises(UsageError, match=says):
        view.start(**settings)
    view._form = view._defaults()
    view.act("start", {"settings": settings})
    assert view._notice["kind"] == "error" and not view.running


def test_a_manual_drive_runs_by_itself_only_meanwhile():
    with nvlab.probe("embedded:mode=manual,size=4M") as ctrl:
        view = PerfView(ctrl.start(), seconds=0.2, depth=2)
        assert view._form["mode"] == "inline"
        view.start().wait(20)
        assert view.results and str(ctrl.ssd.mode) == "manual"
        view.close()


def test_a_drive_of_somebody_is_not_written_unasked(view, monkeypatch):
    monkeypatch.setattr("nvlab.lab.safety.PLAYTHINGS", frozenset())
    view.act("start", {"settings": {"workload": "randwrite"}})
    assert "nothing was sent" in view._notice["text"] and not view.running
    view.act("start", {"settings": {"workload": "randwrite", "seconds": 0.2}, "confirmed": True})
    view.wait(20)
    assert view.results[0].settings["workload"] == "randwrite"


def test_results_leave_as_json_csv_and_dataframe(view, tmp_path, monkeypatch):
    view.start(seconds=0.2).wait(20)
    plain = json.loads(view.to_json(tmp_path / "runs.json"))["runs"][0]
    assert (tmp_path / "runs.json").exists() and plain["total"]["ios"] == view.results[0].total.ios
    assert plain["settings"]["io_size"] == 4096 and plain["histogram_us"] and plain["samples"]["iops"]
    (row,) = csv.DictReader(io.StringIO(view.to_csv(tmp_path / "runs.csv")))
    assert row["depth"] == "4" and float(row["lat_p99_us"]) > 0
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pandas"):
        view.to_dataframe()


def test_samples_hold_what_happened_between_two_looks():
    samples = perfruns.Samples()
    samples.take(snapshot(1.0, 1000))
    samples.take(snapshot(2.0, 4000))
    assert samples.points[:, 1].tolist() == [1000, 3000] and samples.count == 2
    assert 40 < samples.points[1, 4] < 43 and samples.heat[1].max() > 250
    samples.take(snapshot(0.5, 100))                       # the warm-up is over: the counts begin anew
    assert len(samples.points) == 1


def test_bins_keep_every_count():
    hist = Histogram()
    for ns in (1, 99, 100, 5_000, 10**9, 10**12):
        hist.record(ns)
    assert perfruns.binned(hist).sum() == 6
    assert depths_to(1) == [1] and depths_to(6) == [1, 2, 4, 6]
    with pytest.raises(UsageError):
        depths_to(0)
