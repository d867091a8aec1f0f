"""ctrl.why(): in one sentence what is wrong, or why nothing moves; then the evidence, the rule, and the remedy.

    with nvlab.watch(ctrl):                # lets it know what the driver did, not only how all stands now
        my_driver(ctrl)
    print(ctrl.why())
"""
from nvlab.spec.errors import Error
from nvlab.spec.render import Table, counted, mimebundle

from . import why_rules_commands, why_rules_rings, why_rules_setup, why_rules_waits
from .why_rules import ERROR, OK, Finding
from .why_scene import Scene

CHECKS = tuple(check for rules in (why_rules_setup, why_rules_rings, why_rules_waits, why_rules_commands) for check in rules.CHECKS)
"""Functions that take a Scene and yield Findings."""

UNWATCHED = "how all stands now; what led here wasn't recorded: nvlab.watch(ctrl) before the driver runs lets why() know it"


class Why:
    """An answer: what is wrong, or why nothing moves.

    `rule` its short name, a key of nvlab.trace.why_rules.RULES, or "" · `sentence` · `severity` "error" (a rule is broken),
    "waiting" (nothing is wrong: this is what all wait for), "note" or "ok" · `evidence` [(label, value)] · `cite` · `remedy`
    · `ok` True when there is nothing to say · `all` every Finding, the gravest first; the rest of the answer is of the first.
    """

    def __init__(self, findings, address="", seen="", well=""):
        self.all = sorted(findings, key=lambda finding: finding.place)
        self.address, self.seen = address, seen
        first = self.all[0] if self.all else None
        self.ok = first is None
        self.rule, self.severity = (first.rule, first.severity) if first else ("", OK)
        self.title = first.title if first else "All is well"
        self.sentence = first.sentence if first else well
        self.evidence = list(first.evidence) if first else []
        self.cite, self.remedy = (first.cite, first.remedy) if first else ("", "")

    @property
    def rules(self):
        """The short names of all that was found, in order."""
        return [finding.rule for finding in self.all]

    @property
    def accused(self):
        """True when a rule of the standard was broken: severity "error"."""
        return self.severity == ERROR

    def table(self):
        """The answer as a render.Table."""
        rows = [(label, value) for label, value in self.evidence]
        if self.rule:
            rows += [("Rule", f"{self.title} ({self.cite})"), ("Remedy", self.remedy)]
        rows += [("Also", finding.sentence) for finding in self.all[1:]]
        rows += [("Seen", self.seen)] if self.seen else []
        return Table(self.sentence, ("", ""), rows)

    def __str__(self):
        rows = self.table().rows
        width = max((len(label) for label, _ in rows), default=0)
        return "\n".join([self.sentence, *(f"  {label.ljust(width)}  {value}" for label, value in rows)])

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self), "text/html": mimebundle(self.table())["text/html"]}


def why(ctrl):
    """What is wrong with `ctrl` and what drives it, or why nothing moves. Returns a Why; raises nothing and disturbs nothing.

    It holds the embedded drive still for a moment, reads registers where no drive can be asked, and writes nothing. What a
    recording Trace or nvlab.watch(ctrl) has seen tells it more than how all stands now.
    """
    scene = Scene(ctrl)
    findings = []
    for check in CHECKS:
        try:
            findings += check(scene)
        except Error as error:                   # the device went away in the middle of it
            findings.append(Finding("gone", f"The controller stopped answering while it was looked at: {error}."))
            break
    return Why(findings, ctrl.address, _seen(scene), _well(scene))


def _seen(scene):
    if not scene.ledger.recorded:
        return UNWATCHED if scene.gone is None else ""
    looked = f", and {counted(len(scene.watch.peeks), 'doorbell')} looked at" if scene.watch is not None else ""
    return f"how all stands now, {counted(scene.ledger.events, 'event')}{looked}"


def _well(scene):
    """The sentence when nothing was found."""
    queues = [qid for qid in scene.sqs if qid]
    events = len(scene.waiting_events)
    asked = f"; {counted(events, 'Asynchronous Event Request')} waits for news, as it should" if events == 1 else (
        f"; {events} Asynchronous Event Requests wait for news, as they should" if events else "")
    settled = "rung, fetched and taken" if len(queues) == 1 else "all rung, fetched and taken"
    io = f"{counted(len(queues), 'I/O queue')}, {settled}" if queues else "there is no I/O queue yet"
    return f"Nothing is wrong and nothing waits: {io}{asked}."
