"""Interrupts on every device: queues that wait for their vector, masks and pending bits, the line and INTMS."""
import gc
import os
import signal
import threading
import time

import pytest

import nvlab
from nvlab._core.trace import Kind
from nvlab.spec import errors, status
from nvlab.spec.commands import cmd

from .conftest import says, status_of

SOON, NEVER = 3.0, 0.03            # seconds: an interrupt comes within, and none comes for so long


def flush(pair):
    """A command on its way, not yet looked at."""
    return pair.submit(cmd.flush(nsid=1))


def take(pair):
    """Take all that was submitted."""
    pair.wait_until(lambda: not pair.sq.outstanding, SOON, "completions")


def test_the_capability(ctrl):
    msix = ctrl.function.msix
    assert ctrl.function.vectors == msix.size == 65 and not msix.enabled and not msix.function_mask
    assert msix.table_offset >= 0x1000 and msix.pba_offset >= msix.table_offset + 16 * msix.size and "65 vectors" in repr(msix)
    assert msix.pba_offset + 16 <= ctrl.bar.size
    first = ctrl.function.interrupt(1)
    assert msix.enabled and msix.entry(1) == (ctrl.function._words.iova + 64, 1, False) and msix.entry(2)[2]
    assert ctrl.function.interrupt(1) is first and "vector 1" in repr(first) and first.count == 0
    msix.enabled = False
    assert not msix.enabled


def test_a_doorbell_stride_moves_the_table(embedded):
    ctrl = embedded.attach(size="1M", dstrd=4)
    assert ctrl.function.msix.table_offset >= 0x1000 + 130 * (4 << 4)
    pair = ctrl.create_io_queue_pair(8, vector=64)
    assert pair.execute(cmd.flush(nsid=1)).ok and pair.cq.interrupt.wait(SOON)


def test_a_queue_pair_waits_for_its_vector(ctrl):
    pair = ctrl.create_io_queue_pair(16, vector=2)
    assert pair.cq.vector == 2 and pair.cq.interrupt is ctrl.function.interrupt(2) and "vector 2" in repr(pair.cq)
    for n in range(40):
        buffer = ctrl.alloc(512)
        assert pair.execute(cmd.read(nsid=1, prp1=buffer)).ok
    pair.cq.interrupt.collect()
    assert 0 < pair.cq.interrupt.count <= 40
    assert ctrl.create_io_queue_pair(16).cq.vector is None


def test_an_interrupt_comes_with_a_completion_only(ctrl):
    pair = ctrl.create_io_queue_pair(16, vector=1)
    irq = pair.cq.interrupt
    assert not irq.wait(NEVER)
    for n in range(3):
        flush(pair)
        assert irq.wait(SOON) and pair.cq.has_new()
        take(pair)
        assert not irq.wait(NEVER)
    assert irq.count == 3


def test_no_interrupt_where_none_is_wanted(ctrl):
    irq = ctrl.function.interrupt(1)
    pair = ctrl.create_io_queue_pair(16)
    assert pair.execute(cmd.flush(nsid=1)).ok and not irq.wait(NEVER) and not irq.pending


def test_mask_pending_unmask(ctrl):
    pair = ctrl.create_io_queue_pair(16, vector=5)
    irq = pair.cq.interrupt
    irq.mask()
    assert irq.masked and not irq.pending
    flush(pair)
    assert not irq.wait(NEVER) and irq.pending and pair.cq.has_new()
    irq.unmask()
    assert irq.wait(SOON) and not irq.pending and not irq.masked
    take(pair)


def test_function_mask(ctrl):
    pairs = [ctrl.create_io_queue_pair(16, vector=v) for v in (31, 32)]
    ctrl.function.msix.function_mask = True
    for pair in pairs:
        flush(pair)
        assert not pair.cq.interrupt.wait(NEVER) and pair.cq.interrupt.pending and not pair.cq.interrupt.masked
    ctrl.function.msix.function_mask = False
    for pair in pairs:
        assert pair.cq.interrupt.wait(SOON) and not pair.cq.interrupt.pending
        take(pair)


def test_masked_waits_still_end(ctrl):
    """A mask costs time, not completions: a wait looks around all the same."""
    pair = ctrl.create_io_queue_pair(16, vector=5)
    pair.cq.interrupt.mask()
    assert pair.execute(cmd.flush(nsid=1)).ok


def test_what_was_polled_is_pending_no_more(embedded):
    ctrl = embedded.attach(size="1M")
    pair = ctrl.create_io_queue_pair(16, vector=5)
    irq = pair.cq.interrupt
    irq.mask()
    assert pair.execute(cmd.flush(nsid=1)).ok and not irq.pending
    irq.unmask()
    assert not irq.wait(NEVER)


def test_two_queues_share_a_vector(device):
    """Each of two threads gets its own completions, whoever takes the interrupt."""
    ctrl = device.attach(size="1M", timeout=20.0)
    device.moves_by_itself(ctrl)
    pairs = [ctrl.create_io_queue_pair(8, vector=3) for _ in range(2)]
    done, failed = [0, 0], []

    def run(n):
        try:
            for _ in range(100):
                assert pairs[n].execute(cmd.flush(nsid=1)).ok
                done[n] += 1
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert done == [100, 100] and not failed


@pytest.mark.negative
def test_vectors_that_are_not_there(ctrl):
    function, buffer = ctrl.function, ctrl.alloc(4096)

    def create(iv, qid=1):
        return status_of(ctrl, cmd.create_io_cq(qid=qid, qsize=7, prp1=buffer, pc=1, ien=1, iv=iv))

    assert create(1) == status.INVALID_INTERRUPT_VECTOR          # the line knows but one
    function.interrupt(1)
    assert [create(iv) for iv in (65, 2048, 0xFFFF)] == [status.INVALID_INTERRUPT_VECTOR] * 3
    assert create(64).ok and ctrl.execute(cmd.delete_io_cq(qid=1)).ok
    for wrong in (65, -1, True, "1", 1.0):
        with pytest.raises(errors.UsageError) as error:
            ctrl.create_io_queue_pair(8, vector=wrong)
        says(error, "interrupt vector", "0 to 64")
    assert ctrl.io == {} and ctrl.io_cqs == {}
    with pytest.raises(errors.UsageError, match="the vectors 0 to 64"):
        function.msix.entry(65)


def test_a_pending_interrupt_goes_with_its_queue(ctrl):
    pair = ctrl.create_io_queue_pair(8, vector=4)
    irq = pair.cq.interrupt
    irq.mask()
    flush(pair)
    assert not irq.wait(NEVER) and irq.pending
    ctrl.delete_io_queue_pair(pair)
    assert not irq.pending
    irq.unmask()
    assert not irq.wait(NEVER)
    pair = ctrl.create_io_queue_pair(8, vector=4)
    flush(pair)
    assert irq.wait(SOON)


def test_a_reset_clears_what_is_pending(ctrl):
    pair = ctrl.create_io_queue_pair(8, vector=4)
    irq = pair.cq.interrupt
    irq.mask()
    flush(pair)
    assert not irq.wait(NEVER) and irq.pending
    ctrl.disable()
    assert not irq.pending and ctrl.function.msix.enabled        # MSI-X is the function's, not the controller's
    irq.unmask()
    assert not irq.wait(NEVER)
    ctrl.start()
    pair = ctrl.create_io_queue_pair(8, vector=4)
    assert pair.execute(cmd.flush(nsid=1)).ok and irq.wait(SOON) and irq.count == 1


def test_a_reset_keeps_the_vectors(device):
    ctrl = device.probe(size="1M")
    ctrl.disable()
    ctrl.create_admin_queue(vector=0)
    ctrl.enable()
    ctrl.identify()
    ctrl.configure_async_events()
    ctrl.identify_namespaces()
    pair = ctrl.create_io_queue_pair(8, vector=2)
    ctrl.reset()
    admin, irq = ctrl.function.interrupt(0), ctrl.function.interrupt(2)
    assert pair.cq.interrupt is irq and ctrl.admin.cq.interrupt is admin
    before = admin.collect(), irq.collect()
    flush(pair)
    assert irq.wait(SOON) and pair.cq.has_new()
    ctrl.admin.submit(cmd.identify(cns=1, prp1=ctrl.alloc(4096)))
    assert admin.wait(SOON) and (admin.count, irq.count) > before
    take(pair)


def test_the_admin_queue_has_vector_0(device):
    ctrl = device.probe(size="1M")
    ctrl.disable()
    with pytest.raises(errors.UsageError, match="vector 0"):
        ctrl.create_admin_queue(vector=1)
    pair = ctrl.create_admin_queue(vector=0)
    ctrl.enable()
    ctrl.identify()
    irq = pair.cq.interrupt
    assert pair.cq.vector == 0 and irq.wait(SOON) and irq.count == 1
    pair.submit(cmd.identify(cns=1, prp1=ctrl.alloc(4096)))
    assert irq.wait(SOON) and pair.cq.has_new()
    take(pair)


# -- by hand, and the line

def test_a_table_programmed_by_hand(ctrl):
    """The message is four bytes that land where the table says, nothing more; nobody needs to wait for it."""
    word, msix = ctrl.alloc(4096), ctrl.function.msix
    at = msix.table_offset + 7 * 16
    assert ctrl.bar.read32(at + 12) & 1 and ctrl.bar.read32(msix.pba_offset) == 0
    ctrl.bar.write32(at, word.iova + 8 & 0xFFFFFFFF)
    ctrl.bar.write32(at + 4, word.iova + 8 >> 32)
    ctrl.bar.write32(at + 8, 0xCAFE)
    ctrl.bar.write32(at + 12, 0)
    assert ctrl.bar.read64(at) == word.iova + 8
    msix.enabled = True
    cq = ctrl.alloc(4096)
    ctrl.queue_limit or ctrl.set_number_of_queues()
    ctrl.execute(cmd.create_io_cq(qid=1, qsize=7, prp1=cq, pc=1, ien=1, iv=7))
    sq = ctrl.alloc(4096)
    ctrl.execute(cmd.create_io_sq(qid=1, qsize=7, cqid=1, prp1=sq, pc=1))
    sq[:64] = list(bytes(cmd.flush(nsid=1)))
    ctrl.bar.write32(0x1008, 1)
    deadline = time.monotonic() + SOON
    while not word.any() and time.monotonic() < deadline:
        ctrl.function.pump(blocking=True)
    assert bytes(word[8:12]) == b"\xfe\xca\0\0" and not word[:8].any() and not word[12:].any()
    ctrl.execute(cmd.delete_io_sq(qid=1))
    ctrl.execute(cmd.delete_io_cq(qid=1))


def test_the_line_and_intms(ctrl):
    line, regs = ctrl.function.line, ctrl.regs
    pair = ctrl.create_io_queue_pair(8, vector=line)
    assert pair.cq.vector == 0 and not line.asserted and not line.wait(NEVER) and "not asserted" in repr(line)
    flush(pair)
    assert line.wait(SOON) and line.asserted
    regs.INTMS = 1
    assert not line.asserted and int(regs.INTMS.read()) == int(regs.INTMC.read()) == 1 and not line.wait(NEVER)
    regs.INTMS = 2                               # sets bits, clears none
    assert int(regs.INTMS.read()) == 3
    regs.INTMC = 1
    assert int(regs.INTMS.read()) == 2 and line.wait(SOON)       # it is a level: still there
    line.mask()
    assert not line.asserted
    line.unmask()
    assert line.asserted
    pair.poll()                                  # takes the completion and gives the slot back
    assert not line.asserted
    for _ in range(5):
        assert pair.execute(cmd.flush(nsid=1)).ok
    assert ctrl.function.line is line


def test_a_line_is_silent_with_msix(ctrl):
    line, irq = ctrl.function.line, ctrl.function.interrupt(1)
    with pytest.raises(errors.UsageError, match="MSI-X is enabled"):
        ctrl.create_io_queue_pair(8, vector=line)
    pair = ctrl.create_io_queue_pair(8, vector=1)
    flush(pair)
    assert irq.wait(SOON) and not line.asserted
    take(pair)


def test_a_reset_clears_intms(embedded):
    ctrl = embedded.attach(size="1M")
    ctrl.regs.INTMS = 0xFF
    ctrl.disable()
    assert int(ctrl.regs.INTMS.read()) == 0 == int(ctrl.regs.INTMC.read())


# -- ends

def test_ctrl_c_ends_a_wait(ctrl):
    irq, begin = ctrl.function.interrupt(1), time.monotonic()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)        # ignored where these tests run in the background
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            irq.wait(10)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begin < 2


def test_a_closed_controller_ends_a_wait(ctrl):
    irq, begin = ctrl.function.interrupt(1), time.monotonic()
    timer = threading.Timer(0.1, ctrl.close)
    timer.start()
    with pytest.raises(errors.ControllerGone, match="closed"):
        irq.wait(10)
    assert time.monotonic() - begin < 2
    timer.join()


@pytest.mark.negative
def test_a_killed_qemu_ends_a_wait(qemu):
    ctrl = qemu.attach(size="1M")
    pair = ctrl.create_io_queue_pair(8, vector=1)
    pid, begin = ctrl.function.process.pid, time.monotonic()
    timer = threading.Timer(0.1, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(errors.ControllerGone, match="QEMU"):
        pair.cq.interrupt.wait(10)
    with pytest.raises(errors.ControllerGone):
        flush(pair).wait()
    assert time.monotonic() - begin < 2
    timer.join()


def test_descriptors_come_back(embedded):
    def count():
        gc.collect()                             # what other tests left goes now, not in between
        return len(os.listdir("/proc/self/fd"))

    ctrl = embedded.attach(size="1M")
    before = count()
    for v in range(20):
        ctrl.function.interrupt(v)
    assert count() == before + 20
    del ctrl
    embedded.opened.pop().close()
    assert count() <= before


def test_without_eventfd_a_pipe_does(embedded, monkeypatch):
    monkeypatch.delattr(os, "eventfd")
    ctrl = embedded.attach(size="1M")
    pair = ctrl.create_io_queue_pair(16, vector=1)
    irq = pair.cq.interrupt
    assert irq.vector.fd != irq.vector.signal
    for _ in range(50):
        assert pair.execute(cmd.flush(nsid=1)).ok
    while irq.collect() < 50:
        assert irq.wait(SOON)
    flush(pair)
    assert irq.wait(SOON) and irq.count == 51
    take(pair)
    for _ in range(6000):                        # a full pipe holds nothing up
        pair.submit(cmd.flush(nsid=1))
        ctrl.function.pump(blocking=True)
        pair.poll()
    take_all = time.monotonic() + SOON
    while pair.sq.outstanding and time.monotonic() < take_all:
        ctrl.function.pump(blocking=True)
        pair.poll()
    assert not pair.sq.outstanding and irq.wait(SOON)


# -- what is recorded

def test_both_sides_are_recorded(device):
    ctrl = device.attach(size="1M")
    pair = ctrl.create_io_queue_pair(8, vector=6)
    with nvlab.Trace(ctrl) as trace:
        flush(pair)
        assert pair.cq.interrupt.wait(SOON)
        take(pair)
        pair.cq.interrupt.mask()
        flush(pair)
        assert not pair.cq.interrupt.wait(NEVER)
        pair.cq.interrupt.unmask()
        assert pair.cq.interrupt.wait(SOON)
        take(pair)
    events = [event for event in trace.recording() if event.kind == Kind.INTERRUPT]
    assert {event.index for event in events} == {6} and "vector 6" in events[0].text
    assert sum(event.side == "host" for event in events) == 2
    drive = [(event.qid, event.b) for event in events if event.side == "drive"]
    assert drive == ([] if device.qemu else [(1, 0), (1, 1), (1, 0)])
    writes = [event for event in trace.recording() if event.kind == Kind.REG_WRITE]
    assert len(writes) == 2 and {event.a for event in writes} == {ctrl.function.msix.table_offset + 6 * 16 + 12}


def test_perf_records_its_waits(device):
    ctrl = device.attach(size="1M")
    device.moves_by_itself(ctrl)
    with nvlab.Trace(ctrl) as trace:
        result = nvlab.Perf(ctrl, count=20, depth=1, interrupts=True).run()
    found = [event for event in trace.recording() if event.kind == Kind.INTERRUPT]
    assert result.ios == 20 and {event.index for event in found} <= {0, 1}
    told = [event for event in found if event.side == "drive"]
    assert all(event.index == 1 for event in found if event.side == "host")
    assert device.qemu or sum(event.index == 1 and event.b == 0 for event in told) == 20
    assert all(event.b == 1 for event in told if event.index == 0)           # the admin queue's vector stays masked
