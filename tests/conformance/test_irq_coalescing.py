"""Interrupt coalescing: completions gather up to a threshold, or for a time, before their vector is raised (features 08h, 09h)."""
import time

import pytest

import nvlab
from nvlab.spec import features, status
from nvlab.spec.commands import cmd

from .conftest import status_of

SOON, NEVER = 3.0, 0.03
COALESCING, VECTOR = 0x08, 0x09
LONG = 255                         # units of 100 us: 25.5 ms


@pytest.fixture
def rig(embedded):
    """(device, controller, pair on vector 1, its interrupt)."""
    ctrl = embedded.attach(size="1M")
    pair = ctrl.create_io_queue_pair(64, vector=1)
    return embedded, ctrl, pair, pair.cq.interrupt


def coalesce(ctrl, thr, time):
    ctrl.set_feature(COALESCING, features.FEATURES[COALESCING].encode(THR=thr, TIME=time))


def post(device, ctrl, pair, count=1, command=None):
    """`count` commands completed by the drive, and not yet looked at."""
    tail = ctrl.ssd.queue_state(pair.qid)["cq_tail"] + count
    for _ in range(count):
        pair.submit(command or cmd.flush(nsid=1))
    deadline = time.monotonic() + SOON
    while ctrl.ssd.queue_state(pair.qid)["cq_tail"] != tail % pair.depth and time.monotonic() < deadline:
        if device.manual:
            ctrl.ssd.step()
        ctrl.function.pump()


def sent(ctrl, vector):
    """Messages that the drive has sent: with those of the last completion, since it posts and tells in one go."""
    with ctrl.ssd:
        return ctrl.ssd.controller.interrupts.table.sent(vector)


def test_the_threshold(rig):
    device, ctrl, pair, irq = rig
    coalesce(ctrl, 3, LONG)                      # zero-based: four entries
    begin = time.monotonic()
    post(device, ctrl, pair, 3)
    assert irq.collect() == 0 or time.monotonic() - begin > 0.025
    post(device, ctrl, pair)
    assert irq.wait(SOON) and pair.cq.has_new()


def test_the_time(rig):
    device, ctrl, pair, irq = rig
    coalesce(ctrl, 200, LONG)
    begin = time.monotonic()
    post(device, ctrl, pair, 2)
    assert irq.wait(SOON) and 0.0255 <= time.monotonic() - begin < 1.0
    assert irq.count == 1 and len(pair.poll()) == 2
    assert not irq.wait(NEVER)


def test_no_time_is_no_delay(rig):
    device, ctrl, pair, irq = rig
    coalesce(ctrl, 200, 0)
    post(device, ctrl, pair)
    assert sent(ctrl, 1) == 1 and irq.wait(SOON)


def test_step_lets_the_time_pass():
    with nvlab.attach("embedded:size=1M,mode=manual") as ctrl:
        pair = ctrl.create_io_queue_pair(64, vector=1)
        coalesce(ctrl, 200, 10)
        request = pair.submit(cmd.flush(nsid=1))
        assert ctrl.ssd.step() and pair.cq.has_new() and not request.done
        time.sleep(0.002)
        assert pair.cq.interrupt.collect() == 0  # nobody has stepped
        assert ctrl.ssd.step() is None and pair.cq.interrupt.collect() == 1


def test_a_vector_without_coalescing(rig):
    device, ctrl, pair, irq = rig
    coalesce(ctrl, 200, LONG)
    assert ctrl.set_feature(VECTOR, 1 | 1 << 16) == 0
    post(device, ctrl, pair)
    assert sent(ctrl, 1) == 1 and irq.wait(SOON)
    pair.poll()
    ctrl.set_feature(VECTOR, 1)
    begin = time.monotonic()
    post(device, ctrl, pair)
    assert irq.wait(SOON) and time.monotonic() - begin >= 0.0255


def test_the_admin_queue_is_never_held_back(embedded):
    ctrl = embedded.probe(size="1M")
    ctrl.disable()
    pair = ctrl.create_admin_queue(vector=0)
    ctrl.enable()
    coalesce(ctrl, 200, LONG)
    irq = pair.cq.interrupt
    while irq.wait(NEVER):
        pass
    before = sent(ctrl, 0)
    post(embedded, ctrl, pair, command=cmd.get_features(fid=7))
    assert sent(ctrl, 0) == before + 1 and irq.wait(SOON)


def test_queue_pairs_wait_through_it(rig):
    _, ctrl, pair, irq = rig
    coalesce(ctrl, 7, 5)
    begin = time.monotonic()
    for request in [pair.submit(cmd.flush(nsid=1)) for _ in range(60)]:
        request.wait()
    assert time.monotonic() - begin < SOON


def test_a_queue_that_goes_meanwhile(rig):
    device, ctrl, pair, irq = rig
    coalesce(ctrl, 200, LONG)
    post(device, ctrl, pair)
    ctrl.delete_io_queue_pair(pair)
    assert not irq.wait(0.05)


def test_what_the_features_say(rig):
    _, ctrl, pair, _ = rig
    form = features.FEATURES[COALESCING]
    assert ctrl.get_feature(COALESCING) == 0 == int(ctrl.execute(cmd.get_features(fid=VECTOR, cdw11=64)).dw0) - 64
    coalesce(ctrl, 7, 9)
    said = form.decode(ctrl.get_feature(COALESCING))
    assert (said.THR, said.TIME) == (7, 9)
    ctrl.set_feature(VECTOR, 5 | 1 << 16)
    assert [int(ctrl.execute(cmd.get_features(fid=VECTOR, cdw11=v)).dw0) for v in (5, 6)] == [5 | 1 << 16, 6]
    assert status_of(ctrl, cmd.set_features(fid=VECTOR, cdw11=65)) == status.INVALID_FIELD_IN_COMMAND
    assert status_of(ctrl, cmd.get_features(fid=VECTOR, cdw11=65)) == status.INVALID_FIELD_IN_COMMAND
    ctrl.disable()
    ctrl.start()
    assert ctrl.get_feature(COALESCING) == 0 and int(ctrl.execute(cmd.get_features(fid=VECTOR, cdw11=5)).dw0) == 5
