"""`nvlab tour`: what the first notebook does, in the terminal. Every line behind a >>> is what runs.

The tour is a list of acts, each a sentence and some lines of Python. The lines run in one namespace, and what an
expression gives is shown, as at Python's own prompt.
"""
import contextlib
import sys
from typing import NamedTuple

import nvlab
from nvlab.pci.embedded import default_mode
from nvlab.spec.identify import IdentifyController

from . import perf_text
from .common import add_address, address_of, seconds
from .draw import MARKS, ring_text
from .perf import measure

__all__ = ["ACTS", "Act", "add_parser", "run"]

DEPTH = 8
EMBEDDED, ELSEWHERE = "embedded", "elsewhere"


class Act(NamedTuple):
    """What happens (`tells`), the lines of Python that do it, and where it is played: everywhere, or only on some drives.

    The arguments fill {address}, {mode}, {seconds} and {depth} in.
    """

    tells: str
    lines: tuple[str, ...]
    only: str | None = None


ACTS = (
    Act("Find a controller and map it. Nothing is written to it yet.",
        ("ctrl = nvlab.probe({address!r})", "ctrl")),
    Act("This drive lives in this process. From here on it moves only when we say so.",
        ("ctrl.ssd.mode = 'manual'",), EMBEDDED),
    Act("What it can do stands in CAP, which version it speaks in VS.",
        ("ctrl.regs.CAP", "ctrl.regs.VS")),
    Act("Disable it, make the two rings of the admin queue, tell it where they are (AQA, ASQ, ACQ), enable it.",
        ("ctrl.disable(); admin = ctrl.create_admin_queue(depth={depth})", "ctrl.enable()", "rings(admin)")),
    Act("Put an Identify command into the slot at the tail. The drive doesn't know yet.",
        ("buf = ctrl.alloc(4096)", "admin.sq.post(cmd.identify(cns=1, prp1=buf))", "rings(admin)")),
    Act("Ring the doorbell: SQ0TDBL gets the new tail. Now the drive knows.",
        ("admin.sq.ring()", "rings(admin)")),
    Act("Let the drive take one step: fetch the command, execute it, post its completion. The phase bit in CQ 0 flips.",
        ("ctrl.ssd.step()", "rings(admin)"), EMBEDDED),
    Act("The drive works on its own: fetches the command, executes it, posts its completion. The phase bit in CQ 0 flips.",
        ("admin.cq.wait(1.0)", "rings(admin)"), ELSEWHERE),
    Act("Take the completion, and give its slot back with CQ0HDBL.",
        ("admin.cq.poll()", "admin.cq.ring()", "rings(admin)", "ctrl.id = IdentifyController(buf); ctrl.id")),
    Act("I/O needs queues of its own: a completion queue first, then the submission queue that completes to it.",
        ("cq = ctrl.create_io_cq(qid=1, depth={depth}); sq = ctrl.create_io_sq(qid=1, cq=cq)", "ns = ctrl.identify_namespaces()[1]; ns")),
    Act("Write a block, command by command as before.",
        ("out = ctrl.alloc(ns.block_size); out[:12] = list(b'Hello world!')",
         "sq.post(cmd.write(nsid=1, slba=0, nlb=0, prp1=out)); sq.ring()", "rings(ctrl.io[1])")),
    Act("And the drive moves.", ("ctrl.ssd.step()",), EMBEDDED),
    Act("And the drive moves.", ("cq.wait(1.0)",), ELSEWHERE),
    Act("Its answer:", ("cq.poll().status", "cq.ring()", "rings(ctrl.io[1])")),
    Act("Read it back, the short way: the same steps, in one call.",
        ("bytes(ns.read(0, 1))[:12]",)),
    Act("Faster than a host can poll by hand: let the drive move by itself again.",
        ("ctrl.ssd.mode = {mode!r}",), EMBEDDED),
    Act("The same rings at full speed, from a thread without the interpreter's lock.",
        ("perf = nvlab.Perf(ctrl, io_size=ns.block_size, depth=128, workload='read', seconds={seconds})", "measure(perf)")),
    Act("Shut down in order: delete the queues, set CC.SHN, wait for CSTS.SHST.",
        ("ctrl.shutdown(); ctrl.csts",)),
)


def add_parser(subparsers):
    """Add `tour` to an argparse subparsers object."""
    parser = subparsers.add_parser("tour", help="bring a controller up by hand, with its rings drawn in text",
                                   description="Bring a controller up step by step with its rings drawn in text, write and read a "
                                               "block (which replaces LBA 0), then measure: the first notebook, in the terminal.")
    add_address(parser)
    parser.add_argument("-t", "--time", type=seconds, default=3.0, metavar="SECONDS", help="how long to measure (3)")
    parser.add_argument("--pause", action="store_true", help="wait for Enter after each act")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII only")
    parser.set_defaults(run=run)
    return parser


def run(args):
    """Play the tour, return 0."""
    stage = Stage(args)
    try:
        acts = [act for act in ACTS if act.only in (None, stage.place)]
        for number, act in enumerate(acts, 1):
            stage.play(act, f"{number}. ")
            if args.pause and number < len(acts):
                with contextlib.suppress(EOFError):
                    input("-- Enter goes on --")
    finally:
        stage.close()
    return 0


class Stage:
    """Where the acts are played: the names that their lines use, and how their values are shown."""

    def __init__(self, args):
        address = address_of(args)
        self.place = EMBEDDED if address.kind == "embedded" else ELSEWHERE
        self.ascii = args.ascii or not _draws(sys.stdout)
        self.blanks = {"address": str(address), "mode": _moving_mode(address), "seconds": args.time, "depth": DEPTH}
        self.names = {"nvlab": nvlab, "cmd": nvlab.cmd, "IdentifyController": IdentifyController, "rings": self.rings,
                      "measure": show_measure}

    def play(self, act, number=""):
        """Tell an act, run its lines, show what they give."""
        print(f"{number}{act.tells}\n")
        before, sys.displayhook = sys.displayhook, show
        try:
            for line in (text.format(**self.blanks) for text in act.lines):
                print(f">>> {line}")
                exec(compile(line, "<tour>", "single"), self.names)
        finally:
            sys.displayhook = before
        print(flush=True)

    def rings(self, pair):
        """Draw both rings of a queue pair."""
        print(ring_text(pair, self.names["ctrl"].ssd, ascii=self.ascii))

    def close(self):
        """Let go of the controller, however far the tour came."""
        if "ctrl" in self.names:
            self.names["ctrl"].close()


def show(value):
    """What an expression gave: as a notebook shows it where there is no HTML."""
    if value is not None:
        bundle = value._repr_mimebundle_() if hasattr(value, "_repr_mimebundle_") else {}
        print(bundle.get("text/plain", repr(value)))


def show_measure(perf):
    """Run a measurement, with its progress on a terminal, and print its table. Ctrl-C ends it early."""
    print(perf_text.table(measure(perf, say=lambda *words: None)))


def _moving_mode(address):
    """The mode in which an embedded drive moves by itself: its own, or the default where that is manual."""
    mode = address.options.get("mode")
    return default_mode() if mode in (None, "manual") else mode


def _draws(stream):
    """Whether the marks of the rings can be written to `stream`."""
    try:
        MARKS.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
