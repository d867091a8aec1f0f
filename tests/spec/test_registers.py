"""The register table: where each property lies, and the doorbells behind them."""
import pytest
from hypothesis import given, strategies as st

from nvlab.spec import registers
from nvlab.spec.errors import RegisterError
from nvlab.spec.fields import reserved_bits

QEMU_CAP = 0x0040_1820_0F01_07FF


def test_all_properties_of_2_0_are_there():
    offsets = {name: register.offset for name, register in registers.ALL.items()}
    assert list(offsets.values()) == sorted(offsets.values())
    assert offsets | {"CAP": 0, "CC": 0x14, "CSTS": 0x1C, "AQA": 0x24, "ASQ": 0x28, "ACQ": 0x30, "CMBLOC": 0x38, "BPMBL": 0x48,
                      "CRTO": 0x68, "PMRCAP": 0xE00, "PMRMSCU": 0xE18} == offsets
    assert len(offsets) == 28


@pytest.mark.parametrize("register", registers.ALL.values(), ids=registers.ALL)
def test_a_register_is_well_formed(register):
    assert register.size in (4, 8) and register.offset % register.size == 0
    assert register.access in ("ro", "rw", "rw1s", "rw1c", "wo") and register.cite.startswith("base 2.0c 3.1.3.")
    used = 0
    for field in register.fields:
        assert 0 <= field.lo <= field.hi < 8 * register.size and not used & field.mask, field.name
        used |= field.mask
        assert all(0 <= value <= field.max for value in field.values or {}), field.name
    assert used == (1 << 8 * register.size) - 1 - reserved_bits(register.fields, register.size)
    assert len({field.name for field in register.fields}) == len(register.fields)


def test_registers_do_not_overlap():
    ordered = list(registers.ALL.values())
    for one, other in zip(ordered, ordered[1:]):
        assert one.offset + one.size <= other.offset, (one, other)


@given(st.sampled_from(list(registers.ALL.values())), st.data())
def test_fields_make_the_register(register, data):
    values = {field.name: data.draw(st.integers(0, field.max)) for field in register.fields}
    assert register.encode(**values).to_dict() == values
    word = data.draw(st.integers(0, (1 << 8 * register.size) - 1))
    again = register.encode(**register.decode(word).to_dict())
    assert again == word & ~reserved_bits(register.fields, register.size)


def test_a_real_cap():
    cap = registers.CAP.decode(QEMU_CAP)
    assert cap.MQES == 2047 and cap.CQR == 1 and cap.TO.seconds == 7.5 and cap.DSTRD.bytes == 4
    assert cap.MPSMIN.bytes == 4096 and cap.MPSMAX.bytes == 65536 and cap.CSS.meaning == "NVM, by Identify, admin only"


def test_doorbells():
    assert (registers.sq_tail_doorbell(0), registers.cq_head_doorbell(0)) == (0x1000, 0x1004)
    assert (registers.sq_tail_doorbell(1, 0), registers.cq_head_doorbell(1, 0)) == (0x1008, 0x100C)
    assert (registers.sq_tail_doorbell(1, 2), registers.cq_head_doorbell(1, 2)) == (0x1020, 0x1030)
    bell = registers.lookup("CQ3HDBL", 1)
    assert (bell.offset, bell.access, bell.readable, bell.size) == (0x1038, "wo", False, 4)


@given(qid=st.integers(0, 65535), dstrd=st.integers(0, 15))
def test_doorbell_names_and_offsets_agree(qid, dstrd):
    for name, offset in ((f"SQ{qid}TDBL", registers.sq_tail_doorbell(qid, dstrd)),
                         (f"CQ{qid}HDBL", registers.cq_head_doorbell(qid, dstrd))):
        assert registers.name_at(offset, dstrd) == name
        assert registers.lookup(name, dstrd).offset == offset


@pytest.mark.parametrize("offset, name", [(0x14, "CC"), (0, "CAP"), (4, None), (0x18, None), (0xFFF, None), (0x1001, None)])
def test_name_at(offset, name):
    assert registers.name_at(offset) == name


@pytest.mark.parametrize("name, hint", [("CTST", "CSTS"), ("SQ0HDBL", "SQ0TDBL"), ("SQ70000TDBL", "0 to 65535"), ("", "registers.ALL")])
def test_no_such_register(name, hint):
    with pytest.raises(RegisterError, match=hint):
        registers.lookup(name)


def test_no_such_queue():
    with pytest.raises(RegisterError, match="queue -1 has no doorbell"):
        registers.sq_tail_doorbell(-1)
