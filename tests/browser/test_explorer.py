"""The explorer in JupyterLab: each tab shown, by mouse and by keys; what isn't shown rests; a page reloaded, a kernel restarted."""

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write
from tests.browser.test_timeline import kernel, says

from nvlab.lab.tabs import TABS

SOURCE = """
import nvlab
explorer = nvlab.explore("embedded")
explorer
"""
NAMES = [name for name, *_ in TABS]


def open_explorer(lab, page, name, dark=False, source=SOURCE):
    write(lab.root / f"{name}.ipynb", source)
    page.set_viewport_size({"width": 1400, "height": 1250})
    book = Notebook(page, lab, f"{name}.ipynb", dark)
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" and "nvl" in message.text.lower() else None)
    book.run_all()
    book.show(".nvl-explorer")
    shown(page, "rings")
    return book, page.locator(".nvl-explorer")


def shown(page, name):
    """Wait until the view behind a tab is there, and the only one to be seen."""
    page.wait_for_function("""(name) => {
        const panels = [...document.querySelectorAll('.nvl-explore-panel:not([hidden])')];
        return panels.length === 1 && panels[0].id.endsWith(`-${name}`) && panels[0].querySelector('.nvl[data-seq]')?.offsetHeight > 0
          && document.querySelector(`[data-tab='${name}']`).getAttribute('aria-selected') === 'true'; }""", arg=name)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_each_tab(lab, page, pictures, dark):
    """A click on each shows its view, and a picture of it is taken."""
    _, view = open_explorer(lab, page, "explorer", dark)
    assert view.get_by_role("tab").count() == len(NAMES)
    for name in NAMES:
        view.locator(f"[data-tab='{name}']").click()
        shown(page, name)
        page.wait_for_timeout(700)
        page.screenshot(path=pictures / f"explorer-{name}-{'dark' if dark else 'light'}.png")
        assert_accessible(page, ".nvl-explorer")
    says(page, ".nvl-explorer > .nvl-why .nvl-why-words", "Nothing is wrong")
    assert not page.problems


def test_keys_and_what_rests(lab, page):
    """Arrow keys, Home and End go from tab to tab; the view that isn't shown costs the kernel nothing."""
    _, view = open_explorer(lab, page, "keys")
    view.locator("[data-tab='rings']").focus()
    for key, name in (("ArrowRight", NAMES[1]), ("ArrowLeft", NAMES[0]), ("ArrowLeft", NAMES[-1]), ("Home", NAMES[0]), ("End", NAMES[-1])):
        page.keyboard.press(key)
        shown(page, name)
        assert page.evaluate("document.activeElement.dataset.tab") == name
    assert page.locator(".nvl-explore-tab[tabindex='0']").count() == 1
    kernel(page, """
import time
def busy(view): return view._publisher.alive
deadline = time.monotonic() + 10
while busy(explorer.view('rings')) and time.monotonic() < deadline: time.sleep(0.1)
explorer.say('info', f"rings alive: {busy(explorer.view('rings'))}, last alive: {busy(explorer.view(explorer.tab)) or explorer.tab}")
""")
    says(page, ".nvl-explore-notice", "rings alive: False")
    kernel(page, "explorer.tab = 'rings'")
    shown(page, "rings")
    assert not page.problems


def test_by_hand_and_back_after_a_reload(lab, page, pictures):
    """The doorbells work inside of the tab, what stands still is said below, and a page loaded again shows it all."""
    book, view = open_explorer(lab, page, "hand")
    kernel(page, "from nvlab import cmd; explorer.ctrl.io[1].sq.post(cmd.flush(nsid=1))")
    says(page, ".nvl-explorer > .nvl-why .nvl-why-words", "SQ1TDBL is still 0")
    view.get_by_label("how the drive moves").select_option("inline")
    says(page, ".nvl-explore-notice", "whenever the host polls")
    view.get_by_role("button", name="record: stop").click()
    says(page, ".nvl-explore-notice", "Recording has stopped")
    page.screenshot(path=pictures / "explorer-why.png")
    book.command("docmanager:save")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload()
    page.wait_for_selector(".nvl-explorer", state="attached", timeout=60_000)
    shown(page, "rings")
    view.locator("[data-tab='timeline']").click()
    shown(page, "timeline")
    assert not page.problems
