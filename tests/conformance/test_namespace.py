"""Blocks in and out: every shape of PRP, every size up to MDTS and above, both block sizes, several namespaces."""
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvlab.host.prp import build_prp
from nvlab.spec import errors
from nvlab.spec.commands import cmd

KIB = 1024


@pytest.fixture(params=[512, 4096])
def ns(request, device):
    """Namespace 1 of 8 MiB, in blocks of both sizes."""
    return device.attach(size="8M", block=request.param).namespaces[1]


def random_bytes(rng, nbytes):
    return rng.integers(0, 256, nbytes, dtype=np.uint8)


SIZES = {"PRP1": 4 * KIB, "PRP1 and PRP2": 8 * KIB, "a list": 12 * KIB, "a longer list": 128 * KIB, "MDTS": 512 * KIB,
         "split": 512 * KIB + 4 * KIB, "split in three": 1300 * KIB}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_what_is_written_is_read(ns, rng, size):
    data = random_bytes(rng, size)
    slba = 3
    ns.write(slba, data)
    blocks = size // ns.block_size
    assert (ns.read(slba, blocks) == data).all()
    assert not ns.read(slba - 1).any() and not ns.read(slba + blocks).any()         # not a byte beside it
    ns.compare(slba, data)


def test_one_block_and_the_ends(ns, rng):
    data = random_bytes(rng, ns.block_size)
    for slba in (0, 1, ns.blocks - 1):
        ns.write(slba, data)
        assert bytes(ns.read(slba)) == data.tobytes()


def test_short_data_is_filled_up(ns):
    ns.write(5, b"\xff" * ns.block_size)
    ns.write(5, b"Hello world!")
    assert bytes(ns.read(5)) == b"Hello world!".ljust(ns.block_size, b"\0")
    ns.write(5, "Grüße".encode())
    ns.write(6, np.arange(ns.block_size // 4, dtype=np.uint32))
    assert (ns.read(6).view(np.uint32) == np.arange(ns.block_size // 4)).all()
    ns.write(7, memoryview(b"ab"))
    assert bytes(ns.read(7))[:3] == b"ab\0"


def test_read_into_a_buffer_of_ones_own(ns, rng):
    data = random_bytes(rng, 4 * ns.block_size)
    ns.write(0, data)
    buffer = ns.controller.alloc(16 * ns.block_size)
    part = buffer[5 * ns.block_size:9 * ns.block_size]
    assert ns.read(0, 4, buffer=part) is part
    assert (part == data).all() and not buffer[:5 * ns.block_size].any() and not buffer[9 * ns.block_size:].any()


@pytest.mark.parametrize("offset", [4, 64, 508, 2048, 4092])
def test_buffers_that_begin_anywhere_in_a_page(ns, rng, offset):
    """PRP1 may have an offset, aligned to a dword; everything after it may not (base 2.0c 4.1.1)."""
    size = 64 * KIB
    buffer = ns.controller.alloc(size + 8 * KIB)
    for length in (4 * KIB, 8 * KIB, 12 * KIB, size):
        part = buffer[offset:offset + length]
        data = random_bytes(rng, length)
        part[:] = data
        ns.write(0, part)
        assert (ns.read(0, length // ns.block_size) == data).all()
        buffer[:] = 0xEE
        ns.read(0, length // ns.block_size, buffer=part)
        assert (part == data).all() and (buffer[:offset] == 0xEE).all() and (buffer[offset + length:] == 0xEE).all()


def test_the_largest_transfer_unaligned(ns, rng):
    data = random_bytes(rng, 512 * KIB)
    buffer = ns.controller.alloc(512 * KIB + 4096)
    part = buffer[4:4 + 512 * KIB]
    part[:] = data
    ns.write(0, part, split=False)
    assert (ns.read(0, 512 * KIB // ns.block_size, split=False) == data).all()


@given(offset=st.integers(0, 2047), blocks=st.integers(1, 64), slba=st.integers(0, 1000), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_offset_length_and_place(ctrl, offset, blocks, slba, seed):
    ns, offset = ctrl.namespaces[1], 4 * offset
    buffer = ctrl.alloc(offset + blocks * 512)[offset:]
    buffer[:] = random_bytes(np.random.default_rng(seed), blocks * 512)
    ns.write(slba, buffer)
    assert (ns.read(slba, blocks) == buffer).all()


def test_prp_lists_in_chains(device, rng):
    """Above 2 MiB one list page is not enough: its last entry points to the next (base 2.0c 4.1.1)."""
    ctrl = device.attach(size="16M", mdts=11)
    assert ctrl.max_transfer == 8 << 20
    ns, size = ctrl.namespaces[1], (3 << 20) + 8192      # QEMU takes no more than 1024 pages, which is 4 MiB
    data = random_bytes(rng, size)
    buffer = ctrl.alloc(size + 4096)[512:512 + size]
    buffer[:] = data
    assert len(build_prp(ctrl.dma, buffer.iova, size).lists) == 2
    ns.write(1, buffer, split=False)
    buffer[:] = 0
    ns.read(1, size // 512, buffer=buffer, split=False)
    assert (buffer == data).all()


def test_prp_lists_in_long_chains(embedded, rng):
    ctrl = embedded.attach(size="16M", mdts=11)
    ns, size = ctrl.namespaces[1], 8 << 20
    buffer = ctrl.alloc(size + 4096)[4:4 + size]
    buffer[:] = data = random_bytes(rng, size)
    assert len(build_prp(ctrl.dma, buffer.iova, size).lists) == 5
    ns.write(0, buffer, split=False)
    buffer[:] = 0
    assert (ns.read(0, size // 512, buffer=buffer, split=False) == data).all()


@pytest.mark.parametrize("mdts", [1, 3, 0])
def test_other_limits_of_transfer(device, rng, mdts):
    ctrl = device.attach(size="4M", mdts=mdts)
    assert ctrl.max_transfer == (4096 << mdts if mdts else None)
    data = random_bytes(rng, 1 << 20)
    ctrl.namespaces[1].write(0, data)
    assert (ctrl.namespaces[1].read(0, 2048) == data).all()


def test_flush_zeroes_verify(ns, rng):
    ns.write(0, random_bytes(rng, 16 * ns.block_size))
    before = np.array(ns.read(0, 16))
    ns.flush()
    ns.verify(0, 16)
    ns.write_zeroes(4, 8)
    after = ns.read(0, 16)
    size = ns.block_size
    assert not after[4 * size:12 * size].any()
    assert (after[:4 * size] == before[:4 * size]).all() and (after[12 * size:] == before[12 * size:]).all()
    ns.verify(0, ns.blocks)
    ns.write_zeroes(0, ns.blocks)
    assert not ns.read(0, 16).any()


@pytest.mark.negative
def test_compare(device, ns, rng):
    data = random_bytes(rng, 24 * KIB)
    ns.write(10, data)
    ns.compare(10, data)
    other = data.copy()
    other[-1] ^= 1
    with pytest.raises(errors.CompareFailure) as error:
        ns.compare(10, other)
    assert "Compare" in str(error.value) and "LBA 10" in str(error.value) and "namespace 1" in str(error.value)
    ns.compare(10, data)                         # the queue works on


def test_dataset_management(device, ns, rng):
    ns.write(0, random_bytes(rng, 64 * KIB))
    before = np.array(ns.read(0, 64 * KIB // ns.block_size))
    per_4k = 4096 // ns.block_size
    ns.dataset_management([(per_4k, per_4k), (4 * per_4k, 2 * per_4k)])
    after = ns.read(0, 64 * KIB // ns.block_size)
    kept = np.ones(16, bool)
    kept[[1, 4, 5]] = False
    for page in range(16):
        part = slice(4096 * page, 4096 * page + 4096)
        assert (after[part] == before[part]).all() if kept[page] else not after[part].any()
    ns.deallocate(0, 64 * KIB // ns.block_size)
    assert not ns.read(0, 64 * KIB // ns.block_size).any()
    ns.dataset_management([(0, 1)], deallocate=False, idr=True, idw=True)           # hints: nothing changes
    ns.dataset_management([(i, 1) for i in range(256)])
    for ranges in ([], [(0, 1)] * 257):
        with pytest.raises(errors.UsageError, match="1 to 256"):
            ns.dataset_management(ranges)


def test_namespaces_do_not_touch_each_other(device, rng):
    ctrl = device.attach(size="1M", namespaces=4)
    data = {nsid: random_bytes(rng, 8192) for nsid in ctrl.namespaces}
    assert list(data) == [1, 2, 3, 4]
    for nsid, ns in ctrl.namespaces.items():
        ns.write(nsid, data[nsid])
    ctrl.namespaces[2].write_zeroes(2, 16)
    data[2][:] = 0
    for nsid, ns in ctrl.namespaces.items():
        assert (ns.read(nsid, 16) == data[nsid]).all() and not ns.read(0).any()


def test_raw_submit(ctrl, rng):
    buffer, back = ctrl.alloc(4096), ctrl.alloc(4096)
    buffer[:] = random_bytes(rng, 4096)
    write = ctrl.submit(cmd.write(nsid=1, slba=8, nlb=7), buffer)
    assert write.wait().ok and write.done and write.command.prp1 == buffer.iova
    assert ctrl.submit(cmd.read(nsid=1, slba=8, nlb=7, prp1=back)).wait().ok
    assert (back == buffer).all()
    assert ctrl.execute(cmd.flush(nsid=1)).ok and len(ctrl.io) == 1
    assert ctrl.execute(cmd.flush(nsid=0xFFFFFFFF)).ok
    raw = bytes(cmd.read(nsid=1, slba=8, nlb=7, prp1=back))
    back[:] = 0
    assert ctrl.io[1].execute(raw).ok and (back == buffer).all()       # 64 bytes are a command too


def test_null_bdev_reads_zeroes(device):
    ctrl = device.attach(size="1G", bdev="null")
    ns = ctrl.namespaces[1]
    ns.write(1 << 20, b"lost")
    assert not ns.read(1 << 20).any() or device.qemu
    ns.flush()
    ns.verify(0, 1024)
