"""The debugger's view in JupyterLab: stop at a doorbell, look, step, go on, with the notebook free all the while."""

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write
from tests.browser.test_timeline import kernel, says

SOURCE = """
import nvlab
from nvlab.lab import DebuggerView
ctrl = nvlab.probe("embedded")
view = DebuggerView(ctrl, "ctrl.start()\\nns = ctrl.namespaces[1]\\nns.read(0, 1)")
view
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_stop_at_a_doorbell(lab, page, pictures, dark):
    """Buttons, the line to type into, a frame's source, and what a cell does meanwhile."""
    write(lab.root / "debug.ipynb", SOURCE)
    book = Notebook(page, lab, "debug.ipynb", dark)
    book.run_all()
    view = book.show(".nvl-debuggerview")
    says(page, ".nvl-story", "Nothing runs yet")
    view.get_by_role("button", name="SQ0TDBL", exact=True).first.click()
    says(page, ".nvl-points", "1  SQ0TDBL")
    view.locator(".nvl-add .nvl-input").fill("CC if CC.EN")
    page.keyboard.press("Enter")
    says(page, ".nvl-points", "2  CC if CC.EN")
    view.locator("[data-do=run]").click()
    says(page, ".nvl-story", "Breakpoint 2, before CC <- 0x460001")
    view.get_by_role("button", name="remove breakpoint 2").click()
    view.locator("[data-do=cont]").click()
    says(page, ".nvl-story", "Breakpoint 1, before SQ0TDBL <- 1: Identify")
    says(page, ".nvl-source .nvl-here", "write32")
    assert view.locator(".nvl-frame").nth(1).text_content().startswith("#1SubmissionQueue.ring")
    says(page, ".nvl-why-words", "SQ0TDBL is still 0")
    page.screenshot(path=pictures / f"debugger-{'dark' if dark else 'light'}.png")
    assert_accessible(page, ".nvl-debuggerview")
    view.locator(".nvl-frame").nth(2).click()
    says(page, ".nvl-stack .nvl-regs", "command")
    kernel(page, "seen = view.debugger.stopped.event.register; view.debugger.break_at('CQ0HDBL')")
    says(page, ".nvl-points", "CQ0HDBL")
    view.locator(".nvl-story").click()
    view.locator("[data-do=step]").focus()
    page.keyboard.press("c")
    says(page, ".nvl-story", "before CQ0HDBL <- 1")
    view.get_by_role("button", name="remove breakpoint 1").click()
    view.get_by_role("button", name="remove breakpoint 3").click()
    page.wait_for_function("() => !document.querySelector('.nvl-points li')")
    view.locator("[data-do=cont]").click()
    says(page, ".nvl-story", "The code ended and returned")
    assert not page.problems


def test_errors_show_in_the_widget(lab, page, pictures):
    """What can't be a breakpoint, code that isn't Python, code that raises."""
    write(lab.root / "debug.ipynb", SOURCE)
    book = Notebook(page, lab, "debug.ipynb")
    book.run_all()
    view = book.show(".nvl-debuggerview")
    view.locator(".nvl-add .nvl-input").fill("Nonsense")
    page.keyboard.press("Enter")
    says(page, ".nvl-notice[data-kind=error]", "can't break at 'Nonsense'")
    view.locator(".nvl-code").fill("ctrl.start(")
    view.locator("[data-do=run]").click()
    says(page, ".nvl-notice[data-kind=error]", "line 1")
    view.locator(".nvl-code").fill("1 / 0")
    page.keyboard.press("Control+Enter")
    says(page, ".nvl-story", "ZeroDivisionError")
    page.screenshot(path=pictures / "debugger-error.png")
    assert not page.problems
