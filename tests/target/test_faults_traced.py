"""Faults in the event stream: one event for each time that one acts, where it acts."""
import numpy as np
import pytest

from nvlab._core.trace import Kind
from nvlab.spec.commands import cmd
from nvlab.spec.registers import CC
from nvlab.target.fault_kinds import NAMES
from nvlab.trace.decode import FAULTS

from .faulty import ctrl, faults, post, seen, until  # noqa: F401


def events(ctrl):
    found, _, _ = ctrl.ssd.datapath.lane.read()
    return found


def acts(ctrl):
    """[(name, qid, opcode, cid)] of what faults did."""
    found = events(ctrl)
    found = found[(found["kind"] == Kind.FAULT) & (found["b"] == 0)]
    return [(NAMES[e["index"]], int(e["qid"]), int(e["a"]) & 0xFF, int(e["a"]) >> 16 & 0xFFFF) for e in found]


@pytest.fixture
def pair(ctrl):
    pair = ctrl.create_io_queue_pair(16)
    ctrl.ssd.datapath.lane.start()
    return pair


def test_every_name_is_known():
    assert FAULTS == NAMES and len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("arm, name", [
    (lambda f: f.drop(count=1), "completion dropped"), (lambda f: f.drop(execute=False, count=1), "command lost"),
    (lambda f: f.delay(0.001, count=1), "completion delayed"), (lambda f: f.duplicate(count=1), "completion posted again"),
    (lambda f: f.corrupt(count=1), "completion corrupted"), (lambda f: f.wrong_cid(count=1), "wrong cid"),
    (lambda f: f.wrong_phase(count=1), "wrong Phase Tag"), (lambda f: f.wrong_sqhd(count=1), "wrong sqhd"),
    (lambda f: f.status("Internal Error", count=1), "status chosen"), (lambda f: f.fatal(count=1), "fatal status"),
    (lambda f: f.vanish(count=1), "drive vanished")])
def test_an_event_each_time_a_fault_acts(ctrl, faults, pair, arm, name):
    fault = arm(faults)
    first, *_ = post(pair, cmd.flush(nsid=1), cmd.flush(nsid=1))
    while not fault.hits:
        ctrl.ssd.mode == "manual" and ctrl.ssd.step()
        ctrl.ssd.mode == "inline" and ctrl.ssd.pump()
    assert acts(ctrl) == [(name, 1, 0, first.cid)]


def test_a_wrong_phase_is_announced_right_before_it(ctrl, faults, pair):
    faults.wrong_phase(after=1, count=1)
    post(pair, *(cmd.flush(nsid=1) for _ in range(3)))
    until(pair, lambda: ctrl.ssd.queue_state(1)["cq_tail"] == 3)
    found = events(ctrl)
    at, = np.flatnonzero((found["kind"] == Kind.FAULT) & (found["b"] == 1))
    assert found["kind"][at + 1] == Kind.CQE_POST and found["index"][at] == found["index"][at + 1] == 1 and found["qid"][at] == 1
    assert [int(b) >> 48 & 1 for b in found["b"][found["kind"] == Kind.CQE_POST]] == [1, 0, 1]


def test_a_late_completion_follows_its_event(ctrl, faults, pair):
    faults.delay(0.1, count=1)
    late, other = post(pair, cmd.flush(nsid=1), cmd.flush(nsid=1))
    seen(pair, 2)
    found = [e for e in events(ctrl) if e["kind"] in (Kind.SQE_FETCH, Kind.FAULT, Kind.CQE_POST)]
    assert [Kind(int(e["kind"])).name for e in found] == ["SQE_FETCH", "FAULT", "SQE_FETCH", "CQE_POST", "CQE_POST"]
    assert [int(e["b"]) >> 32 & 0xFFFF for e in found[3:]] == [other.cid, late.cid]
    assert found[4]["time"] - found[1]["time"] >= 100_000_000 and (np.diff(events(ctrl)["time"].astype(np.int64)) >= 0).all()


def test_faults_of_no_command(ctrl, faults, pair):
    ctrl.disable()
    faults.never_ready(count=1), faults.slow_ready(0.001, after=1)
    ctrl.create_admin_queue()
    ctrl.regs.write(CC, CC.encode(EN=1, IOSQES=6, IOCQES=4))
    ctrl.regs.write(CC, 0)
    ctrl.start()
    faults.clear(), faults.fatal(), faults.vanish(), faults.return_()
    assert [name for name, *_ in acts(ctrl)] == ["never ready", "slow to become ready", "fatal status", "drive vanished",
                                                 "drive back again"]
    assert not any(int(e["a"]) for e in events(ctrl) if e["kind"] == Kind.FAULT)
