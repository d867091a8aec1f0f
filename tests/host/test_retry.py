"""Commands that failed and are sent again: which, how often, after how long, and what is said when that doesn't help."""
import time

import pytest

import nvlab
from nvlab import cmd, errors
from nvlab.host.retry import MAY_SUCCEED, RETRIES, may_succeed
from nvlab.spec import status
from nvlab.spec.commands import Completion


@pytest.fixture(params=["inline", "thread", "manual"])
def ctrl(request):
    with nvlab.attach(f"embedded:mode={request.param},size=1M", timeout=2) as ctrl:
        yield ctrl


def test_which_statuses_may_succeed():
    for s in status.ALL:
        if s.command_set != "fabrics":
            assert may_succeed(Completion.new(s)) == (s.field in MAY_SUCCEED)
            assert not may_succeed(Completion.new(s, dnr=1))
    for never in (status.SUCCESS, status.INVALID_OPCODE, status.LBA_OUT_OF_RANGE, status.COMMAND_ABORT_REQUESTED,
                  status.COMMAND_ABORTED_BY_HOST, status.COMPARE_FAILURE, status.NAMESPACE_IS_WRITE_PROTECTED):
        assert not may_succeed(Completion.new(never))


def test_a_write_that_fails_twice(ctrl):
    fault = ctrl.ssd.faults.status("Write Fault", opcode="Write", count=2)
    ns = ctrl.namespaces[1]
    ns.write(0, b"in the end")
    assert bytes(ns.read(0))[:10] == b"in the end" and ctrl.retried == 2 == fault.hits


def test_parts_of_a_split_transfer(ctrl):
    """Only what failed is sent again."""
    ctrl.ssd.faults.status("Namespace Not Ready", opcode="Write", lba=range(1024, 1536), count=3)
    ns = ctrl.namespaces[1]
    data = bytes(range(256)) * 4096
    ns.write(0, data)
    assert bytes(ns.read(0, 2048)) == data and ctrl.retried == 3


def test_retries_that_run_out(ctrl):
    fault = ctrl.ssd.faults.status("Write Fault", opcode="Write")
    with pytest.raises(errors.WriteFault, match=r"LBA 3 on namespace 1 \(tried 6 times\)") as error:
        ctrl.namespaces[1].write(3, b"never")
    assert fault.hits == RETRIES + 1 == 6 and error.value.completion.sc == 0x80
    with pytest.raises(errors.WriteFault, match="tried 2 times"):
        ctrl.namespaces[1].write(3, b"never", retries=1)
    with pytest.raises(errors.WriteFault) as error:
        ctrl.namespaces[1].write(3, b"never", retries=0)
    assert "tried" not in str(error.value)
    ctrl.retries = 0
    before = fault.hits
    with pytest.raises(errors.WriteFault):
        ctrl.namespaces[1].write(3, b"never")
    assert fault.hits == before + 1
    for wrong in (-1, 1.5, True, "often"):
        with pytest.raises(errors.UsageError, match="retries="):
            ctrl.namespaces[1].write(3, b"never", retries=wrong)


def test_do_not_retry(ctrl):
    fault = ctrl.ssd.faults.status("Write Fault", dnr=True, opcode="Write")
    with pytest.raises(errors.WriteFault):
        ctrl.namespaces[1].write(0, b"x")
    assert fault.hits == 1 and ctrl.retried == 0


def test_what_another_try_does_not_help(ctrl):
    fault = ctrl.ssd.faults.status("Capacity Exceeded", opcode="Write")
    with pytest.raises(errors.CapacityExceeded):
        ctrl.namespaces[1].write(0, b"x")
    assert fault.hits == 1


def test_the_delay_that_the_controller_asks_for(ctrl):
    """CRDT1 to CRDT3 of Identify, in units of 100 ms; the bring-up said that they are wanted (Host Behavior Support)."""
    assert ctrl.id.crdt1 and ctrl.ssd.controller.admin is not None
    for crd, field in ((1, ctrl.id.crdt1), (2, ctrl.id.crdt2)):
        ctrl.ssd.faults.status("Namespace Not Ready", crd=crd, opcode="Read", count=1)
        begun = time.monotonic()
        ctrl.namespaces[1].read(0)
        took = time.monotonic() - begun
        assert int(field) * 0.1 <= took < int(field) * 0.1 + 1


def test_a_delay_longer_than_the_deadline_is_not_waited_for(ctrl):
    ctrl.timeout = 0.15
    ctrl.ssd.faults.status("Namespace Not Ready", crd=2, opcode="Read", count=1)
    with pytest.raises(errors.NamespaceNotReady, match="wants 0.2 s"):
        ctrl.namespaces[1].read(0)


def test_delays_count_only_once_they_were_enabled():
    with nvlab.probe("embedded:mode=inline,size=1M") as ctrl:
        for step in ctrl.steps():
            if step.name != "configure host behavior":
                step.run()
        assert ctrl.retry_delay(Completion.new(status.NAMESPACE_NOT_READY, crd=3)) == 0
        assert ctrl.configure_host_behavior() is True
        assert ctrl.retry_delay(Completion.new(status.NAMESPACE_NOT_READY, crd=3)) == int(ctrl.id.crdt3) * 0.1
        assert ctrl.retry_delay(Completion.new(status.NAMESPACE_NOT_READY)) == 0


def test_commands_that_are_not_repeated(ctrl):
    """Admin commands, and I/O commands of which the driver doesn't know that they may be executed twice."""
    fault = ctrl.ssd.faults.status("Internal Error", opcode="Identify", qid=0)
    with pytest.raises(errors.InternalError):
        ctrl.identify()
    assert fault.hits == 1
    fault.remove()
    fault = ctrl.ssd.faults.status("Internal Error", opcode="Flush", qid=1)
    with pytest.raises(errors.InternalError):
        ctrl.submit(cmd.flush(nsid=1)).wait()    # one's own request is one's own
    assert fault.hits == 1
    with pytest.raises(errors.InternalError):
        ctrl.execute(cmd.flush(nsid=1), retries=2)
    assert fault.hits == 4
