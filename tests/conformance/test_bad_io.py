"""I/O that can't be: LBAs, lengths, buffers and PRPs; the driver's word before, the controller's status when sent raw."""
import numpy as np
import pytest

from nvlab.spec import errors, status
from nvlab.spec.commands import cmd

from .conftest import says, status_of

pytestmark = pytest.mark.negative
BLOCKS = 16384                     # of the 8 MiB namespace
UNMAPPED = 1 << 50


@pytest.fixture
def ns(ctrl):
    return ctrl.namespaces[1]


# -- LBAs

@pytest.mark.parametrize("slba, blocks", [(BLOCKS, 1), (BLOCKS - 1, 2), (1 << 63, 1), (-1, 1), (0, 0), (0, -1), (0, BLOCKS + 1)])
def test_lba_past_the_end_by_the_driver(ctrl, ns, slba, blocks):
    for act in (ns.read, ns.write_zeroes, ns.verify, ns.deallocate):
        with pytest.raises(errors.UsageError) as error:
            act(slba, blocks)
        says(error, f"{blocks} block{'s' * (blocks != 1)} at LBA {slba}", "namespace 1", f"0 to {BLOCKS - 1}")
    if blocks == 1:
        for act in (ns.write, ns.compare):
            with pytest.raises(errors.UsageError) as error:
                act(slba, b"x" * 512)
            says(error, f"LBA {slba}", BLOCKS - 1)
    assert ctrl.io == {}                         # nothing was sent: there isn't even a queue


@pytest.mark.parametrize("slba, nlb", [(BLOCKS, 0), (BLOCKS - 1, 1), ((1 << 64) - 1, 0), ((1 << 64) - 1, 1), (0xFFFFFFFF, 7)])
def test_lba_past_the_end_raw(ctrl, ns, slba, nlb):
    buffer = ctrl.alloc(4096)
    for command in (cmd.read(slba=slba, nlb=nlb, prp1=buffer), cmd.write(slba=slba, nlb=nlb, prp1=buffer),
                    cmd.compare(slba=slba, nlb=nlb, prp1=buffer), cmd.write_zeroes(slba=slba, nlb=nlb), cmd.verify(slba=slba, nlb=nlb)):
        assert status_of(ctrl, command) == status.LBA_OUT_OF_RANGE
    with pytest.raises(errors.LbaOutOfRange) as error:
        ctrl.execute(cmd.read(slba=slba, nlb=nlb, prp1=buffer))
    says(error, "Read", "LBA Out of Range (sct 0, sc 0x80)", "last block")
    assert not ns.read(0).any()


def test_dsm_past_the_end_raw(device, ctrl):
    ranges = ctrl.alloc(4096).view("<u4")
    ranges[1], ranges[2] = 2, BLOCKS - 1
    said = status_of(ctrl, cmd.dataset_management(ad=1, prp1=ranges))
    assert said == status.LBA_OUT_OF_RANGE or (device.qemu and said.ok)     # QEMU 7.2 skips such ranges


@pytest.mark.parametrize("nsid", [0, 2, 200, 0xFFFFFFFE, 0xFFFFFFFF])
def test_no_such_namespace(device, ctrl, nsid):
    buffer = ctrl.alloc(4096)
    wanted = [status.INVALID_NAMESPACE_OR_FORMAT] + [status.INVALID_FIELD_IN_COMMAND] * device.qemu
    for command in (cmd.read(nsid=nsid, prp1=buffer), cmd.write(nsid=nsid, prp1=buffer), cmd.verify(nsid=nsid),
                    cmd.write_zeroes(nsid=nsid), cmd.compare(nsid=nsid, prp1=buffer), cmd.dataset_management(nsid=nsid, prp1=buffer)):
        assert status_of(ctrl, command) in wanted
    with pytest.raises(KeyError):
        ctrl.namespaces[nsid]


# -- lengths and buffers

def test_over_mdts(device, ctrl, ns):
    limit = ctrl.max_transfer // 512
    buffer = ctrl.alloc((limit + 1) * 512)
    for act, what in ((lambda: ns.read(0, limit + 1, split=False), "Read"), (lambda: ns.write(0, buffer, split=False), "Write"),
                      (lambda: ns.compare(0, buffer, split=False), "Compare")):
        with pytest.raises(errors.UsageError) as error:
            act()
        says(error, f"{what} of {limit + 1} blocks", "MDTS", limit, limit * 512, "split=True")
    for command in (cmd.read(nlb=limit), cmd.write(nlb=limit), cmd.compare(nlb=limit), cmd.read(nlb=0x3FFF)):
        assert status_of(ctrl, command, buffer) == status.INVALID_FIELD_IN_COMMAND
    assert ns.read(0, limit + 1).nbytes == buffer.nbytes


@pytest.mark.parametrize("nbytes", [0, 1, 511, 513, 1024])
def test_a_buffer_of_the_wrong_size(ctrl, ns, nbytes):
    buffer = ctrl.alloc(4096)[:nbytes]
    with pytest.raises(errors.UsageError) as error:
        ns.read(0, 1, buffer=buffer)
    says(error, "Read of 1 block", f"{nbytes} bytes", "512")
    if nbytes % 512 or nbytes == 0:
        for act in (ns.write, ns.compare):
            with pytest.raises(errors.UsageError) as error:
                act(0, buffer)
            says(error, f"{nbytes} bytes", "blocks of 512")
    assert ctrl.io == {}


def test_data_of_the_wrong_size(ns):
    for data in (b"", b"x" * 513, np.zeros(100, np.uint64)):
        with pytest.raises(errors.UsageError) as error:
            ns.write(0, data)
        says(error, "Write", len(memoryview(data).cast("B")), "512")


def test_buffers_that_no_drive_reaches(ctrl, ns):
    strided = ctrl.alloc(8192).reshape(-1, 2)[:512, 0]
    for buffer in (bytearray(512), np.zeros(512, np.uint8), ctrl.alloc(512) + 1, strided):
        with pytest.raises(errors.UsageError) as error:
            ns.read(0, 1, buffer=buffer)
        says(error, "alloc()")
    with pytest.raises(errors.UsageError):
        ns.write(0, ctrl.alloc(512)[2:])


def test_the_pool_has_an_end(device):
    ctrl = device.attach(size="64M", dma="32M") if device.qemu else device.attach(size="64M", dma="16M")
    with pytest.raises(errors.UsageError) as error:
        ctrl.namespaces[1].read(0, 131072)
    says(error, "67108864", "dma=", "MiB")
    assert not ctrl.namespaces[1].read(0, 8).any()


# -- PRPs, raw

def test_prp_entries_with_an_offset(device, ctrl):
    buffer = ctrl.alloc(16384)
    entries = ctrl.alloc(4096).view("<u8")
    for wrong in (4, 8, 512, 2048):
        assert status_of(ctrl, cmd.read(nlb=15, prp1=buffer, prp2=buffer.iova + 4096 + wrong)) == status.INVALID_PRP_OFFSET
        entries[:3] = [buffer.iova + 4096, buffer.iova + 8192 + wrong, buffer.iova]
        for build in (cmd.read, cmd.write, cmd.compare):
            assert status_of(ctrl, build(nlb=31, prp1=buffer, prp2=entries)) == status.INVALID_PRP_OFFSET
    if device.embedded:
        assert status_of(ctrl, cmd.read(nlb=31, prp1=buffer, prp2=entries.iova + 4)) == status.INVALID_PRP_OFFSET


def test_prp1_that_is_not_aligned_to_a_dword(device, ctrl):
    buffer = ctrl.alloc(4096)
    for command in (cmd.read(prp1=buffer.iova + 2), cmd.write(prp1=buffer.iova + 1), cmd.identify(prp1=buffer.iova + 3)):
        said = status_of(ctrl, command)
        assert said == status.INVALID_PRP_OFFSET or (device.qemu and said.ok)        # QEMU 7.2 doesn't mind
    with pytest.raises(errors.UsageError) as error:
        ctrl.execute(cmd.read(), buffer[2:514])
    says(error, "PRP1", "aligned to a dword")


def test_prp_that_is_not_mapped(device, ctrl, ns):
    """QEMU's own memory has no holes that its device minds, but for lists."""
    ns.write(0, b"\x11" * 32768)
    buffer = ctrl.alloc(8192)
    if device.embedded:
        end = ctrl.dma.base + ctrl.dma.size
        for command in (cmd.read(prp1=UNMAPPED), cmd.write(prp1=UNMAPPED), cmd.read(prp1=0), cmd.read(prp1=end),
                        cmd.read(nlb=7, prp1=end - 512, prp2=end), cmd.read(prp1=(1 << 64) - 512),
                        cmd.read(nlb=15, prp1=buffer, prp2=UNMAPPED), cmd.compare(prp1=UNMAPPED), cmd.identify(prp1=UNMAPPED),
                        cmd.get_log_page(lid=2, numdl=127, prp1=UNMAPPED), cmd.dataset_management(ad=1, prp1=UNMAPPED)):
            assert status_of(ctrl, command) == status.DATA_TRANSFER_ERROR
    assert status_of(ctrl, cmd.read(nlb=63, prp1=buffer, prp2=UNMAPPED)) == status.DATA_TRANSFER_ERROR
    assert bytes(ns.read(0, 64)) == b"\x11" * 32768
    with pytest.raises(errors.DataTransferError) as error:
        ctrl.execute(cmd.read(nlb=63, prp1=buffer, prp2=UNMAPPED))
    says(error, "Read", "Data Transfer Error (sct 0, sc 4)")


def test_a_list_that_points_to_itself(device, ctrl):
    """The last entry of a full list page is a pointer to the next: to itself, round and round, as far as the length goes."""
    entries = ctrl.alloc(4096).view("<u8")
    target = ctrl.alloc(4096)
    entries[:] = target.iova
    entries[511] = entries.iova
    assert status_of(ctrl, cmd.read(nlb=1023, prp1=target, prp2=entries)).ok


# -- fields

def test_fields_that_do_not_fit():
    for build, words in ((lambda: cmd.read(nlb=1 << 16), ["nlb", "65536"]), (lambda: cmd.read(slba=-1), ["slba", "-1"]),
                         (lambda: cmd.read(blocks=3), ["blocks", "nlb"]), (lambda: cmd.identify(cns=256), ["cns", "256", "255"]),
                         (lambda: cmd.read(prp1="here"), ["prp1"])):
        with pytest.raises((errors.UsageError, TypeError)) as error:
            build()
        assert all(word in str(error.value) for word in words), str(error.value)


def test_sgls_and_fused_commands_are_refused(device, ctrl):
    buffer = ctrl.alloc(4096)
    assert status_of(ctrl, cmd.read(prp1=buffer, fuse=1)) == status.INVALID_FIELD_IN_COMMAND
    if device.embedded:
        assert status_of(ctrl, cmd.read(prp1=buffer, psdt=1)) == status.INVALID_FIELD_IN_COMMAND
    assert status_of(ctrl, cmd.identify(prp1=buffer, psdt=1)) == status.INVALID_FIELD_IN_COMMAND


def test_raw_bytes_that_are_no_command(ctrl):
    pair = ctrl.create_io_queue_pair(4)
    for raw in (b"", bytes(63), bytes(65)):
        with pytest.raises((errors.UsageError, ValueError)):
            pair.submit(raw)
    assert pair.execute(cmd.flush(nsid=1)).ok


def test_the_same_cid_twice(ctrl):
    sq = ctrl.create_io_queue_pair(8).sq
    sq.post(cmd.flush(nsid=1), cid=5)
    with pytest.raises(errors.UsageError) as error:
        sq.post(cmd.flush(nsid=1), cid=5)
    says(error, "cid 5", "outstanding on SQ 1", "leave cid out")
    sq.post(cmd.flush(nsid=1))
    sq.ring()
    sq.pair.wait_until(lambda: not sq.outstanding, 5, "both")
