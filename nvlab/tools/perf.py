"""`nvlab perf`: keep a depth of I/Os in flight and measure, with the flags and the tables of SPDK's perf."""
import contextlib
import json
import signal
import sys
import threading

import nvlab
from nvlab.host.perf import WORKLOADS

from . import perf_text
from .common import add_address, address_of, core_mask, seconds, size, whole

__all__ = ["add_parser", "measure", "run"]

MIXED = ("rw", "randrw")
DEFAULT_SECONDS = 10.0


def add_parser(subparsers):
    """Add `perf` to an argparse subparsers object."""
    parser = subparsers.add_parser("perf", help="measure IOPS, throughput and latency",
                                   description="Measure a controller. Writing workloads and --verify replace what is on it. "
                                               "Ctrl-C ends early, with the result so far.")
    add_address(parser)
    add = parser.add_argument
    add("-q", "--io-depth", type=whole, default=128, metavar="DEPTH", help="I/Os in flight on each queue pair (128)")
    add("-o", "--io-size", type=size, default=4096, metavar="SIZE", help="bytes of each I/O; K and M are understood (4096)")
    add("-w", "--io-pattern", choices=list(WORKLOADS), default="read", metavar="PATTERN", help=f"{', '.join(WORKLOADS)} (read)")
    add("-M", "--rwmixread", type=whole, metavar="PERCENT", help="percent of reads in rw and randrw (50)")
    add("-t", "--time", type=seconds, metavar="SECONDS", help=f"how long ({DEFAULT_SECONDS:g}; with -d: until that is done)")
    add("-d", "--number-ios", type=whole, metavar="COUNT", help="end after so many I/Os on each namespace and core")
    add("-a", "--warmup-time", type=seconds, default=0.0, metavar="SECONDS", help="run so long before measuring (0)")
    add("-c", "--core-mask", type=core_mask, metavar="MASK", help="one worker pinned to each core of 0x3 or [0,1] (one, not pinned)")
    add("-P", "--num-qpairs", type=whole, default=1, metavar="N", help="queue pairs of each worker and namespace (1)")
    add("-E", "--enable-interrupts", action="store_true",
        help="sleep until an interrupt tells of completions (MSI-X), in place of polling")
    add("-L", dest="latency", action="count", default=0, help="percentiles of latency; -LL: the histogram as well")
    add("--json", action="store_true", help="the result as JSON")
    add("--verify", action="store_true", help="write a pattern first, and check all that is read")
    add("--seed", type=whole, metavar="N", help="repeat the same random choices")
    parser.set_defaults(run=run)
    return parser


def run(args):
    """Measure as the arguments ask, and print. Returns 0, or 1 when I/Os failed or returned wrong data."""
    address = address_of(args)
    say = print if not args.json else lambda *words: None
    say("Initializing NVMe Controllers")
    with nvlab.attach(address) as ctrl:
        say("Attached to NVMe Controller at {} [{vid:04x}:{did:04x}]".format(address, **ctrl.function.ids))
        perf = nvlab.Perf(
            ctrl, io_size=args.io_size, depth=args.io_depth, workload=args.io_pattern, qpairs=args.num_qpairs,
            mix=50 if args.rwmixread is None else args.rwmixread, seconds=duration(args), count=args.number_ios,
            warmup=args.warmup_time, cores=args.core_mask, verify=args.verify, seed=args.seed,
            interrupts=args.enable_interrupts)
        if args.rwmixread is not None and args.io_pattern not in MIXED:
            print(f"nvlab: -M has no meaning with -w {args.io_pattern}: it goes with {' and '.join(MIXED)}", file=sys.stderr)
        result = measure(perf, say)
    if args.json:
        print(json.dumps(perf_text.to_json(result, args.latency), indent=2))
    else:
        print_result(result, args.latency)
    return complain(result)


def duration(args):
    """Seconds to run; None when a number of I/Os decides."""
    return DEFAULT_SECONDS if args.time is None and args.number_ios is None else args.time


def measure(perf, say=print):
    """Run `perf`, with a line of progress on a terminal's stderr. Ctrl-C and SIGTERM end it. Returns the PerfResult."""
    with terminating(), Progress(sys.stderr) as progress:
        try:
            perf.start()
            for worker in perf.workers:
                say(f"Associating {worker.label.replace(' from core ', ' with core ')}")
            say("Initialization complete. Launching workers.")
            sys.stdout.flush()
            return perf.wait(progress)
        except KeyboardInterrupt:
            if not perf.running:                 # it hadn't begun
                raise
            return perf.stop()


@contextlib.contextmanager
def terminating():
    """Inside, SIGTERM ends a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Progress:
    """A line that tells how a run goes, rewritten in place; silent where `stream` is no terminal."""

    def __init__(self, stream):
        self.stream, self.before, self.shown = stream, None, stream.isatty()

    def __call__(self, now):
        if self.shown:
            self.stream.write(f"\r{perf_text.progress(now, self.before)}\x1b[K")
            self.stream.flush()
        self.before = now

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.shown and self.before is not None:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def print_result(result, level):
    """The table, and what -L and -LL add."""
    print(f"{perf_text.table(result)}\n\n{result.cost}")
    if result.total.ios:
        for part in (perf_text.percentiles, perf_text.histogram)[:level]:
            for row in result.rows:
                print(f"\n{part(row)}")


def complain(result):
    """Say on stderr what went wrong with I/Os. Returns the exit code."""
    total = result.total
    if not total.ios:
        print("nvlab: it ended before anything was measured", file=sys.stderr)
    if total.errors:
        print(f"nvlab: {total.errors} I/Os failed, the first: {result.first_error}", file=sys.stderr)
    if total.miscompares:
        print(f"nvlab: {total.miscompares} reads returned wrong data", file=sys.stderr)
    return 1 if total.errors or total.miscompares else 0
