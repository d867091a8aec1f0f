"""CommandBuilder in JupyterLab, over the embedded drive: choose, fill, read the Python, send, post, and be told what is wrong."""

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write

BUILD = """
import nvlab
from nvlab import cmd
from nvlab.lab import CommandBuilder
ctrl = nvlab.attach("embedded:size=16M")
builder = CommandBuilder(ctrl)
builder
"""


def told(page, words):
    page.wait_for_function("(w) => document.querySelector('.nvl-builder .nvl-notice').textContent.includes(w)", arg=words)


def python(page):
    return page.locator("[data-python]").text_content()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_identify_then_a_write_and_a_read(lab, page, pictures, dark):
    """The form makes the command; what comes back is decoded; the bytes written are the bytes read."""
    theme = "dark" if dark else "light"
    write(lab.root / "builder.ipynb", BUILD)
    book = Notebook(page, lab, "builder.ipynb", dark)
    book.run_all()
    book.show(".nvl-builder")
    page.wait_for_function("() => document.querySelector('[data-python]').textContent === 'cmd.identify(cns=1, prp1=buf)'")
    assert page.locator("[data-dw='10'] .nvl-dword-v").text_content() == "00000001"
    page.get_by_role("button", name="send: post it").click()
    told(page, "Identify: Successful Completion")
    page.get_by_text("NVLAB0001", exact=True).wait_for()
    page.locator(".nvl-mem-field", has_text="mdts").click()
    page.wait_for_function("() => document.querySelector('.nvl-mem-line').textContent.includes('Maximum Data Transfer Size')")
    page.screenshot(path=pictures / f"builder-identify-{theme}.png")
    assert_accessible(page, ".nvl-builder")

    page.get_by_label("command", exact=True).select_option(label="Write (01h)")
    page.get_by_label("slba: Starting LBA").fill("0x10")
    page.get_by_label("nlb: Number of Logical Blocks").fill("7")
    page.wait_for_function("() => document.querySelector('.nvl-room span').textContent.includes('4,096 bytes')")
    assert python(page) == "cmd.write(nsid=1, slba=16, nlb=7, prp1=buf)"
    page.get_by_label("what to fill the data buffer with").fill("Hello world!")
    page.get_by_role("button", name="fill: write").click()
    told(page, "Filled")
    page.get_by_role("button", name="send: post it").click()
    told(page, "Write: Successful Completion")

    page.get_by_label("what to fill the data buffer with").fill("0x00")
    page.get_by_role("button", name="fill: write").click()
    page.get_by_label("command", exact=True).select_option(label="Read (02h)")
    page.get_by_label("slba: Starting LBA").fill("16")
    page.get_by_role("button", name="send: post it").click()
    told(page, "Read: Successful Completion")
    page.wait_for_function("() => document.querySelector('.nvl-mem-text').textContent.startsWith('Hello world!')")
    page.get_by_label("nlb: Number of Logical Blocks").fill("15")
    page.wait_for_function("() => document.querySelector('[data-python]').textContent.includes('prp2=buf.iova + 4096')")
    page.screenshot(path=pictures / f"builder-read-{theme}.png")
    assert_accessible(page, ".nvl-builder")
    assert not page.problems


def test_what_is_wrong_is_told(lab, page, pictures):
    """Out of range: at the field. Refused by the drive: as a status with its hint. Posted: the doorbell stays."""
    write(lab.root / "wrong.ipynb", BUILD)
    book = Notebook(page, lab, "wrong.ipynb")
    book.run_all()
    book.show(".nvl-builder")
    page.get_by_label("command", exact=True).select_option(label="Read (02h)")
    field = page.get_by_label("nlb: Number of Logical Blocks")
    field.fill("65536")
    assert field.get_attribute("aria-invalid") == "true"
    page.get_by_text("at most 65,535").wait_for()
    field.fill("0")
    page.get_by_label("slba: Starting LBA").fill("0xFFFFFFFF")
    page.get_by_role("button", name="send: post it").click()
    page.wait_for_function("() => document.querySelector('.nvl-answer-head').dataset.ok === 'false'")
    assert "LBA Out of Range" in page.locator(".nvl-answer-head").text_content()
    page.screenshot(path=pictures / "builder-error.png")
    page.get_by_role("button", name="post: fill").click()
    told(page, "the controller doesn't know until SQ1TDBL is written")
    assert not page.problems
