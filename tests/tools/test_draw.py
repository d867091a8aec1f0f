"""Rings in text: the life of a slot as both sides see it."""

import pytest

from nvlab.tools.draw import LIVES, ring_text, snapshot
from tests.lab.fake_nvme import FakeQueuePair, FakeSsd, identify


@pytest.fixture
def pair():
    return FakeQueuePair(8)


def lives(ring):
    return [LIVES[x] for x in ring.life]


def test_each_life_of_a_slot(pair):
    ssd = FakeSsd(pair)
    for cid in range(4):
        pair.sq.post(identify(cid))
    pair.sq.rung = 3
    ssd.step()
    ssd.step()
    pair.cq.poll()
    rings = snapshot(pair, ssd)
    assert lives(rings.sq) == ["done", "fetched", "rung", "posted"] + ["free"] * 4
    assert lives(rings.cq) == ["polled", "posted"] + ["free"] * 6
    assert rings.sq.drive == {"head": 2, "tail": 3}
    assert rings.sq.meaning(3) == "posted by the host, doorbell not rung"


def test_lives_without_a_look_into_the_drive(pair):
    for cid in range(3):
        pair.sq.post(identify(cid))
    pair.sq.rung = 2
    assert lives(snapshot(pair).sq)[:4] == ["rung", "rung", "posted", "free"]


@pytest.mark.parametrize("depth", [2, 3, 8])
def test_phase_through_many_laps(depth):
    pair = FakeQueuePair(depth)
    ssd = FakeSsd(pair)
    for cid in range(5 * depth + 1):
        pair.sq.post(identify(cid))
        pair.sq.ring()
        assert "posted" not in lives(snapshot(pair, ssd).cq)
        ssd.step()
        assert lives(snapshot(pair, ssd).cq).count("posted") == 1
        assert pair.cq.poll().cid == cid
        pair.cq.ring()


def test_text(pair):
    ssd = FakeSsd(pair)
    pair.sq.post(identify())
    assert ring_text(pair, ssd).splitlines()[:5] == [
        "SQ0  8 entries   host tail 1, head 0, SQ0TDBL 0   drive head 0, tail 0",
        "        HD  T",
        "     0  •   ·   ·   ·   ·   ·   ·   ·",
        "        ht",
        "        · free   • posted by the host, doorbell not rung",
    ]
    assert ring_text(pair, ascii=True).isascii()
    assert "drive not visible; last doorbell written was 0" in ring_text(pair)


def test_a_large_ring_stays_short():
    text = ring_text(FakeQueuePair(4096, qid=1))
    assert "4080 slots free" in text and len(text.splitlines()) < 14


def test_a_busy_pair_is_told_calmly(pair):
    pair.owner = "perf"
    assert ring_text(pair) == "queue pair 0 belongs to perf just now; its rings move too fast to draw"
