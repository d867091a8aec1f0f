"""Admin commands: Identify in all its forms, logs, features, Abort and asynchronous events."""
import pytest

from nvlab.spec import errors, status
from nvlab.spec.commands import cmd
from nvlab.spec.identify import ControllerList, IdentifyNamespaceNvm, NamespaceList

from .conftest import says, status_of

ERROR_LOG, SMART_LOG, FIRMWARE_LOG, CHANGED_LOG, EFFECTS_LOG = 1, 2, 3, 4, 5
TEMPERATURE_THRESHOLD, VOLATILE_WRITE_CACHE, NUMBER_OF_QUEUES, ASYNC_EVENTS = 4, 6, 7, 0x0B


@pytest.fixture
def three(device):
    """A controller with three namespaces of 1 MiB in blocks of 4096 bytes."""
    return device.attach(size="1M", namespaces=3, block=4096)


# -- Identify

def test_identify_controller(device, three):
    assert three.id.sqes == 0x66 and three.id.cqes == 0x44 and three.id.nn >= 3 and three.id.mdts == 7
    assert three.max_transfer == 512 << 10
    assert (three.id.vid, three.id.ssvid) == ((0x1B36, 0x1AF4) if device.qemu else (0x1D1D, 0x1D1D))
    assert three.id.subnqn.startswith("nqn.")
    assert bytes(three.identify_controller()) == bytes(three.id)


def test_identify_namespaces(three):
    assert three.namespace_ids() == [1, 2, 3] == list(three.namespaces)
    for nsid in (1, 2, 3):
        identity = three.identify_namespace(nsid)
        assert identity.nsze == identity.ncap == 256 and three.namespaces[nsid].blocks == 256
        assert 1 << int(identity.lbaf[int(identity.flbas) & 15].lbads) == 4096


def test_namespace_lists_begin_after_nsid(three):
    for cns in (0x02, 0x07, 0x10):
        assert NamespaceList(three.identify_data(cns, 1)).nsids == [2, 3]
        assert NamespaceList(three.identify_data(cns, 3)).nsids == []


def test_identify_allocated_namespace(three):
    assert three.identify_data(0x11, 2) == three.identify_data(0x00, 2)


def test_namespace_descriptors(device, three):
    lists = [three.namespace_descriptors(nsid) for nsid in (1, 2, 3)]
    for descriptors in lists:
        assert {entry.type.name: entry.value for entry in descriptors}["csi"] == b"\0"
    if device.embedded:                          # QEMU gives namespaces names only when told which
        assert len({bytes(descriptors) for descriptors in lists}) == 3
        assert [entry.type.name for entry in lists[0]] == ["nguid", "uuid", "csi"]


def test_identify_command_set_structures(device, three):
    assert IdentifyNamespaceNvm(three.identify_data(0x05, 1)).lbstm == 0
    assert len(three.identify_data(0x06)) == 4096
    if device.embedded:                          # of QEMU 7.2: only where the namespace's command set is another
        assert any(three.identify_data(0x05, 1)) is False


@pytest.mark.negative
@pytest.mark.parametrize("cns, nsid", [(0x08, 1), (0x1C, 0)])
def test_identify_structures_that_not_every_controller_has(device, three, cns, nsid):
    """Those of NVMe 2.0: 4096 bytes, or a refusal."""
    buffer = three.alloc(4096)
    said = status_of(three, cmd.identify(cns=cns, nsid=nsid, cntid=0xFFFF if cns == 0x1C else 0), buffer)
    assert said in (status.SUCCESS, status.INVALID_FIELD_IN_COMMAND)
    if cns == 0x1C and said.ok:
        assert int(buffer.view("<u8")[0]) & 1    # vector 0 has the NVM command set


def test_controller_lists(embedded):
    three = embedded.attach(size="1M", namespaces=3)     # QEMU 7.2 has them for an NVM subsystem device only
    assert ControllerList(three.identify_data(0x13)).cntlids == [int(three.id.cntlid)]
    assert ControllerList(three.identify_data(0x12, 1)).cntlids == [int(three.id.cntlid)]
    assert ControllerList(three.identify_data(0x13, cntid=int(three.id.cntlid) + 1)).cntlids == []


@pytest.mark.negative
@pytest.mark.parametrize("nsid", [0, 4, 0xFFFFFFFE])
def test_identify_of_no_namespace(device, three, nsid):
    command = cmd.identify(cns=0, nsid=nsid)
    said = status_of(three, command, three.alloc(4096))
    assert said == status.INVALID_NAMESPACE_OR_FORMAT or (said.ok and nsid == 4)        # 4 <= NN: inactive, all zeroes
    with pytest.raises((errors.InvalidNamespaceOrFormat, errors.InvalidFieldInCommand)) as error:
        three.identify_data(3, nsid)
    says(error, "Identify CNS 03h", f"nsid={nsid}", error.value.status.title, "sct 0, sc ")
    assert device.qemu or error.value.status == status.INVALID_NAMESPACE_OR_FORMAT


@pytest.mark.negative
def test_identify_of_an_unknown_structure(three):
    with pytest.raises(errors.InvalidFieldInCommand) as error:
        three.identify_data(0x99)
    says(error, "Identify CNS 99h", "Invalid Field in Command (sct 0, sc 2)")


@pytest.mark.negative
def test_unknown_opcode(three):
    assert status_of(three, cmd.raw(0x7F, admin=True)) == status.INVALID_OPCODE
    assert status_of(three, cmd.raw(0x7F, admin=False, nsid=1)) == status.INVALID_OPCODE
    assert three.identify_controller().sn == three.id.sn


# -- logs

def test_logs_have_their_sizes(device, three):
    assert len(three.error_log()) == int(three.id.elpe) + 1
    smart = three.smart_log()
    assert 273 < smart.temperature < 373 and smart.critical_warning == 0
    assert smart.avail_spare == (0 if device.qemu else 100)
    assert three.firmware_log().afi.ACTIVE == 1 and three.firmware_log().frs[0].strip() in (three.id.fr, "1.0")
    if device.embedded:                          # QEMU 7.2 has no namespace attribute notices to list
        assert not any(three.log_page(CHANGED_LOG, 4096))
    effects = three.commands_log()
    assert all(effects.acs[opcode].effects.CSUPP for opcode in (0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0A, 0x0C))
    assert all(effects.iocs[opcode].effects.CSUPP for opcode in (0x00, 0x01, 0x02, 0x05, 0x08, 0x09))
    assert not effects.acs[0x7F].effects.CSUPP


def test_smart_counts_commands_and_data(three):
    before = three.smart_log()
    for i in range(5):
        three.namespaces[1].write(0, bytes([i]) * 4096)
    for _ in range(7):
        three.namespaces[1].read(0)
    after = three.smart_log()
    assert after.host_write_commands - before.host_write_commands == 5
    assert after.host_read_commands - before.host_read_commands == 7
    assert after.data_units_written >= 1 and after.data_units_read >= 1   # thousands of 512 bytes, rounded up


def test_logs_by_offset(three):
    whole = three.log_page(SMART_LOG, 512)
    assert three.log_page(SMART_LOG, 64, offset=128) == whole[128:192]
    assert len(three.log_page(EFFECTS_LOG, 4096)) == 4096
    for length, offset in ((0, 0), (6, 0), (8, 2)):
        with pytest.raises(errors.UsageError, match="multiples of 4"):
            three.log_page(SMART_LOG, length, offset=offset)


@pytest.mark.negative
def test_a_log_that_does_not_exist(device, three):
    with pytest.raises(errors.NvmeStatusError) as error:
        three.log_page(0x7E, 64)
    says(error, "Get Log Page 7Eh")
    assert error.value.status in (status.INVALID_LOG_PAGE, status.INVALID_FIELD_IN_COMMAND)


@pytest.mark.negative
def test_a_log_offset_past_the_end(three):
    with pytest.raises(errors.InvalidFieldInCommand):
        three.log_page(SMART_LOG, 64, offset=1 << 20)


# -- features

def test_features(three):
    assert three.get_feature(NUMBER_OF_QUEUES) == 63 | 63 << 16
    assert three.get_feature(TEMPERATURE_THRESHOLD) > 273
    three.set_feature(TEMPERATURE_THRESHOLD, 350)
    assert three.get_feature(TEMPERATURE_THRESHOLD) == 350
    three.set_feature(ASYNC_EVENTS, 0x03)
    assert three.get_feature(ASYNC_EVENTS) == 0x03


def test_feature_capabilities(three):
    assert three.get_feature(TEMPERATURE_THRESHOLD, select=3) & 0b100      # changeable


def test_number_of_queues_is_granted_up_to_what_there_is(device):
    ctrl = device.probe()
    steps = {step.name: step for step in ctrl.steps()}
    for name in ("disable", "create admin queue", "enable"):
        steps[name].run()
    assert ctrl.set_number_of_queues(3) == (64 if device.qemu else 3)    # QEMU grants all it has, whatever is asked
    assert ctrl.set_number_of_queues(65535) == 64
    for pairs in (0, 65536, -1):
        with pytest.raises(errors.UsageError, match="Number of Queues"):
            ctrl.set_number_of_queues(pairs)


@pytest.mark.negative
def test_a_feature_that_does_not_exist(three):
    for command in (cmd.get_features(fid=0x7D), cmd.set_features(fid=0x7D, cdw11=1)):
        assert status_of(three, command) == status.INVALID_FIELD_IN_COMMAND


@pytest.mark.negative
def test_a_feature_that_can_not_be_saved(three):
    assert status_of(three, cmd.set_features(fid=TEMPERATURE_THRESHOLD, sv=1, cdw11=300)) == \
        status.FEATURE_IDENTIFIER_NOT_SAVEABLE


@pytest.mark.negative
def test_number_of_queues_of_all_ones(device):
    ctrl = device.attach(size="1M")
    assert status_of(ctrl, cmd.set_features(fid=NUMBER_OF_QUEUES, cdw11=0xFFFFFFFF)) == status.INVALID_FIELD_IN_COMMAND


# -- Abort and asynchronous events

@pytest.mark.negative
def test_abort_of_an_async_event_request(device, three):
    request = three.submit(cmd.async_event_request())
    done = three.execute(cmd.abort(sqid=0, cid=request.cid))
    if device.qemu:                              # its Abort always says "not aborted"
        assert done.dw0 == 1 and not request.done
    else:
        assert done.dw0 == 0
        request.sq.pair.wait(request)
        assert request.completion.status == status.COMMAND_ABORT_REQUESTED
        assert three.events == []


@pytest.mark.negative
def test_abort_of_nothing_says_not_aborted(three):
    assert three.execute(cmd.abort(sqid=0, cid=0x1234)).dw0 & 1
    three.create_io_queue_pair(4, qid=1)
    assert three.execute(cmd.abort(sqid=1, cid=0)).dw0 & 1


@pytest.mark.negative
def test_too_many_async_event_requests(three):
    limit = int(three.id.aerl) + 1
    requests = [three.submit(cmd.async_event_request()) for _ in range(limit - 1)]        # the driver has one waiting itself
    assert status_of(three, cmd.async_event_request()) == status.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED
    assert not any(request.done for request in requests)


def test_submit_any_command_raw(three):
    buffer = three.alloc(4096)
    done = three.execute(cmd.raw(0x06, admin=True, cdw10=1), buffer)
    assert done.ok and bytes(buffer) == bytes(three.id)
