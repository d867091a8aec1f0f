"""Several queue pairs in one ring view, against the real driver: choose, post, ring, step, poll, ring, and how fast it follows."""

import re

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write

PAIRS = """
import nvlab
from nvlab.lab import RingView
ctrl = nvlab.attach("embedded:mode=inline,size=16M")
for depth in (16, 64, 1024):
    ctrl.create_io_queue_pair(depth)
ctrl.namespaces[1].write(0, b"Hello world!")
for _ in range(20):
    ctrl.namespaces[1].read(0, 1)
for cid in range(700):
    ctrl.io[3].execute(nvlab.cmd.flush(nsid=1))
ctrl.ssd.mode = "manual"
for cid in range(9):
    ctrl.io[3].sq.post(nvlab.cmd.flush(nsid=1))
    if cid == 6:
        ctrl.io[3].sq.ring()
view = RingView(ctrl)
view
"""
FAST = """
import threading, time
from tests.lab.fake_nvme import FakeQueuePair, FakeSsd, identify
from nvlab.lab import RingView
pair = FakeQueuePair(1024); ssd = FakeSsd(pair)
def run():
    for cid in range(1, 40000):
        pair.sq.post(identify(cid % 60000)); pair.sq.ring(); ssd.step(); pair.cq.poll(); pair.cq.ring()
        time.sleep(0.004)
threading.Thread(target=run, daemon=True).start()
view = RingView(pair, ssd, title="moving")
view
"""
LIFE = "[data-kind='{}'] .nvl-cell[data-slot='{}'][data-life='{}']"


def press(page, name):
    before = page.locator(".nvl-notice").text_content()
    page.get_by_role("button", name=re.compile(f"^{name}:")).click()
    page.wait_for_function("(t) => document.querySelector('.nvl-notice').textContent !== t", arg=before)
    return page.locator(".nvl-notice").text_content()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_choose_a_pair_and_walk_a_command_through_it(lab, page, pictures, dark):
    shade = "dark" if dark else "light"
    write(lab.root / "pairs.ipynb", PAIRS)
    book = Notebook(page, lab, "pairs.ipynb", dark)
    book.run_all()
    book.show(".nvl-ringview")
    page.wait_for_function("() => document.querySelectorAll('.nvl-pair').length === 4")
    assert page.locator(".nvl-pair[data-qid='1']").get_attribute("aria-pressed") == "true"
    page.select_option(".nvl-select", "read")
    assert "Wrote Read block 0 into SQ1[5]" in press(page, "post")
    page.wait_for_selector(LIFE.format("SQ", 5, "posted"))
    assert "1 new entry" in press(page, "ring doorbell")
    page.select_option(".nvl-select", "flush")
    press(page, "post")
    assert "The drive moved" in press(page, "step")
    page.wait_for_selector(LIFE.format("CQ", 5, "posted"))
    page.locator(LIFE.format("SQ", 5, "fetched")).click()
    page.wait_for_function("() => document.querySelector('.nvl-detail').textContent.includes('Read')")
    assert "may fetch nothing" in page.locator("[data-kind='SQ'] [data-may='drive']").text_content()
    page.screenshot(path=pictures / f"rings-pairs-{shade}.png")
    assert_accessible(page, ".nvl-ringview")
    press(page, "poll")
    page.wait_for_selector(LIFE.format("CQ", 5, "polled"))
    press(page, "ring CQ")
    page.wait_for_selector(LIFE.format("CQ", 5, "done"))
    page.locator(".nvl-pair[data-qid='3']").click()
    page.wait_for_selector(".nvl-title:has-text('I/O queue pair 3')")
    page.wait_for_selector("[data-kind='SQ'] canvas")
    page.screenshot(path=pictures / f"rings-large-{shade}.png")
    assert_accessible(page, ".nvl-ringview")
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute("
                  "{code: 'ctrl.delete_io_queue_pair(ctrl.io[3])'}); }")
    page.wait_for_function("() => [...document.querySelectorAll('.nvl-pair')].filter((e) => e.offsetHeight).length === 3")
    assert not page.problems


def test_1024_slots_follow_20_times_a_second(lab, page):
    write(lab.root / "fast.ipynb", FAST)
    book = Notebook(page, lab, "fast.ipynb")
    book.run_all()
    book.show(".nvl-ringview")
    page.wait_for_selector("[data-kind='SQ'] canvas")
    frames = page.evaluate("""() => new Promise((done) => {
        const root = document.querySelector('.nvl-ringview'), seen = new Set(), end = performance.now() + 3000;
        const look = () => { seen.add(root.dataset.seq); if (performance.now() < end) requestAnimationFrame(look); else done(seen.size); };
        look(); })""")
    assert frames / 3 >= 20, f"{frames / 3:.1f} frames a second"
