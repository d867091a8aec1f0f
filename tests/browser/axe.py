"""What axe-core finds wrong with a part of a page. The engine comes from axe-playwright-python, which carries it: nothing is loaded.

Within JupyterLab its rule for the contrast of text finds next to nothing to look at, so that is measured here.
"""

import pytest

GRAVE = ("critical", "serious")

FAINT = """(selector) => {
  // WCAG 2.1, 1.4.3: each text against what lies behind it, opacities multiplied in; disabled controls are exempt.
  // Not text within a drawing: what lies behind that is no ancestor of it.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const chain = (element) => { const found = []; for (let e = element; e; e = e.parentElement) found.unshift(e); return found; };
  const faint = [];
  let seen = 0;
  for (const root of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
      if (!node.textContent.trim() || element.closest("svg, style, script, option, :disabled, [aria-disabled=true]")) continue;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || box.width < 2 || box.height < 2) continue;
      let behind = [255, 255, 255], opacity = 1;
      for (const e of chain(element)) {
        const own = getComputedStyle(e), colour = rgba(own.backgroundColor);
        opacity *= Number(own.opacity);
        if (colour[3]) behind = over([...colour.slice(0, 3), colour[3] * opacity], behind);
      }
      const ink = rgba(style.color);
      const front = over([...ink.slice(0, 3), ink[3] * opacity], behind);
      const [high, low] = [light(front), light(behind)].sort((a, b) => b - a), ratio = (high + 0.05) / (low + 0.05);
      const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      seen += 1;
      if (ratio < (large ? 3 : 4.5)) faint.push([ratio.toFixed(2), element.outerHTML.slice(0, 140)]);
    }
  }
  return { seen, faint };
}"""


def assert_accessible(page, selector, grave=GRAVE):
    """Fail with what axe-core calls critical or serious within the elements matching `selector`, in the page as it stands."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed (pip install -e '.[test]')")
    found = axe.Axe().run(page, context=selector).response
    assert found["passes"], f"axe-core found nothing to look at in {selector!r}"
    bad = [f"{rule['id']} ({rule['impact']}): {rule['help']}\n" + "\n".join(f"    {node['html'][:160]}\n      {_why(node)}" for node in rule["nodes"][:6])
           for rule in found["violations"] if rule["impact"] in grave]
    assert not bad, "\n".join(bad)
    text = page.evaluate(FAINT, selector)
    assert text["seen"], f"no text to look at in {selector!r}"
    faint = sorted(text["faint"])
    assert not faint, f"{len(faint)} of {text['seen']} texts are too faint for 4.5 to 1:\n" + "\n".join(f"    {ratio} {html}" for ratio, html in faint[:12])


def _why(node):
    return "; ".join(check["message"] for check in [*node["any"], *node["all"], *node["none"]])
