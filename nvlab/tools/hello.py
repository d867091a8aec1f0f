"""`nvlab hello-world`: attach, list the namespaces, write, read back, compare, print."""
import nvlab
from nvlab.spec.errors import Error

from .common import add_address, address_of

__all__ = ["add_parser", "run"]

GREETING = b"Hello world!"


def add_parser(subparsers):
    """Add `hello-world` to an argparse subparsers object."""
    parser = subparsers.add_parser("hello-world", help="write to each namespace, read back, compare, print",
                                   description="Write a greeting to LBA 0 of each namespace (which replaces what is there), "
                                               "read it back, compare and print it; in the order of SPDK's hello_world.")
    add_address(parser)
    parser.set_defaults(run=run)
    return parser


def run(args):
    """Greet each namespace. Returns 0; raises Error when what was read differs."""
    address = address_of(args)
    print("Initializing NVMe Controllers")
    print(f"Attaching to {address}")
    with nvlab.attach(address) as ctrl:
        print(f"Attached to {address} ({ctrl.id.mn}, serial {ctrl.id.sn})")
        for nsid, ns in ctrl.namespaces.items():
            print(f"  Namespace ID: {nsid} size: {ns.summary}")
        print("Initialization complete.")
        for ns in ctrl.namespaces.values():
            greet(ctrl, ns)
    return 0


def greet(ctrl, ns):
    """Write the greeting to block 0 of a namespace, read it into another buffer, compare, print. Raises Error."""
    pair = ctrl.io_queue()
    written = ctrl.alloc(ns.block_size)
    written[:len(GREETING)] = list(GREETING)
    print(f"Namespace {ns.nsid}: writing {len(GREETING)} bytes to LBA 0 through I/O queue pair {pair.qid}")
    ns.write(0, written)
    read = bytes(ns.read(0, 1))
    if read != bytes(written):
        raise Error(f"namespace {ns.nsid}: LBA 0 reads {read[:len(GREETING)]!r}…, not what was written")
    print(f"Namespace {ns.nsid}: {read.rstrip(bytes(1)).decode()}")
