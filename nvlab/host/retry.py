"""Sending a command again that failed and may succeed: by its status, DNR and CRD (base 2.0c 3.3.3.2.1)."""
import time

import numpy as np

from nvlab.spec import status
from nvlab.spec.commands import NVM, cmd
from nvlab.spec.errors import NvmeStatusError, UsageError, status_error

RETRIES = 5
"""How often a command is sent again, unless told otherwise: as often as Linux does (nvme_core.max_retries)."""

HOST_BEHAVIOR = 0x16
HOST_BEHAVIOR_BYTES = 512
CRDT_UNIT = 0.1

MAY_SUCCEED = frozenset(s.field for s in (
    status.INTERNAL_ERROR, status.COMMAND_INTERRUPTED, status.TRANSIENT_TRANSPORT_ERROR, status.NAMESPACE_NOT_READY,
    status.FORMAT_IN_PROGRESS, status.WRITE_FAULT, status.UNRECOVERED_READ_ERROR, status.INTERNAL_PATH_ERROR,
    status.ASYMMETRIC_ACCESS_TRANSITION, status.CONTROLLER_PATHING_ERROR, status.HOST_PATHING_ERROR))
"""Statuses that pass without anything being done about them. What the host itself gave up (a reset, an Abort) is not among them."""

REPEATABLE = frozenset(f.opcode for f in NVM.values() if f.name in (
    "Flush", "Write", "Read", "Write Uncorrectable", "Compare", "Write Zeroes", "Dataset Management", "Verify"))
"""I/O commands that, executed twice, leave what they leave executed once."""


def may_succeed(completion):
    """True when the same command, sent again, may succeed: DNR is 0, and the status is one that passes."""
    return not completion.ok and not completion.dnr and completion.status.field in MAY_SUCCEED


class RetryMixin:
    """How a Controller repeats commands. `retries` is how often at most, `retried` how many were sent again so far."""

    def _begin_retry(self):
        """What retrying needs to remember; set once."""
        self.retries, self.retried, self._delays = RETRIES, 0, False

    def configure_host_behavior(self):
        """Host Behavior Support (feature 16h): let the controller say how long to wait before a retry, if it has such times."""
        self.function.mark("configure host behavior")
        self._delays = False
        if self.id is None or not any(int(delay) for delay in (self.id.crdt1, self.id.crdt2, self.id.crdt3)):
            return False
        data = self.alloc(HOST_BEHAVIOR_BYTES)
        data[0] = 1                              # ACRE: Advanced Command Retry Enable
        try:
            self.admin_queue().execute(cmd.set_features(fid=HOST_BEHAVIOR, prp1=data), (data,), "Set Features 16h")
        except NvmeStatusError:                  # it has the times and not the feature: it never uses them
            return False
        self._delays = True
        return True

    def retry_delay(self, completion):
        """Seconds that the controller wants to pass before a retry (CRD, in units of 100 ms by CRDT1 to CRDT3); 0 for none."""
        crd = int(completion.crd)
        return int(getattr(self.id, f"crdt{crd}")) * CRDT_UNIT if crd and self._delays and self.id is not None else 0.0

    def settle(self, request, held=(), timeout=None, retries=None):
        """Wait for a request; send its command again while that may help. Returns the Completion.

        `held` are the buffers of the command, `retries` how often at most (None: ctrl.retries). Raises as request.wait() does,
        when a command was sent more than once with how many times. A delay longer than ctrl.timeout is not waited for.
        """
        most, tries = self._most(retries), 1
        while True:
            try:
                return request.wait(timeout)
            except NvmeStatusError as error:
                completion = request.completion
                delay = self.retry_delay(completion)
                if request.reason or not may_succeed(completion) or tries > most or delay > self.timeout:
                    if tries == 1 and delay <= self.timeout:
                        raise
                    note = f"tried {tries} times" if tries > 1 else f"the controller wants {delay:g} s to pass before it is sent again"
                    raise status_error(completion, request.command, f"{request.what or request.command.brief()} ({note})") from error
            time.sleep(delay)
            tries += 1
            self.retried += 1
            request = request.sq.pair.submit(request.command, held, request.what)

    def _most(self, retries):
        most = self.retries if retries is None else retries
        if isinstance(most, bool) or not isinstance(most, (int, np.integer)) or most < 0:
            raise UsageError(f"retries={most!r}: how often a command may be sent again, 0 or more")
        return most
