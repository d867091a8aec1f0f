"""The identify view in JupyterLab: search, zeros, another structure, two controllers compared, read again."""

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write

SOURCE = """
import nvlab
from nvlab.lab import IdentifyView
one = nvlab.attach("embedded:mode=inline,size=4M,namespaces=2")
two = nvlab.attach("embedded:mode=inline,size=8M,block=4096")
IdentifyView(one{two})
"""
SHOWN = "() => [...document.querySelectorAll('.nvl-id-table tr[data-member]')].filter((e) => e.offsetHeight).map((e) => e.dataset.member)"


def shown(page):
    return page.evaluate(SHOWN)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_search_and_structures(lab, page, pictures, dark):
    shade = "dark" if dark else "light"
    write(lab.root / "identify.ipynb", SOURCE.format(two=""))
    book = Notebook(page, lab, "identify.ipynb", dark)
    book.run_all()
    book.show(".nvl-identifyview")
    page.wait_for_selector("tr[data-member='mdts']")
    few = shown(page)
    assert "mn" in few and "fuses" not in few
    page.screenshot(path=pictures / f"identify-{shade}.png")
    assert_accessible(page, ".nvl-identifyview")
    page.locator(".nvl-search").fill("transfer size")
    assert shown(page) == ["mdts"]
    page.locator(".nvl-search").fill("fused")
    assert "fuses" in shown(page)
    page.locator(".nvl-search").fill("no such words")
    assert page.locator(".nvl-id-none").text_content().startswith("Nothing here")
    page.locator(".nvl-search").fill("")
    page.get_by_label("members that are 0 too").check()
    assert len(shown(page)) > 3 * len(few)
    page.get_by_label("members that are 0 too").uncheck()
    page.get_by_label("structure", exact=True).select_option("Namespace 2")
    page.wait_for_selector("tr[data-member='nsze']")
    page.get_by_role("button", name="read again").click()
    page.wait_for_function("() => document.querySelector('.nvl-notice').textContent.startsWith('Asked')")
    assert not page.problems


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_two_controllers_compared(lab, page, pictures, dark):
    write(lab.root / "compare.ipynb", SOURCE.format(two=", two"))
    book = Notebook(page, lab, "compare.ipynb", dark)
    book.run_all()
    book.show(".nvl-identifyview")
    page.get_by_label("structure", exact=True).select_option("Namespace 1")
    page.wait_for_selector("tr[data-member='nsze'].nvl-differs")
    page.screenshot(path=pictures / f"identify-compare-{'dark' if dark else 'light'}.png")
    assert_accessible(page, ".nvl-identifyview")
    page.get_by_label("only what differs").check()
    assert "nsze" in shown(page) and len(shown(page)) < 12
    assert not page.problems
