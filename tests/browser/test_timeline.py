"""The timeline in JupyterLab, over the real driver and drive: filter, zoom, choose, travel, with mouse and keys."""

import re

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write

BRINGUP = """
import nvlab
from nvlab.lab import Timeline
ctrl = nvlab.probe("embedded")
with nvlab.Trace(ctrl, stacks=True) as trace:
    ctrl.start()
    ns = ctrl.namespaces[1]
    ns.write(0, b"Hello world!"); ns.read(0, 1)
timeline = Timeline(trace)
timeline
"""
LONG = """
import nvlab
from nvlab.lab import Timeline
ctrl = nvlab.attach("embedded")
trace = nvlab.Trace(ctrl).start(memory=64 << 20)
nvlab.Perf(ctrl, io_size=4096, depth=32, workload="randread", count=60000).start().wait()
timeline = Timeline(trace.stop())
timeline
"""
LIVE = """
import nvlab
from nvlab.lab import Timeline
ctrl = nvlab.attach("embedded")
ns = ctrl.namespaces[1]
trace = nvlab.Trace(ctrl).start()
timeline = Timeline(trace)
timeline
"""


def open_timeline(lab, page, name, source, dark=False, ready="events"):
    write(lab.root / f"{name}.ipynb", source)
    book = Notebook(page, lab, f"{name}.ipynb", dark)
    page.set_viewport_size({"width": 1400, "height": 1200})
    book.run_all()
    book.show(".nvl-timeline")
    page.wait_for_selector(f".nvl-timeline[data-drawn*='{ready}']", state="attached")
    return page.locator(".nvl-timeline")


def says(page, selector, words):
    page.wait_for_function("([s, w]) => [...document.querySelectorAll(s)].some((e) => e.textContent.includes(w))", arg=[selector, words])


def drawn(page, words):
    page.wait_for_function("(w) => document.querySelector('.nvl-timeline').dataset.drawn.includes(w)", arg=words)


def kernel(page, code):
    page.evaluate("(code) => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}); }", code)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_bring_up_event_by_event(lab, page, pictures, dark):
    """The end first; keys go back and forth, and rings, decode and back-trace follow. The keys do nothing to the notebook."""
    view = open_timeline(lab, page, "timeline", BRINGUP, dark)
    says(page, ".nvl-moment .nvl-panel-head", "at the end")
    view.locator(".nvl-lanes").focus()
    for _ in range(7):
        page.keyboard.press("ArrowLeft")
    says(page, ".nvl-event .nvl-panel-sub", "CQ1HDBL ← 1")
    says(page, ".nvl-bt", "CompletionQueue.ring")
    page.keyboard.press("ArrowRight")
    says(page, ".nvl-event .nvl-panel-head", "Read")
    says(page, ".nvl-event .nvl-rows", "slba")
    assert "tail 2" in page.locator(".nvl-strip-facts").nth(2).text_content()
    assert page.locator(".nvl-item.nvl-on").text_content().endswith("cid=1")
    assert "Read" in view.locator(".nvl-lanes").get_attribute("aria-valuetext")
    page.screenshot(path=pictures / f"timeline-{'dark' if dark else 'light'}.png")
    assert_accessible(page, ".nvl-timeline")
    for key in ("0", "0", "ArrowDown", "c", "x", "d", "d"):
        page.keyboard.press(key)
    assert page.locator(".jp-Dialog").count() == 0 and page.locator(".jp-Notebook .jp-CodeCell").count() == 1
    page.keyboard.press("Home")
    says(page, ".nvl-event .nvl-panel-head", "The beginning")
    says(page, ".nvl-moment .nvl-panel-sub", "No queues yet")
    assert not page.problems


def test_the_mouse_chooses_and_filters(lab, page, pictures):
    """A click in the lanes and in the list, a step of a command's life, a filter, the clock as axis, and Python's own word."""
    view = open_timeline(lab, page, "mouse", BRINGUP)
    view.locator(".nvl-item", has_text="SQ1TDBL ← 2").click()
    says(page, ".nvl-event .nvl-panel-head", "SQ1TDBL: Submission Queue 1 Tail Doorbell")
    view.locator(".nvl-item", has_text="SQ1[1] Read nsid=1").click()
    view.get_by_role("button", name=re.compile("^completed")).click()
    says(page, ".nvl-event .nvl-panel-head", "Completion of command 1")
    view.locator("[data-filter='qid']").select_option("1")
    says(page, ".nvl-timeline .nvl-mode", "18 of")
    page.wait_for_function("() => document.querySelectorAll('.nvl-item:not([style*=none])').length === 18")
    view.locator("[data-filter='kind']").select_option("doorbell")
    says(page, ".nvl-timeline .nvl-mode", "4 of")
    box = view.locator(".nvl-lanes-canvas").bounding_box()
    view.get_by_role("button", name=re.compile("^all:")).click()
    page.wait_for_timeout(300)
    page.mouse.click(box["x"] + 104 + (box["width"] - 118) * 0.145, box["y"] + 28)
    says(page, ".nvl-event .nvl-panel-head", "SQ1TDBL")
    says(page, ".nvl-bt", "SubmissionQueue.ring")
    view.get_by_role("button", name=re.compile("^time:")).click()
    drawn(page, "time events 4")
    page.screenshot(path=pictures / "timeline-filter.png")
    for name in ("qid", "kind"):
        view.locator(f"[data-filter='{name}']").select_option("")
    drawn(page, "time events 9")
    kernel(page, "timeline.go(trace.select(kind='SQ_DOORBELL')[0])")
    says(page, ".nvl-event .nvl-panel-head", "SQ0TDBL")
    assert not page.problems


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_three_hundred_thousand_events(lab, page, pictures, dark):
    """All of them as densities, a few as events, wherever the slider goes; and little of it crosses the wire."""
    view = open_timeline(lab, page, "long", LONG, dark)
    view.get_by_role("button", name=re.compile("^all:")).click()
    drawn(page, "heaps")
    page.wait_for_timeout(400)
    page.screenshot(path=pictures / f"timeline-all-{'dark' if dark else 'light'}.png")
    view.locator(".nvl-range").evaluate("(e) => { e.value = 100000; e.dispatchEvent(new Event('input')); }")
    says(page, ".nvl-moment .nvl-panel-head", "after event 100000")
    view.get_by_role("button", name=re.compile("^even:")).click()
    for _ in range(12):
        view.get_by_role("button", name=re.compile(r"^\+:")).click()
    drawn(page, "order events")
    page.wait_for_timeout(400)
    says(page, ".nvl-item.nvl-on", "Read")
    view.locator(".nvl-lanes").focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    says(page, ".nvl-moment .nvl-panel-head", "after event 100030")
    page.screenshot(path=pictures / f"timeline-long-{'dark' if dark else 'light'}.png")
    assert not page.problems


def test_a_trace_is_followed_alive(lab, page, pictures):
    """Events come in while it records, also while a cell blocks; choosing one stops the following."""
    view = open_timeline(lab, page, "live", LIVE, ready="order")
    kernel(page, "import time\nfor lba in range(120): ns.read(lba, 1); time.sleep(0.02)")
    says(page, ".nvl-timeline .nvl-mode", "● recording")
    page.wait_for_function("() => parseInt(document.querySelector('.nvl-timeline .nvl-mode').textContent.match(/([0-9,]+) events/)[1]) > 60")
    page.screenshot(path=pictures / "timeline-live.png")
    view.locator(".nvl-lanes").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => document.querySelector('.nvl-timeline button[title^=\\'stay\\']').getAttribute('aria-pressed') === 'false'")
    before = page.locator(".nvl-scrub-words").text_content()
    page.wait_for_timeout(1200)
    assert page.locator(".nvl-scrub-words").text_content().split(" of ")[0] == before.split(" of ")[0]
    assert not page.problems


def test_the_slider_moves_other_views(lab, page, pictures):
    """A ring view of the same instant follows the timeline, forwards and backwards."""
    write(lab.root / "linked.ipynb", BRINGUP, "from nvlab.lab import RingView\nRingView(timeline.pair(1), timeline.drive, title='as recorded')")
    book = Notebook(page, lab, "linked.ipynb")
    page.set_viewport_size({"width": 1500, "height": 1900})
    book.run_all()
    book.show(".nvl-ringview")
    tail = "() => document.querySelector('.nvl-ringview [data-kind=SQ] [data-fact=host-tail]')?.textContent"
    page.wait_for_function(f"{tail} === '2'")
    page.locator(".nvl-lanes").focus()
    for key, count in (("ArrowLeft", 7), ("ArrowRight", 1), ("ArrowLeft", 1)):
        for _ in range(count):
            page.keyboard.press(key)
        page.wait_for_function(f"{tail} === '{2 if key == 'ArrowRight' else 1}'")
    bell = page.locator(".nvl-ringview").get_by_role("button", name="ring doorbell")
    bell.wait_for(state="hidden")                          # the past can't be moved; "now" can
    page.keyboard.press("Home")
    says(page, ".nvl-ringview .nvl-busy", "There is no queue pair 1 at this instant: it is made later.")
    assert not page.locator(".nvl-ringview [data-kind=SQ]").is_visible()
    assert page.locator(".nvl-ringview .nvl-notice[data-kind=error]").count() == 0
    page.screenshot(path=pictures / "rings-absent.png")
    page.keyboard.press("End")
    page.wait_for_function(f"{tail} === '2'")
    page.locator(".nvl-ringview [data-kind=SQ]").wait_for(state="visible")
    bell.wait_for(state="visible")
    for _ in range(7):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"{tail} === '1'")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"{tail} === '2'")
    page.screenshot(path=pictures / "timeline-linked.png")
    assert not page.problems
