"""RegistersView over the embedded drive and QEMU's: what it reads, writes and refuses, and that it disturbs nobody."""

import pytest

import nvlab
from nvlab.lab import RegistersView
from nvlab.lab.registersview import number
from nvlab.spec import registers
from nvlab.spec.errors import UsageError
from nvlab.trace import Trace


@pytest.fixture(params=["embedded:mode=inline,size=4M", pytest.param("qemu:size=4M", marks=pytest.mark.require("qemu"))], ids=["embedded", "qemu"])
def ctrl(request):
    with nvlab.attach(request.param) as ctrl:
        yield ctrl


@pytest.fixture
def view(ctrl):
    view = RegistersView(ctrl)
    yield view
    view.close()


def write(view, register, field, value, **more):
    view.act("write", {"register": register, "field": field, "value": value, **more})
    return view._notice["kind"], view._notice["text"]


def test_every_property_with_what_it_means(ctrl, view):
    assert [row["name"] for row in view._registers][:28] == list(registers.ALL)
    assert view._values["CSTS"]["fields"]["RDY"] == ["1", "ready"]
    assert view._values["CAP"]["hex"] == f"{int(ctrl.cap):#018x}"
    cc = next(row for row in view._registers if row["name"] == "CC")
    assert cc["cite"] == "base 2.0c 3.1.3.5" and all(field["rw"] for field in cc["fields"])
    assert next(row for row in view._registers if row["name"] == "PMRCTL")["absent"] == (
        "" if ctrl.cap.PMRS else "not there: CAP.PMRS is 0")
    assert "0x14    CC " in str(view) and "<table" in view.picture()


def test_doorbells_are_shown_and_never_read(ctrl, view):
    ctrl.create_io_queue_pair(8)
    view.refresh()
    names = [row["name"] for row in view._registers[28:]]
    assert names == ["SQ0TDBL", "CQ0HDBL", "SQ1TDBL", "CQ1HDBL"]
    assert view._values["SQ0TDBL"]["fields"]["SQT"][0] == str(ctrl.admin.sq.rung)


def test_writes(ctrl, view):
    assert write(view, "INTMS", "IVMS", "0x2") == ("info", "Wrote 0x00000002 to INTMS; it reads 0x00000002.")
    assert write(view, "INTMC", None, "2h") == ("info", "Wrote 0x00000002 to INTMC; it reads 0x00000000.")
    want = ctrl.cc.replace(SHN=1)
    assert write(view, "CC", "SHN", "normal") == ("info", f"Wrote {int(want):#010x} to CC.")
    assert int(ctrl.csts.SHST) == 2
    view.refresh()
    assert view._values["CSTS"]["fields"]["SHST"] == ["2", "shutdown complete"]


@pytest.mark.parametrize("register, field, value, says", [
    ("CAP", "TO", "1", "CAP is read-only"), ("CSTS", "RDY", "0", "CSTS.RDY is read-only"), ("CC", "EN", "2", "does not fit"),
    ("CC", "EN", "on", "'on' is no number"), ("CC", "XX", "1", "no field"), ("QQ", None, "1", "no register")])
def test_what_can_not_be_written_is_refused(ctrl, view, register, field, value, says):
    before = int(ctrl.cc)
    kind, text = write(view, register, field, value)
    assert kind == "error" and says in text and int(ctrl.cc) == before


def test_looking_is_not_recorded_and_writing_is(ctrl, view):
    with Trace(ctrl) as trace:
        view.refresh()
        assert len(trace) == 0
        write(view, "INTMS", "IVMS", "0")
        assert len(trace) >= 1


def test_paused_reads_only_when_asked(ctrl, view):
    view.act("pause", {"on": True})
    ctrl.regs.INTMS = 4
    view.refresh()
    assert view._values["INTMS"]["hex"] == "0x00000000"
    view.act("read")
    assert view._values["INTMS"]["hex"] == "0x00000004" and view.paused and view._state["paused"]
    view.act("period", {"seconds": 0.1})
    assert view.period() == 0.1
    view.act("period", {"seconds": 0})
    assert view._notice["kind"] == "error"


def test_a_closed_controller_leaves_its_last_values():
    ctrl = nvlab.attach("embedded:size=4M")
    view = RegistersView(ctrl)
    ctrl.close()
    view.refresh()
    assert view._state["gone"] == "it was closed" and "gone (it was closed)" in str(view)
    view.close()


def test_a_drive_that_vanished():
    with nvlab.attach("embedded:size=4M") as ctrl:
        view = RegistersView(ctrl)
        ctrl.ssd.faults.vanish()
        view.refresh()
        if not view._state["gone"]:
            with pytest.raises(Exception):
                ctrl.identify()
            view.refresh()
        assert view._state["gone"] and view._values["VS"]["hex"] != "0xffffffff"
        assert write(view, "CC", "EN", "0")[0] == "error"
        view.close()


def test_a_real_drive_asks_first(ctrl, view):
    ctrl.function.kind, kind = "vfio", ctrl.function.kind
    try:
        before = int(ctrl.cc)
        kind_said, text = write(view, "CC", "EN", "0")
        assert kind_said == "error" and "nothing was sent" in text and int(ctrl.cc) == before
        assert write(view, "INTMS", None, "0", confirmed=True)[0] == "info"
    finally:
        ctrl.function.kind = kind


def test_numbers_as_people_write_them():
    field = registers.CC.field("SHN")
    assert [number(text, field) for text in ("2", "0x2", "2h", "0b10", "abrupt", " 2 ")] == [2] * 6
    assert number("460001h", registers.CC) == number("0x46_0001", registers.CC) == 0x460001
    for wrong in ("", "-1", "2.0", "abc"):
        with pytest.raises(UsageError):
            number(wrong, field)
