"""The checker's view in JupyterLab: it speaks the moment something stands still, and when it moves again."""

import pytest

from tests.browser.axe import assert_accessible
from tests.browser.notebook import Notebook, write
from tests.browser.test_timeline import kernel, says

SOURCE = """
import nvlab
from nvlab import cmd
from nvlab.lab import WhyView
ctrl = nvlab.probe("embedded:mode=manual")
ctrl.disable(); ctrl.create_admin_queue(depth=32); ctrl.enable()
view = WhyView(ctrl)
view
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_doorbell_that_was_never_rung(lab, page, pictures, dark):
    write(lab.root / "why.ipynb", SOURCE)
    book = Notebook(page, lab, "why.ipynb", dark)
    book.run_all()
    view = book.show(".nvl-whyview")
    says(page, ".nvl-why-words", "Nothing is wrong")
    kernel(page, "slot = ctrl.admin.sq.post(cmd.identify(cns=1, prp1=ctrl.alloc(4096)))")
    says(page, ".nvl-why-words", "SQ0TDBL is still 0")
    says(page, ".nvl-why-remedy", "sq.ring()")
    says(page, ".nvl-title", "Something waits")
    page.screenshot(path=pictures / f"why-{'dark' if dark else 'light'}.png")
    assert_accessible(page, ".nvl-whyview")
    kernel(page, "ctrl.admin.sq.ring(); ctrl.ssd.step(); ctrl.admin.cq.poll(); ctrl.admin.cq.ring()")
    view.get_by_role("button", name="look again").click()
    says(page, ".nvl-title", "All is well")
    assert not page.problems
