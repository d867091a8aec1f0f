"""A drive on PCIe: fetch, execute, complete; by hand, inside the host's poll, or in a thread of its own."""
import collections
import threading
import weakref

from nvlab._core.ssd import DataPath
from nvlab._core.trace import now
from nvlab.spec import status
from nvlab.spec.errors import ControllerTimeout, UsageError
from nvlab.spec.render import counted

from .admin import Failed, Later
from .controller import Controller
from .faults import Faults
from .inflight import HeldBack, InFlight
from .mishaps import Mishaps

MODES = ("manual", "inline", "thread")


class Ssd(Mishaps):
    """An NVMe drive whose BAR is `memory` and which reaches host memory through `iova_map`.

    `mode` says who moves it: "manual" (only step()), "inline" (the host's own poll), "thread" (an OS thread without the
    GIL). It can be changed at any time.
    """

    def __init__(self, subsystem, memory, iova_map, *, mode="inline", queues=64, entries=1024, mdts=7, dstrd=0, timeout=0.5):
        self.subsystem = subsystem
        self.datapath = DataPath(memory, iova_map, queues, dstrd)
        self.controller = Controller(subsystem, self.datapath, queues=queues, entries=entries, mdts=mdts, timeout=timeout)
        self.faults, self.held_back = Faults(self), HeldBack()
        self.controller.ready_delay = self.faults.ready_delay
        self.controller.abort_command, self.controller.sq_deleted = self._abort, self._sq_deleted
        self.gone = None                         # why it vanished
        for nsid, space in subsystem.namespaces.items():
            self.datapath.set_namespace(nsid, space.bdev.blocks, space.bdev.block_size, space.bdev.memory)
        self.inside = collections.deque()        # commands fetched and not yet completed
        self.waiting = {}                        # cid -> an Asynchronous Event Request, until there is news
        self.bug = None                          # the last exception that was the drive's own fault
        self._running = None                     # the command in execution
        self._turn = 0                           # round robin among submission queues
        self._thread, self._mode = None, "manual"
        self._changing = threading.RLock()       # one thread at a time changes the mode
        self.datapath.service = self._weak_service()
        weakref.finalize(self, self.datapath.stop).atexit = False
        self.mode = mode

    # -- who moves it

    @property
    def mode(self):
        """"manual", "inline" or "thread"."""
        return self._mode

    @mode.setter
    def mode(self, mode):
        if mode not in MODES:
            raise UsageError(f"mode={mode!r}: a drive moves in one of the modes {', '.join(MODES)}")
        with self._changing:
            if mode == self._mode:
                return
            self._stop_thread()
            self._mode = mode
            self.datapath.inline_mode = mode == "inline"
            if mode != "manual":
                self.datapath.alarm = 1          # now: for what was begun by hand
            if mode == "thread":
                self._start_thread()

    def _weak_service(self):
        """service() for loops that hold the data path, but not the drive, so that a forgotten drive can be collected."""
        this = weakref.ref(self)

        def service():
            drive = this()
            return drive.service() if drive is not None else 0

        return service

    def _start_thread(self):
        path = self.datapath
        path.restart()
        self._thread = threading.Thread(target=path.run, args=(path.service,), name="nvlab-ssd", daemon=True)
        self._thread.start()

    def _stop_thread(self):
        if self._thread is not None:
            self.datapath.stop()
            if self._thread is not threading.current_thread():
                self._thread.join(5)
            self._thread = None

    def close(self):
        """Stop the thread and drop the queues; closing twice is harmless."""
        with self._changing:
            self._mode = "manual"
            self._stop_thread()
        with self.datapath:
            self.controller.reset()
            self._forget()

    def _forget(self):
        """Drop all commands, as a controller reset does."""
        self.inside.clear()
        self.waiting.clear()
        self.held_back.forget()

    def __enter__(self):
        """Hold the drive still: no one else moves it inside this block."""
        self.datapath.__enter__()
        return self

    def __exit__(self, *exc):
        self.datapath.release()

    # -- registers, as the BAR traps them

    def read_register(self, offset, width):
        """A host's read of `width` bytes below 1000h."""
        if self.gone:
            return (1 << 8 * width) - 1
        if self.controller.ready_at is not None and now() >= self.controller.ready_at:
            with self.datapath:
                self.controller.note_time()
        return self.controller.read(offset, width)

    def write_register(self, offset, value, width):
        """A host's write of `width` bytes below 1000h."""
        with self.datapath:
            if self.gone:
                return
            self.controller.write(offset, value, width)
            if not self.controller.csts.RDY:
                self._forget()
            self._set_alarm()

    # -- by hand

    def step(self):
        """Do the next thing as a whole: one command fetched, executed and completed. Returns it, or None when idle.

        A command that was begun with fetch() or execute() is finished first.
        """
        with self.datapath:
            return self._step()

    def fetch(self):
        """Take the next entry off a submission queue: admin first, then I/O queues in turn. Returns it, or None."""
        with self.datapath:
            return self._fetch()

    def execute(self):
        """Execute the oldest fetched command. Returns it, with its status, or None."""
        with self.datapath:
            return self._execute()

    def complete(self):
        """Post the completion of the oldest executed command. Returns it; None when there is none or its CQ is full."""
        with self.datapath:
            return self._complete()

    def _step(self):
        self.controller.interrupts.table.tick()
        self._note_time()
        held = next((h for h in self.inside if self._can_move(h)), None) or self._fetch()
        if held is None:
            return self._report_event()
        if held.state == "fetched":
            self._execute_one(held)
        if held.state == "executed":
            self._finish(held)
        return held

    def _can_move(self, held):
        path = self.datapath
        return held.state == "fetched" or held.orphan or not path.sq_live(held.sqid) or path.room(held.sqid)

    def _fetch(self):
        self.controller.note_doorbells()
        path = self.datapath
        order = [0] + [(self._turn + i) % path.queues + 1 for i in range(path.queues)]
        for sqid in order:
            if path.waiting(sqid) and path.room(sqid):
                if sqid:
                    self._turn = sqid
                return self._take_in(sqid)
        return None

    def _take_in(self, sqid):
        raw = self.datapath.fetch(sqid)
        if raw is None:                          # the host took its doorbell back meanwhile
            return None
        held = InFlight(sqid, raw, sqid == 0)
        self.inside.append(held)
        return held

    def _execute(self):
        held = next((h for h in self.inside if h.state == "fetched"), None)
        return held and self._execute_one(held)

    def _execute_one(self, held):
        plan = held.plan = self.faults.strike(held) if self.faults.armed else None
        if plan is not None and plan.stop:
            held.state = "stopped"
            (self._fail if plan.stop == "fatal" else self._vanish)()
            return held
        self._running = held
        if plan is None or plan.execute:
            result = self._run(held)
        else:
            result = plan.status and self._note_error(held, self._chosen(plan))
        held.state, held.status = "executed", result
        if result is Later:                      # completes when there is an event to report
            held.state, held.status = "waiting", None
            self.waiting[held.cid] = held
            self.inside.remove(held)
        return held

    def _chosen(self, plan):
        """The status that a fault chose, as 15 bits. CRD counts only for a host that set ACRE (base 2.0c 3.3.3.2.1)."""
        field, crd = plan.status
        return field | (crd << 11 if self.controller.admin.retry_delays else 0)

    def _complete(self):
        self._note_time()
        return next((h for h in list(self.inside) if h.state == "executed" and self._finish(h)), None)

    def _finish(self, held):
        """Post the completion of an executed command. False while its completion queue is full."""
        path, plan = self.datapath, held.plan
        if held.orphan or not path.sq_live(held.sqid):       # deleted meanwhile, and the command with it (base 2.0c 5.7)
            held.state = "dropped"
        elif plan is not None and not plan.post:
            held.state = "lost"
            if not plan.execute:
                self.held_back.lose(held)
        elif plan is not None and plan.delay:
            held.state = "delayed"
            self.held_back.delay(held, plan.delay)
            plan.delay = 0.0
        elif path.complete(held.sqid, held.cid, held.status, held.dw0) if plan is None else self._post_planned(held, plan):
            held.state = "completed"
        else:
            return False
        self.inside.remove(held)
        return True

    def _post_planned(self, held, plan):
        """Post the completion that faults have made of a right one. False while its completion queue is full."""
        path = self.datapath
        head, cqid = path.sq_head(held.sqid)
        size = path.shape(held.sqid)["sq_size"]
        tail = (head + path.waiting(held.sqid)) % size
        while plan.copies and path.post_raw(cqid, *plan.entry(held.sqid, held.cid, held.status, held.dw0, head, tail, size)):
            plan.copies -= 1
        return not plan.copies

    def _run(self, held):
        """Execute a fetched command. Returns its 15-bit status, or Later; sets held.dw0."""
        command = held.command
        try:
            if held.sqid == 0:
                result = self.controller.admin.execute(command)
            else:
                code = self.datapath.execute(held.raw)
                if code is not None:
                    return self._note_error(held, code) if code else 0
                result = self.controller.nvm.execute(command)
        except Failed as failed:
            return self._note_error(held, failed.field, failed.location)
        except Exception as bug:                 # ours, not the host's: it gets a status, and the drive lives on
            self.bug = bug
            return self._note_error(held, status.INTERNAL_ERROR.sc)
        if result is Later:
            return Later
        held.dw0 = result
        return 0

    def _note_error(self, held, code, location=0xFFFF):
        """Put an error that has more to say into the error log. Returns the status, with its More bit set (base 2.0c 3.3.3.2.1)."""
        code |= 1 << 13
        command = held.command
        lba = int(command.cdw10) | int(command.cdw11) << 32 if held.sqid else 0
        self.controller.error_log().add(held.sqid, int(command.cid), code, location, lba, int(command.nsid))
        return code

    # -- in rounds

    def pump(self, blocking=False):
        """Move as far as one poll does: inline mode. Returns how many commands completed.

        While another thread moves the drive, a poll returns 0 at once; a `blocking` call waits up to 10 ms for its turn.
        """
        return self.datapath.pump(self._serve, blocking)

    def service(self):
        """What needs Python: called by the drive's thread with the GIL. Returns how many commands completed."""
        try:
            with self.datapath:
                return self._serve()
        except ControllerTimeout:                # somebody holds it still for long: ask again
            return 0
        except Exception as bug:                 # ours: the thread goes on all the same
            self.bug = bug
            return 0

    def _serve(self):
        """Admin commands, deferred I/O commands, and events; the lock is held. What was begun, by hand too, goes first."""
        path, done = self.datapath, 0
        if self.gone:
            return 0
        path.clear_attention()
        self._note_time()
        while self.inside and any(map(self._can_move, self.inside)):
            self._step()
            done += 1
        for sqid in (0, *path.stalled()):
            for _ in range(64):
                if not path.waiting(sqid) or not path.room(sqid) or self._take_in(sqid) is None:
                    break
                self._step()
                done += 1
                if sqid and not path.defer:
                    break                        # the next may be one that the core executes
        while self._report_event() is not None:
            done += 1
        self._set_alarm()
        return done

    # -- looking in

    def queue_state(self, qid):
        """What the drive believes of queue pair `qid`: sq_head, sq_tail, cq_head, cq_tail, phase; None when it has none."""
        return self.datapath.state(qid)

    def __repr__(self):
        live = [q for q in range(self.datapath.queues + 1) if self.datapath.sq_live(q)]
        return (f"<embedded SSD {self.subsystem.serial!r}, mode {self.mode}, {counted(len(self.subsystem.namespaces), 'namespace')}, "
                f"submission queues {live}, {counted(len(self.inside), 'command')} inside>")
