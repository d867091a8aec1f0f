"""The notebooks run from top to bottom, on each address they are made for, and are stored without outputs."""

import base64
import pathlib
import re

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
nbformat = pytest.importorskip("nbformat", reason="notebooks need the test extra: pip install -e '.[test]'")
ADDRESSES = ["embedded:mode=manual", pytest.param("qemu", marks=pytest.mark.require("qemu"))]


def texts(book, cell_id):
    """All text that a cell put out."""
    cell = next(cell for cell in book.cells if cell.id == cell_id)
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs)


def execute(path, address, monkeypatch, tmp_path, **options):
    from nbclient import NotebookClient

    monkeypatch.setenv("NVLAB_ADDRESS", address)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=60, kernel_name="python3", **options,
                   resources={"metadata": {"path": str(tmp_path)}}).execute()
    return book


@pytest.mark.parametrize("address", ADDRESSES)
def test_first_io_runs(address, monkeypatch, tmp_path):
    book = execute(FOLDER / "01-first-io.ipynb", address, monkeypatch, tmp_path)
    embedded = address.startswith("embedded")
    assert "CAP = 0x" in texts(book, "cap") and "MQES" in texts(book, "cap")
    assert "• posted by the host, doorbell not rung" in texts(book, "post-state")
    assert "Successful Completion" in texts(book, "phase")
    assert "SQ0TDBL 1" in texts(book, "cqring") and "CQ0HDBL 1" in texts(book, "cqring")
    assert ("nvlab embedded SSD" if embedded else "QEMU NVMe Ctrl") in texts(book, "identify")
    assert texts(book, "read") == "b'Hello world!'"
    assert "belongs to perf" in texts(book, "owner")
    assert "IOPS" in texts(book, "stop")
    assert ("drive head" if embedded else "drive not visible; last doorbell written was") in texts(book, "turn")


@pytest.mark.parametrize("state", [False, True], ids=["without-widget-state", "with-widget-state"])
def test_a_run_notebook_converts_to_a_page_with_still_pictures(state, monkeypatch, tmp_path):
    from nbconvert import HTMLExporter

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(
        "import nvlab\nfrom nvlab.lab import RingView\nctrl = nvlab.attach('embedded')\nRingView(ctrl.admin)")])
    nbformat.write(book, tmp_path / "one.ipynb")
    done = execute(tmp_path / "one.ipynb", "embedded", monkeypatch, tmp_path, store_widget_state=state)
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(done)
    picture = base64.b64decode(re.search(r"data:image/svg\+xml;base64,([\w+/=]+)", page)[1]).decode()
    assert "SQ0[0]: done, the slot may be used again" in picture


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_clean(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3", "without a kernelspec JupyterLab asks which kernel to use"
    assert "widgets" not in book.metadata
    for cell in book.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None, f"{cell.id} has outputs: nbstripout {path.name}"


def test_the_notebooks_are_numbered_in_reading_order():
    assert [book.name[:3] for book in BOOKS] == [f"{n:02}-" for n in range(1, len(BOOKS) + 1)]
