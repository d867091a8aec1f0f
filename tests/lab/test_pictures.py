"""Still pictures of the course: what they say in text, and that their SVG is sound."""

import xml.etree.ElementTree as tree

import pytest

import nvlab
from nvlab.lab.pictures import bar_map, bars, lanes, prp_map


@pytest.fixture
def ctrl():
    with nvlab.attach("embedded:mode=manual,size=1M,dstrd=1") as ctrl:
        yield ctrl


def sound(picture):
    root = tree.fromstring(picture.svg)
    assert root.get("role") == "img" and root.get("aria-label")
    assert picture._repr_mimebundle_() == {"text/plain": repr(picture), "image/svg+xml": picture.svg}
    width, height = int(root.get("width")), int(root.get("height"))
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert 0 <= float(rect.get("x")) <= float(rect.get("x")) + float(rect.get("width")) <= width
        assert 0 <= float(rect.get("y")) <= float(rect.get("y")) + float(rect.get("height")) <= height
    return repr(picture)


def test_the_map_of_the_bar_has_the_doorbells_where_they_are(ctrl):
    text = sound(bar_map(ctrl))
    assert "1008h  CQ0HDBL" in text and "1010h  SQ1TDBL" in text and "MSI-X table" in text


@pytest.mark.parametrize("iova, length, says", [
    (0x10200, 512, "PRP1 = 0x10200: 512 bytes of page 0x10000, from offset 0x200"),
    (0x10E00, 1024, "PRP2 = 0x11000: 512 bytes"),
    (0x10200, 4096 * 3, "list[2] = 0x13000: 512 bytes"),
    (0x10000, 4096 * 300, "list[298]")])
def test_a_prp_map_shows_each_page(iova, length, says):
    assert says in sound(prp_map(iova, length))


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("rows", [{}, {"one": 1}, {"none": 0, "some": 5}, [("a", 1), ("b <&>", 1e6)]])
def test_bars_of_any_values(rows, log):
    text = sound(bars(rows, "IOPS", "a title", log))
    assert all(label in text for label, _ in (rows.items() if isinstance(rows, dict) else rows))


def test_lanes_show_who_did_what(ctrl):
    with nvlab.Trace(ctrl) as trace:
        ctrl.namespaces[1].read(0, 1)
    text = sound(lanes(trace))
    assert "host" in text and "drive" in text and "SQ1TDBL <- 1" in text and "Read" in text
    assert len(sound(lanes(trace, limit=2)).splitlines()) == 3
