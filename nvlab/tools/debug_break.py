"""How a breakpoint is asked for in words: WHAT [on COMMAND] [queue N] [= VALUE] [if CONDITION]."""
import contextlib
import re

from nvlab.spec.errors import UsageError
from nvlab.trace.breakpoints import find_register
from nvlab.trace.decode import opcodes_of

__all__ = ["number", "set_breakpoint"]

VALUE, QUEUE, COMMAND = r"\s*==?\s*(\S+)\s*$", r"\s+queue\s+(\S+)\s*$", r"\s+on\s+(.+?)\s*$"
LIKE_A_REGISTER = re.compile(r"0x[0-9a-fA-F]+|[SC]Q\d+\w*")


def set_breakpoint(debugger, text, temporary=False, access=None):
    """The Breakpoint that `text` asks for, made. Raises UsageError for what can't be, or isn't understood."""
    what, _, condition = (f"{text} ").partition(" if ")
    how = {"temporary": temporary, "condition": condition.strip() or None}
    what, value = _split(what, VALUE)
    what, queue = _split(what, QUEUE)
    what, opcode = _split(what, COMMAND)
    what, opcode = what.strip(), opcode and _opcode(opcode)
    if not what:
        raise UsageError("break needs to know where: break SQ0TDBL, break CC if CC.EN, break Identify; help break tells more")
    register = _register(debugger.ctrl, what)
    if register is None:
        if value is not None or access is not None:
            raise UsageError(f"{what!r} is no register; only those have values, reads and writes")
        return _on_event(debugger, what, opcode, {"queue": None if queue is None else number(queue), **how})
    if queue is not None:
        raise UsageError(f"{register.name} is one register: queue {queue} means nothing there; a doorbell's name has its queue")
    return debugger.break_at(register, None if value is None else number(value), access=access, opcode=opcode, **how)


def _on_event(debugger, what, opcode, how):
    if what.startswith("opcode "):
        return debugger.break_on(opcode=_opcode(what[7:].strip()), **how)
    if _is_command(what):
        return debugger.break_on(opcode=what, **how)
    try:
        return debugger.break_on(what, opcode=opcode, **how)
    except UsageError as error:
        if "condition" in str(error) or "opcode" in str(error):
            raise
        raise UsageError(f"can't break at {what!r}: it is a register (CC, SQ0TDBL, 0x14), a command (Identify), or one of "
                         "error, completion, command, doorbell, register read, register write, event, step") from None


def _is_command(what):
    with contextlib.suppress(UsageError):
        return bool(opcodes_of(what))


def _split(text, pattern):
    """(what is before the end that fits, what it names); (text, None) when the end doesn't fit."""
    found = re.search(pattern, text)
    return (text[:found.start()], found[1]) if found else (text, None)


def _register(ctrl, what):
    """The Register called `what`, or None; raises UsageError for what looks like one and isn't."""
    asked = number(what) if what[:1].isdigit() else what
    try:
        return find_register(asked, int(ctrl.cap.DSTRD) if ctrl is not None else 0)
    except UsageError:
        if LIKE_A_REGISTER.fullmatch(what):
            raise
    return None


def _opcode(text):
    """An opcode as break_on() takes it: a number, or a name."""
    return number(text) if text[:1].isdigit() else text


def number(text):
    """A whole number, decimal or with 0x. Raises UsageError."""
    try:
        return int(str(text), 0)
    except ValueError:
        raise UsageError(f"{text!r} is no number") from None
