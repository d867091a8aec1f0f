"""Whatever a host throws at it, the embedded drive neither crashes nor loses a command: each completes exactly once."""
import time

import numpy as np
import pytest

import nvlab
from nvlab.spec import registers, status
from nvlab.spec.commands import ADMIN, NVM, Completion

ASYNC_EVENT_REQUEST, FLUSH = 0x0C, 0x00
SCRATCH = 1 << 20
UNMAPPED = (0, 8, 0xFFFFFFFFFFFFF000, (1 << 64) - 4, 1 << 50, 0xFFFFF000)


class Fuzzer:
    """Random 64-byte entries that begin as something plausible; pointers lead to scratch memory, or nowhere, never to rings."""

    def __init__(self, ctrl, seed):
        self.ctrl, self.rng = ctrl, np.random.default_rng(seed)
        self.scratch = ctrl.alloc(SCRATCH)
        self.scramble()

    def scramble(self):
        """Fill the scratch memory with what may serve as a PRP list."""
        self.scratch.view("<u8")[:] = [self.pointer() for _ in range(64)] * (SCRATCH // 512)

    def pointer(self):
        kind = self.rng.integers(8)
        if kind == 0:
            return int(self.rng.choice(np.array(UNMAPPED, np.uint64)))
        offset = int(self.rng.integers(SCRATCH // 4096 - 1)) * 4096
        if kind == 1:
            offset += int(self.rng.integers(4096))
        elif kind == 2:
            offset += 4 * int(self.rng.integers(1024))
        elif kind == 3:
            offset += 4096 - 8
        return self.scratch.iova + offset

    def number(self, bits):
        """Small ones, ends of ranges, and anything."""
        kind, top = self.rng.integers(4), (1 << bits) - 1
        if kind == 0:
            return int(self.rng.integers(0, 9)) & top
        if kind == 1:
            return top - int(self.rng.integers(0, 3))
        if kind == 2:
            return 1 << int(self.rng.integers(bits))
        return int.from_bytes(self.rng.bytes(bits // 8), "little")

    def entry(self, opcodes, cid):
        """One raw entry."""
        opcode = int(self.rng.choice(opcodes)) if self.rng.integers(8) else int(self.rng.integers(256))
        flags = 0 if self.rng.integers(10) else int(self.rng.integers(256))
        nsid = (1, 2, 0, 3, 0xFFFFFFFF)[self.rng.integers(5)] if self.rng.integers(10) else self.number(32)
        raw = bytearray(64)
        raw[0:4] = bytes([opcode, flags]) + cid.to_bytes(2, "little")
        raw[4:8] = nsid.to_bytes(4, "little")
        raw[8:16] = self.number(64).to_bytes(8, "little")
        raw[24:32], raw[32:40] = self.pointer().to_bytes(8, "little"), self.pointer().to_bytes(8, "little")
        for at in range(40, 64, 4):
            raw[at:at + 4] = self.number(32).to_bytes(4, "little")
        if self.rng.integers(2):                 # an LBA and a length that can be
            raw[40:48] = int(self.rng.integers(2100)).to_bytes(8, "little")
            raw[48:50] = int(self.rng.integers(64)).to_bytes(2, "little")
        return bytes(raw)

    def run(self, pair, opcodes, count):
        """Push `count` entries through a queue pair, past the driver. Returns {status field: how many}."""
        sq, cq, waiting, seen, cid = pair.sq, pair.cq, set(), {}, 0
        deadline = time.monotonic() + 30
        while cid < count or waiting:
            while cid < count and sq.space and len(waiting) < 16:
                raw = self.entry(opcodes, cid)
                sq.push(raw)
                if not (pair.qid == 0 and raw[0] == ASYNC_EVENT_REQUEST):    # those wait for events
                    waiting.add(cid)
                cid += 1
            sq.ring()
            cq.pump(blocking=True)
            while (raw := cq.pop()) is not None:
                completion = Completion(raw)
                assert completion.sqid == pair.qid and completion.sqhd < sq.depth
                sq.head = int(completion.sqhd)
                if completion.cid in waiting:
                    waiting.remove(int(completion.cid))
                else:
                    assert pair.qid == 0                                     # an event, or an event request refused
                field = int(completion.status.field)
                assert field == 0 or status.lookup(field >> 8, field & 0xFF).title != "Unknown"
                seen[field] = seen.get(field, 0) + 1
            cq.ring()
            assert time.monotonic() < deadline, f"never completed: {sorted(waiting)}"
            if cid % 64 == 0:
                self.scramble()
        assert not cq.has_new()
        return seen


@pytest.fixture(params=["inline", "manual", "thread"])
def ctrl(request):
    with nvlab.attach(f"embedded:mode={request.param},size=1M,namespaces=2,dma=16M", timeout=5) as ctrl:
        yield ctrl
        assert ctrl.ssd.bug is None
        works(ctrl)


def works(ctrl):
    """After a reset the drive is as good as new."""
    ctrl.start()
    ctrl.namespaces[1].write(0, b"as good as new")
    assert bytes(ctrl.namespaces[1].read(0))[:4] == b"as g"


@pytest.mark.parametrize("seed", range(3))
def test_io_commands(ctrl, seed):
    pair = ctrl.create_io_queue_pair(17)
    seen = Fuzzer(ctrl, seed).run(pair, list(NVM), 1500)
    assert sum(seen.values()) == 1500
    for wanted in (status.SUCCESS, status.INVALID_OPCODE, status.INVALID_FIELD_IN_COMMAND, status.LBA_OUT_OF_RANGE,
                   status.INVALID_NAMESPACE_OR_FORMAT, status.INVALID_PRP_OFFSET, status.DATA_TRANSFER_ERROR):
        assert seen.get(wanted.field), f"never seen: {wanted}"


@pytest.mark.parametrize("seed", range(3))
def test_admin_commands(ctrl, seed):
    seen = Fuzzer(ctrl, seed).run(ctrl.admin, list(ADMIN), 1200)
    for wanted in (status.SUCCESS, status.INVALID_OPCODE, status.INVALID_FIELD_IN_COMMAND, status.INVALID_QUEUE_IDENTIFIER):
        assert seen.get(wanted.field), f"never seen: {wanted}"


@pytest.mark.parametrize("seed", range(3))
def test_doorbells(ctrl, seed):
    """Any value to any doorbell: commands may be fetched that nobody posted, and nothing worse."""
    rng = np.random.default_rng(seed)
    pairs = [ctrl.create_io_queue_pair(depth) for depth in (2, 8, 100)]
    fuzzer = Fuzzer(ctrl, seed)
    for pair in pairs:
        for slot in range(pair.depth):
            pair.sq.entries[slot] = np.frombuffer(fuzzer.entry([FLUSH, 1, 2, 9], slot), np.uint8)
    for _ in range(400):
        qid, sq = int(rng.integers(0, 66)), bool(rng.integers(2))
        if rng.integers(4):
            qid = int(rng.integers(1, 4))
        if qid == 0:
            continue                             # the admin rings hold the driver's own commands
        value = int(rng.integers(0, 1 << 32)) if rng.integers(3) == 0 else int(rng.integers(0, 120))
        offset = (registers.sq_tail_doorbell if sq else registers.cq_head_doorbell)(qid, 0)
        ctrl.bar.write32(offset, value)
        ctrl.function.pump(blocking=True)
        for pair in pairs:
            state = ctrl.ssd.queue_state(pair.qid)
            assert state["sq_head"] < pair.depth and state["cq_tail"] < pair.depth and state["phase"] in (0, 1)
    ctrl.identify()


@pytest.mark.parametrize("seed", range(3))
def test_register_writes(ctrl, seed):
    """Any value to any register, in both widths: the drive may stop, fail or start, and a reset brings it back."""
    rng = np.random.default_rng(seed)
    ids = ctrl.cap, ctrl.vs
    for _ in range(300):
        offset = int(rng.choice([0, 4, 8, 0xC, 0x10, 0x14, 0x1C, 0x20, 0x24, 0x28, 0x2C, 0x30, 0x34, int(rng.integers(0, 0x400)) * 4]))
        value = int(rng.integers(0, 1 << 32))
        if offset % 8 == 0 and rng.integers(2):
            ctrl.bar.write64(offset, value << 32 | int(rng.integers(0, 1 << 32)))
        else:
            ctrl.bar.write32(offset, value)
        ctrl.function.pump(blocking=True)
        ctrl.bar.read32(offset)
    ctrl.bar.write32(registers.CC.offset, 0)
    assert (ctrl.regs.CAP.read(), ctrl.regs.VS.read()) == ids
