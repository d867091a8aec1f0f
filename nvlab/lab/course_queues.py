"""Checks of the exercises 04 to 06: rings and phase, PRPs, the creation of queue pairs."""
import secrets

import numpy as np

from nvlab import Trace
from nvlab.host.prp import build_lists
from nvlab.spec.commands import Completion, cmd
from nvlab.spec.errors import NvmeStatusError

from .course_guard import drive

__all__ = ["collect", "prp_entries", "queue_pair"]


# ---------------------------------------------------------------- 04

def _ring(depth, head, phase, fresh):
    """A completion ring in memory: `fresh` new entries from the head on, the others left from the lap before. Returns (entries, cids)."""
    entries, cids = np.zeros((depth, 16), np.uint8), []
    for n in range(depth):
        slot = (head + n) % depth
        tag = phase if slot >= head else 1 - phase
        cid = secrets.randbelow(60000)
        if n < fresh:
            cids.append(cid)
        first_lap = phase == 1 and slot >= head and n >= fresh and secrets.randbelow(2)
        if not first_lap:                        # a slot that was never written is all zeros, tag 0
            entry = Completion.new(cid=cid, sqid=1, p=tag if n < fresh else 1 - tag, sc=2 * (n & 1))   # every other failed
            entries[slot] = np.frombuffer(bytes(entry), np.uint8)
    return entries, cids


_RINGS = (
    (8, 0, 1, 0, "a ring without news", "Look at the Phase Tag first: bit 16 of dword 3, the lowest bit of byte 14."),
    (8, 0, 1, 3, "three new entries on the first lap", "The cid is in bytes 12 and 13, little-endian; the tag is one bit of byte 14, and the others are part of the status."),
    (8, 2, 0, 4, "the second lap, where a new tag is 0", "New means: the tag equals the phase you expect, whichever that is."),
    (4, 3, 1, 2, "news across the end of the ring", "At the wrap the head goes to 0, and the phase you expect inverts."),
    (5, 4, 0, 1, "news that ends exactly at the wrap", "The phase inverts as soon as the head goes back to 0."),
    (6, 0, 0, 6, "a ring that is full of news", "After a whole lap the phase you expect has changed; so the loop ends by itself."),
    (2, 1, 1, 2, "the smallest ring", ""),
)


def collect(report, function):
    """04: take what is new off a completion ring, given as bytes."""
    for depth, head, phase, fresh, what, hint in _RINGS:
        entries, cids = _ring(depth, head, phase, fresh)
        before = entries.copy()
        wanted = (cids, (head + fresh) % depth, phase ^ (head + fresh >= depth))
        got = report.call(function, entries, head, phase)
        if got is None or not isinstance(got, (tuple, list)) or len(got) != 3:
            report.wrong(f"collect() should return (cids, head, phase), not {got!r}", hint)
        got = [int(cid) for cid in got[0]], int(got[1]), int(got[2])
        if got[0] != cids and got[0] == [cid & 0xFF for cid in cids]:
            hint = "That is the low byte. The high one is in byte 13; make it an int before you shift, for a numpy byte has only 8 bits."
        names = ("cids", "head", "phase")
        for name, one, right in zip(names, got, wanted):
            if one != right:
                report.wrong(f"{what} (depth {depth}, head {head}, phase {phase}): {name} should be {right}, not {one}", hint)
        report.expect((entries == before).all(), what, "the ring was changed", "The drive writes this ring. The host only reads it.")
    _collect_live(report, function)


def _collect_live(report, function):
    """The same on a drive's own ring, for several laps."""
    with drive(ready=True) as ctrl:
        pair = ctrl.create_io_queue_pair(depth=5)
        head, phase, seen, sent = 0, 1, [], []
        for turn in range(12):
            for _ in range(1 + turn % 4):
                slot = pair.sq.post(cmd.flush(nsid=1))
                sent.append(int(pair.sq.entries[slot, 2]) | int(pair.sq.entries[slot, 3]) << 8)
            pair.sq.ring()
            while ctrl.ssd.step():
                pass
            cids, head, phase = report.call(function, pair.cq.entries, head, phase)
            seen += [int(cid) for cid in cids]
            while pair.cq.poll():
                pass
            pair.cq.ring()
        report.expect(seen == sent, f"{len(sent)} completions of a drive, {len(sent) // 5} laps of its ring",
                      f"on a drive's own ring {len(seen)} completions were found, where {len(sent)} were posted")


# ---------------------------------------------------------------- 05

def _pages(iova, length, page=4096):
    first = [iova]
    return first + list(range((iova // page + 1) * page, iova + length, page))


def prp_entries(report, function):
    """05: the PRP entries of a transfer, compared, and then used."""
    cases = [(0x10000, 512), (0x10000, 4096), (0x10200, 4096), (0x10200, 3584), (0x10004, 8192), (0x20000, 8192), (0x2F000, 65536),
             (0x10E00, 512), (0x10E00, 1024)]
    cases += [(secrets.randbelow(1 << 20) * 4, (secrets.randbelow(100) + 1) * 512) for _ in range(20)]
    hints = {0: "PRP1 is the address itself, with its offset in the page.", 1: "All entries after the first are page-aligned."}
    for iova, length in cases:
        got, wanted = report.call(function, iova, length), _pages(iova, length)
        if got is None or not hasattr(got, "__iter__"):
            report.wrong(f"prps({iova:#x}, {length}) should return a list of addresses, not {got!r}")
        got = [int(one) for one in got]
        if got != wanted:
            place = next((n for n, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
            hint = (hints[min(place, 1)] if place < min(len(got), len(wanted)) else "One entry for each page that the transfer touches, and none more."
                    if len(got) > len(wanted) else "It runs over the end of a page: one entry for each page that it touches, however few of the page's bytes.")
            report.wrong(f"{length} bytes at {iova:#x}: expected {[hex(a) for a in wanted[:4]]}{'…' if len(wanted) > 4 else ''} "
                         f"({len(wanted)} entries), got {[hex(a) for a in got[:4]]}{'…' if len(got) > 4 else ''} ({len(got)})", hint)
    report.right(f"{len(cases)} transfers described")
    _prp_live(report, function)


def _prp_live(report, function):
    """Reads whose PRPs the learner's function made."""
    with drive(ready=True) as ctrl:
        data = np.random.default_rng(secrets.randbits(32)).integers(0, 256, 128 * 512, dtype=np.uint8)
        ctrl.namespaces[1].write(0, data.tobytes())
        for offset, blocks in ((0, 1), (1024, 8), (0, 16), (512, 64), (4, 128)):
            buffer = ctrl.alloc(offset + blocks * 512 + 4096)
            prp1, *rest = (int(one) for one in report.call(function, buffer.iova + offset, blocks * 512))
            lists = build_lists(ctrl.dma, np.array(rest, np.uint64)) if len(rest) > 1 else ()
            prp2 = lists[0].iova if lists else rest[0] if rest else 0
            try:
                ctrl.submit(cmd.read(nsid=1, slba=0, nlb=blocks - 1, prp1=prp1, prp2=prp2), held=(buffer, lists)).wait()
            except NvmeStatusError as error:
                report.wrong(f"the drive refused them: {error}")
            report.expect((buffer[offset:offset + blocks * 512] == data[:blocks * 512]).all(), f"a drive read {blocks * 512} bytes to offset {offset} of a page",
                          f"a drive that read {blocks * 512} bytes by them put them elsewhere")


# ---------------------------------------------------------------- 06

def _exists(ctrl, qid):
    """Whether the drive has a completion queue `qid`: a second one of that number is refused."""
    try:
        ring = ctrl.alloc(4096)
        ctrl.execute(cmd.create_io_cq(qid=qid, qsize=1, prp1=ring))
    except NvmeStatusError as error:
        return error.status.name == "INVALID_QUEUE_IDENTIFIER"
    ctrl.execute(cmd.delete_io_cq(qid=qid))
    return False


def _opcodes(trace):
    """What was sent on the admin queue: a list of opcodes."""
    return [int(row["opcode"]) for row in trace.commands if row["sqid"] == 0]


CREATE_SQ, DELETE_CQ, CREATE_CQ = 0x01, 0x04, 0x05


def queue_pair(report, function):
    """06: create a pair, and leave nothing behind when its second half fails."""
    _pair_works(report, function)
    for failing, what in (("Create I/O Submission Queue", "second"), ("Create I/O Completion Queue", "first")):
        with drive(ready=True) as ctrl:
            fault = ctrl.ssd.faults.status("Internal Error", opcode=failing)
            with Trace(ctrl) as trace:
                got = report.call(function, ctrl, 2, 16, may_raise=NvmeStatusError)
            ctrl.ssd.faults.clear()
            report.expect(fault.hits == 1 or failing.endswith("Submission Queue") and fault.hits, f"{failing} was sent",
                          f"{failing} was sent {fault.hits} times", "")
            report.expect(isinstance(got, NvmeStatusError), f"when the {what} half fails, the caller learns it",
                          f"when {failing} failed, no exception came out", "Clean up, then let the exception go on: a bare raise.")
            if what == "second":
                report.expect(not _exists(ctrl, 2), "and no completion queue stays behind",
                              "when the submission queue failed, completion queue 2 stayed behind in the drive", "Delete I/O CQ, before the exception goes on.")
            else:
                report.expect(CREATE_SQ not in _opcodes(trace) and DELETE_CQ not in _opcodes(trace), "and nothing else is sent",
                              "when the completion queue failed, something more was sent", "There is nothing to create on it, and nothing to delete.")


def _pair_works(report, function):
    with drive(ready=True) as ctrl:
        qid, depth = 1 + secrets.randbelow(6), 5 + secrets.randbelow(20)
        with Trace(ctrl) as trace:
            rings = report.call(function, ctrl, qid, depth)
        if not isinstance(rings, (tuple, list)) or len(rings) != 2:
            report.wrong(f"create_pair() should return (sq, cq), the two buffers, not {rings!r}")
        sent = _opcodes(trace)
        report.expect(sent[:2] == [CREATE_CQ, CREATE_SQ] and len(sent) == 2, "the completion queue first, then the submission queue",
                      f"the admin commands sent had the opcodes {[f'{o:02x}h' for o in sent]}", "Create I/O CQ is 05h, Create I/O SQ 01h, in this order (base 2.0c 5.4, 5.5).")
        for event in trace.select(kind="sqe_post"):
            entries = int(event.command.qsize) + 1
            if entries != depth:
                report.wrong(f"{event.command.brief()}: QSIZE asks for {entries} entries, {depth} were wanted", "QSIZE is zero-based.")
        sq, cq = rings
        buffer = ctrl.alloc(4096)
        sq[:64] = np.frombuffer(bytes(cmd.read(nsid=1, slba=0, nlb=7, cid=9, prp1=buffer)), np.uint8)
        ctrl.bar.write32(0x1000 + 2 * qid * 4, 1)
        for _ in range(4):                       # one of the steps serves the event request of the bring-up
            ctrl.ssd.step()
        done = Completion(bytes(cq[:16]))
        report.expect(done.p and done.cid == 9 and done.ok, f"a Read through queue pair {qid} of {depth} entries", f"a Read through your rings was not answered: {done!r}",
                      "CQID of Create I/O SQ names the completion queue; PRP1 of each says where its ring is.")
