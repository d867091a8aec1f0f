"""Fields, units, registers: bits in, numbers with a meaning out, and back."""
import copy
import json
import pickle

import pytest
from hypothesis import given, strategies as st

from nvlab.spec.errors import UsageError
from nvlab.spec.fields import BitsValue, Field, FieldValue, Register, Unit, pack, reserved_bits

TIMEOUT = Field("TO", 24, 31, "Timeout", unit="500 ms")
CONTROL = Register("CTL", 0x14, 4, "Control", [
    Field("EN", 0, 0, "Enable"), Field("CSS", 4, 6, "Command Set", {0: "NVM", 6: "all"}),
    Field("MPS", 7, 10, "Page Size", unit="2**(12+n) bytes")], cite="base 2.0c")


def test_a_value_is_an_int_that_knows_its_meaning():
    value = TIMEOUT.decode(0x3C00_1234)
    assert value == 60 and value + 1 == 61 and type(value + 1) is int
    assert value.meaning == "30 s" and value.seconds == 30.0
    assert repr(value) == "60 (30 s)" and f"{value}" == "60" and f"{value:#x}" == "0x3c"
    assert json.dumps([value]) == "[60]" and hash(value) == hash(60)
    assert FieldValue(5).meaning is None and repr(FieldValue(5)) == "5"


def test_what_is_no_time_has_no_seconds():
    with pytest.raises(AttributeError, match="TO is not a size"):
        TIMEOUT.decode(0).bytes
    with pytest.raises(AttributeError, match="EN is not a time"):
        CONTROL.decode(1).EN.seconds


@pytest.mark.parametrize("text, n, shown, seconds, size", [
    ("500 ms", 15, "7.5 s", 7.5, None),
    ("100 ms", 3, "300 ms", 0.3, None),
    ("us", 250, "250 us", 0.00025, None),
    ("min", 2, "120 s", 120.0, None),
    ("2**(12+n) bytes", 0, "4096 bytes", None, 4096),
    ("2**(12+4*n) bytes", 2, "1048576 bytes", None, 1 << 20),
    ("2**n bytes", 6, "64 bytes", None, 64),
    ("128 KiB", 3, "384 KiB", None, 384 << 10),
    ("bytes", 40, "40 bytes", None, 40),
    ("n+1 entries", 63, "64 entries", None, None),
    ("2**n pages", 5, "32 pages", None, None),
    ("2**(2+n) bytes", 40, "2**42 bytes", None, 1 << 42),
])
def test_units(text, n, shown, seconds, size):
    unit = Unit(text)
    assert unit.show(n) == shown
    assert unit.seconds(n) == (None if seconds is None else pytest.approx(seconds))
    assert unit.bytes(n) == size


def test_a_unit_needs_a_word():
    with pytest.raises(UsageError, match="expected a number and a word"):
        Unit("500")


@given(lo=st.integers(0, 60), width=st.integers(1, 32), word=st.integers(0, 2**96 - 1), data=st.data())
def test_encode_and_decode_agree(lo, width, word, data):
    field = Field("F", lo, lo + width - 1, "A field")
    value = data.draw(st.integers(0, field.max))
    assert field.decode(field.encode(value)) == value
    packed = pack([field], {"F": value}, start=word)
    assert field.decode(packed) == value and packed & ~field.mask == word & ~field.mask


@pytest.mark.parametrize("value", [-1, 2, 1 << 70])
def test_a_value_that_does_not_fit(value):
    with pytest.raises(UsageError, match=r"CTL.EN \(Enable\): -?\d+ does not fit; the range is 0 to 1"):
        CONTROL.encode(EN=value)


@pytest.mark.parametrize("value", ["1", 1.0, None])
def test_a_value_that_is_no_number(value):
    with pytest.raises(UsageError, match="expected a whole number"):
        CONTROL.encode(EN=value)


def test_snapshots_do_not_change():
    value = CONTROL.encode(EN=1, MPS=2)
    assert value == 0x101 and value.EN == 1 and value.MPS.bytes == 16384 and value.CSS.meaning == "NVM"
    other = value.replace(EN=0, CSS=6)
    assert (other.EN, other.CSS, other.MPS) == (0, 6, 2) and value.EN == 1 and other.register is CONTROL
    with pytest.raises(AttributeError, match=r"use .replace\(EN=0\)"):
        value.EN = 0
    with pytest.raises(AttributeError, match="CTL has no field 'CS'; its fields are EN, CSS, MPS"):
        value.CS
    with pytest.raises(UsageError, match="CTL has no field 'X'"):
        value.replace(X=1)


def test_snapshots_show_themselves():
    value = CONTROL.encode(EN=1, MPS=2)
    assert repr(value) == "<CTL 0x00000101: EN=1 MPS=2 (16384 bytes)>"
    assert "MPS" in dir(value) and value.to_dict() == {"EN": 1, "CSS": 0, "MPS": 2}
    bundle = value._repr_mimebundle_()
    assert "16384 bytes" in bundle["text/plain"] and bundle["text/html"] == value._repr_html_()
    assert "reserved bits set: 0x2" in CONTROL.decode(3).table().text()
    assert "Page Size" in CONTROL._repr_html_()


@pytest.mark.parametrize("value", [CONTROL.encode(EN=1), TIMEOUT.decode(1 << 24),
                                   BitsValue(5, CONTROL.fields, "bits", 4)])
def test_values_survive_copies(value):
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert twin == value and repr(twin) == repr(value) and type(twin) is type(value)


def test_html_is_escaped():
    field = Field("X", 0, 0, "<b>", {1: "<script>"})
    assert "<script>" not in BitsValue(1, [field], "<i>", 1)._repr_html_()


def test_reserved_bits():
    assert reserved_bits(CONTROL.fields, 4) == 0xFFFF_FFFF & ~0x7F1


def test_a_register_refuses_what_is_too_wide():
    with pytest.raises(UsageError, match="CTL: 4294967296 does not fit"):
        CONTROL.decode(1 << 32)
    with pytest.raises(UsageError, match="has no field"):
        CONTROL.field("NO")
