"""Each rule of ctrl.why(): a case that it speaks of, and a near one of which it says nothing."""
import pytest

import nvlab
from nvlab.spec.commands import cmd
from nvlab.spec.registers import ACQ, AQA, ASQ, CC
from nvlab.trace.why import Why
from nvlab.trace.why_rules import RULES, Finding

from .broken import BROKEN, CorrectDriver
from .test_why_broken import probe


@pytest.fixture
def manual():
    """A probed drive that moves by steps only."""
    with probe("manual") as ctrl:
        yield ctrl


@pytest.fixture
def pair(manual):
    """A queue pair of four entries of a drive that moves by steps only."""
    manual.start()
    return manual.create_io_queue_pair(4)


@pytest.fixture
def driver(manual):
    """The correct driver, its queues made, nothing done yet; watched."""
    with nvlab.watch(manual):
        driver = CorrectDriver(manual)
        driver.bring_up()
        driver.create_io_queues()
        yield driver


def read(ctrl, blocks=1, **more):
    return cmd.read(nsid=1, slba=0, nlb=blocks - 1, prp1=ctrl.alloc(blocks * 512), **more)


def rules(ctrl):
    return ctrl.why().rules


# ---------------------------------------------------------------- the table

def test_every_rule_says_what_it_has_to():
    for name, rule in RULES.items():
        assert name == rule.id and rule.severity in ("error", "waiting", "note")
        assert rule.title and rule.remedy and rule.cite.startswith(("base 2.0c", "nvlab"))


def test_each_rule_about_a_driver_has_a_broken_driver():
    elsewhere = {"gone", "fault", "fatal", "queue-mismatch", "completion-not-taken", "in-the-drive", "completion-lost", "not-ready", "shut-down", "disabled",
                 "command-failed"}
    assert {bug.rule for bug in BROKEN} == set(RULES) - elsewhere


def test_the_gravest_comes_first():
    why = Why([Finding("command-failed", "c."), Finding("nobody-steps", "b."), Finding("cid-reused", "a.")])
    assert why.rules == ["cid-reused", "nobody-steps", "command-failed"]
    assert (why.sentence, why.accused, why.ok) == ("a.", True, False)


def test_an_answer_is_shown_as_text_and_html(pair, manual):
    pair.sq.post(read(manual))
    why = manual.why()
    lines = str(why).splitlines()
    assert lines[0] == why.sentence == "SQ1 tail is 1 here and SQ1TDBL is still 0: the doorbell was never rung for that entry."
    assert any("base 2.0c 3.3.1.2" in line for line in lines) and any("sq.ring()" in line for line in lines)
    bundle = why._repr_mimebundle_()
    assert bundle["text/plain"] == repr(why) and "<table" in bundle["text/html"] and "SQ1TDBL" in bundle["text/html"]


# ---------------------------------------------------------------- bring-up

def test_a_fresh_controller_is_not_enabled_and_a_ready_one_is(manual):
    assert rules(manual) == ["disabled"] and "AQA, ASQ, ACQ" in manual.why().sentence
    manual.start()
    assert manual.why().ok


def test_an_admin_queue_that_is_unset(manual):
    manual.create_admin_queue(8)
    manual.regs.AQA = 0
    manual.regs.CC = CC.encode(EN=1, IOSQES=6, IOCQES=4)
    why = manual.why()
    assert why.rule == "admin-queue-unset" and "AQA" in why.sentence
    manual.disable()
    manual.create_admin_queue(8)
    manual.enable()
    assert manual.why().ok


def test_registers_written_after_cc_en_are_told_apart(manual):
    with nvlab.watch(manual):
        manual.regs.CC = CC.encode(EN=1, IOSQES=6, IOCQES=4)
        buffer = manual.alloc(8192)
        manual.regs.AQA, manual.regs.ASQ, manual.regs.ACQ = AQA.encode(ASQS=3, ACQS=3), buffer.iova, buffer.iova + 4096
        assert "written only afterwards" in manual.why().sentence


def test_an_admin_queue_where_the_drive_reaches_no_memory(manual):
    manual.regs.AQA, manual.regs.ASQ, manual.regs.ACQ = AQA.encode(ASQS=3, ACQS=3), 1 << 50, 1 << 51
    manual.regs.CC = CC.encode(EN=1, IOSQES=6, IOCQES=4)
    assert rules(manual) == ["fatal"]


@pytest.mark.parametrize("register", [ASQ, ACQ])
def test_alignment_is_seen_by_a_watch(manual, register):
    with nvlab.watch(manual):
        manual.create_admin_queue(8)
        manual.regs.write(register, int(manual.regs[register]) + 64)
        manual.regs.CC = CC.encode(EN=1, IOSQES=6, IOCQES=4)
        why = manual.why()
        assert why.rule == "admin-queue-unaligned" and register.name in why.sentence


def test_entry_sizes_matter_once_there_are_io_queues(manual):
    manual.create_admin_queue(8)
    manual.regs.CC = CC.encode(EN=1)
    assert manual.why().ok                       # they may still be set
    manual.create_io_queue_pair(4)
    why = manual.why()
    assert why.rule == "entry-size" and "CC.IOSQES is 0 and CC.IOCQES is 0" in why.sentence


def test_page_size_that_cap_does_not_allow(manual):
    manual.create_admin_queue(8)
    manual.regs.CC = CC.encode(EN=1, MPS=3, IOSQES=6, IOCQES=4)
    assert rules(manual) == ["page-size"]


@pytest.mark.require("qemu")
def test_page_size_of_the_driver_and_of_cc():
    with probe("qemu") as ctrl:
        both = ctrl.alloc(1 << 14, align=1 << 14)
        ctrl.create_admin_queue(8)
        ctrl.regs.ASQ, ctrl.regs.ACQ = both.iova, both.iova + 8192
        ctrl.regs.CC = CC.encode(EN=1, MPS=1, IOSQES=6, IOCQES=4)
        assert ctrl.why().rule == "page-size"


def test_shut_down(manual):
    manual.start().shutdown()
    assert rules(manual) == ["shut-down"]


# ---------------------------------------------------------------- rings of nvlab's own

def test_post_ring_step_poll_ring(pair, manual):
    """The whole round: at each instant the one thing that is waited for."""
    expected = []
    for what in (lambda: pair.sq.post(read(manual)), pair.sq.ring, manual.ssd.step, pair.cq.poll, pair.cq.ring):
        what()
        expected.append(manual.why().rule)
    assert expected == ["doorbell-never-rung", "nobody-steps", "completion-not-taken", "", ""]


def test_a_full_completion_queue(pair, manual):
    for _ in range(3):
        pair.sq.post(read(manual))
        pair.sq.ring()
        manual.ssd.step()
        pair.cq.poll()
    assert manual.why().ok                       # full, and nothing waits for it
    pair.sq.post(read(manual))
    pair.sq.ring()
    why = manual.why()
    assert (why.rule, why.severity) == ("cq-doorbell-never-rung", "waiting")
    assert "CQ1HDBL is still 0" in why.sentence and "has taken 3 of them" in why.sentence
    pair.cq.ring()
    assert manual.why().rule == "nobody-steps"


def test_doorbells_at_and_past_the_end(pair, manual):
    manual.bar.write32(pair.sq.doorbell, 3)      # the last slot: allowed, though nothing lies there
    assert "doorbell-past-end" not in rules(manual)
    manual.bar.write32(pair.sq.doorbell, 4)
    why = manual.why()
    assert why.rule == "doorbell-past-end" and "written with 4" in why.sentence and "0 to 3" in why.sentence
    manual.bar.write32(pair.sq.doorbell, 0)
    assert manual.why().ok
    manual.bar.write32(pair.cq.doorbell, 1000)
    assert manual.why().rule == "doorbell-past-end"


def test_a_doorbell_of_a_queue_that_is_not_there(pair, manual):
    manual.bar.write32(pair.sq.doorbell + 8, 1)
    assert manual.why().rule == "doorbell-of-no-queue" and "SQ 2" in manual.why().sentence
    manual.bar.write32(pair.sq.doorbell + 8, 0)
    assert manual.why().ok


def test_the_same_doorbell_value_again(pair, manual):
    with nvlab.watch(manual):
        pair.sq.ring()
        pair.sq.post(read(manual))
        assert rules(manual) == ["doorbell-never-rung"]      # rung for nothing, then something came
        manual.bar.write32(pair.sq.doorbell, 0)
        assert manual.why().rule == "doorbell-not-moving"
        pair.sq.ring()
        assert rules(manual) == ["nobody-steps"]


def test_a_queue_of_another_size_than_the_drive_was_told(manual):
    manual.create_admin_queue(8)
    manual.regs.AQA = AQA.encode(ASQS=8, ACQS=7)
    manual.enable()
    why = manual.why()
    assert why.rule == "zero-based-size" and "8 entries here and 9 for the drive" in why.sentence


def test_a_queue_at_another_place_than_the_drive_was_told(manual):
    manual.create_admin_queue(8)
    buffer = manual.alloc(4096)
    manual.regs.ACQ = buffer.iova
    manual.enable()
    assert rules(manual) == ["queue-mismatch"]


def test_an_entry_posted_after_its_doorbell(pair, manual):
    with nvlab.watch(manual):
        pair.sq.post(read(manual))
        pair.sq.ring()
        assert "entry-after-doorbell" not in rules(manual)
        manual.ssd.step()
        manual.bar.write32(pair.sq.doorbell, 2)
        pair.sq.post(read(manual))
        assert manual.why().rule == "entry-after-doorbell"


def test_a_completion_that_was_lost(pair, manual):
    """Nobody has the command any more but the driver; a late one, one still in the ring and one not yet taken are not lost."""
    manual.ssd.faults.drop(count=1, opcode="Read", after=1)
    manual.ssd.faults.delay(60, count=1, opcode="Flush")
    requests = [pair.submit(read(manual)), pair.submit(read(manual)), pair.submit(cmd.flush(nsid=1))]
    assert "completion-lost" not in rules(manual)
    while manual.ssd.step():
        pass
    assert "completion-lost" in rules(manual)
    manual.ssd.faults.clear()
    assert set(rules(manual)) == {"completion-not-taken", "completion-lost", "in-the-drive"}
    pair.poll()
    assert rules(manual) == ["completion-lost", "in-the-drive"]
    why = manual.why()
    assert why.rule == "completion-lost" and f"cid {requests[1].cid}" in why.sentence and "likewise" not in why.sentence
    manual.reset()
    assert manual.why().ok


def test_one_cid_twice(pair, manual):
    one = read(manual)
    one.cid = 7
    pair.sq.push(bytes(one))
    pair.sq.ring()
    assert "cid-reused" not in rules(manual)
    pair.sq.push(bytes(one))
    pair.sq.ring()
    assert manual.why().rule == "cid-reused"     # both lie there, and both were rung


def test_one_cid_again_when_it_is_free(pair, manual):
    with nvlab.watch(manual):
        for _ in range(6):
            pair.sq.post(read(manual), cid=7)
            pair.sq.ring()
            manual.ssd.step()
            pair.poll()
        assert manual.why().ok


def test_the_cid_of_an_event_request_that_waits(pair, manual):
    cid = next(iter(manual.admin.sq.outstanding))
    one = cmd.get_features(fid=7)
    one.cid = cid
    manual.admin.sq.push(bytes(one))
    manual.admin.sq.ring()
    assert manual.why().rule == "cid-reused" and "Asynchronous Event Request" in str(manual.why())


# ---------------------------------------------------------------- rings in raw memory

def test_a_raw_driver_is_followed_step_by_step(driver, manual):
    seen = []
    for _ in range(5):                           # beyond the wrap
        for what in (lambda: driver.put(driver.io, read(manual)), lambda: driver.ring_sq(driver.io), driver.move,
                     lambda: driver.take(driver.io)):
            what()
            seen.append(manual.why().rule)
    lap = ["doorbell-never-rung", "nobody-steps", "completion-not-taken", ""]
    assert seen[:16] == lap * 4 and seen[16:] == ["doorbell-never-rung", "nobody-steps", "wrong-phase", ""]
    assert not manual.why().all


def test_without_a_watch_the_rings_alone_tell_much(manual):
    driver = CorrectDriver(manual)
    driver.bring_up()
    driver.create_io_queues()
    driver.put(driver.io, read(manual))
    why = manual.why()
    assert why.rule == "doorbell-never-rung" and "Read with cid 0" in why.sentence and "nvlab.watch" in why.seen
    driver.ring_sq(driver.io)
    assert manual.why().rule == "nobody-steps"
    driver.move()
    assert manual.why().rule == "completion-not-taken"


def test_a_doorbell_that_gives_back_just_what_was_posted(driver, manual):
    for slots in (1, 2, 3):
        for _ in range(slots):
            driver.put(driver.io, read(manual))
        driver.ring_sq(driver.io)
        for _ in range(slots):
            driver.move()
        driver.io.head = (driver.io.head + slots) % 4
        driver.io.outstanding.clear()
        driver.ring_cq(driver.io)
        assert not manual.why().accused, str(manual.why())
    driver.io.head = (driver.io.head + 1) % 4
    driver.ring_cq(driver.io)
    assert manual.why().rule in ("stale-completion", "wrong-phase")


# ---------------------------------------------------------------- commands

def test_a_submission_queue_whose_completion_queue_exists(driver, manual):
    driver.do(driver.admin, cmd.create_io_cq(qid=2, qsize=3, pc=1, prp1=manual.alloc(4096)))
    driver.do(driver.admin, cmd.create_io_sq(qid=2, qsize=3, pc=1, cqid=2, prp1=manual.alloc(4096)))
    assert manual.why().ok
    driver.do(driver.admin, cmd.create_io_sq(qid=3, qsize=3, pc=1, cqid=3, prp1=manual.alloc(4096)))
    why = manual.why()
    assert why.rule == "sq-before-cq" and "SQ 3 completes to CQ 3" in why.sentence


def test_queue_sizes_at_the_limit(driver, manual):
    limit = int(manual.cap.MQES)
    driver.do(driver.admin, cmd.create_io_cq(qid=2, qsize=limit, pc=1, prp1=manual.alloc((limit + 1) * 16)))
    assert manual.why().ok
    driver.do(driver.admin, cmd.create_io_cq(qid=3, qsize=limit + 1, pc=1, prp1=manual.alloc((limit + 2) * 16)))
    why = manual.why()
    assert why.rule == "zero-based-size" and f"CAP.MQES = {limit}" in why.sentence


def test_as_many_event_requests_as_aerl_allows(driver, manual):
    for _ in range(3):
        driver.submit(driver.admin, cmd.async_event_request())
        driver.move()
    assert manual.why().ok and "3 Asynchronous Event Requests" in manual.why().sentence
    for _ in range(2):
        driver.submit(driver.admin, cmd.async_event_request())
        driver.move()
    assert manual.why().rule == "aer-limit" and "4 may be outstanding" in manual.why().sentence


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("blocks, prp1, prp2, rule", [
    (8, 0, 0, ""), (9, 0, 0, "zero-based-size"), (16, 0, 0, "prp2-missing"), (16, 0, 4096, ""), (16, 0, 4096 + 512, "prp2-unaligned"),
    (8, 512, 4096, ""), (8, 512, 0, "zero-based-size"), (12, 1024, 0, "prp2-missing"), (24, 0, 4096, "prp2-page-for-list"),
    (24, 0, 4100, "prp2-unaligned")])
def test_data_pointers(pair, manual, watched, blocks, prp1, prp2, rule):
    buffer = manual.alloc(1 << 16)
    watch = nvlab.watch(manual) if watched else None
    pair.sq.post(cmd.read(nsid=1, slba=0, nlb=blocks - 1, prp1=buffer.iova + prp1, prp2=prp2 and buffer.iova + prp2))
    pair.sq.ring()
    manual.ssd.step()
    pair.poll()
    why = manual.why()
    assert why.rule == rule, str(why)
    assert watch is None or watch.on


def test_a_list_of_the_right_length(driver, manual):
    for blocks in (8, 9, 16, 17, 24, 64):
        driver.write_and_read(0, blocks)
        assert manual.why().ok, str(manual.why())


def test_a_command_that_fails_for_its_own_reasons_is_no_accusation(driver, manual):
    driver.do(driver.io, cmd.read(nsid=1, slba=1 << 40, nlb=0, prp1=driver.data))
    why = manual.why()
    assert (why.rule, why.severity) == ("command-failed", "note") and "LBA Out of Range" in why.sentence
    driver.do(driver.io, cmd.read(nsid=1, slba=0, nlb=0, prp1=driver.data))
    assert manual.why().ok                       # it works now


def test_admin_commands_by_their_opcode(driver, manual):
    driver.do(driver.io, cmd.read(nsid=1, slba=0, nlb=0, prp1=driver.data))
    assert manual.why().ok
    for command in (cmd.identify(cns=1, prp1=driver.data), cmd.get_features(fid=7)):
        driver.do(driver.io, command)
        assert manual.why().rule == "admin-on-io"
