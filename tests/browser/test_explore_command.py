"""`nvlab explore` as a person has it: its address opened, and no key pressed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
from tests.browser.notebook import CELLS, READY
from tests.browser.server import ROOT
from tests.browser.test_explorer import shown
from tests.browser.test_timeline import kernel, says


@contextlib.contextmanager
def explored(folder, *argv):
    """`nvlab explore …` in a process of its own, with private settings; yields (the URL it printed, what it printed before)."""
    private = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")}
    code = "import sys; from nvlab.tools.main import main; sys.exit(main())"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code, "explore", *argv, "--no-browser", "--port", "18890", "--jupyter=--expose-app-in-browser"],
                                   cwd=ROOT, env={**os.environ, **private}, stdout=subprocess.PIPE, stderr=log, text=True)
    killer = threading.Timer(100, process.kill)
    killer.start()
    try:
        said = []
        for line in process.stdout:
            if found := re.search(r"http://\S+token=\w+", line):
                yield found[0], "".join(said)
                break
            said.append(line)
        else:
            pytest.fail(f"no address was printed:\n{''.join(said)}\n{(folder / 'log').read_text(errors='replace')[-2000:]}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        killer.cancel()


def opened(page, url):
    page.set_viewport_size({"width": 1400, "height": 1250})
    page.goto(url, timeout=60_000)
    page.wait_for_function(READY, timeout=60_000)


@pytest.mark.parametrize("address", ["embedded", pytest.param("qemu", marks=pytest.mark.require("qemu"))])
def test_it_opens_ready_made(tmp_path, page, pictures, address):
    """The views are there without a key pressed, the doorbells work, and the cell run again closes the first controller."""
    with explored(tmp_path, address) as (url, said):
        assert "Shift+Enter" not in said
        opened(page, url)
        page.locator(".nvl-explorer").wait_for(timeout=30_000)
        shown(page, "rings")
        assert [cell["count"] for cell in page.evaluate(CELLS)] == [1]
        page.screenshot(path=pictures / f"explore-{address}.png")
        kernel(page, "from nvlab import cmd; first = explorer; explorer.ctrl.io[1].sq.post(cmd.flush(nsid=1))")
        says(page, ".nvl-explorer > .nvl-why .nvl-why-words", "SQ1TDBL is still 0")
        page.locator("[data-tab='timeline']").click()
        shown(page, "timeline")
        page.keyboard.press("Escape")
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        page.wait_for_function(f"() => ({CELLS})()[0].count > 1", timeout=60_000)
        kernel(page, "explorer.say('info', f'the first is closed: {first.ctrl.closed}')")
        says(page, ".nvl-explore-notice", "the first is closed: True")
        assert not page.problems


@pytest.mark.require("qemu")
def test_an_error_is_shown_in_the_notebook(tmp_path, page):
    """A drive that can't be opened: the page opens all the same, and has the error and its remedy."""
    missing = tmp_path / "missing" / "disk.raw"
    with explored(tmp_path, f"qemu:image={missing}") as (url, _):
        opened(page, url)
        page.wait_for_function(f"(path) => window.jupyterapp.shell.currentWidget && ({CELLS})()[0].errors.some((e) => e.includes(path))", arg=str(missing))
        assert page.locator(".jp-OutputArea", has_text=str(missing)).is_visible()
