"""What can go wrong, in three families: UsageError, ControllerError, NvmeStatusError; all of them Error."""


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
