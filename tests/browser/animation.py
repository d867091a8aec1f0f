"""Make the animation in the README again: `python -m tests.browser.animation [FILE]` (notebooks/images/explorer.gif)."""

import io
import pathlib
import sys
import tempfile

from PIL import Image, ImageOps
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
    small = with_one_palette(frames)
    small[0].save(path, save_all=True, append_images=small[1:], duration=SHOWN_MS, loop=0, optimize=True)
    print(path)


def with_one_palette(frames):
    """The frames in 256 colours, the same ones in each: a grey doesn't flicker, and a small thing's colour isn't lost to text."""
    strip = Image.new("RGB", (frames[0].width, sum(frame.height for frame in frames)))
    for number, frame in enumerate(frames):
        strip.paste(frame, (0, number * frame.height))
    palette = strip.quantize(256, Image.Quantize.MAXCOVERAGE)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


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

    view.locator(".nvl-why-words", has_text="SQ1TDBL").last.wait_for()        # what stands still is said after a moment
    look()
    for act in ("ring", "step", "step", "poll", "poll", "ring_cq"):
        view.locator(f"[data-do='{act}']").first.click()
        look()
    for tab in ("timeline", "debugger", "memory"):
        view.locator(f"[data-tab='{tab}']").click()
        look()
    height = max(frame.height for frame in frames[:7])
    return [ImageOps.pad(frame.crop((0, 0, frame.width, min(frame.height, height))), (frame.width, height), color="white", centering=(0, 0))
            for frame in frames]


if __name__ == "__main__":
    main(*sys.argv[1:])
