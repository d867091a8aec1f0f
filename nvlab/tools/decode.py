"""`nvlab decode`: show a binary dump of a structure, a log or the registers, as text or as nvme-cli's JSON."""

import os
import sys

from nvlab.spec import nvmecli
from nvlab.spec.errors import UsageError
from nvlab.tools import identify_text as show

__all__ = ["add_parser", "run"]

_LARGEST = 1 << 24  # a whole BAR or a long error log is far below; a disk image given by mistake is not


def add_parser(subparsers):
    """Add `decode` to an argparse subparsers object."""
    parser = subparsers.add_parser(
        "decode", help="show a binary dump (Identify, a log, registers)", description=__doc__.split(":", 1)[1].strip())
    parser.add_argument("kind", choices=list(nvmecli.KINDS), metavar="KIND", help=", ".join(nvmecli.KINDS))
    parser.add_argument("file", metavar="FILE", help="the dump; - is standard input")
    parser.add_argument("--json", action="store_true", help="nvme-cli's JSON")
    parser.add_argument("--all", action="store_true", help="every member with its offset, as a table")
    parser.add_argument("--device", default="nvme0", metavar="NAME", help="the key of fw-log's JSON (nvme0)")
    parser.add_argument("--id-ns", metavar="FILE", help="for nvm-id-ns: the namespace's id-ns dump")
    parser.set_defaults(run=run)
    return parser


def run(args):
    """Decode as the parsed arguments ask, print, and return 0. Raises UsageError for a file that can't be right."""
    found = _parse(args.kind, args.file)
    id_ns = _parse("id-ns", args.id_ns) if args.id_ns else None
    if args.json:
        print(nvmecli.dumps(nvmecli.to_json(args.kind, found, device=args.device, id_ns=id_ns)))
    elif args.all:
        print("\n\n".join(part.table().text() for part in _parts(found)))
    else:
        sys.stdout.write(show.text(_rows(args.kind, found)))
    return 0


def _parse(kind, path):
    data = _read(path)
    try:
        return nvmecli.parse(kind, data)
    except UsageError as error:
        raise UsageError(f"{path}: not a dump of {kind}: {error}") from None


def _read(path):
    try:
        if path == "-":
            data = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"can't read {path}: {os.strerror(error.errno) if error.errno else error}") from None
    if not data:
        raise UsageError(f"{path} is empty")
    if len(data) > _LARGEST:
        raise UsageError(f"{path} is larger than {_LARGEST >> 20} MiB: that is no dump of one structure")
    return data


def _parts(found):
    if isinstance(found, dict):
        return found.values()
    return found if isinstance(found, list) else [found]


def _rows(kind, found):
    if kind == "id-ctrl":
        about = show.Findings("", id=found)
        return [*show.controller(about), *show.power(about)]
    if kind == "id-ns":
        return show.namespace(None, show.NamespaceFindings(found))
    if kind == "smart-log":
        return show.health(show.Findings("", smart=found))
    if kind == "error-log":
        return show.error_log(show.Findings("", errors=found))
    if kind == "fw-log":
        return show.firmware(show.Findings("", firmware=found))
    if kind == "regs":
        return show.register_rows(show.Findings("", registers=found), found)
    if kind == "ns-descs":
        return [show.Row(entry.type.title if entry.type else f"Descriptor type {entry.nidt}", entry.text)
                for entry in found] or [show.Row("No descriptors")]
    return show.members(found)
