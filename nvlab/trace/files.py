"""Recordings in files: a zip of numpy arrays, as np.savez writes them, without pickle; opened without the device."""
import json
import os

import numpy as np

from nvlab._core.trace import EVENT, KINDS, SIDES, Kind
from nvlab.spec.errors import UsageError

from .baseline import CQ, SQ, Baseline
from .recording import RECORD, Recording

FORMAT, VERSION = "nvlab trace", 1
_RING = {"sq": SQ, "cq": CQ}
_MEMORY = "memory-"
_WRITERS = ("host", "perf", "drive")


def save(recording, path):
    """Write `recording` to `path`. Returns the path. Raises UsageError when it can't be written."""
    events = recording.events
    posts = events["kind"] == Kind.SQE_POST
    about = {"format": FORMAT, "version": VERSION, "address": recording.address, "origin": int(recording.origin),
             "began": int(recording.began), "dropped": int(recording.dropped), "gaps": recording.gaps,
             "texts": list(recording.texts), "partial": recording.partial, "baseline": recording.baseline.to_json()}
    core = np.zeros(len(events), EVENT)
    for name in EVENT.names:
        core[name] = events[name]
    base = recording.baseline
    entries = {f"{prefix}{'sq' if ring == SQ else 'cq'}{qid}": array for prefix, arrays in (("", base.entries), (_MEMORY, base.memory))
               for (ring, qid), array in arrays.items()}
    try:
        with open(path, "wb") as file:
            np.savez_compressed(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), events=core,
                                sqes=events["sqe"][posts], **entries)
    except OSError as error:
        raise UsageError(f"{os.fspath(path)}: the recording can't be written: {error.strerror or error}") from None
    return path


def load(path):
    """The Recording that save() wrote to `path`. Raises UsageError when it isn't there, is no recording, or is damaged."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return _decode(arrays)
    except OSError as error:
        raise UsageError(f"{os.fspath(path)}: can't be read as a recording: {error.strerror or error}") from None
    except Exception as error:                   # whatever a foreign or damaged file makes zipfile, numpy or json say
        raise UsageError(f"{os.fspath(path)}: no recording of nvlab, or a damaged one ({error or type(error).__name__})") from None


def _decode(arrays):
    if "about" not in getattr(arrays, "files", ()):
        raise UsageError("it holds something else")
    about = json.loads(arrays["about"].tobytes())
    if about["format"] != FORMAT or about["version"] != VERSION:
        raise UsageError(f"format {about['format']!r} version {about['version']!r}; this nvlab reads version {VERSION}")
    core, sqes = arrays["events"], arrays["sqes"]
    _check_events(core, sqes)
    events = np.zeros(len(core), RECORD)
    for name in EVENT.names:
        events[name] = core[name]
    events["sqe"][core["kind"] == Kind.SQE_POST] = sqes
    entries, memory = _rings(arrays, ""), _rings(arrays, _MEMORY)
    gaps = {name: int(about["gaps"][name]) for name in _WRITERS if name in about["gaps"]}
    if any(not 0 <= gap <= len(events) for gap in gaps.values()):
        raise UsageError("its gaps lie outside of it")
    return Recording(events, address=str(about["address"]), origin=int(about["origin"]), began=int(about["began"]),
                     dropped=int(about["dropped"]), gaps=gaps, baseline=Baseline.from_json(about["baseline"], entries, memory),
                     texts=[str(text) for text in about["texts"]], partial=bool(about["partial"]))


def _rings(arrays, prefix):
    """{(SQ or CQ, qid): entries} of the arrays that are called so."""
    named = ((name, name[len(prefix):]) for name in arrays.files if name.startswith(prefix))
    return {(_RING[rest[:2]], int(rest[2:])): arrays[name] for name, rest in named if rest[:2] in _RING and rest[2:].isdigit()}


def _check_events(core, sqes):
    """Raise UsageError unless these can be the events of a recording."""
    if core.dtype != EVENT or core.ndim != 1 or sqes.dtype != np.uint8 or sqes.ndim != 2 or sqes.shape[1] != 64:
        raise UsageError("its events have another form")
    if len(sqes) != np.count_nonzero(core["kind"] == Kind.SQE_POST):
        raise UsageError("an entry is missing")
    if len(core) and (core["kind"].min() < 1 or core["kind"].max() >= len(KINDS) or core["side"].max() >= len(SIDES)):
        raise UsageError("it holds events of unknown kinds")
    if np.any(core["time"][1:] < core["time"][:-1]):
        raise UsageError("its times run backwards")
