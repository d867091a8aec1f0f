"""Queues that can't be: refused by the driver before anything is sent, and by the controller when sent raw."""
import pytest

from nvlab.spec import errors, status
from nvlab.spec.commands import cmd

from .conftest import says, status_of

pytestmark = pytest.mark.negative
NUMBER_OF_QUEUES = 7


def works(ctrl):
    """The controller takes another queue pair and moves data."""
    pair = ctrl.create_io_queue_pair(4)
    ctrl.namespaces[1].write(1, b"it works")
    assert bytes(ctrl.namespaces[1].read(1))[:8] == b"it works"
    ctrl.delete_io_queue_pair(pair)
    return True


# -- depth

@pytest.mark.parametrize("over", [None, 0, 1, -3])
def test_depth_by_the_driver(device, ctrl, over):
    mqes = int(ctrl.cap.MQES) + 1
    depth = mqes + 1 if over is None else over
    sent = ctrl.admin.sq.tail
    for create, what in ((lambda: ctrl.create_io_queue_pair(depth), "Create I/O CQ qid=1"),
                         (lambda: ctrl.create_io_cq(qid=3, depth=depth), "Create I/O CQ qid=3")):
        with pytest.raises(errors.UsageError) as error:
            create()
        says(error, what, f"{depth} entries", "at least 2", "CAP.MQES", mqes)
    assert ctrl.admin.sq.tail == sent and ctrl.io == {} and ctrl.io_cqs == {}        # nothing was written
    cq = ctrl.create_io_cq(qid=2, depth=8)
    with pytest.raises(errors.UsageError) as error:
        ctrl.create_io_sq(qid=2, cq=cq, depth=depth)
    says(error, "Create I/O SQ qid=2", depth, "CAP.MQES")
    assert works(ctrl)


def test_depth_raw(ctrl):
    cq, memory = ctrl.create_io_cq(qid=1, depth=8), ctrl.alloc(1 << 20)
    for qsize in (0, int(ctrl.cap.MQES) + 1, 0xFFFF):
        assert status_of(ctrl, cmd.create_io_cq(qid=2, qsize=qsize, prp1=memory)) == status.INVALID_QUEUE_SIZE
        assert status_of(ctrl, cmd.create_io_sq(qid=2, qsize=qsize, cqid=cq.qid, prp1=memory)) == status.INVALID_QUEUE_SIZE
    assert ctrl.io_cqs == {1: cq}
    with pytest.raises(errors.InvalidQueueSize) as error:
        ctrl.execute(cmd.create_io_cq(qid=2, qsize=0, prp1=memory))
    says(error, "Create I/O Completion Queue", "Invalid Queue Size (sct 1, sc 2)", "zero-based")


def test_admin_depth(device):
    ctrl = device.probe()
    ctrl.disable()
    for depth in (0, 1, 4097):
        with pytest.raises(errors.UsageError) as error:
            ctrl.create_admin_queue(depth=depth)
        says(error, f"admin queue of {depth} entries", "2 to 4096")
    assert ctrl.regs.AQA.read() == 0 and ctrl.admin is None


def test_admin_queue_of_a_running_controller(ctrl):
    asq = int(ctrl.regs.ASQ)
    with pytest.raises(errors.UsageError) as error:
        ctrl.create_admin_queue()
    says(error, "create_admin_queue", "CC.EN is 1", "disable()")
    assert ctrl.regs.ASQ == asq and works(ctrl)


# -- identifiers

def test_identifiers_by_the_driver(ctrl):
    pair = ctrl.create_io_queue_pair(8, qid=3)
    sent = ctrl.admin.sq.tail
    for qid, words in ((0, ["0 is the admin queue", "1 to 64"]), (65, ["1 to 64", "Number of Queues"]), (-1, ["1 to 64"]),
                       (3, ["in use", "[3]", "delete"])):
        for create in (lambda: ctrl.create_io_queue_pair(8, qid=qid), lambda: ctrl.create_io_cq(qid, 8),
                       lambda: ctrl.create_io_sq(qid, pair.cq)):
            with pytest.raises(errors.UsageError) as error:
                create()
            says(error, f"qid={qid}", *words)
    assert ctrl.admin.sq.tail == sent and list(ctrl.io) == [3] and works(ctrl)


def test_identifiers_raw(ctrl):
    ctrl.create_io_queue_pair(8, qid=1)
    memory = ctrl.alloc(4096)
    for qid in (0, 1, 65, 0xFFFF):
        assert status_of(ctrl, cmd.create_io_cq(qid=qid, qsize=7, prp1=memory)) == status.INVALID_QUEUE_IDENTIFIER
        assert status_of(ctrl, cmd.create_io_sq(qid=qid, qsize=7, cqid=1, prp1=memory)) == status.INVALID_QUEUE_IDENTIFIER
    assert works(ctrl)
    with pytest.raises(errors.InvalidQueueIdentifier) as error:
        ctrl.execute(cmd.create_io_cq(qid=1, qsize=7, prp1=memory), what="Create I/O CQ qid=1")
    says(error, "Create I/O CQ qid=1", "Invalid Queue Identifier (sct 1, sc 1)", "in use already")
    assert error.value.command.qid == 1 and error.value.completion.sct == 1 and error.value.hint


def test_a_submission_queue_without_its_completion_queue(device, ctrl):
    memory = ctrl.alloc(4096)
    for cqid in (0, 7, 65):
        assert status_of(ctrl, cmd.create_io_sq(qid=1, qsize=7, cqid=cqid, prp1=memory)) == status.COMPLETION_QUEUE_INVALID
    other = device.attach(size="1M")
    with pytest.raises(errors.UsageError) as error:
        ctrl.create_io_sq(qid=1, cq=other.create_io_cq(qid=1, depth=4))
    says(error, "Create I/O SQ qid=1", "CQ 1", "create_io_cq() comes first")
    assert works(ctrl)


# -- Number of Queues

def test_number_of_queues_is_negotiated_by_itself(device):
    ctrl = device.probe(size="1M")
    for step in ctrl.steps():
        if step.name != "number of queues":
            step.run()
    assert ctrl.queue_limit is None
    assert works(ctrl) and ctrl.queue_limit == 64


def test_number_of_queues_after_the_first_queue(ctrl):
    ctrl.create_io_cq(qid=1, depth=4)
    command = cmd.set_features(fid=NUMBER_OF_QUEUES, cdw11=3 | 3 << 16)
    assert status_of(ctrl, command) == status.COMMAND_SEQUENCE_ERROR
    with pytest.raises(errors.CommandSequenceError) as error:
        ctrl.set_number_of_queues(4)
    says(error, "Set Features 07h", "Command Sequence Error (sct 0, sc 0xc)", "before the first I/O queue")
    ctrl.delete_io_cq(1)
    assert works(ctrl)


def test_more_than_was_granted(embedded):
    """QEMU takes any identifier up to its 64, whatever was asked for."""
    ctrl = embedded.attach(size="1M")
    assert ctrl.set_number_of_queues(2) == 2
    memory = ctrl.alloc(4096)
    assert status_of(ctrl, cmd.create_io_cq(qid=3, qsize=7, prp1=memory)) == status.INVALID_QUEUE_IDENTIFIER
    with pytest.raises(errors.UsageError) as error:
        ctrl.create_io_cq(qid=3)
    says(error, "qid=3", "1 to 2", "granted")
    ctrl.create_io_queue_pair(4), ctrl.create_io_queue_pair(4)
    with pytest.raises(errors.UsageError) as error:
        ctrl.create_io_queue_pair(4)
    says(error, "all 2", "delete_io_queue_pair()")


# -- deletion

def test_deleting_a_completion_queue_before_its_submission_queues(ctrl):
    cq = ctrl.create_io_cq(qid=1, depth=8)
    ctrl.create_io_sq(qid=1, cq=cq), ctrl.create_io_sq(qid=2, cq=cq)
    for remaining in (2, 1):
        with pytest.raises(errors.InvalidQueueDeletion) as error:
            ctrl.delete_io_cq(1)
        says(error, "Delete I/O CQ qid=1", "Invalid Queue Deletion (sct 1, sc 0xc)")
        assert ctrl.io_cqs == {1: cq} and len(ctrl.io) == remaining
        ctrl.io[remaining].execute(cmd.flush(nsid=1))
        ctrl.delete_io_sq(remaining)
    ctrl.delete_io_cq(1)
    assert works(ctrl)


def test_deleting_what_is_not_there(device, ctrl):
    for qid in (0, 5, 65, 0xFFFF):
        with pytest.raises(errors.InvalidQueueIdentifier):
            ctrl.delete_io_sq(qid)
        with pytest.raises((errors.InvalidQueueIdentifier, errors.CompletionQueueInvalid)) as error:
            ctrl.delete_io_cq(qid)
        assert device.qemu or isinstance(error.value, errors.InvalidQueueIdentifier)
    assert works(ctrl)


def test_a_deleted_pair_is_no_use(ctrl):
    pair = ctrl.create_io_queue_pair(4)
    ctrl.delete_io_queue_pair(pair)
    with pytest.raises(errors.NvmeStatusError):
        ctrl.delete_io_queue_pair(pair)
    assert works(ctrl)


# -- memory

def test_queue_memory(device, ctrl):
    memory = ctrl.alloc(8192)
    unaligned = memory.iova + 16
    assert status_of(ctrl, cmd.create_io_cq(qid=1, qsize=7, prp1=unaligned)) == status.INVALID_PRP_OFFSET
    assert status_of(ctrl, cmd.create_io_cq(qid=1, qsize=7, prp1=memory, pc=0)) == status.INVALID_FIELD_IN_COMMAND
    ctrl.create_io_cq(qid=1, depth=8)
    assert status_of(ctrl, cmd.create_io_sq(qid=1, qsize=7, cqid=1, prp1=unaligned)) == status.INVALID_PRP_OFFSET
    if device.embedded:                          # QEMU looks at the memory only when it is used
        for command in (cmd.create_io_cq(qid=2, qsize=7, prp1=1 << 50), cmd.create_io_sq(qid=2, qsize=7, cqid=1, prp1=1 << 50),
                        cmd.create_io_cq(qid=2, qsize=7, prp1=0)):
            assert status_of(ctrl, command) == status.DATA_TRANSFER_ERROR
    assert status_of(ctrl, cmd.create_io_cq(qid=2, qsize=7, prp1=memory, ien=1, iv=3000)) == status.INVALID_INTERRUPT_VECTOR
    assert works(ctrl)
