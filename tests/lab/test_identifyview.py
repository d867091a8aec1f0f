"""IdentifyView without a page: rows, differences, structures that were kept, and what is said before anything was read."""

import pytest

import nvlab
from nvlab.lab import IdentifyView
from nvlab.spec.errors import UsageError
from nvlab.spec.identify import IdentifyController


@pytest.fixture
def ctrl():
    with nvlab.attach("embedded:mode=inline,size=4M,namespaces=2") as ctrl:
        yield ctrl


def row(view, name, bit=""):
    return next(row for row in view._rows if row["name"] == name and row["bit"] == bit)


def test_controller_and_namespaces(ctrl):
    view = IdentifyView(ctrl)
    assert view._state["structures"] == ["Controller", "Namespace 1", "Namespace 2"]
    mdts = row(view, "mdts")
    assert mdts["at"] == "4Dh" and mdts["title"] == "Maximum Data Transfer Size" and "KiB" in mdts["values"][0][1]
    assert row(view, "mn")["values"][0][1] == ctrl.id.mn and not any(row["differs"] for row in view._rows)
    assert [row["part"] for row in view._rows].index("Admin command set") > 10
    view.act("show", {"structure": "Namespace 1"})
    assert row(view, "nsze")["values"][0][1].startswith(f"{ctrl.namespaces[1].blocks} blocks")
    view.act("show", {"structure": "Namespace 9"})
    assert view._notice["kind"] == "error" and "Namespace 2" in view._notice["text"]
    view.close()


def test_two_controllers(ctrl):
    with nvlab.attach("embedded:mode=inline,size=8M") as other:
        view = IdentifyView(ctrl, other)
        assert row(view, "sn")["differs"] == (ctrl.id.sn != other.id.sn)
        assert row(view, "nn")["differs"] == (int(ctrl.id.nn) != int(other.id.nn))
        view.act("show", {"structure": "Namespace 1"})
        nsze = row(view, "nsze")
        assert nsze["differs"] and nsze["values"][0] != nsze["values"][1]
        assert any(line.startswith("≠  nsze") for line in str(view).splitlines())
        view.act("show", {"structure": "Namespace 2"})             # which the other doesn't have
        assert view._state["there"] == [True, False] and not any(row["differs"] for row in view._rows)
        view.close()


def test_read_again_asks_the_controller(ctrl):
    view = IdentifyView(ctrl)
    done = len(ctrl.admin.sq.outstanding), ctrl.admin.sq.posted
    view.act("read")
    assert view._notice["kind"] == "info", view._notice
    assert ctrl.admin.sq.posted == done[1] + 4                     # controller, list, two namespaces
    view.close()


def test_one_that_was_kept(ctrl):
    kept = IdentifyController(bytearray(bytes(ctrl.id)))
    kept.update(mdts=3)
    view = IdentifyView(ctrl, kept)
    assert [row["name"] for row in view._rows if row["differs"]] == ["mdts"]
    assert view._state["sides"][1].endswith("(kept)")
    view.act("read")
    assert view._notice["kind"] == "info"
    view.close()


def test_before_anything_was_read():
    with nvlab.probe("embedded:size=4M") as ctrl:
        view = IdentifyView(ctrl)
        assert view._rows == [] and "nothing was read yet" in str(view)
        view.act("read")
        assert view._notice["kind"] == "error"
        ctrl.start()
        view.act("read")
        assert row(view, "mn")["values"][0][1] == ctrl.id.mn
        view.close()
    with pytest.raises(UsageError, match="not a bytes"):
        IdentifyView(b"x")


def test_still_picture_is_small(ctrl):
    view = IdentifyView(ctrl)
    assert len(view.picture()) < 12_000 and "Maximum Data Transfer Size" in view.picture()
    view.close()
