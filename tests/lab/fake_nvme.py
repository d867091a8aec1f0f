"""A queue pair and a drive made of nothing but numpy, with the attributes that the lab looks at."""

import threading
import time
import types

import numpy as np

from nvlab._core.histogram import Histogram, bucket_of
from nvlab.host.perf import PerfSnapshot
from nvlab.spec.errors import QueueBusy


class FakeSubmissionQueue:
    def __init__(self, pair, qid, depth):
        self.pair, self.qid, self.depth = pair, qid, depth
        self.tail = self.head = self.rung = 0
        self.doorbell = 0x1000 + 8 * qid
        self.entries = np.zeros((depth, 64), np.uint8)

    def post(self, raw):
        slot = self.tail
        self.entries[slot] = np.frombuffer(bytes(raw), np.uint8)
        self.tail = (slot + 1) % self.depth
        return slot

    def ring(self):
        self.pair.check()
        self.rung = self.tail


class FakeCompletionQueue:
    def __init__(self, pair, qid, depth):
        self.pair, self.qid, self.depth = pair, qid, depth
        self.head, self.phase, self.rung = 0, 1, 0
        self.doorbell = 0x1004 + 8 * qid
        self.entries = np.zeros((depth, 16), np.uint8)

    def peek(self):
        return int(self.entries[self.head, 14]) & 1 == self.phase

    def poll(self):
        self.pair.check()
        if not self.peek():
            return None
        entry = bytes(self.entries[self.head])
        self.pair.sq.head = int.from_bytes(entry[8:10], "little")
        self.head += 1
        if self.head == self.depth:
            self.head, self.phase = 0, 1 - self.phase
        return types.SimpleNamespace(cid=int.from_bytes(entry[12:14], "little"), raw=entry)

    def ring(self):
        self.pair.check()
        self.rung = self.head


class FakeQueuePair:
    def __init__(self, depth=32, qid=0):
        self.qid, self.depth, self.owner = qid, depth, None
        self.sq, self.cq = FakeSubmissionQueue(self, qid, depth), FakeCompletionQueue(self, qid, depth)

    def check(self):
        if self.owner:
            raise QueueBusy(f"queue pair {self.qid} belongs to {self.owner}")


class FakeSsd:
    """Fetches, executes and completes one command a step, out of a FakeQueuePair."""

    mode = "manual"

    def __init__(self, pair):
        self.pair, self.sq_head, self.cq_tail, self.phase = pair, 0, 0, 1

    def step(self):
        sq, cq = self.pair.sq, self.pair.cq
        if self.sq_head == sq.rung:
            return False
        cid = bytes(sq.entries[self.sq_head, 2:4])
        self.sq_head = (self.sq_head + 1) % sq.depth
        entry = bytes(8) + self.sq_head.to_bytes(2, "little") + sq.qid.to_bytes(2, "little") + cid
        entry += self.phase.to_bytes(2, "little")
        cq.entries[self.cq_tail] = np.frombuffer(entry, np.uint8)
        self.cq_tail += 1
        if self.cq_tail == cq.depth:
            self.cq_tail, self.phase = 0, 1 - self.phase
        return True

    def queue_state(self, qid):
        if qid != self.pair.qid:
            return None
        return {"sq_head": self.sq_head, "sq_tail": self.pair.sq.rung, "cq_tail": self.cq_tail,
                "cq_head": self.pair.cq.rung, "phase": self.phase}


def identify(cid=0, cns=1):
    """64 bytes of an Identify command (opcode 06h)."""
    raw = bytearray(64)
    raw[0], raw[2:4], raw[24:32], raw[40] = 0x06, cid.to_bytes(2, "little"), (0x100000).to_bytes(8, "little"), cns
    return bytes(raw)


class FakePerf:
    """Counts I/Os by the clock, so that a plot of it moves: about 3 million IOPS with a slow swell."""

    io_size, depth, workload = 512, 128, "read"

    def __init__(self):
        self.began, self.ended, self._lock = None, None, threading.Lock()

    def start(self):
        self.began = time.monotonic()
        return self

    def stop(self):
        self.ended = self.ended or time.monotonic()

    @property
    def running(self):
        return self.began is not None and self.ended is None

    def snapshot(self):
        t = (self.ended or time.monotonic()) - (self.began or time.monotonic())
        ios = int(3e6 * t + 2e5 * np.sin(2 * t) + 2e3 * np.sin(31 * t))
        return snapshot(t, ios)


def snapshot(seconds, ios, latency_us=41.0):
    """A PerfSnapshot of reads of 512 bytes; one I/O in fifty took ten times as long as the others."""
    hist = Histogram()
    hist.counts[bucket_of(int(latency_us * 1e3))], hist.counts[bucket_of(int(latency_us * 1e4))] = ios - ios // 50, ios // 50
    return PerfSnapshot("Total", seconds, ios, ios * 512, 0, 0, int(ios * latency_us * 1e3), 9_000, 900_000, hist)
