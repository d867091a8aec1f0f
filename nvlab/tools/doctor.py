"""`nvlab doctor`: for each kind of address and for the lab, what is there, what is missing, and the command that provides it."""
import dataclasses
import os
import pathlib
import shutil
import sys

import nvlab
from nvlab.pci import KINDS
from nvlab.spec.errors import Error, UsageError
from nvlab.spec.render import Table

from . import machine
from .lab import find_notebooks, has_browser

__all__ = ["Finding", "add_parser", "run"]

OK, MISSING, FAILED, NOTE = "ok", "MISSING", "FAILED", "-"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing looked at: its `name`, its state, what was `found`, and the command that provides it when it is missing."""

    name: str
    state: str
    found: str
    remedy: str = ""


def add_parser(subparsers):
    """Add `doctor` to an argparse subparsers object."""
    parser = subparsers.add_parser("doctor", help="show what is missing here, and the command that provides it",
                                   description="Try each kind of address and look for what the lab needs. Nothing is installed or changed.")
    parser.set_defaults(run=run)
    return parser


def run(args):
    """Print what was found, return 0."""
    sections = {"this machine": the_machine(), **{kind.name: address(kind) for kind in KINDS.values()},
                "the lab": the_lab(), "the tests": the_tests()}
    print(table(sections).text(), end="\n\n")
    bad = [f for findings in sections.values() for f in findings if f.state in (MISSING, FAILED)]
    remedies = list(dict.fromkeys(f.remedy for f in bad if f.remedy))
    if remedies:
        print("\n".join(["To get what is missing:", *(f"  {remedy}" for remedy in remedies)]))
    elif not bad:
        print("Nothing is missing.")
    return 0


def table(sections):
    """{place: [Finding]} as one table, a blank line between the places."""
    rows = []
    for place, findings in sections.items():
        rows += [("", "", "", "")] if rows else []
        rows += [("" if i else place, f.name, f.state, f.found) for i, f in enumerate(findings)]
    return Table("", ("For", "What", "State", "Found"), rows)


def the_machine():
    """Python and the number of CPUs, which decides how the embedded drive moves."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [Finding("nvlab", OK, f"{nvlab.__version__}, in {pathlib.Path(nvlab.__file__).parent}"),
            Finding("Python", OK, f"{'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})"),
            Finding("CPUs", OK, f"{cpus} usable")]


def address(kind):
    """Open a kind of address, and say what came of it."""
    if kind.opener is None:
        state = [Finding("open", NOTE, "not in this version of nvlab")]
        return state + ([Finding("drives here", NOTE, drives())] if kind.name == "pcie" else [])
    found = []
    if kind.name == "qemu":
        version = machine.qemu_version()
        found.append(Finding("qemu-system-x86_64", OK, f"QEMU {version}") if version else
                     Finding("qemu-system-x86_64", MISSING, "not installed", machine.installer("qemu")))
        if not version:
            return found
    return [*found, opened(kind)]


def opened(kind):
    """Attach to a controller of this kind, with everything as it is by default."""
    try:
        with nvlab.attach(kind.name) as ctrl:
            drive = f", mode {ctrl.ssd.mode}" if ctrl.ssd is not None else ""
            return Finding("attach", OK, f"{ctrl.id.mn}, NVMe {int(ctrl.vs.MJR)}.{int(ctrl.vs.MNR)}, {len(ctrl.namespaces)} namespace{drive}")
    except Error as error:
        return Finding("attach", FAILED, str(error))


def drives():
    """The NVMe functions on the PCI bus, in a phrase."""
    return ", ".join(f"{f.bdf} ({f.driver or 'no driver'})" for f in machine.nvme_functions()) or "none on the PCI bus"


def the_lab():
    """JupyterLab, the widgets, the notebooks, and a browser to open them with."""
    return [*packages("lab"), notebooks(), browser()]


def the_tests():
    """What the test command needs beyond the lab."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    chromium = Finding("chromium", OK, program) if program else \
        Finding("chromium", MISSING, "not installed; browser tests need it", machine.installer("chromium"))
    return [*packages("test"), chromium]


def packages(extra):
    """The packages that an extra of nvlab requires."""
    for name, specifier in machine.requirements(extra):
        version = machine.package_version(name)
        if version is not None and machine.satisfied(version, specifier):
            yield Finding(name, OK, version)
        else:
            yield Finding(name, MISSING, f"{version or 'not installed'}, wanted {specifier}", machine.pip(extra))


def notebooks():
    """Where the course is."""
    try:
        return Finding("notebooks", OK, str(find_notebooks()[1]))
    except UsageError as error:
        return Finding("notebooks", FAILED, str(error))


def browser():
    """Whether `nvlab lab` can open a browser; if not it prints its URL, and nothing is missing."""
    if has_browser():
        return Finding("browser", OK, "nvlab lab opens it")
    return Finding("browser", NOTE, "none with a window here: nvlab lab prints its URL, to be opened where there is one")
