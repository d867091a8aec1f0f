"""The first notebook in JupyterLab, against the real driver and drive: run all, press the buttons, watch the plot."""

import contextlib
import json
import pathlib
import re

import pytest

from tests.browser.notebook import Notebook

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install -e '.[test]')")

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "notebooks" / "01-first-io.ipynb"
TURNS = "range(1000)"
"""How long the notebook's own cell works beside the loop: here it does for so long that a slow machine can look at the plot."""
TURN = ".jp-Cell:has-text('sq1.post(cmd.read(nsid=1') .nvl-ringview"


def working_for(seconds):
    """The notebook, its cell beside the loop working for `seconds`."""
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code" and TURNS in "".join(cell["source"])]
    assert len(cells) == 1, f"which cell of {NOTEBOOK.name} works beside the loop?"
    turns = "itertools.takewhile(lambda _: time.monotonic() < end, itertools.count())"
    cells[0]["source"] = f"import itertools, time\nend = time.monotonic() + {seconds}\n" + "".join(cells[0]["source"]).replace(TURNS, turns)
    return json.dumps(book)


def slot_life(view, kind, slot):
    return view.locator(f"[data-kind='{kind}'] .nvl-cell[data-slot='{slot}']").get_attribute("data-life")


def press(page, view, name, says):
    view.get_by_role("button", name=re.compile(f"^{name}:")).click()
    notice = view.locator(".nvl-notice").element_handle()
    page.wait_for_function("([e, t]) => e.textContent.includes(t)", arg=[notice, says])


def see_points(page, book):
    """Look at the plot until it has points: unseen it draws none, and a cell that ends meanwhile scrolls it away."""
    for _ in range(8):
        book.show(".nvl-liveplot")
        with contextlib.suppress(playwright.TimeoutError):
            page.wait_for_selector(".nvl-liveplot[data-state='running'][data-n]", timeout=1000)
            return
    raise AssertionError("the plot has no points")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_run_all_then_press_the_buttons(lab, page, pictures, dark):
    (lab.root / NOTEBOOK.name).write_text(working_for(10))
    book = Notebook(page, lab, NOTEBOOK.name, dark)
    book.command("notebook:run-all-cells")

    page.wait_for_selector(".nvl-liveplot[data-state='running']", state="attached", timeout=60_000)
    see_points(page, book)
    first = page.evaluate("() => ({...document.querySelector('.nvl-liveplot').dataset})")
    page.wait_for_timeout(1500)
    second = page.evaluate("() => ({...document.querySelector('.nvl-liveplot').dataset})")
    assert int(second["seq"]) >= int(first["seq"]) + 5, "the plot stands still while a cell runs"
    assert float(second["t"]) > float(first["t"]) and float(second["iops"]) > 1000
    page.screenshot(path=pictures / f"first-io-plot-{'dark' if dark else 'light'}.png")
    book.settle()

    page.wait_for_selector(TURN, state="attached")
    view = book.show(TURN)
    slot = int(view.locator("[data-kind='SQ'] [data-fact='host-rung']").text_content())
    assert slot_life(view, "SQ", slot) == "posted"
    press(page, view, "ring doorbell", "1 new entry")
    assert slot_life(view, "SQ", slot) == "rung"
    press(page, view, "step", "The drive moved")
    assert slot_life(view, "SQ", slot) == "fetched" and slot_life(view, "CQ", slot) == "posted"
    view.locator(f"[data-kind='SQ'] .nvl-cell[data-slot='{slot}']").click()
    detail = view.locator(".nvl-detail")
    detail.get_by_text("slba").wait_for()
    assert "Read" in detail.text_content()
    page.screenshot(path=pictures / f"first-io-turn-{'dark' if dark else 'light'}.png")
    press(page, view, "poll", "Successful Completion")
    press(page, view, "ring CQ", "1 slot given back")
    assert slot_life(view, "CQ", slot) == "done"
    assert not page.problems
