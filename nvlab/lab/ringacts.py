"""What a person may do to a queue pair by hand, each with a sentence that says what came of it."""

from nvlab.spec.commands import cmd
from nvlab.spec.errors import UsageError

NUMBER_OF_QUEUES = 7
SMART = 2
WHOLE_DRIVE = 0xFFFFFFFF

HARMLESS = {
    "admin": {
        "identify": ("Identify Controller", lambda ctrl, iova: cmd.identify(cns=1, prp1=iova)),
        "identify_ns": ("Identify Namespace", lambda ctrl, iova: cmd.identify(cns=0, nsid=_first(ctrl).nsid, prp1=iova)),
        "get_features": ("Get Features: Number of Queues", lambda ctrl, iova: cmd.get_features(fid=NUMBER_OF_QUEUES)),
        "smart": ("Get Log Page: SMART", lambda ctrl, iova: cmd.get_log_page(lid=SMART, nsid=WHOLE_DRIVE, numdl=127, prp1=iova)),
    },
    "nvm": {
        "read": ("Read block 0", lambda ctrl, iova: cmd.read(nsid=_first(ctrl).nsid, slba=0, nlb=0, prp1=iova)),
        "flush": ("Flush", lambda ctrl, iova: cmd.flush(nsid=_first(ctrl).nsid)),
        "past_end": ("Read past the end, which fails", lambda ctrl, iova: cmd.read(nsid=_first(ctrl).nsid, slba=2**63, nlb=0, prp1=iova)),
    },
}
"""{admin or nvm: {key: (title, f(ctrl, iova) -> Command)}}: commands that change nothing."""


def _first(ctrl):
    for namespace in ctrl.namespaces.values():
        return namespace
    raise UsageError("the controller has no namespace yet: identify_namespaces() or attach() finds them")


def movable(pair) -> bool:
    """Whether a person may move this pair: a recording's, at an instant that is past, can only be looked at."""
    return hasattr(pair.sq, "ring")


def choices(pair) -> list:
    """[[key, title]] of the commands that post() knows for this pair; none where there is no live controller behind it."""
    if not hasattr(getattr(pair, "controller", None), "alloc"):
        return []
    return [[key, title] for key, (title, _) in HARMLESS["nvm" if pair.qid else "admin"].items()]


def post(pair, key) -> str:
    """Put a harmless command into the slot at the tail, with a buffer of its own. The doorbell stays as it is."""
    kinds = HARMLESS["nvm" if pair.qid else "admin"]
    if key not in kinds:
        raise UsageError(f"post: there is {', '.join(kinds)} for this queue, not {key!r}")
    title, build = kinds[key]
    buffer = pair.controller.alloc(4096)
    slot = pair.sq.post(build(pair.controller, buffer.iova), held=(buffer,), what=f"{title}, posted by hand")
    return f"Wrote {title} into SQ{pair.sq.qid}[{slot}]. The drive doesn't know yet: the doorbell says {pair.sq.rung or 0}, the tail is {pair.sq.tail}."


def ring(pair) -> str:
    """Write the tail to the SQ's doorbell."""
    sq = pair.sq
    before = sq.rung or 0
    sq.ring()
    new = (sq.tail - before) % sq.depth
    told = f"{new} new {'entry' if new == 1 else 'entries'}" if new else "nothing new"
    return f"Wrote {sq.tail} to SQ{sq.qid}TDBL: {told} for the drive."


def ring_cq(pair) -> str:
    """Write the head to the CQ's doorbell."""
    cq = pair.cq
    before = cq.rung or 0
    cq.ring()
    new = (cq.head - before) % cq.depth
    given = f"{new} slot{'' if new == 1 else 's'} given back" if new else "nothing new"
    return f"Wrote {cq.head} to CQ{cq.qid}HDBL: {given} to the drive."


def step(pair, ssd) -> str:
    """Let the drive do one thing, and compare what it believes of this pair before and after."""
    if not hasattr(ssd, "step"):
        return "This drive moves by itself; only the embedded one can be stepped."
    before = _state(pair, ssd)
    moved = ssd.step()
    after = _state(pair, ssd)
    if before is None or after is None:
        return f"The drive has no queue pair {pair.qid}: is the controller enabled?"
    if before == after:
        return (f"The drive did something outside of queue pair {pair.qid}: {moved}" if moved else
                f"The drive had nothing to do: its head of SQ{pair.qid} has reached its tail.")
    return (f"The drive moved: its SQ head {before['sq_head']} → {after['sq_head']}, "
            f"its CQ tail {before['cq_tail']} → {after['cq_tail']}.")


def _state(pair, ssd):
    """What the drive believes of the pair's two queues, which may have different numbers."""
    sq, cq = ssd.queue_state(pair.sq.qid), ssd.queue_state(pair.cq.qid)
    return sq and cq and {**cq, "sq_head": sq["sq_head"], "sq_tail": sq["sq_tail"]}


def poll(pair) -> str:
    """Look at the phase tag of the slot at the CQ's head, and take the completion if it is new."""
    cq = pair.cq
    slot, phase = cq.head, cq.phase
    completion = cq.poll()
    if completion is None:
        return f"Nothing new: the phase tag of CQ{cq.qid}[{slot}] is still {1 - phase}, the host waits for {phase}."
    status = getattr(completion, "status", None)
    return (f"CQ{cq.qid}[{slot}] has phase {phase}: command {completion.cid} completed"
            + (f" with {status.title}." if status is not None else "."))
