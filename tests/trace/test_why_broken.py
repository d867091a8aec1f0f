"""Each broken driver is named; the correct one is never accused."""
import pytest

import nvlab
from nvlab.spec.errors import Error
from nvlab.trace.why_rules import RULES

from .broken import BROKEN, CorrectDriver, Stuck, rings

QEMU = pytest.mark.require("qemu")
CASES = [pytest.param(bug, where, id=f"{bug.__name__}-{where}", marks=QEMU if where == "qemu" else ())
         for bug in BROKEN for where in bug.where]
DEVICES = ["manual", "inline", "thread", pytest.param("qemu", marks=QEMU)]


def probe(where, **options):
    options = {"size": "8M", **options} if where == "qemu" else {"size": "8M", "mode": where, **options}
    kind = "qemu" if where == "qemu" else "embedded"
    return nvlab.probe(f"{kind}:" + ",".join(f"{name}={value}" for name, value in options.items()))


def run(driver):
    """Let a driver run until it is through, stuck, or surprised."""
    try:
        driver.run()
    except (Stuck, AssertionError, IndexError, Error):
        pass


@pytest.mark.parametrize("bug, where", CASES)
def test_each_bug_is_named(bug, where):
    with probe(where) as ctrl, nvlab.watch(ctrl):
        run(bug(ctrl))
        why = ctrl.why()
        assert (why.rule, why.severity) == (bug.rule, bug.severity), str(why)
        assert why.cite == RULES[bug.rule].cite or why.rule == "zero-based-size"
        assert why.evidence and why.remedy and why.sentence.endswith(".")


@pytest.mark.parametrize("where", ["thread", pytest.param("qemu", marks=QEMU)])
def test_a_kept_phase_on_a_drive_that_races_with_the_host(where):
    """Whether a stale entry is taken, or the new one never, is a matter of who is quicker; the first is not always provable."""
    with probe(where) as ctrl, nvlab.watch(ctrl):
        run(rings.KeepsPhase(ctrl))
        why = ctrl.why()
        assert (why.rule == "wrong-phase" or why.rule == "completion-not-taken" and "Phase Tag" in str(why.evidence)
                or why.rule == "stale-completion" and "expects the one of that lap" in why.sentence), str(why)


@pytest.mark.parametrize("where", DEVICES)
def test_the_correct_driver_is_not_accused(where):
    with probe(where) as ctrl, nvlab.watch(ctrl):
        driver = CorrectDriver(ctrl)
        driver.run()
        assert ctrl.why().ok, str(ctrl.why())
        if where == "qemu":
            assert ctrl.function.trace() == []
