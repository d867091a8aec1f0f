"""Time travel against the real thing at every instant that there is for one thread: before each event of the host, and
before and after each thing that the drive does."""
import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nvlab
from nvlab._core.trace import Kind
from nvlab.spec.errors import Error
from tests.trace.test_live import compare, look, operate

ACTS = ("fetch", "complete", "post_raw", "execute", "to_host", "from_host", "create_cq", "create_sq", "delete_cq", "delete_sq",
        "reset", "configure")
"""What a drive does through its data path, each recorded in it or not."""

TOGETHER = {(Kind.DMA, Kind.DMA), (Kind.FAULT, Kind.CQE_POST), (Kind.CQE_POST, Kind.INTERRUPT), (Kind.SQ_HEAD, Kind.CQE_SEEN)}
"""Pairs of events between which nothing is: they come from one act in the core."""

operation = st.tuples(st.sampled_from([
    "io", "io", "admin", "post", "post", "ring", "ring", "step", "fetch", "execute", "complete", "poll", "poll", "ring_cq",
    "create", "delete", "disable", "start", "registers", "reset", "lie"]), st.integers(0, 15))


class Through:
    """Stands before a part of the drive and has `look` called around what it does."""

    def __init__(self, real, look, around=(), after=()):
        self.__dict__.update(real=real, look=look, around=around, after=after)

    def __getattr__(self, name):
        found = getattr(self.real, name)
        if name == "lane":
            return Through(found, self.look, after=("record",))
        return self._watched(found, name in self.around) if name in self.around + self.after else found

    def _watched(self, act, before):
        def acted(*args, **kw):
            if before:
                self.look()
            done = act(*args, **kw)
            self.look()
            return done
        return acted

    def __setattr__(self, name, value):
        if name != "defer":                      # which stays on: the witness wants it so
            setattr(self.real, name, value)

    def __enter__(self):
        return self.real.__enter__()

    def __exit__(self, *exc):
        return self.real.__exit__(*exc)


class Witness:
    """Sees how everything stands at each instant of a controller's life. `moments` {events so far: [look(), …]}."""

    def __init__(self, ctrl):
        self.ctrl, self.moments = ctrl, {}
        self.path, self.lane, self.ssd = ctrl.ssd.datapath, ctrl.bar.lane, ctrl.ssd
        through = Through(self.path, self.look, around=ACTS)
        self.ssd.datapath = self.ssd.controller.datapath = through
        write = self.ssd.write_register
        self.ssd.write_register = lambda *args: (self.look(), write(*args), self.look())[1]
        self.path.defer = True                   # no command is executed by the core, where nobody can look in between
        self.lane.hook = self.look

    def look(self, *event):
        count = sum(lane.written for lane in self.ctrl.function.lanes)
        self.lane.hook = None                    # looking reads a register, which is no event of the run
        self.lane.stop()
        through, self.ssd.datapath = self.ssd.datapath, self.path
        self.moments.setdefault(count, []).append(look(self.ctrl))
        self.ssd.datapath = through
        self.lane.start()
        self.lane.hook = self.look

    def leave(self):
        """Give the drive back as it was."""
        self.lane.hook = None
        self.ssd.datapath = self.ssd.controller.datapath = self.path
        del self.ssd.write_register
        self.path.defer = False


def lie(ctrl, n):
    """A completion of the drive's that nobody asked for: any SQHD, cid and Phase Tag."""
    qid = n % (len(ctrl.io) + 1)
    with ctrl.ssd:
        if ctrl.ssd.datapath.cq_live(qid):
            ctrl.ssd.datapath.post_raw(qid, n, n * 7919 % 11 | qid << 16 | n % 5 << 32, bool(n & 3))


def check(recording, moments):
    for count, looks in moments.items():
        state = recording.after(count)
        for seen in looks:
            compare(state, seen, True)
    kinds = recording.events["kind"]
    missed = [count for count in range(1, len(recording)) if count not in moments and (kinds[count - 1], kinds[count]) not in TOGETHER]
    rings = (Kind.QUEUE_NEW, Kind.QUEUE_GONE, Kind.STEP)       # what the host makes of its rings is one act
    assert all(kinds[count] in rings and recording[count].side == "host" for count in missed), [recording[n] for n in missed]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["manual", "inline"]), st.lists(operation, max_size=25))
def test_every_instant_is_there_again(mode, script):
    with nvlab.probe(f"embedded:size=1M,mode={mode}") as ctrl:
        trace = nvlab.Trace(ctrl).start()
        witness = Witness(ctrl)
        ctrl.start()
        ctrl.timeout = 0.05
        for what, n in script:
            with contextlib.suppress(Error):
                lie(ctrl, n) if what == "lie" else operate(ctrl, what, n)
            witness.look()
        witness.leave()
        recording = trace.stop()
        assert len(witness.moments) > 50
        check(recording, witness.moments)
