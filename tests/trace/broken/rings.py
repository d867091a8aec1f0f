"""What can be done wrong at the rings and their doorbells."""
from nvlab.spec.commands import cmd

from .correct import Broken, CorrectDriver

EMBEDDED = ("manual", "inline", "thread")


class NeverRings(Broken):
    """Fills the slot and forgets the doorbell."""

    rule, severity = "doorbell-never-rung", "waiting"

    def ring_sq(self, queue):
        if queue.qid == 0:
            super().ring_sq(queue)


class NeverRingsCq(Broken):
    """Takes completions and never gives a slot back."""

    rule, severity = "cq-doorbell-never-rung", "waiting"

    def ring_cq(self, queue):
        if queue.qid == 0:
            super().ring_cq(queue)


class KeepsPhase(Broken):
    """Expects Phase Tag 1 in every lap."""

    rule = "wrong-phase"
    where = ("manual", "inline")

    def next_phase(self, queue):
        return 1 if queue.qid else queue.phase ^ 1


class FlipsTwice(Broken):
    """Turns the phase over at the wrap, twice: waits for 1 where 0 is new."""

    rule, severity = "wrong-phase", "waiting"
    where = EMBEDDED

    def is_new(self, queue):
        if queue.qid and queue.head == 0 and queue.phase == 0:
            return False                         # it looks for another tag than that
        return super().is_new(queue)


class ReadsStale(Broken):
    """Reads the slot at the head at once, whatever its Phase Tag."""

    rule = "stale-completion"
    where = ("manual", "inline")

    def is_new(self, queue):
        return queue.qid != 0 or super().is_new(queue)


class StartsWithPhaseZero(Broken):
    """Begins with Phase Tag 0, which is what empty slots hold."""

    rule = "stale-completion"
    where = ("manual", "inline")

    def create_sq(self):
        super().create_sq()
        self.io.phase = 0


class NeverWraps(Broken):
    """Counts the tail on past the end."""

    rule = "doorbell-past-end"

    def next_tail(self, queue):
        return queue.tail + 1 if queue.qid else super().next_tail(queue)


class NeverWrapsCq(Broken):
    """Counts the head on past the end."""

    rule = "doorbell-past-end"

    def next_head(self, queue):
        return queue.head + 1 if queue.qid else super().next_head(queue)

    def is_new(self, queue):
        return queue.head < queue.depth and super().is_new(queue)


class RingsBeforeMoving(Broken):
    """Writes the tail to the doorbell, and moves it afterwards."""

    rule = "doorbell-not-moving"

    def submit(self, queue, command):
        if queue.qid == 0:
            return super().submit(queue, command)
        command.cid = self.next_cid(queue)
        self.write_entry(queue, bytes(command))
        self.ring_sq(queue)
        queue.tail = self.next_tail(queue)


class FillsEverySlot(Broken):
    """Sends as many commands at once as the ring has slots, one more than it holds."""

    rule = "queue-overfull"
    where = ("manual", "inline")

    def several(self):
        for lba in range(self.io.depth):
            self.submit(self.io, cmd.read(nsid=1, slba=lba, nlb=0, prp1=self.data))
        for _ in range(self.io.depth):
            self.wait(self.io)


class RingsFirst(Broken):
    """Rings the doorbell before the entry is written."""

    rule = "entry-after-doorbell"

    def submit(self, queue, command):
        if queue.qid == 0:
            return super().submit(queue, command)
        slot, queue.tail = queue.tail, self.next_tail(queue)
        self.ring_sq(queue)
        command.cid, after, queue.tail = self.next_cid(queue), queue.tail, slot
        self.write_entry(queue, bytes(command))
        queue.tail = after


class SameCid(Broken):
    """Gives every command the cid 0."""

    rule = "cid-reused"

    def next_cid(self, queue):
        return 0 if queue.qid else super().next_cid(queue)


class OneTooManyAdmin(Broken):
    """Writes the number of entries into AQA, whose sizes are zero-based."""

    rule = "zero-based-size"

    def tell_admin_queue(self):
        super().tell_admin_queue()
        depth = self.admin.depth
        self.bar.write32(0x24, depth << 16 | depth)


class OneTooManyCq(Broken):
    """Writes the number of entries into QSIZE of Create I/O CQ."""

    rule = "zero-based-size"

    def create_cq(self):
        self.io.depth += 1
        super().create_cq()
        self.io.depth -= 1


class OneTooManySq(Broken):
    """Writes the number of entries into QSIZE of Create I/O SQ."""

    rule = "zero-based-size"

    def create_sq(self):
        self.io.depth += 1
        super().create_sq()
        self.io.depth -= 1


class NobodyMoves(Broken):
    """Polls its memory, and never lets a drive in this process have its turn."""

    rule, severity = "nobody-steps", "waiting"
    where = ("manual", "inline")

    def create_sq(self):
        super().create_sq()
        self.move = lambda: self.ctrl.ssd.mode == "inline"


class RingsAnotherQueue(Broken):
    """Takes the doorbell of queue 2 for that of queue 1."""

    rule = "doorbell-of-no-queue"

    def ring_sq(self, queue):
        self.bar.write32(0x1000 + 2 * (queue.qid + (queue.qid == 1)) * self.stride, queue.tail)


ALL = [found for found in vars().values() if isinstance(found, type) and issubclass(found, Broken) and found not in (Broken, CorrectDriver)]
