"""The widgets in JupyterLab, over queue pairs made of numpy: what is seen, clicked and typed."""

import re

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write

RING = """
from tests.lab.fake_nvme import FakeQueuePair, FakeSsd, identify
from nvlab.lab import RingView
qp = FakeQueuePair({depth}); ssd = FakeSsd(qp)
for cid in range({old}):
    qp.sq.post(identify(cid)); qp.sq.ring(); ssd.step(); qp.cq.poll(); qp.cq.ring()
for cid in (7, 8, 9):
    qp.sq.post(identify(cid))
view = RingView(qp, ssd, title="embedded")
view
"""


def lives(page, kind):
    cells = page.locator(f'[data-kind="{kind}"] .nvl-cell')
    return cells.evaluate_all("(cells) => cells.map((c) => c.dataset.life)")


def fact(page, kind, name):
    return page.locator(f'[data-kind="{kind}"] [data-fact="{name}"]').text_content()


def press(page, name):
    before = page.locator(".nvl-notice").text_content()
    page.get_by_role("button", name=name).click()
    page.wait_for_function("(t) => document.querySelector('.nvl-notice').textContent !== t", arg=before)
    return page.locator(".nvl-notice").text_content()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_command_by_hand(lab, page, pictures, dark):
    """Ring, step, poll, ring: each press moves what the standard says it moves, and a click decodes an entry."""
    write(lab.root / "hand.ipynb", RING.format(depth=32, old=5))
    book = Notebook(page, lab, "hand.ipynb", dark)
    book.run_all()
    book.show(".nvl-ringview")
    page.wait_for_selector(".nvl-cell[data-slot='5'][data-life='posted']")
    assert lives(page, "SQ")[4:9] == ["done", "posted", "posted", "posted", "free"]
    assert (fact(page, "SQ", "host-tail"), fact(page, "SQ", "drive-tail")) == ("8", "5")

    assert "Wrote 8 to SQ0TDBL: 3 new entries" in press(page, re.compile("^ring doorbell"))
    page.wait_for_selector("[data-kind='SQ'] .nvl-cell[data-slot='7'][data-life='rung']")
    assert fact(page, "SQ", "drive-tail") == "8"

    assert "CQ tail 5 → 6" in press(page, re.compile("^step"))
    page.wait_for_selector("[data-kind='CQ'] .nvl-cell[data-slot='5'][data-life='posted']")
    assert lives(page, "SQ")[5:8] == ["fetched", "rung", "rung"]

    page.locator("[data-kind='SQ'] .nvl-cell[data-slot='5']").click()
    page.wait_for_function("() => document.querySelector('.nvl-detail').textContent.includes('Identify')")
    detail = page.locator(".nvl-detail").text_content()
    assert "SQ0 slot 5: fetched by the drive" in detail and "CNS" in detail
    page.screenshot(path=pictures / f"hand-{'dark' if dark else 'light'}.png")
    assert_accessible(page, ".nvl-ringview")

    assert "phase 1" in press(page, re.compile("^poll"))
    page.wait_for_selector("[data-kind='CQ'] .nvl-cell[data-slot='5'][data-life='polled']")
    assert "1 slot given back" in press(page, re.compile("^ring CQ"))
    page.wait_for_selector("[data-kind='CQ'] .nvl-cell[data-slot='5'][data-life='done']")
    assert "still 0" in press(page, re.compile("^poll"))
    page.locator("[data-kind='CQ'] .nvl-cell[data-slot='5']").click()
    page.wait_for_function("() => document.querySelector('.nvl-detail').textContent.includes('Completion of command 7')")
    assert not page.problems


# rgb(colour): red, green, blue, alpha of any colour that CSS knows.
RGB = """const paint = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
  const rgb = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };"""

# Slots of a large ring's canvas whose colour isn't that of their life; the middle of a cell may bear a mark, its corner doesn't.
WRONG_CELLS = """([kind, depth, slots]) => {
  const el = document.querySelector(`[data-kind=${kind}] canvas`), g = el.getContext('2d', {willReadFrequently: true}), style = getComputedStyle(el);
  RGB
  const columns = depth <= 256 ? 64 : 128, rows = Math.ceil(depth / columns), wide = el.width / columns, tall = depth <= 256 ? 13 : depth <= 1024 ? 11 : 7;
  const scale = el.height / (rows * tall + 24);
  return Object.entries(slots).map(([slot, life]) => {
    const x = Math.floor((slot % columns + 0.3) * wide), y = Math.floor((12 + (Math.floor(slot / columns) + 0.3) * tall) * scale);
    return [slot, [...g.getImageData(x, y, 1, 1).data], rgb(style.getPropertyValue(`--nvl-${life}`))];
  }).filter(([slot, has, wanted]) => String(has) !== String(wanted));
}""".replace("RGB", RGB)


@pytest.mark.parametrize("depth", [2, 3, 64, 65, 1024, 4096])
def test_any_depth(lab, page, pictures, depth):
    """From 2 to 4096 slots: drawn, clickable, and reached with the keyboard."""
    write(lab.root / f"depth{depth}.ipynb", RING.replace("(7, 8, 9)", "(7,)").format(depth=depth, old=min(depth // 2, 100)))
    book = Notebook(page, lab, f"depth{depth}.ipynb")
    book.run_all()
    book.show(".nvl-ringview")
    stage = page.locator("[data-kind='SQ'] .nvl-stage")
    stage.wait_for()
    if depth > 64:                                         # as it is first seen, without a click
        assert page.evaluate(WRONG_CELLS, ["SQ", depth, {1: "done", 20: "done", depth - 2: "free"}]) == []
    box = page.locator("[data-kind='SQ'] canvas" if depth > 64 else "[data-kind='SQ'] svg.nvl-svg").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + (0 if depth > 64 else box["width"] * 0.33), box["y"] + box["height"] / 2)
    page.wait_for_function("() => /SQ0 slot \\d+/.test(document.querySelector('.nvl-detail').textContent)")
    stage.focus()
    page.keyboard.press("End")
    page.wait_for_function(f"() => document.querySelector('.nvl-detail').textContent.includes('SQ0 slot {depth - 1}:')")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.nvl-detail').textContent.includes('SQ0 slot 0:')")
    assert stage.get_attribute("aria-valuemax") == str(depth - 1)
    assert stage.get_attribute("aria-valuetext").startswith("slot 0, ")
    page.screenshot(path=pictures / f"depth-{depth}.png")
    assert not page.problems


def test_errors_and_a_busy_pair_are_told_in_the_widget(lab, page, pictures):
    """A callback's exception shows in the widget; a loop that owns the pair is shown calmly, and so is its end."""
    write(lab.root / "busy.ipynb", RING.format(depth=8, old=3) + "\nqp.cq.ring = lambda: 1 / 0")
    book = Notebook(page, lab, "busy.ipynb")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.insertCell(1, "
                  "{cell_type: 'code', source: 'view'})")
    book.run_all()
    book.show(".nvl-ringview")
    assert "ZeroDivisionError" in press(page, re.compile("^ring CQ"))
    page.evaluate("""() => { const k = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        k.requestExecute({code: 'import time; qp.owner = "perf"; time.sleep(1.5); qp.owner = None'}); }""")
    page.wait_for_function("() => document.querySelector('.nvl-busy').textContent.startsWith('perf owns')")
    assert page.get_by_role("button", name=re.compile("^poll")).is_disabled()
    page.screenshot(path=pictures / "busy.png")
    page.wait_for_function("() => document.querySelector('.nvl-busy').textContent === ''")
    assert "ring doorbell" in page.get_by_role("button", name=re.compile("^ring doorbell")).text_content()
    assert not page.problems


PLOT = ("from tests.lab.fake_nvme import FakePerf\nfrom nvlab.lab import LivePlot\nperf = FakePerf().start()\nplot = LivePlot(perf)\nplot",
        "import time; time.sleep(4)")


# What Bokeh drew with, and what the page's style says: {name: [has, should have]}, each as rgb() makes of it.
COLOURS = """() => {
  const root = document.querySelector('.nvl-liveplot'), style = getComputedStyle(root);
  RGB
  const models = Bokeh.documents.flatMap((doc) => doc.roots()).flatMap((r) => [...r.references()]);
  const pairs = ['iops', 'avg', 'p50', 'p99'].map((name) => [name, models.find((m) => m.name === name && m.glyph).glyph.line_color.value]);
  const axis = models.find((m) => m.major_label_text_color !== undefined && m.axis_label !== undefined);
  return Object.fromEntries([...pairs, ['dim', axis.major_label_text_color]].map(([n, has]) => [n, [rgb(has), rgb(style.getPropertyValue('--nvl-' + n))]]));
}""".replace("RGB", RGB)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_plot_moves_while_a_cell_blocks(lab, page, pictures, dark):
    """Points arrive ten times a second although the kernel is in the middle of a cell."""
    write(lab.root / "plot.ipynb", *PLOT)
    book = Notebook(page, lab, "plot.ipynb", dark)
    book.command("notebook:run-all-cells")
    page.wait_for_selector(".nvl-liveplot[data-n]", state="attached")
    first = page.evaluate("() => +document.querySelector('.nvl-liveplot').dataset.seq")
    page.wait_for_timeout(2000)
    second = page.evaluate("() => +document.querySelector('.nvl-liveplot').dataset.seq")
    counts = page.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map((c) => c.execution_count)")
    assert second - first >= 12, "fewer than six frames a second"
    assert counts[1] is None, "the second cell was expected to be still running"
    book.settle()
    book.show(".nvl-liveplot")
    assert page.locator(".bk-Figure").count() == 2
    assert "IOPS" in page.locator("[data-curve='iops']").text_content()
    for name, (has, wanted) in page.evaluate(COLOURS).items():
        assert has == pytest.approx(wanted, abs=3), f"the figure draws {name} in {has}, the page's style says {wanted}"
    page.screenshot(path=pictures / f"plot-{'dark' if dark else 'light'}.png")
    assert_accessible(page, ".nvl-liveplot")
    assert not page.problems
