"""Still pictures, in SVG, of what the widgets show alive: for nbconvert and for pages without a kernel."""

from html import escape

from nvlab.tools import draw

# Okabe and Ito's palette: told apart with any kind of colour vision. Each life has a mark of its own besides.
COLOURS = {"free": "none", "posted": "#E69F00", "rung": "#56B4E9", "fetched": "#CC79A7", "polled": "#009E73",
           "done": "#c9ced6"}
INK = "#7a828e"
FONT = 'font-family="ui-sans-serif,system-ui,Segoe UI,Helvetica,Arial,sans-serif"'


def text_html(text) -> str:
    """Text as a still picture in HTML."""
    return f'<pre style="line-height:1.3">{escape(text)}</pre>'


def rings_svg(rings: draw.Rings) -> str:
    """Both rings of a queue pair as one SVG picture, a cell a slot."""
    if rings.busy:
        return _svg(640, 30, [_text(0, 20, draw.rings_text(rings))])
    parts, y = [], 0
    for ring in (rings.sq, rings.cq):
        piece, height = _ring(ring, y)
        parts += piece
        y += height + 14
    return _svg(660, y, parts)


def _ring(ring, top):
    columns = min(ring.depth, 16 if ring.depth <= 64 else 64)
    size = 40 if columns <= 16 else 10
    lead = 26 if size == 40 else 2
    host, drive = ring.beliefs()
    parts = [_text(0, top + 16, f"{ring.kind}{ring.qid}", weight=600, size=14),
             _text(44, top + 16, f"{ring.depth} entries · {host} · {drive}")]
    y0, pitch = top + 24, size + (lead if size == 40 else 0)
    rows = -(-ring.depth // columns)
    marks = {}
    for side, name, slot in ring.pointers():
        marks.setdefault((side, slot), []).append("doorbell" if name == "rung" else name)
    for slot in range(ring.depth):
        x, y = slot % columns * size, y0 + slot // columns * pitch + (lead // 2 if size == 40 else 0)
        life = draw.LIVES[ring.life[slot]]
        parts.append(f'<rect x="{x + .5}" y="{y + .5}" width="{size - 2}" height="{size - 2}" rx="{size // 10}" '
                     f'fill="{COLOURS[life]}" stroke="{INK}" stroke-opacity=".5">'
                     f'<title>{ring.kind}{ring.qid}[{slot}]: {escape(ring.meaning(slot))}</title></rect>')
        if size == 40:
            if life != "free":
                parts.append(_text(x + 19, y + 21, draw.MARKS[ring.life[slot]], fill="#1b1b1b", anchor="middle", size=15))
            parts.append(_text(x + 19, y + 34, str(slot), fill="#1b1b1b" if life != "free" else INK,
                               anchor="middle", size=9))
            for side, dy in (("host", -3), ("drive", size + 8)):
                if (side, slot) in marks:
                    parts.append(_text(x + 19, y + dy, "·".join(marks[side, slot]), anchor="middle", size=8))
        elif ("host", slot) in marks or ("drive", slot) in marks:
            parts.append(f'<rect x="{x}" y="{y}" width="{size - 1}" height="{size - 1}" fill="none" stroke="{INK}" '
                         f'stroke-width="2"/>')
    return parts, y0 - top + rows * pitch + 6


def curve_svg(title, series, seconds) -> str:
    """Small curves one under the other. `series` is a list of (label, unit, values)."""
    parts, y = [_text(0, 16, title, weight=600, size=14)], 26
    for label, unit, values in series:
        top = max(values, default=0) or 1
        step = 480 / max(1, len(values) - 1)
        points = " ".join(f"{i * step:.1f},{y + 60 - 56 * v / top:.1f}" for i, v in enumerate(values))
        parts += [f'<path d="M0 {y + 60.5}H480" stroke="{INK}" stroke-opacity=".5"/>',
                  f'<polyline points="{points}" fill="none" stroke="#0072B2" stroke-width="1.5"/>',
                  _text(490, y + 14, f"{label}: {_short(values[-1])} {unit}" if values else label),
                  _text(490, y + 32, f"at most {_short(top)} {unit}" if values else "")]
        y += 74
    parts.append(_text(0, y + 4, f"{seconds:.1f} s"))
    return _svg(660, y + 10, parts)


def _short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(x, y, words, fill=INK, anchor="start", size=11, weight=400):
    return (f'<text x="{x}" y="{y}" fill="{fill}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
            f'{FONT}>{escape(words)}</text>')


def _svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img">{"".join(parts)}</svg>')
