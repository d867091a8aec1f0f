"""Time travel against the real thing: after each random operation, rings and registers as they stand and as replayed.

(At each instant between them: test_instants.)
"""
import contextlib
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nvlab
from nvlab.spec.commands import cmd
from nvlab.spec.errors import Error, UsageError
from nvlab.trace.baseline import held_still, rings_of

MODES = ["manual", "inline", "thread"]
QEMU = pytest.mark.require("qemu")

operation = st.tuples(st.sampled_from([
    "io", "io", "admin", "post", "post", "ring", "ring", "step", "fetch", "execute", "complete", "poll", "poll", "ring_cq",
    "create", "delete", "disable", "start", "registers", "reset", "perf", "mode"]), st.integers(0, 15))


def look(ctrl):
    """Rings, the drive's queues and registers, as they stand now, in plain values."""
    sqs, cqs = rings_of(ctrl)
    found = {"sq": {q: (r.depth, int(r.iova), r.tail, r.head, r.rung, np.array(r.entries)) for q, r in sqs.items()},
             "cq": {q: (r.depth, int(r.iova), r.head, r.phase, r.rung, np.array(r.entries)) for q, r in cqs.items()}}
    if ctrl.ssd is None:
        found["registers"] = {name: int(value) for name, value in ctrl.regs.snapshot().items()}
    else:
        found["drive"] = {qid: ctrl.ssd.queue_state(qid) for qid in range(6)}
        found["registers"] = {r.name: ctrl.ssd.controller.values.get(r.offset, 0) for r in ctrl.regs.present() if r.readable}
    return found


def snapshot(ctrl, trace):
    """(events so far, look()) of one moment: all stands still for it."""
    if ctrl.ssd is None:
        seen = look(ctrl)
        return sum(lane.written for lane in ctrl.function.lanes), seen
    with held_still(ctrl):
        present = look(ctrl)                     # (it reads CAP, which is recorded too)
        return sum(lane.written for lane in ctrl.function.lanes), present


def compare(state, seen, drive):
    sqs = {q: (r.depth, r.iova, r.tail, r.head, r.rung) for q, r in state.sqs.items()}
    assert sqs == {q: v[:5] for q, v in seen["sq"].items()}
    assert {q: (r.depth, r.iova, r.head, r.phase, r.rung) for q, r in state.cqs.items()} == {q: v[:5] for q, v in seen["cq"].items()}
    for rings, live in ((state.sqs, seen["sq"]), (state.cqs, seen["cq"])):
        for qid, ring in rings.items():
            assert np.array_equal(ring.entries[ring.known], live[qid][5][ring.known])
            assert ring.known.all() or not drive and rings is state.cqs
    assert {name: int(value) for name, value in state.registers.items()} == seen["registers"]
    if drive:
        assert {qid: state.queue_state(qid) for qid in seen["drive"]} == seen["drive"]


def operate(ctrl, what, n):
    """One operation; what can't be done just then is refused, and that's as good."""
    pairs = ([ctrl.admin] if ctrl.admin else []) + list(ctrl.io.values())
    pair = pairs[n % len(pairs)] if pairs else None
    ssd = ctrl.ssd
    if what == "start" and not ctrl.csts.RDY:
        ctrl.start()
    elif what == "disable" and n < 3:
        ctrl.disable()
    elif what == "reset" and n < 5:
        ctrl.reset()
    elif what == "registers":
        assert ctrl.regs.CAP.MQES and ctrl.regs.CSTS.read() is not None
    elif what == "mode" and ssd is not None and n < 4:
        ssd.mode = MODES[n % 3]
    elif pair is None or not ctrl.csts.RDY:
        return
    elif what == "io" and ctrl.namespaces:
        ns = ctrl.namespaces[1]
        ns.write(n, bytes([n]) * ns.block_size) if n & 1 else ns.read(n, 1)
    elif what == "admin":
        ctrl.get_feature(7) if n & 1 else ctrl.identify()
    elif what == "post":
        pair.sq.post(cmd.get_features(fid=7) if pair.qid == 0 else cmd.flush(nsid=1) if n & 1 else cmd.read(nsid=1, slba=1 << 40))
    elif what == "ring":
        pair.sq.ring()
    elif what == "poll":
        pair.cq.poll()
    elif what == "ring_cq":
        pair.cq.ring()
    elif what in ("step", "fetch", "execute", "complete") and ssd is not None:
        getattr(ssd, what)()
    elif what == "create":
        ctrl.create_io_queue_pair(2 + n % 6)
    elif what == "delete" and ctrl.io:
        ctrl.delete_io_queue_pair(list(ctrl.io.values())[n % len(ctrl.io)])
    elif what == "perf" and ctrl.namespaces and (ssd is None or ssd.mode != "manual"):
        nvlab.Perf(ctrl, depth=1 + n % 4, count=20 + n, io_size=ctrl.namespaces[1].block_size, workload="randrw", seed=n).run()


def travel(ctrl, script):
    """Run a script under a trace; then each moment must be there again."""
    ctrl.timeout = 5.0
    ctrl.start()
    for n in range(2):
        ctrl.create_io_queue_pair(4 + n)
    trace = nvlab.Trace(ctrl)
    trace.start()
    moments = [snapshot(ctrl, trace)]
    for what, n in script:
        with contextlib.suppress(Error):
            operate(ctrl, what, n)
        moments.append(snapshot(ctrl, trace))
    recording = trace.stop()
    assert not recording.dropped and len(recording) >= moments[-1][0]
    for count, seen in moments:
        compare(recording.after(count), seen, ctrl.ssd is not None)
    return recording


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(MODES), st.lists(operation, max_size=40))
def test_each_moment_of_an_embedded_drive_is_there_again(mode, script):
    with nvlab.probe(f"embedded:size=1M,mode={mode}") as ctrl:
        travel(ctrl, script)


@QEMU
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(operation, min_size=10, max_size=40))
def test_each_moment_of_qemu_is_there_again(script):
    with nvlab.probe("qemu:size=1M") as ctrl:
        travel(ctrl, script)


def test_a_trace_is_turned_on_and_off():
    with nvlab.attach("embedded:size=1M,mode=inline") as ctrl:
        trace = nvlab.Trace(ctrl)
        assert not trace.on and len(trace) == 0 and bool(trace)
        with trace:
            assert trace.on and trace.baseline.host[0, 0]["depth"] == 32
            ctrl.namespaces[1].read(0, 1)
            before = len(trace)
            assert before and trace.select(opcode="Read", kind="SQE_POST")[0].command.slba == 0
            with pytest.raises(UsageError, match="already"):
                nvlab.Trace(ctrl).start()
        ctrl.namespaces[1].read(1, 1)
        assert len(trace) == before and not trace.on and trace.text().endswith(trace[-1].text)
        with trace:
            trace.clear()
            assert trace.recording().events["kind"].tolist() == []
            ctrl.namespaces[1].read(2, 1)
        assert {event.command.slba for event in trace.select(kind="command", qid=1)} == {2}
        trace.clear()
        assert len(trace) == 0


def test_fixed_memory_keeps_the_newest():
    with nvlab.attach("embedded:size=1M,mode=inline") as ctrl:
        trace = nvlab.Trace(ctrl).start(memory=96 * 300)
        for n in range(100):
            ctrl.namespaces[1].read(n, 1)
        recording = trace.stop()
        assert all(lane.room == 256 for lane in ctrl.function.lanes) and recording.dropped > 0
        assert 400 < len(recording) <= 512 and recording.select(kind="command")[-1].command.slba == 99
        with pytest.raises(UsageError, match="memory="):
            trace.start(memory=1)


@pytest.mark.parametrize("mode", ["inline", "thread"])
def test_a_perf_run_is_recorded_and_looked_at_meanwhile(mode):
    with nvlab.attach(f"embedded:size=1M,mode={mode}") as ctrl:
        with nvlab.Trace(ctrl) as trace:
            perf = nvlab.Perf(ctrl, depth=4, count=3000, workload="randread").start()
            early = trace.recording()
            assert early.after(len(early)).registers["CSTS"].RDY == 1 and early.baseline is trace.baseline
            result = perf.wait()
        reads = trace.recording().commands[trace.recording().commands["opcode"] == 2]
        reads = reads[reads["sqid"] > 0]
        assert result.total.ios == 3000 and len(reads) == 3000 and (reads["seen"] >= 0).all() and (reads["fetched"] >= 0).all()
        assert np.all(reads["posted"] < reads["fetched"]) and np.all(reads["fetched"] < reads["completed"])
        assert np.all(reads["completed"] < reads["seen"])


def test_rings_of_the_past_are_drawn_as_live_ones():
    from nvlab.tools.draw import ring_text
    with nvlab.attach("embedded:size=1M,mode=manual") as ctrl:
        ctrl.create_io_queue_pair(4)
        with nvlab.Trace(ctrl) as trace:
            pictures = []
            for act in (lambda: ctrl.io[1].sq.post(cmd.flush(nsid=1)), ctrl.io[1].sq.ring, ctrl.ssd.step, ctrl.io[1].cq.poll):
                act()
                pictures.append((sum(lane.written for lane in ctrl.function.lanes), ring_text(ctrl.io[1], ctrl.ssd)))
    for count, picture in pictures:
        state = trace.after(count)
        assert ring_text(state.pairs[1], state) == picture


STEPS = ["disable", "create admin queue", "enable", "identify controller", "configure host behavior", "configure async events",
         "number of queues", "identify namespaces"]


def test_steps_are_recorded_run_as_such_or_by_hand(tmp_path):
    with nvlab.probe("embedded:size=1M,mode=inline") as ctrl:
        with nvlab.Trace(ctrl) as trace:
            ctrl.start()
            trace.mark("my own")
            ctrl.disable()
            ctrl.create_admin_queue(4)
        trace.mark("not recorded any more")
        assert [step.name for step in ctrl.steps()] == STEPS
        steps = trace.select(kind="step")
        assert [event.step for event in steps] == [*STEPS, "my own", "disable", "create admin queue"]
        back = nvlab.trace.load(trace.save(tmp_path / "steps.trace"))
        assert [event.text for event in back.select(kind="step")] == [event.step for event in steps]
        writes = trace.select(kind="REG_WRITE", since=steps[2].time, until=steps[3].time)
        assert [event.text.split()[0] for event in writes] == ["CC"]          # all that enable writes
        assert trace.at(steps[2]).registers["CC"].EN == 0


def test_texts_of_steps_take_fixed_memory():
    from nvlab.pci.function import LOST, TEXTS
    with nvlab.attach("embedded:size=1M,mode=inline") as ctrl:
        with nvlab.Trace(ctrl) as trace:
            for n in range(TEXTS + 50):
                trace.mark(f"number {n}")
            trace.mark("number 7")
        steps = [event.step for event in trace.select(kind="step")]
        assert len(ctrl.function.texts) == TEXTS + 1 and steps[-2] == LOST and steps[-1] == "number 7"


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.lists(st.sampled_from(["right", "wrong", "wrong", "poll", "ring"]), max_size=20))
def test_a_wrong_phase_tag_is_the_hosts_trouble_and_not_the_drives(depth, script):
    with nvlab.attach("embedded:size=1M,mode=manual") as ctrl:
        cq, path = ctrl.create_io_queue_pair(depth).cq, ctrl.ssd.datapath
        trace = nvlab.Trace(ctrl).start()
        moments, wrong = [snapshot(ctrl, trace)], 0
        for what in script:
            if what == "poll":
                cq.poll()
            elif what == "ring":
                cq.ring()
            else:
                with path:
                    wrong += path.post_raw(1, 0, 1 << 16 | 77 << 32, phase=what == "right") and what == "wrong"
            moments.append(snapshot(ctrl, trace))
        recording = trace.stop()
        for count, seen in moments:
            compare(recording.after(count), seen, True)
        faults = recording.select(kind="fault")
        assert len(faults) == wrong and all("wrong Phase Tag" in event.text and event.cid is None for event in faults)
        assert len(recording.select(qid=1, kind="fault")) == wrong


def resident():
    """Bytes of this process that are in memory; 0 where Linux isn't there to tell."""
    if not os.path.exists("/proc/self/statm"):
        return 0
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("mode", ["inline", "thread"])
def test_ten_million_events_in_fixed_memory(mode, tmp_path):
    """(Each mode takes a second or less.)"""
    room = 1 << 14
    with nvlab.attach(f"embedded:size=1M,mode={mode}") as ctrl:
        trace = nvlab.Trace(ctrl).start(memory=96 * room)
        nvlab.Perf(ctrl, depth=64, count=10_000, io_size=512).run()            # all memory that it takes is taken
        before = resident()
        nvlab.Perf(ctrl, depth=64, count=2_200_000, io_size=512, workload="randread", seed=1).run()
        grown, lanes = resident() - before, ctrl.function.lanes
        written = sum(lane.written for lane in lanes)
        recording, admin = trace.stop(), ctrl.admin
        assert written >= 10_000_000 and all(lane.room == room for lane in lanes) and grown < 8 << 20
        assert recording.dropped + len(recording) == written and len(recording) <= len(lanes) * room
        end = recording.at(recording[-1])            # the host's own lane lost nothing
        assert (end.sqs[0].tail, end.sqs[0].head, end.cqs[0].head) == (admin.sq.tail, admin.sq.head, admin.cq.head)
        assert set(recording.gaps) == {"perf", "drive"} and recording.after(0).seen["CAP"].MQES
        back = nvlab.trace.load(recording.save(tmp_path / "ten.trace"))
        assert back.title == recording.title and "older ones dropped" in back.title
        for count in (0, len(back) // 2, len(back)):
            assert repr(back.after(count)) == repr(recording.after(count))
        assert (back.latencies > 0).all() and len(back.latencies) > 1000
