# cython: language_level=3, boundscheck=False, wraparound=False
"""The event stream: what the host and the drive do, recorded where they do it, without a lock and without Python.

A lane has one writer at a time (a loop, or whoever holds the drive or the GIL) and a ring of fixed memory: the oldest events
make room for the newest and are counted. Off, a lane costs its writer one predictable branch.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import numpy as np

from nvlab._core.atomics cimport nv_load64, nv_now_ns
from nvlab.spec.errors import UsageError

KINDS = ("", "register read", "register write", "SQ doorbell", "CQ doorbell", "SQE posted", "SQE fetched", "DMA", "CQE posted",
         "CQE seen", "queue created", "queue deleted", "step", "controller reset",
         "register set", "interrupt", "fault", "SQ head doubted")
"""Names of the kinds of event, by number."""

SIDES = ("host", "drive")

EVENT = np.dtype([("time", "<u8"), ("kind", "u1"), ("side", "u1"), ("qid", "<u2"), ("index", "<u4"), ("a", "<u8"), ("b", "<u8")])
"""An event as the core writes it, 32 bytes: time in ns (monotonic), kind, side, queue, and what the kind needs."""

assert EVENT.itemsize == sizeof(event_t)


def now():
    """The clock of all events: monotonic nanoseconds."""
    return nv_now_ns()


def check_room(room):
    """`room`, a number of events that a lane can keep: a power of two from 2 to 2**28. Raises UsageError."""
    if not 2 <= room <= 1 << 28 or room & (room - 1):
        raise UsageError(f"a trace lane of {room} events: a power of two from 2 to 2**28")
    return room


cdef class Lane:
    """One writer's events. `room` of them are kept, a power of two; memory is taken at the first start()."""

    def __cinit__(self, str name="", room=1 << 16):
        memset(&self.lane, 0, sizeof(lane_t))
        self.name = name
        self.lane.mask = check_room(room) - 1

    def __dealloc__(self):
        free(self.lane.events)
        free(self.lane.sqes)

    def start(self, room=None):
        """Record from now on. `room` is how many events to keep, and counts at the first start: memory never moves later."""
        if self.lane.events == NULL:
            if room is not None:
                self.lane.mask = check_room(room) - 1
            self.lane.events = <event_t *>calloc(self.lane.mask + 1, sizeof(event_t))
            self.lane.sqes = <uint8_t *>calloc(self.lane.mask + 1, 64)
            if self.lane.events == NULL or self.lane.sqes == NULL:
                free(self.lane.events)
                free(self.lane.sqes)
                self.lane.events, self.lane.sqes = NULL, NULL
                raise MemoryError(f"no memory for {self.lane.mask + 1} trace events of 96 bytes")
        self.lane.on = 1

    def stop(self):
        """Record nothing more; what was recorded stays."""
        self.lane.on = 0

    def clear(self):
        """Forget what was recorded. Only while nothing records."""
        self.lane.head = self.lane.posted = 0

    @property
    def on(self):
        """True while it records."""
        return bool(self.lane.on)

    @property
    def written(self):
        """Events since the start, dropped ones included."""
        return nv_load64(&self.lane.head)

    @property
    def room(self):
        """Events that are kept."""
        return self.lane.mask + 1

    def record(self, uint32_t kind, uint32_t side, uint32_t qid=0, uint32_t index=0, uint64_t a=0, uint64_t b=0):
        """Record one event from Python. Does nothing while off."""
        if self.lane.on:
            emit(&self.lane, nv_now_ns(), kind, side, qid, index, a, b)

    def record_sqe(self, uint32_t qid, uint32_t slot, const uint8_t[::1] sqe):
        """Record a posted 64-byte entry from Python. Does nothing while off."""
        if self.lane.on and sqe.shape[0] == 64:
            emit_sqe(&self.lane, nv_now_ns(), SQE_POST, HOST, qid, slot, &sqe[0])

    def read(self):
        """(events, sqes, dropped): copies, oldest first; `sqes` is (n, 64) uint8, nonzero where an entry was posted.

        A lane may be read while its writer goes on: what it overtakes meanwhile is counted as dropped.
        """
        if self.lane.events == NULL:
            return np.zeros(0, EVENT), np.zeros((0, 64), np.uint8), 0
        cdef uint64_t room = self.lane.mask + 1, end = nv_load64(&self.lane.head), first, lost
        first = end - room if end > room else 0
        ring = np.asarray(<uint8_t[:room * sizeof(event_t)]><uint8_t *>self.lane.events).view(EVENT)
        entries = np.asarray(<uint8_t[:room, :64]>self.lane.sqes)
        order = np.arange(first, end, dtype=np.uint64) & np.uint64(self.lane.mask)
        events = ring[order]
        sqes = np.zeros((len(events), 64), np.uint8)
        posts = np.flatnonzero(events["kind"] == SQE_POST)
        sqes[posts] = entries[events["b"][posts] & np.uint64(self.lane.mask)]
        lost = nv_load64(&self.lane.head)
        lost = lost + 1 - room if lost + 1 > room else 0       # the slot being written now counts as gone
        if self.lane.on and lost > first:
            keep = min(<uint64_t>len(events), lost - first)
            return events[keep:], sqes[keep:], lost
        return events, sqes, first

    def __repr__(self):
        return f"Lane({self.name!r}, {self.written} events, {self.room} kept, {'on' if self.on else 'off'})"
