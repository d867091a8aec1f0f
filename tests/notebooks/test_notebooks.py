"""Notebooks are stored without outputs, and convert to pages with still pictures. (test_course.py runs them.)"""

import base64
import pathlib
import re

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
nbformat = pytest.importorskip("nbformat", reason="notebooks need the test extra: pip install -e '.[test]'")


def execute(path, monkeypatch, tmp_path, **options):
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=60, kernel_name="python3", **options,
                   resources={"metadata": {"path": str(tmp_path)}}).execute()
    return book


@pytest.mark.parametrize("state", [False, True], ids=["without-widget-state", "with-widget-state"])
def test_a_run_notebook_converts_to_a_page_with_still_pictures(state, monkeypatch, tmp_path):
    from nbconvert import HTMLExporter

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(
        "import nvlab\nfrom nvlab.lab import RingView\nctrl = nvlab.attach('embedded')\nRingView(ctrl.admin)")])
    nbformat.write(book, tmp_path / "one.ipynb")
    done = execute(tmp_path / "one.ipynb", monkeypatch, tmp_path, store_widget_state=state)
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(done)
    picture = base64.b64decode(re.search(r"data:image/svg\+xml;base64,([\w+/=]+)", page)[1]).decode()
    assert ">done</text>" in picture


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_clean(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3", "without a kernelspec JupyterLab asks which kernel to use"
    assert "widgets" not in book.metadata
    for cell in book.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None, f"{cell.id} has outputs: nbstripout {path.name}"
