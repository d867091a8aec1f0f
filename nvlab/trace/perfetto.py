"""Recordings as timelines: the Trace Event format, in JSON, that ui.perfetto.dev and chrome://tracing open.

Each submission queue is a process with a slice for every command (an async one, since commands overlap), an instant for every
doorbell, interrupt and fault, and a counter of the commands in flight; the controller's registers and the steps of its
bring-up are another. Perfetto reads such JSON as its json_trace_parser does: a thread is found by its number alone, so no two
processes share one, and 0 is nobody's; times are cut, not rounded, to whole nanoseconds.
"""
import json
import math
import os

import numpy as np

from nvlab._core.trace import Kind
from nvlab.spec.commands import Command
from nvlab.spec.errors import UsageError

from .decode import completion_of, name_of

CONTROLLER, FIRST_QUEUE = 1, 2
"""Process numbers: of the registers, of SQ 0; each queue has one."""

TRACKS = {1: "doorbells", 2: "registers", 3: "steps", 4: "interrupts", 5: "faults"}
"""Threads of a process, beside its commands, which are number 0."""

FIRST_THREAD, THREADS = 1 << 20, 16
"""The lowest thread number, above all process numbers, and how many a process may have."""


def write(recording, path):
    """Write `recording` to `path` as Trace Event JSON. Returns the path. Raises UsageError when it can't be written."""
    head = {"displayTimeUnit": "ns", "otherData": {"controller": recording.address, "origin_ns": int(recording.origin),
                                                   "dropped": int(recording.dropped)}}
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(head)[:-1] + ', "traceEvents": [\n')
            between = ""
            for event in trace_events(recording):
                file.write(between + json.dumps(event))
                between = ",\n"
            file.write("\n]}\n")
    except OSError as error:
        raise UsageError(f"{os.fspath(path)}: the timeline can't be written: {error.strerror or error}") from None
    return path


def trace_events(recording):
    """Yield the entries of traceEvents, as dicts; `ts` is in microseconds since the recording began."""
    yield from _names(recording)
    yield from _instants(recording)
    yield from _slices(recording)
    yield from _counters(recording)


def _names(recording):
    """What the tracks are called, and their order."""
    yield _meta("process_name", CONTROLLER, name=f"{recording.address or 'controller'} registers")
    kinds, qids = recording.events["kind"], recording.events["qid"]
    used = {(CONTROLLER, 2), (CONTROLLER, 3)}
    for kind, track in _INSTANTS.items():
        if track not in OF_CONTROLLER:
            used |= {(FIRST_QUEUE + int(qid), track) for qid in np.unique(qids[kinds == kind])}
    for pid, track in sorted(used):
        yield _meta("thread_name", pid, track, name=TRACKS[track])
    queues = {pid - FIRST_QUEUE for pid, _ in used if pid >= FIRST_QUEUE} | {int(q) for q in np.unique(recording.commands["sqid"])}
    for qid in sorted(queues):
        pid = FIRST_QUEUE + qid
        yield _meta("process_name", pid, name=f"Queue {qid}{' (admin)' if qid == 0 else ''}")
        yield _meta("process_sort_index", pid, sort_index=pid)


def _meta(kind, pid, track=0, **args):
    return {"ph": "M", "name": kind, "pid": pid, "tid": _tid(pid, track), "ts": 0, "args": args}


def _tid(pid, track):
    return FIRST_THREAD + pid * THREADS + track


def _us(ns):
    """Nanoseconds as the microseconds of `ts`, such that a reader who cuts what is left of a nanosecond gets them back."""
    us = ns / 1000
    while int(us * 1000) < ns:
        us = math.nextafter(us, math.inf)
    return us


_INSTANTS = {Kind.SQ_DOORBELL: 1, Kind.CQ_DOORBELL: 1, Kind.REG_READ: 2, Kind.REG_WRITE: 2, Kind.STEP: 3, Kind.INTERRUPT: 4,
             Kind.FAULT: 5}
OF_CONTROLLER = (2, 3)


def _instants(recording):
    """Doorbells, register accesses, steps, interrupts, faults."""
    wanted = np.isin(recording.events["kind"], [int(kind) for kind in _INSTANTS])
    for number in np.flatnonzero(wanted).tolist():
        event = recording[number]
        track = _INSTANTS[event.kind]
        pid = CONTROLLER if track in OF_CONTROLLER else FIRST_QUEUE + event.qid
        value = event.b if pid == CONTROLLER else event.index
        yield {"ph": "i", "s": "t", "name": event.text, "cat": "nvme", "pid": pid, "tid": _tid(pid, track), "ts": _us(event.time),
               "args": {"side": event.side, "value": f"{value:#x}"}}


def _slices(recording):
    """A slice for each command, from its posting to its completion seen; one that was still out at the end has no end."""
    time = recording.events["time"].astype(np.int64)
    for number, row in enumerate(recording.commands):
        pid = FIRST_QUEUE + int(row["sqid"])
        same = {"cat": f"SQ{row['sqid']}", "name": name_of(int(row["opcode"]), row["sqid"] == 0), "id": f"{number + 1:#x}",
                "pid": pid, "tid": _tid(pid, 0)}
        yield {"ph": "b", **same, "ts": _us(int(time[row["posted"]])), "args": _about(recording, row, time)}
        if row["seen"] >= 0:
            seen = recording.events[row["seen"]]
            status = completion_of(int(seen["a"]), int(seen["b"])).status
            yield {"ph": "e", **same, "ts": _us(int(time[row["seen"]])), "args": {"status": str(status)}}


def _about(recording, row, time):
    """What a click on a slice shows: the command, and where its time went (us)."""
    command = Command.decode(recording.events["sqe"][row["posted"]].tobytes(), admin=bool(row["sqid"] == 0))
    args = {"command": command.brief(), "cid": int(row["cid"]), "nsid": int(row["nsid"])}
    if "slba" in command.fields:
        args["slba"] = int(command.slba)
    if row["seen"] >= 0:
        seen = recording.events[row["seen"]]
        args["status"] = str(completion_of(int(seen["a"]), int(seen["b"])).status)
    for name, first, last in (("posted to fetched", "posted", "fetched"), ("fetched to completed", "fetched", "completed"),
                              ("completed to seen", "completed", "seen")):
        if row[first] >= 0 and row[last] >= 0:
            args[f"{name} (us)"] = int(time[row[last]] - time[row[first]]) / 1000
    return args


def _counters(recording):
    """How many commands of each queue are in flight."""
    commands, time = recording.commands, recording.events["time"].astype(np.int64)
    for qid in np.unique(commands["sqid"]).tolist():
        mine = commands[commands["sqid"] == qid]
        seen = mine["seen"][mine["seen"] >= 0]
        places = np.concatenate([mine["posted"], seen])
        steps = np.concatenate([np.ones(len(mine), np.int64), -np.ones(len(seen), np.int64)])
        order = np.argsort(places, kind="stable")
        for place, flying in zip(places[order].tolist(), np.cumsum(steps[order]).tolist()):
            yield {"ph": "C", "name": "in flight", "pid": FIRST_QUEUE + qid, "tid": _tid(FIRST_QUEUE + qid, 0), "ts": _us(int(time[place])),
                   "args": {"commands": flying}}
