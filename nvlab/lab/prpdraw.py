"""PRPs drawn: the command's two entries, the list pages, and the data pages that they point to, as one picture in SVG."""

from html import escape

from nvlab.lab.static import FONT

INK, BLUE, PURPLE, RED = "#6b7280", "#56B4E9", "#CC79A7", "#D55E00"
FIRST, LAST = 12, 3      # data pages drawn of many: those, and those with something wrong
ROW, LEFT, MIDDLE, RIGHT, BAR = 30, 8, 214, 470, 300


def prp_svg(found, chosen=None):
    """A Walk as SVG. Every entry is an element with `data-entry`, its number in `found.entries`."""
    parts, y, skipped = [], 34, 0
    heads = ((LEFT, "in the command"), (MIDDLE, "in list pages" if found.lists else ""), (RIGHT, "memory pages, and the part that is used"))
    parts += [_text(x, 18, words, weight=600) for x, words in heads]
    shown = _shown(found)
    for n, entry in enumerate(found.entries):
        if n not in shown:
            skipped += 1
            continue
        if skipped:
            parts.append(_text(RIGHT + BAR / 2, y + 15, f"… {skipped} more …", anchor="middle"))
            y, skipped = y + ROW, 0
        parts.append(_entry(found, entry, n, y, chosen == n))
        y += ROW
    label = escape(found.sentence)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 {y + 6}" width="940" height="{y + 6}" role="group" aria-label="{label}">'
            f'{"".join(parts)}</svg>')


def _shown(found):
    data = [n for n, entry in enumerate(found.entries) if entry.role == "data"]
    keep = set(data) if len(data) <= FIRST + LAST + 2 else {*data[:FIRST], *data[-LAST:]}
    keep |= {n for n, entry in enumerate(found.entries) if entry.role != "data"}
    return keep | set([n for n, entry in enumerate(found.entries) if entry.wrong][:8])


def _entry(found, entry, n, y, chosen):
    here, colour = (LEFT if entry.at is None else MIDDLE), RED if entry.wrong else BLUE if entry.role == "data" else PURPLE
    words = f"{entry.name} = {entry.value:#x}" + (f": {entry.wrong}" if entry.wrong else "")
    dash = ' stroke-dasharray="4 3"' if entry.wrong else ""
    parts = [f'<g data-entry="{n}" class="nvl-prp{" nvl-prp-bad" if entry.wrong else ""}{" nvl-prp-on" if chosen else ""}" tabindex="0" role="button" '
             f'aria-label="{escape(words)}"><title>{escape(words)}</title>',
             f'<rect x="{LEFT}" y="{y - 3}" width="924" height="29" fill="none" pointer-events="all"/>',
             f'<rect class="nvl-prp-box" x="{here}" y="{y}" width="190" height="23" rx="4" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>',
             _text(here + 7, y + 16, entry.name, weight=600), _text(here + 184, y + 16, f"{'✗ ' if entry.wrong else ''}{entry.value:#x}", anchor="end", mono=True)]
    if entry.wrong:
        parts.append(_text(here + 200, y + 16, _clip(entry.wrong, 80 if here == MIDDLE else 110), fill=RED, kind="nvl-prp-wrong"))
    elif entry.role == "data":
        parts += _page(found, entry, y, here)
    else:
        to = MIDDLE if entry.at is None else MIDDLE + 256
        parts += _arrow(here + 190, to, y + 12)
        parts.append(f'<rect x="{to}" y="{y}" width="190" height="23" rx="4" fill="{PURPLE}" stroke="{INK}"/>')
        parts.append(_text(to + 7, y + 16, f"list page at {entry.value:#x}", fill="#1b1b1b", kind="nvl-on-colour"))
    return "".join(parts) + "</g>"


def _page(found, entry, y, here):
    scale = BAR / found.page
    x, wide = RIGHT + entry.page_offset * scale, max(2, entry.length * scale)
    parts = [*_arrow(here + 190, x, y + 12),
             f'<rect x="{RIGHT}" y="{y}" width="{BAR}" height="23" rx="3" fill="none" stroke="{INK}" stroke-opacity=".6"/>',
             f'<rect x="{x:.1f}" y="{y + 1}" width="{wide:.1f}" height="21" rx="2" fill="{BLUE}"/>']
    if wide > 90:
        parts.append(_text(x + wide / 2, y + 16, f"{entry.length:,} bytes", fill="#1b1b1b", anchor="middle", kind="nvl-on-colour"))
    where = f"page {entry.page_base:#x}" + (f" + {entry.page_offset:#x}" if entry.page_offset else "")
    if wide <= 90:
        parts.append(_text(x + wide + 7 if x + wide < RIGHT + BAR - 90 else x - 90, y + 16, f"{entry.length:,} bytes"))
    return [*parts, _text(RIGHT + BAR + 8, y + 16, where, mono=True)]


def _arrow(x1, x2, y):
    return [f'<path class="nvl-prp-arrow" d="M{x1} {y}H{x2 - 5:.1f}" stroke="{INK}" fill="none"/><path d="M{x2:.1f} {y}l-7 -4v8z" fill="{INK}"/>']


def _clip(words, most):
    return words if len(words) <= most else words[:most - 1] + "…"


def _text(x, y, words, fill=INK, anchor="start", weight=400, mono=False, kind=""):
    font = 'font-family="ui-monospace,Menlo,Consolas,monospace"' if mono else FONT
    return (f'<text x="{x:.1f}" y="{y}" fill="{fill}" text-anchor="{anchor}" font-size="{11 if mono else 12}" font-weight="{weight}" '
            f'{f"class={chr(34)}{kind}{chr(34)} " if kind else ""}{font}>{escape(words)}</text>')
