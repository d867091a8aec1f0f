"""Time travel against a model: every value, at every instant, of runs made at random."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvlab._core.trace import Kind
from nvlab.spec.errors import UsageError
from nvlab.trace.baseline import Baseline
from tests.trace.synth import MOVES, REGISTERS, Paper, busy, drive_state, move

HOST = {"sq": ("depth", "iova", "tail", "head", "rung"), "cq": ("depth", "iova", "head", "phase", "rung")}

moves = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 3), st.integers(0, 63)), min_size=10, max_size=100)


def run(script, **rooms):
    paper = Paper(**rooms)
    for step in script:
        move(paper, *step)
    return paper


def assert_same(state, model):
    for kind, rings in (("sq", state.sqs), ("cq", state.cqs)):
        assert set(rings) == set(model[kind])
        for qid, ring in rings.items():
            held = model[kind][qid]
            assert {name: getattr(ring, name) for name in HOST[kind]} == {name: held[name] for name in HOST[kind]}
            assert ring.known.all() and np.array_equal(ring.entries, held["entries"])
    for qid in range(4):
        assert state.queue_state(qid) == drive_state(model, qid)
    assert {name: int(value) for name, value in state.held.items()} == {name: model["held"].get(name, 0) for name in REGISTERS}
    assert {name: value if value is None else int(value) for name, value in state.seen.items()} == {
        name: model["seen"].get(name) for name in REGISTERS}


@settings(max_examples=80, deadline=None)
@given(moves)
def test_each_instant_is_as_the_model_was(script):
    paper = run(script)
    recording = paper.recording()
    assert len(recording) == len(paper) and not recording.dropped
    for count, model in enumerate(paper.past):
        assert_same(recording.after(count), model)


def test_a_long_run_too():
    paper = busy(1500)
    recording = paper.recording()
    for count in range(0, len(paper) + 1, 7):
        assert_same(recording.after(count), paper.past[count])


def assert_true_or_unknown(state, model):
    """Whatever the state says is so; it may leave things out. Returns how many values it knew."""
    knew = 0
    for kind, rings in (("sq", state.sqs), ("cq", state.cqs)):
        for qid, ring in rings.items():
            held = model[kind].get(qid)
            if held is None:                     # existence isn't known: nothing but what events said
                assert ring.depth is None
                continue
            for name in HOST[kind]:
                value = getattr(ring, name)
                assert value in (None, held[name])
                knew += value is not None
            if ring.known is not None:
                assert np.array_equal(ring.entries[ring.known], held["entries"][ring.known])
    for qid in range(4):
        told, true = state.queue_state(qid), drive_state(model, qid)
        assert told is None or true is not None and all(told[name] in (None, true[name]) for name in told)
        knew += told is not None
    for name, value in state.held.items():
        assert value is None or int(value) == model["held"].get(name, 0)
    for name, value in state.seen.items():
        assert value is None or int(value) == model["seen"].get(name)
    return knew


@settings(max_examples=80, deadline=None)
@given(moves, st.sampled_from([4, 8, 32]), st.sampled_from([2, 16, 1024]))
def test_what_was_dropped_is_not_guessed(script, room, perf_room):
    paper = run(script, room=room, perf_room=perf_room)
    recording = paper.recording()
    assert recording.dropped == sum(max(0, lane.written - lane.room) for lane in paper.lanes)
    kept = kept_events(paper)
    for count in range(len(recording) + 1):
        # the instant after `count` kept events, and every one up to the next kept event, differ only by what was dropped
        index = kept[count - 1] + 1 if count else 0
        last = kept[count] if count < len(kept) else len(paper)
        state = recording.after(count)
        for instant in {index, last}:
            assert_true_or_unknown(state, paper.past[instant])


def kept_events(paper):
    """Numbers, in the whole run, of the events that the lanes still hold."""
    lanes, left = list(paper.order), {lane.name: lane.written - min(lane.written, lane.room) for lane in paper.lanes}
    kept = []
    for number, name in enumerate(lanes):
        if left[name]:
            left[name] -= 1
        else:
            kept.append(number)
    return kept


def test_a_loop_that_overflows_leaves_the_rest_exact():
    paper = Paper(room=1 << 12, perf_room=8)
    for qid in (0, 3):
        paper.create(qid, 4, 4)
    for n in range(30):
        for what in ("post", "ring", "fetch", "complete", "see", "ring_cq"):
            move(paper, what, 3 if n % 3 else 0, n)
    recording = paper.recording()
    assert recording.dropped and set(recording.gaps) == {"perf"}
    early, late = recording.after(recording.gaps["perf"] // 2), recording.after(len(recording))
    assert early.sqs[0].tail is not None and early.sqs[3].tail is None and early.sqs[3].depth == 4
    assert early.queue_state(3)["sq_head"] is not None and early.queue_state(3)["sq_tail"] is None
    last = paper.past[-1]["sq"][3]
    assert (late.sqs[3].tail, late.sqs[3].rung, late.sqs[3].head) == (last["tail"], last["rung"], last["head"])


def test_at_takes_a_time_or_an_event():
    paper = busy(100)
    recording = paper.recording()
    times = recording.events["time"]
    for count in (0, 1, 10, len(recording)):
        when = int(times[count - 1]) if count else -1
        assert recording.at(when).count == count == (recording.at(recording[count - 1]).count if count else 0)
    part = recording.select(kind="doorbell")
    assert part.at(part[2]).event == part[2] and part.at(part[2]).event.text == part[2].text
    with pytest.raises(UsageError, match="has .* events"):
        recording.after(len(recording) + 1)


def test_without_a_drive_only_the_host_is_known():
    paper = busy(300)
    lanes = [(lane.name, *lane.read()) for lane in paper.lanes if lane is not paper.drive]
    recording = type(paper.recording()).merge(lanes, baseline=Baseline(drive=None, held=None, present=list(REGISTERS)))
    state = recording.after(len(recording))
    assert state.held is None and all(state.queue_state(qid) is None for qid in range(4))
    model = paper.past[-1]
    assert set(state.sqs) == set(model["sq"])
    for qid, sq in state.sqs.items():
        assert {name: getattr(sq, name) for name in HOST["sq"]} == {name: model["sq"][qid][name] for name in HOST["sq"]}
    for qid, cq in state.cqs.items():
        held = model["cq"][qid]
        assert (cq.head, cq.phase, cq.rung) == (held["head"], held["phase"], held["rung"])
        assert np.array_equal(cq.entries[cq.known], held["entries"][cq.known])
        assert cq.known.sum() == (held["head"] - held["rung"]) % held["depth"]


def test_a_state_says_what_it_is():
    paper = Paper()
    paper.create(0, 4, 4)
    paper.post(0, 1)
    paper.ring(0)
    state = paper.recording().after(len(paper))
    assert "SQ 0" in repr(state) and "tail 1, head 0, rung 1" in repr(state) and "after SQ0TDBL <- 1" in repr(state)
    assert state.pairs[0].sq.entry(0).cns == 1 and state.pairs[0].cq.entry(0).cid == 0
    assert "text/html" in state._repr_mimebundle_() and state.event.kind == Kind.SQ_DOORBELL
    assert repr(paper.recording().after(0)).startswith("At 0.000 us, at the beginning")
