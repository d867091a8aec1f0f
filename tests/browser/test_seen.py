"""A view that nobody can see costs nothing: scrolled away, or behind another tab, its thread ends and no message crosses."""

import pytest

from tests.browser.notebook import Notebook, write

RINGS = """
import threading, time
import nvlab
from tests.lab.fake_nvme import FakePerf, FakeQueuePair, FakeSsd, identify
from nvlab.lab import LivePlot, RingView
{make}
view
"""
MADE = {
    "RingView": """pair = FakeQueuePair(16); ssd = FakeSsd(pair)
def run():
    for cid in range(1, 10**6):
        pair.sq.post(identify(cid % 60000)); pair.sq.ring(); ssd.step(); pair.cq.poll(); pair.cq.ring(); time.sleep(0.02)
threading.Thread(target=run, daemon=True).start()
view = RingView(pair, ssd)""",
    "a pair that Perf has": """ctrl = nvlab.attach("embedded:mode=inline,size=16M")
perf = nvlab.Perf(ctrl, depth=1023, workload="randread").start()
view = RingView(ctrl, qid=1)""",
    "LivePlot": "view = LivePlot(FakePerf().start(), rate=10)",
}
SEQ = "() => { const w = window.watched ??= {n: 0}; return w.n; }"
COUNT = """() => { const k = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel; window.watched = {n: 0};
    k.iopubMessage.connect((_, m) => { if (m.header.msg_type === 'comm_msg') window.watched.n += 1; }); }"""
THREADS = """async () => { const k = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel; let said = '';
    const f = k.requestExecute({code: "import threading; print([t.name for t in threading.enumerate() if t.name.startswith('nvlab-') and t.name != 'nvlab-perf-0' and t.is_alive()])"});
    f.onIOPub = (m) => { if (m.header.msg_type === 'stream') said += m.content.text; };
    await f.done; return said; }"""


def still(page):
    """No message for a second, and no thread of a view."""
    page.wait_for_timeout(700)
    before = page.evaluate(SEQ)
    page.wait_for_timeout(1000)
    assert page.evaluate(SEQ) - before <= 1
    assert page.evaluate(THREADS).strip() == "[]"


def moving(page, root):
    """Messages come, and what they tell is drawn."""
    before, drawn = page.evaluate(SEQ), int(page.locator(root).get_attribute("data-seq"))
    page.wait_for_timeout(1000)
    assert page.evaluate(SEQ) - before >= 5 and int(page.locator(root).get_attribute("data-seq")) - drawn >= 5


@pytest.mark.parametrize("name", MADE)
def test_scrolled_away_and_hidden(lab, page, name):
    file = f"seen-{name.replace(' ', '-')}.ipynb"
    write(lab.root / file, RINGS.format(make=MADE[name]), *["# " + "\n#" * 40] * 3)
    write(lab.root / "other.ipynb", "1")
    book = Notebook(page, lab, file)
    page.evaluate(COUNT)
    book.run_all()
    root = ".nvl-liveplot" if name == "LivePlot" else ".nvl-ringview"
    book.show(root)
    moving(page, root)
    page.locator(".jp-Notebook .jp-Cell").last.scroll_into_view_if_needed()
    still(page)
    book.show(root)
    moving(page, root)
    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:open', {path: 'other.ipynb', options: {mode: 'tab-after'}}); }")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.context.path === 'other.ipynb'")
    page.wait_for_timeout(700)
    before = page.evaluate(SEQ)
    page.wait_for_timeout(1000)
    assert page.evaluate(SEQ) - before <= 1
    assert not page.problems
