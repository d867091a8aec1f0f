"""The register view in JupyterLab, over the embedded drive: look, find, write, watch a change, and a drive that vanishes."""

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write

SOURCE = """
import nvlab
from nvlab.lab import RegistersView
ctrl = nvlab.attach("embedded:mode=inline,size=4M")
ctrl.create_io_queue_pair(16)
view = RegistersView(ctrl, period_s=0.1)
view
"""
RUN = "(code) => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}); }"


def row(page, name):
    return page.locator(f"[data-register='{name}']")


def says(page, text):
    page.wait_for_function("(t) => document.querySelector('.nvl-notice').textContent.includes(t)", arg=text)


def type_into(page, name, value, key="Enter"):
    entry = page.get_by_label(name, exact=True)
    entry.fill(value)
    entry.press(key)
    return entry


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_registers(lab, page, pictures, dark):
    shade = "dark" if dark else "light"
    write(lab.root / "registers.ipynb", SOURCE)
    book = Notebook(page, lab, "registers.ipynb", dark)
    book.run_all()
    book.show(".nvl-registersview")
    row(page, "CC").click()
    assert "Controller Configuration" in page.locator(".nvl-reg-head").text_content()
    assert page.locator(".nvl-reg-facts").text_content().startswith("at 14h, 4 bytes, read and write · base 2.0c 3.1.3.5")
    type_into(page, "CC.AMS", "1", "Escape")
    assert page.get_by_label("CC.AMS", exact=True).input_value() == "0"
    type_into(page, "CC.EN", "7")
    says(page, "does not fit")
    row(page, "INTMS").click()
    type_into(page, "INTMS.IVMS", "0x6")
    says(page, "Wrote 0x00000006 to INTMS; it reads 0x00000006.")
    page.wait_for_function("() => document.querySelector('[data-register=INTMC]').classList.contains('nvl-changed')")
    row(page, "CC").click()
    type_into(page, "CC.SHN", "normal")
    page.wait_for_function("() => document.querySelector('[data-register=CSTS]').textContent.includes('was 0x00000001')")
    page.screenshot(path=pictures / f"registers-{shade}.png")
    assert_accessible(page, ".nvl-registersview")
    page.wait_for_function("() => document.querySelector('[data-register=CSTS]').textContent.includes('SHST=2')", timeout=8000)
    page.locator(".nvl-search").fill("doorbell stride")
    page.wait_for_function("() => [...document.querySelectorAll('.nvl-reg-row')].filter((e) => e.offsetHeight).length === 1")
    page.locator(".nvl-search").fill("")
    row(page, "CAP").focus()
    page.keyboard.press("ArrowDown")
    assert "Version" in page.locator(".nvl-reg-head").text_content()
    row(page, "CAP").click()
    page.screenshot(path=pictures / f"registers-cap-{shade}.png")
    assert not row(page, "PMRCTL").is_visible()
    page.get_by_label("that this controller lacks").check()
    row(page, "PMRCTL").click()
    assert "not there: CAP.PMRS is 0" in page.locator(".nvl-reg-line").text_content()
    page.evaluate(RUN, "ctrl.ssd.faults.vanish(); ctrl.function.bar.read32(0)")
    page.evaluate(RUN, "try:\n    ctrl.check_alive()\nexcept Exception:\n    pass")
    page.wait_for_function("() => document.querySelector('.nvl-gone').textContent.includes('is gone')")
    page.wait_for_function("() => document.querySelector('.nvl-why-words').textContent.includes('is gone')", timeout=8000)
    page.screenshot(path=pictures / f"registers-gone-{shade}.png")
    assert not page.problems
