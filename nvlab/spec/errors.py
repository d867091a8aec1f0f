"""What can go wrong, in three families: UsageError, ControllerError, NvmeStatusError; all of them Error.

For each status of the standard there is a subclass of NvmeStatusError named after it, made from the table:
`except errors.LbaOutOfRange`.
"""

from . import status as _status


class Error(Exception):
    """The base of everything that nvlab raises."""


class UsageError(Error, ValueError):
    """A request that can't be right; raised before anything is written to a device."""


class DeviceNotFound(UsageError):
    """The address names nothing that can be reached; the message says what was tried and what to do."""


class QueueBusy(UsageError):
    """The queue pair belongs to another owner just now (a perf loop, a bdev, a target)."""


class RegisterError(UsageError):
    """No such register, one that can't be read or written, or an access that is unaligned or out of bounds."""


class ControllerError(Error):
    """The controller doesn't do what the standard says. `registers` is {name: value} as they stood, or None."""

    def __init__(self, *args, registers=None):
        super().__init__(*args)
        self.registers = registers


class ControllerTimeout(ControllerError, TimeoutError):
    """A deadline passed: CAP.TO, or the command's own."""


class ControllerFatal(ControllerError):
    """CSTS.CFS is set: only a reset helps."""


class ControllerGone(ControllerError):
    """Registers read as all ones, or the process behind them ended: the device isn't there any more."""


class NvmeStatusError(Error):
    """A command completed with an error status.

    `status` is the Status, `hint` what to do about it, `completion` and `command` the two entries (or None).
    """

    def __init__(self, message, status=None, completion=None, command=None):
        super().__init__(message)
        self.status, self.completion, self.command = status, completion, command

    @property
    def hint(self):
        return self.status.hint if self.status else ""

    def __reduce__(self):
        return type(self), (*self.args, self.status, self.completion, self.command)


def _subclass(status):
    doc = f"{status.title}: status code type {status.sct}, status code {status.sc:#x} ({status.cite}). {status.hint}".rstrip()
    return type(status.class_name, (NvmeStatusError,), {"__doc__": doc, "__module__": __name__})


_BY_STATUS = {s: _subclass(s) for s in _status.ALL if not s.ok}
globals().update({cls.__name__: cls for cls in _BY_STATUS.values()})


def status_error(completion, command=None, what=""):
    """The NvmeStatusError that says what `completion` says; to be raised by the caller.

    `what` names what was tried; else `command` does. `completion` is anything with a `.status`, or a Status itself.
    """
    status = getattr(completion, "status", completion)
    label = what or (command.brief() if command is not None else "Command")
    message = f"{label}: {status}." + (f" {status.hint}" if status.hint else "")
    cls = _BY_STATUS.get(status, NvmeStatusError)
    return cls(message, status, None if status is completion else completion, command)
