"""`nvlab perf`: SPDK's flags and tables, JSON, Ctrl-C, wrong input; on both devices."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

import nvlab as package
from nvlab.tools import perf, perf_text
from nvlab.tools.common import core_mask

ROW = re.compile(r"^(.+?) *:((?: +[\d.]+){5})$", re.M)


def table_of(text):
    """{device: [IOPS, MiB/s, average, min, max]} of a printed table."""
    return {name: [float(word) for word in numbers.split()] for name, numbers in ROW.findall(text)}


def numbers_of(row):
    """The same of a row of the JSON, rounded as the table does."""
    return [float(f"{row[attribute]:.2f}") for _, attribute in perf_text.COLUMNS]


def test_table(nvlab, address):
    ran = nvlab("perf", "-q", 8, "-o", 512, "-w", "read", "-t", 0.2, "-r", address)
    assert ran.code == 0 and not ran.err
    assert ran.out.splitlines()[0] == "Initializing NVMe Controllers"
    assert f"Attached to NVMe Controller at {address} [" in ran.out and f"Associating {address} NSID 1" in ran.out
    rows = table_of(ran.out)
    assert list(rows) == [f"{address} NSID 1", "Total"] and rows["Total"] == rows[f"{address} NSID 1"]
    iops, mibps, average, least, most = rows["Total"]
    assert mibps == pytest.approx(iops / 2048, rel=0.01) and least <= average <= most
    lines = [line for line in ran.out.splitlines() if ROW.match(line)]
    assert len({len(line) for line in lines}) == 1 and len({line.index(":", 20) for line in lines}) == 1


def test_a_row_for_each_namespace_and_core(nvlab):
    cores = sorted(os.sched_getaffinity(0))[:2]
    ran = nvlab("perf", "embedded:size=1M,namespaces=2", "-t", 0.1, "-q", 4, "-c", f"[{','.join(map(str, cores))}]", "-P", 2)
    rows = table_of(ran.out)
    assert ran.code == 0 and len(rows) == 2 * len(cores) + 1
    assert f"embedded:size=1M,namespaces=2 NSID 2 from core {cores[0]}" in rows
    each = [row[0] for name, row in rows.items() if name != "Total"]
    assert max(each) < rows["Total"][0] <= sum(each) + 0.1       # the total counts the longest of their times


def test_the_table_says_what_the_json_says(address):
    with package.attach(address) as ctrl:
        result = package.Perf(ctrl, io_size=512, depth=4, seconds=0.1, workload="randrw").run()
    shown = perf_text.to_json(result, 2)
    rows = table_of(perf_text.table(result))
    assert numbers_of(shown["total"]) == rows["Total"]
    assert [numbers_of(row) for row in shown["rows"]] == [row for name, row in rows.items() if name != "Total"]
    assert shown == json.loads(json.dumps(shown))
    assert sum(count for *_, count in shown["total"]["histogram_us"]) == shown["total"]["ios"]


def test_json(nvlab, address):
    ran = nvlab("perf", address, "-q", 4, "-o", "4K", "-w", "randrw", "-M", 70, "-t", 0.1, "--seed", 7, "--json", "-L")
    shown = json.loads(ran.out)
    assert ran.code == 0 and not ran.err
    assert {**shown["settings"], "cores": None} == {
        "address": address, "workload": "randrw", "io_size": 4096, "depth": 4, "mix": 70, "qpairs": 1, "cores": None, "nsids": [1],
        "seconds": 0.1, "count": None, "warmup": 0.0, "verify": False, "seed": 7,
        "interrupts": False}
    assert shown["ended"] == "time" and shown["total"]["ios"] > 0 and shown["total"]["errors"] == 0
    assert list(shown["total"]["percentiles_us"]) == [str(cutoff) for cutoff in perf_text.CUTOFFS]


def test_interrupts_in_place_of_polling(nvlab, address):
    words = ("perf", address, "-q", 4, "-t", 0.1)
    polled, woken = nvlab(*words), nvlab(*words, "-E")
    assert woken.code == 0 and table_of(woken.out)["Total"][0] > 0
    found = re.search(r"^Host CPU time: ([\d.]+) s, ([\d.]+)% of a core, ([\d.]+) us an I/O, by (\d+) interrupts$", woken.out, re.M)
    assert float(found[1]) > 0 and float(found[3]) > 0 and int(found[4]) > 0
    assert re.search(r"^Host CPU time: [\d.]+ s, [\d.]+% of a core, [\d.]+ us an I/O, by polling$", polled.out, re.M)
    shown = json.loads(nvlab(*words, "--enable-interrupts", "--json").out)
    assert shown["settings"]["interrupts"] and shown["total"]["interrupts"] > 0 and shown["total"]["cpu_seconds"] > 0


def test_percentiles_and_histogram(nvlab, address):
    plain = nvlab("perf", address, "-t", 0.1, "-q", 2).out
    assert "Summary latency data" not in plain
    ran = nvlab("perf", address, "-t", 0.1, "-q", 2, "-LL")
    found = [(float(percent), float(latency)) for percent, latency in re.findall(r"^ *([\d.]+)% : +([\d.]+)us$", ran.out, re.M)]
    assert [percent for percent, _ in found] == list(perf_text.CUTOFFS)
    latencies = [latency for _, latency in found]
    least, most = table_of(ran.out)["Total"][3:]
    assert latencies == sorted(latencies) and least - 0.01 <= latencies[0] and latencies[-1] <= most * 1.02 + 0.01
    buckets = re.findall(r"^ *([\d.]+) - +([\d.]+): +([\d.]+)%  \( *(\d+)\)$", ran.out, re.M)
    shares = [float(share) for _, _, share, _ in buckets]
    assert shares == sorted(shares) and shares[-1] == 100 and all(float(low) < float(high) for low, high, *_ in buckets)
    once = nvlab("perf", address, "-t", 0.1, "-q", 2, "-L").out
    assert "Summary latency data" in once and "Latency histogram" not in once


def test_a_number_of_ios_ends_it(nvlab, address):
    ran = nvlab("perf", address, "-d", 100, "-q", 4, "--json")
    assert ran.code == 0 and json.loads(ran.out)["ended"] == "count" and json.loads(ran.out)["total"]["ios"] == 100


@pytest.mark.parametrize("pattern", ["read", "write", "randread", "randwrite", "rw", "randrw"])
def test_every_pattern_verified(nvlab, pattern, address):
    ran = nvlab("perf", address, "-w", pattern, "--verify", "-d", 300, "-q", 16, "-P", 2)
    assert ran.code == 0 and not ran.err


def test_wrong_data_is_exit_code_1(nvlab):
    ran = nvlab("perf", "embedded:size=1M,bdev=null", "--verify", "-d", 100)
    assert ran.code == 1 and "reads returned wrong data" in ran.err and "Total" in ran.out


@pytest.mark.parametrize("words, says", [
    (["-o", 100], "I/O size 100: not a multiple of the block size"),
    (["-o", 0], "I/O size 0"),
    (["-o", "1X"], "a size is a whole number of bytes"),
    (["-o", "1M"], "MDTS allows 524288 bytes"),
    (["-q", 0], "queue depth 0: 1 to"),
    (["-q", -1], "queue depth -1: 1 to"),
    (["-q", 100000], "CAP.MQES allows"),
    (["-q", "many"], "a whole number"),
    (["-M", 101, "-w", "rw"], "mix 101: 0 to 100"),
    (["-w", "reed"], "invalid choice: 'reed'"),
    (["-t", 0], "seconds 0.0: more than 0"),
    (["-t", "nan"], "a number of seconds"),
    (["-d", 0], "count 0: more than 0"),
    (["-a", -1], "warmup -1.0: 0 to"),
    (["-P", 0], "qpairs 0: 1 to"),
    (["-c", "0x0"], "a mask with a bit for each core"),
    (["-c", "zz"], "a mask with a bit for each core"),
    (["-c", "[1-0]"], "a mask with a bit for each core"),
    (["-c", "[4000]"], "this process may run on"),
])
def test_wrong_input_is_one_message_and_exit_code_2(nvlab, address, words, says):
    ran = nvlab("perf", address, "-t", 0.05, *words)
    assert ran.code == 2 and says in ran.err and "Traceback" not in ran.err and ran.err.count("nvlab: ") == 1
    assert "Total" not in ran.out


def test_a_drive_moved_by_hand_is_refused(nvlab):
    ran = nvlab("perf", "embedded:mode=manual", "-t", 0.05)
    assert ran.code == 2 and "mode manual" in ran.err


def test_a_mix_without_meaning_is_mentioned(nvlab):
    ran = nvlab("perf", "embedded:size=1M", "-d", 10, "-M", 30)
    assert ran.code == 0 and "-M has no meaning with -w read" in ran.err


@pytest.mark.parametrize("text, cores", [("0x3", [0, 1]), ("5", [0, 2]), ("[0,1]", [0, 1]), ("[3,0-1]", [0, 1, 3]), ("[7]", [7])])
def test_core_masks(text, cores):
    assert core_mask(text) == cores


@contextlib.contextmanager
def launched(*words):
    """`nvlab perf …` as a process that has begun to measure."""
    process = subprocess.Popen([sys.executable, "-m", "nvlab", "perf", *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while "Launching workers" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_prints_the_result_so_far(number, address):
    with launched(address, "-t", "60", "-q", "4") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0 and not err
    assert table_of(out)["Total"][0] > 0


@pytest.mark.require("qemu")
def test_an_interrupt_while_the_pattern_is_written():
    with launched("qemu:size=4G", "--verify", "-t", "60", "-q", "4") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0 and "before anything was measured" in err and table_of(out)["Total"] == [0] * 5


@pytest.mark.require("qemu")
def test_a_controller_that_vanishes_is_exit_code_1():
    with launched("qemu:size=1M", "-t", "60") as process:
        children = [int(pid) for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir()
                    for pid in (task / "children").read_text().split()]
        os.kill(children[0], signal.SIGKILL)
        out, err = process.communicate(timeout=2)
    assert process.returncode == 1 and "the controller vanished" in err and "QEMU" in err and "Traceback" not in err


def test_progress_is_for_terminals_only():
    class Terminal:
        text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    with package.attach("embedded:size=1M") as ctrl:
        run = package.Perf(ctrl, depth=4, seconds=0.2)
        with perf.Progress(Terminal()) as progress:
            run.start()
            run.wait(progress, interval=0.05)
        assert re.search(r"\r +0\.\d s +[\d,]+ IOPS +[\d,.]+ MiB/s +[\d.]+ us average", progress.stream.text)
        assert progress.stream.text.endswith("\r\x1b[K")
