"""What happens to a drive besides commands that come and go: events, Aborts, deletions, time, standing still, being gone."""
from nvlab._core.trace import now
from nvlab.spec import status
from nvlab.spec.commands import cmd
from nvlab.spec.errors import UsageError

from .inflight import InFlight

RETRY_NS = 1_000_000
"""How long until a completion is tried again that found its queue full."""


class Mishaps:
    """The part of Ssd that reaches into the commands it holds. Methods that begin with _ expect its lock to be held."""

    # -- events, Abort, and what a reset or a deletion takes along

    def _report_event(self):
        """Complete an Asynchronous Event Request if there is news for it. Returns what was completed, or None."""
        if self.gone:
            return None
        self.controller.note_doorbells()
        found = self.controller.events.take() if self.controller.running and self.datapath.room(0) else None
        if found is None:
            return None
        cid, dw0 = found
        self._conclude(self._event_request(cid), 0, dw0)
        return f"<asynchronous event {dw0:#x} reported with cid {cid}>"

    def _event_request(self, cid):
        """The Asynchronous Event Request that waits with identifier `cid`; of two with one identifier, the older anew."""
        return self.waiting.pop(cid, None) or InFlight(0, bytes(cmd.async_event_request(cid=cid)), True)

    def _conclude(self, held, code, dw0=0):
        """Complete a command that is in none of the lists, before what is inside."""
        held.state, held.status, held.dw0 = "executed", code, dw0
        self.inside.appendleft(held)
        self._finish(held)

    def _abort(self, sqid, cid):
        """End a command that waits inside, before the Abort completes (base 2.0c 5.1). Returns False when there is none."""
        held = self.held_back.take(sqid, cid)
        if held is None and sqid == 0 and self.controller.events.cancel(cid):
            held = self._event_request(cid)
        if held is None:                         # by hand, a command can be fetched and not yet executed
            held = next((h for h in self.inside if (h.sqid, h.cid, h.state) == (sqid, cid, "fetched") and h is not self._running), None)
            if held is None:
                return False
            self.inside.remove(held)
        held.plan = None
        self._conclude(held, status.COMMAND_ABORT_REQUESTED.field)
        return True

    def _sq_deleted(self, sqid):
        """A submission queue is gone, and its commands with it: one that is created anew must not get their completions."""
        self.held_back.forget(sqid)
        for held in self.inside:
            held.orphan = held.orphan or held.sqid == sqid

    # -- standing still, and being gone

    def fail(self, note=lambda: None):
        """Set CSTS.CFS and stand still until a controller reset. `note()` is called first. Raises UsageError while disabled."""
        with self.datapath:
            if not self.controller.running:
                why = self.gone or f"CSTS is {self.controller.csts!r}"
                raise UsageError(f"a fatal status: the controller isn't running ({why}); enable it first, or say by keywords "
                                 "at which command to fail")
            note()
            self._fail()

    def _fail(self):
        self._forget()
        self.controller.fail()

    def vanish(self, note=lambda: None):
        """Be gone: registers read all ones, writes are lost, nothing moves. `note()` is called first."""
        with self.datapath:
            if not self.gone:
                note()
                self._vanish()

    def _vanish(self):
        self._forget()
        self.controller.power_off()
        self.gone = "the embedded drive vanished (fault)"

    def come_back(self, note=lambda: None):
        """After vanish(): powered on anew, with its namespaces as they were. `note()` is called first."""
        with self.datapath:
            note()
            self.controller.power_on()
            self.gone = None

    def release_held(self):
        """Completions that are held back are due now. Returns how many."""
        with self.datapath:
            count = self.held_back.release()
            self._set_alarm()
            return count

    def _note_time(self):
        """Do what has become due: late completions, a controller that is slow to become ready."""
        self.controller.note_time()
        for held in self.held_back.due():
            held.state = "executed"
            self.inside.append(held)
        self._set_alarm()

    def _set_alarm(self):
        """Have the core call Python when something becomes due, or might again have room."""
        times = [when for when in (self.held_back.next, self.controller.ready_at) if when is not None]
        if self.inside and self.mode != "manual":
            times.append(now() + RETRY_NS)
        self.datapath.alarm = min(times) + 1 if times else 0
