"""`nvlab trace`: run another command and tell what it did to its controller; or read a recording that was saved."""
import argparse
import os
import sys

from nvlab import pci
from nvlab.spec.errors import UsageError
from nvlab.trace import Recording, Trace, diff, load

from .common import DEFAULT, size, whole

__all__ = ["add_parser", "run"]

LAST = 100
"""Events that are printed unless --last says otherwise."""

NOT_THESE = ("debug", "trace")


def add_parser(subparsers):
    """Add `trace` to an argparse subparsers object."""
    parser = subparsers.add_parser(
        "trace", parents=[options()], help="run another command and tell each access, entry and transfer",
        usage="nvlab trace [options] [ADDRESS] -- COMMAND …\n       nvlab trace [options] FILE",
        description="Run a device command (hello-world, perf, identify, …) and record what host and drive do: register accesses, "
                    "doorbells, submission and completion entries, transfers. The last ones are printed when it has ended. "
                    "Or print a recording that --save wrote.")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="[ADDRESS] -- COMMAND … | FILE",
                        help="where the controller is, and the command with its options, without an address")
    parser.set_defaults(run=run)
    return parser


def options():
    """The options, as a parser of their own: they may stand before the address and after it."""
    parser = argparse.ArgumentParser(add_help=False)
    add = parser.add_argument
    add("--save", metavar="FILE", help="keep the recording in a file; `nvlab trace FILE` prints it later, without the device")
    add("--perfetto", metavar="FILE", help="write a timeline that ui.perfetto.dev opens (Trace Event JSON)")
    add("--diff", metavar="FILE", help="compare with a recording that was saved: what its host did, and this one didn't")
    add("--kind", action="append", type=_words, metavar="KIND", help="only these: register, doorbell, command, completion, dma, …")
    add("--qid", action="append", type=whole, metavar="N", help="only this queue")
    add("--cid", action="append", type=whole, metavar="N", help="only commands of this identifier")
    add("--opcode", action="append", type=_opcode, metavar="NAME", help="only commands of this name or opcode: read, 0x06")
    add("--side", choices=("host", "drive"), help="only what this side did")
    add("--last", type=whole, default=LAST, metavar="N", help=f"print the last N events ({LAST}); 0: none, -1: all")
    add("--memory", type=size, metavar="SIZE", help="bytes for the events of each writer, the newest are kept (6M)")
    return parser


def _words(text):
    return text.split(",")


def _opcode(text):
    try:
        return int(text, 0)
    except ValueError:
        return text


def run(args):
    """Trace as the arguments ask. Returns the exit code of the command that was run, 0 for a file."""
    command = take_apart(args)
    check_filters(args)
    if command is None:
        tell(load(args.place), args)
        return 0
    recorder = Recorder(args.memory)
    try:
        return recorder.run(command)
    finally:
        if recorder.trace is not None:
            sys.stdout.flush()
            tell(recorder.trace.stop(), args)


def take_apart(args):
    """What to run, as parsed arguments with their own `run`, or None when args.place is a file. Raises UsageError."""
    from .main import Parser, build_parser
    whole_line = build_parser()
    commands = next(action.choices for action in whole_line._actions if isinstance(action.choices, dict))
    mine, theirs = split(args.words, commands)
    inner = Parser(prog="nvlab trace", parents=[options()], add_help=False)
    inner.add_argument("place", nargs="?")
    inner.parse_args(mine, args)
    known = [name for name, parser in commands.items()
             if name not in NOT_THESE and any(action.dest == "transport" for action in parser._actions)]
    if not theirs and args.place and os.path.exists(args.place):
        return None
    if not theirs or theirs[0] not in known:
        said = f"{theirs[0]} is no command that drives a controller" if theirs else "a file that is there, or a command to run"
        if not theirs and args.place:
            said = f"{args.place} is no file; to trace a controller, say what to run"
        raise UsageError(f"{said}: nvlab trace {args.place or DEFAULT} -- {known[0]}; or {', '.join(known[1:])}")
    return whole_line.parse_args([theirs[0], "-r", args.place or DEFAULT, *theirs[1:]])


def split(words, commands):
    """(what is ours, the command to run): they are parted by --, or by the command's name where that was left out."""
    if "--" in words:
        at = words.index("--")
        return words[:at], words[at + 1:]
    at = next((n for n, word in enumerate(words) if word in commands), len(words))
    return words[:at], words[at:]


class Recorder:
    """Runs a command and records the first controller that it opens."""

    def __init__(self, memory=None):
        self.memory, self.trace = memory, None

    def run(self, args):
        """Run parsed arguments. Returns the exit code."""
        pci.WATCHERS.append(self._opened)
        try:
            return args.run(args)
        finally:
            pci.WATCHERS.remove(self._opened)

    def _opened(self, function):
        if self.trace is None:
            self.trace = Trace(function).start(self.memory)


def filters(args):
    """What the arguments select, as keywords of Recording.select()."""
    kinds = [kind for words in args.kind or [] for kind in words]
    given = {"kind": kinds, "qid": args.qid, "cid": args.cid, "opcode": args.opcode, "side": args.side}
    return {name: value for name, value in given.items() if value}


def check_filters(args):
    """Raise UsageError for a filter that can't be right: before anything runs."""
    Recording.merge([]).select(**filters(args))


def tell(recording, args):
    """Print and write what the arguments ask for."""
    if args.save:
        recording.save(args.save)
    if args.perfetto:
        recording.to_perfetto(args.perfetto)
    if args.diff:
        print(diff(recording, load(args.diff)).text())
        return
    chosen = recording.select(**filters(args)) if filters(args) else recording
    if args.last:
        print(chosen.text(None if args.last < 0 else args.last))
    left = f"; the last {args.last:,} are above, --last -1 prints all" if 0 < args.last < len(chosen) else ""
    print(f"{chosen.title}{f' of {len(recording):,}' if chosen is not recording else ''}{left}", file=sys.stderr)
