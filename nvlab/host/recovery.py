"""What the driver does when things go wrong: resets, aborts, devices that vanish. Each request ends exactly once."""
import contextlib
import threading

from nvlab._core.trace import Kind
from nvlab.spec.commands import cmd
from nvlab.spec.errors import ControllerFatal, ControllerGone, ControllerTimeout, NvmeStatusError, QueueBusy, UsageError
from nvlab.spec.registers import CC

from .pcie import note_queue

POLICIES = ("raise", "abort", "reset")
"""What follows a timeout (ctrl.on_timeout): the exception alone; Abort, and a reset where that doesn't help; a reset."""

ABORT_SECONDS = 2.0
"""How long an Abort may take, and then the command that it named, before the controller is reset instead."""

LOCK_SECONDS = 2.0
ASYNC_EVENT_REQUEST = 0x0C


class RecoveryMixin:
    """How a Controller is stopped with commands in flight, and started again."""

    def _begin_recovery(self):
        """What recovery needs to remember; set once."""
        self._on_timeout = "raise"
        self._reset_lock = threading.RLock()     # one thread at a time stops the controller,
        self._resetter = None                    # and which that is
        self.resets, self._aborts = 0, []

    # -- stopping

    def disable(self):
        """Clear CC.EN and wait for CSTS.RDY = 0: a controller reset, after which no queue exists.

        Requests that were outstanding end: with their completion, if that was there in time, else with Command Aborted By Host.
        """
        self.function.mark("disable")
        with self._stopping():
            cqs = self._stop("the controller was disabled", (UsageError, "it is gone, for the controller was disabled; create another"))
            self._forget()
        if (error := tell(cqs)) is not None:
            raise error

    def reset(self):
        """Reset the controller and bring it up again with the same queues. Returns the controller, ready for I/O.

        Requests in flight end as disable() ends them. QueuePair and Namespace objects stay what they are; other threads wait
        meanwhile. A loop that has queue pairs (perf) ends, and its queues go. Raises ControllerTimeout, ControllerFatal or
        ControllerGone where the controller doesn't come up; reset() and start() may be tried again.
        """
        self.function.mark("reset")
        cqs, held = [], False
        with self._stopping():
            try:
                held = self.queues_lock.acquire(timeout=0.2)         # who has it may wait for a command that we are to end
                cqs = self._stop("a controller reset ended it", (QueueBusy, "the controller is being reset just now"))
                self._drop_owned()
                held = held or self.queues_lock.acquire(timeout=self.timeout)
                if not held:
                    raise ControllerTimeout("reset: another thread has been creating or deleting queues for too long; try again")
                self._revive()
            except ControllerGone as error:
                self.vanished(error)
                raise
            except BaseException:
                self._retire((UsageError, "the controller was reset and did not come up again; reset() or start() it"))
                raise
            finally:
                if held:
                    self.queues_lock.release()
                error = tell(cqs)
        self.resets += 1
        if error is not None:
            raise error
        return self

    @contextlib.contextmanager
    def _stopping(self):
        """One thread at a time."""
        if not self._reset_lock.acquire(timeout=2 * self.timeout):
            raise ControllerTimeout("another thread has been resetting the controller for too long")
        before, self._resetter = self._resetter, threading.get_ident()
        try:
            yield
        finally:
            self._resetter = before
            self._reset_lock.release()

    def _stop(self, reason, retired):
        """Clear CC.EN with commands in flight, and end them. Returns the completion queues, whose tell() is still to be called."""
        try:
            cc = self.cc
            if cc.EN and not self.csts.RDY and not self.csts.CFS:    # in its bring-up: wait that out first (base 2.0c 3.5.1)
                with contextlib.suppress(ControllerTimeout):
                    self._wait_ready(1)
            for owner in self._owners("abandon"):    # their doorbells must not reach the queues that come after the reset
                owner.abandon()
            self._retire(retired)
            if cc.EN:
                self.regs.write(CC, cc.replace(EN=0, SHN=0))
            self._wait_ready(0)
        except ControllerGone as error:
            self.vanished(error)
            raise
        cqs = self._end_requests(reason)         # only now: the controller has let go of their buffers (base 2.0c 3.7.2)
        sqs, _ = self._rings()
        for ring, is_cq in [*((sq, False) for sq in sqs), *((cq, True) for cq in cqs)]:
            note_queue(Kind.QUEUE_GONE, ring, is_cq)
        self.unsure = {}
        return cqs

    def _drop_owned(self):
        """Forget the queues that somebody else has, who makes new ones."""
        for qid, pair in list(self.io.items()):
            if pair.owner is not None:
                self._retire((UsageError, "it is gone since a controller reset; create another"), [pair.cq])
                self.io.pop(qid), self.io_cqs.pop(pair.cq.qid, None)

    def _revive(self):
        """Bring the controller up with the queues that it had."""
        if self.admin is None:
            self.create_admin_queue()
        else:
            for ring in (self.admin.sq, self.admin.cq):
                ring.renew()
            self.create_admin_queue(again=self.admin)
        self.enable()
        self.identify()
        self.configure_host_behavior()
        self.configure_async_events()
        self.set_number_of_queues(self.queues_asked)
        self.identify_namespaces()
        for cq in list(self.io_cqs.values()):
            cq.renew()
            self._announce_cq(cq)
        for pair in list(self.io.values()):
            pair.sq.renew()
            self._announce_sq(pair.sq, pair.cq)

    def await_reset(self):
        """Wait while another thread resets the controller, unless that one waits for us."""
        if self._changing != threading.get_ident() and self._reset_lock.acquire(timeout=2 * self.timeout):
            self._reset_lock.release()

    # -- what is outstanding

    def _rings(self):
        """([SubmissionQueue], [CompletionQueue]) that the controller knows."""
        pairs = ([self.admin] if self.admin is not None else []) + list(self.io.values())
        cqs = {id(cq): cq for cq in [*(pair.cq for pair in pairs), *list(self.io_cqs.values())]}
        return [pair.sq for pair in pairs], list(cqs.values())

    def _retire(self, retired, cqs=None):
        """From now on nobody posts to the rings or takes from them."""
        for cq in self._rings()[1] if cqs is None else cqs:
            with locked(cq):
                for ring in (cq, *cq.sqs.values()):
                    ring.retired = retired

    def _end_requests(self, reason, gone=False):
        """End what is outstanding; the controller can't touch any buffer now. Returns the completion queues."""
        cqs = self._rings()[1]
        for cq in cqs:
            with locked(cq):
                cq.end_requests(reason, gone)
        return cqs

    # -- gone

    def vanished(self, error):
        """The device is gone: every outstanding request ends. `error` is the ControllerGone that is about to be raised."""
        reason = self.function.gone() or "it doesn't answer any more"
        for cq in self._rings()[1]:
            with contextlib.suppress(ControllerTimeout):             # another thread has it, and finds out by itself
                with locked(cq, 0.5):
                    for ring in (cq, *cq.sqs.values()):
                        ring.retired = ControllerGone, f"the controller is gone ({reason}); attach again"
                    cq.end_requests(f"gone: {reason}", gone=True)
        raised = tell(self._rings()[1])
        if raised is not None and error is not None:
            error.__cause__ = raised

    # -- timeouts

    @property
    def on_timeout(self):
        """What follows when a command isn't completed in time: one of POLICIES.

        "raise": ControllerTimeout; the request stays outstanding, and may still complete, be aborted, or end by a reset.
        "abort": the Abort command; where neither that nor the command completes, or the command is an admin command, a reset.
        "reset": a controller reset. After the latter two the request has ended, mostly with an error status.
        """
        return self._on_timeout

    @on_timeout.setter
    def on_timeout(self, policy):
        if policy not in POLICIES:
            raise UsageError(f"on_timeout={policy!r}: one of {', '.join(POLICIES)}")
        self._on_timeout = policy

    def recover(self, error, request, timeout):
        """Do what on_timeout says about a command (None: a queue that stays full). False where `error` is to be raised."""
        event = request is not None and int(request.command.opc) == ASYNC_EVENT_REQUEST and request.sq.qid == 0
        if self.on_timeout == "raise" or event or self.closed or self._resetter == threading.get_ident():
            return False                         # (an event may take for ever)
        if (self.on_timeout == "abort" and request is not None and request.sq.qid and not isinstance(error, ControllerFatal)
                and self._abort_in_time(request, min(timeout, ABORT_SECONDS))):
            return True
        while not self._reset_lock.acquire(timeout=0.01):
            if request is not None and request.done:
                return True                      # another thread's reset ended it
        try:
            if request is None or not request.done:
                self.reset()
        finally:
            self._reset_lock.release()
        return True

    def _abort_in_time(self, request, seconds):
        """Abort a command and wait for its end. True when it has ended."""
        pair = request.sq.pair
        with contextlib.suppress(ControllerTimeout, ControllerFatal, NvmeStatusError, QueueBusy):
            self._send_abort(request, seconds)
            pair.wait_until(lambda: request.done, seconds, f"the end of the aborted {request.command!r}")
        return request.done

    def abort(self, request):
        """Ask the controller to abort a command. Returns True when it was aborted, False when it was not (any more).

        The command completes all the same, once: aborted, with Command Abort Requested. No more Aborts are sent at once than
        the controller allows (Identify ACL). Raises ControllerTimeout when the Abort isn't answered in time.
        """
        return self._send_abort(request, self.timeout)

    def _send_abort(self, request, seconds):
        admin = self.admin_queue()
        limit = int(self.id.acl) + 1 if self.id is not None else 1
        while not request.done:
            with admin.lock:
                self._aborts = [sent for sent in self._aborts if not sent.done]
                if len(self._aborts) < limit:
                    sent = admin.submit(cmd.abort(sqid=request.sq.qid, cid=request.cid), what=f"Abort of cid {request.cid} on {request.sq.name}")
                    self._aborts.append(sent)
                    break
                earliest = self._aborts[0]
            admin.wait_until(lambda: earliest.done, seconds, f"one of the {limit} Aborts that may be outstanding (ACL)")
        else:
            return False
        admin.wait_until(lambda: sent.done, seconds, sent.what)
        return not int(sent.check().dw0) & 1     # bit 0: not aborted (base 2.0c 5.1)

    def poll(self):
        """Take what is new on every queue that Python has, asynchronous events too. Returns the Completions."""
        found = []
        for pair in [self.admin_queue(), *list(self.io.values())]:
            if pair.owner is None:
                found += pair.poll()
        return found


@contextlib.contextmanager
def locked(cq, seconds=LOCK_SECONDS):
    """Hold a completion queue and what completes to it. Raises ControllerTimeout when another thread doesn't let go of it."""
    if not cq.lock.acquire(timeout=seconds):
        raise ControllerTimeout(f"{cq.name}: another thread has held it for {seconds:g} s; what does its on_done wait for?")
    try:
        yield
    finally:
        cq.lock.release()


def tell(cqs):
    """Call on_done of all requests of some completion queues that ended. Returns the first exception that one raised, or None."""
    first = None
    for cq in cqs:
        while cq.untold:
            try:
                cq.tell()
            except Exception as error:
                first = first or error
    return first
