"""The `nvlab` command: finds the subcommand, runs it, and turns whatever ends it into a message and an exit code."""
import argparse
import importlib
import os
import sys

from nvlab import __version__
from nvlab.spec.errors import Error, UsageError

from .machine import pip

__all__ = ["COMMANDS", "main"]

COMMANDS = ("hello", "identify", "perf", "tour", "decode", "trace", "debug", "list", "doctor", "lab", "explore", "notebooks")
"""Modules of nvlab.tools, one a subcommand, in the order of --help: add_parser(subparsers), run(args) -> exit code."""

OK, FAILED, USAGE = 0, 1, 2
INTERRUPTED, BROKEN_PIPE = 130, 141          # 128 + the signal, as shells report it


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints are UsageErrors: one message, told in one place."""

    def error(self, message):
        """Raise UsageError. (argparse would print its usage and exit.)"""
        raise UsageError(f"{message}\nTry: {self.prog} --help")


def build_parser():
    """The parser of the whole command line."""
    parser = Parser(prog="nvlab", description="An NVMe laboratory: drive a real userspace NVMe driver, step by step or at full speed.",
                    epilog="An ADDRESS says where a controller is: embedded (the default), qemu, or either with options "
                           "(qemu:size=256M,block=4096). `nvlab list` shows them all.")
    parser.add_argument("--version", action="version", version=f"nvlab {__version__}")
    parser.add_argument("--debug", action="store_true", help="show a traceback with an error")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name in COMMANDS:
        command = importlib.import_module(f"nvlab.tools.{name}").add_parser(subparsers)
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show a traceback with an error")
    return parser


def main(argv=None):
    """Run `nvlab ARGV` (sys.argv's when None). Returns the exit code.

    0 done, 1 the device or the command failed, 2 the request was wrong, 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if (stream.encoding or "").lower() not in ("utf-8", "utf8") and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")     # a question mark for an arrow is better than no output
    try:
        parser = build_parser()
        if not argv:
            parser.print_help()
            return USAGE
        args = parser.parse_args(argv)
        code = args.run(args)
        sys.stdout.flush()                       # a closed pipe shows here, and not in the interpreter's last breath
        return code
    except SystemExit as done:                   # --help, --version
        return done.code or OK
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if "--debug" in argv:
            raise
        return _failed(error)


def _failed(error):
    """Tell in one message what went wrong. Returns the exit code."""
    if isinstance(error, Error):
        return _say(error, USAGE if isinstance(error, UsageError) else FAILED)
    if isinstance(error, OSError):
        return _say(error, FAILED)
    if isinstance(error, ImportError) and (error.name or "").startswith("nvlab._core"):
        return _say(f"its compiled part isn't built for this Python ({error}): {pip('')}", FAILED)
    return _say(f"a mistake in nvlab itself: {type(error).__name__}: {error}\n--debug shows where", FAILED)


def _say(message, code):
    print(f"nvlab: {message}", file=sys.stderr)
    return code
