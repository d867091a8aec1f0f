"""Registers: exactly the asked access, and none that is unaligned or outside."""
import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvlab._core.mmio import Bar, MappedBar, check_access, check_value
from nvlab.spec.errors import RegisterError

SIZE = 0x2000


@pytest.fixture
def memory():
    return mmap.mmap(-1, SIZE)


def test_little_endian_and_of_the_asked_width(memory):
    bar = MappedBar(memory)
    bar.write32(0x14, 0x11223344)
    bar.write64(0x28, 0x8877665544332211)
    assert memory[0x10:0x1C] == bytes(4) + b"\x44\x33\x22\x11" + bytes(4)
    assert memory[0x28:0x30] == b"\x11\x22\x33\x44\x55\x66\x77\x88"
    assert bar.read32(0x14) == 0x11223344 and bar.read64(0x28) == 0x8877665544332211
    assert bar.read32(0x2C) == 0x88776655 and bar.size == SIZE and bar.is_alive()


@given(st.integers(0, SIZE // 8 - 1), st.integers(0, (1 << 64) - 1))
def test_what_is_written_is_read(index, value):
    memory = bytearray(SIZE)
    bar = MappedBar(memory)
    bar.write64(8 * index, value)
    assert bar.read64(8 * index) == bar.read32(8 * index) | bar.read32(8 * index + 4) << 32 == value
    assert sum(map(bool, memory)) == sum(map(bool, value.to_bytes(8, "little")))       # nothing else moved


@pytest.mark.parametrize("access, words", [
    (lambda bar: bar.read32(SIZE), "outside"),
    (lambda bar: bar.read64(SIZE - 4), "outside"),
    (lambda bar: bar.write32(-4, 0), "outside"),
    (lambda bar: bar.write64(1 << 64, 0), "outside"),
    (lambda bar: bar.read32(0x15), "aligned to 4 bytes"),
    (lambda bar: bar.read64(0x14), "aligned to 8 bytes"),
    (lambda bar: bar.write32(0x16, 0), "aligned"),
    (lambda bar: bar.write64(0x2C, 0), "aligned"),
    (lambda bar: bar.write32(0x14, 1 << 32), "32-bit"),
    (lambda bar: bar.write32(0x14, -1), "32-bit"),
    (lambda bar: bar.write64(0x28, 1 << 64), "64-bit"),
])
def test_bad_accesses(memory, access, words):
    with pytest.raises(RegisterError, match=words):
        access(MappedBar(memory))
    assert memory[:] == bytes(SIZE)


@given(st.integers(-100, SIZE + 100), st.sampled_from([4, 8]))
def test_check_access_is_the_rule(offset, width):
    good = 0 <= offset and offset + width <= SIZE and offset % width == 0
    try:
        check_access(offset, width, SIZE)
    except RegisterError:
        assert not good
    else:
        assert good


@given(st.integers(-(1 << 70), 1 << 70), st.sampled_from([4, 8]))
def test_check_value_is_the_rule(value, width):
    try:
        check_value(value, width)
    except RegisterError:
        assert not 0 <= value < 1 << 8 * width
    else:
        assert 0 <= value < 1 << 8 * width


def test_a_bar_that_nothing_carries_is_empty():
    with pytest.raises(RegisterError):
        Bar().read32(0)


def test_read_only_memory_is_no_bar():
    with pytest.raises((BufferError, ValueError, TypeError)):
        MappedBar(bytes(SIZE))
