"""DebuggerView without a page: its buttons, what it shows while code stands, and that nothing is left behind."""
import threading
import time

import pytest

import nvlab
from nvlab.lab import DebuggerView
from nvlab.lab.debuggerview import code_of
from nvlab.spec.errors import UsageError
from tests.waiting import holds


@pytest.fixture
def ctrl():
    with nvlab.probe("embedded") as ctrl:
        yield ctrl


@pytest.fixture
def view(ctrl):
    view = DebuggerView(ctrl)
    yield view
    view.close()
    view.debugger.kill()


def told(view):
    return view._notice.get("text", "")


def test_a_bring_up_with_the_buttons(view):
    assert view._state["state"] == "idle" and view._state["code"] == "ctrl.start()"
    view.act("add", {"what": "SQ0TDBL"})
    view.act("add", {"what": "b CC if CC.EN"})
    assert [b["name"] for b in view._state["breakpoints"]] == ["SQ0TDBL", "CC"] and "Breakpoint 2 at CC" in told(view)
    view.act("run", {"code": "ctrl.start()\nctrl.namespaces[1].nsid"})
    assert view._state["state"] == "stopped" and "before CC <- 0x460001" in view._state["story"]
    view.act("cont")
    assert "before SQ0TDBL <- 1: Identify" in view._state["story"]
    frames = view._state["frames"]
    assert frames[0]["core"] and frames[1]["function"] == "SubmissionQueue.ring" and frames[-1]["function"] == "<module>"
    assert view._frame["n"] == 1 and any("write32" in text for n, text in view._frame["listing"] if n == view._frame["line"])
    sq = view._moment["rings"][0]["sq"]
    assert (sq["host"]["tail"], sq["host"]["rung"], sq["drive"]["tail"]) == (1, 0, 0), "the doorbell isn't written yet"
    view.act("frame", {"n": 2})
    assert view._frame["n"] == 2 and any(name == "command" for name, _ in view._frame["locals"])
    view.act("step")
    assert view._state["reason"] == "step"
    view.act("finish")
    assert view._state["reason"] == "finish" and "returned" in view._state["story"]
    for point in list(view.debugger.breakpoints):
        view.act("remove", {"n": point})
    view.act("cont")
    assert view._state["state"] == "ended" and view._state["story"] == "The code ended and returned 1."


def test_the_notebook_stays_free_and_its_own_words_count(view, ctrl):
    view.debugger.break_at("CC", condition="CC.EN")          # from a cell: it shows in the page
    view.refresh()
    assert view._state["breakpoints"][0]["what"] == "CC if CC.EN"
    began = time.monotonic()
    view._on_message(view, {"do": "run", "view": "a", "code": "ctrl.start()"}, [])
    assert time.monotonic() - began < 1
    assert holds(lambda: view.debugger.stopped is not None)
    assert int(ctrl.regs.CC) & 1 == 0
    view._worker.join(5)
    view.debugger.detach()
    view.debugger.wait()
    view.refresh()
    assert view._state["state"] == "ended" and int(ctrl.regs.CSTS) & 1


def test_toggle_interrupt_and_kill(view):
    view.act("add", {"what": "AQA"})
    view.act("toggle", {"n": 1})
    assert not view._state["breakpoints"][0]["enabled"]
    view.act("toggle", {"n": 1})
    view.act("run", {"code": "ctrl.start()"})
    assert "before AQA" in view._state["story"]
    view.act("kill")
    assert view._state["state"] == "ended" and "killed" in view._state["story"]
    view.debugger.delete()
    view.debugger.timeout = 0.2
    view.act("run", {"code": "import time\nwhile True:\n    int(ctrl.regs.CSTS); time.sleep(.01)"})
    assert view._state["state"] == "running" and "runs on" in told(view)
    view.act("interrupt")
    assert view._state["state"] == "stopped" and "Interrupted before read of CSTS" in view._state["story"]
    view.act("kill")
    assert view._state["state"] == "ended"


@pytest.mark.parametrize("content, says", [({"what": "SQ0TDBL if ("}, "condition"), ({"what": "Nonsense"}, "can't break"),
                                           ({"what": ""}, "where"), ({"what": "SQ99999999TDBL"}, "99999999")])
def test_a_breakpoint_that_can_not_be_is_explained_in_the_widget(view, content, says):
    view.act("add", content)
    assert view._notice["kind"] == "error" and says in told(view) and not view.debugger.breakpoints


def test_errors_of_the_code_show(view):
    view.act("run", {"code": "ctrl.start(\n"})
    assert view._notice["kind"] == "error" and "line 1" in told(view)
    view.act("run", {"code": "1 / 0"})
    assert view._state["story"] == "The code ended: ZeroDivisionError: division by zero"
    view.act("step")
    assert view._notice["kind"] == "error" and "run" in told(view)


def test_a_function_can_be_run_and_a_debugger_given(ctrl):
    view = DebuggerView(nvlab.debug(ctrl), ctrl.start)
    assert view._state["code"] is None and view._state["call"] == "Controller.start"
    view.act("add", {"what": "tbreak CC"})
    view.act("run")
    assert view._state["state"] == "stopped" and view._state["breakpoints"] == []
    view.close()
    view.debugger.wait()
    assert view.debugger.state == "ended", "closing the view lets the code go"
    assert not [t for t in threading.enumerate() if t.name.startswith("nvlab-debugg")]
    with pytest.raises(UsageError, match="run="):
        DebuggerView(ctrl, run=3)


def test_code_that_opens_its_own_controller():
    view = DebuggerView(None, 'own = nvlab.probe("embedded"); own.disable(); own.create_admin_queue(depth=8)\nown.enable(); own.close()')
    view.act("add", {"what": "ASQ"})
    view.act("run")
    assert view._state["state"] == "stopped" and view._state["title"] == "embedded" and view._moment["regs"][0][0] == "CC"
    view.act("detach")
    view.debugger.wait()
    view.close()


def test_what_stands_in_for_the_widget(view):
    view.act("add", {"what": "CC"})
    view.act("run", {"code": "ctrl.start()"})
    assert "RegisterHandle" in repr(view) or "CC" in repr(view) and "#0" in repr(view)
    assert "Debugger: Breakpoint 1, before CC" in view.picture() and "<table" in view.picture()


def test_the_value_of_the_last_line_is_what_code_returns():
    assert code_of("a = 3\na + 1", {})() == 4
    kept = {}
    assert code_of("a = ctrl", {"ctrl": 5}, kept)() is None and kept["a"] == 5 and "ctrl" not in kept
    with pytest.raises(ZeroDivisionError):
        code_of("b = 4; 1 / 0", {}, kept)()
    assert kept["b"] == 4
