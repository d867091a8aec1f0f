"""A saved notebook opened again without its kernel: each view left a picture that can be read, trusted or not."""

import nbformat
import pytest

from nbconvert import HTMLExporter
from tests.browser.notebook import Notebook, write

SOURCE = """
from tests.lab.fake_nvme import FakeQueuePair, FakeSsd, identify
from nvlab.lab import RingView
qp = FakeQueuePair(16)
for cid in (1, 2, 3):
    qp.sq.post(identify(cid))
RingView(qp, FakeSsd(qp), title="embedded")
"""
SEEN = """() => {
  const at = (e) => e ? e.getBoundingClientRect() : { width: 0, height: 0 };
  const outputs = [...document.querySelectorAll('.jp-OutputArea-child')];
  const image = document.querySelector('.nvl-static img');
  return { still: at(document.querySelector('.nvl-static')).height, image: at(image).width, loaded: image?.naturalWidth ?? 0,
           live: at(document.querySelector('.nvl')).height,
           words: outputs.filter((o) => at(o).height).map((o) => o.innerText.trim()).join('|') };
}"""


def run_and_save(page, lab, name):
    write(lab.root / name, SOURCE)
    book = Notebook(page, lab, name)
    book.run_all()
    book.show(".nvl-ringview")
    seen = page.evaluate(SEEN)
    assert seen["live"] > 200 and seen["still"] == 0, "the picture shows beside the live view"
    page.evaluate("() => { window.saved = false; window.jupyterapp.commands.execute('docmanager:save').then(() => { window.saved = true; }); }")
    page.wait_for_function("() => window.saved")
    lab.end_kernels()
    page.goto("about:blank")


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_reopened_without_its_kernel(lab, page, pictures, trusted, dark):
    name = f"still-{trusted}-{dark}.ipynb"
    run_and_save(page, lab, name)
    if not trusted:
        book = nbformat.read(lab.root / name, 4)
        book.cells[0].source += "# changed by somebody else"
        nbformat.write(book, lab.root / name)
    Notebook(page, lab, name, dark)
    page.wait_for_function("() => document.querySelector('.nvl-static')?.getBoundingClientRect().height > 100")
    page.wait_for_function(f"() => !({SEEN})().words.includes('Loading')")           # until JupyterLab has looked for the widget
    page.wait_for_timeout(500)
    seen = page.evaluate(SEEN)
    assert seen["loaded"] > 300 and seen["image"] > 300, seen
    assert "rror" not in seen["words"], seen["words"]
    page.screenshot(path=pictures / f"still-{'trusted' if trusted else 'untrusted'}-{'dark' if dark else 'light'}.png")


def test_reopened_where_no_kernel_starts(lab, page):
    """The widget goes on loading for ever; the picture comes after a while."""
    run_and_save(page, lab, "never.ipynb")
    page.route("**/api/sessions*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.goto(lab.url("never.ipynb"))
    page.wait_for_function("() => document.querySelector('.nvl-static')?.getBoundingClientRect().height > 100", timeout=30_000)
    assert page.evaluate(SEEN)["loaded"] > 300


def test_a_saved_notebook_is_small_and_converts(lab, page, pictures):
    run_and_save(page, lab, "convert.ipynb")
    path = lab.root / "convert.ipynb"
    assert path.stat().st_size < 20_000
    body, _ = HTMLExporter().from_notebook_node(nbformat.read(path, 4))
    (lab.root / "convert.html").write_text(body)
    page.goto(f"file://{lab.root / 'convert.html'}")
    seen = page.evaluate(SEEN)
    assert seen["loaded"] > 300 and "rror" not in seen["words"], seen
    page.screenshot(path=pictures / "still-nbconvert.png")
