"""ctrl.why() in bad company: a device that is gone, held, fatal, in its bring-up; faults; debuggers; recordings that overflow."""
import os
import random
import signal
import threading
import time

import numpy as np
import pytest

import nvlab
from nvlab._core.trace import Kind, Lane, Side
from nvlab.host.controller import Controller
from nvlab.host.prp import build_prp
from nvlab.spec.commands import cmd
from nvlab.spec.errors import Error, UsageError
from nvlab.trace import Recording, why_ledger
from nvlab.trace.why import why as ask

from .broken import CorrectDriver
from .broken.rings import KeepsPhase
from .test_why_broken import probe, run

QEMU = pytest.mark.require("qemu")
DEVICES = ["manual", "inline", "thread", pytest.param("qemu", marks=QEMU)]


def quickly(ctrl, seconds=2.0):
    """why(), which never hangs."""
    began = time.monotonic()
    found = ctrl.why()
    assert time.monotonic() - began < seconds and str(found)
    return found


def read(ctrl, blocks=1, **more):
    return cmd.read(nsid=1, slba=0, nlb=blocks - 1, prp1=ctrl.alloc(blocks * 512), **more)


# ---------------------------------------------------------------- gone, and worse

@pytest.mark.parametrize("where", DEVICES)
def test_a_closed_controller(where):
    ctrl = probe(where).start()
    ctrl.close()
    found = quickly(ctrl)
    assert (found.rule, found.severity) == ("gone", "error") and "closed" in found.sentence


@QEMU
@pytest.mark.parametrize("watched", [True, False])
def test_a_killed_qemu(watched):
    with probe("qemu") as ctrl:
        watch = nvlab.watch(ctrl) if watched else None
        ctrl.start()
        os.kill(ctrl.function.process.pid, signal.SIGKILL)
        assert ctrl.function.process.wait(5) is not False
        found = quickly(ctrl)
        assert found.rule == "gone" and "SIGKILL" in found.sentence
        assert watch is None or watch.on


def test_a_drive_that_vanished():
    with probe("inline") as ctrl, nvlab.watch(ctrl):
        ctrl.start()
        ctrl.ssd.faults.vanish()
        found = quickly(ctrl)
        assert found.rule == "gone" and "fault" in found.rules


def test_a_fatal_status_that_was_asked_for():
    with probe("inline") as ctrl, nvlab.watch(ctrl):
        ctrl.start()
        ctrl.ssd.faults.fatal()
        assert quickly(ctrl).rules[0] in ("fault", "fatal") and "fatal" in ctrl.why().rules
        ctrl.ssd.faults.clear()
        ctrl.disable()
        assert quickly(ctrl).rule == "disabled"


def test_a_controller_that_never_becomes_ready():
    with probe("inline") as ctrl:
        ctrl.ssd.faults.never_ready()
        ctrl.create_admin_queue(8)
        with pytest.raises(Error):
            ctrl.enable()
        assert set(quickly(ctrl).rules) == {"fault", "not-ready"}


@pytest.mark.parametrize("where", DEVICES)
def test_at_every_step_of_the_bring_up(where):
    with probe(where) as ctrl:
        for step in ctrl.steps():
            assert not quickly(ctrl).accused
            step.run()
        assert quickly(ctrl).ok


@pytest.mark.parametrize("watched", [True, False])
def test_while_another_thread_brings_it_up_again_and_again(watched):
    with probe("thread") as ctrl:
        if watched:
            nvlab.watch(ctrl)
        over = threading.Event()

        def drive():
            while not over.is_set():
                ctrl.start()
                ctrl.namespaces[1].write(0, np.ones(4096, np.uint8))

        driver = threading.Thread(target=drive)
        driver.start()
        try:
            for _ in range(20):
                found = quickly(ctrl)
                assert not found.accused, str(found)
        finally:
            over.set()
            driver.join(10)


# ---------------------------------------------------------------- somebody holds things

def test_a_drive_that_is_held_by_this_thread_and_by_another():
    with probe("thread") as ctrl:
        ctrl.start()
        with ctrl.ssd:
            assert quickly(ctrl).ok
        held, over = threading.Event(), threading.Event()

        def hold():
            with ctrl.ssd, ctrl.admin.lock:
                held.set()
                over.wait(10)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(5)
        try:
            quickly(ctrl)
        finally:
            over.set()
            holder.join()


@pytest.mark.parametrize("where", DEVICES)
def test_nothing_is_disturbed(where):
    with probe(where) as ctrl:
        ctrl.start()
        pair = ctrl.create_io_queue_pair(8)
        trace = nvlab.Trace(ctrl).start()
        pair.sq.post(read(ctrl))
        before = (pair.sq.tail, pair.sq.rung, pair.cq.head, pair.cq.rung, bytes(pair.sq.entries), bytes(pair.cq.entries),
                  ctrl.ssd and ctrl.ssd.queue_state(1))
        count = len(trace)
        for _ in range(3):
            quickly(ctrl)
        assert before == (pair.sq.tail, pair.sq.rung, pair.cq.head, pair.cq.rung, bytes(pair.sq.entries), bytes(pair.cq.entries),
                          ctrl.ssd and ctrl.ssd.queue_state(1))
        assert {event.kind for event in trace[count:]} <= ({Kind.REG_READ} if where == "qemu" else set())
        pair.sq.ring()
        pair.cq.pump(blocking=True)
        assert pair.cq.wait(2) or where == "manual"
        if where == "manual":
            ctrl.ssd.step()
        assert pair.poll()


# ---------------------------------------------------------------- faults

@pytest.mark.parametrize("where", ["manual", "inline", "thread"])
@pytest.mark.parametrize("watched", [True, False])
def test_a_completion_that_was_dropped(where, watched):
    with probe(where) as ctrl:
        watch = nvlab.watch(ctrl) if watched else None
        ctrl.start()
        pair = ctrl.create_io_queue_pair(8)
        ctrl.ssd.faults.drop(opcode="Read", count=1)
        assert ctrl.why().ok                     # armed, and nothing has happened yet
        pair.submit(read(ctrl))
        deadline = time.monotonic() + 2
        while not ctrl.ssd.faults[0].hits and time.monotonic() < deadline:
            pair.cq.pump(blocking=True)
        found = quickly(ctrl)
        assert found.rule == "fault" and "dropped" in found.sentence
        assert not watched or ("Read with cid" in found.sentence and "in-the-drive" in found.rules and watch.on)
        ctrl.reset()                             # the command has ended, the fault is spent: that is over
        assert not quickly(ctrl).accused


# ---------------------------------------------------------------- watching

def test_a_watch_begins_and_ends():
    with probe("inline") as ctrl:
        watch = nvlab.watch(ctrl)
        assert watch.on and watch.trace.on and watch.start() is watch
        ctrl.start()
        assert watch.peeks and watch.why().ok and "doorbells" in watch.why().seen
        second = nvlab.watch(ctrl)
        assert second.on and not watch.on and second.trace.on
        second.stop()
        second.stop()
        assert not second.on and not second.trace.on and ctrl.bar.lane.hook is None
        assert "nvlab.watch" in ctrl.why().seen and "stopped" in repr(second)


def test_a_watch_uses_the_trace_that_is_there_and_leaves_it():
    with probe("inline") as ctrl, nvlab.Trace(ctrl) as trace:
        with nvlab.watch(ctrl) as watch:
            assert watch.trace is trace
            ctrl.start()
            assert ctrl.why().ok
        assert trace.on and "event" in ctrl.why().seen


def test_a_watch_before_there_is_a_controller():
    from nvlab import pci
    function = pci.open("embedded:mode=inline,size=8M")
    with nvlab.watch(function) as watch:
        with Controller(function) as ctrl:
            ctrl.start()
            assert ask(ctrl).ok and watch.peeks
            with pytest.raises(UsageError, match="by hand"):
                ctrl.why()


def test_a_debugger_and_a_watch_at_once():
    with probe("inline") as ctrl, nvlab.watch(ctrl) as watch:
        ctrl.start()
        dbg = nvlab.debug(ctrl)
        dbg.break_at("SQ0TDBL")
        dbg.run(lambda: ctrl.smart_log())
        assert dbg.wait(5) is not None
        assert quickly(ctrl).rule == "doorbell-never-rung"
        seen = len(watch.peeks)
        dbg.detach()
        dbg.wait(5)
        assert quickly(ctrl).ok and len(watch.peeks) > seen


def test_a_trace_alone_knows_much():
    """Without a look at each doorbell: what the order of events and the drive's own view tell."""
    with probe("inline") as ctrl, nvlab.Trace(ctrl):
        run(KeepsPhase(ctrl))
        assert ctrl.why().rule == "wrong-phase"


@pytest.mark.parametrize("where", ["inline", "thread"])
def test_a_recording_that_overflowed(where):
    with probe(where) as ctrl:
        trace = nvlab.Trace(ctrl).start(memory=64 * 96)
        driver = CorrectDriver(ctrl)
        driver.run()
        assert trace.dropped and not quickly(ctrl).accused
        trace.stop()


def test_a_recording_that_is_longer_than_what_is_gone_through(monkeypatch):
    monkeypatch.setattr(why_ledger, "LONGEST", 100)
    for driver, accused in ((CorrectDriver, False), (KeepsPhase, True)):
        with probe("inline") as ctrl, nvlab.watch(ctrl):
            ctrl.start()
            for _ in range(30):
                ctrl.smart_log()
            assert quickly(ctrl).ok
            run(driver(ctrl))
            assert quickly(ctrl).accused == accused


def test_some_ten_thousand_events_are_gone_through_quickly():
    with probe("inline") as ctrl, nvlab.watch(ctrl) as watch:
        ctrl.start()
        nvlab.Perf(ctrl, io_size=512, depth=32, count=20000).run()
        assert len(watch.trace) > 10000
        assert quickly(ctrl).ok


def test_what_the_drive_did_is_dropped_and_what_the_host_did_is_not():
    """The drive records more events than the host, so its older ones make room first: where its tail was isn't known then."""
    with probe("inline") as ctrl:
        ctrl.start()
        pair, other, data = ctrl.create_io_queue_pair(8), ctrl.create_io_queue_pair(8), ctrl.alloc(32 << 10)
        prp = build_prp(ctrl.dma, data.iova, data.nbytes)
        with nvlab.trace.Trace(ctrl).start(512 * 96) as trace, nvlab.watch(ctrl):
            pair.submit(cmd.flush(nsid=1))
            while not pair.cq.poll():
                pair.cq.pump(blocking=True)
            for _ in range(80):
                other.execute(cmd.read(nsid=1, nlb=63, prp1=prp.prp1, prp2=prp.prp2))
            recording = trace.recording()
            assert recording.gaps.keys() == {"drive"}, recording.gaps
            pair.cq.ring()                       # gives back what was posted before
            assert ctrl.why().ok, ctrl.why()


def test_why_of_a_long_recording_of_a_device_that_tells_nothing_takes_no_time():
    """Each completion finds its command by its identifier, however many others there are."""
    lane = Lane("host", 1 << 15)
    lane.start()
    for is_cq in (1, 0):
        lane.record(Kind.QUEUE_NEW, Side.HOST, 1, 1024, 0x10000, is_cq | (0 if is_cq else 1 << 16))
    for n in range(14000):                       # a loop that a watch looks at only now and then: nobody saw its entries
        lane.record(Kind.SQ_DOORBELL, Side.HOST, 1, (n + 1) % 1024, 0x1008, n % 1024)
        lane.record(Kind.CQE_SEEN, Side.HOST, 1, n % 1024, 0, n % 1024 | 1 << 16 | n % 100 << 32)
    recording = Recording.merge([("host", *lane.read())])
    begun = time.thread_time()
    ledger = why_ledger.Ledger(recording, drive=False)
    assert ledger.events == 28002 and len(ledger.sqs[1].commands) == why_ledger.KEPT and time.thread_time() - begun < 1


@pytest.mark.parametrize("where", ["inline", "thread"])
@pytest.mark.parametrize("count", [130, 200, 400])
def test_a_queue_whose_creation_was_dropped_existed_all_the_same(where, count):
    with probe(where) as ctrl:
        ctrl.start()
        with nvlab.trace.Trace(ctrl).start(256 * 96):
            pairs = [ctrl.create_io_queue_pair(8) for _ in range(3)]
            for n in range(count):
                pairs[n % 3].execute(cmd.flush(nsid=1))
            assert ctrl.why().ok, ctrl.why()
            for pair in pairs:
                ctrl.delete_io_queue_pair(pair)
                assert ctrl.why().ok, ctrl.why()
            ctrl.bar.write32(pairs[0].sq.doorbell, 1)        # it is gone: this one is astray
            assert ctrl.why().rule == "doorbell-of-no-queue"


def correct_move(ctrl, rng):
    """Anything that a driver may do with nvlab's queues."""
    pairs, do = list(ctrl.io.values()), rng.randrange(9)
    pair = rng.choice(pairs) if pairs else None
    if do == 0 and len(pairs) < 4:
        ctrl.create_io_queue_pair(rng.choice([2, 3, 8, 64]))
    elif do == 1:
        ctrl.identify_controller() if rng.random() < 0.7 else ctrl.reset()
    elif do == 2 and ctrl.ssd is not None:
        ctrl.ssd.step()
    elif pair is None:
        return
    elif do in (3, 4):
        for _ in range(min(rng.randrange(9), pair.sq.space)):
            pair.submit(cmd.flush(nsid=1))
    elif do == 5 and pair.sq.space:
        pair.sq.post(cmd.flush(nsid=1))
    elif do == 6:
        pair.poll()
    elif do == 7 and pair.cq.poll():
        pair.cq.ring()
    elif do == 8 and rng.random() < 0.3:
        ctrl.delete_io_queue_pair(pair)


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize("room", [16, 64, 128])
def test_a_correct_driver_of_which_only_the_last_moves_are_known(where, room):
    """Older events make room for newer ones all the time; what isn't known any more proves nothing."""
    rng = random.Random(room)
    with probe(where) as ctrl:
        ctrl.start()
        with nvlab.trace.Trace(ctrl).start(room * 96), nvlab.watch(ctrl):
            for _ in range(120):
                correct_move(ctrl, rng)
                why = ctrl.why()
                assert not why.accused, why
