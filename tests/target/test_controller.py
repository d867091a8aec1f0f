"""Registers of the drive as a BAR traps them: widths, reserved bytes, what each bit starts; then its logs."""
import mmap

import pytest

import nvlab
from nvlab._core.memory import DmaPool
from nvlab._core.ssd import DataPath
from nvlab.spec import registers
from nvlab.spec.commands import cmd
from nvlab.spec.logs import ErrorLogEntry
from nvlab.spec.registers import ACQ, AQA, ASQ, CAP, CC, CSTS, INTMC, INTMS, NSSR, VS
from nvlab.target.controller import Controller
from nvlab.target.events import ERROR, NOTICE, SMART, AsyncEvents, ErrorLog
from nvlab.target.subsystem import Subsystem


@pytest.fixture
def drive():
    """(controller, pool) without a host."""
    pool = DmaPool(1 << 20)
    return Controller(Subsystem(), DataPath(mmap.mmap(-1, 0x2000), pool.map, 4), queues=4, entries=64, mdts=3, timeout=1.0), pool


def write(controller, register, value):
    controller.write(register.offset, value, register.size)


def enable(controller, pool, **fields):
    memory = pool.alloc(8192)
    write(controller, AQA, AQA.encode(ASQS=7, ACQS=7))
    write(controller, ASQ, memory.iova)
    write(controller, ACQ, memory.iova + 4096)
    write(controller, CC, CC.encode(EN=1, IOSQES=6, IOCQES=4, **fields))
    return memory


# -- reading and writing

def test_capabilities(drive):
    cap = CAP.decode(drive[0].read(0, 8))
    assert cap.MQES == 63 and cap.CQR == 1 and cap.DSTRD == 0 and cap.TO == 2 and cap.CSS == 1 and cap.MPSMIN == cap.MPSMAX == 0
    assert VS.decode(drive[0].read(8, 4)).MNR == 4


def test_widths(drive):
    controller, _ = drive
    assert controller.read(0, 4) | controller.read(4, 4) << 32 == controller.read(0, 8)
    controller.write(0x28, 0x1000, 4)
    controller.write(0x2C, 0x5, 4)
    assert controller.read(0x28, 8) == 0x5_0000_1000
    controller.write(0x30, 0x7_0000_2000, 8)
    assert (controller.read(0x30, 4), controller.read(0x34, 4)) == (0x2000, 7)
    controller.write(0x20, 0x0007_0007_0000_0000, 8)         # NSSR and AQA in one access
    assert controller.read(0x24, 4) == 0x00070007 and controller.read(0x20, 8) == 0x0007_0007_0000_0000


def test_reserved_and_read_only_bytes_ignore_writes(drive):
    controller, _ = drive
    before = {offset: controller.read(offset, 4) for offset in range(0, 0x1000, 4)}
    touchable = {r.offset + half for r in (CC, AQA, ASQ, ACQ, INTMS, INTMC, NSSR) for half in range(0, r.size, 4)}
    for offset in range(0, 0x1000, 4):
        if offset not in touchable:
            controller.write(offset, 0xFFFFFFFF, 4)
    assert {offset: controller.read(offset, 4) for offset in range(0, 0x1000, 4)} == before
    assert all(before[offset] == 0 for offset in range(0x40, 0x1000, 4))


def test_queue_addresses_have_no_low_bits(drive):
    controller, _ = drive
    write(controller, ASQ, 0x1_2345_6FFF)
    assert controller.read(0x28, 8) == 0x1_2345_6000


def test_the_interrupt_mask_is_one_register_with_two_doors(drive):
    controller, _ = drive
    write(controller, INTMS, 0b1011)
    write(controller, INTMC, 0b0010)
    assert controller.read(INTMS.offset, 4) == controller.read(INTMC.offset, 4) == 0b1001


def test_the_bar_mirrors_the_registers(drive):
    controller, pool = drive
    enable(controller, pool)
    bar = memoryview(controller.datapath.memory)
    for register in (CAP, VS, CC, CSTS, AQA, ASQ, ACQ):
        assert int.from_bytes(bar[register.offset:register.offset + register.size], "little") == controller.read(register.offset, register.size)


# -- states

def test_enable_disable(drive):
    controller, pool = drive
    enable(controller, pool)
    assert controller.csts.RDY == 1 and controller.datapath.sq_live(0) and controller.datapath.cq_live(0)
    write(controller, CC, 0)
    assert controller.csts == 0 and not controller.datapath.sq_live(0)
    assert controller.read(ASQ.offset, 8) and controller.read(AQA.offset, 4) == 0x70007      # these stay (base 2.0c 3.7.2)


@pytest.mark.parametrize("wrong", [
    lambda c, m: write(c, ASQ, 0), lambda c, m: write(c, ACQ, 0), lambda c, m: write(c, AQA, 7), lambda c, m: write(c, AQA, 7 << 16),
    lambda c, m: write(c, ASQ, 1 << 50), lambda c, m: write(c, ACQ, 1 << 50)], ids=["ASQ", "ACQ", "ACQS", "ASQS", "SQ", "CQ"])
def test_a_fatal_start(drive, wrong):
    controller, pool = drive
    memory = enable(controller, pool)
    write(controller, CC, 0)
    wrong(controller, memory)
    write(controller, CC, CC.encode(EN=1, IOSQES=6, IOCQES=4))
    assert controller.csts.CFS == 1 and controller.csts.RDY == 0
    write(controller, CC, 0)
    assert controller.csts == 0
    enable(controller, pool)
    assert controller.csts.RDY == 1


@pytest.mark.parametrize("fields", [{"MPS": 1}, {"AMS": 1}, {"CSS": 1}])
def test_configurations_that_cap_does_not_allow(drive, fields):
    controller, pool = drive
    enable(controller, pool, **fields)
    assert controller.csts.CFS == 1


def test_shutdown(drive):
    controller, pool = drive
    enable(controller, pool)
    write(controller, CC, CC.encode(EN=1, SHN=1, IOSQES=6, IOCQES=4))
    assert controller.csts.SHST == 2 and controller.csts.RDY == 1
    write(controller, CC, 0)
    enable(controller, pool)
    assert controller.csts.SHST == 0


def test_nothing_but_cc_starts_it(drive):
    controller, _ = drive
    for register in registers.ALL.values():
        if register is not CC and register.size in (4, 8):
            controller.write(register.offset, (1 << 8 * register.size) - 1, register.size)
    assert controller.csts == 0 and not controller.datapath.sq_live(0)


# -- events

def test_events_wait_for_requests_and_the_other_way_round():
    events = AsyncEvents()
    events.add(ERROR, 1)
    assert events.take() is None
    assert events.request(7) and events.request(8)
    assert events.take() == (7, 0x010100) and events.take() is None
    events.add(SMART, 1)
    assert events.take() == (8, 0x020101) and events.take() is None


def test_an_event_type_is_masked_until_its_log_is_read():
    events = AsyncEvents()
    for cid in range(4):
        assert events.request(cid)
    assert not events.request(4)                 # AERL + 1 of them at once
    events.add(ERROR, 1)
    assert events.take() == (0, 0x010100)
    events.add(ERROR, 0)
    events.add(NOTICE, 0)
    assert events.take() == (1, 0x040002) and events.take() is None          # another type goes through
    events.unmask(0x02)
    assert events.take() is None                 # not that log
    events.unmask(0x01)
    assert events.take() == (2, 0x010000) and events.take() is None


def test_the_same_news_is_kept_once_and_not_without_limit():
    events = AsyncEvents()
    for _ in range(3):
        events.add(ERROR, 1)
    assert len(events.pending) == 1
    for information in range(1000):
        events.add(ERROR, information)
    assert len(events.pending) == 64
    assert not events.cancel(5) and events.request(5) and events.cancel(5) and not events.requests
    events.reset()
    assert not events.pending


# -- logs

def test_error_log_is_newest_first_and_bounded():
    log = ErrorLog(entries=4)
    assert log.page() == bytes(256)
    for i in range(1, 7):
        log.add(sqid=1, cid=i, status=0x4002, location=40, lba=i * 10, nsid=1)
    entries = [ErrorLogEntry(log.page()[i:i + 64]) for i in range(0, 256, 64)]
    assert [int(e.error_count) for e in entries] == [6, 5, 4, 3] and [int(e.lba) for e in entries] == [60, 50, 40, 30]
    assert len(log.page()) == 256 and log.count == 6


def test_error_log_and_smart_counters_of_a_drive():
    with nvlab.attach("embedded:size=1M") as ctrl:
        assert ctrl.smart_log().num_err_log_entries == 0 and not any(any(bytes(entry)) for entry in ctrl.error_log())
        buffer = ctrl.alloc(4096)
        request = ctrl.submit(cmd.read(slba=99999, prp1=buffer))
        request.sq.pair.wait(request)
        assert request.completion.m == 1         # More: the error log has it
        with pytest.raises(nvlab.errors.InvalidFieldInCommand):
            ctrl.identify_data(0x99)
        admin, io = ctrl.error_log(2)
        assert (int(io.sqid), int(io.cmdid), int(io.lba), int(io.nsid)) == (1, request.cid, 99999, 1)
        assert int(io.status_field) >> 1 & 0xFF == 0x80 and int(admin.sqid) == 0 and int(admin.parm_error_location) == 40
        assert (int(io.error_count), int(admin.error_count)) == (1, 2)
        smart = ctrl.smart_log()
        assert smart.num_err_log_entries == 2 and smart.power_cycles == 1 and smart.media_errors == 0
        ctrl.namespaces[1].write(0, bytes(512 * 1001))
        smart = ctrl.smart_log()
        assert smart.data_units_written == 2 and smart.host_write_commands == 1      # a begun thousand counts
        ctrl.start()                             # a reset is no power cycle: all of it stays
        assert ctrl.smart_log().num_err_log_entries == 2 and ctrl.smart_log().data_units_written == 2
