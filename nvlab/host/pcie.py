"""Queue pairs over PCIe: rings in DMA memory, doorbells in the BAR."""
import threading
import time

import numpy as np

from nvlab._core.rings import CompletionRing, SubmissionRing, fence
from nvlab._core.trace import Side
from nvlab.spec import registers
from nvlab.spec.commands import Command, Completion
from nvlab.spec.errors import QueueBusy, UsageError

from .request import Request

CIDS = 0xFFFF
"""Command identifiers of a queue, 0 to FFFEh: FFFFh means none in the error log (base 2.0c 3.3.3.1)."""


def note_queue(kind, queue, is_cq, cqid=0):
    """Record that a ring of the host's came or went (Kind.QUEUE_NEW, Kind.QUEUE_GONE)."""
    queue.bar.lane.record(kind, Side.HOST, queue.qid, queue.depth, queue.iova, is_cq | cqid << 16)


class _Owned:
    """What both rings share: one owner at a time."""

    owner = None

    def _free(self):
        if self.owner is not None:
            raise QueueBusy(f"{self.name} belongs to {self.owner} just now: stop that first, or create another queue pair "
                            "with create_io_queue_pair()")


class SubmissionQueue(SubmissionRing, _Owned):
    """A submission queue: post() fills the slot at the tail, ring() tells the controller.

    `entries` is a live (depth, 64) uint8 view of the slots. `tail` is the next slot to fill, `head` how far the
    controller has fetched as far as its completions told, `rung` the last doorbell value.
    """

    def __init__(self, qid, depth, bar, dma, dstrd=0):
        self.buffer = dma.alloc(depth * 64)
        super().__init__(self.buffer, depth, bar, registers.sq_tail_doorbell(qid, dstrd))
        self.qid, self.name, self.pair = qid, f"SQ {qid}", None
        self.outstanding = {}                    # cid -> Request
        self._next_cid = 0

    @property
    def entries(self):
        """The slots, a live (depth, 64) uint8 array."""
        return self.buffer.view(np.ndarray).reshape(self.depth, 64)

    @property
    def iova(self):
        """Bus address of slot 0."""
        return self.buffer.iova

    def post(self, command, cid=None, held=(), what=""):
        """Put a command into the slot at the tail; the controller doesn't know yet. Returns the slot.

        The next free command identifier is put in, unless `cid` says which. Raises UsageError when the queue is full or
        the identifier is outstanding, QueueBusy when another owner has the queue.
        """
        return self.post_request(command, cid, held, what)[1]

    def post_request(self, command, cid=None, held=(), what=""):
        """post(), returning (Request, slot)."""
        self._free()
        with self.pair.lock:
            if not isinstance(command, Command):
                command = Command(bytearray(bytes(command)))
            command.cid = cid = self._identifier(cid)
            request = self.outstanding[cid] = Request(command, self, held, what)
            try:                                 # known before it is in the ring: its buffers are held, whatever interrupts us
                slot = self.push(bytes(command))
            except UsageError:
                del self.outstanding[cid]
                raise
            return request, slot

    def _identifier(self, cid):
        if cid is None:
            if len(self.outstanding) >= CIDS:
                raise UsageError(f"{self.name}: all {CIDS} command identifiers are outstanding; poll the completion queue")
            while self._next_cid in self.outstanding:
                self._next_cid = (self._next_cid + 1) % CIDS
            cid, self._next_cid = self._next_cid, (self._next_cid + 1) % CIDS
        elif cid in self.outstanding:
            raise UsageError(f"cid {cid} is outstanding on {self.name}: an identifier is free again when its completion "
                             "has been seen (base 2.0c 3.3.3.1); leave cid out to get a free one")
        return cid

    def ring(self):
        """Tell the controller how far the queue has been written (SQyTDBL)."""
        self._free()
        fence()                                  # entries first, doorbell second (base 2.0c 3.3.1.1)
        self.bar.write32(self.doorbell, self.tail)
        self.rung = self.tail

    def __len__(self):
        return self.depth

    def __repr__(self):
        return (f"<{self.name}: {self.depth} entries at {self.iova:#x}, tail {self.tail}, head {self.head}, "
                f"doorbell SQ{self.qid}TDBL at {self.doorbell:#x} last rung with {self.rung}"
                f"{f', owned by {self.owner}' if self.owner else ''}>")


class CompletionQueue(CompletionRing, _Owned):
    """A completion queue: poll() takes what is new at the head, ring() gives the slots back.

    `entries` is a live (depth, 16) uint8 view of the slots; `phase` is the Phase Tag that makes the slot at `head` new.
    """

    def __init__(self, qid, depth, bar, dma, dstrd=0, pump=None):
        self.buffer = dma.alloc(depth * 16)
        super().__init__(self.buffer, depth, bar, registers.cq_head_doorbell(qid, dstrd))
        self.qid, self.name = qid, f"CQ {qid}"
        self.sqs = {}                            # sqid -> the SubmissionQueues that complete here
        self.lock = threading.RLock()            # of all of them: whoever polls delivers to every one
        self.pump = pump or (lambda blocking=False: None)

    @property
    def entries(self):
        """The slots, a live (depth, 16) uint8 array."""
        return self.buffer.view(np.ndarray).reshape(self.depth, 16)

    @property
    def iova(self):
        """Bus address of slot 0."""
        return self.buffer.iova

    def peek(self):
        """The Completion in the slot at the head, new or old, without taking it."""
        return Completion(bytes(self.entries[self.head]))

    def poll(self):
        """Take the completion at the head if its phase says that it is new. Returns a Completion, or None.

        The head moves; the controller learns that by ring(). A drive in mode inline moves here. Raises QueueBusy.
        """
        self._free()
        with self.lock:
            self.pump()
            return self.take()

    def take(self):
        """poll() without moving an inline drive first."""
        if not self.has_new():
            return None
        completion, request = self.peek(), None
        sq = self.sqs.get(int(completion.sqid))
        if sq is not None:
            if completion.sqhd < sq.depth:
                sq.head = int(completion.sqhd)
            request = sq.outstanding.get(int(completion.cid))
            if request is not None:
                request.finish(completion)
                sq.outstanding.pop(int(completion.cid), None)
        self.pop()                               # last: an interrupted delivery is repeated, not lost
        if request is not None and request.on_done:
            request.on_done(request)
        return completion

    def ring(self):
        """Tell the controller how far the queue has been read (CQyHDBL)."""
        self._free()
        fence()                                  # entries read first, slots given back second
        self.bar.write32(self.doorbell, self.head)
        self.rung = self.head

    def __len__(self):
        return self.depth

    def __repr__(self):
        return (f"<{self.name}: {self.depth} entries at {self.iova:#x}, head {self.head}, phase {self.phase}, "
                f"doorbell CQ{self.qid}HDBL at {self.doorbell:#x} last rung with {self.rung}"
                f"{f', owned by {self.owner}' if self.owner else ''}>")


class QueuePair:
    """A submission queue and its completion queue, with what is outstanding between them.

    `controller` supplies deadlines and says when the device is gone. `owner` is who has the pair: None is Python.
    """

    def __init__(self, sq, cq, controller):
        self.sq, self.cq, self.controller = sq, cq, controller
        self.lock = cq.lock
        sq.pair, cq.sqs[sq.qid] = self, sq

    @property
    def qid(self):
        """The submission queue's identifier."""
        return self.sq.qid

    @property
    def depth(self):
        """Entries in the submission queue; one fewer can be outstanding."""
        return self.sq.depth

    @property
    def owner(self):
        """Who has this pair: None is Python, otherwise a word such as "perf"."""
        return self.sq.owner

    def take(self, owner):
        """Give the pair to `owner`; Python's use of it is a QueueBusy until release(). Raises QueueBusy, UsageError."""
        with self.lock:
            self.sq._free()
            self.cq._free()
            if self.sq.outstanding:
                raise QueueBusy(f"queue pair {self.qid} has {len(self.sq.outstanding)} commands outstanding: wait for them first")
            if len(self.cq.sqs) > 1:
                raise QueueBusy(f"CQ {self.cq.qid} serves {len(self.cq.sqs)} submission queues; an owner needs one for itself")
            self.sq.owner = self.cq.owner = owner

    def release(self):
        """Give the pair back to Python."""
        self.sq.owner = self.cq.owner = None

    def submit(self, command, held=(), what=""):
        """Post a command and ring. Returns its Request at once. Waits for a slot while the queue is full."""
        while True:
            self.sq._free()
            with self.lock:
                if self.sq.space:
                    request, _ = self.sq.post_request(command, None, held, what)
                    self.sq.ring()
                    return request
            self.wait_until(lambda: self.sq.space, self.controller.timeout, f"a free slot of {self.sq.name}")

    def execute(self, command, held=(), what="", timeout=None):
        """Submit a command and wait. Returns its Completion; raises NvmeStatusError when it failed."""
        return self.submit(command, held, what).wait(timeout)

    def poll(self):
        """Take all new completions and ring once. Returns them."""
        self.cq._free()
        with self.lock:
            self.cq.pump()
            return self._drain()

    def _drain(self):
        found, head = [], self.cq.head
        try:
            while (completion := self.cq.take()) is not None:
                found.append(completion)
                if len(found) >= self.cq.depth:  # a lap: give the slots back before the next
                    break
        finally:                                 # a callback may have raised
            if found or self.cq.head != head:
                self.cq.ring()
        return found

    def wait(self, request, timeout=None):
        """Block until `request` is done. Raises ControllerTimeout, ControllerGone or QueueBusy."""
        what = request.what or f"{request.command!r} on {self.sq.name}"
        self.wait_until(lambda: request.done, timeout or self.controller.timeout, what)

    def wait_until(self, condition, timeout, what):
        """Poll until `condition()` holds; other completions are delivered meanwhile."""
        deadline = time.monotonic() + timeout
        while not condition():
            self.cq._free()
            with self.lock:
                self.cq.pump(blocking=True)
                found = self._drain()
            if condition():
                return
            left = deadline - time.monotonic()
            if not found and not self.cq.wait(min(self.controller.function.poll_slice, max(0.0, left))):
                self.controller.check_alive(what)
            if left <= 0:                        # also where completions of others never cease
                raise self.controller.timed_out(what, timeout)

    def __repr__(self):
        return f"<queue pair {self.qid}: {self.sq!r}, {self.cq!r}, {len(self.sq.outstanding)} outstanding>"
