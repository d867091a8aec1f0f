"""A drive without a driver: rings, doorbells and registers by hand, so that nothing else is tested."""
import mmap

import numpy as np

from nvlab import bdev
from nvlab._core.memory import DmaPool
from nvlab.spec import registers
from nvlab.spec.commands import Completion, cmd
from nvlab.spec.registers import ACQ, AQA, ASQ, CC
from nvlab.target.pcie import Ssd
from nvlab.target.subsystem import Subsystem

ENTRIES = 16
"""Of each queue."""


class RawDrive:
    """An embedded SSD with an admin queue and `queues` I/O queue pairs of 16 entries; reads its completion queues by hand.

    Completions are found by the tail that the drive itself believes in: their Phase Tags may be wrong.
    """

    def __init__(self, queues=2, mode="manual"):
        self.pool, subsystem = DmaPool(1 << 20), Subsystem()
        subsystem.add_namespace(bdev.create("malloc", 1 << 16, 512))
        self.memory, self.queues, self.mode = mmap.mmap(-1, 0x2000), queues, mode
        self.ssd = Ssd(subsystem, self.memory, self.pool.map, mode="manual", queues=queues, entries=ENTRIES)
        self.data = self.pool.alloc(8192)
        self.sq = [self.pool.alloc(4096) for _ in range(queues + 1)]
        self.cq = [self.pool.alloc(4096) for _ in range(queues + 1)]
        self.start()

    def write(self, register, value):
        self.ssd.write_register(register.offset, int(value), register.size)

    def start(self):
        """Enable the controller and create the I/O queues; after a reset, or at first."""
        self.write(CC, 0)
        self.write(AQA, AQA.encode(ASQS=ENTRIES - 1, ACQS=ENTRIES - 1))
        self.write(ASQ, self.sq[0].iova), self.write(ACQ, self.cq[0].iova)
        self.write(CC, CC.encode(EN=1, IOSQES=6, IOCQES=4))
        self.tail, self.head, self.next_cid = [0] * (self.queues + 1), [0] * (self.queues + 1), 0
        armed, self.ssd.faults.armed = self.ssd.faults.armed, ()             # the set-up itself is not under test
        self.ssd.mode = "manual"
        for qid in range(1, self.queues + 1):
            self.create(qid)
        self.ssd.mode, self.ssd.faults.armed = self.mode, armed

    def create(self, qid):
        self.submit(0, cmd.create_io_cq(qid=qid, qsize=ENTRIES - 1, pc=1, prp1=self.cq[qid]))
        self.submit(0, cmd.create_io_sq(qid=qid, qsize=ENTRIES - 1, pc=1, cqid=qid, prp1=self.sq[qid]))
        while self.ssd.step():
            pass
        assert all(completion.ok for completion in self.take(0))

    def space(self, qid):
        """Entries that can be posted."""
        state = self.ssd.queue_state(qid)
        return ENTRIES - 1 - (self.tail[qid] - state["sq_head"]) % ENTRIES if state else 0

    def submit(self, qid, command):
        """Post one command and ring. Returns its cid."""
        command.cid, self.next_cid = self.next_cid, (self.next_cid + 1) % 0xFFFF
        slot = self.tail[qid] * 64
        self.sq[qid][slot:slot + 64] = np.frombuffer(bytes(command), np.uint8)
        self.tail[qid] = (self.tail[qid] + 1) % ENTRIES
        self.ring(registers.sq_tail_doorbell(qid), self.tail[qid])
        return int(command.cid)

    def ring(self, offset, value):
        self.memory[offset:offset + 4] = value.to_bytes(4, "little")

    def take(self, qid):
        """The Completions that were posted since the last call; their slots are given back."""
        state, found = self.ssd.queue_state(qid), []
        while state and self.head[qid] != state["cq_tail"]:
            found.append(Completion(bytes(self.cq[qid][self.head[qid] * 16:self.head[qid] * 16 + 16])))
            self.head[qid] = (self.head[qid] + 1) % ENTRIES
        if found:
            self.ring(registers.cq_head_doorbell(qid), self.head[qid])
        return found

    def close(self):
        self.ssd.close()
        self.ssd.subsystem.close()
