"""The timeline: valid Trace Event JSON, and a reader gets the recorded commands and latencies back."""
import collections
import json

import nvlab
from nvlab.trace import load
from tests.trace.synth import busy

NEEDS = {"M": {"name", "pid", "args"}, "i": {"name", "ts", "pid", "tid", "s"}, "b": {"name", "cat", "id", "ts", "pid", "tid"},
         "e": {"name", "cat", "id", "ts", "pid", "tid"}, "C": {"name", "ts", "pid", "args"}}
"""Phase -> members that the Trace Event format asks for."""


def read(path):
    """(events, {(pid, id): (begin, end or None)}) of a file, checked against the format."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    assert set(document) <= {"traceEvents", "displayTimeUnit", "otherData"} and document["displayTimeUnit"] in ("ns", "ms")
    slices = {}
    for event in document["traceEvents"]:
        assert NEEDS[event["ph"]] <= set(event) and isinstance(event["pid"], int) and isinstance(event["name"], str)
        assert event["ph"] == "M" or isinstance(event["ts"], (int, float)) and event["ts"] >= 0
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name", "process_sort_index")
        elif event["ph"] == "i":
            assert event["s"] in "gpt"
        elif event["ph"] == "C":
            assert all(isinstance(value, (int, float)) and value >= 0 for value in event["args"].values())
        elif event["ph"] == "b":
            assert slices.setdefault((event["cat"], event["id"]), [event, None])[0] is event
        else:
            begin = slices[event["cat"], event["id"]]
            assert begin[1] is None and begin[0]["name"] == event["name"] and event["ts"] >= begin[0]["ts"]
            begin[1] = event
    return document["traceEvents"], slices


def check(recording, path):
    events, slices = read(recording.to_perfetto(path))
    ends = [(round(begin["ts"] * 1000), end and round(end["ts"] * 1000)) for begin, end in slices.values()]
    assert len(slices) == len(recording.commands)
    assert [end - begin for begin, end in ends if end is not None] == recording.latencies.tolist()
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    count = collections.Counter(names[begin["pid"]] for begin, _ in slices.values())
    for qid in set(recording.commands["sqid"].tolist()):
        assert count[f"Queue {qid}{' (admin)' * (qid == 0)}"] == (recording.commands["sqid"] == qid).sum()
    doorbells = recording.select(kind="doorbell")
    assert [e["name"] for e in events if e["ph"] == "i" and "DBL" in e["name"]] == [event.text for event in doorbells]
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
