"""Still pictures for the course: drawn from a live controller or from numbers just measured, never from memory.

Each is a Picture: SVG in a notebook, lines of text where there are no pictures.
"""
import math
from html import escape

from nvlab._core.trace import KINDS
from nvlab.spec import registers

__all__ = ["Picture", "bar_map", "bars", "prp_map", "lanes"]

INK, BLUE, ORANGE, GREEN, PINK = "#7a828e", "#56B4E9", "#E69F00", "#009E73", "#CC79A7"
"""Grey that reads on white and on black, and Okabe and Ito's colours."""
FONT = "ui-sans-serif,system-ui,Segoe UI,Helvetica,Arial,sans-serif"


class Picture:
    """An SVG and what it says in text."""

    def __init__(self, text, width, height, parts):
        self.text = text
        self.svg = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
                    f'aria-label="{escape(text.splitlines()[0] if text else "")}">{"".join(parts)}</svg>')

    def __repr__(self):
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": self.text, "image/svg+xml": self.svg}


def _words(x, y, text, fill=INK, anchor="start", size=12, weight=400):
    return (f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
            f'font-family="{FONT}">{escape(str(text))}</text>')


def _box(x, y, width, height, fill="none", title=""):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height}" rx="3" fill="{fill}" stroke="{INK}">'
            f'<title>{escape(title)}</title></rect>')


def _line(x1, y1, x2, y2, arrow=False):
    tip = ""
    if arrow:
        step = -6 if x2 < x1 else 6
        tip = f'<path d="M{x2} {y2}l{-step} -3.5v7z" fill="{INK}"/>'
    return f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{INK}" fill="none"/>{tip}'


def bar_map(ctrl, pairs=3):
    """What lies where in BAR0: the properties, the doorbells of the first `pairs` queue pairs, the MSI-X table."""
    stride = 4 << int(ctrl.cap.DSTRD)
    rows = [("0000h", "controller properties: CAP, VS, CC, CSTS, AQA, ASQ, ACQ …", BLUE)]
    for qid in range(pairs):
        for is_cq in (False, True):
            register = registers.lookup(f"{'CQ' if is_cq else 'SQ'}{qid}{'H' if is_cq else 'T'}DBL", int(ctrl.cap.DSTRD))
            rows.append((f"{register.offset:04X}h", f"{register.name}", PINK if is_cq else ORANGE))
    rows.append(("…", f"and so on, {stride} bytes apart", "none"))
    if ctrl.function.msix is not None:
        msix = ctrl.function.msix
        rows += [(f"{msix.table_offset:04X}h", f"MSI-X table, {msix.size} vectors of 16 bytes", GREEN),
                 (f"{msix.pba_offset:04X}h", "MSI-X pending bits", GREEN)]
    rows = [rows[0], *sorted(rows[1:], key=lambda row: int(row[0][:-1], 16) if row[0] != "…" else 0x1000 + 2 * pairs * stride)]
    parts, text = [_words(0, 16, f"BAR0 of {ctrl.address}", weight=600, size=14)], [f"BAR0 of {ctrl.address}"]
    for n, (offset, what, colour) in enumerate(rows):
        y = 28 + n * 26
        parts += [_words(64, y + 16, offset, anchor="end"), _box(74, y, 380, 22, colour, what),
                  _words(84, y + 15, what, fill="#1b1b1b" if colour != "none" else INK)]
        text.append(f"{offset:>8}  {what}")
    return Picture("\n".join(text), 480, 34 + len(rows) * 26, parts)


def prp_map(iova, length, page=4096):
    """How `length` bytes at `iova` lie in memory pages, and which PRP entry points where."""
    starts = [iova] + list(range((iova // page + 1) * page, iova + length, page))
    names = ["PRP1"] + (["PRP2"] if len(starts) == 2 else [f"list[{n}]" for n in range(len(starts) - 1)])
    head = f"{length} bytes at {iova:#x}: {len(starts)} PRP {'entry' if len(starts) == 1 else 'entries'}"
    if len(starts) > 2:
        head += ", all but the first in a PRP list that PRP2 points to"
    shown = list(range(len(starts))) if len(starts) <= 8 else [*range(6), None, len(starts) - 1]
    parts, text = [_words(0, 16, head, weight=600, size=14)], [head]
    for n, which in enumerate(shown):
        y = 32 + n * 30
        if which is None:
            parts.append(_words(240, y + 15, "…"))
            text.append("     …")
            continue
        at, low = starts[which], starts[which] // page * page
        used = min(iova + length, low + page) - at
        x0, scale = 240, 320 / page
        parts += [_words(60, y + 15, names[which], anchor="end", weight=600), _words(72, y + 15, f"{at:#x}"), _line(176, y + 11, x0 + (at - low) * scale, y + 11, True),
                  _box(x0, y, 320, 22, title=f"page {low:#x}"), _box(x0 + (at - low) * scale, y, used * scale, 22, BLUE, f"{used} bytes"),
                  _words(x0 + 328, y + 15, f"page {low:#x}")]
        text.append(f"{names[which]:>8} = {at:#x}: {used} bytes of page {low:#x}, from offset {at - low:#x}")
    return Picture("\n".join(text), 720, 36 + len(shown) * 30, parts)


def bars(rows, unit, title="", log=False):
    """Horizontal bars: `rows` is [(label, value)] or {label: value}; `log` for values of very different sizes."""
    rows = [(str(label), float(value)) for label, value in (rows.items() if hasattr(rows, "items") else rows)]
    top = max((value for _, value in rows), default=1) or 1
    low = min((value for _, value in rows if value > 0), default=1)
    span = math.log10(top / low) or 1

    def share(value):
        if not log:
            return value / top
        return .12 + .88 * math.log10(value / low) / span if value > 0 else 0

    parts = [_words(0, 16, title + (" (each step to the right counts tenfold)" if log and title else ""), weight=600, size=14)] if title else []
    text, y0 = [title] if title else [], 28 if title else 4
    wide = max((len(label) for label, _ in rows), default=0)
    for n, (label, value) in enumerate(rows):
        y, width = y0 + n * 28, 300 * share(value)
        said = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        parts += [_words(250, y + 15, label, anchor="end"), _box(260, y, width, 22, BLUE, f"{label}: {said} {unit}"),
                  _words(268 + width, y + 15, f"{said} {unit}")]
        text.append(f"{label:>{wide}}  {'█' * round(30 * share(value)):<30} {said} {unit}")
    return Picture("\n".join(text), 720, y0 + len(rows) * 28 + 4, parts)



def lanes(trace, limit=24):
    """The first events of a trace between host and drive, in order: who did what, top to bottom."""
    events = [e for e in trace if e.kind.name not in ("REG_READ", "REG_SET", "QUEUE_NEW", "QUEUE_GONE")][:limit]
    parts = [_words(20, 16, "host", weight=600, size=14), _words(700, 16, "drive", anchor="end", weight=600, size=14)]
    text = []
    height = 30 + len(events) * 24
    parts += [_line(10, 24, 10, height), _line(710, 24, 710, height)]
    for n, event in enumerate(events):
        y, host = 40 + n * 24, event.side == "host"
        said = f"{KINDS[event.kind]}: {event.text}"
        parts.append(_words(22 if host else 698, y, said[:100], anchor="start" if host else "end", size=11))
        parts.append(f'<circle cx="{10 if host else 710}" cy="{y - 4}" r="4" fill="{ORANGE if host else BLUE}"/>')
        text.append(f"{event.time / 1000:10.1f} us  {event.side:5}  {said}")
    return Picture("\n".join(["host and drive, in order of time", *text]), 720, height + 6, parts)
