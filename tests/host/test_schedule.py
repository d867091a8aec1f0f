"""Random schedules against a drive that is moved by hand: every request ends exactly once, with what belongs to it."""
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nvlab
from nvlab import cmd, errors
from nvlab.spec.commands import Completion

DRIVE = ("fetch", "execute", "complete", "step")
HOST = ("write", "flush", "event", "poll", "poll admin", "abort", "time out", "twice", "forge", "delete", "reset", "disable")
MOVES = st.lists(st.tuples(st.sampled_from(DRIVE * 2 + HOST), st.integers(0, 7)), max_size=60)


class Schedule:
    """A controller in mode manual with two queue pairs, and a count of how often each request ended."""

    def __init__(self, ctrl):
        self.ctrl, self.requests, self.ends, self.written = ctrl, [], {}, {}
        self.pairs = [ctrl.create_io_queue_pair(4), ctrl.create_io_queue_pair(9)]

    def note(self, request):
        assert request.done and request.held == () and request.cid not in request.sq.outstanding
        self.ends[request] = self.ends.get(request, 0) + 1

    def submit(self, pair, command, held=()):
        if pair.sq.space and not pair.sq.retired:
            self.requests.append(pair.submit(command, held, on_done=self.note))
            return self.requests[-1]
        return None

    def write(self, n):
        block = self.ctrl.alloc(512)
        block[:] = stamp = len(self.requests) % 255 + 1
        request = self.submit(self.pairs[n % 2], cmd.write(nsid=1, slba=len(self.requests), prp1=block), (block,))
        if request is not None:
            self.written[len(self.requests) - 1] = request, stamp

    def flush(self, n):
        self.submit(self.pairs[n % 2], cmd.flush(nsid=1))

    def event(self, n):
        if sum(r.command.opc == 0x0C for r in self.ctrl.admin.sq.outstanding.values()) < 4:
            self.submit(self.ctrl.admin, cmd.async_event_request())

    def poll(self, n):
        if not self.pairs[n % 2].cq.retired:
            self.pairs[n % 2].poll()

    def poll_admin(self, n):
        self.ctrl.admin.poll()

    def abort(self, n):
        if self.requests:
            self.requests[-1 - n % len(self.requests)].abort()

    def time_out(self, n):
        waiting = [r for r in self.requests if not r.done]
        if waiting:
            request, before = waiting[n % len(waiting)], self.ctrl.function.pump
            request.sq.pair.cq.pump = lambda blocking=False: None    # nobody turns the crank
            with contextlib.suppress(errors.ControllerTimeout, errors.NvmeStatusError):
                request.wait(timeout=1e-6)
            request.sq.pair.cq.pump = before

    def twice(self, n):
        """The drive posts the last completion of a queue once more."""
        pair = self.pairs[n % 2]
        self.raw(pair, bytes(pair.cq.entries[(pair.cq.head - 1) % pair.cq.depth]))

    def forge(self, n):
        """The drive posts a completion of what was never submitted, or with a head or a queue that can't be."""
        self.raw(self.pairs[n % 2], bytes(Completion.new(cid=0x7000 + n, sqid=self.pairs[n % 2].qid if n & 4 else 33, sqhd=n * 1000)))

    def raw(self, pair, entry):
        path = self.ctrl.ssd.datapath
        with self.ctrl.ssd:
            if path.cq_live(pair.cq.qid) and path.room(pair.sq.qid) and not pair.cq.retired:
                path.post_raw(pair.cq.qid, int.from_bytes(entry[:8], "little"), int.from_bytes(entry[8:], "little"))

    def delete(self, n):
        self.ctrl.delete_io_queue_pair(self.pairs[n % 2])
        self.pairs[n % 2] = self.ctrl.create_io_queue_pair(4 + n)

    def reset(self, n):
        pairs = dict(self.ctrl.io)
        self.ctrl.reset()
        assert self.ctrl.io == pairs and self.all_ended()

    def disable(self, n):
        self.ctrl.disable()
        assert self.all_ended()
        self.ctrl.start()
        self.pairs = [self.ctrl.create_io_queue_pair(4), self.ctrl.create_io_queue_pair(9)]

    def all_ended(self):
        return all(request.done for request in self.requests)

    def run(self, moves):
        for name, n in moves:
            if name in DRIVE:
                getattr(self.ctrl.ssd, name)()
            else:
                getattr(self, name.replace(" ", "_"))(n)
            self.check()

    def check(self):
        for request in self.requests:
            assert self.ends.get(request, 0) == request.done
            if request.done:
                assert (request.completion.cid, request.completion.sqid) == (request.cid, request.sq.qid)
            else:
                assert request.sq.outstanding[request.cid] is request


@settings(max_examples=150, deadline=None)
@given(MOVES, st.sampled_from(("reset", "disable", "close", "vanish", "wait")))
def test_every_request_ends_exactly_once(moves, end):
    with nvlab.attach("embedded:mode=manual,size=1M", timeout=2) as ctrl:
        run = Schedule(ctrl)
        run.run(moves)
        if end == "close":
            ctrl.close()
        elif end == "vanish":
            ctrl.ssd.faults.vanish()
            with pytest.raises(errors.ControllerGone):
                ctrl.poll()
        elif end == "wait":
            for request in run.requests:
                if request.sq.qid:
                    with contextlib.suppress(errors.NvmeStatusError):
                        request.wait()
            ctrl.reset()
        else:
            getattr(run, end)(0)
        run.check()
        assert run.ends == dict.fromkeys(run.requests, 1)
        if end not in ("close", "vanish"):
            for lba, (request, stamp) in run.written.items():
                seen = int(ctrl.namespaces[1].read(lba)[0])
                assert seen == stamp or not request.completion.ok and seen == 0


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_buffer_is_held_as_long_as_the_drive_may_write_to_it(end):
    with nvlab.attach("embedded:mode=manual,size=1M", timeout=2) as ctrl:
        pair, free = ctrl.create_io_queue_pair(4), ctrl.dma.available
        block = ctrl.alloc(4096)
        request = pair.submit(cmd.read(nsid=1, slba=0, nlb=7, prp1=block.iova), (block,))
        ctrl.ssd.fetch()
        del block
        assert ctrl.dma.available == free - 4096
        getattr(ctrl, end)()
        assert ctrl.dma.available == free and request.done
