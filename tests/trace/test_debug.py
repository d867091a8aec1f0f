"""Stopping where it matters: the accesses that a person sets a breakpoint on, on every device, and what stands behind them."""
import contextlib
import pathlib
import re
import threading

import pytest

import nvlab
from nvlab import cmd
from nvlab._core.trace import Kind
from nvlab.spec.errors import InvalidFieldInCommand

ROOT = pathlib.Path(__file__).parents[2]
DEVICES = [pytest.param("embedded:size=4M,mode=inline", id="inline"), pytest.param("embedded:size=4M,mode=manual", id="manual"),
           pytest.param("embedded:size=4M,mode=thread", id="thread"),
           pytest.param("qemu:size=4M", id="qemu", marks=pytest.mark.require("qemu"))]


@pytest.fixture(params=DEVICES)
def probed(request):
    """A controller to which nothing was written yet."""
    with nvlab.probe(request.param, timeout=5) as ctrl:
        yield ctrl


@pytest.fixture
def ctrl(probed):
    """A ready controller."""
    return probed.start()


@contextlib.contextmanager
def debugging(ctrl):
    with nvlab.debug(ctrl, timeout=5) as debugger:
        yield debugger
    assert debugger.state == "ended"
    assert not [t for t in threading.enumerate() if t.name == "nvlab-debugged"]
    assert ctrl.bar.lane.hook is None


def functions(debugger):
    return [frame.function for frame in debugger.bt()]


def in_order(found, *wanted):
    """Whether the wanted names come in this order, others between them."""
    rest = iter(found)
    return all(name in rest for name in wanted)


def lines_are_true(frames):
    """Each frame names a file and the line in it where that function stands."""
    for frame in frames:
        path = ROOT / frame.file
        assert path.exists(), frame
        text = path.read_text().splitlines()[frame.line - 1]
        assert frame.source and frame.source == text.strip(), frame


def test_cc_written_in_enable(probed):
    with debugging(probed) as dbg:
        point = dbg.break_at("CC", condition="CC.EN == 1")
        stop = dbg.run(probed.start)
        assert stop is dbg.stopped and stop.breakpoint is point and dbg.state == "stopped"
        assert stop.event.value.IOSQES == 6 and stop.event.value.IOCQES == 4 and stop.decoded.startswith("CC <- 0x4600")
        assert functions(dbg) == ["write32", "Registers.write", "Controller.enable", "Step.run", "Controller.start"]
        frame = dbg.bt()[0]
        assert frame.core and frame.file == "_core/mmio.pyx" and frame.args["offset"] == "0x14 CC"
        assert probed.regs.CC.EN == 0 and probed.csts.RDY == 0          # it stands before the write, and looking is free
        lines_are_true(dbg.bt())
        assert dbg.cont() is None and dbg.result() is probed
    assert probed.csts.RDY == 1


def test_aqa_written_in_create_admin_queue(probed):
    with debugging(probed) as dbg:
        dbg.break_at("AQA")
        stop = dbg.run(probed.start)
        assert functions(dbg)[:3] == ["write32", "Registers.write", "Controller.create_admin_queue"]
        assert stop.event.value.ASQS == stop.event.value.ACQS == 31 and probed.regs.AQA.ASQS == 0
        dbg.break_at("ASQ")
        stop = dbg.cont()
        assert functions(dbg)[0] == "write64" and dbg.bt()[0].args["offset"] == "0x28 ASQ"
        assert probed.regs.AQA.ASQS == 31 and probed.regs.ASQ.read() == 0
        lines_are_true(dbg.bt())


def test_sq0tdbl_on_identify(probed):
    with debugging(probed) as dbg:
        dbg.break_at("SQ0TDBL", opcode="Identify")
        stop = dbg.run(probed.start)
        assert stop.decoded == "SQ0TDBL <- 1: Identify cns=1 cid=0" and stop.event.old == 0
        assert str(dbg.bt()[0]).startswith("#0  write32(offset=0x1000 SQ0TDBL, value=1) at _core/mmio.pyx:")
        assert in_order(functions(dbg), "SubmissionQueue.ring", "QueuePair.submit", "AdminMixin.identify_controller",
                        "Controller.identify", "Controller.start")
        assert str(dbg.bt()[1]).startswith("#1  SubmissionQueue.ring(self=<SQ 0>) at nvlab/host/pcie.py:")
        sq = probed.admin.sq                                            # posted, and nobody knows yet
        assert (sq.tail, sq.rung, sq.entries[0][0]) == (1, 0, 6) and not probed.admin.cq.has_new()
        if probed.ssd:
            assert probed.ssd.queue_state(0)["sq_tail"] == 0
        lines_are_true(dbg.bt())


def test_cq0hdbl_from_processing_completions(probed):
    with debugging(probed) as dbg:
        dbg.break_at("CQ0HDBL")
        stop = dbg.run(probed.start)
        assert stop.event.completion.ok and stop.event.command.name == "Identify"
        assert in_order(functions(dbg), "write32", "CompletionQueue.ring", "QueuePair._drain", "QueuePair.wait", "Request.wait")
        assert (probed.admin.cq.head, probed.admin.cq.rung) == (1, 0)
        dbg.delete()
        assert dbg.cont() is None and dbg.result().id is not None


def test_cq0hdbl_during_creation_and_deletion_of_an_io_queue_pair(ctrl):
    with debugging(ctrl) as dbg:
        dbg.break_at("CQ0HDBL")
        dbg.run(ctrl.create_io_queue_pair, 8)
        seen = []
        while dbg.stopped:
            seen.append(dbg.stopped.event.command.name)
            assert "AdminMixin.create_io_queue_pair" in functions(dbg)
            assert ctrl.csts.RDY == 1
            dbg.cont()
        assert seen == ["Create I/O Completion Queue", "Create I/O Submission Queue"]
        pair = dbg.result()
        seen = []
        dbg.run(ctrl.delete_io_queue_pair, pair)
        while dbg.stopped:
            seen.append(dbg.stopped.event.command.name)
            assert "AdminMixin.delete_io_queue_pair" in functions(dbg)
            dbg.cont()
        assert seen == ["Delete I/O Submission Queue", "Delete I/O Completion Queue"] and not ctrl.io


def test_cq1hdbl_on_io(ctrl):
    namespace = ctrl.namespaces[1]
    with debugging(ctrl) as dbg:
        dbg.break_at("cq1hdbl")
        dbg.break_on("completion", queue=1)
        stop = dbg.run(namespace.write, 0, b"seen")
        assert stop.event.kind == Kind.CQE_SEEN and functions(dbg)[:3] == ["CompletionRing.pop", "CompletionQueue.deliver", "CompletionQueue.take"]
        lines_are_true(dbg.bt())
        stop = dbg.cont()
        assert stop.decoded == "CQ1HDBL <- 1: Write cid=0: Successful Completion"
        assert in_order(functions(dbg), "CompletionQueue.ring", "Namespace._transfer", "Namespace.write")
        assert dbg.bt()[-1].args["slba"] == "0" and dbg.bt()[-1].args["data"] == "b'seen'"
        dbg.delete()
        dbg.cont()
        dbg.run(lambda: bytes(namespace.read(0, 1))[:4])
        assert dbg.result() == b"seen"


def test_status_that_is_an_error(ctrl):
    with debugging(ctrl) as dbg:
        dbg.break_on(error=True)
        assert dbg.run(ctrl.identify_controller) is None
        stop = dbg.run(ctrl.identify_data, 0xEE)
        assert stop.event.completion.status.title == "Invalid Field in Command" and stop.event.command.cns == 0xEE
        assert dbg.cont() is None and isinstance(dbg.error, InvalidFieldInCommand)
        with pytest.raises(InvalidFieldInCommand):
            dbg.result()


def test_the_session_is_free_while_it_stands(ctrl):
    """Registers, rings, memory and the drive can be looked at from two threads, and none of that stops or waits."""
    with debugging(ctrl) as dbg:
        dbg.break_on("event")
        dbg.run(ctrl.identify_namespace, 1)
        while dbg.stopped:
            stop, looked = dbg.stopped, []

            def look():
                looked.append(ctrl.regs.snapshot())
                looked.append((repr(ctrl), repr(ctrl.regs), repr(ctrl.admin), ctrl.admin.cq.peek(), bytes(ctrl.admin.sq.entries)))
                looked.append(ctrl.dma.map.read(ctrl.admin.sq.iova, 64))

            threads = [threading.Thread(target=look, daemon=True) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(5)
            assert len(looked) == 6 and dbg.stopped is stop
            dbg.cont()
        assert dbg.result().nsze == ctrl.namespaces[1].blocks


def test_any_read_any_write(probed):
    with debugging(probed) as dbg:
        dbg.break_at("CSTS", access="write")
        dbg.break_at("VS", access="read")
        stop = dbg.run(lambda: (probed.regs.VS.read(), probed.csts))
        assert stop.decoded == "read of VS" and functions(dbg)[0] == "read32"
        assert dbg.cont() is None
        dbg.break_at("CSTS")
        assert dbg.run(lambda: probed.csts).decoded == "read of CSTS"
        assert dbg.cont() is None
        dbg.delete()
        dbg.break_on("register write")
        dbg.run(probed.start)
        seen = []
        while dbg.stopped:
            seen.append(dbg.stopped.event.register)
            dbg.cont()
        assert [name for name in seen if name != "CC"] == ["AQA", "ASQ", "ACQ"] and seen[-1] == "CC"


def test_any_command_by_hand(ctrl):
    """The same by hand: post and ring, not through the driver's own calls."""
    pair, buffer = ctrl.create_io_queue_pair(8), ctrl.alloc(4096)

    def by_hand():
        pair.sq.post(cmd.flush(nsid=1))
        pair.sq.post(cmd.read(nsid=1, slba=3, nlb=0, prp1=buffer))
        pair.sq.ring()
        pair.wait_until(lambda: not pair.sq.outstanding, 5, "both")

    with debugging(ctrl) as dbg:
        dbg.break_on(opcode="Read")
        dbg.break_at("SQ1TDBL", value=range(2, 8))
        assert dbg.run(by_hand).decoded == "SQ1[1] <- Read nsid=1 slba=3 cid=1"
        stop = dbg.cont()
        assert stop.decoded == "SQ1TDBL <- 2: 2 commands" and [c.name for c in stop.event.commands] == ["Flush", "Read"]
        assert re.search(r"by_hand\(\) at tests/trace/test_debug.py:\d+", str(dbg.bt()))
        assert dbg.cont() is None and dbg.error is None
