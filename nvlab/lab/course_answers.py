"""Checks of the exercises 07, 09, 10 and 12: errors, batches, interrupts, other drives."""
import secrets
import shutil
import time

import nvlab
from nvlab import Trace
from nvlab.spec.commands import Completion, cmd
from nvlab.spec.errors import Error, NvmeStatusError
from nvlab.spec.render import counted

from .course_guard import drive, some_text

__all__ = ["any_drive", "batch", "interrupt_wait", "patience"]


# ---------------------------------------------------------------- 07

def _reads(trace):
    return sum(int(row["opcode"]) == 2 and row["sqid"] != 0 for row in trace.commands)


HUNG = "Does your loop end when the tries are used up, and when DNR is set?"


def patience(report, function):
    """07: try again when that may help, only then, and not too soon."""
    lba, text = secrets.randbelow(2000), some_text(12).encode()
    tries = 3 + secrets.randbelow(3)
    cases = ((None, False, 0, 1, "a Read that succeeds is sent once", "Return the bytes as soon as a try succeeds."),
             ("Namespace Not Ready", False, tries - 1, tries, "a failure that passes is tried again", "An NvmeStatusError whose completion has DNR = 0 may be tried again."),
             ("Unrecovered Read Error", True, None, 1, "DNR: given up at once", "error.completion.dnr says: Do Not Retry (base 2.0c 3.3.3.2.1). Let the exception go out: a bare raise."),
             ("Namespace Not Ready", False, None, tries, f"a failure that stays: {tries} tries, no more", "Count, and let the last exception go out: a bare raise."))
    for what, dnr, count, sent, said, hint in cases:
        with drive(ready=True) as ctrl:
            ctrl.namespaces[1].write(lba, text)
            ctrl.retries = 0
            if what:
                ctrl.ssd.faults.status(what, opcode="Read", dnr=dnr, count=count)
            with Trace(ctrl) as trace:
                got = report.call(function, ctrl, lba, tries, may_raise=NvmeStatusError, hint=HUNG)
            works = what is None or count is not None
            if works and (isinstance(got, NvmeStatusError) or got is None):
                report.wrong(f"{said}: no data came back" + (f", but {got}" if got is not None else ""), hint)
            report.expect(_reads(trace) == sent, said, f"{said}: {_reads(trace)} Reads were sent, {sent} expected", hint)
            if works:
                report.expect(bytes(got)[:len(text)] == text, "and brings the block", "the bytes returned are not the block's")
            else:
                report.expect(isinstance(got, NvmeStatusError), "and the caller learns why", f"{what} did not reach the caller: it got {got!r}", hint)
    _pause(report, function, lba)


def _pause(report, function, lba):
    """CRD asks for a pause, which is neither left out nor guessed."""
    with drive(ready=True) as ctrl:
        ctrl.retries, wanted = 0, int(ctrl.id.crdt3) * 0.1
        ctrl.ssd.faults.status("Namespace Not Ready", opcode="Read", crd=3, count=1)
        began = time.monotonic()
        report.call(function, ctrl, lba, 3, hint=HUNG)
        took = time.monotonic() - began
        hint = "CRD chooses one of three times, CRDT1 to CRDT3 of ctrl.id, in units of 100 ms (base 2.0c 3.3.3.2.1)."
        report.expect(took >= wanted, f"CRD = 3: {wanted:g} s pass before the next try",
                      f"CRD = 3 asks for a pause of {wanted:g} s, and the next try came {'at once' if took < 0.05 else f'after {took:.2f} s'}", hint)
        report.expect(took < 4 * wanted, "and not much more", f"CRD = 3 asks for a pause of {wanted:g} s, and it took {took:.1f} s", hint)


# ---------------------------------------------------------------- 09

def batch(report, function):
    """09: many commands, few doorbells."""
    for depth, count in ((8, 30), (16, 15), (4, 10)):
        with drive(ready=True, mode="inline") as ctrl:
            ctrl.namespaces[1].write(0, b"".join(n.to_bytes(4, "little") * 128 for n in range(64)))
            pair = next(iter(ctrl.io.values()))
            ctrl.delete_io_queue_pair(pair)
            pair = ctrl.create_io_queue_pair(depth)
            buffers = [ctrl.alloc(512) for _ in range(count)]
            places = [secrets.randbelow(64) for _ in range(count)]
            commands = [cmd.read(nsid=1, slba=lba, nlb=0, prp1=buffer) for lba, buffer in zip(places, buffers)]
            with Trace(ctrl) as trace:
                done = report.call(function, pair, commands, seconds=3, hint=lambda: f"ctrl.why() says: {ctrl.why().sentence}")
            if done is None or not hasattr(done, "__len__"):
                report.wrong(f"run_batch() should return the list of completions, not {done!r}", "Collect what pair.cq.poll() gives you.")
            odd = [one for one in done if not isinstance(one, Completion)]
            if odd:
                report.wrong(f"run_batch() should return completions, and {odd[0]!r} is none", "pair.cq.poll() gives None when nothing is new: that isn't one.")
            _check_batch(report, trace, done, depth, count, all((b.view("<u4") == lba).all() for b, lba in zip(buffers, places)))


def _check_batch(report, trace, done, depth, count, data):
    hint = ("Nothing was sent yet: post a command, ring, poll." if not trace.select(kind="sqe_post") else
            "A ring holds one entry less than it has slots: sq.space says how many fit. The rest goes when slots are free again.")
    report.expect(len(done) == count, f"{count} commands through a ring of {depth}: all completed",
                  f"{count} commands through a ring of {depth}: {counted(len(done), 'completion')}", hint)
    report.expect(data, "and all data came", "but some of the data didn't come: was a completion taken too early?")
    rounds = -(-count // (depth - 1))
    for kind, name in (("sq_doorbell", "SQ tail"), ("cq_doorbell", "CQ head")):
        writes = len(trace.select(kind=kind))
        report.expect(0 < writes <= 2 * rounds, f"with {counted(writes, 'write')} of the {name} doorbell",
                      f"the {name} doorbell was written {counted(writes, 'time')}; {2 * rounds} are enough, and {rounds} would do",
                      "Post as many as fit, then ring once; take all that is there, then ring once.")


# ---------------------------------------------------------------- 10

class _Watched:
    """Something of nvlab's with a few methods replaced."""

    def __init__(self, thing, **instead):
        self._thing = thing
        self.__dict__.update(instead)

    def __getattr__(self, name):
        return getattr(self._thing, name)


def _vector_pair(ctrl):
    pair = ctrl.create_io_queue_pair(8, vector=1)
    return pair, pair.cq.interrupt


def _flushes(pair, count=1):
    cids = []
    for _ in range(count):
        slot = pair.sq.post(cmd.flush(nsid=1))
        cids.append(int.from_bytes(bytes(pair.sq.entries[slot, 2:4]), "little"))
    pair.sq.ring()
    return cids


DEADLINE = "The third argument is how long to wait at most, all sleeps together."


def interrupt_wait(report, function):
    """10: sleep until there is something, and never past it."""
    _several_at_once(report, function)
    _nothing_comes(report, function)
    _just_after_the_look(report, function)
    _false_alarm(report, function)


def _several_at_once(report, function):
    with drive(ready=True) as ctrl:
        pair, interrupt = _vector_pair(ctrl)
        cids, asleep = _flushes(pair, 3), []
        for _ in range(5):
            ctrl.ssd.step()
        interrupt.collect()                      # one interrupt, say, and it is over

        def wait(timeout=None, past=None):
            asleep.append(bool(pair.cq.has_new()))
            return interrupt.wait(timeout, past)

        got = [report.call(function, pair.cq, _Watched(interrupt, wait=wait), 0.3, seconds=3, hint=DEADLINE) for _ in cids]
        found = [int(one.cid) for one in got if hasattr(one, "cid")]
        report.expect(found == cids, "three completions behind one interrupt: all found",
                      f"three completions behind one interrupt: {len(found)} found", "Look into the queue before you sleep: an interrupt may stand for several.")
        report.expect(not any(asleep), "without sleeping while they lay there", f"it slept {counted(sum(asleep), 'time')} while a completion lay there",
                      "Look into the queue first, and sleep only when nothing is there.")


def _nothing_comes(report, function):
    with drive(ready=True) as ctrl:
        pair, interrupt = _vector_pair(ctrl)
        looks = []

        def counted_look(look):
            return lambda: (looks.append(1), look())[1]

        watched = _Watched(pair.cq, **{name: counted_look(getattr(pair.cq, name)) for name in ("poll", "peek", "has_new")})
        got = report.call(function, watched, interrupt, 0.2, seconds=3, hint=DEADLINE)
        report.expect(got is None, "when nothing comes, None within the time given", f"when nothing came, {got!r} was returned")
        report.expect(len(looks) <= 20, "without polling meanwhile", f"while nothing came, the queue was looked at {len(looks)} times",
                      "Sleep with interrupt.wait(seconds).")


def _just_after_the_look(report, function):
    with drive(ready=True) as ctrl:
        pair, interrupt = _vector_pair(ctrl)
        cids, seconds = _flushes(pair), 1.5

        def poll():
            found = pair.cq.poll()
            if found is None:                    # the worst moment: right behind the host's back
                ctrl.ssd.step(), ctrl.ssd.step()
            return found

        began = time.monotonic()
        got = report.call(function, _Watched(pair.cq, poll=poll), interrupt, seconds, seconds=3, hint=DEADLINE)
        took, hint = time.monotonic() - began, "Don't collect() after the look: what came since would be forgotten. After the wait, look again."
        report.expect(got is not None and int(got.cid) == cids[0], "a completion that comes between the look and the sleep is not missed",
                      "a completion that came between the look and the sleep was missed", hint)
        report.expect(took < seconds / 2, "and ends the sleep at once", f"a completion that came between the look and the sleep was found after {took:.1f} s", hint)


def _false_alarm(report, function):
    with drive(ready=True) as ctrl:
        pair, interrupt = _vector_pair(ctrl)
        cids, alarms = _flushes(pair), []

        def wait(timeout=None, past=None):
            alarms.append(timeout)
            if len(alarms) == 2:
                ctrl.ssd.step(), ctrl.ssd.step()
            return True

        got = report.call(function, pair.cq, _Watched(interrupt, wait=wait, sleep=wait), 1.0, seconds=3)
        report.expect(got is not None and int(got.cid) == cids[0], "an interrupt without news: it goes on waiting",
                      "an interrupt that brought nothing new ended the wait", "A vector may be shared, or late. Look, and sleep again.")


# ---------------------------------------------------------------- 12

_DRIVES = (("embedded:size=64M,mode=inline", "the drive that it was written for", ""),
           ("embedded:size=2M,mode=inline", "a smaller drive", "How many blocks are there? The namespace knows."),
           ("embedded:size=2M,mode=inline,block=4096", "a drive with blocks of 4096 bytes", "The namespace knows its block_size."),
           ("embedded:size=2M,mode=inline,mqes=16", "a drive whose queues have at most 16 entries", "CAP.MQES says how long a queue may be, and it is zero-based."),
           ("embedded:size=2M,mode=inline,dstrd=3", "a drive with its doorbells 32 bytes apart", "Let sq.ring() find the doorbell, or calculate with CAP.DSTRD."),
           ("embedded:size=2M,mode=inline", "a drive whose queue pair 1 is taken", "create_io_queue_pair() returns the pair; its qid needn't be 1."),
           ("qemu:size=2M,block=4096", "QEMU's drive", "ctrl.ssd is None there: the drive moves by itself."))


def _soil(ctrl):
    """Have something lie behind the end of each buffer that the answer allocates: a drive that reads on shows it."""
    alloc = ctrl.alloc

    def soiled(nbytes, *args, **how):
        pages = alloc(-(-nbytes // ctrl.page) * ctrl.page, *args, **how)
        pages[nbytes:] = ord("#")
        return pages[:nbytes]

    ctrl.alloc = soiled


def any_drive(report, function):
    """12: code that assumes nothing about the drive."""
    for number, (address, what, hint) in enumerate(_DRIVES):
        if address.startswith("qemu") and shutil.which("qemu-system-x86_64") is None:
            report.right("(QEMU is not installed here, so it was not asked)")
            continue
        words = f"Hello {some_text(6)}".encode()
        with nvlab.attach(address, timeout=3.0) as ctrl:
            if number == 5:
                ctrl.create_io_queue_pair(8).take("another program")
            namespace = ctrl.namespaces[1]
            _soil(ctrl)
            got = report.call(function, ctrl, words, seconds=4, what=f"{what}: greet()", hint=hint, may_raise=Error)
            if isinstance(got, Error):
                report.wrong(f"{what}: {got}", hint)
            if not isinstance(got, Completion):
                report.wrong(f"{what}: greet() should return the completion, not {got!r}", "It is what pair.cq.poll() gives, or ctrl.execute().")
            if not got.ok:
                report.wrong(f"{what}: the drive answered {got.status}", f"{got.status.hint} {hint}".strip())
            there = bytes(namespace.read(namespace.blocks - 1, 1))
            if there[:len(words)] == words and there.strip(b"\0") != words:
                report.wrong(f"{what}: behind the words its last block holds {there.strip(bytes(1))[-8:]!r}, from behind the end of the buffer", hint)
            report.expect(there.rstrip(b"\0") == words, what, f"{what}: its last block holds {there.rstrip(bytes(1))[:24]!r}, not the words", hint)
            for pair in ctrl.io.values():
                pair.release()
