"""Every fault, at depth 1 and 128, with and without a reset in the middle: nothing hangs, nothing is lost or done twice."""
import time

import pytest

import nvlab
from nvlab._core.trace import now
from nvlab.spec.commands import cmd
from nvlab.spec.errors import ControllerError, ControllerGone, Error

DEADLINE = 5.0
PATIENCE = 0.15
"""Seconds that these tests wait for completions before they reset, as a driver does when a command timed out."""

FAULTS = {
    "none": None,
    "drop": lambda faults, **match: faults.drop(**match),
    "drop unexecuted": lambda faults, **match: faults.drop(execute=False, **match),
    "delay": lambda faults, **match: faults.delay(0.05, **match),
    "long delay": lambda faults, **match: faults.delay(30, **match),
    "duplicate": lambda faults, **match: faults.duplicate(**match),
    "corrupt": lambda faults, **match: faults.corrupt(**match),
    "wrong cid": lambda faults, **match: faults.wrong_cid(**match),
    "wrong phase": lambda faults, **match: faults.wrong_phase(**match),
    "wrong sqhd": lambda faults, **match: faults.wrong_sqhd(**match),
    "wrong sqhd in range": lambda faults, **match: faults.wrong_sqhd(sqhd=1, **match),
    "status": lambda faults, **match: faults.status("Write Fault", **match),
    "status, once more": lambda faults, **match: faults.status("Namespace Not Ready", crd=1, **match),
    "fatal": lambda faults, **match: faults.fatal(**match),
    "vanish": lambda faults, **match: faults.vanish(**match),
}
LOSE = {"drop", "drop unexecuted", "long delay", "corrupt", "wrong cid", "wrong phase", "fatal"}
"""Faults after which a command is never completed: only a reset ends it."""
EVERY = pytest.mark.parametrize("fault", FAULTS)
DEPTHS = pytest.mark.parametrize("depth", [1, 128])


def pattern(n, size):
    """Bytes that tell which write they are of."""
    return n.to_bytes(4, "little") * (size // 4)


class Writes:
    """`count` writes, each to a block of its own, in flight together; counts how often each is done."""

    def __init__(self, ctrl, depth, count):
        self.ctrl, self.ns = ctrl, ctrl.namespaces[1]
        self.pair = ctrl.create_io_queue_pair(depth + 1)
        self.requests, self.done = [], {}
        self.size = self.ns.block_size
        self.buffer = ctrl.alloc(self.size * count)
        for n in range(count):
            self.buffer[n * self.size:(n + 1) * self.size] = memoryview(pattern(n + 1, self.size))

    def submit(self, n):
        command = cmd.write(nsid=1, slba=n, nlb=0, prp1=self.buffer.iova + n * self.size)
        request, _ = self.pair.sq.post_request(command, None, (self.buffer,))
        request.on_done = lambda request: self.done.__setitem__(n, self.done.get(n, 0) + 1)
        self.requests.append(request)

    def drive(self, until, seconds):
        """Poll until `until()` or for `seconds` (not those in which a drive's thread isn't let run); True when it came true."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end and not (self.late() and time.monotonic() < end + 3):
                self.pair.poll()
                return bool(until())
            self.pair.poll()
            if self.ctrl.ssd.mode == "manual":
                self.ctrl.ssd.step()
            self.ctrl.check_alive()
        return True


    def late(self):
        """True while the drive could go on at once, and didn't come to it yet."""
        ssd, qid = self.ctrl.ssd, self.pair.qid
        with ssd:
            path, due = ssd.datapath, ssd.held_back.next
            return path.sq_live(qid) and path.waiting(qid) and path.room(qid) or due is not None and due <= now()


def run(ctrl, fault, depth, reset):
    """Writes under a fault. Returns the Writes when each has ended and the controller is usable again, or is gone."""
    count = max(depth, 3)
    writes = Writes(ctrl, depth, count)
    writes.fault = FAULTS[fault] and FAULTS[fault](ctrl.ssd.faults, opcode="Write", qid=writes.pair.qid, after=count // 3, count=1)
    try:
        for n in range(count):
            if not writes.drive(lambda: writes.pair.sq.space, PATIENCE):
                break
            writes.submit(n)
            writes.pair.sq.ring()
        if reset:
            writes.drive(lambda: len(writes.done) > count // 2, PATIENCE)
            ctrl.reset()
        elif not writes.drive(lambda: len(writes.done) == len(writes.requests), PATIENCE):
            ctrl.reset()
    except ControllerGone:
        pass                                     # every request must have ended with it
    except ControllerError:                      # CSTS.CFS: what a driver does about it is a reset
        ctrl.reset()
    return writes


@EVERY
@DEPTHS
@pytest.mark.parametrize("reset", [False, True], ids=["", "reset"])
def test_each_write_ends_once_and_no_acknowledged_one_is_lost(embedded, fault, depth, reset):
    ctrl = embedded.attach(size="1M")
    begun = time.monotonic()
    writes = run(ctrl, fault, depth, reset)
    assert time.monotonic() - begun < DEADLINE
    assert all(request.done for request in writes.requests)
    assert writes.done == dict.fromkeys(range(len(writes.requests)), 1)
    if fault == "vanish":
        assert ctrl.state.startswith("gone")
        with pytest.raises(ControllerGone):
            ctrl.namespaces[1].read(0, 1)
        return
    assert writes.fault is None or writes.fault.hits == 1
    assert ctrl.resets == (reset or fault in LOSE)
    ctrl.ssd.faults.clear()
    for n, request in enumerate(writes.requests):
        if request.completion.ok:
            assert bytes(ctrl.namespaces[1].read(n, 1)) == pattern(n + 1, writes.size), n
    ctrl.namespaces[1].write(0, b"usable again")
    assert bytes(ctrl.namespaces[1].read(0, 1))[:12] == b"usable again"


@EVERY
@pytest.mark.parametrize("policy", ["raise", "abort", "reset"])
def test_a_blocking_write_under_a_fault_ends_in_time(embedded, fault, policy):
    ctrl = embedded.attach(size="1M", timeout=0.3)
    ctrl.on_timeout = policy
    ns = ctrl.namespaces[1]
    ns.write(0, pattern(1, ns.block_size))       # the queue is there
    if FAULTS[fault] is not None:
        FAULTS[fault](ctrl.ssd.faults, opcode="Write", count=1)
    begun, acknowledged = time.monotonic(), False
    try:
        ns.write(1, pattern(2, ns.block_size))
        acknowledged = True
    except Error:
        pass
    assert time.monotonic() - begun < DEADLINE
    if fault == "vanish":
        assert ctrl.state.startswith("gone")
        return
    ctrl.ssd.faults.clear()
    if policy == "raise" or ctrl.csts.CFS:       # left as it stands, for the user to look at
        ctrl.reset()
    assert bytes(ns.read(0, 1)) == pattern(1, ns.block_size)
    if acknowledged:
        assert bytes(ns.read(1, 1)) == pattern(2, ns.block_size)


@EVERY
@pytest.mark.parametrize("mode", ["inline", "thread"])
def test_perf_under_a_fault_ends_and_leaves_a_usable_controller(fault, mode):
    with nvlab.attach(f"embedded:size=1M,mode={mode}", timeout=0.5) as ctrl:
        perf = nvlab.Perf(ctrl, io_size=512, depth=128, workload="randrw", count=2000, seed=3)
        if FAULTS[fault] is not None:
            FAULTS[fault](ctrl.ssd.faults, opcode="Write", after=300, count=1)
        begun = time.monotonic()
        try:
            perf.run()
        except ControllerError:
            pass
        assert time.monotonic() - begun < DEADLINE
        if fault == "vanish":
            assert ctrl.state.startswith("gone")
            return
        ctrl.ssd.faults.clear()
        ctrl.reset()
        result = nvlab.Perf(ctrl, io_size=512, depth=128, workload="randrw", count=2000, seed=3, verify=True).run()
        assert result.total.ios >= 2000 and not result.total.errors and not result.total.miscompares


@DEPTHS
@pytest.mark.parametrize("fault", ["slow ready", "never ready", "fatal again"])
def test_a_reset_that_meets_a_fault_ends_each_write_once(embedded, fault, depth):
    ctrl = embedded.attach(size="1M")
    faults, count = ctrl.ssd.faults, max(depth, 3)
    writes = Writes(ctrl, depth, count)
    faults.delay(30, opcode="Write", count=count // 2)
    for n in range(count):
        if not writes.drive(lambda: writes.pair.sq.space, PATIENCE):
            break
        writes.submit(n)
        writes.pair.sq.ring()
    writes.drive(lambda: len(writes.done) == count - count // 2, PATIENCE)
    if fault == "slow ready":
        faults.slow_ready(0.2)
    elif fault == "never ready":
        faults.never_ready(count=1)
    else:
        faults.fatal(opcode="Identify", qid=0, count=1)
    begun = time.monotonic()
    try:
        ctrl.reset()
        came_up = True
    except ControllerError as error:
        came_up = False
        assert "CSTS" in str(error)
    assert time.monotonic() - begun < DEADLINE
    assert came_up == (fault == "slow ready")
    assert writes.done == dict.fromkeys(range(len(writes.requests)), 1)
    if not came_up:
        with pytest.raises(Error):               # dead, and says so, until it is reset again
            ctrl.namespaces[1].read(0, 1)
        ctrl.reset()
    for n, request in enumerate(writes.requests):
        if request.completion.ok:
            assert bytes(ctrl.namespaces[1].read(n, 1)) == pattern(n + 1, writes.size), n
    again = writes.pair.submit(cmd.flush(nsid=1))
    assert again.wait().ok and writes.done == dict.fromkeys(range(len(writes.requests)), 1)
