"""Make the animation in the README again: `python -m tests.browser.animation [FILE]` (notebooks/images/explorer.gif)."""

import io
import pathlib
import sys
import tempfile

from PIL import Image
from tests.browser.notebook import Notebook, write
from tests.browser.server import FLAGS, ROOT, Lab, chromium_path

CELL = """\
import nvlab
from nvlab import cmd

explorer = nvlab.explore("embedded")
for lba in range(5):
    explorer.ctrl.io[1].sq.post(cmd.read(nsid=1, slba=lba, prp1=explorer.ctrl.alloc(4096)))
explorer"""
SHOWN_MS = 1100


def main(path=ROOT / "notebooks" / "images" / "explorer.gif"):
    """Ring, step and poll in the explorer, look at the other tabs, and save what was seen, a picture a step."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as base, sync_playwright() as playwright:
        server = Lab(pathlib.Path(base))
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        try:
            server.wait()
            frames = take(browser.new_page(viewport={"width": 1120, "height": 1000}), server)
        finally:
            browser.close()
            server.end_kernels()
            server.close()
    small = [frame.quantize(64, dither=Image.Dither.NONE) for frame in frames]
    small[0].save(path, save_all=True, append_images=small[1:], duration=SHOWN_MS, loop=0, optimize=True)
    print(path)


def take(page, server):
    """The pictures, in order."""
    write(server.root / "explorer.ipynb", CELL)
    book = Notebook(page, server, "explorer.ipynb")
    book.command("application:toggle-left-area")
    book.run_all()
    view = book.show(".nvl-explorer")
    frames = []

    def look():
        page.wait_for_timeout(600)
        frames.append(Image.open(io.BytesIO(view.screenshot())).convert("RGB"))

    look()
    for act in ("ring", "step", "step", "poll", "poll", "ring_cq"):
        view.locator(f"[data-do='{act}']").first.click()
        look()
    for tab in ("timeline", "debugger", "memory"):
        view.locator(f"[data-tab='{tab}']").click()
        look()
    height = max(frame.height for frame in frames[:7])
    return [frame.crop((0, 0, frame.width, height)) for frame in frames]


if __name__ == "__main__":
    main(*sys.argv[1:])
