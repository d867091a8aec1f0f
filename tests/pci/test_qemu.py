"""QEMU's device as a Function: brought up with nothing but registers and DMA memory, and gone without a trace."""
import gc
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest

from nvlab import pci
from nvlab.spec.errors import ControllerGone, DeviceNotFound, UsageError
from tests.pci.test_process import alive
from tests.waiting import holds

pytestmark = pytest.mark.require("qemu")

CAP, VS, CC, CSTS, AQA, ASQ, ACQ, SQ0TDBL, CQ0HDBL = 0x00, 0x08, 0x14, 0x1C, 0x24, 0x28, 0x30, 0x1000, 0x1004
GONE_WITHIN = 2.0      # seconds


class Admin:
    """An admin queue pair of 8 entries by raw register writes."""

    def __init__(self, function):
        self.bar, self.dma = function.bar, function.dma
        self.sq, self.cq = self.dma.alloc(4096), self.dma.alloc(4096)
        self.tail = self.head = 0
        self.phase = 1
        self.bar.write32(CC, 0)
        self.wait_ready(0)
        self.bar.write32(AQA, 7 << 16 | 7)
        self.bar.write64(ASQ, self.sq.iova)
        self.bar.write64(ACQ, self.cq.iova)
        self.bar.write32(CC, 4 << 20 | 6 << 16 | 1)
        self.wait_ready(1)

    def wait_ready(self, ready):
        assert holds(lambda: self.bar.read32(CSTS) == ready)

    def execute(self, opcode, nsid=0, prp1=0, prp2=0, cdw=()):
        """Run one command; its (dw0, status code type, status code)."""
        entry = struct.pack("<BBHIQQQQ6I", opcode, 0, self.tail, nsid, 0, 0, prp1, prp2, *cdw, *[0] * (6 - len(cdw)))
        self.sq[64 * self.tail:64 * self.tail + 64] = memoryview(entry)
        self.tail = (self.tail + 1) % 8
        self.bar.write32(SQ0TDBL, self.tail)
        slot = self.cq[16 * self.head:16 * self.head + 16]
        assert holds(lambda: slot[14] & 1 == self.phase)
        dw0, status = struct.unpack_from("<I", slot)[0], struct.unpack_from("<H", slot, 14)[0] >> 1
        self.head = (self.head + 1) % 8
        self.phase ^= self.head == 0
        self.bar.write32(CQ0HDBL, self.head)
        return dw0, status >> 8 & 7, status & 0xFF

    def identify(self, cns, nsid=0):
        buffer = self.dma.alloc(4096)
        assert self.execute(6, nsid, buffer.iova, cdw=[cns])[1:] == (0, 0)
        return buffer.tobytes()


@pytest.fixture(scope="module")
def shared():
    with pci.open("qemu:size=8M,namespaces=2,block=4096,serial=S123,mdts=5") as function:
        yield function


def test_what_is_known_before_anything_is_written(shared):
    assert shared.kind == "qemu" and shared.ssd is None and shared.gone() is None
    assert shared.address == "qemu:size=8M,block=4096,namespaces=2,serial=S123,mdts=5"
    assert shared.ids == {"vid": 0x1B36, "did": 0x0010, "ssvid": 0x1AF4, "ssid": 0x1100}
    assert shared.bar.size == 0x4000
    assert shared.bar.read64(CAP) & 0xFFFF == 0x7FF
    assert shared.bar.read32(VS) >> 16 == 1
    assert shared.bar.read32(CC) == 0
    assert "QEMU NVMe controller [1b36:0010] at qemu:" in repr(shared)
    assert shared.dma.alloc(4096).iova >= 16 << 20
    shared.pump()


def test_bring_up_and_identify_by_hand(shared):
    admin = Admin(shared)
    controller = admin.identify(cns=1)
    assert controller[4:24].decode().strip() == "S123"
    assert controller[24:64].decode().strip() == "QEMU NVMe Ctrl"
    assert controller[77] == 5                                                      # MDTS
    for nsid in (1, 2):
        namespace = admin.identify(cns=0, nsid=nsid)
        assert struct.unpack_from("<Q", namespace)[0] == (8 << 20) // 4096          # NSZE
        lba_format = struct.unpack_from("<I", namespace, 128 + 4 * (namespace[26] & 15))[0]
        assert 1 << (lba_format >> 16 & 0xFF) == 4096
    for _ in range(20):                                                             # the rings wrap, the phase flips
        assert admin.identify(cns=1) == controller
    assert shared.trace() == []


def test_io_reaches_the_disk_and_the_oracle_sees_broken_rules(tmp_path):
    image, log = tmp_path / "disk.img", tmp_path / "trace.log"
    image.write_bytes(bytes(1 << 20))
    with pci.open(f"qemu:image={image},log={log}") as function:
        admin = Admin(function)
        queue, data = function.dma.alloc(8192), function.dma.alloc(512)
        assert admin.execute(5, prp1=queue.iova, cdw=[15 << 16 | 1, 1])[1:] == (0, 0)
        assert admin.execute(1, prp1=queue.iova + 4096, cdw=[15 << 16 | 1, 1 << 16 | 1])[1:] == (0, 0)
        data[:5] = list(b"hello")
        queue[4096:4160] = memoryview(struct.pack("<BBHIQQQQ6I", 1, 0, 7, 1, 0, 0, data.iova, 0, 3, 0, 0, 0, 0, 0))
        function.bar.write32(0x1008, 1)
        assert holds(lambda: queue[14] & 1)
        assert function.trace() == []
        function.bar.write32(0x1000 + 8 * 9, 1)                                     # SQ9TDBL: there is no SQ 9
        function.bar.read32(CSTS)
        assert len(function.trace()) == 1 and function.trace()[0].startswith("pci_nvme_ub_db_wr_invalid_sq")
    assert image.read_bytes()[3 * 512:3 * 512 + 5] == b"hello"
    assert len(function.trace()) == 1 and "pci_nvme_ub_db_wr_invalid_sq" in log.read_text()


@pytest.mark.parametrize("address", ["qemu:zoned=on,device.zoned.zasl=3", "qemu:bdev=null,size=1T", "qemu:namespaces=40,size=1M",
                                     "qemu:max_ioqpairs=3,msix=4,trace=off,dma=32M"])
def test_other_options_start(address):
    with pci.open(address) as function:
        nsids = struct.unpack("<1024I", Admin(function).identify(cns=2 if "zoned" not in address else 0x10))
        assert sum(map(bool, nsids)) == function.options["namespaces"]
        if not function.options["trace"]:
            with pytest.raises(UsageError, match="trace=off"):
                function.trace()


def test_refusals_carry_qemus_words(tmp_path):
    for address, kind, words in [
            ("qemu:device.nosuch=1", UsageError, "nvme.nosuch' not found"),
            ("qemu:device.mdts=many", UsageError, "expects integer"),
            ("qemu:image=/nonexistent/disk", DeviceNotFound, "No such file"),
            (f"qemu:image={tmp_path}", DeviceNotFound, "Is a directory"),
            ("qemu:binary=no-such-qemu", DeviceNotFound, "apt-get install qemu-system-x86"),
            ("qemu:binary=/bin/false", DeviceNotFound, "ended with status 1"),
            (f"qemu:log={tmp_path}/no/log", UsageError, "No such file")]:
        with pytest.raises(kind, match=words):
            pci.open(address)


def test_an_image_is_locked_while_open_and_free_after(tmp_path):
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(1 << 20))
    with pci.open(f"qemu:image={image}"):
        with pytest.raises(DeviceNotFound, match='Failed to get "write" lock'):
            pci.open(f"qemu:image={image}")
    with pci.open(f"qemu:image={image},ro=on"), pci.open(f"qemu:image={image},ro=on"):
        pass


@pytest.mark.parametrize("access", [lambda f: f.bar.read32(CSTS), lambda f: f.bar.read64(CAP), lambda f: f.bar.write32(CC, 0),
                                    lambda f: f.bar.write32(SQ0TDBL, 1)], ids=["read32", "read64", "write32", "doorbell"])
def test_a_killed_qemu_is_noticed(access):
    sigpipe = signal.signal(signal.SIGPIPE, signal.SIG_DFL)        # would end this process, were it ever sent
    try:
        with pci.open("qemu") as function:
            admin = Admin(function)
            os.kill(function.process.pid, signal.SIGKILL)
            start = time.monotonic()
            with pytest.raises(ControllerGone):
                while time.monotonic() - start < GONE_WITHIN:
                    access(function)
            assert time.monotonic() - start < GONE_WITHIN
            assert not function.bar.is_alive()
            assert holds(lambda: f"QEMU (pid {function.process.pid}) was killed by SIGKILL" in repr(function))
            assert admin.sq.nbytes == 4096 and function.trace() == []              # memory and trace are still there
        with pci.open("qemu") as function:
            Admin(function).identify(cns=1)                                         # a new one works
    finally:
        signal.signal(signal.SIGPIPE, sigpipe)


def test_close_is_final_repeatable_and_keeps_buffers():
    function = pci.open("qemu")
    buffer = function.dma.alloc(4096)
    function.close()
    function.close()
    assert function.closed and function.gone() == "it was closed" and not alive(function.process.pid)
    with pytest.raises(ControllerGone, match="closed here"):
        function.bar.read32(CSTS)
    bar = function.bar
    del function
    gc.collect()
    buffer[:] = 1
    assert not bar.is_alive()


def test_it_ends_when_nobody_holds_it_or_an_exception_leaves():
    function = pci.open("qemu")
    pid = function.process.pid
    del function
    gc.collect()
    assert not alive(pid)
    with pytest.raises(RuntimeError):
        with pci.open("qemu") as function:
            raise RuntimeError
    assert not alive(function.process.pid)


@pytest.mark.parametrize("ending", ["", "f.close()", "os._exit(3)", "os.kill(os.getpid(), 9)", "raise KeyboardInterrupt"])
def test_whatever_ends_the_program_ends_qemu(ending):
    script = f"import os\nfrom nvlab import pci\nf = pci.open('qemu')\nprint(f.process.pid, flush=True)\n{ending}"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert holds(lambda: not alive(int(said.stdout)))
    assert "Exception ignored" not in said.stderr


def test_a_short_lived_thread_may_open_it():
    opened = []
    thread = threading.Thread(target=lambda: opened.append(pci.open("qemu")))
    thread.start()
    thread.join()
    time.sleep(0.1)
    with opened[0] as function:
        Admin(function).identify(cns=1)


def test_threads_ring_and_read_at_once():
    with pci.open("qemu") as function:
        Admin(function)
        answers = []

        def ring():
            for _ in range(2000):
                function.bar.write32(CQ0HDBL, 0)

        def read():
            for _ in range(300):
                answers.append((function.bar.read32(CSTS), function.bar.read64(CAP)))

        threads = [threading.Thread(target=target) for target in (ring, read, read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(set(answers)) == 1 and len(answers) == 600


def test_twenty_cycles_leave_nothing(tmp_path):
    pci.open("qemu").close()                       # what is made once: the starting thread
    gc.collect()
    pids, shm, files = [], sorted(os.listdir("/dev/shm")), sorted(os.listdir("/proc/self/fd"))
    before = shm, files, threading.active_count(), sorted(os.listdir(tmp_path))
    for _ in range(20):
        with pci.open("qemu:size=1M,namespaces=2") as function:
            pids.append(function.process.pid)
            assert function.bar.read32(VS)
    assert not any(map(alive, pids))
    del function                                   # its mapped RAM holds a descriptor
    gc.collect()
    own = [name for name in os.listdir("/dev/shm") if name in shm or "nvlab" in name]
    assert (sorted(own), sorted(os.listdir("/proc/self/fd")), threading.active_count(), sorted(os.listdir(tmp_path))) == before
