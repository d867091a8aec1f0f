"""What the debugger's prompt prints: arrivals, registers, rings, queues, memory."""
import sys

from nvlab.spec.commands import Command, Completion
from nvlab.spec.errors import UsageError
from nvlab.spec.render import Table
from nvlab.trace.backtrace import brief
from nvlab.trace.breakpoints import entry_text
from nvlab.trace.decode import completion_text

from .draw import MARKS, ring_text

__all__ = ["FORMATS", "UNITS", "arrival", "local_text", "memory", "prepare_terminal", "queues", "registers", "rings", "value_text"]

FORMATS = ("x", "d", "u", "o", "t", "c", "i")
UNITS = {"b": 1, "h": 2, "w": 4, "g": 8}
ROW = {"b": 8, "h": 8, "w": 4, "g": 2}


def arrival(debugger, name):
    """Where it stands now, or how it ended."""
    stop = debugger.stopped
    if stop is not None:
        return f"\n{stop}"
    if debugger.state == "running":
        return f"[{name} runs]"
    if debugger.killed or debugger.error is not None:
        return f"[{name} {'was killed' if debugger.killed else f'ended by {type(debugger.error).__name__}: {debugger.error}'}]"
    return f"[{name} ended with code {debugger.result()}]"


def value_text(value):
    """A value as the prompt shows it: as a notebook does where there is no HTML."""
    if isinstance(value, str):
        return value
    if hasattr(value, "_repr_mimebundle_") and not isinstance(value, type):
        return value._repr_mimebundle_().get("text/plain", repr(value))
    return repr(value)


def local_text(frame):
    """A frame's locals, one a line."""
    if frame.core:
        return "\n".join(f"{name} = {text}" for name, text in frame.args.items())
    return "\n".join(f"{name} = {brief(value)}" for name, value in frame.locals.items()) or "No locals."


# ---------------------------------------------------------------- registers, rings, queues

def registers(ctrl, name):
    """All registers as a table, or one with its fields."""
    if not name:
        return ctrl.regs.table().text()
    return ctrl.regs[int(name, 0) if name[:1].isdigit() else name.upper()].read().table().text()


def pairs_of(ctrl):
    """{qid: QueuePair} of a controller, the admin's included."""
    return {**({0: ctrl.admin} if ctrl.admin is not None else {}), **ctrl.io}


def rings(ctrl, qid):
    """The rings drawn: of one queue pair, or of all."""
    pairs = pairs_of(ctrl)
    if qid:
        wanted = int(qid) if qid.isdigit() else None
        if wanted not in pairs:
            raise UsageError(f"no queue pair {qid}: there are {', '.join(map(str, pairs)) or 'none'}")
        pairs = {wanted: pairs[wanted]}
    return "\n\n".join(ring_text(pair, ctrl.ssd, ascii=not can_draw()) for pair in pairs.values()) or "No queues."


def can_draw():
    """Whether the rings' marks can be written to stdout."""
    try:
        MARKS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def queues(ctrl, _=""):
    """A row for each queue."""
    sqs = {pair.sq.qid: pair.sq for pair in pairs_of(ctrl).values()}
    cqs = {**({0: ctrl.admin.cq} if ctrl.admin is not None else {}), **ctrl.io_cqs}
    rows = []
    for qid in sorted({*sqs, *cqs}):
        for queue in (sqs.get(qid), cqs.get(qid)):
            if queue is not None:
                sq = queue is sqs.get(qid)
                rows.append((queue.name, queue.depth, queue.tail if sq else "", queue.head, "" if sq else queue.phase,
                             f"{'SQ' if sq else 'CQ'}{qid}{'T' if sq else 'H'}DBL {queue.rung}", f"{queue.iova:#x}",
                             len(queue.outstanding) if sq else "", queue.owner or "Python"))
    columns = ("Queue", "Entries", "Tail", "Head", "Phase", "Doorbell", "IOVA", "Outstanding", "Owner")
    return Table("", columns, rows).text() if rows else "No queues."


# ---------------------------------------------------------------- memory

def spans(ctrl):
    """[(iova, entry size, depth, name)] of the rings."""
    found = []
    for pair in pairs_of(ctrl).values():
        found.append((pair.sq.iova, 64, pair.sq.depth, f"SQ{pair.sq.qid}"))
        found.append((pair.cq.iova, 16, pair.cq.depth, f"CQ{pair.cq.qid}"))
    return found


def entry_at(ctrl, address):
    """(name, slot, offset in the entry, entry size) of the ring that holds an address, or None."""
    for iova, size, depth, name in spans(ctrl):
        if iova <= address < iova + size * depth:
            return name, (address - iova) // size, (address - iova) % size, size
    return None


def symbol(ctrl, address):
    """" <SQ0[1]+16>", or nothing."""
    found = entry_at(ctrl, address)
    return "" if found is None else f" <{found[0]}[{found[1]}]{f'+{found[2]}' if found[2] else ''}>"


def memory(ctrl, address, count, form, unit):
    """(text, next address): `count` units at a bus address, then the queue entries that lie wholly among them in words.

    Raises UsageError where no memory is mapped.
    """
    if form == "i":
        return entries(ctrl, address, count)
    size, row = UNITS[unit], ROW[unit]
    raw = ctrl.dma.map.read(address, count * size)
    units = [int.from_bytes(raw[i:i + size], "little") for i in range(0, len(raw), size)]
    places = [f"{at:#x}{symbol(ctrl, at)}:" for at in range(address, address + len(raw), row * size)]
    width = max(map(len, places))
    lines = [f"{place:{width}}  {' '.join(_number(unit, form, size) for unit in units[at * row:at * row + row])}"
             for at, place in enumerate(places)]
    return "\n".join(lines + list(_covered(ctrl, address, raw))), address + len(raw)


def _number(value, form, size):
    if form == "d":
        value -= (value >> 8 * size - 1) << 8 * size
    if form == "c":
        return f"{value} {chr(value)!r}" if 32 <= value < 127 else str(value)
    return {"x": f"{value:#0{2 + 2 * size}x}", "o": f"{value:#o}", "t": f"{value:0{8 * size}b}"}.get(form, str(value))


def _covered(ctrl, address, raw):
    """Lines for the queue entries that `raw` holds from end to end, unless they are empty."""
    at = address
    while at < address + len(raw):
        found = entry_at(ctrl, at)
        if found is None:
            at += 16
            continue
        name, slot, offset, size = found
        whole = raw[at - address:at - address + size]
        if not offset and len(whole) == size and any(whole):
            yield f"{name}[{slot}]: {entry(name, whole)}"
        at += size - offset


def entries(ctrl, address, count):
    """(text, next address): the queue entries from an address on, decoded as a disassembler does instructions."""
    lines = []
    for _ in range(count):
        found = entry_at(ctrl, address)
        if found is None and lines:
            break
        if found is None or found[2]:
            raise UsageError(f"{address:#x}: no queue entry begins there; x/i ctrl.admin.sq.iova shows the first, info queues the others")
        name, slot, _, size = found
        lines.append(f"{address:#x} <{name}[{slot}]>:  {entry(name, ctrl.dma.map.read(address, size))}")
        address += size
    return "\n".join(lines), address


def entry(name, raw):
    """A queue entry in words: with its PRPs for a command."""
    if not any(raw):
        return "empty"
    if name.startswith("CQ"):
        return completion_text(Completion(raw))
    command = Command.decode(raw, admin=name == "SQ0")
    prps = "".join(f" {prp}={int(getattr(command, prp)):#x}" for prp in ("prp1", "prp2") if getattr(command, prp))
    return entry_text(command) + prps


def prepare_terminal(words):
    """History, editing and completion of the words, where Python has them."""
    try:
        import readline
    except ImportError:
        return
    from nvlab.spec.registers import ALL
    choices = [*words, *ALL, "SQ0TDBL", "CQ0HDBL", "SQ1TDBL", "CQ1HDBL", "registers", "rings", "queues", "breakpoints", "locals"]
    readline.set_completer(lambda text, at: [*(word + " " for word in choices if word.startswith(text)), None][at] if text else None)
    readline.parse_and_bind("tab: complete")
