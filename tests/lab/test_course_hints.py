"""The exercises' checks: what a learner plausibly writes first is told what is wrong with it."""

import time

import pytest

from nvlab.lab.course import check
from nvlab.lab.course_driver import TinyDriver
from nvlab.lab.course_mystery import _guilty
from nvlab.spec.commands import cmd
from nvlab.spec.errors import NvmeStatusError
from nvlab.spec.identify import IdentifyController
from nvlab.spec.registers import AQA, CC


def told(number, answer, words):
    """Assert that an answer fails, and that the last finding and its hint say so in these words."""
    verdict = check(number, *answer) if isinstance(answer, tuple) else check(number, answer)
    assert not verdict.passed and "check stumbled" not in repr(verdict)
    _, what, hint = verdict.findings[-1]
    for one in words:
        assert one in f"{what} {hint}", f"{what}\n{hint}"


# ---------------------------------------------------------------- 00

@pytest.mark.parametrize("answer, words", [
    (lambda ctrl: ctrl.namespaces[1].blocks, ["expected 1048576", "got 2048", "How many bytes is one"]),
    (lambda ctrl: sum(ns.blocks for ns in ctrl.namespaces.values()) * 512, ["block=4096", "Not every drive has blocks of 512"]),
    (lambda ctrl: ctrl.namespaces[1].size, ["namespaces=3", "one namespace, and this controller has 3"]),
    (lambda ctrl: ctrl.namespaces, ["knows its size in bytes"]), (lambda ctrl: ctrl.size, ["raised AttributeError"]), (5, ["a function is expected"]),
], ids=["blocks", "blocks of 512", "the first namespace", "the namespaces themselves", "no such attribute", "not a function"])
def test_a_capacity_of_something_else(answer, words):
    told("00", answer, words)


# ---------------------------------------------------------------- 01

def asker(ring=True, step=True, poll=True, give_back=True, posted=1, short_cut=False):
    """A serial_number with one step left out."""
    def ask(ctrl):
        if short_cut:
            return ctrl.identify_controller().sn
        buffer, (sq, cq) = ctrl.alloc(4096), (ctrl.admin.sq, ctrl.admin.cq)
        for _ in range(posted):
            sq.post(cmd.identify(cns=1, prp1=buffer))
        if ring:
            sq.ring()
        if step:
            ctrl.ssd.step()
        if poll:
            cq.poll()
        if give_back:
            cq.ring()
        return IdentifyController(buffer).sn
    return ask


@pytest.mark.parametrize("answer, words", [
    (asker(ring=False), ["got ''", "never rung"]), (asker(step=False), ["got ''", "ssd.step()"]),
    (asker(poll=False), ["cq.poll()"]), (asker(give_back=False), ["CQ0HDBL was last rung with 0, and the head is 1", "cq.ring()"]),
    (asker(posted=2), ["2 commands were posted", "one Identify"]), (asker(short_cut=True), ["you are the driver"]),
], ids=["never rung", "never stepped", "never polled", "never given back", "posted twice", "by the driver"])
def test_an_identify_with_a_step_left_out(answer, words):
    told("01", answer, words)


# ---------------------------------------------------------------- 02

def limits(one=1, unit=0.5, page=4096, exponent=True):
    """A decoder of CAP with one thing wrong."""
    def decode(cap):
        dstrd = cap >> 32 & 15
        return (cap & 0xFFFF) + one, (cap >> 24 & 0xFF) * unit, page << (cap >> 48 & 15), 4 << dstrd if exponent else 4 * (dstrd + 1)
    return decode


def doorbell(first=0, pairs=2, fixed=0):
    return lambda qid, completion, stride: 0x1000 + (pairs * qid + (bool(completion) ^ first)) * (fixed or stride)


@pytest.mark.parametrize("answer, words", [
    ((limits(one=0), doorbell()), ["entries in a queue", "zero-based"]), ((limits(unit=500), doorbell()), ["seconds", "units of 500 ms"]),
    ((limits(page=1), doorbell()), ["smallest page", "12 + MPSMIN"]), ((limits(exponent=False), doorbell()), ["from doorbell to doorbell", "4 << DSTRD"]),
    ((limits(), doorbell(first=1)), ["SQ0TDBL", "expected 0x1000, got 0x1004", "SQ tail first"]),
    ((limits(), doorbell(pairs=1)), ["SQ1TDBL", "expected 0x1008, got 0x1004", "two for each queue pair"]),
    ((limits(), doorbell(fixed=4)), ["stride of 8", "expected 0x1008, got 0x1004"]), ((limits(), lambda *a: None), ["nothing yet", "1000h"]),
    ((lambda cap: (None,) * 4, doorbell()), ["nothing was returned yet"]), ((lambda cap: cap & 0xFFFF, doorbell()), ["four numbers"]),
], ids=["MQES as it is", "milliseconds", "the exponent alone", "stride as a factor", "head first", "one for each pair", "always 4", "no doorbell",
        "no limits", "one number"])
def test_a_capability_misread(answer, words):
    told("02", answer, words)


# ---------------------------------------------------------------- 03

def starter(disable=True, zero_based=1, sizes=True, wait=True, deadline=True, early=False, back=lambda sq, cq: (sq, cq)):
    """A bring_up with one thing wrong."""
    def follows(ctrl, value):
        until = time.monotonic() + ctrl.cap.TO.seconds
        while ctrl.regs.CSTS.RDY != value:
            if deadline and time.monotonic() > until:
                return not wait
        return True

    def bring_up(ctrl, depth):
        sq, cq, regs = ctrl.alloc(depth * 64), ctrl.alloc(depth * 16), ctrl.regs
        if disable:
            regs.CC.EN = 0
            follows(ctrl, 0)
        if early:
            regs.CC = CC.encode(EN=1, IOSQES=6, IOCQES=4)
        regs.AQA = AQA.encode(ASQS=depth - zero_based, ACQS=depth - zero_based)
        regs.ASQ, regs.ACQ = sq.iova, cq.iova
        regs.CC = CC.encode(EN=1, **({"IOSQES": 6, "IOCQES": 4} if sizes else {}))
        return back(sq, cq) if follows(ctrl, 1) else None
    return bring_up


@pytest.mark.parametrize("answer, words", [
    (starter(disable=False), ["was written while CC.EN was 1", "Disable first"]), (starter(zero_based=0), ["AQA.ASQS, ACQS = (16, 16)", "zero-based"]),
    (starter(sizes=False), ["IOSQES = 0", "2**6"]), (starter(wait=False), ["reported as ready", "Return None"]),
    (starter(deadline=False), ["never gets ready", "did not come back", "ctrl.cap.TO.seconds"]), (starter(early=True), ["CSTS.CFS is set", "before CC.EN"]), (starter(back=lambda sq, cq: None), ["nothing was returned", "enabled and ready"]),
    (starter(back=lambda sq, cq: (cq, sq)), ["16 * 64", "first the submission queue's"]), (starter(back=lambda sq, cq: sq), ["two buffers are wanted"]),
    (starter(back=lambda sq, cq: (sq.iova, cq.iova)), ["two buffers are wanted"]),
], ids=["never disabled", "one too many", "no entry sizes", "not waited", "no deadline", "enabled too early", "nothing returned", "swapped", "one ring", "addresses"])
def test_a_bring_up_in_another_order(answer, words):
    told("03", answer, words)


# ---------------------------------------------------------------- 04

def collector(mask=1, invert=True, wrap=True, cid=lambda entry: int(entry[12]) | int(entry[13]) << 8, tag=None, clear=False, back=lambda *what: what):
    """A collect with one thing wrong."""
    def collect(entries, head, phase):
        cids = []
        while entries[head, 14] & mask == (phase if tag is None else tag):
            cids.append(cid(entries[head]))
            if clear:
                entries[head] = 0
            head += 1
            if wrap and head == len(entries):
                head, phase = 0, 1 - phase if invert else phase
        return back(cids, head, phase)
    return collect


@pytest.mark.parametrize("answer, words", [
    (collector(mask=0xFF), ["three new entries", "the tag is one bit"]), (collector(invert=False), ["across the end", "inverts"]),
    (collector(wrap=False), ["IndexError"]), (collector(tag=1), ["second lap", "equals the phase you expect"]),
    (collector(cid=lambda entry: int(entry[12])), ["low byte", "byte 13"]), (collector(cid=lambda entry: entry[12] | entry[13] << 8), ["low byte", "make it an int"]),
    (collector(cid=lambda entry: int(entry[13]) | int(entry[12]) << 8), ["little-endian"]), (collector(clear=True), ["the ring was changed", "only reads it"]),
    (collector(back=lambda *what: what[0]), ["should return (cids, head, phase)"]),
], ids=["the whole byte", "never inverted", "never wrapped", "always 1", "one byte of two", "bytes that overflow", "big-endian", "cleared", "cids alone"])
def test_a_collector_that_misjudges_the_phase(answer, words):
    told("04", answer, words)


# ---------------------------------------------------------------- 05

@pytest.mark.parametrize("answer, words", [
    (lambda iova, length: [iova - iova % 4096, *range(iova - iova % 4096 + 4096, iova + length, 4096)], ["with its offset"]),
    (lambda iova, length: list(range(iova, iova + length, 4096)), ["4096 bytes at 0x10200", "runs over the end of a page"]),
    (lambda iova, length: list(range(iova, iova + length + 4096, 4096)), ["0x10000", "none more"]),
    (lambda iova, length: [iova, *range(iova - iova % 4096 + 4096, iova + length + 1, 4096)], ["(2)", "none more"]),
    (lambda iova, length: [iova + 4096 * n for n in range((iova % 4096 + length + 4095) // 4096)], ["page-aligned"]),
    (lambda iova, length: None, ["should return a list"]), (lambda iova, length: (iova, 0), ["none more"]),
], ids=["no offset", "pages counted from the address", "one more", "one more at the boundary", "an offset in all", "nothing", "always two"])
def test_prps_of_other_pages(answer, words):
    told("05", answer, words)


# ---------------------------------------------------------------- 06

def creator(order="cs", zero_based=1, cqid=None, clean=True, swallow=False, first_clean=False):
    """A create_pair with one thing wrong."""
    def create(ctrl, qid, depth):
        rings = {"c": ctrl.alloc(depth * 16), "s": ctrl.alloc(depth * 64)}
        made = []
        try:
            for one in order:
                if one == "c":
                    ctrl.execute(cmd.create_io_cq(qid=qid, qsize=depth - zero_based, prp1=rings["c"], pc=1))
                else:
                    ctrl.execute(cmd.create_io_sq(qid=qid, qsize=depth - zero_based, cqid=cqid or qid, prp1=rings["s"], pc=1))
                made.append(one)
        except NvmeStatusError:
            if clean and made or first_clean:
                ctrl.execute(cmd.delete_io_cq(qid=qid))
            if not swallow:
                raise
        return rings["s"], rings["c"]
    return create


@pytest.mark.parametrize("answer, words", [
    (creator(order="sc"), ["Completion Queue Invalid", "create it first"]), (creator(zero_based=0), ["QSIZE asks for", "zero-based"]),
    (creator(cqid=63), ["Completion Queue Invalid"]), (creator(clean=False), ["completion queue 2 stayed behind", "Delete I/O CQ"]),
    (creator(swallow=True), ["no exception came out", "bare raise"]), (creator(first_clean=True), ["something more was sent", "nothing to delete"]),
    (creator(order="c"), ["05h", "Create I/O SQ 01h"]),
    (lambda ctrl, qid, depth: ctrl.create_io_queue_pair(qid=qid, depth=depth), ["should return (sq, cq), the two buffers"]),
], ids=["submission queue first", "one too many", "another CQID", "nothing cleaned", "no exception", "always cleaned", "half a pair", "by the driver"])
def test_a_pair_half_made(answer, words):
    told("06", answer, words)


# ---------------------------------------------------------------- 07

def reader(tries_more=0, swallow=False, heed=True, pause=lambda ctrl, completion: None):
    """A read_patiently with one thing wrong."""
    def read(ctrl, lba, tries):
        block = ctrl.alloc(512)
        command = cmd.read(nsid=1, slba=lba, nlb=0, prp1=block)
        for left in reversed(range(tries + tries_more)):
            try:
                ctrl.submit(command, held=(block,)).wait()
                return bytes(block)
            except NvmeStatusError as error:
                if heed and error.completion.dnr and not swallow or not left and not swallow:
                    raise
                if heed and error.completion.dnr:
                    break
                pause(ctrl, error.completion)
    return read


@pytest.mark.parametrize("answer, words", [
    (reader(tries_more=1), ["Reads were sent", "Count"]),
    (reader(swallow=True), ["did not reach the caller", "raise"]),
    (reader(heed=False), ["DNR: given up at once", "Reads were sent, 1 expected", "Do Not Retry"]),
    (reader(), ["CRD = 3 asks for a pause", "at once", "CRDT3"]),
    (reader(pause=lambda ctrl, completion: time.sleep(int(ctrl.id.crdt1) * 0.1)), ["asks for a pause of 0.5 s", "the next try came after"]),
    (reader(pause=lambda ctrl, completion: time.sleep(int(completion.crd))), ["and it took", "units of 100 ms"]),
], ids=["one try too many", "nothing raised", "DNR ignored", "no pause", "always the first delay", "CRD taken for seconds"])
def test_a_reader_without_patience_or_with_too_much(answer, words):
    told("07", answer, words)


# ---------------------------------------------------------------- 08

@pytest.mark.parametrize("name, words", [("_store", ["All five write through it", "further out"]), ("housekeeping", ["further in"]),
                                         ("Namespace.write", ["rotate_logs"])])
def test_an_accusation_in_the_wrong_frame(name, words):
    told("08", name, words)


def test_an_innocent_chore():
    told("08", "rotate_logs" if _guilty.__name__ != "rotate_logs" else "warm_cache", ["it wasn't", "keeps to block", "slba"])


# ---------------------------------------------------------------- 09

def batch(ring=True, give_back=True):
    """A run_batch with one thing wrong."""
    def run(pair, commands):
        done, left = [], list(commands)
        while len(done) < len(commands):
            now, left = left[:pair.sq.space], left[pair.sq.space:]
            for command in now:
                pair.sq.post(command)
            if now and ring:
                pair.sq.ring()
            while (completion := pair.cq.poll()) is not None:
                done.append(completion)
            if give_back:
                pair.cq.ring()
        return done
    return run


def one_by_one(pair, commands):
    done = []
    for command in commands:
        pair.sq.post(command)
        pair.sq.ring()
        while (completion := pair.cq.poll()) is None:
            pass
        done.append(completion)
        pair.cq.ring()
    return done


def first_ring_only(pair, commands):
    return batch()(pair, commands[:pair.sq.space])


@pytest.mark.parametrize("answer, words", [
    (batch(give_back=False), ["did not come back", "CQ", "is full"]), (batch(ring=False), ["did not come back", "never rung"]),
    (one_by_one, ["doorbell was written 30 times", "then ring once"]), (first_ring_only, ["7 completions", "sq.space"]),
    (lambda pair, commands: [pair.cq.poll() for _ in commands], ["None is none"]), (lambda pair, commands: [], ["Nothing was sent yet"]),
], ids=["slots never given back", "never rung", "one by one", "one ring and no more", "None for completions", "nothing"])
def test_a_batch_that_hangs_or_wastes(answer, words):
    told("09", answer, words)


# ---------------------------------------------------------------- 10

def sleeps_first(cq, interrupt, seconds):
    interrupt.wait(seconds)
    return cq.poll()


def forgets(cq, interrupt, seconds):
    deadline = time.monotonic() + seconds
    while (completion := cq.poll()) is None and time.monotonic() < deadline:
        interrupt.collect()
        interrupt.wait(deadline - time.monotonic())
    return completion


def stares(cq, interrupt, seconds):
    deadline = time.monotonic() + seconds
    while (completion := cq.poll()) is None and time.monotonic() < deadline:
        pass
    return completion


def believes(cq, interrupt, seconds):
    completion = cq.poll()
    if completion is None and interrupt.wait(seconds):
        completion = cq.poll()
    return completion


def for_ever(cq, interrupt, seconds):
    while (completion := cq.poll()) is None:
        interrupt.wait(seconds)
    return completion


@pytest.mark.parametrize("answer, words", [
    (sleeps_first, ["slept 3 times while a completion lay there"]), (forgets, ["was found after", "collect()"]),
    (stares, ["while nothing came, the queue was looked at", "Sleep with"]), (believes, ["brought nothing new", "sleep again"]), (for_ever, ["did not come back", "at most"]),
], ids=["sleeps first", "forgets interrupts", "polls", "believes each interrupt", "without a deadline"])
def test_a_sleeper_that_sleeps_too_long_or_not_at_all(answer, words):
    told("10", answer, words)


# ---------------------------------------------------------------- 11

class CountsWaiting(TinyDriver):
    def free_cid(self):
        return len(self.waiting)


class StopsEarly(TinyDriver):
    def submit(self, command):
        return None if len(self.waiting) == self.depth - 2 else super().submit(command)


@pytest.mark.parametrize("number, answer, words", [
    ("11.7", CountsWaiting, ["a second command got cid 1"]), ("11.5", StopsEarly, ["submit() said that the ring is full", "3.3.1.5"])])
def test_a_repair_that_only_looks_right(number, answer, words):
    told(number, answer, words)


# ---------------------------------------------------------------- 12

def greeter(size=None, past=0, doorbell=None, answers=True):
    """A greet with one thing assumed."""
    def greet(ctrl, words):
        ns = ctrl.namespaces[1]
        block = ctrl.alloc(size or ns.block_size)
        block[:len(words)] = list(words)
        pair = ctrl.create_io_queue_pair(depth=4)
        pair.sq.post(cmd.write(nsid=1, slba=ns.blocks - 1 + past, nlb=0, prp1=block))
        pair.sq.ring() if doorbell is None else ctrl.bar.write32(doorbell, 1)
        while (done := pair.cq.poll()) is None:
            pass
        pair.cq.ring()
        return done if answers else None
    return greet


@pytest.mark.parametrize("answer, words", [
    (greeter(size=512), ["blocks of 4096 bytes", "behind the end of the buffer", "block_size"]), (greeter(past=1), ["LBA Out of Range"]),
    (greeter(doorbell=0x1008), ["32 bytes apart", "did not come back", "DSTRD"]), (greeter(answers=False), ["should return the completion"]),
], ids=["512 bytes", "one past the end", "a doorbell by number", "nothing returned"])
def test_a_greeting_that_assumes(answer, words):
    told("12", answer, words)
