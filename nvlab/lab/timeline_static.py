"""A still picture of a timeline: its last events one beside the other, with the arrows between host and drive."""

from html import escape

import numpy as np

from nvlab._core.trace import KINDS, Kind
from nvlab.lab.static import COLOURS, FONT, INK
from nvlab.trace.decode import Event

SHOWN = 44
LEFT, PITCH, LANE, TOP = 112, 19, 74, 30

MARKS = {
    Kind.SQE_POST: ("circle", COLOURS["posted"]), Kind.SQ_DOORBELL: ("play", COLOURS["rung"]),
    Kind.SQE_FETCH: ("diamond", COLOURS["fetched"]), Kind.DMA: ("bar", "#999999"), Kind.CQE_POST: ("circle", COLOURS["posted"]),
    Kind.CQE_SEEN: ("down", COLOURS["polled"]), Kind.CQ_DOORBELL: ("play", COLOURS["rung"]),
    Kind.REG_READ: ("ring", "#56B4E9"), Kind.REG_WRITE: ("square", "#D55E00"), Kind.REG_SET: ("square", "#CC79A7"),
    Kind.STEP: ("flag", "#7a828e"), Kind.INTERRUPT: ("bolt", "#F0E442"), Kind.FAULT: ("cross", "#D55E00"),
    Kind.RESET: ("cross", "#7a828e"),
}
"""Kind -> (shape, colour): what tells a kind is its shape; the colours are those of the rings."""

SHAPES = {
    "circle": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", "ring": "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0Z",
    "play": "M-3.4 -4.6L5 0L-3.4 4.6Z", "diamond": "M0 -5.4L5.4 0L0 5.4L-5.4 0Z", "down": "M-4.8 -3.6L4.8 -3.6L0 4.8Z",
    "square": "M-4 -4H4V4H-4Z", "bar": "M-1.6 -5H1.6V5H-1.6Z", "flag": "M-1 5V-6L6 -3.2L-1 -.4", "bolt": "M1 -6L-4 1H0L-1 6L4 -1H0Z",
    "cross": "M-4 -4L4 4M4 -4L-4 4", "dot": "M-2 0a2 2 0 1 0 4 0a2 2 0 1 0 -4 0Z",
}


def lane_name(key):
    """What a row is called: -1 is the controller."""
    return "Controller" if key < 0 else "Admin queue" if key == 0 else f"I/O queue {key}"


def picture(level, instant=None):
    """The last events before `instant` (None: the end) that `level` lets pass, as one SVG picture."""
    end = level.count if instant is None else int(np.searchsorted(level.numbers, instant))
    first = max(0, end - SHOWN)
    events = [Event(level.recording, int(n)) for n in level.numbers[first:end]]
    rows = {lane: n for n, lane in enumerate(sorted({int(level.rows[first + i]) for i in range(len(events))} - {-1}))}
    width, height = LEFT + max(16, len(events)) * PITCH + 20, TOP + max(1, len(rows)) * LANE + 26
    parts = [_text(0, 15, level.recording.title, 13, weight=600)]
    for lane, row in rows.items():
        parts += _lane(level.lanes[lane], TOP + row * LANE, width)
    at = [(LEFT + i * PITCH, _height(e, rows.get(int(level.rows[first + i])))) for i, e in enumerate(events)]
    parts += _arrows(level, first, events, at)
    parts += [_mark(e, *place) for e, place in zip(events, at) if place[1] is not None]
    if events:
        note = f"{first} earlier events are not drawn; e" if first else "E"
        span = (events[-1].time - events[0].time) / 1000
        parts.append(_text(0, height - 6, f"{note}vents stand side by side, {span:,.1f} µs from the first to the last", 11))
    else:
        parts.append(_text(0, TOP + 20, "No events.", 12))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'style="max-width:100%;height:auto">{"".join(parts)}</svg>')


def _height(event, row):
    return None if row is None else TOP + row * LANE + (20 if event.side == "host" else LANE - 16)


def _lane(key, y, width):
    host, drive = y + 20, y + LANE - 16
    return [f'<rect x="0" y="{y + 4}" width="{width}" height="{LANE - 6}" rx="5" fill="{INK}" fill-opacity=".07"/>',
            _text(6, y + 42, lane_name(key), 12, weight=600),
            _text(LEFT - 14, host + 4, "host", 10, anchor="end"), _text(LEFT - 14, drive + 4, "drive", 10, anchor="end"),
            *(f'<path d="M{LEFT - 10} {h + .5}H{width - 6}" stroke="{INK}" stroke-opacity=".45"/>' for h in (host, drive))]


def _arrows(level, first, events, at):
    """From posting to fetch, from completion posted to seen; a doorbell and a register access cross at once."""
    place = {(e.kind, int(level.recording.links[e.number])): at[i] for i, e in enumerate(events)
             if level.recording.links[e.number] >= 0}
    parts = []
    for a, b in ((Kind.SQE_POST, Kind.SQE_FETCH), (Kind.CQE_POST, Kind.CQE_SEEN)):
        for (kind, link), start in place.items():
            end = place.get((b, link)) if kind == a else None
            if end and None not in (start[1], end[1]):
                parts.append(_line(start, end, COLOURS["posted" if a == Kind.SQE_POST else "polled"]))
    down = (Kind.SQ_DOORBELL, Kind.CQ_DOORBELL, Kind.REG_WRITE)
    for event, (x, y) in zip(events, at):
        if y is not None and event.kind in down:
            parts.append(_line((x, y), (x, y + LANE - 36), INK, dash=True))
    return parts


def _line(start, end, colour, dash=False):
    (x1, y1), (x2, y2) = start, end
    lead = 6 if y2 > y1 else -6
    style = ' stroke-dasharray="3 3"' if dash else ""
    return (f'<path d="M{x1} {y1 + lead}L{x2} {y2 - lead}" stroke="{colour}" stroke-width="1.4" fill="none"{style}/>'
            f'<path d="M{x2 - 3} {y2 - 1.6 * lead}L{x2} {y2 - .6 * lead}L{x2 + 3} {y2 - 1.6 * lead}" stroke="{colour}" fill="none"/>')


def _mark(event, x, y):
    shape, colour = MARKS.get(event.kind, ("dot", INK))
    hollow = shape in ("ring", "cross", "flag")
    paint = f'fill="none" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}" stroke="#1b1b1b" stroke-width=".6"'
    title = escape(f"{event.time / 1000:.3f} µs, {event.side}: {KINDS[event.kind]}, {event.text}")
    return f'<path d="{SHAPES[shape]}" transform="translate({x} {y})" {paint}><title>{title}</title></path>'


def _text(x, y, words, size, anchor="start", weight=400):
    return (f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{INK}" text-anchor="{anchor}" {FONT}>'
            f"{escape(words)}</text>")
