"""TinyDriver: one I/O queue pair, driven by hand in a screenful. The drills of notebook 11 break it and have it repaired."""
import numpy as np

from nvlab.spec.commands import Completion, cmd
from nvlab.spec.registers import cq_head_doorbell, sq_tail_doorbell

__all__ = ["TinyDriver"]


class TinyDriver:
    """A driver of one queue pair: submit() sends a command, poll() returns what has completed."""

    def __init__(self, ctrl, qid, depth):
        self.bar, self.depth = ctrl.bar, depth
        self.sq, self.cq = ctrl.alloc(depth * 64), ctrl.alloc(depth * 16)
        self.tail, self.head, self.phase = 0, 0, 1
        self.waiting = {}                              # cid -> command
        dstrd = int(ctrl.cap.DSTRD)
        self.sq_doorbell, self.cq_doorbell = sq_tail_doorbell(qid, dstrd), cq_head_doorbell(qid, dstrd)
        ctrl.execute(cmd.create_io_cq(qid=qid, qsize=depth - 1, prp1=self.cq))
        ctrl.execute(cmd.create_io_sq(qid=qid, qsize=depth - 1, cqid=qid, prp1=self.sq))

    def submit(self, command):
        """Send a command. Returns its identifier, or None when the ring is full."""
        if len(self.waiting) == self.depth - 1:        # one slot stays free
            return None
        cid = self.free_cid()
        command.cid = cid
        self.waiting[cid] = command
        self.put(command)                              # entry first,
        self.tail = (self.tail + 1) % self.depth
        self.bar.write32(self.sq_doorbell, self.tail)  # doorbell second
        return cid

    def free_cid(self):
        """An identifier that no outstanding command has."""
        return next(cid for cid in range(self.depth) if cid not in self.waiting)

    def put(self, command):
        """Fill the slot at the tail."""
        self.sq[self.tail * 64:self.tail * 64 + 64] = np.frombuffer(bytes(command), np.uint8)

    def poll(self):
        """Take all new completions. Returns them."""
        done = []
        while (completion := self.entry()).p == self.phase:
            del self.waiting[int(completion.cid)]
            done.append(completion)
            self.head += 1
            if self.head == self.depth:
                self.head, self.phase = 0, 1 - self.phase
        if done:
            self.bar.write32(self.cq_doorbell, self.head)
        return done

    def entry(self):
        """What lies in the slot at the head, new or old."""
        return Completion(bytes(self.cq[self.head * 16:self.head * 16 + 16]))
