"""A driver as one who learns NVMe writes it: rings in memory of its own, registers and doorbells through the BAR.

It does without nvlab's queues, and it is correct. Each broken driver beside it gets one step wrong.
"""
import time

import numpy as np

from nvlab.spec.commands import cmd
from nvlab.spec.registers import ACQ, AQA, ASQ, CC, CSTS

PAGE = 4096


class Stuck(Exception):
    """The driver waits, and nothing comes."""


class Queue:
    """A submission queue and its completion queue: two pieces of memory, and three numbers to remember."""

    def __init__(self, ctrl, qid, depth):
        self.qid, self.depth = qid, depth
        self.sq_memory, self.cq_memory = ctrl.alloc(depth * 64), ctrl.alloc(depth * 16)
        self.sq = self.sq_memory.view(np.ndarray).reshape(depth, 64)
        self.cq = self.cq_memory.view(np.ndarray).reshape(depth, 16)
        self.tail, self.head, self.phase = 0, 0, 1
        self.cid, self.outstanding = 0, set()


class CorrectDriver:
    """Brings the controller up, creates one I/O queue pair, and writes and reads some blocks."""

    rule, severity = None, "ok"
    where = ("manual", "inline", "thread", "qemu")
    admin_depth, io_depth = 4, 4
    patience = 2.0

    def __init__(self, ctrl, seed=0):
        self.ctrl, self.bar = ctrl, ctrl.bar
        self.rng = np.random.default_rng(seed)
        self.block, self.page = 512, PAGE
        self.stride = 4 << int(ctrl.cap.DSTRD)
        self.kept = []                           # memory that a drive may still write to

    def run(self):
        """All of it. Raises Stuck where nothing moves any more."""
        self.bring_up()
        self.create_io_queues()
        self.work()

    # -- bring-up

    def bring_up(self):
        self.write_cc(EN=0)
        self.wait_ready(0)
        self.admin = Queue(self.ctrl, 0, self.admin_depth)
        self.tell_admin_queue()
        self.enable()
        self.wait_ready(1)
        self.identify()

    def tell_admin_queue(self):
        depth = self.admin.depth
        self.bar.write32(AQA.offset, AQA.encode(ASQS=depth - 1, ACQS=depth - 1))
        self.bar.write64(ASQ.offset, self.admin.sq_memory.iova)
        self.bar.write64(ACQ.offset, self.admin.cq_memory.iova)

    def enable(self):
        self.write_cc(EN=1, IOSQES=6, IOCQES=4)

    def write_cc(self, **fields):
        self.bar.write32(CC.offset, CC.encode(**fields))

    def wait_ready(self, value):
        end = time.monotonic() + self.patience
        while True:
            csts = CSTS.decode(self.bar.read32(CSTS.offset))
            if csts.RDY == value and not csts.CFS:
                return
            if csts.CFS and value or time.monotonic() > end:
                raise Stuck(f"CSTS is {csts!r}")

    def identify(self):
        self.data = self.ctrl.alloc(PAGE)
        self.do(self.admin, cmd.identify(cns=1, prp1=self.data))
        self.do(self.admin, cmd.set_features(fid=7, cdw11=0x30003))

    def create_io_queues(self):
        self.io = Queue(self.ctrl, 1, self.io_depth)
        self.create_cq()
        self.create_sq()

    def create_cq(self):
        self.do(self.admin, cmd.create_io_cq(qid=1, qsize=self.io.depth - 1, pc=1, prp1=self.io.cq_memory))

    def create_sq(self):
        self.do(self.admin, cmd.create_io_sq(qid=1, qsize=self.io.depth - 1, pc=1, cqid=1, prp1=self.io.sq_memory))

    # -- work

    def work(self):
        """Three laps one by one, then some at once, small and large."""
        for lba in range(3 * self.io_depth):
            self.write_and_read(lba, 1)
        self.several()
        for blocks in (8, 16, 40):
            self.write_and_read(64, blocks)

    def write_and_read(self, lba, blocks):
        source, target = self.ctrl.alloc(blocks * self.block), self.ctrl.alloc(blocks * self.block)
        self.kept += [source, target]
        source[:] = self.rng.integers(0, 256, source.size, np.uint8)
        for make, buffer in ((cmd.write, source), (cmd.read, target)):
            prp1, prp2 = self.prps(buffer)
            self.do(self.io, make(nsid=1, slba=lba, nlb=self.zero_based(blocks), prp1=prp1, prp2=prp2))
        assert bytes(source) == bytes(target)

    def several(self):
        """As many as the queue holds, under one doorbell."""
        for lba in range(self.io.depth - 1):
            self.put(self.io, cmd.read(nsid=1, slba=lba, nlb=0, prp1=self.data))
        self.ring_sq(self.io)
        for _ in range(self.io.depth - 1):
            self.wait(self.io)

    def zero_based(self, blocks):
        return blocks - 1

    def prps(self, buffer):
        """PRP1 and PRP2 of a buffer that begins a page."""
        pages = [int(buffer.iova) + at for at in range(0, buffer.size, self.page)]
        if len(pages) == 1:
            return pages[0], 0
        if len(pages) == 2:
            return pages[0], pages[1]
        return pages[0], self.prp_list(pages[1:])

    def prp_list(self, pages):
        memory = self.ctrl.alloc(PAGE)
        memory.view(np.uint64)[:len(pages)] = pages
        self.kept.append(memory)
        return int(memory.iova)

    # -- one command

    def do(self, queue, command):
        """Submit and wait. Returns the 16 bytes of the completion."""
        self.submit(queue, command)
        return self.wait(queue)

    def submit(self, queue, command):
        self.put(queue, command)
        self.ring_sq(queue)

    def put(self, queue, command):
        command.cid = self.next_cid(queue)
        self.write_entry(queue, bytes(command))
        queue.tail = self.next_tail(queue)

    def next_cid(self, queue):
        while queue.cid in queue.outstanding:
            queue.cid = (queue.cid + 1) % 100
        cid, queue.cid = queue.cid, (queue.cid + 1) % 100
        queue.outstanding.add(cid)
        return cid

    def write_entry(self, queue, raw):
        queue.sq[queue.tail] = np.frombuffer(raw, np.uint8)

    def next_tail(self, queue):
        return (queue.tail + 1) % queue.depth

    def ring_sq(self, queue):
        self.bar.write32(0x1000 + 2 * queue.qid * self.stride, queue.tail)

    # -- one completion

    def wait(self, queue):
        end = time.monotonic() + (self.patience if self.ctrl.ssd is not None else max(self.patience, 0.8))
        while not self.is_new(queue):
            if not self.move() or time.monotonic() > end and not self.late(queue, end):
                raise Stuck(f"queue {queue.qid}: no completion")
        return self.take(queue)

    def late(self, queue, end):
        """True while a drive in a thread of its own has something to fetch and didn't come to it yet, on a busy machine, or just has."""
        ssd = self.ctrl.ssd
        if ssd is None or ssd.mode != "thread" or time.monotonic() > end + 5:
            return False
        with ssd:
            path = ssd.datapath
            return any(path.sq_live(q) and path.waiting(q) and path.room(q) for q in range(path.queues + 1)) or bool(self.is_new(queue))

    def move(self):
        """Let a drive in this process move. False where it has nothing to do, and never will by itself."""
        ssd = self.ctrl.ssd
        if ssd is not None and ssd.mode == "manual":
            return ssd.step() is not None
        self.ctrl.function.pump()
        return True

    def is_new(self, queue):
        return queue.cq[queue.head][14] & 1 == queue.phase

    def take(self, queue):
        entry = bytes(queue.cq[queue.head])
        queue.outstanding.discard(int.from_bytes(entry[12:14], "little"))
        queue.head = self.next_head(queue)
        if queue.head == 0:
            queue.phase = self.next_phase(queue)
        self.ring_cq(queue)
        return entry

    def next_head(self, queue):
        return (queue.head + 1) % queue.depth

    def next_phase(self, queue):
        return queue.phase ^ 1

    def ring_cq(self, queue):
        self.bar.write32(0x1000 + (2 * queue.qid + 1) * self.stride, queue.head)


class Broken(CorrectDriver):
    """One step is wrong. `rule` is what ctrl.why() is to call it, `where` the devices on which that can be known."""

    severity = "error"
    patience = 0.12
