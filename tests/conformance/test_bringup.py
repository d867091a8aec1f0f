"""From reset to the first command and back: each step alone, the rings by hand, shutdown, and starting over."""

import pytest

import nvlab
from nvlab.spec.commands import cmd
from nvlab.spec.errors import ControllerGone, InvalidQueueIdentifier, UsageError
from nvlab.spec.identify import IdentifyController
from tests.waiting import holds

STEPS = ["disable", "create admin queue", "enable", "identify controller", "configure host behavior", "configure async events",
         "number of queues", "identify namespaces"]


def test_a_probe_writes_nothing(device):
    ctrl = device.probe()
    assert ctrl.cc.EN == 0 and ctrl.csts.RDY == 0 and ctrl.state == "disabled"
    assert ctrl.regs.AQA.read() == 0 and ctrl.regs.ASQ.read() == 0
    assert ctrl.admin is None and ctrl.io == {} and ctrl.namespaces == {} and ctrl.id is None
    assert ctrl.cap.MQES == (2047 if device.qemu else 1023) and ctrl.vs.MJR == 1
    assert "disabled" in repr(ctrl)
    with pytest.raises(UsageError, match="create_admin_queue"):
        ctrl.submit(cmd.identify())


def test_steps_are_the_bring_up(device):
    ctrl = device.probe()
    steps = list(ctrl.steps())
    assert [step.name for step in steps] == STEPS and all(step.doc for step in steps)
    state = {step.name: step for step in steps}

    state["disable"].run()
    assert ctrl.cc.EN == 0 and ctrl.csts.RDY == 0

    admin = state["create admin queue"].run()
    assert ctrl.admin is admin and admin.qid == 0 and ctrl.cc.EN == 0
    assert ctrl.regs.AQA.ASQS == ctrl.regs.AQA.ACQS == admin.depth - 1
    assert ctrl.regs.ASQ.read() == admin.sq.iova and ctrl.regs.ACQ.read() == admin.cq.iova
    assert admin.sq.tail == admin.cq.head == 0 and admin.cq.phase == 1 and not admin.cq.entries.any()

    csts = state["enable"].run()
    assert csts.RDY == 1 and csts.CFS == 0 and csts.SHST == 0 and ctrl.state == "ready"
    assert ctrl.cc.EN == 1 and ctrl.cc.IOSQES == 6 and ctrl.cc.IOCQES == 4 and ctrl.cc.MPS == 0

    identity = state["identify controller"].run()
    assert isinstance(identity, IdentifyController) and ctrl.id is identity
    assert identity.sn == ("NVLAB-QEMU" if device.qemu else "NVLAB0001")
    assert admin.sq.tail == admin.sq.rung == admin.sq.head == 1 and admin.cq.head == admin.cq.rung == 1

    state["configure async events"].run()
    assert admin.sq.tail == admin.sq.rung == 2 and len(admin.sq.outstanding) == 1

    assert state["number of queues"].run() == ctrl.queue_limit == 64
    assert list(state["identify namespaces"].run()) == [1]
    assert ctrl.namespaces[1].block_size == 512 and ctrl.namespaces[1].size == 64 << 20
    ctrl.namespaces[1].write(0, b"ready")


@pytest.mark.parametrize("depth", [2, 3, 32, 4096])
def test_the_rings_by_hand(device, depth):
    ctrl = device.probe()
    ctrl.disable()
    ctrl.create_admin_queue(depth=depth)
    ctrl.enable()
    sq, cq = ctrl.admin.sq, ctrl.admin.cq
    for lap in range(min(depth, 8) * 3):
        buffer = ctrl.alloc(4096)
        before, phase, head = sq.tail, cq.phase, cq.head
        slot = sq.post(cmd.identify(cns=1, prp1=buffer))
        assert slot == before == lap % depth and sq.tail == (slot + 1) % depth and sq.rung == before
        assert bytes(sq.entries[slot])[0] == 0x06 and int.from_bytes(bytes(sq.entries[slot])[24:32], "little") == buffer.iova

        if device.embedded:                      # the doorbell is not rung: nobody knows, and nothing happens
            assert ctrl.ssd.queue_state(0)["sq_tail"] == before
        if device.manual:
            assert ctrl.ssd.step() is None
        assert cq.poll() is None and cq.head == head and not buffer.any()

        sq.ring()
        assert sq.rung == sq.tail
        if device.manual:
            assert cq.poll() is None             # the drive moves on step() only
            assert ctrl.ssd.step().state == "completed"
        else:
            assert holds(lambda: cq.pump() or cq.has_new())
        assert cq.peek().p == phase and cq.has_new() and cq.head == head
        completion = cq.poll()
        assert completion.ok and completion.p == phase and completion.sqhd == sq.tail == sq.head
        assert cq.head == (head + 1) % depth and cq.rung == head and not cq.has_new()
        assert cq.phase == phase ^ (cq.head == 0)                        # it turns over at the wrap
        cq.ring()
        assert cq.rung == cq.head
        assert IdentifyController(bytes(buffer)).sn in ("NVLAB-QEMU", "NVLAB0001")
    assert cq.poll() is None


def test_one_doorbell_for_many_commands(device):
    ctrl = device.probe()
    ctrl.disable()
    ctrl.create_admin_queue(depth=16)
    ctrl.enable()
    sq, cq = ctrl.admin.sq, ctrl.admin.cq
    buffers = [ctrl.alloc(4096) for _ in range(15)]
    slots = [sq.post(cmd.identify(cns=1, prp1=buffer)) for buffer in buffers]
    assert slots == list(range(15)) and sq.space == 0
    with pytest.raises(UsageError, match="queue is full: 15 entries wait"):
        sq.post(cmd.identify(cns=1))
    assert cq.poll() is None
    sq.ring()
    device.settle(ctrl)
    seen = []
    assert holds(lambda: [seen.append(c) for c in iter(cq.poll, None)] and False or len(seen) == 15)
    cq.ring()
    assert sorted(int(c.cid) for c in seen) == list(range(15)) and all(c.ok for c in seen)
    assert all(bytes(b[4:14]) == bytes(buffers[0][4:14]) for b in buffers) and sq.space == 15


@pytest.mark.negative
def test_a_reset_takes_all_queues_with_it(device):
    ctrl = device.attach(size="8M")
    ctrl.namespaces[1].write(7, b"kept through a reset")
    pair = ctrl.create_io_queue_pair(16)
    old = ctrl.admin
    ctrl.disable()
    assert ctrl.csts.RDY == 0 and ctrl.io == {} and ctrl.admin is None and ctrl.namespaces == {} and ctrl.state == "disabled"
    ctrl.start()
    assert ctrl.admin is not old and ctrl.io == {}
    with pytest.raises(InvalidQueueIdentifier):
        ctrl.delete_io_sq(pair.qid)
    again = ctrl.create_io_queue_pair(16)
    assert again.qid == 1
    assert bytes(ctrl.namespaces[1].read(7))[:4] == b"kept"





def test_reset_many_times(device):
    ctrl = device.attach(size="1M")
    for i in range(6):
        ctrl.namespaces[1].write(i, bytes([i + 1]) * 512)
        assert bytes(ctrl.namespaces[1].read(i)) == bytes([i + 1]) * 512
        ctrl.disable()
        ctrl.disable()                           # twice is harmless
        ctrl.start()


def test_start_on_a_controller_that_is_running(device):
    ctrl = device.attach(size="1M")
    ctrl.create_io_queue_pair(4)
    ctrl.start()                                 # begins with a reset
    assert ctrl.io == {} and ctrl.csts.RDY == 1
    ctrl.namespaces[1].flush()


def test_shutdown_is_orderly(device):
    ctrl = device.attach(size="1M")
    pairs = [ctrl.create_io_queue_pair(8) for _ in range(3)]
    ctrl.shutdown()
    assert ctrl.csts.SHST == 2 and ctrl.cc.SHN == 1 and ctrl.state == "shut down"
    assert ctrl.io == {} and ctrl.io_cqs == {}
    if device.embedded:
        assert all(ctrl.ssd.queue_state(pair.qid) is None for pair in pairs)
    ctrl.start()                                 # and it can be brought back
    assert ctrl.csts.SHST == 0 and ctrl.csts.RDY == 1
    ctrl.namespaces[1].write(0, b"back")
    ctrl.close()
    assert ctrl.closed and ctrl.state == "closed" and "closed" in repr(ctrl)
    ctrl.close()


def test_shutdown_before_anything(device):
    ctrl = device.probe()
    ctrl.shutdown()
    assert ctrl.csts.SHST == 0
    ctrl.close()


def test_use_after_close(device):
    ctrl = device.attach(size="1M")
    ctrl.close()
    with pytest.raises((ControllerGone, UsageError)) as error:
        ctrl.namespaces[1].read(0)
    assert "closed" in str(error.value)
    with pytest.raises((ControllerGone, UsageError), match="closed"):
        ctrl.identify()


def test_attach_twice(device):
    first, second = device.attach(size="1M"), device.attach(size="2M")
    first.namespaces[1].write(0, b"first")
    second.namespaces[1].write(0, b"second")
    assert bytes(first.namespaces[1].read(0))[:6] == b"first\0" and bytes(second.namespaces[1].read(0))[:6] == b"second"
    first.close()
    assert bytes(second.namespaces[1].read(0))[:6] == b"second"


def test_context_manager(device):
    with nvlab.attach(device.address(size="1M")) as ctrl:
        device.opened.append(ctrl)
        ctrl.namespaces[1].flush()
    assert ctrl.closed and ctrl.function.closed
    with pytest.raises(RuntimeError):
        with nvlab.attach(device.address(size="1M")) as ctrl:
            device.opened.append(ctrl)
            raise RuntimeError
    assert ctrl.closed and ctrl.function.closed


def test_the_stride_is_read_from_cap(embedded):
    ctrl = embedded.attach(size="1M", dstrd=2)
    assert ctrl.cap.DSTRD == 2
    pair = ctrl.create_io_queue_pair(8, qid=3)
    assert pair.sq.doorbell == 0x1000 + 6 * 16 and pair.cq.doorbell == 0x1000 + 7 * 16
    ctrl.namespaces[1].write(0, b"stride")
    assert bytes(ctrl.namespaces[1].read(0))[:6] == b"stride"
