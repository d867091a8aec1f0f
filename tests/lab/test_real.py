"""The widgets over the real driver and the embedded drive."""

import subprocess
import sys
import time

import pytest

import nvlab
from nvlab import cmd
from nvlab.lab import LivePlot, RingView
from nvlab.tools.draw import LIVES, ring_text


@pytest.fixture
def ctrl():
    with nvlab.probe("embedded:mode=manual,size=4M") as ctrl:
        yield ctrl.start()


def test_the_four_buttons(ctrl):
    pair = ctrl.create_io_queue_pair(8)
    view = RingView(pair)
    pair.sq.post(cmd.read(nsid=1, slba=0, nlb=0, prp1=ctrl.alloc(4096)))
    seen = []
    for act in ("ring", "step", "poll", "ring_cq"):
        view.act(act)
        assert view._notice["kind"] == "info", view._notice
        seen.append((LIVES[view._life[0]], LIVES[view._life[8]]))
    assert seen == [("rung", "free"), ("fetched", "posted"), ("done", "polled"), ("done", "done")]
    assert view._state["title"] == ctrl.address and view._state["mode"] == "manual"
    view.close()


def test_a_pair_that_perf_has_and_then_deletes(ctrl):
    ctrl.ssd.mode = "inline"
    perf = nvlab.Perf(ctrl, depth=4, seconds=60).start()
    plot = LivePlot(perf, rate=20)
    pair = next(pair for pair in ctrl.io.values() if pair.owner is perf)
    view = RingView(pair)
    assert view._state["busy"] == "perf"
    view.act("poll")
    assert view._notice["kind"] == "busy"
    end = time.monotonic() + 10
    while len(plot._points) < 4 and time.monotonic() < end:
        time.sleep(0.02)
    perf.stop()
    view.refresh()
    assert view._state["retired"] and "no longer part of the controller" in str(view)
    assert (plot._points[:4, 1] > 0).all() and (plot._points[:4, 5] >= plot._points[:4, 4]).all()
    view.close()
    plot.close()


def test_a_view_outlives_its_controller(ctrl):
    view = RingView(ctrl.admin)
    ctrl.close()
    view.refresh()
    assert "SQ0  32 entries" in str(view)
    view.close()


def test_a_queue_that_completes_elsewhere(ctrl):
    cq = ctrl.create_io_cq(qid=1, depth=8)
    ctrl.create_io_sq(qid=1, cq=cq)
    ctrl.create_io_sq(qid=2, cq=cq)
    text = ring_text(ctrl.io[2], ctrl.ssd)
    assert "SQ2  8 entries   host tail 0, head 0, SQ2TDBL 0   drive head 0, tail 0" in text
    assert "CQ1  8 entries   host head 0, phase 1, CQ1HDBL 0   drive tail 0, head 0, phase 1" in text


def test_a_controller_is_followed_and_its_queues_posted_to():
    with nvlab.probe("embedded:mode=manual,size=4M") as ctrl:
        view = RingView(ctrl)
        assert view.qid is None and "no queue pair yet" in str(view) and "no queue pair yet" in view.picture()
        ctrl.start()
        view.refresh()
        assert view.qid == 0 and [key for key, _ in view._state["commands"]][:2] == ["identify", "identify_ns"]
        pair = ctrl.create_io_queue_pair(8)
        view.refresh()
        assert view.qid == 1 and [line[0] for line in view._pairs] == [0, 1]
        for key, _ in view._state["commands"]:
            for act in ("post", "ring", "step", "poll", "ring_cq"):
                view.act(act, {"command": key})
                assert view._notice["kind"] == "info", view._notice
                if act == "poll":
                    assert ("LBA Out of Range" if key == "past_end" else "Successful") in view._notice["text"]
        view.act("post", {"command": "format"})
        assert view._notice["kind"] == "error" and "not 'format'" in view._notice["text"]
        ctrl.delete_io_queue_pair(pair)
        view.refresh()
        assert view.qid == 0 and len(view._pairs) == 1
        for key, _ in view._state["commands"]:
            for act in ("post", "ring", "step", "poll", "ring_cq"):
                view.act(act, {"command": key})
                assert view._notice["kind"] == "info", view._notice
        view.close()


@pytest.mark.parametrize("missing", ["anywidget", "ipywidgets"])
def test_without_the_lab_extra_the_error_names_it(missing):
    code = f"import sys; sys.modules[{missing!r}] = None\nfrom nvlab.lab import RingView"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"ImportError: RingView needs {missing}" in done.stderr and "nvlab[lab]" in done.stderr
