"""What axe-core finds wrong with a part of a page. The engine comes from axe-playwright-python, which carries it: nothing is loaded."""

import pytest

GRAVE = ("critical", "serious")


def assert_accessible(page, selector, grave=GRAVE):
    """Fail with what axe-core calls critical or serious within the elements matching `selector`, in the page as it stands."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed (pip install -e '.[test]')")
    found = axe.Axe().run(page, context=selector).response
    assert found["passes"], f"axe-core found nothing to look at in {selector!r}"
    bad = [f"{rule['id']} ({rule['impact']}): {rule['help']}\n" + "\n".join(f"    {node['html'][:160]}\n      {_why(node)}" for node in rule["nodes"][:6])
           for rule in found["violations"] if rule["impact"] in grave]
    assert not bad, "\n".join(bad)


def _why(node):
    return "; ".join(check["message"] for check in [*node["any"], *node["all"], *node["none"]])
