"""`nvlab explore`: the notebook that it makes, where JupyterLab opens it, and what is left of it."""

import nbformat
import pytest

from nvlab.tools import explore, lab


@pytest.mark.parametrize("address", ["embedded", "qemu:size=64M", 'embedded:serial="x"'])
def test_the_notebook_is_valid_and_names_the_address(address):
    book = nbformat.reads(explore.notebook(address), as_version=4)
    nbformat.validate(book)
    assert f"nvlab.explore({address!r})" in book.cells[0].source
    compile(book.cells[0].source, "cell", "exec")


def test_it_is_served_from_a_directory_that_goes_with_it(nvlab, monkeypatch):
    seen = {}

    def serve(args, root, path, title, prepare):
        seen.update(args=args, root=root, path=path, options=lab.jupyter_options(args, root, path, browser=False))
        assert path.is_file()
        return 0
    monkeypatch.setattr(lab, "serve", serve)
    assert nvlab("explore", "qemu", "--port", "9001").code == 0
    assert {"--LabApp.default_url=/lab/tree/explore.ipynb", f"--ServerApp.root_dir={seen['root']}", "--ServerApp.port=9001"} <= set(seen["options"])
    assert not seen["root"].exists()


def test_a_wrong_address_is_told_before_anything_starts(nvlab, monkeypatch):
    monkeypatch.setattr(lab, "serve", lambda *_: pytest.fail("was served"))
    ran = nvlab("explore", "embeded")
    assert ran.code == 2 and "did you mean 'embedded'" in ran.err
