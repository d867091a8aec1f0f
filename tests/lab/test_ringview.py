"""RingView without a page: what it would tell one, its buttons, its thread, and what stands in for it."""

import threading

import pytest

from nvlab.lab import RingView
from nvlab.spec.errors import UsageError
from nvlab.tools.draw import LIVES
from tests.lab.fake_nvme import FakeQueuePair, FakeSsd, identify
from tests.waiting import holds


@pytest.fixture
def pair():
    return FakeQueuePair(8)


@pytest.fixture
def view(pair):
    view = RingView(pair, FakeSsd(pair), title="embedded")
    yield view
    view.close()


def lives(view, queue):
    depth = view._state["sq"]["depth"]
    life = view._life[:depth] if queue == "sq" else view._life[depth:]
    return [LIVES[x] for x in life]


def test_one_command_from_slot_to_slot(pair, view):
    pair.sq.post(identify(3))
    view.refresh()
    assert lives(view, "sq")[0] == "posted" and view._sq[0] == 0x06
    for act, sq, cq, says in (("ring", "rung", "free", "Wrote 1 to SQ0TDBL: 1 new entry"),
                              ("step", "fetched", "posted", "SQ head 0 → 1"),
                              ("poll", "done", "polled", "command 3 completed"),
                              ("ring_cq", "done", "done", "1 slot given back")):
        view.act(act)
        assert (lives(view, "sq")[0], lives(view, "cq")[0]) == (sq, cq), act
        assert says in view._notice["text"] and view._notice["kind"] == "info"


def test_nothing_changed_means_nothing_sent(pair, view):
    before = view._seq
    view.refresh()
    assert view._seq == before
    pair.sq.post(identify())
    view.refresh()
    assert view._seq == before + 1


def test_buttons_that_find_nothing_to_do_say_so(view):
    for act, says in (("ring", "nothing new"), ("step", "nothing to do"), ("poll", "still 0"), ("ring_cq", "nothing new")):
        view.act(act)
        assert says in view._notice["text"]


def test_an_error_in_a_button_is_shown_and_not_raised(pair, view):
    pair.sq.ring = lambda: 1 / 0
    view.act("ring")
    assert view._notice["kind"] == "error" and "ZeroDivisionError" in view._notice["text"]


def test_a_busy_pair_is_still_seen_to_move(pair, view):
    pair.sq.post(identify())
    view.refresh()
    pair.owner = "perf"
    view.refresh()
    assert view._state["busy"] == "perf" and view._state["sq"]["host"]["tail"] == 1
    pair.owner = None
    pair.sq.post(identify())
    pair.owner = "perf"
    view.refresh()
    assert view._state["busy"] == "perf" and view._state["sq"]["host"]["tail"] == 2
    view.act("ring")
    assert view._notice["kind"] == "busy"
    assert "perf" in str(view)
    pair.owner = None
    view.refresh()
    assert view._state["busy"] is None


def test_a_drive_that_can_not_be_seen():
    pair = FakeQueuePair(8)
    pair.sq.post(identify())
    pair.sq.ring()
    view = RingView(pair)
    assert view._state["sq"]["drive"] is None and not view._state["can_step"]
    assert view._state["sq"]["words"]["drive"] == "drive not visible; last doorbell written was 1"
    view.act("step")
    assert "moves by itself" in view._notice["text"]
    view.close()


def test_a_failing_look_is_told_once_and_the_thread_survives(pair, view):
    view._ssd.queue_state = lambda qid: 1 / 0
    view.refresh()
    assert view._notice["kind"] == "error"


def test_the_thread_runs_while_a_page_looks_and_ends_with_it(pair, view):
    assert not view._publisher.alive
    view._on_message(view, {"do": "here", "view": "a"}, [])
    assert view._publisher.alive
    before = view._seq
    pair.sq.post(identify())
    assert holds(lambda: view._seq == before + 1)
    view._on_message(view, {"do": "gone", "view": "a"}, [])
    assert holds(lambda: not view._publisher.alive)
    view._on_message(view, {"do": "here", "view": "b"}, [])
    assert view._publisher.alive
    view.close()
    assert not view._publisher.alive and not any(t.name == "nvlab-ringview" for t in threading.enumerate())


def test_what_stands_in_for_the_widget(pair, view):
    pair.sq.post(identify())
    view.refresh()
    data, _ = view._repr_mimebundle_()
    assert data["text/plain"] == str(view) == repr(view)
    assert data["image/svg+xml"].startswith("<svg") and ">posted</text>" in data["image/svg+xml"]
    assert "application/vnd.jupyter.widget-view+json" in data


@pytest.mark.parametrize("depth", [2, 64, 65, 4096])
def test_any_depth(depth):
    pair = FakeQueuePair(depth)
    view = RingView(pair, FakeSsd(pair))
    assert len(view._sq) == 64 * depth and len(view._cq) == 16 * depth and len(view._life) == 2 * depth
    assert view.period() < 0.2
    view.close()


def test_several_pairs_one_in_full():
    pairs = [FakeQueuePair(8), FakeQueuePair(16, 1), FakeQueuePair(1024, 2)]
    pairs[1].sq.post(identify())
    view = RingView(pairs)
    assert [line[0] for line in view._pairs] == [0, 1, 2] and view.qid == 0
    assert view._pairs[1][3] == {"depth": 16, "runs": [1, 1, 0, 15], "counts": {"posted": 1}}
    view.act("show", {"qid": 2})
    assert view.qid == 2 and len(view._sq) == 65536
    view.act("show", {"qid": 9})
    assert "no queue pair 9" in view._notice["text"]
    assert "SQ0" in str(view) and "SQ2  1024 entries" in str(view)
    assert len(view.picture()) < 10_000
    view.close()
    with pytest.raises(UsageError, match="no queue pair 7"):
        RingView(pairs, qid=7)


def test_what_each_side_may_touch(pair, view):
    for cid in (1, 2, 3):
        pair.sq.post(identify(cid))
    pair.sq.ring()
    view._ssd.step()
    view.refresh()
    assert view._state["sq"]["may"] == {"host": (3, 4), "drive": (1, 2)}
    assert view._state["cq"]["may"] == {"host": (0, 1), "drive": (1, 6)}


def test_the_lap_before_is_stale(pair, view):
    for cid in range(1, 11):
        pair.sq.post(identify(cid))
        for act in ("ring", "step", "poll", "ring_cq"):
            view.act(act)
    assert lives(view, "sq") == lives(view, "cq") == ["done"] * 2 + ["stale"] * 6
