"""Timeline without a page: what it tells one, what it is asked, and what stands in for it."""
import threading

import numpy as np
import pytest
from nvlab._core.trace import Kind

import nvlab
from nvlab.lab import RegistersView, Timeline, past
from nvlab.lab.timeline_model import BINS, MOST, PACKED, Level
from nvlab.spec import registers
from nvlab.spec.errors import UsageError
from tests.waiting import holds


@pytest.fixture(scope="module")
def recorded():
    """(Recording, Trace) of a bring-up, a write and a read."""
    with nvlab.probe("embedded") as ctrl:
        with nvlab.Trace(ctrl, stacks=True) as trace:
            ctrl.start()
            ns = ctrl.namespaces[1]
            ns.write(0, b"Hello world!")
            ns.read(0, 1)
        yield trace.recording(), trace


@pytest.fixture
def timeline(recorded):
    view = Timeline(recorded[0], stacks=recorded[1].stacks)
    yield view
    view.close()


@pytest.fixture(scope="module")
def long():
    """A Recording of some 100,000 events."""
    with nvlab.attach("embedded") as ctrl:
        with nvlab.Trace(ctrl) as trace:
            trace.stop()
            trace.start(memory=32 << 20)
            nvlab.Perf(ctrl, io_size=512, depth=16, count=20_000).start().wait()
        yield trace.recording()


def events(view, trait="_events"):
    return np.frombuffer(getattr(view, trait), PACKED)


def test_all_of_a_short_recording_is_there_at_once(timeline, recorded):
    recording, _ = recorded
    sent = events(timeline)
    assert list(sent["number"]) == list(range(len(recording))) and timeline._window["exact"]
    for name in ("index", "a", "b", "kind", "side"):
        assert (sent[name] == recording.events[name]).all()
    assert (sent["time"] == recording.events["time"]).all() and (sent["post"] == recording.links).all()
    entries = np.frombuffer(timeline._entries, np.uint8).reshape(-1, 64)
    for event, row in zip(recording, sent):
        assert (entries[row["entry"]].tobytes() if row["entry"] >= 0 else None) == recording.entry(event.number)
    assert timeline._state["lanes"] == [-1, 0, 1] and timeline._state["axis"] == "order"


def test_a_long_recording_is_sent_in_parts(long):
    view = Timeline(long)
    assert len(long) > 5 * MOST and len(events(view)) <= MOST
    for axis in ("time", "order"):
        low, high = view._state["extent"][axis]
        view.act("look", {"axis": axis, "low": low, "high": high})
        bins = np.frombuffer(view._bins, "<u2")
        assert len(events(view)) == 0 and not view._window["exact"]
        assert bins.sum() == len(long) and len(bins) == len(view._state["lanes"]) * 2 * BINS
        here = (len(long) // 2, len(long) // 2 + 1000)
        low, high = (float(long.events["time"][n]) for n in here) if axis == "time" else here
        view.act("look", {"axis": axis, "low": low, "high": high})
        sent = events(view)
        place = sent["time"] if axis == "time" else sent["pos"]
        assert view._window["exact"] and 0 < len(sent) <= MOST and (np.diff(sent["number"].astype(int)) == 1).all()
        assert (place >= view._window["low"]).all() and (place <= view._window["high"]).all()
        assert np.frombuffer(view._overview, "<u2").sum() == len(long)
        assert sum(len(getattr(view, t)) for t in ("_events", "_entries", "_near", "_near_entries", "_bins", "_overview")) < 1 << 20
    view.close()


@pytest.mark.parametrize("filter", [{"qid": 1}, {"qid": -1}, {"kind": "doorbell"}, {"side": "drive"}, {"opcode": "Identify"},
                                    {"cid": 1, "qid": 0}, {"kind": "SQE_POST", "opcode": "Read"}, {"cid": 65535}])
def test_filters(timeline, recorded, filter):
    recording = recorded[0]
    timeline.act("look", {"filter": filter})
    assert timeline._state["filter"] == filter and not timeline._notice
    sent = [recording[int(n)] for n in events(timeline)["number"]]
    assert len(sent) == timeline._state["count"]
    wanted = {k: v for k, v in filter.items() if k != "qid"}
    allowed = {e.number for e in recording} if not wanted else {int(n) for n in recording.select(**wanted)._positions}
    qid = filter.get("qid")
    for event in recording:
        belongs = qid is None or (event.number in _controller(recording) if qid < 0 else
                                  event.sqid == qid or event.number not in _controller(recording) and event.qid == qid)
        assert (event in sent) == (event.number in allowed and belongs), event


def _controller(recording):
    return set(np.flatnonzero(Level(recording)._lane_keys < 0).tolist())


def test_a_filter_that_means_nothing_is_told_in_the_widget(timeline, recorded):
    before = timeline._state["count"]
    timeline.act("look", {"filter": {"kind": "nonsense"}})
    assert timeline._notice["kind"] == "error" and "nonsense" in timeline._notice["text"] and timeline._state["count"] == before
    timeline.act("look", {"filter": {"colour": "red"}})
    assert "colour" in timeline._notice["text"]
    with pytest.raises(UsageError, match="colour"):
        Timeline(recorded[0], filter={"colour": "red"})


def test_every_instant_is_what_the_recording_says(timeline, recorded):
    recording = recorded[0]
    for count in range(0, len(recording) + 1, 5):
        timeline.act("instant", {"count": count})
        assert timeline.instant == count and timeline.state.count == count
        moments = timeline._moments
        assert moments["at"] == count and str(count) in moments["items"]
        for key, item in moments["items"].items():
            assert {"rings": item["rings"], "regs": moments["regs"][item["regs"]]} == past.of_state(recording.after(int(key)))
        assert any(events(timeline, "_near")["number"] == max(0, count - 1))


def test_the_instant_can_be_set_and_followed_from_python(timeline, recorded):
    recording, seen = recorded[0], []
    timeline.on_instant(lambda state: seen.append(state.count))
    timeline.instant = 10
    assert timeline._goto["count"] == 10 and seen == [10]
    bell = recording.select(kind="doorbell")[0]
    timeline.go(bell)
    assert timeline.state.event == bell
    timeline.go(bell.time)
    assert timeline.state.time == bell.time
    told = timeline._goto["n"]
    timeline.act("instant", {"count": 5})
    assert timeline._goto["n"] == told, "the page is not sent where it just went by itself"
    timeline.go(None)
    assert timeline.instant is None and timeline.state.count == len(recording) and seen[-1] == len(recording)
    with pytest.raises(UsageError, match="events"):
        timeline.instant = len(recording) + 1


def test_an_error_of_a_callback_shows_in_the_widget(timeline):
    timeline.on_instant(lambda state: 1 / 0)
    timeline.act("instant", {"count": 3})
    assert "ZeroDivisionError" in timeline._notice["text"]


def test_other_views_can_be_shown_an_instant(timeline, recorded):
    from nvlab.tools import draw
    recording = recorded[0]
    pair, drive = timeline.pair(0), timeline.drive
    timeline.go(recording.select(qid=0, kind="SQ_DOORBELL")[0])
    rings = draw.snapshot(pair, drive)
    assert rings.sq.host["rung"] == 1 and rings.sq.drive["head"] == 0
    timeline.instant = 0
    with pytest.raises(UsageError, match="no queue pair 0"):
        draw.snapshot(pair, drive)


def test_a_ring_view_says_that_an_instant_lacks_its_pair(timeline, recorded):
    from nvlab.lab import RingView
    timeline.instant = 0
    view = RingView(timeline.pair(1), timeline.drive)
    try:
        words = "There is no queue pair 1 at this instant: it is made later."
        assert view._state["absent"] == view.text() == words and view._state["sq"] is None and words in view.picture()
        timeline.instant = None
        view.refresh()
        assert "absent" not in view._state and view._state["sq"]["host"]["tail"] == 2 and "SQ1" in view.text()
        timeline.instant = 0
        view.refresh()
        assert view._state["absent"] == words and view._notice.get("kind") != "error"
        timeline.instant = None
        view.act("ring")
        assert not view._state["can_move"] and "is recorded: it can be looked at, not moved" in view._notice["text"]
    finally:
        view.close()


def test_a_pair_that_was_deleted_is_gone_after_it():
    with nvlab.attach("embedded") as ctrl:
        with nvlab.Trace(ctrl) as trace:
            ctrl.delete_io_queue_pair(ctrl.create_io_queue_pair(8, qid=5) if 5 not in ctrl.io else ctrl.io[5])
        recording = trace.recording()
    view = Timeline(recording)
    try:
        assert recording.after(0).when(5) == "before" and recording.after(len(recording)).when(5) == "after"
        assert recording.after(0).when(9) == "never" and recording.after(0).when(0) == "during"
        with pytest.raises(past.NotThere, match="it was there earlier and is gone"):
            view.pair(5).sq
    finally:
        view.close()


def test_a_registers_view_can_be_shown_an_instant(timeline, recorded):
    recording = recorded[0]
    view = RegistersView(timeline.registers)
    try:
        written = next(event.number for event in recording if event.kind == Kind.REG_WRITE and event.a == registers.CC.offset and event.b & 1)
        for instant, bit in ((written - 1, "0"), (len(recording), "1"), (written - 1, "0"), (None, "1")):
            timeline.instant = instant
            view.refresh()
            assert view._values["CC"]["fields"]["EN"][0] == bit
            assert {name: int(value["hex"].replace("_", ""), 16) for name, value in view._values.items()} == {
                name: int(value) for name, value in timeline.state.registers.items()}
        assert not any(field["rw"] for register in view._registers for field in register["fields"])
        view.act("write", {"register": "CC", "field": "EN", "value": "0"})
        assert "past" in view._notice["text"]
    finally:
        view.close()


def test_back_traces_are_sent_with_the_events_around(timeline, recorded):
    bell = recorded[0].select(qid=1, kind="SQ_DOORBELL")[0]
    timeline.go(bell)
    frames = timeline._moments["stacks"][str(timeline.instant - 1)]
    assert frames[1]["text"].startswith("SubmissionQueue.ring") and frames[1]["where"].startswith("nvlab/host/pcie.py:")


def test_a_trace_is_followed_while_it_records_and_somebody_looks():
    with nvlab.attach("embedded") as ctrl, nvlab.Trace(ctrl) as trace:
        view = Timeline(trace)
        assert view._state["on"] and view._state["total"] == 0 and not view._publisher.alive
        view._on_message(view, {"do": "here", "view": "a"}, [])
        ctrl.namespaces[1].read(0, 1)
        assert holds(lambda: view._state["total"] > 5 and len(events(view)) == view._state["total"])
        assert view.pair(1).sq is ctrl.io[1].sq, "the end of a trace is now"
        trace.stop()
        view.refresh()
        assert not view._state["on"]
        view.close()
        assert not [t for t in threading.enumerate() if t.name.startswith(("nvlab-timeline", "nvlab-why"))]


def test_an_instant_keeps_its_time_when_older_events_are_dropped():
    with nvlab.attach("embedded") as ctrl:
        trace = nvlab.Trace(ctrl).start(memory=256 * 96)
        ns = ctrl.namespaces[1]
        for _ in range(20):
            ns.read(0, 1)
        view = Timeline(trace)
        view.instant = len(view.recording) - 2
        event = view.state.event
        for _ in range(60):
            ns.read(0, 1)
        view.refresh()
        assert view.recording.dropped > 0
        assert view.state.time == event.time and view.state.event.text == event.text
        view.close()


def test_a_recording_of_selected_events_is_shown_without_rings(recorded):
    view = Timeline(recorded[0].select(qid=1))
    assert view._state["partial"] and view._moments == {} and view._state["count"] == len(events(view))
    view.close()


def test_nothing_recorded_at_all():
    from nvlab.trace import Recording
    view = Timeline(Recording.merge([], origin=0))
    assert view._state["total"] == 0 and view._state["lanes"] == []
    assert "No events" in view.picture() and "0 events" in repr(view)
    view.act("look", {"axis": "time", "low": 0, "high": 1})
    assert not view._notice
    view.close()


def test_what_stands_in_for_the_widget(timeline, recorded):
    assert repr(timeline) == repr(recorded[0])
    picture = timeline.picture()
    assert picture.startswith("<svg") and "Admin queue" in picture and "SQ1TDBL" in picture
    assert picture.count("<title>") == 44
