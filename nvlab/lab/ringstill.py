"""The still picture of queue pairs: small SVG on paper of its own, readable on a light and on a dark page."""

from nvlab.lab.past import runs
from nvlab.lab.static import COLOURS
from nvlab.tools import draw

WIDTH, PAD = 700, 14
INK, DIM, HOST, DRIVE, EDGE, PAPER = "#24292f", "#57606a", "#24292f", "#0072b2", "#b3bac3", "#fff"
PATHS = {
    "posted": "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z", "rung": "m-3-4l7.2 4-7.2 4z", "fetched": "m0-4.6l4.6 4.6-4.6 4.6-4.6-4.6z",
    "polled": "m-4.2-3h8.4l-4.2 7.2z", "done": "m-4 .2l2.8 2.8 5.2-7", "stale": "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
}
OPEN = ("done", "stale")          # marks that are lines
LETTERS = {"head": "H", "tail": "T", "rung": "D"}


def picture(pairs, shown, title) -> str:
    """SVG of several `draw.Rings`: a line for each where there are several, and the one with qid `shown` slot by slot."""
    chosen = next(rings for rings in pairs if rings.qid == shown)
    name = f"{'I/O' if shown else 'Admin'} queue pair {shown}"
    parts, y = [_named(26, 15, name, 12, title)], 40
    if len(pairs) > 1:
        for rings in pairs:
            parts += _line(rings, y, rings.qid == shown)
            y += 22
        y += 6
    if chosen.busy or chosen.sq is None:
        parts.append(_text(PAD, y + 14, draw.rings_text(chosen), 12))
        return _svg(y + 30, parts)
    used = set()
    for ring in (chosen.sq, chosen.cq):
        piece, y = _ring(ring, y + 4)
        parts += piece
        used |= {draw.LIVES[life] for life in ring.life.tolist()}
    return _svg(y + 44, parts + _legend(y + 14, used))


def _line(rings, y, chosen):
    parts = [_text(PAD, y + 13, f"{'I/O' if rings.qid else 'Admin'} {rings.qid}", 12, INK, bold=chosen)]
    for ring, x in ((rings.sq, 90), (rings.cq, 400)):
        if ring is None:
            parts.append(_text(x, y + 13, rings.busy or "", 12))
            continue
        parts.append(_text(x, y + 13, f"{ring.kind}{ring.qid} · {ring.depth}", 11))
        at, wide = 0, 190
        found = runs(ring.life)
        for life, count in zip(found[::2], found[1::2]):
            name = draw.LIVES[life]
            least = 0 if name in ("free", "done", "stale") else 4          # what waits is seen in the largest ring
            parts.append(f"<rect x='{x + 80 + at / ring.depth * wide:.1f}' y='{y + 3}' width='{max(least, count / ring.depth * wide):.1f}' height='12' "
                         f"fill='{COLOURS[name]}' stroke='{EDGE}'/>")
            at += count
    return parts


def _ring(ring, top):
    """One queue slot by slot: (parts, where it ends)."""
    small = ring.depth <= 64
    columns = 16 if small else 64 if ring.depth <= 1024 else 128
    columns = min(columns, ring.depth)
    size = 42 if small else (WIDTH - 2 * PAD) / columns
    pitch = 66 if small else size
    host, drive = ring.beliefs()
    parts = [_named(top + 14, 13, f"{ring.kind}{ring.qid}", 11, f"{ring.depth} entries · {host} · {drive}")]
    top += 24 + (12 if small else 0)
    for life in sorted(set(ring.life.tolist())):
        parts += _slots(ring, life, columns, size, pitch, top, small)
    if small:
        shown = range(0, ring.depth, 1 if ring.depth <= 32 else 4)
        numbers = "".join(f"<text x='{PAD + slot % columns * size + 20}' y='{top + slot // columns * pitch + 35}'>{slot}</text>" for slot in shown)
        parts.append(f"<g font-size='9' fill='{INK}' text-anchor='middle'>{numbers}</g>")
    return parts + _pointers(ring, columns, size, pitch, top, small), top + -(-ring.depth // columns) * pitch + (0 if small else 12)


def _slots(ring, life, columns, size, pitch, top, small):
    """All slots of one life as one path, and their marks as another; in a large ring neighbours are one box."""
    name, boxes, marks = draw.LIVES[life], [], []
    at = 0
    found = runs(ring.life)
    for value, count in zip(found[::2], found[1::2]):
        slots, at = range(at, at + count), at + count
        if value != life:
            continue
        for first, many in _pieces(slots, 1 if small else columns, columns):
            x, y, gap = PAD + first % columns * size, top + first // columns * pitch, 2 if small else 0.8
            wide, high = many * size - gap, size - 4 if small else size - gap
            boxes.append(f"M{x:.4g} {y:.4g}h{wide:.4g}v{high:.4g}h-{wide:.4g}z")
            if small and name in PATHS:
                marks.append(f"M{x + 20:.4g} {y + 14:.4g}{PATHS[name]}")
    out = [f"<path d='{''.join(boxes)}' fill='{COLOURS[name]}' stroke='{EDGE}'/>"]
    if marks:
        look = "fill='none' stroke='#1b1b1b' stroke-width='1.8'" if name in OPEN else "fill='#1b1b1b'"
        out.append(f"<path d='{''.join(marks)}' {look}/>")
    return out


def _pieces(slots, most, columns):
    """(first, how many) of runs of slots, cut at the ends of rows and at `most`."""
    at = slots.start
    while at < slots.stop:
        many = min(most, slots.stop - at, columns - at % columns)
        yield at, many
        at += many


def _pointers(ring, columns, size, pitch, top, small):
    found = {}
    for side, name, slot in ring.pointers():
        found.setdefault((side, slot), []).append(LETTERS[name] if side == "host" else LETTERS[name].lower())
    parts = []
    for (side, slot), letters in found.items():
        x, y = PAD + slot % columns * size, top + slot // columns * pitch
        colour = HOST if side == "host" else DRIVE
        if small:
            parts.append(_text(x + 20, y - 4 if side == "host" else y + size + 9, " ".join(letters), 11, colour, "middle", bold=True))
        else:
            parts.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{size:.1f}' height='{size:.1f}' fill='none' stroke='{colour}' stroke-width='2'/>")
            parts.append(_text(x + size / 2, y + (-2 if side == "host" else size + 9), "".join(letters), 10, colour, "middle", bold=True, halo=True))
    return parts


def _legend(y, used):
    parts, x = [], PAD
    for name in draw.LIVES:
        if name not in used:
            continue
        parts.append(f"<rect x='{x}' y='{y - 10}' width='12' height='12' rx='2' fill='{COLOURS[name]}' stroke='{EDGE}'/>")
        parts.append(_text(x + 17, y, name, 11))
        x += 26 + 7 * len(name)
    parts.append(_text(PAD, y + 18, "above, the host's: H head, T tail, D doorbell", 11, HOST))
    return [*parts, _text(PAD + 260, y + 18, "below, the drive's: h head, t tail", 11, DRIVE)]


def _named(y, size, name, smaller, words):
    """A name, and what there is to say of it behind it, wherever the font lets it end."""
    first, second = (part.replace("&", "&amp;").replace("<", "&lt;") for part in (name, words))
    return (f"<text x='{PAD}' y='{y:g}' font-size='{size}' font-weight='700' fill='{INK}'>{first}"
            f"<tspan dx='12' font-size='{smaller}' font-weight='400' fill='{DIM}'>{second}</tspan></text>")


def _text(x, y, words, size, fill=DIM, anchor="start", bold=False, halo=False):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    extra = " font-weight='700'" if bold else ""
    extra += f" text-anchor='{anchor}'" if anchor != "start" else ""
    extra += f" stroke='{PAPER}' stroke-width='3' paint-order='stroke'" if halo else ""
    return f"<text x='{x:g}' y='{y:g}' font-size='{size}' fill='{fill}'{extra}>{words}</text>"


def _svg(height, parts):
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' height='{height:.0f}' role='img' "
            f"font-family='system-ui,Segoe UI,Helvetica,Arial,sans-serif'><rect width='{WIDTH}' height='{height:.0f}' rx='8' fill='{PAPER}'/>"
            f"{''.join(parts)}</svg>")
