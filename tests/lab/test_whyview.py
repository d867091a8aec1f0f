"""The checker in the notebook: WhyView, and the strip of other views."""
import threading
import types

import pytest

import nvlab
from nvlab import cmd, lab
from nvlab.lab import DebuggerView, Timeline, WhyView, whyview
from nvlab.lab.view import View
from tests.waiting import holds


@pytest.fixture
def ctrl():
    with nvlab.probe("embedded:mode=manual") as ctrl:
        ctrl.disable()
        ctrl.create_admin_queue(depth=8)
        ctrl.enable()
        yield ctrl


def test_the_moment_something_stands_still(ctrl):
    view = WhyView(ctrl)
    assert view._why["ok"] and view._why["sentence"].startswith("Nothing is wrong")
    ctrl.admin.sq.post(cmd.identify(cns=1, prp1=ctrl.alloc(4096)))
    view.act("look")
    assert view._why["severity"] == "waiting" and "SQ0TDBL is still 0" in view._why["sentence"]
    finding = view._why["findings"][0]
    assert finding["cite"] and "sq.ring()" in finding["remedy"] and ["SQ0TDBL", "0"] in finding["evidence"]
    assert repr(view) == str(ctrl.why()) and "SQ0TDBL" in view.picture()
    view.close()


def test_it_is_asked_only_while_somebody_looks(ctrl):
    view = WhyView(ctrl)
    view._on_message(view, {"do": "here", "view": "a"}, [])
    ctrl.admin.sq.post(cmd.identify(cns=1, prp1=ctrl.alloc(4096)))
    assert holds(lambda: not view._why["ok"])
    view.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("nvlab-why")]


def finding(severity):
    return types.SimpleNamespace(rule="x", title="X", severity=severity, sentence="It stands.", evidence=[("a", 1)], cite="base", remedy="go")


@pytest.mark.parametrize("severity, seconds, shown", [("error", 0, True), ("waiting", 0, False), ("waiting", 2, True), ("note", 0, False)])
def test_what_only_waits_is_told_once_it_has_waited(severity, seconds, shown):
    why = types.SimpleNamespace(ok=False, severity=severity, sentence="It stands.", title="X", all=[finding(severity)], seen="")
    assert whyview.told(why, seconds=seconds)["ok"] is not shown


def test_views_of_one_controller_share_one_answer(ctrl, monkeypatch):
    asked = []
    monkeypatch.setattr(ctrl, "explain", lambda c: asked.append(c) or types.SimpleNamespace(
        ok=True, rule="", severity="ok", sentence="Fine.", title="All is well", all=[], seen=""))
    views = [WhyView(ctrl), DebuggerView(ctrl), Timeline(nvlab.Trace(ctrl))]
    assert len(asked) == 1 and all(view._why["sentence"] == "Fine." for view in views)
    for view in views:
        view.close()


def test_a_controller_that_is_gone_is_no_trouble(ctrl):
    view = WhyView(ctrl)
    ctrl.close()
    view.ask_why(0)
    assert view._why == {}
    view.close()


VIEWS = {
    "RingView": lambda ctrl: lab.RingView(ctrl), "RegistersView": lambda ctrl: lab.RegistersView(ctrl),
    "Timeline": lambda ctrl: lab.Timeline(nvlab.Trace(ctrl)), "DebuggerView": lambda ctrl: lab.DebuggerView(ctrl),
    "MemoryView": lambda ctrl: lab.MemoryView(ctrl), "MemoryView of a slot": lambda ctrl: lab.MemoryView(ctrl.admin.sq, slot=0),
    "PrpView": lambda ctrl: lab.PrpView(ctrl, prp1=ctrl.alloc(4096), length=4096), "CommandBuilder": lambda ctrl: lab.CommandBuilder(ctrl),
    "IdentifyView": lambda ctrl: lab.IdentifyView(ctrl), "PerfView": lambda ctrl: lab.PerfView(ctrl),
    "LivePlot": lambda ctrl: lab.LivePlot(nvlab.Perf(ctrl)), "WhyView": lambda ctrl: lab.WhyView(ctrl),
    "Explorer": lambda ctrl: nvlab.explore(ctrl),
}


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_says_why(name):
    """The checker's sentence is in each view; its strip is a part of the script that the page gets."""
    with nvlab.attach("embedded:mode=inline,size=4M") as ctrl:
        view = VIEWS[name](ctrl)
        try:
            ctrl.ssd.mode = "manual"
            ctrl.admin.sq.post(cmd.identify(cns=1, prp1=ctrl.alloc(4096)))
            view.STILL = 0.0
            view.ask_why(age=0)
            assert "the doorbell was never rung" in view._why["sentence"] and view._why["severity"] == "waiting"
            assert "class NvlWhy " in view._esm and "new NvlWhy(this" in view._esm
        finally:
            view.close()


def test_no_view_is_missing_from_the_list():
    assert {name for name in lab.__all__ if name != "explore" and issubclass(getattr(lab, name), View)} == {name.split()[0] for name in VIEWS}
