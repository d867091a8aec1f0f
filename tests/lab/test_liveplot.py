"""LivePlot without a page: its points, its thread, its text."""

import time
import types

import numpy as np
import pytest

from nvlab.lab import LivePlot
from nvlab.lab.liveplot import spark
from tests.lab.fake_nvme import FakePerf, snapshot
from tests.waiting import holds


def test_points_arrive_while_perf_runs_and_stop_with_it():
    perf = FakePerf()
    plot = LivePlot(perf, rate=20)
    assert plot._now["state"] == "waiting" and "no I/O yet" in str(plot)
    perf.start()
    assert holds(lambda: len(plot._points) >= 3)
    assert plot._now["state"] == "running"
    perf.stop()
    assert holds(lambda: plot._now["state"] == "finished")
    plot._on_message(plot, {"do": "here", "view": "reloaded"}, [])
    plot.refresh()
    assert plot._now["state"] == "finished"
    points = np.frombuffer(plot._window, np.float32).reshape(6, -1)
    assert (np.diff(points[0]) > 0).all() and 1e6 < np.median(points[1]) < 6e6
    assert points[2] == pytest.approx(points[1] * 512 / 2**20, rel=0.01)
    assert "IOPS" in str(plot) and "read, 512 B, queue depth 128" in str(plot)
    plot.close()
    assert not plot._publisher.alive


def test_a_new_run_starts_a_new_curve():
    perf = FakePerf().start()
    plot = LivePlot(perf, rate=20)
    assert holds(lambda: len(plot._points) >= 3)
    perf.began = time.monotonic() - 0.05
    plot.refresh()
    assert len(plot._points) <= 2 and plot._points[0, 0] == 0
    plot.close()


def test_a_failing_perf_is_told_in_the_widget():
    perf = FakePerf().start()
    plot = LivePlot(perf, rate=20)
    perf.snapshot = lambda: 1 / 0
    plot.refresh()
    assert plot._now["state"] == "failed" and "ZeroDivisionError" in plot._now["text"]
    plot.close()


def test_a_point_is_of_the_time_since_the_one_before():
    plot = LivePlot(FakePerf())
    plot._take(snapshot(1.0, 1000, 40.0))
    assert plot._points[:, 0].tolist() == [0, 1] and plot._points[:, 1].tolist() == [1000, 1000]
    assert plot._points[0, 3:] == pytest.approx((40, 40, 400), rel=0.02)
    plot._take(snapshot(2.0, 1000, 40.0))
    assert np.isnan(plot._points[-1, 3:]).all() and plot._points[-1, 1] == 0       # no I/O, no latency
    plot._take(snapshot(2.001, 1001, 40.0))
    assert len(plot._points) == 3                                                  # too soon for a point of its own
    plot.close()


def test_the_window_is_bounded():
    perf = types.SimpleNamespace(running=False)
    plot = LivePlot(perf)
    for i in range(700):
        plot._take(snapshot(i * 0.1, i * 1000))
    assert len(plot._points) == 600 and plot._points[-1, 1] == pytest.approx(10_000, rel=1e-3)
    plot.close()


def test_still_picture_and_spark():
    perf = FakePerf().start()
    plot = LivePlot(perf, rate=20)
    assert holds(lambda: len(plot._points) >= 2)
    data, _ = plot._repr_mimebundle_()
    assert "polyline" in data["image/svg+xml"] and data["text/plain"].startswith("read, 512 B")
    plot.close()
    assert spark([0, 1, 2, 4]) == "▁▂▄█"
    assert len(spark(range(1000))) == 40


def test_bokeh_comes_from_the_installed_package_and_once():
    plots = [LivePlot(FakePerf()) for _ in range(2)]
    assert plots[0]._lib is plots[1]._lib and len(plots[0]._lib.gz) > 100_000
    assert "cdn" not in plots[0]._item
    for plot in plots:
        plot.close()
