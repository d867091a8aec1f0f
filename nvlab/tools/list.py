"""`nvlab list`: what can be attached here, and how an address is written."""
import textwrap

from nvlab.pci import KINDS
from nvlab.spec.render import Table

from . import machine

__all__ = ["add_parser", "run", "tables"]

COLUMN = 72


def add_parser(subparsers):
    """Add `list` to an argparse subparsers object."""
    parser = subparsers.add_parser("list", help="show what can be attached here, and the options of addresses",
                                   description="Show what can be attached here: the kinds of address with their options, and "
                                               "the NVMe functions on this machine's PCI bus, which are only looked at.")
    parser.set_defaults(run=run)
    return parser


def run(args):
    """Print the tables, return 0."""
    print("\n\n".join(table.text() for table in tables()))
    return 0


def tables():
    """The tables of `nvlab list`, one after the other."""
    yield kinds_table()
    yield functions_table(machine.nvme_functions())
    for kind in KINDS.values():
        if kind.options:
            yield options_table(kind)


def kinds_table():
    """Every kind of address, and whether it can be opened here."""
    return Table("Addresses", ("Kind", "What", "Here", "Written"),
                 [(kind.name, kind.title, here(kind), kind.form) for kind in KINDS.values()])


def here(kind):
    """In a phrase, whether an address of this kind can be opened on this machine."""
    if kind.opener is None:
        return "not in this version"
    if kind.name != "qemu":
        return "ready"
    version = machine.qemu_version()
    return f"ready: QEMU {version}" if version else f"missing: {machine.installer('qemu')}"


def functions_table(functions):
    """The NVMe functions of this machine."""
    note = "" if functions else "(none)"
    if functions:
        note = "pcie: addresses are not in this version: nvlab leaves these drives alone."
    return Table("NVMe functions on the PCI bus", ("Address", "ID", "Kernel driver", "In use"),
                 [(f.bdf, f.ids, f.driver or "none", "; ".join(f.uses) or "no") for f in functions], note=note)


def options_table(kind):
    """The options of a kind of address."""
    rows = [(option.name, option.default_text, option.doc) for option in kind.options]
    rows += [(f"{prefix}.PROPERTY", "", doc) for prefix, doc in kind.prefixes.items()]
    wrapped = [(*(cells if first else ("", "")), line) for *cells, doc in rows
               for first, line in ((i == 0, text) for i, text in enumerate(textwrap.wrap(doc, COLUMN, break_on_hyphens=False)))]
    return Table(f"Options of {kind.name}  ({kind.form})", ("Key", "Default", "Meaning"), wrapped)
