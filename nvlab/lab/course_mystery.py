"""A program with a secret, for the exercise on the debugger: one of its five chores does what it shouldn't.

Which one is decided anew in each session. Reading this file doesn't tell; a breakpoint does.
"""
import secrets

__all__ = ["culprit", "housekeeping"]

BLOCKS = 8
"""Each chore keeps its notes in blocks of its own, from this one on."""


def _store(ctrl, lba):
    """Write the same line of notes for everybody: it tells nothing."""
    ctrl.namespaces[1].write(lba, b"all chores done")


def rotate_logs(ctrl, place):
    """Begin a new log."""
    _store(ctrl, place)


def save_statistics(ctrl, place):
    """Count blocks."""
    ctrl.smart_log()
    _store(ctrl, place)


def update_clock(ctrl, place):
    """Note the time."""
    _store(ctrl, place)


def check_licence(ctrl, place):
    """Note that all is well."""
    _store(ctrl, place)


def warm_cache(ctrl, place):
    """Read a little, and note it."""
    ctrl.namespaces[1].read(place, 1)
    _store(ctrl, place)


_CHORES = (rotate_logs, save_statistics, update_clock, check_licence, warm_cache)
_guilty = secrets.choice(_CHORES)


def housekeeping(ctrl):
    """Do all chores, in an order that nobody knows. Each should keep to blocks 8 and up."""
    for chore in secrets.SystemRandom().sample(_CHORES, len(_CHORES)):
        chore(ctrl, 0 if chore is _guilty else BLOCKS + _CHORES.index(chore))


def culprit(report, name):
    """08: who wrote block 0?"""
    hint = "Break before a Write of LBA 0, run housekeeping in the debugger, and read the back-trace from the inside out."
    if name is None or name is Ellipsis:
        report.wrong("nobody is accused yet", hint)
    name = getattr(name, "function", getattr(name, "__name__", name))        # a frame, or the function itself, will do
    names = [chore.__name__ for chore in _CHORES]
    if name not in names:
        others = {_store.__name__: "All five write through it. Who called it? One frame further out.",
                  housekeeping.__name__: "It calls all five. Which of them, at that moment? One frame further in."}
        report.wrong(f"{name!r} is none of the chores", others.get(str(name), f"They are {', '.join(names)}."))
    report.expect(name == _guilty.__name__, f"{name} wrote block 0",
                  f"it wasn't {name}: that one keeps to block {BLOCKS + names.index(name)}",
                  'Stop only where the command is a Write and its slba is 0: break_on() has an opcode and a condition.')
