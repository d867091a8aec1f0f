"""Notebooks of the course in JupyterLab: they run, show their widgets, and tell how the exercise stands."""

import pathlib
import shutil

import pytest

from tests.browser.notebook import Notebook

COURSE = pathlib.Path(__file__).resolve().parents[2] / "notebooks"


@pytest.mark.parametrize("name, shows", [("04-queues-doorbells-phase", ".nvl-ringview"), ("11-drills", None)])
def test_a_notebook_runs_and_tells_how_the_exercise_stands(lab, page, pictures, name, shows):
    path = COURSE / f"{name}.ipynb"
    shutil.copy(path, lab.root / path.name)
    book = Notebook(page, lab, path.name)
    book.run_all()
    if shows:
        book.show(shows)
        page.wait_for_selector(f"{shows} [data-kind='SQ']", state="attached")
    verdicts = page.locator("[role=status]:has-text('Exercise ')")
    verdicts.last.scroll_into_view_if_needed()
    assert "not yet" in verdicts.last.text_content()
    page.screenshot(path=pictures / f"course-{name}.png")
    assert not page.problems
