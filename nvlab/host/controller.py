"""The life of a controller, from the host's side: probe, disable, admin queue, enable, identify, I/O queues, shutdown."""
import atexit
import contextlib
import os
import threading
import time
import weakref

from nvlab._core.trace import Kind
from nvlab.spec.errors import ControllerFatal, ControllerGone, ControllerTimeout, Error, UsageError
from nvlab.spec.registers import ACQ, AQA, ASQ, CC
from nvlab.spec.render import Table, counted, mimebundle

from .admin import MOST_QUEUES, AdminMixin
from .events import EventsMixin
from .namespace import Namespace, Namespaces
from .pcie import CompletionQueue, QueuePair, SubmissionQueue, note_queue
from .recovery import RecoveryMixin
from .regs import Registers
from .retry import RetryMixin

ADMIN_DEPTH = 32
IO_DEPTH = 256
POLL_SECONDS = 0.0005
LONGEST = 86400
LIVE = weakref.WeakSet()
"""Controllers that are open: closed in an orderly way when the interpreter ends."""


def close_all():
    """Close every open controller: no loop may run into memory that the dying interpreter takes back."""
    for controller in list(LIVE):
        controller.close()


class Step:
    """One named state of the bring-up: `name`, what it does in a sentence (`doc`), and run()."""

    def __init__(self, name, action):
        self.name, self._action = name, action
        self.doc = (action.__doc__ or "").strip().split("\n")[0]
        self.result = None

    def run(self):
        """Do it. Returns what the driver's own method returns."""
        self.result = self._action()
        return self.result

    __call__ = run

    def __repr__(self):
        return f"<step {self.name!r}: {self.doc}>"


class Controller(AdminMixin, EventsMixin, RecoveryMixin, RetryMixin):
    """An NVMe controller, mapped and not yet touched; `nvlab.probe()` makes one, `nvlab.attach()` also brings it up.

    `regs` live registers · `bar` raw access · `dma` its memory · `cap` and `vs` as read at the probe · `admin` the admin
    QueuePair · `io` {qid: QueuePair} · `namespaces` {nsid: Namespace} · `id` IdentifyController · `ssd` the drive's own
    half, when it is embedded · `timeout` seconds a command may take · `on_timeout` what happens then · `retries` how
    often an I/O that may succeed is sent again · `events` asynchronous events so far. A context manager.
    """

    explain = None                               # a function of the controller, put in by whoever knows both ends

    def __init__(self, function, timeout=10.0):
        if not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST:
            raise UsageError(f"timeout={timeout!r}: how many seconds a command may take, more than 0, at most {LONGEST}")
        self.function, self.timeout = function, timeout
        self.process = os.getpid()
        self.bar, self.dma, self.ssd, self.address = function.bar, function.dma, function.ssd, function.address
        self.regs = Registers(self.bar, function.gone)
        self.cap, self.vs = self.regs.CAP.read(), self.regs.VS.read()
        self.bar.doorbell_stride = 4 << int(self.cap.DSTRD)
        self.closed = False
        self.queues_lock = threading.RLock()     # one thread at a time creates and deletes I/O queues,
        self._changing = None                    # and which that is
        self._begin_events(), self._begin_recovery(), self._begin_retry()
        self._forget()
        LIVE.add(self)
        atexit.unregister(close_all)             # always the last registered, hence the first to run: before what
        atexit.register(close_all)               # stops the device underneath

    def _forget(self):
        """The state before any queue exists."""
        self.admin, self.id, self.queue_limit, self.queues_asked = None, None, None, MOST_QUEUES
        self.io, self.io_cqs, self.namespaces = {}, {}, Namespaces()
        self.unsure = {}                         # qid -> a queue whose creation was interrupted

    # -- what it is

    @property
    def cc(self):
        """Controller Configuration, read now."""
        return self.regs.CC.read()

    @property
    def csts(self):
        """Controller Status, read now."""
        return self.regs.CSTS.read()

    @property
    def page(self):
        """Bytes of a memory page: CC.MPS as this driver sets it, the smallest that CAP allows."""
        return self.cap.MPSMIN.bytes

    @property
    def max_transfer(self):
        """Bytes that one command can move: MDTS, or None where the controller sets no limit."""
        mdts = int(self.id.mdts) if self.id is not None else 5
        return self.page << mdts if mdts else None

    def alloc(self, nbytes, **kw):
        """A DmaBuffer of `nbytes`, zeroed and page-aligned."""
        return self.dma.alloc(nbytes, **kw)

    def admin_queue(self):
        """The admin QueuePair. Raises UsageError before create_admin_queue()."""
        if self.admin is None:
            raise UsageError("the controller has no admin queue yet: create_admin_queue() and enable() first, or use nvlab.attach()")
        return self.admin

    def io_queue(self, depth=IO_DEPTH):
        """An I/O queue pair that Python owns: the first free one, or a new one of `depth` entries (or CAP.MQES)."""
        with self.queues_lock:
            pair = next((pair for pair in self.io.values() if pair.owner is None), None)
            return pair or self.create_io_queue_pair(min(depth, int(self.cap.MQES) + 1))

    # -- bring-up, step by step

    def steps(self):
        """Yield the bring-up as Steps, in order; run() each. attach() is these steps and nothing else.

        They follow the states of SPDK's nvme_ctrlr_process_init and the initialization of base 2.0c 3.5.1.
        """
        yield Step("disable", self.disable)
        yield Step("create admin queue", self.create_admin_queue)
        yield Step("enable", self.enable)
        yield Step("identify controller", self.identify)
        yield Step("configure host behavior", self.configure_host_behavior)
        yield Step("configure async events", self.configure_async_events)
        yield Step("number of queues", self.set_number_of_queues)
        yield Step("identify namespaces", self.identify_namespaces)

    def start(self):
        """Run all steps(). Returns the controller, ready for I/O."""
        for step in self.steps():
            step.run()
        return self

    def create_admin_queue(self, depth=ADMIN_DEPTH, vector=None, again=None):
        """Make the admin rings and write AQA, ASQ and ACQ; the controller must be disabled. Returns the QueuePair.

        `vector` 0 lets waits sleep until its interrupt comes; the admin queue has no other (base 2.0c 3.1.3.9).
        `again` is an admin QueuePair that goes on in the memory that it has, as reset() does it; it has a depth and vector.
        """
        self.function.mark("create admin queue")
        if not 2 <= depth <= 4096:
            raise UsageError(f"admin queue of {depth} entries: AQA allows 2 to 4096 (base 2.0c 3.1.3.8)")
        if vector not in (None, 0):
            raise UsageError(f"admin queue with interrupt vector {vector}: it has vector 0, or None to be polled")
        if self.cc.EN:
            raise UsageError("create_admin_queue: CC.EN is 1, and AQA, ASQ and ACQ may only change while it is 0; disable() first")
        pair = again or self._admin_rings(depth, vector)
        sq, cq = pair.sq, pair.cq
        self.regs.write(AQA, AQA.encode(ASQS=sq.depth - 1, ACQS=cq.depth - 1))
        self.regs.write(ASQ, sq.iova)
        self.regs.write(ACQ, cq.iova)
        self.admin = pair
        note_queue(Kind.QUEUE_NEW, cq, True)
        note_queue(Kind.QUEUE_NEW, sq, False, 0)
        return pair

    def _admin_rings(self, depth, vector):
        """New rings for the admin queue, of which the controller doesn't know yet."""
        sq = SubmissionQueue(0, depth, self.bar, self.dma, self.regs.dstrd)
        cq = CompletionQueue(0, depth, self.bar, self.dma, self.regs.dstrd, self.function.pump)
        cq.take_interrupt(self.function, vector)
        return QueuePair(sq, cq, self)

    def enable(self):
        """Set CC.EN with 64-byte SQEs and 16-byte CQEs and wait for CSTS.RDY = 1. Returns CSTS."""
        self.function.mark("enable")
        self.admin_queue()
        css = 6 if int(self.cap.CSS) & 0x40 else 0
        self.regs.write(CC, CC.encode(EN=1, CSS=css, MPS=int(self.cap.MPSMIN), IOSQES=6, IOCQES=4))
        return self._wait_ready(1)

    def identify(self):
        """Identify Controller (CNS 01h): limits and abilities. Returns the IdentifyController, kept as ctrl.id."""
        self.function.mark("identify controller")
        self.id = self.identify_controller()
        return self.id

    def configure_async_events(self):
        """Leave one Asynchronous Event Request outstanding, so that the controller can speak unasked."""
        self.function.mark("configure async events")
        self.arm_async_events()

    def identify_namespaces(self):
        """List the active namespaces (CNS 02h) and identify each (CNS 00h). Returns {nsid: Namespace}."""
        self.function.mark("identify namespaces")
        known = self.namespaces                  # after reset(): who holds a Namespace goes on with it
        self.namespaces = Namespaces({nsid: known[nsid].refresh() if nsid in known else Namespace(self, nsid)
                                      for nsid in self.namespace_ids()})
        return self.namespaces

    def wait(self, condition, what, timeout=None):
        """Poll CSTS until `condition(csts)` holds. Returns it.

        Raises ControllerFatal on CSTS.CFS, ControllerGone on all ones, ControllerTimeout after CAP.TO (or `timeout` seconds).
        """
        seconds = max(self.cap.TO.seconds, 0.5) if timeout is None else timeout
        deadline = time.monotonic() + seconds
        while True:
            csts = self.csts
            if csts.CFS and not (csts.RDY == 0 and what.endswith("RDY = 0")):
                raise ControllerFatal(f"waiting for {what}: CSTS.CFS is set, a fatal error; are AQA, ASQ and ACQ right? "
                                      "disable() resets the controller", registers=self._registers())
            if condition(csts):
                return csts
            if time.monotonic() >= deadline:
                raise ControllerTimeout(f"waiting for {what}: not within {seconds:g} s, which is "
                                        f"{'CAP.TO' if timeout is None else 'the deadline'}; CSTS is {csts!r}; "
                                        "disable() resets a controller that is stuck, and attaching again starts afresh",
                                        registers=self._registers())
            time.sleep(POLL_SECONDS)

    def _wait_ready(self, value):
        return self.wait(lambda csts: csts.RDY == value, f"CSTS.RDY = {value}")

    # -- deadlines and ends

    def check_alive(self, what="the controller"):
        """Raise ControllerGone or ControllerFatal when the device can't answer any more; gone, all its requests have ended."""
        try:
            reason = self.function.gone()
            if reason or not self.bar.is_alive():
                raise ControllerGone(f"{what}: the controller is gone ({reason or 'its connection broke'}); attach again")
            csts = self.csts
        except ControllerGone as error:
            self.vanished(error)
            raise
        if csts.CFS:
            raise ControllerFatal(f"{what}: CSTS.CFS is set, a fatal error; reset(), or disable() and start(), end that",
                                  registers=self._registers())

    def timed_out(self, what, seconds):
        """The ControllerTimeout for something that did not happen within `seconds`."""
        remedy = "it is outstanding still; reset(), or disable() and start(), end it"
        now = self._registers()
        if now is not None and not now["CSTS"].RDY:
            remedy = "the controller is not ready (CSTS.RDY = 0) and fetches nothing; reset(), or disable() and start(), bring it up"
        elif self.ssd is not None and self.ssd.mode == "manual":
            remedy = "the drive is in mode manual and moves only on ssd.step(); " + remedy
        return ControllerTimeout(f"{what}: no completion within {seconds:g} s; ctrl.why() says what it waits for; {remedy}",
                                 registers=now)

    def _registers(self):
        with contextlib.suppress(Error):
            return self.regs.snapshot()
        return None

    def shutdown(self):
        """Delete the I/O queues, set CC.SHN and wait for CSTS.SHST = 2, as before power-off (base 2.0c 3.6.1)."""
        self.function.mark("shutdown")
        if self.admin is not None and self.csts.RDY:
            for qid in list(self.io):
                self.delete_io_sq(qid)
            for qid in list(self.io_cqs):
                self.delete_io_cq(qid)
        if self.cc.EN:
            self.regs.CC.set(SHN=1)
            self.wait(lambda csts: csts.SHST == 2, "CSTS.SHST = 2", timeout=10.0)

    def _owners(self, able):
        """Who has I/O queue pairs just now and can do what `able` names."""
        return {id(p.owner): p.owner for p in list(self.io.values()) if hasattr(p.owner, able)}.values()

    def close(self):
        """Shut down if the device still answers, then let go of it; closing twice is harmless, and nothing is raised."""
        if self.closed:
            return
        self.closed = True
        LIVE.discard(self)
        if self.process != os.getpid():          # a fork: the device is the parent's, who goes on using it
            return
        try:
            for owner in self._owners("stop"):
                with contextlib.suppress(Error):
                    owner.stop()
            with contextlib.suppress(Error):
                if self.function.gone() is None:
                    self.shutdown()
        finally:                                 # an interrupt must not leave the device behind
            self.function.close()
            self.vanished(None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # -- for people

    def why(self):
        """In a sentence what is wrong, or why nothing moves; then evidence, rule and remedy. Returns a nvlab.trace.why.Why.

        nvlab.watch(ctrl) before a driver runs lets it know more. Raises UsageError for a Controller that nvlab didn't make.
        """
        if self.explain is None:
            raise UsageError("why(): this Controller was made by hand; open it with nvlab.probe(), or call nvlab.trace.why.why(ctrl)")
        return self.explain(self)

    def table(self):
        """What this controller is, as a render.Table."""
        rows = [("Address", self.address), ("Version", f"{int(self.vs.MJR)}.{int(self.vs.MNR)}")]
        if self.id is not None:
            rows += [("Model", self.id.mn), ("Serial number", self.id.sn), ("Firmware", self.id.fr)]
        rows += [("State", self.state), ("Queue entries (CAP.MQES + 1)", int(self.cap.MQES) + 1)]
        if self.queue_limit:
            rows.append(("I/O queue pairs", f"{len(self.io)} of {self.queue_limit}"))
        rows += [(f"Namespace {nsid}", ns.summary) for nsid, ns in self.namespaces.items()]
        return Table("NVMe controller", ("", ""), rows)

    @property
    def state(self):
        """One phrase: closed, gone, disabled, not ready, ready, shut down, fatal."""
        if self.closed:
            return "closed"
        if self.function.gone():
            return f"gone: {self.function.gone()}"
        try:
            csts, cc = self.csts, self.cc
        except ControllerGone:
            return "gone: its registers read as ones"
        if csts.CFS:
            return "fatal error (CSTS.CFS)"
        if csts.SHST:
            return "shut down"
        return ("ready" if csts.RDY else "enabled, not ready") if cc.EN else "disabled"

    def __repr__(self):
        name = f"{self.id.mn} {self.id.sn}" if self.id is not None else self.function.model
        return (f"<Controller {name} at {self.address}: {self.state}, {counted(len(self.namespaces), 'namespace')}, "
                f"{counted(len(self.io), 'I/O queue pair')}>")

    def _repr_mimebundle_(self, include=None, exclude=None):
        return mimebundle(self.table())
