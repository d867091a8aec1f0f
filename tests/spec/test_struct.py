"""Structures as views: what is read, what can be written, what is refused."""
import random

import numpy
import pytest
from hypothesis import given, settings, strategies as st

from nvlab.spec.errors import UsageError
from nvlab.spec.identify import CNS, IdentifyController, IdentifyNamespace, LbaFormat, PowerState
from nvlab.spec.logs import LOGS, SmartLog
from nvlab.spec.struct import Member, Struct

STRUCTS = {struct for table in (CNS, LOGS) for _, struct in table.values()} | {PowerState, LbaFormat}


def test_a_view_reads_and_writes_the_bytes_it_looks_at():
    memory = bytearray(4096)
    idc = IdentifyController(memory)
    memory[256:258] = (0x10A).to_bytes(2, "little")
    assert idc.oacs == 0x10A and idc.oacs.FORMAT == 1 and idc.oacs.SECURITY == 0
    idc.mdts = 7
    assert memory[77] == 7
    idc.psd[1].mp = 500
    assert memory[2048 + 32:2048 + 34] == b"\xf4\x01"


def test_a_view_of_numpy_memory_copies_nothing():
    memory = numpy.zeros(512, numpy.uint8)
    smart = SmartLog(memory)
    smart.temp_sensor = [300, 301]
    assert memory[200:204].tolist() == [44, 1, 45, 1]
    assert list(smart.temp_sensor) == [300, 301, 0, 0, 0, 0, 0, 0]
    assert SmartLog(numpy.zeros(1024, numpy.uint8)[::2]).temperature == 0     # strided memory is copied


def test_new_sets_members_text_bits_and_elements():
    idc = IdentifyController.new(vid=0x1B36, sn="NVLAB", oncs={"COMPARE": 1, "DSM": 1}, ieee=0x525400,
                                 psd=[{"mp": 2500, "flags": {"NOPS": 1}}], tnvmcap=1 << 100)
    raw = bytes(idc)
    assert raw[:2] == b"\x36\x1b" and raw[4:24] == b"NVLAB".ljust(20) and raw[73:76] == b"\x00\x54\x52"
    assert idc.oncs == 5 and idc.psd[0].flags.NOPS == 1 and idc.tnvmcap == 1 << 100
    assert idc.sn == "NVLAB" and idc.subnqn == ""
    assert IdentifyController(raw) == idc and IdentifyController(raw) != IdentifyController.new()


def test_values_know_their_meaning_and_unit():
    idc = IdentifyController.new(kas=10, sqes=0x66, cntrltype=1)
    assert idc.kas.seconds == 1.0 and idc.sqes.MIN.bytes == 64 and idc.cntrltype.meaning == "I/O"


@pytest.mark.parametrize("values, says", [
    ({"nonsense": 1}, "nonsense"),
    ({"mdts": 256}, "256"),
    ({"mdts": -1}, "-1"),
    ({"mdts": "seven"}, "seven"),
    ({"sn": "x" * 21}, "20 bytes"),
    ({"oacs": {"NOSUCH": 1}}, "NOSUCH"),
    ({"oacs": {"FORMAT": 2}}, "FORMAT"),
    ({"psd": [{}] * 33}, "32 elements"),
    ({"vs": b"short"}, "1024 bytes"),
])
def test_what_does_not_fit_is_refused(values, says):
    with pytest.raises(UsageError, match=says):
        IdentifyController.new(**values)


@pytest.mark.parametrize("buffer", [b"", bytes(4095), bytes(4097), None, 4096, "text"])
def test_a_buffer_of_another_size_or_kind_is_refused(buffer):
    with pytest.raises(UsageError, match="IdentifyController"):
        IdentifyController(buffer)


def test_read_only_memory_and_unknown_names_are_refused():
    with pytest.raises(UsageError, match="read-only"):
        IdentifyController(bytes(4096)).mdts = 1
    with pytest.raises(AttributeError, match="mtds"):
        IdentifyController.new().mtds = 1
    with pytest.raises(IndexError, match="psd"):
        IdentifyController.new().psd[32]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_every_structure_has_its_size_dtype_and_table(struct):
    new = struct.new()
    assert len(bytes(new)) == len(new) == struct.SIZE == struct.dtype.itemsize
    assert set(struct.members()) == set(struct.dtype.names) <= set(dir(new))
    for member in struct.members().values():
        assert member.title and member.offset == struct.dtype.fields[member.name][1]
        assert all(0 <= bit.lo <= bit.hi < member.size * 8 for bit in member.bits)
    assert struct.__name__ in repr(new) and "<table" in new._repr_html_() and new.to_dict() is not None


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_bits_of_a_member_do_not_overlap(struct):
    for member in struct.members().values():
        seen = 0
        for bit in member.bits:
            assert not seen & bit.mask, f"{member.name}.{bit.name}"
            seen |= bit.mask


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32))
def test_any_bytes_decode_and_what_is_read_writes_back_the_same(seed):
    data = random.Random(seed).randbytes(4096)
    for struct in (IdentifyController, IdentifyNamespace):
        view, copy = struct(data), struct.new()
        view.to_dict(), view.table().text()
        for name, member in struct.members().items():
            if member.kind in ("uint", "bytes", "uuid"):
                setattr(copy, name, getattr(view, name))
                assert getattr(copy, name) == getattr(view, name)
                assert bytes(member.span(copy)) == bytes(member.span(view))


def test_numpy_reads_what_the_view_reads():
    ns = IdentifyNamespace.new(nsze=77, lbaf=[{"lbads": 9}, {"lbads": 12, "ms": 8}])
    record = ns.to_numpy()
    assert record["nsze"] == 77 and record["lbaf"]["lbads"][:2].tolist() == [9, 12] and record["lbaf"][1]["ms"] == 8


def test_a_table_with_overlapping_members_is_refused():
    with pytest.raises(TypeError, match="b"):
        type("Bad", (Struct,), {"SIZE": 4, "MEMBERS": [Member("a", 0, 2, "A"), Member("b", 1, 2, "B")]})
    with pytest.raises(TypeError, match="a"):
        type("Bad", (Struct,), {"SIZE": 4, "MEMBERS": [Member("a", 0, 8, "A")]})
