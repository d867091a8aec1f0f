"""Measure: keep a depth of I/Os in flight from background threads, and tell at any moment how it goes."""
import numbers
import os
import secrets
import threading
import time

import numpy as np

from nvlab._core.histogram import Histogram
from nvlab._core.perf import PerfLoop
from nvlab.spec import status
from nvlab.spec.commands import cmd
from nvlab.spec.errors import ControllerError, ControllerFatal, ControllerGone, ControllerTimeout, Error, UsageError

from .namespace import MAX_BLOCKS
from .perf_result import PerfResult, PerfSnapshot, combine
from .prp import build_prp

WORKLOADS = {"read": (100, False), "write": (0, False), "randread": (100, True), "randwrite": (0, True),
             "rw": (None, False), "randrw": (None, True)}
"""Workloads by SPDK's names: percent of reads (None: the mix decides), and whether LBAs are random."""


class _Worker:
    """One loop on one namespace, from one core: its queue pairs, buffers and thread."""

    def __init__(self, perf, namespace, core, index):
        self.perf, self.namespace, self.core, self.index = perf, namespace, core, index
        self.label = f"{perf.controller.address} NSID {namespace.nsid}" + (f" from core {core}" if core is not None else "")
        self.pairs, self.thread, self.loop, self.filler, self.interrupt = [], None, None, None, None
        self.ended, self.held, self.done = None, [], threading.Event()

    def prepare(self):
        """Create the queue pairs and commands; nothing runs yet."""
        p, ns, ctrl = self.perf, self.namespace, self.perf.controller
        slots = p.region_blocks(ns) // (p.io_size // ns.block_size)
        workers = max(1, p.qpairs * len(p.cores))
        self.interrupt = ctrl.function.interrupt(self._vector()) if p.interrupts else None
        self.loop = self._make_loop(p.seconds or 0.0, p.warmup, p.count or 0, p.reads, p.random)
        memory = []
        for n in range(p.qpairs):
            with ctrl.queues_lock:               # taken before another thread can think it free
                pair = ctrl.create_io_queue_pair(p.depth + 1, vector=self.interrupt and self.interrupt.number)
                pair.take(p)
            self.pairs.append(pair)
            memory.append(self._commands())
            entries, data = memory[-1]
            place = self.index * p.qpairs + n
            self.loop.add_queue(pair.sq, pair.cq, entries, data, first_lba=0, blocks=p.region_blocks(ns),
                                start=slots * place // workers, seed=place)
        if p.verify:
            self.filler = self._make_loop(0.0, 0.0, slots, 0, False)
            self.filler.add_queue(self.pairs[0].sq, self.pairs[0].cq, *memory[0], first_lba=0, blocks=p.region_blocks(ns))
        self.loop.lane = ctrl.function.lane(f"perf-{self.pairs[0].qid}")    # one writer: this worker has the pair to itself
        if self.filler is not None:
            self.filler.lane = self.loop.lane
        self.held += memory

    def _vector(self):
        """One of its own for each worker, as far as there are enough; 0 is left to the admin queue."""
        vectors = self.perf.controller.function.vectors
        return 1 + self.index % (vectors - 1) if vectors > 1 else 0

    def _make_loop(self, seconds, warmup, count, reads, random):
        p = self.perf
        loop = PerfLoop(p.controller.bar, io_size=p.io_size, block_size=self.namespace.block_size, read_percent=reads, random=random,
                        verify=p.verify, seed=p.seed, seconds=seconds, warmup=warmup, count=count, timeout=p.controller.timeout,
                        ssd=p.controller.ssd.datapath if p.controller.ssd is not None else None, spins=0 if p.alone else 100,
                        vector=self.interrupt and self.interrupt.vector)
        loop.vector_number = self.interrupt.number if self.interrupt else 0
        return loop

    def _commands(self):
        """(entries, data): a command and a buffer for each I/O in flight."""
        p, ctrl = self.perf, self.perf.controller
        stride = -(-p.io_size // ctrl.page) * ctrl.page
        block = ctrl.alloc(stride * p.depth, zero=False)
        rng = np.random.default_rng(p.seed)
        block.view(np.ndarray)[:] = np.resize(np.frombuffer(rng.bytes(min(block.nbytes, 1 << 20)), np.uint8), block.nbytes)
        entries = np.zeros((p.depth, 64), np.uint8)
        for i in range(p.depth):
            prp = build_prp(ctrl.dma, block.iova + i * stride, p.io_size, ctrl.page)
            self.held.append(prp)
            command = cmd.read(nsid=self.namespace.nsid, slba=0, nlb=0, prp1=prp.prp1, prp2=prp.prp2)
            entries[i] = np.frombuffer(bytes(command), np.uint8)
        return entries, block.reshape(p.depth, stride)[:, :p.io_size]

    def start(self):
        thread = threading.Thread(target=self._run, name=f"nvlab-perf-{self.index}", daemon=True)
        thread.start()
        self.thread = thread

    def _run(self):
        try:
            if self.core is not None and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {self.core})
            if self.filler is not None:
                ended = self.filler.run()
                if ended != "count" or self.filler.first_error:
                    self.ended = ended
                    if ended != "stopped" or self.filler.first_error:
                        self.loop = self.filler      # what went wrong shows; a filling that was cut short is no result
                    return
            self.ended = self.loop.run()
        finally:
            self._give_back()
            self.done.set()

    @property
    def running(self):
        """True from start() until the pairs are given back. (Python 3.11's is_alive() errs when Ctrl-C hits a join().)"""
        return self.thread is not None and not self.done.is_set()

    def _give_back(self):
        """Return the queue pairs to Python, unless commands are lost in them: those wait for a reset."""
        self.ended = self.ended or "failed"
        for pair in self.pairs:
            if self.ended in ("time", "count", "stopped"):
                pair.release()
            else:
                pair.sq.owner = pair.cq.owner = (f"a perf run that ended by {self.ended} with commands outstanding "
                                                 "(disable() and start() reset)")
                pair.sq.outstanding_buffers = self.held

    def stop(self):
        for loop in (self.filler, self.loop):
            if loop is not None:
                loop.stop()

    def abandon(self):
        for loop in (self.filler, self.loop):
            if loop is not None:
                loop.abandon()

    def snapshot(self):
        s = self.loop.snapshot()
        return PerfSnapshot(self.label, s["elapsed"] / 1e9, s["ios"], s["bytes"], s["errors"], s["miscompares"], s["latency_sum"],
                            s["latency_min"], s["latency_max"], Histogram(s["hist"]), s["cpu"], s["interrupts"])

    def discard(self):
        """Delete the queue pairs that came back, or were never used."""
        for pair in self.pairs:
            if self.thread is None:
                pair.release()
            if pair.owner is None and self.perf.controller.io.get(pair.qid) is pair:
                self.perf.controller.delete_io_queue_pair(pair)
        self.pairs = []


class Perf:
    """A measurement on a controller that is ready.

    `io_size` bytes, `depth` I/Os in flight on each queue pair, `workload` one of WORKLOADS, `mix` percent of reads for rw and
    randrw, `seconds` and/or `count` (I/Os a worker) to end by itself, `warmup` seconds not counted, `qpairs` queue pairs a
    worker, `cores` CPU numbers (one worker each; None: one worker, wherever it runs), `nsids` namespaces (None: all),
    `verify` writes a pattern over the region first and checks each read, `seed` makes runs repeatable, `region` limits the
    bytes used, `interrupts` lets a worker sleep until its queue pairs' vector tells of completions, in place of polling. start(),
    snapshot(), stop(), wait(), result(); or run() for all of it. Raises UsageError.
    """

    def __init__(self, controller, *, io_size=4096, depth=128, workload="read", mix=50, seconds=None, count=None, warmup=0.0,
                 qpairs=1, cores=None, nsids=None, verify=False, seed=None, region=None, interrupts=False):
        self.controller, self.io_size, self.depth, self.workload, self.mix = controller, io_size, depth, workload, mix
        self.seconds, self.count, self.warmup, self.qpairs = seconds, count, warmup, qpairs
        self.cores = [None] if cores is None else list(cores)
        self.verify, self.region, self.interrupts = verify, region, bool(interrupts)
        self.seed = secrets.randbits(32) if seed is None else seed
        self.namespaces = [controller.namespaces.get(n) for n in (nsids or sorted(controller.namespaces))]
        self._check(nsids)
        reads, self.random = WORKLOADS[workload]
        self.reads = mix if reads is None else reads
        self.alone = len(os.sched_getaffinity(0)) == 1 if hasattr(os, "sched_getaffinity") else False
        self.workers = []

    def _check(self, nsids):
        ctrl = self.controller
        if self.workload not in WORKLOADS:
            raise UsageError(f"perf: workload {self.workload!r}: choose one of {', '.join(WORKLOADS)}")
        if not self.namespaces or None in self.namespaces:
            raise UsageError(f"perf: namespaces {nsids or 'to measure'}: the controller has {sorted(ctrl.namespaces)}")
        for name in ("io_size", "depth", "qpairs", "seed"):
            if not isinstance(getattr(self, name), numbers.Integral):
                raise UsageError(f"perf: {name} {getattr(self, name)!r}: a whole number is needed")
        if not 1 <= self.depth <= int(ctrl.cap.MQES):
            raise UsageError(f"queue depth {self.depth}: 1 to {int(ctrl.cap.MQES)}, one less than the entries that CAP.MQES allows")
        for name, low, high in (("mix", 0, 100), ("qpairs", 1, 64), ("warmup", 0, 86400)):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"perf: {name} {getattr(self, name)}: {low} to {high} are allowed")
        for name, most in (("seconds", 365 * 86400), ("count", 1 << 62)):
            if getattr(self, name) is not None and not 0 < getattr(self, name) <= most:
                raise UsageError(f"perf: {name} {getattr(self, name)}: more than 0 is needed, at most {most}, or None for no limit")
        if not 0 <= self.seed < 1 << 64:
            raise UsageError(f"perf: seed {self.seed}: 0 to 2**64 - 1 are allowed")
        for ns in self.namespaces:
            self._check_namespace(ns)
        if self.interrupts and not ctrl.function.vectors:
            raise UsageError(f"perf: interrupts: {ctrl.address} has no MSI-X vectors to wait for; poll, which needs none")
        usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
        if not self.cores or not {c for c in self.cores if c is not None} <= usable:
            raise UsageError(f"perf: cores {self.cores}: this process may run on {sorted(usable)}; choose among them, or None for wherever it runs")

    def _check_namespace(self, ns):
        limit = self.controller.max_transfer
        if self.io_size <= 0 or self.io_size % ns.block_size:
            raise UsageError(f"I/O size {self.io_size}: not a multiple of the block size of namespace {ns.nsid}, {ns.block_size} bytes")
        if self.io_size > MAX_BLOCKS * ns.block_size:
            raise UsageError(f"I/O size {self.io_size}: a command names at most {MAX_BLOCKS} blocks of {ns.block_size} bytes (NLB)")
        if limit and self.io_size > limit:
            raise UsageError(f"I/O size {self.io_size}: MDTS allows {limit} bytes a command; choose {limit} or less")
        if ns.metadata_size:
            raise UsageError(f"namespace {ns.nsid} has {ns.metadata_size} bytes of metadata a block, which perf doesn't move")
        if self.region_blocks(ns) * ns.block_size < self.io_size:
            raise UsageError(f"I/O size {self.io_size}: more than the {self.region_blocks(ns) * ns.block_size} bytes to measure on")

    def region_blocks(self, ns):
        """Blocks of a namespace that the run may touch."""
        return min(ns.blocks, self.region // ns.block_size) if self.region else ns.blocks

    # -- life

    def start(self):
        """Create queue pairs and begin in the background. Returns self. Raises UsageError when it is running already."""
        if self.running:
            raise UsageError("this perf run is under way: stop() it first")
        if self.controller.ssd is not None and self.controller.ssd.mode == "manual":
            raise UsageError("perf: the drive is in mode manual and moves only on ssd.step(); set ctrl.ssd.mode = 'inline' (or 'thread')")
        self._discard()
        self.controller.function.settle()
        cells = [(ns, core) for core in self.cores for ns in self.namespaces]
        try:
            for i, (ns, core) in enumerate(cells):
                self.workers.append(_Worker(self, ns, core, i))
                self.workers[-1].prepare()
        except BaseException:                    # Ctrl-C as well: no queue pair is left behind
            self._discard()
            raise
        for worker in self.workers:
            worker.start()
        return self

    @property
    def running(self):
        """True while a worker runs."""
        return any(w.running for w in self.workers)

    def snapshot(self):
        """The totals now, without stopping anything: a PerfSnapshot."""
        return combine("Total", [w.snapshot() for w in self.workers])

    def stop(self):
        """End the run now, waiting for what is in flight. Returns the PerfResult."""
        for worker in self.workers:
            worker.stop()
        return self.wait()

    def abandon(self):
        """End the run without what is in flight, because the controller is about to be reset; waits up to 1 s for the loops."""
        for worker in self.workers:
            worker.abandon()
        for worker in self.workers:
            if worker.running:
                worker.done.wait(1)

    def wait(self, progress=None, interval=0.5):
        """Wait for the end; call `progress(snapshot)` every `interval` seconds. Returns the PerfResult.

        An interrupt (Ctrl-C) goes through and leaves the run going; stop() then ends it with what it has.
        """
        due = time.monotonic() + interval
        while (worker := next((w for w in self.workers if w.running), None)) is not None:
            worker.done.wait(0.05)
            if progress is not None and time.monotonic() >= due:
                progress(self.snapshot())
                due += interval
        return self.result()

    def run(self, progress=None):
        """start() and wait(); an interrupt ends the run early and is raised again afterwards."""
        self.start()
        try:
            return self.wait(progress)
        except KeyboardInterrupt:
            self.stop()
            raise

    def result(self):
        """The PerfResult of a run that has ended.

        Raises ControllerGone, ControllerFatal or ControllerTimeout when the device ended it, UsageError while it runs or before it began.
        """
        if self.running or not self.workers:
            raise UsageError("perf: no result before the run has ended; snapshot() tells how it goes")
        ends = [w.ended for w in self.workers]
        bad = next((e for e in ends if e not in ("time", "count", "stopped")), None)
        if bad is None:
            result = self._collect(ends[0])
            self._retire()
            return result
        self._raise(bad)

    def _collect(self, ended):
        rows = [w.snapshot() for w in self.workers]
        first = next((w.loop.first_error for w in self.workers if w.loop.first_error), None)
        if first is not None:
            what = status.lookup(first[0] >> 8 & 7, first[0] & 0xFF)
            first = f"{what.title} (sct {what.sct}, sc {what.sc:#x}) at LBA {first[2]}"
        return PerfResult(self.settings(), rows, combine("Total", rows) if len(rows) > 1 else rows[0], ended, first)

    def _retire(self):
        """Delete the queue pairs of the run; its numbers stay."""
        try:
            if not self.controller.closed:
                for worker in self.workers:
                    worker.discard()
        except ControllerError:
            pass                                 # the device is going: its queues go with it

    def _raise(self, ended):
        done = self.snapshot()
        so_far = f"after {done.ios} I/Os in {done.seconds:.1f} s"
        if ended == "gone":
            raise ControllerGone(f"perf: the controller vanished {so_far} ({self.controller.function.gone() or 'no answer'}); attach again")
        if ended == "fatal":
            raise ControllerFatal(f"perf: CSTS.CFS is set, a fatal error, {so_far}; reset() resets the controller")
        if ended == "timeout":
            raise ControllerTimeout(f"perf: commands were not completed within {self.controller.timeout:g} s, {so_far}; "
                                    "disable() and start() reset the controller")
        if ended == "reset":
            raise ControllerError(f"perf: a controller reset cut the run off {so_far}; begin it again once start() is through")
        raise ControllerError(f"perf: ended by {ended} {so_far}: the controller completed a command that was not outstanding; "
                              "disable() and start() reset it")

    def _discard(self):
        try:
            self._retire()
        except Error:
            pass
        self.workers = []

    def settings(self):
        """What was asked for, as plain values."""
        return {"address": self.controller.address, "workload": self.workload, "io_size": self.io_size, "depth": self.depth,
                "mix": self.reads, "qpairs": self.qpairs, "cores": self.cores, "nsids": [ns.nsid for ns in self.namespaces],
                "seconds": self.seconds, "count": self.count, "warmup": self.warmup, "verify": self.verify, "seed": self.seed,
                "interrupts": self.interrupts}

    @property
    def title(self):
        """What is measured, in a phrase."""
        return f"perf {self.workload} {self.io_size} B, depth {self.depth}"

    def __repr__(self):
        state = "not started"
        if self.workers:
            s = self.snapshot()
            state = f"{'running' if self.running else 'ended'}, {s.iops:,.0f} IOPS, {s.mibps:,.1f} MiB/s, {s.lat_avg_us:.2f} us"
        return f"<{self.title}: {state}>"
