"""MemoryView and PrpView in JupyterLab: a field lights its bytes, a byte its field; PRPs drawn, a bad entry marked."""

import re

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write

MEMORY = """
import nvlab
from nvlab import cmd
from nvlab.lab import MemoryView
from nvlab.spec.identify import IdentifyController
ctrl = nvlab.attach("embedded:size=16M")
buf = ctrl.alloc(4096)
ctrl.execute(cmd.identify(cns=1, prp1=buf))
view = MemoryView(buf, IdentifyController)
view
"""
PRPS = """
import nvlab, numpy as np
from nvlab import cmd
from nvlab.host.prp import build_prp
from nvlab.lab import PrpView
ctrl = nvlab.attach("embedded:size=16M")
buf = ctrl.alloc(7 * 4096); buf[:] = np.frombuffer(b"All work and no play. " * 1304, np.uint8)[:len(buf)]
prp = build_prp(ctrl.dma, buf.iova + 0x400, 24576)
view = PrpView(ctrl, cmd.write(nsid=1, slba=0, nlb=47, prp1=prp.prp1, prp2=prp.prp2))
view
"""


def lit(page):
    return page.locator(".nvl-mem-hex .nvl-mem-byte.nvl-mem-lit").evaluate_all("(all) => all.map((e) => +e.dataset.n)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_fields_and_bytes_light_each_other(lab, page, pictures, dark):
    """With the mouse and with the keys; another structure is chosen in the page."""
    write(lab.root / "memory.ipynb", MEMORY)
    book = Notebook(page, lab, "memory.ipynb", dark)
    book.run_all()
    book.show(".nvl-memview")
    page.locator(".nvl-mem-field", has_text=re.compile("^oacs")).click()
    assert lit(page) == [256, 257]
    page.locator(".nvl-mem-byte[data-n='26']").scroll_into_view_if_needed()
    page.locator(".nvl-mem-byte[data-n='26']").hover()
    page.wait_for_function("() => document.querySelector('.nvl-mem-line').textContent.includes('Model Number')")
    assert lit(page) == list(range(24, 64))
    page.locator(".nvl-mem-hex").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert "byte 11h" in page.locator(".nvl-mem-line").text_content()
    assert "Serial Number" in page.locator(".nvl-mem-hex").get_attribute("aria-valuetext")
    page.locator(".nvl-mem-list").focus()
    page.keyboard.press("ArrowDown")
    assert lit(page) == list(range(24, 64))
    page.screenshot(path=pictures / f"memory-{'dark' if dark else 'light'}.png")
    assert_accessible(page, ".nvl")
    page.get_by_label("structure that the bytes are").select_option("bytes alone")
    page.wait_for_selector(".nvl-mem-alone", state="attached")
    assert not page.problems


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_prps_drawn_and_a_bad_entry_marked(lab, page, pictures, dark):
    """The list page is read by a click; when an entry becomes wrong, the picture says so by itself."""
    theme = "dark" if dark else "light"
    write(lab.root / "prps.ipynb", PRPS)
    book = Notebook(page, lab, "prps.ipynb", dark)
    book.run_all()
    book.show(".nvl-prpview")
    page.wait_for_function("() => document.querySelector('.nvl-prp-says').textContent.includes('24,576 bytes in 7 pages, over 1 list page')")
    page.get_by_role("button", name=re.compile("^PRP2 =")).click()
    page.wait_for_function("() => document.querySelectorAll('.nvl-mem-field').length === 6")
    page.screenshot(path=pictures / f"prps-{theme}.png")
    assert_accessible(page, ".nvl")
    page.locator("[data-entry='1']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.nvl-mem-text').textContent.includes('work')")
    page.evaluate("""() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        {code: 'prp.lists[0].view(np.uint64)[2] = 0x123456'}); }""")
    page.wait_for_selector(".nvl-prp-bad")
    assert "list 0 [2] = 0x123456 begins 0x456" in page.locator(".nvl-prp-says").text_content()
    page.screenshot(path=pictures / f"prps-bad-{theme}.png")
    assert_accessible(page, ".nvl")
    assert not page.problems


def test_all_memory_of_a_controller(lab, page, pictures):
    """By address, or by the queues it holds: a slot after the other."""
    write(lab.root / "dma.ipynb", 'import nvlab\nfrom nvlab.lab import MemoryView\nctrl = nvlab.attach("embedded:size=16M")\nMemoryView(ctrl)')
    book = Notebook(page, lab, "dma.ipynb")
    book.run_all()
    book.show(".nvl-memview")
    page.locator(".nvl-mem-field", has_text="opc").wait_for()
    at = int(page.get_by_label("where in the memory").input_value(), 16)
    page.get_by_role("button", name="▸: the bytes after").click()
    page.wait_for_function("(v) => document.querySelector('.nvl-memview input').value === v", arg=hex(at + 64))
    page.get_by_role("button", name="CQ0: the entries of CQ0").click()
    page.wait_for_function("() => document.querySelector('.nvl-memview .nvl-title').textContent === 'CQE'")
    page.screenshot(path=pictures / "memory-controller.png")
    page.get_by_label("where in the memory").fill("0x10")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.nvl-memview .nvl-notice').textContent.includes('goes from')")
    assert not page.problems
