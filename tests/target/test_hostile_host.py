"""What a host does at the worst moment: the drive goes on."""
import numpy as np
import pytest

import nvlab
from nvlab import cmd
from nvlab.target import nvm


class Elusive:
    """A data path whose host takes the doorbell back between the look and the fetch."""

    def __init__(self, path):
        self.path = path

    def __getattr__(self, name):
        return getattr(self.path, name)

    def __enter__(self):
        return self.path.__enter__()

    def __exit__(self, *exc):
        return self.path.__exit__(*exc)

    def fetch(self, qid):
        return None


def test_a_doorbell_taken_back_between_look_and_fetch():
    with nvlab.attach("embedded:mode=manual,size=1M") as ctrl:
        pair, path = ctrl.create_io_queue_pair(8), ctrl.ssd.datapath
        pair.sq.post(cmd.verify(nsid=1, slba=0, nlb=0))
        pair.sq.ring()
        ctrl.ssd.datapath = Elusive(path)
        assert ctrl.ssd.step() is None and ctrl.ssd.fetch() is None and ctrl.ssd.service() == 0
        ctrl.ssd.datapath = path
        assert ctrl.ssd.step().state == "completed" and ctrl.ssd.bug is None


def test_the_thread_outlives_a_bug(monkeypatch):
    with nvlab.attach("embedded:mode=thread,size=1M") as ctrl:
        serve, bugs = ctrl.ssd._serve, [RuntimeError("a bug of the drive's")]

        def once():
            if bugs:
                raise bugs.pop()
            return serve()

        monkeypatch.setattr(ctrl.ssd, "_serve", once)
        ctrl.identify()
        assert not bugs and isinstance(ctrl.ssd.bug, RuntimeError)


@pytest.mark.parametrize("ranges", [[(0, 8)] * 256, [(4, 8), (0, 6), (20, 1), (19, 1), (5, 2)], [(0, 1)], [(3, 0), (3, 2), (4, 0)]])
def test_blocks_deallocated_many_times_over_are_zeroed_once(ranges):
    zeroed = np.zeros(32, int)
    for slba, blocks in nvm._merged(ranges):
        zeroed[slba:slba + blocks] += 1
    wanted = np.zeros(32, int)
    for slba, blocks in ranges:
        wanted[slba:slba + blocks] = 1
    assert (zeroed == wanted).all()
