"""The timeline: valid Trace Event JSON, and a reader gets the recorded commands and latencies back."""
import collections
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nvlab
from nvlab._core.trace import Kind, Lane, Side
from nvlab.trace import Recording, load
from nvlab.trace.perfetto import _us
from tests.trace.synth import busy

EVERY = {"ph", "name", "pid", "tid", "ts"}
NEEDS = {"M": EVERY | {"args"}, "i": EVERY | {"cat", "s", "args"}, "b": EVERY | {"cat", "id", "args"}, "e": EVERY | {"cat", "id", "args"},
         "C": EVERY | {"args"}}
"""Phase -> members of its events, all that the Trace Event format asks for and nothing that it doesn't know."""


def ns(ts):
    """A time as Perfetto's importer takes it: microseconds, cut to whole nanoseconds."""
    assert isinstance(ts, (int, float)) and ts >= 0
    return int(ts * 1000)


def read(path):
    """(events, {id: (begin, end or None)}) of a file, checked against the format and against what Perfetto makes of it."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert set(document) == {"traceEvents", "displayTimeUnit", "otherData"} and document["displayTimeUnit"] in ("ns", "ms")
    slices, owners, named = {}, {}, set()
    for event in document["traceEvents"]:
        assert set(event) == NEEDS[event["ph"]] and isinstance(event["name"], str) and event["name"]
        assert all(isinstance(event[name], int) and 0 < event[name] < 1 << 32 for name in ("pid", "tid"))
        assert owners.setdefault(event["tid"], event["pid"]) == event["pid"]      # found by tid alone
        assert isinstance(event["args"], dict) and ns(event["ts"]) >= 0
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name", "process_sort_index")
            named.add(event["tid"] if event["name"] == "thread_name" else -event["pid"])
        elif event["ph"] == "i":
            assert event["s"] == "t" and event["tid"] in named
        elif event["ph"] == "C":
            assert all(type(value) is int and value >= 0 for value in event["args"].values())
        elif event["ph"] == "b":
            assert int(event["id"], 16) and slices.setdefault(event["id"], [event, None])[0] is event
        else:
            begin = slices[event["id"]]
            assert begin[1] is None and event["ts"] >= begin[0]["ts"]             # and nobody else's: pid, cat and name are its own
            assert all(begin[0][same] == event[same] for same in ("name", "cat", "pid", "tid"))
            begin[1] = event
        assert event["ph"] == "M" or -event["pid"] in named
    assert not {pid for pid in owners.values()} & set(owners)                     # no thread is taken for a process's first
    return document["traceEvents"], slices


def check(recording, path):
    events, slices = read(recording.to_perfetto(path))
    ends = [(ns(begin["ts"]), end and ns(end["ts"])) for begin, end in slices.values()]
    assert len(slices) == len(recording.commands)
    times = recording.events["time"].astype(int)
    assert [begin for begin, _ in ends] == times[recording.commands["posted"]].tolist()
    assert [end - begin for begin, end in ends if end is not None] == recording.latencies.tolist()
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    count = collections.Counter(names[begin["pid"]] for begin, _ in slices.values())
    for qid in set(recording.commands["sqid"].tolist()):
        assert count[f"Queue {qid}{' (admin)' * (qid == 0)}"] == (recording.commands["sqid"] == qid).sum()
    instants = recording.select(kind=["doorbell", "REG_READ", "REG_WRITE", "step", "interrupt", "fault"])
    assert [(e["name"], ns(e["ts"])) for e in events if e["ph"] == "i"] == [(event.text, event.time) for event in instants]
    return events, slices


def test_what_was_recorded_comes_back(tmp_path):
    recording = busy(500).recording()
    events, _ = check(recording, tmp_path / "paper.json")
    flying = [e["args"]["commands"] for e in events if e["ph"] == "C"]
    assert min(flying) >= 0 and max(flying) > 1


def test_a_live_run_too(tmp_path):
    with nvlab.attach("embedded:size=1M,mode=inline") as ctrl:
        with nvlab.Trace(ctrl) as trace:
            ctrl.namespaces[1].read(8, 1)
            nvlab.Perf(ctrl, depth=4, count=200, workload="randrw", seed=1).run()
        _, slices = check(trace.recording(), tmp_path / "live.json")
        first = next(begin for begin, _ in slices.values() if begin["name"] == "Read")
        assert first["args"]["slba"] == 8 and first["args"]["status"].startswith("Successful") and "fetched" in str(first["args"])
        trace.save(tmp_path / "live.trace")
    check(load(tmp_path / "live.trace"), tmp_path / "again.json")


@given(st.integers(0, 2**52) | st.integers(0, 10**7))
def test_no_nanosecond_is_lost(time):
    read_back = json.loads(json.dumps(_us(time)))
    assert ns(read_back) == time == round(read_back * 1000)


def test_interrupts_faults_and_steps_have_tracks(tmp_path):
    lane = Lane("drive", 64)
    lane.start()
    lane.record(Kind.INTERRUPT, Side.DRIVE, 2, 5)
    lane.record(Kind.FAULT, Side.DRIVE, 1, 0, 2 | 7 << 16 | 1 << 32)
    lane.record(Kind.STEP, Side.HOST, 0, 0)
    recording = Recording.merge([("drive", *lane.read())], texts=("enable",))
    events, _ = check(recording, tmp_path / "x.json")
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert [tracks[event["tid"]] for event in events if event["ph"] == "i"] == ["interrupts", "faults", "steps"]
    queues = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert [queues[event["pid"]] for event in events if event["ph"] == "i"] == ["Queue 2", "Queue 1", "controller registers"]
