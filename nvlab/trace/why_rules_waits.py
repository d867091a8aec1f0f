"""Rules about who waits for whom: entries not rung, a full completion queue, a drive that nobody moves, completions not taken."""
from nvlab.spec.render import counted

from .why_ledger import key_of
from .why_rules import WAITING, Finding
from .why_rules_rings import cq_evidence, fresh, named, owned, sq_evidence, up


def never_rung(scene):
    """Entries that the doorbell hasn't handed over."""
    if not up(scene):
        return
    for qid, view in scene.sqs.items():
        if owned(view) or view.tail is None or view.tail >= view.size:
            continue
        ring = view.ring
        if ring is not None and ring.depth == view.size and ring.tail != ring.rung and ring.tail != view.tail:
            count = (ring.tail - view.tail) % view.size
            said = f"SQ{qid} tail is {ring.tail} here and SQ{qid}TDBL is {'still ' if view.tail == ring.rung else ''}{view.tail}"
        elif fresh(scene, view, view.tail):
            count = 1
            while count < view.size - 1 and fresh(scene, view, (view.tail + count) % view.size):
                count += 1
            said = (f"SQ{qid}[{view.tail}] holds a {named(key_of(view.entry(view.tail)), qid)} and SQ{qid}TDBL is still {view.tail}")
        else:
            continue
        if scene.ledger.sqs.get(qid) is not None and scene.ledger.sqs[qid].still is not None and ring is None:
            continue                             # it was rung, and didn't move: that is said elsewhere
        what = "that entry" if count == 1 else f"these {count} entries"
        yield Finding("doorbell-never-rung", f"{said}: the doorbell was never rung for {what}.",
                      sq_evidence(scene, view), remedy=f"write SQ{qid}TDBL with {(view.tail + count) % view.size}"
                      f"{' (sq.ring())' if ring is not None else ''}")


def _blocked(scene, cq):
    """Commands that wait because a completion queue is full: rung ones, or ones inside the drive."""
    users = [view for view in scene.sqs.values() if view.cqid == cq.qid or view.cqid is None and view.qid == cq.qid]
    held = sum(sqid == view.qid for sqid, *_ in scene.inside for view in users)
    return sum(view.rung or 0 for view in users) + held


def cq_full(scene):
    """The drive can't post: nobody gave the slots back."""
    if not up(scene):
        return
    for qid, cq in scene.cqs.items():
        if owned(cq) or not cq.full or not _blocked(scene, cq):
            continue
        book, ring = scene.ledger.cqs.get(qid), cq.ring
        never = "was never rung" if book is not None and book.whole and not book.doorbells else f"is still {cq.head}"
        count = (ring.head - cq.head) % cq.size if ring is not None else 0
        taken = f", though the host has taken {count} of them" if count else ""
        yield Finding("cq-doorbell-never-rung", f"CQ {qid} is full: the drive posted {cq.size - 1} completions and CQ{qid}HDBL {never}"
                      f"{taken}; it fetches no more until it gets slots back.",
                      [*cq_evidence(scene, cq), ("Waiting", counted(_blocked(scene, cq), "command"))])


def nobody_moves(scene):
    """The drive could go on, and nobody lets it."""
    if not up(scene) or scene.ssd is None or scene.registers["CSTS"].CFS:
        return
    able = [view for view in scene.sqs.values()
            if view.rung and not owned(view) and view.cqid in scene.cqs and not scene.cqs[view.cqid].full]
    held = [(sqid, cid, opcode, state) for sqid, cid, opcode, state in scene.inside if state == "fetched" or sqid in scene.sqs
            and scene.sqs[sqid].cqid in scene.cqs and not scene.cqs[scene.sqs[sqid].cqid].full]
    if not able and not held:
        return
    mode, count = scene.ssd.mode, sum(view.rung for view in able)
    words = [f"{counted(view.rung, 'command')} in SQ {view.qid}" for view in able]
    words += [f"{counted(len(held), 'command')} inside it"] if held else []
    evidence = [("Drive", f"mode {mode}, {counted(count, 'command')} rung and not fetched, {len(held)} inside"),
                *(row for view in able[:2] for row in sq_evidence(scene, view))]
    said = {"manual": ("The drive is in mode manual and nobody steps it", "ssd.step(), once for each command; or ssd.mode = \"inline\""),
            "inline": ("The drive is in mode inline and moves only when the host polls",
                       "poll through nvlab (cq.poll(), a Request's wait()), or call ctrl.function.pump() in your own loop; "
                       "or ssd.mode = \"thread\""),
            "thread": ("The drive's thread is about to fetch", "ask again: it hadn't come to it yet")}[mode]
    verb = "waits" if count + len(held) == 1 else "wait"
    yield Finding("nobody-steps", f"{said[0]}: {' and '.join(words)} {verb}.", evidence, remedy=said[1])


def not_taken(scene):
    """Completions that lie there for the host."""
    if not up(scene):
        return
    for qid, cq in scene.cqs.items():
        if owned(cq) or cq.tail is None or cq.head is None or cq.head >= cq.size:
            continue
        own = cq.ring is not None and cq.ring.depth == cq.size
        start = cq.ring.head if own else cq.head
        count = (cq.tail - start) % cq.size
        if not count:
            continue
        where = f"slot {start}" if count == 1 else f"slots {start} to {(cq.tail - 1) % cq.size}"
        phase = cq.phase if start < cq.tail else None if cq.phase is None else cq.phase ^ 1
        done = "taken" if own else "given back"
        said = f"The drive posted {counted(count, 'completion')} to CQ {qid}, {where}, that the host hasn't {done}"
        if own and cq.ring.phase != phase and phase is not None and not any(m.qid == qid for m in scene.ledger.marks):
            yield Finding("wrong-phase", f"CQ {qid}: the host expects Phase Tag {cq.ring.phase} in slot {start}, and the drive posted "
                          f"there with {phase}.", cq_evidence(scene, cq))
            continue
        book = scene.ledger.cqs.get(qid)
        if not own and start == 0 and _later_lap(cq, book, phase):
            yield Finding("wrong-phase", f"{said}. It is the first of a new lap: if the driver has looked, it still expects Phase Tag "
                          f"{phase ^ 1}, and {phase} means new now.", cq_evidence(scene, cq), severity=WAITING)
        else:
            tag = [("Phase Tag", f"{phase} in slot {start}: what the driver has to expect there")] if phase is not None else []
            yield Finding("completion-not-taken", f"{said}.", [*cq_evidence(scene, cq), *tag])


def _later_lap(cq, book, phase):
    """True when the ring has been gone round before: the books say so, or an even lap's Phase Tag."""
    if book is not None:
        return bool(book.taken) or phase == 0
    return phase == 0


def inside(scene):
    """Commands that the drive has and doesn't complete; Asynchronous Event Requests are meant to stay."""
    if not up(scene):
        return
    for qid in sorted({sqid for sqid, _ in scene.held} - set(scene.ledger.sqs)):       # nobody watched: no more is known
        if qid in scene.sqs and not owned(scene.sqs[qid]):
            count = sum(sqid == qid for sqid, _ in scene.held)
            yield Finding("in-the-drive", f"The drive holds {counted(count, 'command')} of SQ {qid} back, fetched and not completed.",
                          sq_evidence(scene, scene.sqs[qid]))
    for qid, book in scene.ledger.sqs.items():
        view = scene.sqs.get(qid)
        if view is None or owned(view):
            continue
        late = []
        if scene.ssd is not None:
            late = [c for c in book.commands if c.fetched is not None and c.completed is None and not (qid == 0 and c.opcode == 0x0C)]
            late = [c for c in late if (qid, c.cid) not in {(sqid, cid) for sqid, cid, *_ in scene.inside}]
        if late:
            yield Finding("in-the-drive", f"The drive has fetched a {named(late[0].key, qid)} from SQ {qid} and hasn't completed it"
                          f"{f', nor {len(late) - 1} more' if len(late) > 1 else ''}.", sq_evidence(scene, view))


def lost(scene):
    """Commands that the driver waits for and that are nowhere any more: not in a ring, not in the drive, not completed."""
    if not up(scene) or not scene.still:
        return
    for qid, view in scene.sqs.items():
        cq = scene.cqs.get(view.cqid)
        if cq is None or owned(view) or not all(_compared(ring) for ring in (view, cq)):
            continue
        somewhere = _under_way(scene, qid, view, cq)
        gone = [request for cid, request in view.ring.outstanding.items()
                if cid not in somewhere and (qid or int(request.command.opc) != 0x0C)]
        if gone:
            more = f"; {len(gone) - 1} more likewise" if len(gone) > 1 else ""
            yield Finding("completion-lost", f"The driver waits for the {named(key_of(bytes(gone[0].command)), qid)} of SQ {qid}: the drive has "
                          f"fetched it and hasn't got it any more, and CQ {view.cqid} holds no completion of it{more}.",
                          [*sq_evidence(scene, view), *cq_evidence(scene, cq)])


def _compared(view):
    """True where both ends of a ring are known, and are the same ring."""
    return view.ring is not None and view.ring.depth == view.size and view.entries is not None and None not in (view.head, view.tail)


def _under_way(scene, qid, view, cq):
    """Command identifiers of a queue that lie in its ring unfetched, are in the drive, or lie in the completion queue."""
    found = {cid for sqid, cid, *_ in [*scene.inside, *scene.held] if sqid == qid}
    for n in range((view.ring.tail - view.head) % view.size):
        found.add(int.from_bytes(view.entry((view.head + n) % view.size)[2:4], "little"))
    for n in range((cq.tail - cq.ring.head) % cq.size):
        found.add(int.from_bytes(cq.entries[(cq.ring.head + n) % cq.size].tobytes()[12:14], "little"))
    return found


CHECKS = (never_rung, cq_full, nobody_moves, not_taken, inside, lost)
