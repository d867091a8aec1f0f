"""A command on its way: submitted, awaited, completed exactly once."""
from nvlab.spec.errors import status_error


class Request:
    """One submitted command. `completion` is None until it has been seen; `held` keeps its buffers alive until then.

    `cid` is its Command Identifier.
    """

    __slots__ = ("command", "cid", "sq", "completion", "held", "what", "on_done")

    def __init__(self, command, sq, held=(), what=""):
        self.command, self.sq, self.held, self.what = command, sq, held, what
        self.cid = int(command.cid)              # its own: the same Command may be submitted again meanwhile
        self.completion = self.on_done = None

    @property
    def done(self):
        """True once the completion has been seen."""
        return self.completion is not None

    def finish(self, completion):
        """Take the completion; called by the completion queue, which calls on_done once the slot is free."""
        self.completion, self.held = completion, ()

    def wait(self, timeout=None):
        """Block until completed, moving this queue pair along. Returns the Completion.

        Raises NvmeStatusError when the command failed, ControllerTimeout after `timeout` seconds (the controller's default
        when None), ControllerGone when the device vanished.
        """
        self.sq.pair.wait(self, timeout)
        return self.check()

    def check(self):
        """The Completion. Raises NvmeStatusError when it reports an error."""
        if not self.completion.ok:
            raise status_error(self.completion, self.command, self.what)
        return self.completion

    def __repr__(self):
        state = repr(self.completion) if self.done else "outstanding"
        return f"<Request SQ {self.sq.qid} cid {self.cid}: {self.command!r}: {state}>"
