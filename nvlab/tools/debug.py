"""`nvlab debug`: run any device command under a debugger, with gdb's words."""
import argparse
import sys

from nvlab.spec.errors import UsageError
from nvlab.trace.debug import Debugger

from .common import DEFAULT
from .debug_prompt import Prompt

__all__ = ["add_parser", "run"]

NOT_THESE = ("debug", "trace")
WAIT = 0.05
"""Seconds that the debugger itself waits for a stop; the prompt goes on waiting, and minds Ctrl-C."""


class _Script(argparse.Action):
    """-x FILE and -ex COMMAND, kept in the order in which they were given."""

    def __call__(self, parser, namespace, value, option=None):
        namespace.script = [*(namespace.script or []), (option.lstrip("-"), value)]


def add_parser(subparsers):
    """Add `debug` to an argparse subparsers object."""
    parser = subparsers.add_parser(
        "debug", help="stop a command before any register or doorbell access and look around",
        usage="nvlab debug [-x FILE] [-ex COMMAND] [-batch] [ADDRESS] -- COMMAND …",
        description="Run a device command (hello-world, identify, …) under a debugger that stops it before what it does to the "
                    "controller: break SQ0TDBL, run, bt, info rings, continue. `help` at its prompt lists all words. Commands "
                    "are read from standard input; they are echoed where that is no terminal.")
    parser.add_argument("-x", dest="script", action=_Script, metavar="FILE", help="take the debugger's commands from a file first")
    parser.add_argument("-ex", dest="script", action=_Script, metavar="COMMAND", help="a command of the debugger's, before the prompt")
    parser.add_argument("-batch", action="store_true", help="leave after those, without a prompt")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="[ADDRESS] -- COMMAND …",
                        help="where the controller is, and the command with its options, without an address")
    parser.set_defaults(run=run)
    return parser


def run(args):
    """Debug as the arguments ask. Returns 0."""
    argv = program(args.words)
    lines = script(args.script or [])
    prompt = Prompt(Debugger(timeout=WAIT), argv, interactive=sys.stdin.isatty())
    try:
        if prompt.script(lines) and not args.batch:
            prompt.loop(sys.stdin)
    finally:
        prompt.close()
    return 0


def program(words):
    """What to run, as `nvlab`'s own arguments: ["hello-world", "-r", "embedded"]. Raises UsageError for no device command."""
    from .main import build_parser
    parser = build_parser()
    commands = next(action.choices for action in parser._actions if isinstance(action.choices, dict))
    known = [name for name, command in commands.items() if name not in NOT_THESE
             and any(action.dest == "transport" for action in command._actions)]
    words = [word for at, word in enumerate(words) if word != "--" or "--" in words[:at]]
    address = None if words[:1] and words[0] in commands else words[0] if words else None
    command = words[0 if address is None else 1:]
    if not command or command[0] not in known:
        said = f"{command[0]} is no command that" if command else "say which command"
        raise UsageError(f"{said} drives a controller: nvlab debug {address or DEFAULT} -- {known[0]}; or {', '.join(known[1:])}")
    argv = [command[0], "-r", address or DEFAULT, *command[1:]]
    parser.parse_args(argv)                      # what is wrong with it is said now, and not in the middle
    return argv


def script(given):
    """The lines that -x and -ex give. Raises UsageError for a file that can't be read."""
    lines = []
    for option, value in given:
        if option == "ex":
            lines.append(value)
            continue
        try:
            with open(value, encoding="utf-8") as file:
                lines += [line for line in file.read().splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"can't read {value}: {getattr(error, 'strerror', None) or error}") from None
    return lines
