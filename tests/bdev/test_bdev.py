"""Block devices: how large they are, what they hold, what they refuse."""
import pytest

from nvlab import bdev
from nvlab.spec.errors import UsageError


@pytest.mark.parametrize("kind", bdev.KINDS)
@pytest.mark.parametrize("block", [512, 4096])
def test_sizes(kind, block):
    device = bdev.create(kind, 16 * block, block)
    assert device.kind == kind and device.block_size == block and device.blocks == 16 and device.size == 16 * block
    assert kind in repr(device).lower() and "16 blocks" in repr(device)
    device.close()
    device.close()


def test_malloc_keeps_zeroes_then_bytes():
    device = bdev.create("malloc", 1 << 20)
    assert bytes(device.memory[:]) == bytes(1 << 20) and len(device.memory) == 1 << 20
    device.memory[512:517] = b"hello"
    assert device.memory[512:517] == b"hello"


def test_null_keeps_nothing():
    assert bdev.create("null", 1 << 50).memory is None


def test_names():
    assert bdev.create("malloc", 4096).name == "malloc" and bdev.create("null", 4096, name="n0").name == "n0"


@pytest.mark.parametrize("kind, size, block, words", [
    ("tape", 4096, 512, "bdev=tape: known kinds are malloc, null"), ("malloc", 4096, 1024, "block=1024"),
    ("malloc", 0, 512, "size=0"), ("null", -512, 512, "size=-512"), ("malloc", 1000, 512, "size=1000"),
    ("null", 4096 + 512, 4096, "whole blocks of 4096"), ("malloc", 1 << 62, 512, "no memory")])
def test_what_no_device_can_be(kind, size, block, words):
    with pytest.raises(UsageError, match=words):
        bdev.create(kind, size, block)
