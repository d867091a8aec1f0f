"""`nvlab notebooks`: copies the course, and never over somebody's work."""

import pytest

from nvlab.tools import notebooks
from nvlab.tools.main import main


@pytest.fixture
def share(tmp_path, monkeypatch):
    """A course as a wheel would have brought it."""
    folder = tmp_path / "share"
    folder.mkdir()
    for name in ("00-a.ipynb", "01-b.ipynb"):
        (folder / name).write_text(f"the course's {name}")
    monkeypatch.setattr(notebooks, "in_checkout", lambda: [])
    monkeypatch.setattr(notebooks, "installed", lambda: sorted(folder.glob("*.ipynb")))
    return folder


def test_the_course_is_copied_once_and_changes_stay(share, tmp_path, capsys):
    target = tmp_path / "some" / "where"
    assert main(["notebooks", str(target)]) == 0
    assert capsys.readouterr().out.count("  copied") == 2
    (target / "01-b.ipynb").write_text("my work")
    assert main(["notebooks", str(target)]) == 0
    out = capsys.readouterr().out
    assert "there already" in out and "kept: it was changed" in out and "--force" in out
    assert (target / "01-b.ipynb").read_text() == "my work"


def test_force_replaces(share, tmp_path, capsys):
    (tmp_path / "01-b.ipynb").write_text("my work")
    assert main(["notebooks", str(tmp_path), "--force"]) == 0
    assert "replaced" in capsys.readouterr().out
    assert (tmp_path / "01-b.ipynb").read_text() == "the course's 01-b.ipynb"


def test_where_nothing_can_be_written_it_says_so(share, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["notebooks", str(tmp_path / "file")]) == 2
    assert "can't be copied" in capsys.readouterr().err


def test_without_notebooks_it_says_where_they_are(share, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "installed", lambda: [])
    assert main(["notebooks", str(tmp_path)]) == 2
    assert "not installed" in capsys.readouterr().err


def test_in_a_checkout_they_are_all_there(tmp_path, capsys):
    assert main(["notebooks", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("*.ipynb"))) == 13
    assert "00-tour.ipynb" in capsys.readouterr().out
