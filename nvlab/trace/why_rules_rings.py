"""Rules about the rings: doorbells, heads and tails, Phase Tags, command identifiers."""
from nvlab.spec.render import counted

from .baseline import CQ, SQ
from .decode import name_of
from .why_ledger import BLANK, key_of
from .why_rules import Finding


def up(scene):
    return scene.gone is None and bool(scene.registers) and bool(scene.registers["CC"].EN)


def sq_evidence(scene, view):
    """Both ends of a submission queue."""
    book, rows = scene.ledger.sqs.get(view.qid), []
    if view.ring is not None:
        rows.append((f"SQ{view.qid}, host", f"tail {view.ring.tail}, head {view.ring.head}, {view.ring.depth} entries"))
    rows.append((f"SQ{view.qid}TDBL", "not known" if view.tail is None else f"{view.tail}"
                 + (f", written {counted(book.doorbells, 'time')} so far" if book is not None else "")))
    rows.append((f"SQ{view.qid}, drive", f"head {'?' if view.head is None else view.head}, {view.size} entries at {view.iova:#x}"
                 + (" (as the host's memory tells)" if view.inferred else "")))
    return rows


def cq_evidence(scene, view):
    """Both ends of a completion queue."""
    book, rows = scene.ledger.cqs.get(view.qid), []
    if view.ring is not None:
        rows.append((f"CQ{view.qid}, host", f"head {view.ring.head}, expects Phase Tag {view.ring.phase}, {view.ring.depth} entries"))
    rows.append((f"CQ{view.qid}HDBL", "not known" if view.head is None else f"{view.head}"
                 + (f", written {counted(book.doorbells, 'time')} so far" if book is not None else "")))
    rows.append((f"CQ{view.qid}, drive", f"tail {'?' if view.tail is None else view.tail}, posts with Phase Tag "
                 f"{'?' if view.phase is None else view.phase}, {view.size} entries at {view.iova:#x}"
                 + (" (as its Phase Tags tell)" if view.inferred else "")))
    return rows


def named(command_key, qid):
    """"Read with cid 3"."""
    opcode, cid, _ = command_key
    return f"{name_of(opcode, qid == 0)} with cid {cid}"


def owned(view):
    """True while a loop has the queue: it moves between two looks."""
    return view.ring is not None and view.ring.owner is not None


def fresh(scene, view, slot):
    """True when what lies in a slot was put there since the drive last fetched from it; None where nobody can tell."""
    raw, book = view.entry(slot), scene.ledger.sqs.get(view.qid)
    if raw is None or raw == BLANK:
        return False
    last = book.in_slot.get(slot) if book is not None else None
    if last is not None and (last.rung is not None or last.fetched is not None):
        if last.key is None:
            return None
        return last.raw != raw or None if last.raw is not None else last.key != key_of(raw) or None
    if view.ring is not None:
        return None                              # the driver's own ring knows what it posted
    if book is not None and book.whole:
        return True                              # this queue has never used the slot
    if view.entry(view.size - 1) == BLANK:
        return True                              # the first lap isn't over
    return None


# ---------------------------------------------------------------- what a doorbell may hold

def past_end(scene):
    """A doorbell holds a value that its queue has no slot for."""
    if not up(scene):
        return
    for name, views, what in (("SQ{}TDBL", scene.sqs, "tail"), ("CQ{}HDBL", scene.cqs, "head")):
        for qid, view in views.items():
            value = view.tail if what == "tail" else view.head
            if value is None or value < view.size:
                continue
            evidence = sq_evidence(scene, view) if what == "tail" else cq_evidence(scene, view)
            bell = name.format(qid)
            more = " One past the end: the index didn't wrap, or the queue was created with one entry fewer than the driver uses." \
                if value == view.size else ""
            yield Finding("doorbell-past-end", f"{bell} was written with {value}, and that queue has {view.size} entries, 0 to "
                          f"{view.size - 1}: the drive ignores it.", [*evidence, *([("Value", more.strip())] if more else [])])


def strays(scene):
    """A doorbell was written whose queue doesn't exist."""
    if scene.gone is not None or not scene.registers:
        return
    found = dict(scene.stray)
    for (ring, qid), (value, _) in scene.ledger.strays.items():
        if qid not in (scene.sqs if ring == SQ else scene.cqs):
            found.setdefault(("SQ" if ring == SQ else "CQ", qid), value)
    for (ring, qid), value in list(found.items())[:3]:
        bell, off = f"{ring}{qid}{'TDBL' if ring == 'SQ' else 'HDBL'}", not scene.registers["CC"].EN
        yield Finding("doorbell-of-no-queue", f"{bell} was written with {value}, and the drive has no {ring} {qid}"
                      f"{': the controller is not enabled' if off else ''}.",
                      [("Queues", ", ".join([*(f"SQ {q}" for q in scene.sqs), *(f"CQ {q}" for q in scene.cqs)]) or "none")])


def not_moving(scene):
    """The last doorbell was written with what it held already, and there was something to tell."""
    if not up(scene):
        return
    for qid, book in scene.ledger.sqs.items():
        view = scene.sqs.get(qid)
        if view is None or book.still is None or view.tail != book.rung:
            continue
        raw = view.entry(view.tail)
        there = book.still.entries.get(view.tail) if book.still is not True else None
        there_now = fresh(scene, view, view.tail) if view.ring is None else view.ring.tail != view.tail
        if raw is None or raw == BLANK or there not in (None, raw) or not there_now:
            continue
        yield Finding("doorbell-not-moving", f"SQ{qid}TDBL was written with {view.tail} again, while slot {view.tail} holds a "
                      f"{named(key_of(raw), qid)}: the drive sees nothing new.", sq_evidence(scene, view))
    for qid, book in scene.ledger.cqs.items():
        view = scene.cqs.get(qid)
        if view is None or not book.still or view.head != book.rung or view.ring is not None and view.ring.head == view.head:
            continue
        yield Finding("doorbell-not-moving", f"CQ{qid}HDBL was written with {view.head} again, while slot {view.head} holds a "
                      "completion: the drive gets no slot back.", cq_evidence(scene, view))


# ---------------------------------------------------------------- sizes and places

def mismatch(scene):
    """The host's ring and the drive's queue differ in place or size."""
    if not up(scene) or scene.ssd is None:
        return
    for name, views in (("SQ", scene.sqs), ("CQ", scene.cqs)):
        for qid, view in views.items():
            ring = view.ring
            if ring is None:
                continue
            if view.size != ring.depth:
                rule = "zero-based-size" if abs(view.size - ring.depth) == 1 else "queue-mismatch"
                field = f"AQA.A{name}S" if qid == 0 else "QSIZE"
                yield Finding(rule, f"{name} {qid} has {ring.depth} entries here and {view.size} for the drive, which was told "
                              f"{field} = {view.size - 1}, a zero-based size.", [("Host", ring.depth), ("Drive", view.size)])
            elif view.iova != int(ring.iova):
                yield Finding("queue-mismatch", f"{name} {qid} lies at {int(ring.iova):#x} here, and the drive was told "
                              f"{view.iova:#x}.", [("Host", f"{int(ring.iova):#x}"), ("Drive", f"{view.iova:#x}")])


def marks(scene):
    """What the books noted: overruns, entries after doorbells, identifiers reused."""
    if not up(scene):
        return
    kinds = {"overrun": _overrun, "overfull": _overfull, "after-doorbell": _after_doorbell, "fetched-empty": _fetched_empty, "cid-reused": _cid_reused}
    told = set()
    for mark in scene.ledger.marks:
        if (mark.what, mark.qid) not in told:    # the first of each kind: the rest follows from it
            finding = kinds[mark.what](scene, mark)
            if finding is not None:
                told.add((mark.what, mark.qid))
                yield finding


def _overrun(scene, mark):
    """A CQ head doorbell that gave back slots which hold nothing new: what made the host think so?"""
    view, bell = scene.cqs.get(mark.qid), f"CQ{mark.qid}HDBL"
    evidence = [(bell, f"{mark.old}, then {mark.value}: {counted(mark.released, 'slot')} given back"),
                (f"CQ{mark.qid}, drive", f"tail {mark.tail} at that time: {counted(mark.there, 'completion')} posted there"),
                *(cq_evidence(scene, view) if view is not None else ()), ("Event", mark.number)]
    first = mark.tail
    if mark.value == 0 and first == mark.size - 1 and mark.released == mark.there + 1:
        return Finding("zero-based-size", f"{bell} went from {mark.old} to 0 while the drive still had slot {first} to fill: it was "
                       f"told of {mark.size} entries, and the host wraps after {mark.size - 1}; most likely the zero-based size is one "
                       "too large.", evidence)
    if first == 0 and mark.taken >= mark.size:
        return Finding("wrong-phase", f"The host took slot 0 of CQ {mark.qid} for new after the wrap, and the drive has not posted "
                       "there since: it is the completion of the lap before; the expected Phase Tag did not turn over.", evidence)
    lap = "that still holds the lap before: it looks at no Phase Tag, or expects the one of that lap" if mark.taken >= mark.size else "that was never posted"
    return Finding("stale-completion", f"{bell} went from {mark.old} to {mark.value}, past the {counted(mark.there, 'completion')} "
                   f"that the drive had posted: the host took slot {first} for new, {lap}.", evidence)


def _overfull(scene, mark):
    """An SQ tail doorbell that ran around the ring into entries which the drive had still to fetch."""
    bell, lost = f"SQ{mark.qid}TDBL", mark.unfetched + mark.count
    view = scene.sqs.get(mark.qid)
    looks = "takes the ring for empty" if lost == mark.size else f"sees {counted(lost - mark.size, 'command')} in it"
    return Finding("queue-overfull", f"{bell} went from {mark.old} to {mark.value}, over the drive's head {mark.head}: that makes {lost} commands in a "
                   f"ring of {mark.size}, which holds {mark.size - 1}; the drive {looks}.",
                   [(bell, f"{mark.old}, then {mark.value}: {counted(mark.count, 'command')} handed over"),
                    ("Before", f"{counted(mark.unfetched, 'command')} rung and not fetched"), *(sq_evidence(scene, view) if view is not None else ()),
                    ("Event", mark.number)])


def _after_doorbell(scene, mark):
    command, qid = mark.command, mark.qid
    evidence = [("Slot", f"SQ{qid}[{mark.slot}]")]
    seen = command.raw if command is not None else None
    fetched = getattr(mark, "fetched", None)
    if seen is not None:
        evidence.append(("At the doorbell", "64 zero bytes" if seen == BLANK else named(key_of(seen), qid)))
    if fetched is not None:
        evidence.append(("Fetched", "64 zero bytes" if not any(fetched) else named(fetched, qid)))
    view = scene.sqs.get(qid)
    raw = view.entry(mark.slot) if view is not None else None
    if raw is not None:
        evidence.append(("There now", "64 zero bytes" if raw == BLANK else named(key_of(raw), qid)))
    if getattr(mark, "last", False) and fetched in (None, (0, 0, 0)) and raw == BLANK:
        return Finding("zero-based-size", f"The doorbell handed slot {mark.slot} of SQ {qid} over, its last, and it is empty: the drive "
                       f"was told of {mark.size} entries, and the host wraps after {mark.size - 1}; most likely the zero-based size is "
                       "one too large.", [*evidence, *(sq_evidence(scene, view) if view is not None else ())])
    empty = raw == BLANK and not (fetched and any(fetched))
    what = "and nothing was ever written there" if empty else "before the command was in it"
    return Finding("entry-after-doorbell", f"SQ{qid}TDBL handed slot {mark.slot} over {what}: the drive may fetch, and execute, what "
                   "lay there before.", [*evidence, ("Event", mark.number)])


def _fetched_empty(scene, mark):
    """The drive fetched what looks like 64 zero bytes, and nobody looked at the doorbell: if they are zero still, they were."""
    view = scene.sqs.get(mark.qid)
    return _after_doorbell(scene, mark) if view is not None and view.entry(mark.slot) == BLANK else None


def _cid_reused(scene, mark):
    first, second, qid = mark.first, mark.second, mark.qid
    done = "was completed only later" if first.completed is not None else "is outstanding still"
    return Finding("cid-reused", f"SQ {qid}: cid {mark.cid} was used again while the {name_of(first.opcode, qid == 0)} that had it {done}.",
                   [("First", f"SQ{qid}[{first.slot}] {name_of(first.opcode, qid == 0)} cid={mark.cid}"),
                    ("Second", f"SQ{qid}[{second.slot}] {name_of(second.opcode, qid == 0)} cid={mark.cid}"), ("Event", mark.number)])


def waiting_entries(scene):
    """Entries that are rung and not fetched: two with one cid, a cid that is inside the drive, one that changed since its doorbell."""
    if not up(scene):
        return
    for qid, view in scene.sqs.items():
        if owned(view) or not view.rung or view.entries is None:
            continue
        slots = [(view.head + at) % view.size for at in range(view.rung)]
        raws = {slot: view.entry(slot) for slot in slots}
        yield from _same_cid(scene, view, raws)
        book = scene.ledger.sqs.get(qid)
        for slot in slots:
            command = book.waiting.get(slot) if book is not None else None
            if command is not None and command.peeked and command.raw != raws[slot]:
                yield Finding("entry-after-doorbell", f"SQ{qid}TDBL handed slot {slot} over before the command was in it: it has "
                              "changed since, and a drive that had fetched it at once would have got what lay there before.",
                              [("At the doorbell", "64 zero bytes" if command.raw == BLANK else named(command.key, qid)),
                               ("There now", named(key_of(raws[slot]), qid)), *sq_evidence(scene, view)])
                break
            if raws[slot] == BLANK:
                yield Finding("entry-after-doorbell", f"SQ{qid}TDBL hands slot {slot} over, and it is empty: nothing was written "
                              "there yet.", sq_evidence(scene, view))
                break


def _same_cid(scene, view, raws):
    used = {cid: f"{name_of(opcode, sqid == 0)}, inside the drive" for sqid, cid, opcode, _ in scene.inside if sqid == view.qid}
    if view.qid == 0:
        used.update({cid: "Asynchronous Event Request, waiting in the drive" for cid in scene.waiting_events})
    for slot, raw in raws.items():
        opcode, cid, _ = key_of(raw)
        if cid in used and raw != BLANK:
            yield Finding("cid-reused", f"SQ {view.qid}: slot {slot} uses cid {cid}, which is outstanding already.",
                          [("First", used[cid]), ("Second", f"SQ{view.qid}[{slot}] {name_of(opcode, view.qid == 0)} cid={cid}")])
            return
        used[cid] = f"SQ{view.qid}[{slot}] {name_of(opcode, view.qid == 0)} cid={cid}"


def late_entry(scene):
    """Without a look at each doorbell: the entry fetched last is another than the one that lies there now."""
    if not up(scene):
        return
    for qid, view in scene.sqs.items():
        book = scene.ledger.sqs.get(qid)
        if owned(view) or book is None or view.rung != 0 or view.inferred or view.tail != book.rung or view.ring is not None:
            continue
        slot = (view.tail - 1) % view.size
        command, raw = book.in_slot.get(slot), view.entry(slot)
        if command is None or command.fetched is None or command.key is None or raw is None or raw == BLANK:
            continue
        if command.key != key_of(raw):
            yield Finding("entry-after-doorbell", f"The drive fetched SQ{qid}[{slot}] before the command was in it: the doorbell "
                          "came first.", [("Fetched", "64 zero bytes" if not any(command.key) else named(command.key, qid)),
                           ("There now", named(key_of(raw), qid)), *sq_evidence(scene, view)])


CHECKS = (past_end, strays, not_moving, mismatch, marks, waiting_entries, late_entry)
