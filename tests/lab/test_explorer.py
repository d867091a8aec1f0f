"""The explorer: tabs made when they are asked for, what it records, what it owns, and its end."""

import threading
import types

import pytest

import nvlab
from nvlab.lab import explorer as module
from nvlab.lab.tabs import TABS
from tests.waiting import holds


@pytest.fixture
def explorer():
    with nvlab.explore("embedded:size=4M") as made:
        yield made


def test_views_are_made_when_asked_for(explorer):
    assert not explorer._made
    for name, *_ in TABS:
        explorer.act("open", {"tab": name})
        assert explorer._notice.get("kind") != "error", explorer._notice
        assert explorer._made[name] is explorer.view(name)
    with pytest.raises(nvlab.UsageError, match="no view 'x'; views are rings"):
        explorer.view("x")
    with pytest.raises(nvlab.UsageError, match="no view 'x'"):
        explorer.tab = "x"


def test_the_bring_up_is_recorded_and_looking_adds_nothing(explorer):
    count = len(explorer.trace)
    assert count > 40 and explorer.trace.on
    explorer.refresh()
    assert "Explorer of embedded" in repr(explorer) and "SQ1" in repr(explorer) and "<svg" not in repr(explorer)
    assert "Explorer of" in explorer.picture()
    assert len(explorer.trace) == count


def test_recording_stops_for_perf_and_begins_again(explorer):
    explorer.tab = "perf"
    assert not explorer.trace.on and "Perf measures the drive alone" in explorer._notice["text"]
    explorer.act("record", {"on": True})
    assert explorer.trace.on and explorer._state["on"]
    explorer.act("record", {"on": False})
    assert not explorer.trace.on


def test_code_can_be_debugged_while_it_is_recorded(explorer):
    debugger = explorer.view("debugger")
    debugger.debugger.break_at("SQ1TDBL")
    assert debugger.run().event.register == "SQ1TDBL"
    assert explorer.trace.on


def test_it_owns_the_controller_that_it_made():
    before = set(threading.enumerate())              # other tests may have left some behind
    explorer = nvlab.explore("embedded:size=4M")
    assert str(explorer.ctrl.ssd.mode) == "manual"
    explorer.act("mode", {"mode": "thread"})
    assert explorer._state["mode"] == "thread"
    explorer.act("mode", {"mode": "sideways"})
    assert explorer._notice["kind"] == "error"
    for name, *_ in TABS:
        explorer.view(name)
    explorer.close()
    explorer.close()
    assert explorer.ctrl.closed
    assert holds(lambda: not [t.name for t in threading.enumerate() if t not in before and t.name.startswith("nvlab-")])


def test_a_controller_that_is_given_stays_open():
    with nvlab.attach("embedded:size=4M,mode=inline") as ctrl:
        with nvlab.explore(ctrl) as explorer:
            assert not explorer.trace.on and str(ctrl.ssd.mode) == "inline"
        assert not ctrl.closed
        assert bytes(ctrl.namespaces[1].read(0, 1)) == bytes(512)


def test_a_cell_that_runs_again_ends_what_it_made(monkeypatch):
    run = types.SimpleNamespace(it=("cell", "first"))
    monkeypatch.setattr(module, "_run", lambda: run.it)
    first, second = nvlab.explore("embedded:size=4M"), nvlab.explore("embedded:size=4M")
    assert not first.ctrl.closed                     # two in one run are two
    run.it = "cell", "again"
    third = nvlab.explore("embedded:size=4M")
    assert first.ctrl.closed and second.ctrl.closed and not third.ctrl.closed
    module._OF_CELLS.pop("cell")
    third.close()
