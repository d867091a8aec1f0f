"""The course's exercises: `check("04", answer)` tries an answer on drives made for it, and says what is right and what isn't yet.

The answers are mostly functions of the learner's. A check calls them with values and drives that the notebook doesn't show,
each in a thread of its own with a deadline: a wrong answer is told, never raised, and one that hangs is ended.
"""
import contextlib
import importlib
from html import escape

from nvlab.spec.errors import UsageError

from .course_guard import Hung, guarded, where

__all__ = ["Report", "Verdict", "check"]

_CHECKS = {
    "00": ("course_start", "capacity"), "01": ("course_start", "serial_number"), "02": ("course_start", "registers"),
    "03": ("course_start", "bring_up"), "04": ("course_queues", "collect"), "05": ("course_queues", "prp_entries"),
    "06": ("course_queues", "queue_pair"), "07": ("course_answers", "patience"), "08": ("course_mystery", "culprit"),
    "09": ("course_answers", "batch"), "10": ("course_answers", "interrupt_wait"), "12": ("course_answers", "any_drive"),
    **{f"11.{n}": ("course_drills", f"drill_{n}") for n in range(1, 8)},
}
"""Exercise -> module of this package, function(report, *answers)."""

MARK = {True: "✓", False: "✗"}


class NotYet(Exception):
    """The answer is wrong, and what follows would say nothing more; the report has it already."""


class Report:
    """What a check finds out, line by line: `findings` is a list of (right, what, hint)."""

    def __init__(self):
        self.findings = []

    def right(self, what):
        """Note something that is as it should be."""
        self.findings.append((True, what, ""))

    def wrong(self, what, hint=""):
        """Note what isn't yet, with a hint, and end the check."""
        self.findings.append((False, what, hint))
        raise NotYet

    def expect(self, holds, what, otherwise, hint=""):
        """right(what) when `holds`, else wrong(otherwise, hint)."""
        if not holds:
            self.wrong(otherwise, hint)
        self.right(what)

    def call(self, function, *args, seconds=5.0, what=None, hint="", may_raise=()):
        """What the learner's function returns. An exception, or no end within `seconds`, is a wrong answer.

        Exceptions of the types `may_raise` are returned in place of a value. `hint` is for what did not end: a text, or a
        function that finds one only then.
        """
        name = what or f"{getattr(function, '__name__', 'your function')}()"
        if not callable(function):
            self.wrong(f"a function is expected, not {function!r}", "Give the function itself, without calling it.")
        try:
            return guarded(function, args, seconds)
        except Hung:
            self.wrong(f"{name} did not come back within {seconds:g} s, and was stopped", (hint() if callable(hint) else hint) or "What does it wait for, and who moves the drive?")
        except may_raise as error:
            return error
        except NotImplementedError:
            self.wrong(f"{name} is still to be written", "" if callable(hint) else hint)
        except Exception as error:
            self.wrong(f"{name} raised {type(error).__name__}: {error}", f"It happened at {where(error)}." if where(error) else "" if callable(hint) else hint)

    def equal(self, got, wanted, what, hint=""):
        """Note whether an answer is the wanted one."""
        if got is None or got is Ellipsis or got is NotImplemented:
            self.wrong(f"{what}: nothing was returned yet", hint)
        try:
            same = bool(got == wanted)
        except Exception:                        # arrays, and whatever else answers == with something odd
            same = False
        self.expect(same, what, f"{what}: expected {shown(wanted)}, got {shown(got)}", hint)


class Verdict:
    """How an exercise stands: `passed`, and `findings`, a list of (right, what, hint). True in a condition when passed."""

    def __init__(self, number, findings):
        self.number, self.findings = number, tuple(findings)

    @property
    def passed(self):
        """Whether everything that was tried is right."""
        return bool(self.findings) and all(right for right, _, _ in self.findings)

    __bool__ = passed.fget

    @property
    def title(self):
        """The result in a phrase."""
        return f"Exercise {self.number}: {'solved' if self.passed else 'not yet'}"

    def __repr__(self):
        lines = [self.title]
        for right, what, hint in self.findings:
            lines.append(f"  {MARK[right]} {what}")
            if hint:
                lines.append(f"    {hint}")
        return "\n".join(lines)

    def _repr_html_(self):
        colour = "#009E73" if self.passed else "#E69F00"
        items = "".join(f'<li style="list-style:none">{MARK[right]} {escape(what)}'
                        + (f'<div style="opacity:.8;padding-left:1.2em">{escape(hint)}</div>' if hint else "") + "</li>"
                        for right, what, hint in self.findings)
        return (f'<div role="status" style="border-left:4px solid {colour};padding:2px 12px"><b>{escape(self.title)}</b>'
                f'<ul style="margin:4px 0;padding-left:4px">{items}</ul></div>')


def check(number, *answers):
    """Try the answers to exercise `number` ("04", "11.3"). Returns a Verdict; raises UsageError only for an unknown number."""
    number = str(number)
    if number not in _CHECKS:
        raise UsageError(f"no exercise {number!r}: there are {', '.join(sorted(_CHECKS))}")
    module, name = _CHECKS[number]
    function = getattr(importlib.import_module(f"nvlab.lab.{module}"), name)
    report = Report()
    with contextlib.suppress(NotYet):
        try:
            function(report, *answers)
        except NotYet:
            raise
        except TypeError as error:               # too few or too many answers
            if error.__traceback__.tb_next is not None:
                report.findings.append((False, f"the check stumbled over {type(error).__name__}: {error}", "Is the type of your answer right?"))
            else:
                report.findings.append((False, str(error).replace(f"{name}()", f'check("{number}")'), ""))
        except Exception as error:               # an answer so odd that the check itself stumbled
            report.findings.append((False, f"the check stumbled over {type(error).__name__}: {error}", "What the drive got was odd; look at it once more."))
    return Verdict(number, report.findings)


def shown(value):
    """A value in a line: numbers that look like addresses in hexadecimal, long things cut."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 4096:
        return f"{value} ({value:#x})"
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, int) and v >= 4096 for v in value):
        body = ", ".join(f"{v:#x}" for v in value[:4]) + (f", … {len(value)} in all" if len(value) > 4 else "")
        return f"[{body}]" if isinstance(value, list) else f"({body})"
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "…"
