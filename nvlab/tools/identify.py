"""`nvlab identify`: what a controller says of itself, as text or as nvme-cli's JSON."""
import contextlib
import sys

import nvlab
from nvlab.spec import nvmecli
from nvlab.spec.errors import NvmeStatusError, UsageError
from nvlab.spec.identify import IdentifyControllerNvm, IdentifyNamespaceNvm

from .common import add_address, address_of, whole
from .findings import Findings, NamespaceFindings, to_json
from .identify_text import report

__all__ = ["add_parser", "collect", "run"]

FEATURES = (0x01, 0x02, 0x04, 0x07)          # Arbitration, Power Management, Temperature Threshold, Number of Queues
EVERYTHING = "all"
PER_NAMESPACE = ("id-ns", "ns-descs", "nvm-id-ns")


def add_parser(subparsers):
    """Add `identify` to an argparse subparsers object."""
    kinds = ", ".join(nvmecli.KINDS)
    parser = subparsers.add_parser(
        "identify", help="show what a controller says of itself",
        description="Show a controller's capabilities, logs, features and namespaces, in SPDK's sections.",
        epilog="--json alone prints one object with a key for each command of nvme-cli (id-ctrl, smart-log, …) whose value is "
               "what that command prints with -o json; id-ns, ns-descs and nvm-id-ns hold one such value a namespace, keyed by "
               "its identifier. --json KIND prints exactly what nvme-cli does for that one.")
    add_address(parser)
    parser.add_argument("-n", "--nsid", type=whole, metavar="NSID", help="only this namespace (all; with --json id-ns the first)")
    parser.add_argument("--json", nargs="?", const=EVERYTHING, metavar="KIND", help=f"nvme-cli's JSON; KIND is one of {kinds}")
    parser.add_argument("--device", default="nvme0", metavar="NAME", help="the key of fw-log's JSON (nvme0)")
    parser.set_defaults(run=run)
    return parser


def run(args):
    """Identify, print, return 0. Raises UsageError for a namespace that isn't there."""
    kind = which(args)
    with nvlab.attach(address_of(args)) as ctrl:
        found = collect(ctrl, args.nsid)
    if kind is None:
        sys.stdout.write(report(found))
    else:
        print(nvmecli.dumps(pick(to_json(found, device=args.device), kind)))
    return 0


def which(args):
    """The kind of JSON asked for, EVERYTHING, or None for text. In `--json qemu` the word is the address."""
    if args.json is None or args.json == EVERYTHING or args.json in nvmecli.KINDS:
        return args.json
    if args.address is None and args.transport is None:
        args.address = args.json
        return EVERYTHING
    raise UsageError(f"--json {args.json}: it is one of {', '.join(nvmecli.KINDS)}, or --json alone for all of them")


def pick(shown, kind):
    """The part of to_json()'s object that was asked for."""
    if kind == EVERYTHING:
        return shown
    if kind not in shown:
        raise UsageError(f"--json {kind}: this controller doesn't have it; it has {', '.join(k for k in shown if k in nvmecli.KINDS)}")
    return next(iter(shown[kind].values())) if kind in PER_NAMESPACE else shown[kind]


def collect(ctrl, nsid=None):
    """Ask a controller that is ready for everything that `identify` shows. Returns Findings.

    What the controller refuses stays None. `nsid` limits it to one namespace; UsageError when that isn't active.
    """
    if nsid is not None and nsid not in ctrl.namespaces:
        raise UsageError(f"namespace {nsid}: the controller has {', '.join(map(str, ctrl.namespaces)) or 'none'}")
    about = ctrl.id
    return Findings(
        ctrl.address, ctrl.regs.snapshot(), about,
        id_nvm=optional(lambda: IdentifyControllerNvm(ctrl.identify_data(6))),
        smart=optional(ctrl.smart_log), errors=optional(ctrl.error_log), firmware=optional(ctrl.firmware_log),
        effects=optional(ctrl.commands_log) if about.lpa.EFFECTS else None,
        features={fid: dw0 for fid in FEATURES if (dw0 := optional(lambda fid=fid: ctrl.get_feature(fid))) is not None},
        namespaces={n: namespace(ctrl, n) for n in ([nsid] if nsid is not None else ctrl.namespaces)},
        queues=ctrl.queue_limit)


def namespace(ctrl, nsid):
    """NamespaceFindings of one namespace."""
    return NamespaceFindings(
        ctrl.namespaces[nsid].id, optional(lambda: ctrl.namespace_descriptors(nsid)),
        optional(lambda: IdentifyNamespaceNvm(ctrl.identify_data(5, nsid))))


def optional(ask):
    """What `ask()` returns; None when the controller refuses, as it may what is optional."""
    with contextlib.suppress(NvmeStatusError):
        return ask()
