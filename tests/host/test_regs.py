"""Live registers: one access a question, snapshots that stay, names and offsets that don't exist."""
import pytest

from nvlab.host.regs import Registers
from nvlab.spec import registers
from nvlab.spec.errors import ControllerGone, RegisterError, UsageError

CAP_VALUE = registers.CAP.encode(MQES=2047, TO=15, DSTRD=1, CSS=1)


class CountingBar:
    """A BAR of a dict that counts its accesses."""

    def __init__(self):
        self.values = {0x00: int(CAP_VALUE), 0x08: 0x10400, 0x14: 0x460001, 0x1C: 1}
        self.reads, self.writes = [], []

    def read32(self, offset):
        self.reads.append((offset, 4))
        return self.values.get(offset, 0) & 0xFFFFFFFF

    def read64(self, offset):
        self.reads.append((offset, 8))
        return self.values.get(offset, 0)

    def write32(self, offset, value):
        self.writes.append((offset, 4, value))
        self.values[offset] = value

    def write64(self, offset, value):
        self.writes.append((offset, 8, value))
        self.values[offset] = value


@pytest.fixture
def bar():
    return CountingBar()


@pytest.fixture
def regs(bar):
    return Registers(bar)


def test_nothing_is_read_until_asked(bar, regs):
    handle = regs.CC
    dir(regs), dir(handle)
    assert bar.reads == []
    assert handle.EN == 1 and bar.reads == [(0x14, 4)]
    snapshot = handle.read()
    bar.reads.clear()
    assert snapshot.EN == 1 and snapshot.IOSQES == 6 and snapshot.IOCQES == 4 and repr(snapshot) and bar.reads == []
    repr(handle)
    assert bar.reads == [(0x14, 4)]              # one access for all fields


def test_writes(bar, regs):
    regs.CC.EN = 0
    assert bar.writes == [(0x14, 4, 0x460000)] and bar.reads == [(0x14, 4)]
    regs.CC.set(EN=1, SHN=1)
    assert bar.writes[-1] == (0x14, 4, 0x464001)
    regs.ASQ = 0x123456000
    assert bar.writes[-1] == (0x28, 8, 0x123456000)
    regs["AQA"] = 0x1F001F
    regs[0x14] = 0
    assert bar.writes[-2:] == [(0x24, 4, 0x1F001F), (0x14, 4, 0)]


def test_doorbells_by_name_and_offset_with_the_stride_of_cap(bar, regs):
    regs["SQ3TDBL"] = 5
    regs.CQ3HDBL = 6
    assert bar.writes == [(0x1000 + 6 * 8, 4, 5), (0x1000 + 7 * 8, 4, 6)]
    assert regs[0x1000 + 7 * 8].register.name == "CQ3HDBL"
    with pytest.raises(RegisterError, match="0x1004"):
        regs[0x1004]                             # between two doorbells
    assert [r for r in bar.reads if r[0] >= 0x1000] == []


def test_comparisons_and_numbers(regs):
    assert regs.CSTS == 1 and int(regs.VS) == 0x10400 and hex(regs.VS) == "0x10400"
    with pytest.raises(TypeError):
        hash(regs.CSTS)


def test_snapshot_and_tables(bar, regs):
    snapshot = regs.snapshot()
    assert {"CAP", "VS", "CC", "CSTS", "AQA", "ASQ", "ACQ"} <= set(snapshot) and not {"CMBLOC", "PMRCTL", "SQ0TDBL"} & set(snapshot)
    assert len(bar.reads) == len(snapshot) + 1                                  # and CAP, which says what there is
    assert "MQES=2047" in repr(regs) and "Controller Status" in repr(regs)
    assert "text/html" in regs._repr_mimebundle_() and "text/plain" in regs.CC._repr_mimebundle_()
    assert "SQ0TDBL" in str(regs["SQ0TDBL"]._repr_mimebundle_())


def test_a_register_of_an_option_is_there_when_cap_says_so(bar, regs):
    assert not {"NSSR", "CMBLOC", "NSSD"} & {register.name for register in regs.present()}
    bar.values[0x00] = int(registers.CAP.encode(NSSRS=1, CMBS=1))
    names = {register.name for register in regs.present()}
    assert {"NSSR", "CMBLOC"} <= names and "NSSD" not in names


def test_all_ones(bar, regs):
    bar.values[0x14] = 0xFFFFFFFF
    assert regs.CC.read() == 0xFFFFFFFF          # CSTS still answers
    bar.values[0x1C] = 0xFFFFFFFF
    for name in ("CC", "CSTS"):
        with pytest.raises(ControllerGone, match=f"read of {name}.*ones.*attach again"):
            regs[name].read()
    with pytest.raises(ControllerGone, match="it was unplugged"):
        Registers(bar, lambda: "it was unplugged").CSTS.read()


@pytest.mark.parametrize("touch, words", [
    (lambda r: r["NOPE"], "NOPE"), (lambda r: r.CTSS, "CSTS"), (lambda r: r[0x18], "0x18"), (lambda r: r[-4], "-0x4|-4"),
    (lambda r: r["SQ0TDBL"].read(), "write-only"), (lambda r: r.VS.write(1), "read-only"), (lambda r: r[None], "None"),
    (lambda r: r.read("CQ9HDBL"), "CQ9HDBL is write-only"), (lambda r: setattr(r, "VS", 1), "read-only")])
def test_misuse(bar, regs, touch, words):
    with pytest.raises(RegisterError, match=words):
        touch(regs)
    assert bar.writes == []


@pytest.mark.parametrize("touch", [lambda r: r.CC.XYZ, lambda r: setattr(r.CC, "XYZ", 1), lambda r: setattr(r.CC, "EN", 2),
                                   lambda r: r.CC.write(1 << 32), lambda r: r.AQA.write(-1)])
def test_fields_and_values_that_can_not_be(bar, regs, touch):
    with pytest.raises((UsageError, AttributeError)):
        touch(regs)
    assert bar.writes == []
