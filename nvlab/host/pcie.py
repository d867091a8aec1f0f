"""Queue pairs over PCIe: rings in DMA memory, doorbells in the BAR."""
import collections
import contextlib
import threading
import time

import numpy as np

from nvlab._core.rings import CompletionRing, SubmissionRing, fence
from nvlab._core.trace import Side
from nvlab.spec import registers
from nvlab.spec.commands import Command, Completion
from nvlab.spec.errors import ControllerError, ControllerFatal, ControllerGone, ControllerTimeout, QueueBusy, UsageError
from nvlab.spec.status import COMMAND_ABORTED_BY_HOST

from .interrupt import Interrupted
from .request import Request

CIDS = 0xFFFF
"""Command identifiers of a queue, 0 to FFFEh: FFFFh means none in the error log (base 2.0c 3.3.3.1)."""


def note_queue(kind, queue, is_cq, cqid=0):
    """Record that a ring of the host's came or went (Kind.QUEUE_NEW, Kind.QUEUE_GONE), each once."""
    if queue.noted == kind:
        return
    queue.noted = kind
    queue.bar.lane.record(kind, Side.HOST, queue.qid, queue.depth, queue.iova, is_cq | cqid << 16)


Unexpected = collections.namedtuple("Unexpected", "completion why")
"""A completion that the driver could not use as it stood: the Completion, and why in words."""


class _Owned:
    """What both rings share: one owner at a time, and an end, after which nothing may be put in or taken out.

    `retired` is None, or (exception, why) once the controller doesn't know the ring any more.
    """

    owner = retired = noted = None

    def usable(self):
        """Raise what says why this ring can't be used: it is retired (UsageError, ControllerGone), or another has it (QueueBusy)."""
        if self.retired is not None:
            raise self.retired[0](f"{self.name}: {self.retired[1]}")
        self._free()

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
        self.outstanding = {}                    # cid -> Request; one that timed out keeps its cid until it ends
        self.posted = 0                          # entries since the beginning
        self._next_cid = 0

    def renew(self):
        """Begin anew in the same memory, after a controller reset."""
        self.clear()
        self.retired = None

    @property
    def entries(self):
        """The slots, a live (depth, 64) uint8 array."""
        return self.buffer.view(np.ndarray).reshape(self.depth, 64)

    @property
    def iova(self):
        """Bus address of slot 0."""
        return self.buffer.iova

    def post(self, command, cid=None, held=(), what="", on_done=None):
        """Put a command into the slot at the tail; the controller doesn't know yet. Returns the slot.

        The next free command identifier is put in, unless `cid` says which. Raises UsageError when the queue is full or
        the identifier is outstanding, QueueBusy when another owner has the queue.
        """
        return self.post_request(command, cid, held, what, on_done)[1]

    def post_request(self, command, cid=None, held=(), what="", on_done=None):
        """post(), returning (Request, slot)."""
        self.usable()
        with self.pair.lock:
            if not isinstance(command, Command):
                command = Command(bytearray(bytes(command)))
            command.cid = cid = self._identifier(cid)
            request = self.outstanding[cid] = Request(command, self, held, what, on_done)
            try:                                 # known before it is in the ring: its buffers are held, whatever interrupts us
                slot = self.push(bytes(command))
            except UsageError:
                del self.outstanding[cid]
                raise
            self.posted += 1
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

    def end_requests(self, reason, gone=False, status=COMMAND_ABORTED_BY_HOST):
        """End what is outstanding without the controller, which can't touch any buffer now; tell() of its CQ is still to be called."""
        for cid, request in list(self.outstanding.items()):
            request.give_up(reason, gone, status)
            self.outstanding.pop(cid, None)
            self.pair.cq.untold.append(request)

    def fetched(self, sqhd, request=None):
        """(head, whether it can be) by the SQ Head Pointer that a completion brought: not behind the head, nor past the tail.

        Else the head is behind the completed `request`, which was fetched for certain, since entries are fetched in order.
        """
        filled = (self.tail - self.head) % self.depth
        least = 0 if request is None else min(max(request.number + 1 - (self.posted - filled), 0), filled)
        if sqhd < self.depth and least <= (sqhd - self.head) % self.depth <= filled:
            return sqhd, True
        return (self.head + least) % self.depth, False

    def ring(self):
        """Tell the controller how far the queue has been written (SQyTDBL)."""
        self.usable()
        fence()                                  # entries first, doorbell second (base 2.0c 3.3.1.2)
        self.bar.write32(self.doorbell, self.tail)
        self.rung = self.tail

    def __len__(self):
        return self.depth

    def __repr__(self):
        return (f"<{self.name}: {self.depth} entries at {self.iova:#x}, tail {self.tail}, head {self.head}, "
                f"doorbell SQ{self.qid}TDBL at {self.doorbell:#x} last rung with {self.rung}"
                f"{f', owned by {self.owner}' if self.owner else ''}>")


class CompletionQueue(Interrupted, CompletionRing, _Owned):
    """A completion queue: poll() takes what is new at the head, ring() gives the slots back.

    `entries` is a live (depth, 16) uint8 view of the slots; `phase` is the Phase Tag that makes the slot at `head` new.
    """

    def __init__(self, qid, depth, bar, dma, dstrd=0, pump=None):
        self.buffer = dma.alloc(depth * 16)
        super().__init__(self.buffer, depth, bar, registers.cq_head_doorbell(qid, dstrd))
        self.qid, self.name = qid, f"CQ {qid}"
        self.sqs = {}                            # sqid -> the SubmissionQueues that complete here
        self.unexpected = collections.deque(maxlen=64)       # the last completions that nobody waited for, or that lie
        self.unexpected_count = 0
        self._taking = None                      # (head, phase), request: what take() is at
        self.untold = collections.deque()        # ended requests whose on_done is still to be called
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

        The head moves; the controller learns that by ring(). A drive in mode inline moves here. Raises QueueBusy, and UsageError
        or ControllerGone once the queue is no more.
        """
        self.usable()
        with self.lock:
            self.pump()
            return self.take()

    def wait(self, seconds):
        """Wait up to `seconds` for something new at the head: by the queue's interrupt if it has one, else polling.

        True as soon as it is there. A drive in mode inline moves here, one in mode manual doesn't.
        """
        end, nap = time.monotonic() + seconds, 0.0005
        while True:
            if self.retired is None:
                self.pump()
            left = end - time.monotonic()
            if super().wait(max(0.0, min(left, nap))):
                return True
            if left <= nap:
                return False
            nap = min(2 * nap, 0.02)

    def renew(self):
        """Begin anew in the same memory, after a controller reset."""
        self.clear()
        self._taking = self.retired = None

    def take(self):
        """poll() without moving an inline drive first."""
        self.tell()                              # whom an interrupted delivery left out
        if not self.has_new():
            return None
        completion = self.deliver()
        self.tell()
        return completion

    def deliver(self):
        """Take the entry at the head, which is new, and end its request; tell() calls its on_done. Returns the Completion.

        An interrupt (Ctrl-C) in the middle loses nothing: the entry is taken again, for the same request.
        """
        completion, here = self.peek(), (self.head, self.phase)
        if self._taking is None or self._taking[0] != here:
            self._taking = here, self._whose(completion)
        request, sq, head = self._taking[1]
        if request is not None:
            request.finish(completion)
            request.sq.outstanding.pop(request.cid, None)
            self.untold.append(request)
        self.pop(sq, head)
        self._taking = None
        return completion

    def end_requests(self, reason, gone=False):
        """End what is outstanding on all its submission queues: with what has been completed, else without the controller."""
        for _ in range(self.depth if self.owner is None else 0):
            if not self.has_new():
                break
            self.deliver()
        for sq in list(self.sqs.values()):
            sq.end_requests(reason, gone)

    def _whose(self, completion):
        """(the Request that a completion ends, its queue, that queue's head from now on); what is odd is noted in `unexpected`."""
        sq, cid, sqhd = self.sqs.get(int(completion.sqid)), int(completion.cid), int(completion.sqhd)
        if sq is None:
            self._note(completion, f"no SQ {int(completion.sqid)} completes to {self.name}")
            return None, None, 0
        request = sq.outstanding.get(cid)
        head, right = sq.fetched(sqhd, request)
        if not right:
            self._note(completion, f"SQHD is {sqhd}, where {sq.name} of {sq.depth} entries can't have been fetched to")
        if request is None:
            self._note(completion, f"cid {cid} is not outstanding on {sq.name}: it has completed already, or was never submitted")
        return request, sq, head

    def _note(self, completion, why):
        self.unexpected_count += 1
        self.unexpected.append(Unexpected(completion, why))

    def tell(self):
        """Call on_done of the requests that ended."""
        while self.untold:
            self.untold.popleft().notify()

    def ring(self):
        """Tell the controller how far the queue has been read (CQyHDBL)."""
        self.usable()
        fence()                                  # entries read first, slots given back second
        self.bar.write32(self.doorbell, self.head)
        self.rung = self.head

    def __len__(self):
        return self.depth

    def __repr__(self):
        return (f"<{self.name}: {self.depth} entries at {self.iova:#x}, head {self.head}, phase {self.phase}, "
                f"doorbell CQ{self.qid}HDBL at {self.doorbell:#x} last rung with {self.rung}"
                f"{f', interrupt vector {self.vector}' if self.interrupt else ''}{f', owned by {self.owner}' if self.owner else ''}>")


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
            self.sq.usable()
            self.cq.usable()
            if self.sq.outstanding:
                raise QueueBusy(f"queue pair {self.qid} has {len(self.sq.outstanding)} commands outstanding: wait for them first")
            if len(self.cq.sqs) > 1:
                raise QueueBusy(f"CQ {self.cq.qid} serves {len(self.cq.sqs)} submission queues; an owner needs one for itself")
            self.sq.owner = self.cq.owner = owner

    def release(self):
        """Give the pair back to Python."""
        self.sq.owner = self.cq.owner = None

    def submit(self, command, held=(), what="", on_done=None):
        """Post a command and ring. Returns its Request at once. Waits for a slot while the queue is full.

        `on_done` is called with the Request when it has ended. While another thread resets the controller this waits.
        """
        while True:
            if self.sq.retired is not None:      # perhaps by a reset of another thread's, which is under way
                self.controller.await_reset()
            self.sq.usable()
            with self.lock:
                if self.sq.space and self.sq.retired is None:
                    request, _ = self.sq.post_request(command, None, held, what, on_done)
                    with self._reaching():
                        self.sq.ring()
                    return request
            self._await(lambda: self.sq.space or self.sq.retired, None, f"a free slot of {self.sq.name}")

    def execute(self, command, held=(), what="", timeout=None):
        """Submit a command and wait. Returns its Completion; raises NvmeStatusError when it failed."""
        return self.submit(command, held, what).wait(timeout)

    def poll(self):
        """Take all new completions and ring once. Returns them. Raises ControllerGone, and ends all requests, once it is gone."""
        self.cq.usable()
        with self.lock:
            self.cq.pump()
            with self._reaching():
                found = self._drain()
        if not found and self.controller.function.gone():
            self.controller.check_alive(f"polling {self.cq.name}")
        return found

    @contextlib.contextmanager
    def _reaching(self):
        """Around what touches a doorbell: a device that is gone ends all requests first."""
        try:
            yield
        except ControllerGone as error:
            self.controller.vanished(error)
            raise

    def _drain(self):
        found, head = [], self.cq.head
        try:
            while (completion := self.cq.take()) is not None:
                found.append(completion)
                if len(found) >= self.cq.depth:  # a lap: give the slots back before the next
                    break
        finally:                                 # a callback may have raised
            if (found or self.cq.head != head) and self.cq.retired is None:
                self.cq.ring()
        return found

    def wait(self, request, timeout=None):
        """Block until `request` is done. Raises ControllerTimeout, ControllerGone or QueueBusy.

        What a timeout leads to is ctrl.on_timeout: where that is not "raise", the request is done afterwards.
        """
        self._await(lambda: request.done, timeout, request.what or f"{request.command!r} on {self.sq.name}", request)

    def _await(self, condition, timeout, what, request=None):
        """wait_until(), and what the driver does when that fails."""
        timeout = timeout or self.controller.timeout
        try:
            self.wait_until(condition, timeout, what)
        except (ControllerTimeout, ControllerFatal) as error:
            if not self.controller.recover(error, request, timeout):
                raise

    def wait_until(self, condition, timeout, what):
        """Poll until `condition()` holds; other completions are delivered meanwhile, and events of the admin queue.

        An exception of somebody's on_done is raised at the end of the wait.
        """
        deadline, failed = time.monotonic() + timeout, []
        while not condition():
            self.cq._free()
            found = self._look(failed)
            if condition():
                break
            left = deadline - time.monotonic()
            nap = min(self.controller.function.poll_slice, max(0.0, left))
            if self.cq.retired is not None:      # a reset is under way, and ends what we wait for
                time.sleep(nap)
            elif not found and not self.cq.wait(nap):
                self.controller.check_alive(what)
            if left <= 0:                        # also where completions of others never cease
                raise self.controller.timed_out(what, timeout)
        self._look_for_events(failed)
        if failed:
            raise failed[0]

    def _look(self, failed):
        """Take what is new, here and on the admin queue; exceptions of callbacks go to `failed`."""
        found = ()
        with self.lock:
            if self.cq.retired is None:
                self.cq.pump(blocking=True)
                try:
                    with self._reaching():
                        found = self._drain()
                except ControllerError:
                    raise
                except Exception as error:
                    found = (error,)
                    failed.append(error)
        self._look_for_events(failed)
        return found

    def _look_for_events(self, failed):
        """Deliver what the admin queue has, where somebody waits on another queue: asynchronous events come at any time."""
        admin = self.controller.admin
        if admin is None or admin is self or admin.owner is not None or not admin.cq.has_new():
            return
        if not admin.lock.acquire(blocking=False):
            return                               # somebody is there already
        try:
            if admin.cq.retired is None:
                with admin._reaching():
                    admin._drain()
        except ControllerError:
            raise
        except Exception as error:
            failed.append(error)
        finally:
            admin.lock.release()

    def __repr__(self):
        return f"<queue pair {self.qid}: {self.sq!r}, {self.cq!r}, {len(self.sq.outstanding)} outstanding>"
