"""The exercises' checks: a wrong answer is told and never raised, however wrong it is."""

import time

import pytest

from nvlab.lab.course import _CHECKS, Report, Verdict, check
from nvlab.lab.course_driver import TinyDriver
from nvlab.lab.course_guard import Hung, drive, guarded
from nvlab.spec.errors import UsageError


def fails(*args):
    raise ZeroDivisionError("by accident")


def leaves(*args):
    raise SystemExit(3)


class Odd:
    """Equal to nothing, and angry about it."""

    def __eq__(self, other):
        raise ValueError("don't compare me")

    __hash__ = None


ANSWERS = {"nothing": None, "a number": 5, "text": "x", "a function of nothing": lambda: 1, "returns None": lambda *a: None,
           "returns an odd thing": lambda *a: Odd(), "returns zeros": lambda *a: (0, 0, 0, 0), "returns text": lambda *a: "abc",
           "raises": fails, "leaves": leaves, "a class": int, "an odd thing": Odd()}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("number", sorted(_CHECKS))
def test_a_wrong_answer_is_told(number, answer):
    verdict = check(number, answer, answer) if number == "02" else check(number, answer)
    assert isinstance(verdict, Verdict) and not verdict.passed and not verdict
    assert "not yet" in repr(verdict) and "✗" in repr(verdict) and "not yet" in verdict._repr_html_()
    assert not verdict.findings[-1][0] and all(right for right, _, _ in verdict.findings[:-1])


@pytest.mark.parametrize("number", sorted(_CHECKS))
@pytest.mark.parametrize("answers", [(), (1, 2, 3, 4)], ids=["none", "four"])
def test_too_few_and_too_many_answers_are_told(number, answers):
    assert not check(number, *answers).passed


def test_an_unknown_exercise_is_an_error():
    with pytest.raises(UsageError, match="no exercise '99'.*00"):
        check("99", None)


def test_code_that_does_not_end_is_ended():
    turns = []

    def forever():
        while True:
            try:
                turns.append(1)
                time.sleep(0.001)
            except Exception:
                pass

    with pytest.raises(Hung):
        guarded(forever, seconds=0.1)
    seen = len(turns)
    time.sleep(0.05)
    assert len(turns) == seen, "it goes on behind our back"


def test_a_hanging_answer_is_told():
    report = Report()
    with pytest.raises(Exception):
        report.call(lambda: time.sleep(0.6), seconds=0.1)
    assert "did not come back within 0.1 s" in report.findings[-1][1]


def test_what_code_returns_and_raises_comes_through():
    assert guarded(lambda a, b: a + b, (1, 2)) == 3
    with pytest.raises(ZeroDivisionError):
        guarded(fails)


def test_html_is_escaped():
    assert "<b>x" not in check("08", "<b>x")._repr_html_()


def test_the_tiny_driver_is_right():
    assert all(check(f"11.{n}", TinyDriver).passed for n in range(1, 8))


def test_a_drive_is_closed_even_when_the_trial_fails():
    with pytest.raises(KeyError), drive() as ctrl:
        raise KeyError
    assert ctrl.closed
