"""Still pictures, in SVG, of what the widgets show alive: for nbconvert and for pages without a kernel."""

from html import escape

# Okabe and Ito's palette: told apart with any kind of colour vision. Each life has a mark of its own besides.
COLOURS = {"free": "none", "posted": "#E69F00", "rung": "#56B4E9", "fetched": "#CC79A7", "polled": "#009E73",
           "done": "#c9ced6", "stale": "#eef0f3"}
INK = "#7a828e"
FONT = 'font-family="ui-sans-serif,system-ui,Segoe UI,Helvetica,Arial,sans-serif"'


def text_html(text) -> str:
    """Text as a still picture in HTML."""
    return f'<pre style="line-height:1.3">{escape(text)}</pre>'


def curve_svg(title, series, seconds) -> str:
    """Small curves one under the other, on paper of their own. `series` is a list of (label, unit, values)."""
    dim = "#57606a"
    parts, y = [_text(0, 16, title, fill="#24292f", weight=600, size=14)], 26
    for label, unit, values in series:
        top = max(values, default=0) or 1
        step = 480 / max(1, len(values) - 1)
        points = " ".join(f"{i * step:.4g},{y + 60 - 56 * v / top:.4g}" for i, v in enumerate(values))
        parts += [f'<path d="M0 {y + 60.5}H480" stroke="{INK}" stroke-opacity=".5"/>',
                  f'<polyline points="{points}" fill="none" stroke="#0072B2" stroke-width="1.5"/>',
                  _text(490, y + 14, f"{label}: {_short(values[-1])} {unit}" if values else label, fill=dim),
                  _text(490, y + 32, f"at most {_short(top)} {unit}" if values else "", fill=dim)]
        y += 74
    parts.append(_text(0, y + 4, f"{seconds:.1f} s", fill=dim))
    width, height = 672, y + 24
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -6 {width} {height}" width="{width}" height="{height}" role="img">'
            f'<rect x="-12" y="-6" width="{width}" height="{height}" rx="8" fill="#fff"/>{"".join(parts)}</svg>')


def _short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(x, y, words, fill=INK, anchor="start", size=11, weight=400):
    return (f'<text x="{x}" y="{y}" fill="{fill}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
            f'{FONT}>{escape(words)}</text>')
