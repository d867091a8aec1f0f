"""What is measured, each beside its yardstick in the same run."""
import mmap
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import numpy as np

import nvlab

from .build import ROOT, as_it_is, load, untraced

DEPTH = 128
SIZE = 64 << 20
"""Bytes of the malloc device: more than the caches hold."""


def filled(nbytes):
    """`nbytes` of memory that really exists: every page written."""
    memory = np.frombuffer(mmap.mmap(-1, nbytes), np.uint8)
    memory[:] = np.resize(np.arange(251, dtype=np.uint8), nbytes)
    return memory


def perf(address, io_size, seconds, trace=False, **options):
    """IOPS of a sequential read at depth 128 on a drive whose every block was written; `trace`: every event recorded."""
    with nvlab.attach(address) as ctrl:
        if trace:
            nvlab.Trace(ctrl).start()
        memory = np.frombuffer(ctrl.ssd.subsystem.namespaces[1].bdev.memory, np.uint8)
        memory[:] = np.resize(np.arange(251, dtype=np.uint8), memory.nbytes)
        del memory
        result = nvlab.Perf(ctrl, io_size=io_size, depth=DEPTH, workload="read", seconds=seconds, warmup=0.2, **options).run()
        assert not result.errors, result
        return result.iops


def ios_of_a_core(interrupts, seconds):
    """I/Os that a second of the host's processor is good for, on a drive that takes 1 ms, at depth 1."""
    with nvlab.attach("embedded:mode=thread,size=1M") as ctrl:
        ctrl.ssd.faults.delay(0.001)
        return 1e6 / nvlab.Perf(ctrl, depth=1, seconds=seconds, interrupts=interrupts).run().cpu_us_per_io


def bare_ring(io_size, seconds):
    """Entries a second through a bare two-thread ring that copies `io_size` bytes for each."""
    bare = load_bare()
    ring = bare.BareRing(np.zeros((DEPTH + 1) * 64, np.uint8), np.zeros((DEPTH + 1) * 16, np.uint8), np.zeros(64, np.uint32),
                         filled(SIZE), filled((DEPTH + 1) * io_size), DEPTH, io_size)
    thread = threading.Thread(target=ring.consume)
    thread.start()
    done, elapsed = ring.produce(seconds)
    thread.join()
    return done / elapsed


def memcpy(io_size, seconds):
    """Blocks a second of a plain memcpy from as large a source into as many buffers."""
    done, elapsed = load_bare().copy_blocks(filled(SIZE), filled(DEPTH * io_size), io_size, DEPTH, seconds)
    return done / elapsed


_BARE = []


def load_bare():
    if not _BARE:
        _BARE.append(load("bare_ring"))
    return _BARE[0]


def _burn(seconds):
    load_bare().burn(seconds, 0.5)


def with_neighbour(measure, seconds):
    """`measure()` while another process takes half a core."""
    load_bare()
    neighbour = multiprocessing.get_context("fork").Process(target=_burn, args=(seconds + 1,), daemon=True)
    neighbour.start()
    try:
        return measure()
    finally:
        neighbour.terminate()
        neighbour.join()


KERNEL = """
import time, numpy as np, nvlab
ctrl = nvlab.attach({address!r})
memory = np.frombuffer(ctrl.ssd.subsystem.namespaces[1].bdev.memory, np.uint8)
memory[:] = 7
del memory
if {live}:
    from nvlab.lab import LivePlot
    LivePlot(nvlab.Perf(ctrl)).close()          # what is loaded once a session
perf = nvlab.Perf(ctrl, io_size={io_size}, depth=128, workload="read", seconds={seconds}, warmup=0.2).start()
if {live}:
    plot = LivePlot(perf, rate=10)
    display(plot)
result = perf.wait()
points = plot._seq if {live} else 0
print("RESULT", result.iops, points)
ctrl.close()
"""


class Kernel:
    """A Jupyter kernel without a browser, as the lab starts it."""

    def __enter__(self):
        from jupyter_client.manager import start_new_kernel
        self.manager, self.client = start_new_kernel(kernel_name="python3")
        return self

    def __exit__(self, *exc):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def perf(self, address, io_size, seconds, live):
        """(IOPS, updates of the plot) of a run in the kernel, with the live plot or without."""
        said = []

        def hook(message):
            if message["msg_type"] in ("stream", "error"):
                said.append(message["content"].get("text") or "\n".join(message["content"]["traceback"]))

        code = KERNEL.format(address=address, io_size=io_size, seconds=seconds, live=live)
        self.client.execute_interactive(code, timeout=seconds + 60, output_hook=hook)
        text = "".join(said)
        assert "RESULT" in text, text
        iops, points = text.split("RESULT")[1].split()[:2]
        return float(iops), int(points)


def traced(address, io_size, seconds):
    """IOPS as perf() measures them, with every event recorded."""
    return perf(address, io_size, seconds, trace=True)


WORKER = """
import sys
import nvlab
from tests.bench import cases
for line in sys.stdin:
    address, io_size, seconds = line.split()
    print(cases.perf(address, int(io_size), float(seconds)))
with nvlab.attach("embedded:size=1M,mode=inline") as ctrl, nvlab.Trace(ctrl) as trace:
    nvlab.Perf(ctrl, depth=4, count=100, io_size=512).run()
    print(len(trace.select(kind="SQE_FETCH")), nvlab.__file__)
"""


class Builds:
    """nvlab as it is, and one whose core has no tracing in it, measured in processes that differ in nothing else.

    Where a process's memory happens to lie moves its figures by 10%, and even the length of a path moves memory. So both are
    copies with the same files, started under the same path, another one for each pair of processes: their luck is the same,
    and averages out.
    """

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="nvlab-untraced-")
        folder = pathlib.Path(self.folder.name)
        self.builds = [as_it_is(folder / "as-it-is"), untraced(folder / "untraced")]
        self.pairs = 0
        return self

    def __exit__(self, *exc):
        self.folder.cleanup()

    def pair(self, measurements):
        """A list of (IOPS as it is, IOPS without tracing), one for each (address, io_size, seconds) of `measurements`."""
        self.pairs += 1
        name = "n" * (1 + self.pairs * 37 % 64)
        order = (0, 1) if self.pairs & 1 else (1, 0)
        found = {which: self._run(self.builds[which], name, measurements, which) for which in order}
        return list(zip(found[0], found[1]))

    def _run(self, build, name, measurements, which):
        link = pathlib.Path(self.folder.name) / name
        link.symlink_to(build)
        try:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(link), str(ROOT)])}
            lines = "".join(" ".join(map(str, one)) + "\n" for one in measurements)
            said = subprocess.run([sys.executable, "-P", "-c", WORKER], cwd=link, env=environment, text=True, input=lines,
                                  stdout=subprocess.PIPE, check=True).stdout.splitlines()
        finally:
            link.unlink()
        fetches, where = said.pop().split()
        assert where.startswith(str(link)) and (int(fetches) >= 100) == (which == 0), (fetches, where)
        return [float(iops) for iops in said]
