"""Rules about commands: what is wrong with those that failed, and with the data pointers of all that were seen."""
from nvlab.spec import status
from nvlab.spec.commands import ADMIN, NVM, Command

from . import why_prp
from .decode import name_of
from .why_ledger import BLANK, key_of
from .why_rules import Finding

POINTERS = (status.INVALID_PRP_OFFSET, status.DATA_TRANSFER_ERROR)
NOBODY = (0, 0xFFFFFFFF)
"""What admin commands put where I/O commands name their namespace."""

CHECKED = 500
"""Commands of a queue whose data pointers are looked at: the newest."""


class Failure:
    """A completion with an error: `sqid`, `cid`, `status`, and the command's 64 bytes and peeked list where they are known."""

    def __init__(self, scene, sqid, cid, found, command=None, number=None):
        self.sqid, self.cid, self.status, self.number = sqid, cid, found, number
        self.raw = command.raw if command is not None else None
        self.listed = command.listed if command is not None else None
        self.key = command.key if command is not None else None
        if self.raw is None:
            self.raw = _in_ring(scene, sqid, cid, command)
        if self.raw is not None and self.key is None:
            self.key = key_of(self.raw)
        self.command = Command.decode(self.raw, admin=sqid == 0) if self.raw is not None else None

    @property
    def name(self):
        return f"{name_of(self.key[0], self.sqid == 0)} with cid {self.cid}" if self.key else f"The command with cid {self.cid}"

    def evidence(self):
        """Command and status as rows."""
        rows = [("Command", self.command.brief())] if self.command is not None else []
        return [*rows, ("Queue", f"SQ {self.sqid}"), ("Status", str(self.status))]


def _in_ring(scene, sqid, cid, command):
    """The bytes of a command that are still in the ring: at its slot, or the only entry with its cid."""
    view = scene.sqs.get(sqid)
    if view is None or view.entries is None:
        return None
    if command is not None and command.key is not None:
        raw = view.entry(command.slot)
        return raw if raw is not None and key_of(raw) == command.key else None
    same = [raw for raw in (entry.tobytes() for entry in view.entries) if raw != BLANK and key_of(raw)[1] == cid]
    return same[0] if len(same) == 1 else None


def failures(scene):
    """The completions with errors that are known, the newest last, but for those of a kind that has worked since."""
    ledger = scene.ledger
    if ledger.recorded and (ledger.complete or ledger.failed):
        return [Failure(scene, sqid, cid, found, command, number) for number, sqid, cid, found, command in ledger.failed[-50:]
                if command is None or not ledger.healed(sqid, command.opcode, number)]
    if scene.ssd is not None:
        return [Failure(scene, sqid, cid, found) for sqid, cid, found in reversed(scene.errors) if sqid in scene.sqs]
    return []


def failed_commands(scene):
    """Each failed command: the rule behind it, or the status itself."""
    if scene.gone is not None or not scene.sqs:
        return
    found = failures(scene)
    if not found and scene.ssd is None:
        found = [Failure(scene, sqid, cid, code) for sqid, cid, code in scene.completions()]
    told = set()
    for failure in found:
        if failure.status is status.COMMAND_ABORT_REQUESTED or failure.status is status.COMMAND_ABORTED_DUE_TO_SQ_DELETION:
            continue
        finding = _explain(scene, failure)
        if (finding.rule, failure.sqid, failure.status) not in told:
            told.add((finding.rule, failure.sqid, failure.status))
            yield finding


def _explain(scene, failure):
    opcode = failure.key[0] if failure.key else None
    for explain in (_aer_limit, _sq_before_cq, _queue_size, _admin_on_io, _pointers):
        finding = explain(scene, failure, opcode)
        if finding is not None:
            return finding
    return Finding("command-failed", f"{failure.name} on SQ {failure.sqid} failed: {failure.status}.", failure.evidence(),
                   remedy=failure.status.hint, cite=failure.status.cite)


def _aer_limit(scene, failure, opcode):
    if failure.status is not status.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED:
        return None
    limit = None
    if scene.ssd is not None:
        limit = scene.ssd.controller.events.limit
    elif scene.ctrl.id is not None:
        limit = int(scene.ctrl.id.aerl) + 1
    allowed = f"{limit} may be outstanding at once (AERL = {limit - 1}, zero-based)" if limit else "AERL + 1 may be outstanding at once"
    return Finding("aer-limit", f"One Asynchronous Event Request too many: {allowed}, and the one with cid {failure.cid} was refused.",
                   [*failure.evidence(), *([("Outstanding", len(scene.waiting_events))] if scene.ssd is not None else [])])


def _sq_before_cq(scene, failure, opcode):
    if failure.sqid != 0 or failure.status is not status.COMPLETION_QUEUE_INVALID:
        return None
    command = failure.command
    which = "its completion queue"
    if command is not None and opcode == 1:
        which = f"SQ {int(command.qid)} completes to CQ {int(command.cqid)}, which"
    return Finding("sq-before-cq", f"Create I/O SQ was refused: {which} doesn't exist.",
                   [*failure.evidence(), ("CQs, drive", ", ".join(str(q) for q in sorted(scene.cqs)) or "none")])


def _queue_size(scene, failure, opcode):
    if failure.status is not status.INVALID_QUEUE_SIZE or failure.command is None or opcode not in (1, 5) or failure.sqid:
        return None
    qsize, mqes = int(failure.command.qsize), int(scene.registers["CAP"].MQES)
    if qsize == mqes + 1:
        return Finding("zero-based-size", f"{failure.command.name} was refused: QSIZE = {qsize} asks for {qsize + 1} entries, and "
                       f"CAP.MQES = {mqes} allows {mqes + 1}; both are zero-based.", [*failure.evidence(), ("CAP.MQES", mqes)])
    if qsize == 0:
        return Finding("zero-based-size", f"{failure.command.name} was refused: QSIZE = 0 asks for one entry, and a queue has two "
                       "at least; QSIZE is zero-based.", failure.evidence())
    return None


def _admin_on_io(scene, failure, opcode):
    if failure.sqid == 0 or opcode is None or opcode not in ADMIN:
        return None
    nsid, refused = failure.key[2], (status.INVALID_OPCODE, status.INVALID_NAMESPACE_OR_FORMAT)
    sure = failure.status in refused and opcode not in NVM
    likely = failure.status is status.INVALID_NAMESPACE_OR_FORMAT and opcode in NVM and nsid in NOBODY and opcode != 0
    if not sure and not likely:
        return None
    as_io = f"; as an I/O command {opcode:02x}h is {NVM[opcode].name}, for nsid {nsid:#x}" if likely else ""
    return Finding("admin-on-io", f"{ADMIN[opcode].name} ({opcode:02x}h) was sent on SQ {failure.sqid}, an I/O queue{as_io}"
                   f"{'; most likely it was meant for the admin queue' if likely else ''}.", [("Queue", f"SQ {failure.sqid}"),
                   ("Opcode", f"{opcode:02x}h, cid {failure.cid}, nsid {nsid:#x}"), ("Status", str(failure.status))])


def _pointers(scene, failure, opcode):
    if failure.status not in POINTERS or failure.raw is None:
        return None
    finding = why_prp.check(scene, failure.sqid, failure.raw, failure.listed, failed=True)
    if finding is not None:
        finding.evidence.append(("Status", str(failure.status)))
    return finding


def data_pointers(scene):
    """Data pointers of commands that were seen, failed or not: a drive may take a wrong address without a word."""
    if scene.gone is not None or not scene.registers or not scene.registers["CC"].EN:
        return
    failed = {id(command) for *_, command in scene.ledger.failed}
    for sqid, book in scene.ledger.sqs.items():
        known = [c for c in list(book.commands)[-CHECKED:] if c.raw is not None and c.raw != BLANK and id(c) not in failed and c.peeked]
        for command in reversed(known):
            finding = why_prp.check(scene, sqid, command.raw, command.listed)
            if finding is not None:
                if not scene.ledger.healed(sqid, command.opcode, command.completed or command.rung) or command is known[-1]:
                    yield finding
                break
    for qid, view in scene.sqs.items():
        if view.rung and view.entries is not None and not (view.ring is not None and view.ring.owner is not None):
            for at in range(min(view.rung, CHECKED)):
                slot = (view.head + at) % view.size
                raw = view.entry(slot)
                prp2 = int.from_bytes(raw[32:40], "little")
                listed = scene.memory(prp2 & ~7, min(64, 4096 - prp2 % 4096 & ~7)) if prp2 and not scene.ledger.sqs.get(qid) else None
                finding = why_prp.check(scene, qid, raw, listed) if raw != BLANK else None
                if finding is not None:
                    yield finding
                    break


CHECKS = (failed_commands, data_pointers)
