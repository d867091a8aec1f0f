"""Statuses and the exceptions made from them."""
import pickle

import pytest

from nvlab.spec import errors, status
from nvlab.spec.commands import Completion, cmd


def test_known_ones():
    assert status.lookup(0, 0).ok and status.lookup(0, 0) is status.SUCCESS
    assert status.lookup(0, 1) is status.INVALID_OPCODE and status.lookup(0, 2) is status.INVALID_FIELD_IN_COMMAND
    assert status.lookup(0, 0x80) is status.LBA_OUT_OF_RANGE and status.lookup(2, 0x85) is status.COMPARE_FAILURE
    assert status.lookup(1, 0xBC) is status.ZONE_INVALID_WRITE and status.lookup(3, 2).title.endswith("Inaccessible")
    assert status.COMPARE_FAILURE.field == 0x285


def test_the_same_code_twice():
    assert status.lookup(1, 0x80) is status.CONFLICTING_ATTRIBUTES
    assert status.lookup(1, 0x80, fabrics=True) is status.CONNECT_INCOMPATIBLE_FORMAT
    assert status.lookup(1, 0x00, fabrics=True) is status.COMPLETION_QUEUE_INVALID


def test_unknown_ones():
    assert (status.lookup(0, 0x7F).name, status.lookup(0, 0x7F).title) == ("UNKNOWN", "Unknown Status")
    assert "Vendor" in status.lookup(7, 1).title and "Vendor" in status.lookup(0, 0xC1).title
    assert str(status.lookup(0, 0x7F)) == "Unknown Status (sct 0, sc 0x7f)"


def test_names_are_unique():
    assert len({s.name for s in status.ALL}) == len(status.ALL) == len({s.class_name for s in status.ALL})
    assert len({(s.sct, s.sc, s.command_set == "fabrics") for s in status.ALL}) == len(status.ALL)


@pytest.mark.parametrize("one", status.ALL, ids=lambda s: s.name)
def test_every_status_is_well_formed(one):
    assert 0 <= one.sct <= 7 and 0 <= one.sc <= 255 and one.cite
    assert getattr(status, one.name) is one and one.name.isidentifier()
    assert not one.hint or one.hint[-1] in ".?"
    if one.ok:
        return
    cls = getattr(errors, one.class_name)
    assert issubclass(cls, errors.NvmeStatusError)
    error = errors.status_error(one)
    assert type(error) is cls and one.title in str(error) and error.hint == one.hint and error.completion is None


def test_a_message_names_the_thing_the_rule_and_the_remedy():
    done = Completion.new(status.INVALID_QUEUE_SIZE, cid=7, dnr=1)
    error = errors.status_error(done, cmd.create_io_sq(qid=1, qsize=4096), what="Create I/O SQ qid=1")
    assert isinstance(error, errors.InvalidQueueSize) and isinstance(error, errors.Error)
    assert str(error) == ("Create I/O SQ qid=1: Invalid Queue Size (sct 1, sc 2). QSIZE is zero-based; it must be at least 1 and at "
                          "most CAP.MQES.")
    assert error.completion is done and error.command.qid == 1 and error.status is status.INVALID_QUEUE_SIZE
    assert str(errors.status_error(done, cmd.read(1, slba=8))).startswith("Read nsid=1 slba=8: Invalid Queue Size")


def test_an_unknown_status_is_an_error_too():
    error = errors.status_error(Completion.new(sct=0, sc=0x7F))
    assert type(error) is errors.NvmeStatusError and str(error) == "Command: Unknown Status (sct 0, sc 0x7f)."


def test_errors_survive_pickling():
    error = errors.status_error(Completion.new(status.LBA_OUT_OF_RANGE), cmd.read(1, 9))
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is errors.LbaOutOfRange and str(twin) == str(error)
    assert twin.command == error.command and twin.completion == error.completion
    gone = pickle.loads(pickle.dumps(errors.ControllerGone("gone", registers={"CSTS": 1})))
    assert gone.registers == {"CSTS": 1}


def test_the_families():
    assert issubclass(errors.UsageError, ValueError) and issubclass(errors.ControllerTimeout, TimeoutError)
    for cls in (errors.DeviceNotFound, errors.QueueBusy, errors.RegisterError):
        assert issubclass(cls, errors.UsageError)
    for cls in (errors.ControllerTimeout, errors.ControllerFatal, errors.ControllerGone):
        assert issubclass(cls, errors.ControllerError) and not issubclass(cls, errors.UsageError)
    assert errors.ControllerTimeout("late").registers is None
