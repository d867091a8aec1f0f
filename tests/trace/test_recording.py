"""Recordings: merged in order, filtered, put into words, saved and loaded."""
import functools
import io
import tempfile
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvlab._core.trace import EVENT, Kind, Lane, Side
from nvlab.spec.errors import UsageError
from nvlab.trace import Recording, load
from tests.trace.synth import Paper, busy, move


def lane(name, *rows):
    """(name, events, sqes, dropped) of rows (time, kind, side, qid, index)."""
    events = np.zeros(len(rows), EVENT)
    for event, row in zip(events, rows):
        event["time"], event["kind"], event["side"], event["qid"], event["index"] = row
    return name, events, np.zeros((len(rows), 64), np.uint8), 0


@pytest.fixture(scope="module")
def paper():
    return busy(400)


@pytest.fixture(scope="module")
def recording(paper):
    return paper.recording()


def flow(qid=1, lba=5, times=1):
    """A Paper on which a command or more ran from end to end."""
    paper = Paper()
    paper.create(qid, 4, 4)
    for _ in range(times):
        for what in ("post", "ring", "fetch", "complete", "see", "ring_cq"):
            move(paper, what, qid, lba)
    return paper


def test_lanes_merge_by_time_each_in_its_own_order():
    host = lane("host", (10, 3, 0, 1, 1), (30, 3, 0, 1, 2), (20, 3, 0, 1, 3))
    drive = lane("drive", (10, 6, 1, 1, 4), (25, 6, 1, 1, 5), (30, 6, 1, 1, 6))
    merged = Recording.merge([drive, host], origin=5)
    assert merged.events["index"].tolist() == [1, 4, 5, 2, 3, 6] and merged.events["time"].tolist() == [5, 5, 20, 25, 25, 25]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), max_size=20), min_size=1, max_size=4))
def test_merging_loses_nothing(lanes):
    names = ["host", "drive", "perf-1", "perf-2"]
    made = [lane(name, *[(time, 3, 0, n, i) for i, time in enumerate(times)]) for n, (name, times) in enumerate(zip(names, lanes))]
    events = Recording.merge(made, origin=0).events
    assert len(events) == sum(map(len, lanes)) and np.all(np.diff(events["time"].astype(int)) >= 0)
    for n, times in enumerate(lanes):
        assert events["index"][events["qid"] == n].tolist() == list(range(len(times)))


def test_events_say_what_happened():
    recording = flow().recording()
    texts = [event.text for event in recording]
    assert texts[4:] == [
        "SQ1[0] Read nsid=1 slba=5 cid=1", "SQ1TDBL <- 1", "SQ1[0] Read cid=1", "512 bytes to 0x5000 cid=1 (Read)",
        "CQ1[0] of Read SQ1 cid=1 sqhd=1 p=1 dw0=0x7: " + recording[8].completion.status.__str__(),
        "CQ1[0] of Read SQ1 cid=1 sqhd=1 p=1 dw0=0x7: " + recording[9].completion.status.__str__(), "CQ1HDBL <- 1"]
    assert texts[0].startswith("CQ1: ") and texts[2].endswith("completes to CQ1")
    assert recording[9].command == recording[4].command and recording[9].command.slba == 5
    assert str(recording[5]).split()[1:] == ["host", "SQ", "doorbell", "SQ1TDBL", "<-", "1"]
    assert "SQ1TDBL" in repr(recording) and "SQ1TDBL" in recording._repr_mimebundle_()["text/html"]
    assert recording.text(2).count("\n") == 1 and recording.text().count("\n") == len(recording) - 1


def test_registers_are_decoded():
    lane_ = Lane("host", 64)
    lane_.start()
    for kind, width, offset, value in ((Kind.REG_WRITE, 4, 0x14, 0x460001), (Kind.REG_READ, 8, 0, 0x20010103FF),
                                       (Kind.REG_READ, 4, 4, 0x20), (Kind.REG_READ, 4, 0, 1), (Kind.REG_WRITE, 8, 0x28, 0x1000),
                                       (Kind.REG_READ, 4, 0xF00, 7)):
        lane_.record(kind, Side.HOST, 0, width, offset, value)
    lane_.record(Kind.REG_SET, Side.DRIVE, 0, 4, 0x1C, 1)
    lane_.record(Kind.RESET, Side.DRIVE)
    lane_.record(Kind.STEP, Side.HOST, 0, 1)
    recording = Recording.merge([("host", *lane_.read())], texts=("probe", "enable"))
    assert [event.text for event in recording] == [
        "CC <- 0x460001 EN=1 IOSQES=6 IOCQES=4", "CAP -> 0x20010103ff MQES=1023 CQR=1 TO=1 CSS=1", "CAP+4 -> 0x20",
        "CAP -> 0x1 (low half)", "ASQ <- 0x1000", "0xf00 -> 0x7", "CSTS = 0x1 RDY=1", "all queues forgotten", "enable"]


def test_filters(recording):
    events = recording.events
    assert set(recording.select(kind="doorbell").events["kind"]) == {Kind.SQ_DOORBELL, Kind.CQ_DOORBELL}
    assert set(recording.select(kind=["SQE_POST", Kind.DMA]).events["kind"]) == {Kind.SQE_POST, Kind.DMA}
    assert set(recording.select(side="drive").events["side"]) == {1}
    of_two = recording.select(qid=2)
    assert len(of_two) and all(event.qid == 2 or event.sqid == 2 for event in of_two)
    assert Kind.REG_READ not in recording.select(qid=0).events["kind"]
    cid = recording.commands["cid"][3]
    assert {event.cid for event in recording.select(cid=int(cid))} == {int(cid)}
    middle = int(events["time"][len(events) // 2])
    early, late = recording.select(until=middle), recording.select(since=middle + 1)
    assert len(early) + len(late) == len(recording) and early.partial
    twice = recording.select(kind="entry").select(side="host")
    assert set(twice.events["kind"]) == {Kind.SQE_POST, Kind.CQE_SEEN} and len(twice[2:5]) == 3


def test_opcodes_follow_a_command_to_its_end(recording):
    reads, identifies = recording.select(opcode="Read"), recording.select(opcode="identify")
    assert {event.sqid for event in identifies} == {0} and 0 not in {event.sqid for event in reads}
    assert {event.kind for event in reads} == {Kind.SQE_POST, Kind.SQE_FETCH, Kind.DMA, Kind.CQE_POST, Kind.CQE_SEEN}
    assert len(recording.select(opcode=2)) == len(reads) and len(recording.select(opcode=6)) == len(identifies)
    assert reads[0].command.name == "Read" and reads.commands["opcode"].tolist() == [2] * len(reads.commands)


def test_commands_know_their_events(recording):
    for row in recording.commands:
        for name, kind in zip(("posted", "fetched", "completed", "seen"), ("SQE_POST", "SQE_FETCH", "CQE_POST", "CQE_SEEN")):
            if row[name] >= 0:
                event = recording[int(row[name])]
                assert (event.kind, event.sqid, event.cid, event.opcode) == (Kind[kind], row["sqid"], row["cid"], row["opcode"])
    done = recording.commands[recording.commands["seen"] >= 0]
    assert len(done) and len(recording.latencies) == len(done) and (recording.latencies > 0).all()


@pytest.mark.parametrize("wrong", [{"kind": "nonsense"}, {"kind": 99}, {"side": "left"}, {"opcode": "Reed"}, {"opcode": 256},
                                   {"qid": "x"}, {"cid": -1}, {"kind": ["SQE_POST", "X"]}])
def test_a_wrong_filter_says_so(recording, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        recording.select(**wrong)


# ---------------------------------------------------------------- files

def same(one, other):
    assert np.array_equal(one.events, other.events) and one.title == other.title and one.texts == other.texts
    assert (one.address, one.origin, one.began, one.gaps) == (other.address, other.origin, other.began, other.gaps)
    assert one.baseline.to_json() == other.baseline.to_json()


@pytest.mark.parametrize("when", [0.5, 1e-6, float("nan"), float("inf")])
def test_seconds_are_not_taken_for_nanoseconds(recording, when):
    for ask in (lambda: recording.at(when), lambda: recording.select(since=when), lambda: recording.select(until=when)):
        with pytest.raises(UsageError, match="whole nanoseconds"):
            ask()
    assert recording.at(-5).count == 0 and recording.at(10.0**18).count == len(recording)


def test_a_recording_comes_back_from_its_file(recording, tmp_path):
    path = recording.save(tmp_path / "run.trace")
    back = load(path)
    same(recording, back)
    for count in range(0, len(recording) + 1, 31):
        assert repr(back.after(count)) == repr(recording.after(count))
    part = load(recording.select(qid=1).save(tmp_path / "part.trace"))
    assert part.partial and part.text() == recording.select(qid=1).text()
    with pytest.raises(UsageError, match="only selected events"):
        part.at(0)
    assert len(load(Recording.merge([]).save(tmp_path / "empty.trace"))) == 0


def test_what_was_dropped_stays_dropped(tmp_path):
    recording = busy(300, room=64).recording()
    assert recording.dropped
    same(recording, load(recording.save(tmp_path / "short.trace")))


def test_a_file_that_is_no_recording_is_refused(recording, tmp_path):
    for name, content in (("empty", b""), ("text", b"hello"), ("zip", zipped({"a.txt": b"x"})), ("npz", npz(a=np.zeros(3))),
                          ("about", npz(about=np.frombuffer(b"{}", np.uint8))), ("npy", npy(np.zeros(3))),
                          ("pickle", npz(about=np.array([{}], object)))):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UsageError, match=name):
            load(path)
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "missing")
    with pytest.raises(UsageError, match="can't be written"):
        recording.save(tmp_path / "missing" / "x.trace")


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_right(data):
    whole = _saved()
    raw = bytearray(whole)
    if data.draw(st.booleans(), "cut"):
        raw = raw[:data.draw(st.integers(0, len(raw) - 1))]
    else:
        for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
            raw[place] ^= 1 << data.draw(st.integers(0, 7))
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        try:
            found = load(file.name)
        except UsageError:
            return
        assert found.text() is not None and repr(found.after(len(found)))


@functools.cache
def _saved():
    """The bytes of a saved recording."""
    with tempfile.NamedTemporaryFile() as file:
        busy(60).recording().save(file.name)
        return file.read()


def test_faults_and_interrupts_say_whose_they_are(tmp_path):
    lane_ = Lane("drive", 64)
    lane_.start()
    lane_.record(Kind.FAULT, Side.DRIVE, 1, 1000, 2 | 7 << 16 | 1 << 32)
    lane_.record(Kind.FAULT, Side.DRIVE, 0, 1001)
    lane_.record(Kind.FAULT, Side.DRIVE, 1, 3, 0, 1)
    lane_.record(Kind.INTERRUPT, Side.DRIVE, 1, 5)
    lane_.record(Kind.INTERRUPT, Side.DRIVE, 1, 5, 0, 1)
    lane_.record(Kind.INTERRUPT, Side.HOST, 1, 5)
    recording = Recording.merge([("drive", *lane_.read())])
    assert [event.text for event in recording] == [
        "fault 1000: Read SQ1 cid=7", "fault 1001", "CQ1[3] gets the wrong Phase Tag", "vector 5 for CQ1",
        "vector 5 for CQ1, kept pending: it is masked", "vector 5 waited for"]
    assert len(recording.select(cid=7, qid=1)) == 1 and len(recording.select(kind="interrupt", qid=1)) == 3
    assert [event.sqid for event in recording] == [1, None, None, None, None, None]
    back = load(recording.save(tmp_path / "faults.trace"))
    assert back.text() == recording.text()
