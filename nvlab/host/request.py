"""A command on its way: submitted, awaited, completed exactly once."""
from nvlab.spec.commands import Completion
from nvlab.spec.errors import ControllerGone, status_error
from nvlab.spec.status import COMMAND_ABORTED_BY_HOST


class Request:
    """One submitted command, which ends exactly once. `completion` is None until then; `held` keeps its buffers alive until then.

    `cid` is its Command Identifier. One that no controller completed, because of a reset or because the device vanished, ends
    with a completion of the driver's own, Command Aborted By Host (or the status that says it better), and `reason` says why.
    `on_done`, called once with the request when it has ended, is best given to submit(): it may end before one can set it.
    """

    __slots__ = ("command", "cid", "sq", "number", "completion", "held", "what", "on_done", "reason", "gone", "__weakref__")

    def __init__(self, command, sq, held=(), what="", on_done=None):
        self.command, self.sq, self.held, self.what, self.on_done = command, sq, held, what, on_done
        self.cid = int(command.cid)              # its own: the same Command may be submitted again meanwhile
        self.number = sq.posted                  # how many entries of the driver's went before it
        self.completion, self.reason, self.gone = None, "", False

    @property
    def done(self):
        """True once it has ended: its completion has been seen, or the driver gave it up."""
        return self.completion is not None

    def finish(self, completion):
        """Take the completion, unless there is one; called by the completion queue, which calls notify() once the slot is free."""
        if self.completion is None:
            self.completion = completion
        self.held = ()

    def give_up(self, reason, gone=False, status=COMMAND_ABORTED_BY_HOST):
        """End without the controller, which can't touch the buffers any more: `reason` says why, `gone` that it vanished."""
        if self.completion is None:
            self.reason, self.gone = reason, gone
            self.finish(Completion.new(status, sqid=self.sq.qid, cid=self.cid, sqhd=self.sq.head))

    def notify(self):
        """Call on_done, the first time."""
        callback, self.on_done = self.on_done, None
        if callback is not None:
            callback(self)

    def wait(self, timeout=None):
        """Block until completed, moving this queue pair along. Returns the Completion.

        Raises NvmeStatusError when the command failed, or was aborted by a reset; ControllerTimeout after `timeout` seconds
        (the controller's default when None) where ctrl.on_timeout is "raise"; ControllerGone when the device vanished.
        """
        self.sq.pair.wait(self, timeout)
        return self.check()

    def abort(self):
        """Ask the controller to abort it (the Abort command). Returns True when it was aborted; it still completes, once."""
        return self.sq.pair.controller.abort(self)

    def check(self):
        """The Completion. Raises NvmeStatusError when it reports an error, ControllerGone when the device vanished first."""
        if self.gone:
            raise ControllerGone(f"{self.what or self.command.brief()}: the controller is gone ({self.reason}); attach again")
        if not self.completion.ok:
            why = f" ({self.reason})" if self.reason else ""
            raise status_error(self.completion, self.command, f"{self.what or self.command.brief()}{why}")
        return self.completion

    def __repr__(self):
        state = f"{self.completion!r}{f', {self.reason}' if self.reason else ''}" if self.done else "outstanding"
        return f"<Request SQ {self.sq.qid} cid {self.cid}: {self.command!r}: {state}>"
