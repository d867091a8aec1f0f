"""MemoryView and PrpView without a page: what is decoded, which bytes a field has, how PRPs are walked and what is wrong in them."""

import numpy as np
import pytest

import nvlab
from nvlab import cmd
from nvlab.host.prp import build_prp
from nvlab.lab import MemoryView, PrpView, memfields
from nvlab.lab.memview import hexdump
from nvlab.lab.prpdraw import prp_svg
from nvlab.lab.prpwalk import walk
from nvlab.spec.commands import Completion
from nvlab.spec.errors import UsageError
from nvlab.spec.identify import IdentifyController
from nvlab.spec.logs import SmartLog
from nvlab.spec.status import LBA_OUT_OF_RANGE

PAGE = 4096


@pytest.fixture(scope="module")
def ctrl():
    with nvlab.attach("embedded:size=4M") as ctrl:
        yield ctrl


def field(view, name):
    return next(row for row in view._fields if row["name"] == name)


def test_a_structure_in_dma_memory(ctrl):
    buffer = ctrl.alloc(PAGE)
    ctrl.execute(cmd.identify(cns=1, prp1=buffer))
    view = MemoryView(buffer, IdentifyController)
    assert f"{buffer.iova:#x}" in view._state["title"] and view._state["kind"] == "IdentifyController"
    assert (field(view, "mdts")["first"], field(view, "mdts")["last"]) == (77, 77)
    assert field(view, "sn")["meaning"] == "NVLAB0001"
    buffer[4:8] = np.frombuffer(b"ABCD", np.uint8)         # alive: no copy was made
    view.refresh()
    assert field(view, "sn")["meaning"].startswith("ABCD") and view._bytes[4:8] == b"ABCD"
    assert "nvlab embedded SSD" in str(view) and "<table" in view.picture()
    view.close()


def test_entries_of_rings_know_what_they_are(ctrl):
    request, slot = ctrl.admin.sq.post_request(cmd.get_features(fid=7))
    view = MemoryView(ctrl.admin.sq, slot=slot)
    assert view._state["kind"] == "admin SQE" and field(view, "opc")["meaning"] == "Get Features" and f"SQ0 slot {slot}" in view._state["title"]
    ctrl.admin.sq.ring()
    assert request.wait().ok
    done = MemoryView(Completion.new(LBA_OUT_OF_RANGE, cid=3))
    assert done._state["kind"] == "CQE" and field(done, "sc")["meaning"] == "LBA Out of Range" and field(done, "sc")["bits"] == "24:17"
    view.close()
    done.close()


def test_the_page_chooses_structure_and_place(ctrl):
    view = MemoryView(ctrl.alloc(3 * PAGE))
    assert view._fields == [] and view._state["size"] == 3 * PAGE and len(view._bytes) == PAGE
    view.act("kind", {"kind": "SmartLog"})
    assert view._state["kind"] == "SmartLog" and field(view, "critical_warning")
    view.act("at", {"at": 2 * PAGE})
    assert view._state["at"] == 2 * PAGE
    view.act("at", {"at": 9 * PAGE})
    assert view._notice["kind"] == "error" and view._state["at"] == 2 * PAGE
    view.close()


def test_all_memory_of_a_controller_by_address(ctrl):
    view = MemoryView(ctrl)
    assert view._state["kind"] == "admin SQE" and view._state["base"] + view._state["at"] == ctrl.admin.sq.iova
    assert [place[0] for place in view._state["places"][:2]] == ["SQ0", "CQ0"] and view._state["step"] == 64
    view.act("at", {"at": hex(ctrl.admin.cq.iova), "kind": "CQE"})
    assert view._state["kind"] == "CQE" and view._bytes[:16] == bytes(ctrl.admin.cq.entries[0])
    view.act("at", {"at": "0x10"})
    assert view._notice["kind"] == "error" and "goes from" in view._notice["text"]
    assert f"{ctrl.admin.cq.iova:x}" in str(view) and len(view.picture()) < 50_000
    view.close()


@pytest.mark.parametrize("memory, struct, says", [
    (bytes(16), SmartLog, "takes 512 bytes"), (bytes(64), "Nonsense", "choose a structure"), (7, None, "shows a buffer"), (b"", None, "empty")])
def test_what_is_no_memory_or_no_structure_is_refused(memory, struct, says):
    with pytest.raises(UsageError, match=says):
        MemoryView(memory, struct)


@pytest.mark.parametrize("kind", memfields.KINDS)
def test_every_structure_has_rows_inside_itself(kind):
    size = memfields.size_of(kind)
    for raw in (bytes(size), bytes(range(1, 256)) * (size // 255 + 1)):
        rows = memfields.rows(memfields.view_of(kind, raw))
        assert rows and all(0 <= row["first"] <= row["last"] < size for row in rows)


def test_hexdump_leaves_out_what_repeats():
    assert hexdump(bytes(64)).splitlines()[1] == "*" and hexdump(b"Hi").endswith("Hi")


@pytest.mark.parametrize("into, length, pages, lists", [(0, 100, 1, 0), (100, 8192, 3, 1), (0, 8192, 2, 0), (4, 600 * PAGE, 601, 2)])
def test_what_the_driver_builds_is_walked(ctrl, into, length, pages, lists):
    buffer = ctrl.alloc(length + into)
    prp = build_prp(ctrl.dma, buffer.iova + into, length)
    found = walk(ctrl.dma, prp.prp1, prp.prp2, length)
    assert found.ok and len(found.data) == pages and len(found.lists) == lists and found.told == length
    assert sum(entry.length for entry in found.data) == length and found.data[-1].value // PAGE == (buffer.iova + into + length - 1) // PAGE
    svg = prp_svg(found)
    assert svg.count("data-entry") <= 24 and ("more …" in svg) == (pages > 17)


def broken(ctrl, index, value):
    """Five pages over a list, one entry of which is something else."""
    buffer = ctrl.alloc(5 * PAGE)
    prp = build_prp(ctrl.dma, buffer.iova, 5 * PAGE)
    prp.lists[0].view(np.uint64)[index] = value
    return buffer, prp, walk(ctrl.dma, prp.prp1, prp.prp2, 5 * PAGE)


@pytest.mark.parametrize("value, says", [(0, "no page is there"), (0x1_0000_0010, "begins 0x10"), (0x7F00_0000_0000, "isn't in memory")])
def test_bad_entries_are_marked(ctrl, value, says):
    _, _, found = broken(ctrl, 1, value)
    (bad,) = found.wrong
    assert bad.name == "list 0 [1]" and says in bad.wrong and not found.ok and says in found.sentence
    assert "✗" in prp_svg(found) and "✗" in found.table().text()


def test_bad_pointers_end_the_walk(ctrl):
    buffer = ctrl.alloc(PAGE)
    assert "dword" in walk(ctrl.dma, buffer.iova + 2, 0, 64).wrong[0].wrong
    assert "no list is there" in walk(ctrl.dma, buffer.iova, 0, 4 * PAGE).wrong[0].wrong
    assert "qword" in walk(ctrl.dma, buffer.iova, buffer.iova + 4, 4 * PAGE).wrong[0].wrong
    ring = ctrl.alloc(PAGE)
    ring.view(np.uint64)[:] = buffer.iova
    ring.view(np.uint64)[-1] = ring.iova
    assert "walked already" in walk(ctrl.dma, buffer.iova, ring.iova, 2000 * PAGE).wrong[0].wrong
    for length in (0, 1 << 40):
        with pytest.raises(UsageError):
            walk(ctrl.dma, buffer.iova, 0, length)


def test_a_view_of_a_command_follows_its_list(ctrl):
    buffer, prp, _ = broken(ctrl, 2, 0)
    command = cmd.read(nsid=1, slba=0, nlb=39, prp1=prp.prp1, prp2=prp.prp2)
    view = PrpView(ctrl, command)
    assert view._prps[2] == 5 * PAGE and not view._state["ok"] and view._state["wrong"][0]["name"] == "list 0 [2]"
    prp.lists[0].view(np.uint64)[2] = buffer.iova + 3 * PAGE
    view.refresh()
    assert view._state["ok"] and view.walk.ok and "list page" in str(view) and view.picture().startswith("<svg")
    view.act("open", {"entry": 1})
    assert "the list page" in view._state["shown"] and view._fields[0]["name"] == "list 0 [0]" and len(view._bytes) == PAGE
    view.act("open", {"entry": 0})
    assert "5" not in view._state["shown"].split(":")[0] and view._fields == []
    view.close()


def test_a_page_can_ask_for_other_prps(ctrl):
    buffer = ctrl.alloc(2 * PAGE)
    view = PrpView(ctrl, prp1=buffer, prp2=buffer[PAGE:], length=2 * PAGE)
    assert view._state["ok"]
    view.act("walk", {"prp1": hex(buffer.iova), "prp2": "0", "length": "8192"})
    assert not view._state["ok"] and view._state["prp2"] == "0x0"
    view.act("walk", {"prp1": "what", "prp2": "0", "length": "1"})
    assert view._notice["kind"] == "error" and view._state["length"] == 8192
    with pytest.raises(UsageError, match="give a command"):
        PrpView(ctrl)
    view.close()
