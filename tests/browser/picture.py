"""Make the picture in the README again: `python -m tests.browser.picture [FILE]` (notebooks/images/lab.png)."""

import pathlib
import sys
import tempfile

from tests.browser.notebook import Notebook, write
from tests.browser.server import FLAGS, ROOT, Lab, chromium_path

CELLS = (
    """\
import nvlab
from nvlab import cmd
from nvlab.lab import LivePlot, RingView

ctrl = nvlab.probe("embedded:mode=manual")
ctrl.disable(); ctrl.create_admin_queue(depth=32); ctrl.enable(); ctrl.identify()
for cns in (1, 2, 3, 0):
    ctrl.admin.sq.post(cmd.identify(cns=cns, nsid=1 if cns in (0, 3) else 0, prp1=ctrl.alloc(4096)))
RingView(ctrl.admin)""",
    """\
ssd = nvlab.attach("embedded")
perf = nvlab.Perf(ssd, workload="randread", io_size=4096, depth=32).start()
LivePlot(perf)""")


def main(path=ROOT / "notebooks" / "images" / "lab.png"):
    """Run the cells in JupyterLab, press the buttons half way, and save what is seen."""
    from playwright.sync_api import sync_playwright

    path = pathlib.Path(path)
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as base, sync_playwright() as playwright:
        server = Lab(pathlib.Path(base))
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        try:
            server.wait()
            page = browser.new_page(viewport={"width": 1180, "height": 1495}, device_scale_factor=1.5)
            take(page, server, path)
        finally:
            browser.close()
            server.end_kernels()
            server.close()
    print(path)


def take(page, server, path):
    write(server.root / "lab.ipynb", *CELLS)
    book = Notebook(page, server, "lab.ipynb")
    book.command("application:toggle-left-area")
    book.run_all()
    for act, times in (("ring", 1), ("step", 3), ("poll", 2)):
        for _ in range(times):
            page.locator(f"[data-do='{act}']").click()
            page.wait_for_timeout(300)
    sq = page.locator("[data-kind='SQ']")
    fetched = sq.locator(".nvl-cell[data-life='fetched']").first
    fetched.click()
    page.evaluate("""() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        {code: 'perf.stop(); perf.start()'}); }""")                    # a curve without the page's own start in it
    page.wait_for_timeout(12000)
    page.screenshot(path=path)


if __name__ == "__main__":
    main(*sys.argv[1:])
