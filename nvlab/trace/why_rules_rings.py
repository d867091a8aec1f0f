"""Rules about the rings: doorbells, heads and tails, Phase Tags, command identifiers, and who waits for whom."""
from nvlab.spec.render import counted

from .baseline import CQ, SQ
from .decode import name_of
from .why_ledger import BLANK, key_of
from .why_rules import WAITING, Finding


def _up(scene):
    return scene.gone is None and bool(scene.registers) and bool(scene.registers["CC"].EN)


def _sq_evidence(scene, view):
    """Both ends of a submission queue."""
    book, rows = scene.ledger.sqs.get(view.qid), []
    if view.ring is not None:
        rows.append((f"SQ{view.qid}, host", f"tail {view.ring.tail}, head {view.ring.head}, {view.ring.depth} entries"))
    rows.append((f"SQ{view.qid}TDBL", "not known" if view.tail is None else f"{view.tail}"
                 + (f", written {counted(book.doorbells, 'time')} so far" if book is not None else "")))
    rows.append((f"SQ{view.qid}, drive", f"head {'?' if view.head is None else view.head}, {view.size} entries at {view.iova:#x}"
                 + (" (as the host's memory tells)" if view.inferred else "")))
    return rows


def _cq_evidence(scene, view):
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


def _named(command_key, qid):
    """"Read with cid 3"."""
    opcode, cid, _ = command_key
    return f"{name_of(opcode, qid == 0)} with cid {cid}"


def _owned(view):
    """True while a loop has the queue: it moves between two looks."""
    return view.ring is not None and view.ring.owner is not None


# ---------------------------------------------------------------- what a doorbell may hold

def past_end(scene):
    """A doorbell holds a value that its queue has no slot for."""
    if not _up(scene):
        return
    for name, views, what in (("SQ{}TDBL", scene.sqs, "tail"), ("CQ{}HDBL", scene.cqs, "head")):
        for qid, view in views.items():
            value = view.tail if what == "tail" else view.head
            if value is None or value < view.size:
                continue
            evidence = _sq_evidence(scene, view) if what == "tail" else _cq_evidence(scene, view)
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
    if not _up(scene):
        return
    for qid, book in scene.ledger.sqs.items():
        view = scene.sqs.get(qid)
        if view is None or book.still is None or view.tail != book.rung:
            continue
        raw = view.entry(view.tail)
        there = book.still.entries.get(view.tail) if book.still is not True else None
        fresh = _fresh(scene, view, view.tail) if view.ring is None else view.ring.tail != view.tail
        if raw is None or raw == BLANK or there not in (None, raw) or not fresh:
            continue
        yield Finding("doorbell-not-moving", f"SQ{qid}TDBL was written with {view.tail} again, while slot {view.tail} holds a "
                      f"{_named(key_of(raw), qid)}: the drive sees nothing new.", _sq_evidence(scene, view))
    for qid, book in scene.ledger.cqs.items():
        view = scene.cqs.get(qid)
        if view is None or not book.still or view.head != book.rung or view.ring is not None and view.ring.head == view.head:
            continue
        yield Finding("doorbell-not-moving", f"CQ{qid}HDBL was written with {view.head} again, while slot {view.head} holds a "
                      "completion: the drive gets no slot back.", _cq_evidence(scene, view))


# ---------------------------------------------------------------- sizes and places

def mismatch(scene):
    """The host's ring and the drive's queue differ in place or size."""
    if not _up(scene) or scene.ssd is None:
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
    if not _up(scene):
        return
    kinds = {"overrun": _overrun, "after-doorbell": _after_doorbell, "fetched-empty": _fetched_empty, "cid-reused": _cid_reused}
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
                *(_cq_evidence(scene, view) if view is not None else ()), ("Event", mark.number)]
    first = mark.tail
    if mark.value == 0 and first == mark.size - 1 and mark.released == mark.there + 1:
        return Finding("zero-based-size", f"{bell} went from {mark.old} to 0 while the drive still had slot {first} to fill: it was told "
                       f"of {mark.size} entries, and the host wraps after {mark.size - 1}; most likely the zero-based size is one too large.",
                       evidence)
    if first == 0 and mark.taken >= mark.size:
        return Finding("wrong-phase", f"The host took slot 0 of CQ {mark.qid} for new after the wrap, and the drive has not posted "
                       "there since: it is the completion of the lap before; the expected Phase Tag did not turn over.", evidence)
    lap = "that still holds the lap before" if mark.taken >= mark.size else "that was never posted"
    return Finding("stale-completion", f"{bell} went from {mark.old} to {mark.value}, past the {counted(mark.there, 'completion')} that the "
                   f"drive had posted: the host took slot {first} for new, {lap}.", evidence)


def _after_doorbell(scene, mark):
    command, qid = mark.command, mark.qid
    evidence = [("Slot", f"SQ{qid}[{mark.slot}]")]
    seen = command.raw if command is not None else None
    fetched = getattr(mark, "fetched", None)
    if seen is not None:
        evidence.append(("At the doorbell", "64 zero bytes" if seen == BLANK else _named(key_of(seen), qid)))
    if fetched is not None:
        evidence.append(("Fetched", "64 zero bytes" if not any(fetched) else _named(fetched, qid)))
    view = scene.sqs.get(qid)
    raw = view.entry(mark.slot) if view is not None else None
    if raw is not None:
        evidence.append(("There now", "64 zero bytes" if raw == BLANK else _named(key_of(raw), qid)))
    if getattr(mark, "last", False) and fetched in (None, (0, 0, 0)) and raw == BLANK:
        return Finding("zero-based-size", f"The doorbell handed slot {mark.slot} of SQ {qid} over, its last, and it is empty: the drive was told of "
                       f"{mark.size} entries, and the host wraps after {mark.size - 1}; most likely the zero-based size is one too large.",
                       [*evidence, *(_sq_evidence(scene, view) if view is not None else ())])
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
    if not _up(scene):
        return
    for qid, view in scene.sqs.items():
        if _owned(view) or not view.rung or view.entries is None:
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
                              [("At the doorbell", "64 zero bytes" if command.raw == BLANK else _named(command.key, qid)),
                               ("There now", _named(key_of(raws[slot]), qid)), *_sq_evidence(scene, view)])
                break
            if raws[slot] == BLANK:
                yield Finding("entry-after-doorbell", f"SQ{qid}TDBL hands slot {slot} over, and it is empty: nothing was written there yet.",
                              _sq_evidence(scene, view))
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
    if not _up(scene):
        return
    for qid, view in scene.sqs.items():
        book = scene.ledger.sqs.get(qid)
        if _owned(view) or book is None or view.rung != 0 or view.inferred or view.tail != book.rung or view.ring is not None:
            continue
        slot = (view.tail - 1) % view.size
        command, raw = book.in_slot.get(slot), view.entry(slot)
        if command is None or command.fetched is None or command.key is None or raw is None or raw == BLANK:
            continue
        if command.key != key_of(raw):
            yield Finding("entry-after-doorbell", f"The drive fetched SQ{qid}[{slot}] before the command was in it: the doorbell came first.",
                          [("Fetched", "64 zero bytes" if not any(command.key) else _named(command.key, qid)),
                           ("There now", _named(key_of(raw), qid)), *_sq_evidence(scene, view)])


# ---------------------------------------------------------------- who waits for whom

def _fresh(scene, view, slot):
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


def never_rung(scene):
    """Entries that the doorbell hasn't handed over."""
    if not _up(scene):
        return
    for qid, view in scene.sqs.items():
        if _owned(view) or view.tail is None or view.tail >= view.size:
            continue
        ring = view.ring
        if ring is not None and ring.depth == view.size and ring.tail != ring.rung and ring.tail != view.tail:
            count = (ring.tail - view.tail) % view.size
            said = f"SQ{qid} tail is {ring.tail} here and SQ{qid}TDBL is {'still ' if view.tail == ring.rung else ''}{view.tail}"
        elif _fresh(scene, view, view.tail):
            count = 1
            while count < view.size - 1 and _fresh(scene, view, (view.tail + count) % view.size):
                count += 1
            said = (f"SQ{qid}[{view.tail}] holds a {_named(key_of(view.entry(view.tail)), qid)} and SQ{qid}TDBL is still {view.tail}")
        else:
            continue
        if scene.ledger.sqs.get(qid) is not None and scene.ledger.sqs[qid].still is not None and ring is None:
            continue                             # it was rung, and didn't move: that is said elsewhere
        yield Finding("doorbell-never-rung", f"{said}: the doorbell was never rung for {'that entry' if count == 1 else f'these {count} entries'}.",
                      _sq_evidence(scene, view), remedy=f"write SQ{qid}TDBL with {(view.tail + count) % view.size}"
                      f"{' (sq.ring())' if ring is not None else ''}")


def _blocked(scene, cq):
    """Commands that wait because a completion queue is full: rung ones, or ones inside the drive."""
    users = [view for view in scene.sqs.values() if view.cqid == cq.qid or view.cqid is None and view.qid == cq.qid]
    held = sum(sqid == view.qid for sqid, *_ in scene.inside for view in users)
    return sum(view.rung or 0 for view in users) + held


def cq_full(scene):
    """The drive can't post: nobody gave the slots back."""
    if not _up(scene):
        return
    for qid, cq in scene.cqs.items():
        if _owned(cq) or not cq.full or not _blocked(scene, cq):
            continue
        book, ring = scene.ledger.cqs.get(qid), cq.ring
        never = "was never rung" if book is not None and book.whole and not book.doorbells else f"is still {cq.head}"
        taken = f", though the host has taken {(ring.head - cq.head) % cq.size} of them" if ring is not None and ring.head != cq.head else ""
        yield Finding("cq-doorbell-never-rung", f"CQ {qid} is full: the drive posted {cq.size - 1} completions and CQ{qid}HDBL {never}"
                      f"{taken}; it fetches no more until it gets slots back.",
                      [*_cq_evidence(scene, cq), ("Waiting", counted(_blocked(scene, cq), "command"))])


def nobody_moves(scene):
    """The drive could go on, and nobody lets it."""
    if not _up(scene) or scene.ssd is None or scene.registers["CSTS"].CFS:
        return
    able = [view for view in scene.sqs.values() if view.rung and not _owned(view) and view.cqid in scene.cqs and not scene.cqs[view.cqid].full]
    held = [(sqid, cid, opcode, state) for sqid, cid, opcode, state in scene.inside if state == "fetched" or sqid in scene.sqs
            and scene.sqs[sqid].cqid in scene.cqs and not scene.cqs[scene.sqs[sqid].cqid].full]
    if not able and not held:
        return
    mode, count = scene.ssd.mode, sum(view.rung for view in able)
    words = [f"{counted(view.rung, 'command')} in SQ {view.qid}" for view in able] + [f"{counted(len(held), 'command')} inside it"] * bool(held)
    evidence = [("Drive", f"mode {mode}, {counted(count, 'command')} rung and not fetched, {len(held)} inside"),
                *(row for view in able[:2] for row in _sq_evidence(scene, view))]
    said = {"manual": ("The drive is in mode manual and nobody steps it", "ssd.step(), once for each command; or ssd.mode = \"inline\""),
            "inline": ("The drive is in mode inline and moves only when the host polls",
                       "poll through nvlab (cq.poll(), a Request's wait()), or call ctrl.function.pump() in your own loop; or ssd.mode = \"thread\""),
            "thread": ("The drive's thread is about to fetch", "ask again: it hadn't come to it yet")}[mode]
    yield Finding("nobody-steps", f"{said[0]}: {' and '.join(words)} wait{'s' if count + len(held) == 1 else ''}.", evidence, remedy=said[1])


def not_taken(scene):
    """Completions that lie there for the host."""
    if not _up(scene):
        return
    for qid, cq in scene.cqs.items():
        if _owned(cq) or cq.tail is None or cq.head is None or cq.head >= cq.size:
            continue
        own = cq.ring is not None and cq.ring.depth == cq.size
        start = cq.ring.head if own else cq.head
        count = (cq.tail - start) % cq.size
        if not count:
            continue
        where = f"slot {start}" if count == 1 else f"slots {start} to {(cq.tail - 1) % cq.size}"
        phase = cq.phase if start < cq.tail else None if cq.phase is None else cq.phase ^ 1
        said = f"The drive posted {counted(count, 'completion')} to CQ {qid}, {where}, that the host hasn't {'taken' if own else 'given back'}"
        if own and cq.ring.phase != phase and phase is not None and not any(m.qid == qid for m in scene.ledger.marks):
            yield Finding("wrong-phase", f"CQ {qid}: the host expects Phase Tag {cq.ring.phase} in slot {start}, and the drive posted there "
                          f"with {phase}.", _cq_evidence(scene, cq))
            continue
        book = scene.ledger.cqs.get(qid)
        if not own and start == 0 and _later_lap(cq, book, phase):
            yield Finding("wrong-phase", f"{said}. It is the first of a new lap: if the driver has looked, it still expects Phase Tag "
                          f"{phase ^ 1}, and {phase} means new now.", _cq_evidence(scene, cq), severity=WAITING)
        else:
            tag = [("Phase Tag", f"{phase} in slot {start}: what the driver has to expect there")] if phase is not None else []
            yield Finding("completion-not-taken", f"{said}.", [*_cq_evidence(scene, cq), *tag])


def _later_lap(cq, book, phase):
    """True when the ring has been gone round before: the books say so, or an even lap's Phase Tag."""
    if book is not None:
        return bool(book.taken) or phase == 0
    return phase == 0


def inside(scene):
    """Commands that the drive has and doesn't complete; Asynchronous Event Requests are meant to stay."""
    if not _up(scene):
        return
    for qid, book in scene.ledger.sqs.items():
        view = scene.sqs.get(qid)
        if view is None or _owned(view):
            continue
        late = []
        if scene.ssd is not None:
            late = [c for c in book.commands if c.fetched is not None and c.completed is None and not (qid == 0 and c.opcode == 0x0C)]
            late = [c for c in late if (qid, c.cid) not in {(sqid, cid) for sqid, cid, *_ in scene.inside}]
        if late:
            yield Finding("in-the-drive", f"The drive has fetched a {_named(late[0].key, qid)} from SQ {qid} and hasn't completed it"
                          f"{f', nor {len(late) - 1} more' if len(late) > 1 else ''}.", _sq_evidence(scene, view))


CHECKS = (past_end, strays, not_moving, mismatch, marks, waiting_entries, late_entry, never_rung, cq_full, nobody_moves, not_taken, inside)
