"""A host and a drive that exist only on paper: every move goes into lanes and into a model of what each side then holds."""
import copy

import numpy as np

from nvlab._core.trace import Kind, Lane, Side
from nvlab.spec import registers
from nvlab.spec.commands import cmd
from nvlab.trace import Recording
from nvlab.trace.baseline import Baseline

SQ, CQ = 0, 1
REGISTERS = {"CC": 0x14, "CSTS": 0x1C, "ASQ": 0x28}


class Paper:
    """Random moves of both sides. `model` is what holds now, `past` how it stood after each
    event, `order` the lane of each."""

    def __init__(self, room=1 << 12, perf_room=None):
        self.host, self.drive = Lane("host", room), Lane("drive", room)
        self.perf = Lane("perf-1", perf_room or room)
        self.lanes = [self.host, self.drive, self.perf]
        for lane in self.lanes:
            lane.start()
        self.model = {"sq": {}, "cq": {}, "dsq": {}, "dcq": {}, "db": {}, "held": {}, "seen": {}}
        self.flying, self.inside, self.cid, self.address = [], [], 0, 0x10000
        self.past, self.order = [copy.deepcopy(self.model)], []
        self._counts = [0, 0, 0]

    def __len__(self):
        return len(self.past) - 1

    def recording(self, **about):
        about.setdefault("baseline", Baseline(present=list(REGISTERS)))
        for lane in self.lanes:
            lane.stop()                          # or a full lane would give up the slot that may be written next
        lanes = [(lane.name, *lane.read()) for lane in self.lanes]
        for lane in self.lanes:
            lane.start()
        return Recording.merge(lanes, address="paper", **about)

    def _done(self):
        """One event was recorded, and the model is as it left things."""
        counts = [lane.written for lane in self.lanes]
        self.order += [lane.name for lane, now, before in zip(self.lanes, counts, self._counts) if now != before]
        self._counts = counts
        self.past.append(copy.deepcopy(self.model))

    def _lane(self, qid):
        return self.perf if qid == 3 else self.host        # queue 3 belongs to a loop

    # -- host

    def create(self, qid, depth, cq_depth):
        """New rings, as create_io_queue_pair() makes them: the drive's CQ, the host's, the drive's SQ, the host's."""
        self.address += 0x10000
        for ring, size, iova in ((CQ, cq_depth, self.address), (SQ, depth, self.address + 0x8000)):
            self.drive.record(Kind.QUEUE_NEW, Side.DRIVE, qid, size, iova, ring | (qid << 16 if ring == SQ else 0))
            if ring == CQ:
                self.model["dcq"][qid] = {"size": size, "tail": 0, "phase": 1}
            else:
                self.model["dsq"][qid] = {"size": size, "head": 0}
            self.model["db"][ring, qid] = 0
            self._done()
            self.host.record(Kind.QUEUE_NEW, Side.HOST, qid, size, iova, ring | (qid << 16 if ring == SQ else 0))
            if ring == CQ:
                self.model["cq"][qid] = {"depth": size, "iova": iova, "head": 0, "phase": 1, "rung": 0,
                                         "entries": np.zeros((size, 16), np.uint8)}
            else:
                self.model["sq"][qid] = {"depth": size, "iova": iova, "tail": 0, "head": 0, "rung": 0,
                                         "entries": np.zeros((size, 64), np.uint8)}
            self._done()

    def delete(self, qid):
        for ring, mine, drives in ((SQ, "sq", "dsq"), (CQ, "cq", "dcq")):
            self.drive.record(Kind.QUEUE_GONE, Side.DRIVE, qid, 0, 0, ring)
            del self.model[drives][qid]
            self._done()
            self.host.record(Kind.QUEUE_GONE, Side.HOST, qid, 0, 0, ring)
            del self.model[mine][qid]
            self._done()
        self.flying = [f for f in self.flying if f[0] != qid]
        self.inside = [f for f in self.inside if f[0] != qid]

    def reset(self):
        self.drive.record(Kind.RESET, Side.DRIVE)
        self.model["dsq"].clear(), self.model["dcq"].clear()
        self._done()
        for ring, mine in ((SQ, "sq"), (CQ, "cq")):
            for qid in list(self.model[mine]):
                self.host.record(Kind.QUEUE_GONE, Side.HOST, qid, 0, 0, ring)
                del self.model[mine][qid]
                self._done()
        self.flying, self.inside = [], []

    def post(self, qid, lba):
        sq = self.model["sq"][qid]
        if (sq["tail"] + 1) % sq["depth"] == sq["head"]:
            return
        self.cid = self.cid + 1 & 0xFFFF
        command = cmd.identify(cns=lba & 3, cid=self.cid) if qid == 0 else cmd.read(nsid=1, slba=lba, nlb=0, cid=self.cid)
        self._lane(qid).record_sqe(qid, sq["tail"], np.frombuffer(bytes(command), np.uint8).copy())
        sq["entries"][sq["tail"]] = np.frombuffer(bytes(command), np.uint8)
        sq["tail"] = (sq["tail"] + 1) % sq["depth"]
        self.flying.append((qid, self.cid, command))
        self._done()

    def ring(self, qid):
        sq = self.model["sq"][qid]
        self._lane(qid).record(Kind.SQ_DOORBELL, Side.HOST, qid, sq["tail"], 0x1000 + 8 * qid)
        sq["rung"] = self.model["db"][SQ, qid] = sq["tail"]
        self._done()

    def see(self, qid):
        cq, sq = self.model["cq"][qid], self.model["sq"].get(qid)
        raw = bytes(cq["entries"][cq["head"]])
        if raw[14] & 1 != cq["phase"]:
            return
        a, b = int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")
        told = b & 0xFFFF
        if sq is not None and told >= sq["depth"]:             # what can't be: the host makes up its own mind, and says so
            told = (sq["head"] + (sq["head"] != sq["tail"])) % sq["depth"]
            self._lane(qid).record(Kind.SQ_HEAD, Side.HOST, qid, told)
            self._done()
        self._lane(qid).record(Kind.CQE_SEEN, Side.HOST, qid, cq["head"], a, b)
        cq["head"] += 1
        if cq["head"] == cq["depth"]:
            cq["head"], cq["phase"] = 0, cq["phase"] ^ 1
        if sq is not None:
            sq["head"] = told
        self._done()

    def ring_cq(self, qid):
        cq = self.model["cq"][qid]
        self._lane(qid).record(Kind.CQ_DOORBELL, Side.HOST, qid, cq["head"], 0x1004 + 8 * qid)
        cq["rung"] = self.model["db"][CQ, qid] = cq["head"]
        self._done()

    # -- drive

    def fetch(self, qid):
        dsq = self.model["dsq"][qid]
        if dsq["head"] == self.model["db"][SQ, qid]:
            return
        raw = bytes(self.model["sq"][qid]["entries"][dsq["head"]])
        cid = int.from_bytes(raw[2:4], "little")
        self.drive.record(Kind.SQE_FETCH, Side.DRIVE, qid, dsq["head"], raw[0] | cid << 16 | int.from_bytes(raw[4:8], "little") << 32)
        dsq["head"] = (dsq["head"] + 1) % dsq["size"]
        self.inside.append((qid, cid))
        self._done()
        self.drive.record(Kind.DMA, Side.DRIVE, qid, cid, 0x5000, 512 | 1 << 63)
        self._done()

    def complete(self, qid, status, right=True):
        """Post a completion; not `right`: with the wrong Phase Tag, as a drive does that was told to."""
        dcq = self.model["dcq"][qid]
        mine = next((f for f in self.inside if f[0] == qid), None)
        if mine is None or (dcq["tail"] + 1) % dcq["size"] == self.model["db"][CQ, qid]:
            return
        self.inside.remove(mine)
        sqhd = 999 if mine[1] % 13 == 12 else self.model["dsq"][qid]["head"]     # 999: no queue's slot
        b = sqhd | qid << 16 | mine[1] << 32 | (status << 1 | dcq["phase"] ^ (not right)) << 48
        if not right:
            self.drive.record(Kind.FAULT, Side.DRIVE, qid, dcq["tail"], 0, 1)
            self._done()
        self.drive.record(Kind.CQE_POST, Side.DRIVE, qid, dcq["tail"], 7, b)
        self.model["cq"][qid]["entries"][dcq["tail"]] = np.frombuffer((7).to_bytes(8, "little") + b.to_bytes(8, "little"), np.uint8)
        dcq["tail"] += 1
        if dcq["tail"] == dcq["size"]:
            dcq["tail"], dcq["phase"] = 0, dcq["phase"] ^ 1
        self._done()

    # -- registers

    def write(self, name, value):
        register = registers.ALL[name]
        value &= (1 << 8 * register.size) - 1
        self.host.record(Kind.REG_WRITE, Side.HOST, 0, register.size, register.offset, value)
        if register.access == "rw":
            self.model["seen"][name] = value
        self._done()
        self.drive.record(Kind.REG_SET, Side.DRIVE, 0, register.size, register.offset, value)
        self.model["held"][name] = value
        self._done()

    def read(self, name, halves=False):
        register, value = registers.ALL[name], self.model["held"].get(name, 0)
        if halves and register.size == 8:
            known = self.model["seen"].get(name)
            for at in (0, 4):
                self.host.record(Kind.REG_READ, Side.HOST, 0, 4, register.offset + at, value >> 8 * at & 0xFFFFFFFF)
                mixed = value if at or known is None else known & ~0xFFFFFFFF | value & 0xFFFFFFFF
                if at or known is not None:
                    self.model["seen"][name] = mixed
                self._done()
            return
        self.host.record(Kind.REG_READ, Side.HOST, 0, register.size, register.offset, value)
        self.model["seen"][name] = value
        self._done()


def move(paper, what, qid, number):
    """One move, if it is possible just now."""
    has, drive_has = qid in paper.model["sq"], qid in paper.model["dsq"]
    if not has and what not in ("delete", "reset", "write", "read"):
        paper.create(qid, 2 + number % 5, 2 + number // 5 % 5)
    elif what == "delete" and has and drive_has and number % 4 == 0:
        paper.delete(qid)
    elif what == "reset" and number % 8 == 0:
        paper.reset()
    elif what == "write":
        paper.write(list(REGISTERS)[number % 3], number * 0x1000193)
    elif what == "read":
        paper.read(list(REGISTERS)[number % 3], bool(number & 1))
    elif what == "post" and has:
        paper.post(qid, number)
    elif what == "lie" and drive_has:
        paper.complete(qid, number % 3, right=False)
    elif what == "complete" and drive_has:
        paper.complete(qid, number % 3)
    elif what == "flow":
        for each in ("post", "ring", "fetch", "complete", "see", "ring_cq"):
            move(paper, each, qid, number)
    elif what in ("ring", "see", "ring_cq", "fetch") and has and (what != "fetch" or drive_has):
        getattr(paper, what)(qid)


MOVES = ("delete", "reset", "write", "read", *("post", "ring", "fetch", "complete", "see", "ring_cq") * 3, "lie", *["flow"] * 8)


def busy(count=400, seed=1, **rooms):
    """A Paper after `count` random moves."""
    rng, paper = np.random.default_rng(seed), Paper(**rooms)
    for _ in range(count):
        move(paper, MOVES[rng.integers(len(MOVES))], int(rng.integers(4)), int(rng.integers(64)))
    return paper


def drive_state(model, qid):
    """What ssd.queue_state(qid) would say."""
    sq, cq = model["dsq"].get(qid), model["dcq"].get(qid)
    if sq is None and cq is None:
        return None
    return {"sq_head": sq["head"] if sq else None, "sq_tail": model["db"][SQ, qid] if sq else None,
            "cq_head": model["db"][CQ, qid] if cq else None, "cq_tail": cq["tail"] if cq else None,
            "phase": cq["phase"] if cq else None}
