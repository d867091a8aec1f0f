"""PerfView in JupyterLab, over the embedded drive: a run, two runs compared, and a sweep of depths."""

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write

PERF = """
import nvlab
from nvlab.lab import PerfView
ctrl = nvlab.attach("embedded:size=64M")
view = PerfView(ctrl, seconds=4, depth=16)
view
"""


def told(page, words):
    page.wait_for_function("(w) => document.querySelector('.nvl-perfview .nvl-notice').textContent.includes(w)", arg=words, timeout=30_000)


def drawn(page, selector):
    """How many different colours a canvas shows: a blank one has one or two."""
    return page.evaluate("""(s) => { const c = document.querySelector(s), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        const seen = new Set(); for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return seen.size; }""", selector)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_measure_compare_and_sweep(lab, page, pictures, dark):
    """Start, watch, stop; a second run beside the first; a sweep that keeps Little's law."""
    theme = "dark" if dark else "light"
    write(lab.root / "perf.ipynb", PERF)
    book = Notebook(page, lab, "perf.ipynb", dark)
    book.run_all()
    view = book.show(".nvl-perfview")
    page.get_by_role("button", name="start: begin a run").click()
    page.wait_for_selector(".nvl-perfview[data-phase='running']")
    assert page.get_by_label("depth: commands in flight on each queue pair").is_disabled()
    page.wait_for_timeout(3000)
    first = page.locator("[data-fact='iops']").text_content()
    assert first != "–" and drawn(page, ".nvl-chart:nth-child(3) canvas") > 8
    told(page, "Run 1")
    page.screenshot(path=pictures / f"perf-run-{theme}.png")
    assert_accessible(page, ".nvl")

    page.get_by_label("workload: what the commands do").select_option("randrw")
    page.get_by_label("depth: commands in flight on each queue pair").fill("64")
    page.get_by_label("seconds: how long").fill("0")
    page.get_by_role("button", name="start: begin a run").click()
    page.wait_for_selector(".nvl-perfview[data-phase='running']")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="stop: end the run").click()
    told(page, "Run 2")
    page.get_by_role("tab", name="This run").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[data-run='2']")
    assert "randrw 70% reads, 4 KiB, depth 64" in page.locator("[data-run='2']").text_content()
    page.screenshot(path=pictures / f"perf-compare-{theme}.png")
    assert_accessible(page, ".nvl")
    page.get_by_label("draw run 1").uncheck()
    assert page.locator(".nvl-page:visible .nvl-chart-key").count() == 2
    page.get_by_label("forget run 2").click()
    page.wait_for_selector("[data-run='2']", state="detached")

    page.get_by_role("tab", name="Depth sweep").click()
    page.get_by_label("up to depth").fill("64")
    page.get_by_label("seconds each").fill("0.4")
    page.get_by_role("button", name="sweep: measure").click()
    page.wait_for_selector("[data-depth='64']", timeout=30_000)
    told(page, "Sweep 1")
    shares = page.locator("[data-depth] td:last-child").all_text_contents()
    assert len(shares) == 7 and all(80 < int(s.rstrip("%")) < 120 for s in shares), shares
    page.screenshot(path=pictures / f"perf-sweep-{theme}.png")
    assert_accessible(page, ".nvl")
    assert view.is_visible() and not page.problems


def test_what_can_not_be_is_told_in_the_widget(lab, page):
    """A depth that the drive doesn't have: said, and the form stays."""
    write(lab.root / "perfbad.ipynb", PERF)
    book = Notebook(page, lab, "perfbad.ipynb")
    book.run_all()
    book.show(".nvl-perfview")
    page.get_by_label("depth: commands in flight on each queue pair").fill("9999")
    page.get_by_role("button", name="start: begin a run").click()
    told(page, "queue depth 9999")
    assert page.locator(".nvl-perfview .nvl-notice").get_attribute("data-kind") == "error"
    assert not page.problems
