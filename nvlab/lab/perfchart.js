// A light chart on a canvas: lines, bars or heat over two axes, each linear or logarithmic; the mouse reads values off.

const NVL_PAD = { left: 62, right: 28, top: 10, bottom: 34 };

const nvlNumber = (v) => {
  const a = Math.abs(v), unit = a >= 1e9 ? [1e9, "G"] : a >= 1e6 ? [1e6, "M"] : a >= 1e4 ? [1e3, "k"] : [1, ""];
  const n = v / unit[0];
  return n.toLocaleString("en", { maximumFractionDigits: Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 10 ? 1 : 2 }) + unit[1];
};

// Microseconds, for people.
const nvlMicro = (us) => {
  const [n, unit] = us < 1 ? [us * 1000, "ns"] : us < 1000 ? [us, "µs"] : us < 1e6 ? [us / 1000, "ms"] : [us / 1e6, "s"];
  return `${n.toLocaleString("en", { maximumFractionDigits: n >= 100 ? 0 : n >= 10 ? 1 : 2 })} ${unit}`;
};

const nvlLinearTicks = (lo, hi, many = 4) => {
  const raw = (hi - lo) / many || 1, ten = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map((k) => k * ten).find((k) => k >= raw * 0.999);
  const ticks = [];
  for (let v = Math.ceil(lo / step) * step; v <= hi * 1.0001 + 1e-12; v += step) ticks.push(v);
  return ticks;
};

const nvlLogTicks = (lo, hi) => {
  const decades = Math.log10(hi / lo), within = decades > 3 ? [1] : decades > 1.6 ? [1, 3] : [1, 2, 5], ticks = [];
  for (let k = 10 ** Math.floor(Math.log10(lo)); k <= hi; k *= 10) for (const m of within) if (m * k >= lo * 0.999 && m * k <= hi * 1.001) ticks.push(m * k);
  return ticks;
};

const nvlMarks = {
  circle: (c, r) => c.arc(0, 0, r, 0, 7), square: (c, r) => c.rect(-r * 0.9, -r * 0.9, r * 1.8, r * 1.8),
  triangle: (c, r) => { c.moveTo(0, -r * 1.2); c.lineTo(r * 1.1, r * 0.9); c.lineTo(-r * 1.1, r * 0.9); c.closePath(); },
  diamond: (c, r) => { c.moveTo(0, -r * 1.3); c.lineTo(r * 1.3, 0); c.lineTo(0, r * 1.3); c.lineTo(-r * 1.3, 0); c.closePath(); },
  down: (c, r) => { c.moveTo(0, r * 1.2); c.lineTo(r * 1.1, -r * 0.9); c.lineTo(-r * 1.1, -r * 0.9); c.closePath(); },
  bar: (c, r) => c.rect(-r * 0.5, -r * 1.2, r, r * 2.4),
};

class NvlChart {
  constructor(parent, title, height = 190) {
    this.el = nvlEl("figure", { class: "nvl-chart" }, parent);
    const head = nvlEl("figcaption", {}, this.el);
    this.name = title;
    nvlEl("span", { class: "nvl-chart-title" }, head, title);
    this.keys = nvlEl("span", { class: "nvl-chart-keys" }, head);
    this.canvas = nvlEl("canvas", { class: "nvl-chart-canvas", role: "img", "aria-label": title, style: `height:${height}px` }, this.el);
    this.height = height;
    this.canvas.addEventListener("pointermove", (e) => { this.mouse = e.offsetX; this.paint(); });
    this.canvas.addEventListener("pointerleave", () => { this.mouse = null; this.paint(); });
    this.sizes = new ResizeObserver(() => this.paint());
    this.sizes.observe(this.canvas);
  }

  close() { this.sizes.disconnect(); }

  // spec: {x, y: {lo, hi, log, label, show, ticks}, series: [{name, colour, dash, mark, fill, bars, points}], heat, empty, says}
  draw(spec) {
    this.spec = spec;
    const css = getComputedStyle(this.el);
    this.colour = (name) => (name.startsWith("--") ? css.getPropertyValue(name).trim() : name);
    nvlSet(this.canvas, "aria-label", `${this.name}: ${spec.says ?? spec.empty ?? ""}`);
    this.legend(spec.series.filter((s) => s.name && !s.quiet));
    this.paint();
  }

  legend(series) {
    const key = JSON.stringify(series.map((s) => [s.name, s.colour, s.dash, s.mark]));
    if (key === this.key) return;
    this.key = key;
    this.keys.replaceChildren(...series.map((s) => {
      const item = nvlEl("span", { class: "nvl-chart-key" });
      nvlStroke(item, s);
      nvlEl("span", {}, item, s.name);
      return item;
    }));
  }

  // Where a value lies on the canvas.
  place(axis, v, from, to) {
    const { lo, hi, log } = axis, part = log ? Math.log(Math.max(v, lo) / lo) / Math.log(hi / lo) : (v - lo) / (hi - lo || 1);
    return from + Math.min(1.02, Math.max(-0.02, part)) * (to - from);
  }

  paint() {
    const s = this.spec, w = this.canvas.clientWidth, h = this.height, ratio = window.devicePixelRatio || 1;
    if (!s || !w) return;
    if (this.canvas.width !== Math.round(w * ratio)) Object.assign(this.canvas, { width: Math.round(w * ratio), height: Math.round(h * ratio) });
    const c = (this.c = this.canvas.getContext("2d"));
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, w, h);
    this.box = { x0: NVL_PAD.left, x1: w - NVL_PAD.right, y0: h - NVL_PAD.bottom, y1: NVL_PAD.top };
    this.px = (v) => this.place(s.x, v, this.box.x0, this.box.x1);
    this.py = (v) => this.place(s.y, v, this.box.y0, this.box.y1);
    this.axes(c, s);
    if (s.empty) return this.words(c, s.empty);
    c.save();
    c.beginPath();
    c.rect(this.box.x0, this.box.y1 - 4, this.box.x1 - this.box.x0 + 4, this.box.y0 - this.box.y1 + 5);
    c.clip();
    s.heat?.(c, this);
    for (const line of s.series) this.line(c, line);
    c.restore();
    if (this.mouse != null) this.read(c, s);
  }

  axes(c, s) {
    const { x0, x1, y0, y1 } = this.box, ink = this.colour("--nvl-dim"), edge = this.colour("--nvl-grid");
    c.font = `11px ${getComputedStyle(this.el).fontFamily}`;
    const ticks = (axis, many) => axis.ticks ?? (axis.log ? nvlLogTicks(axis.lo, axis.hi) : nvlLinearTicks(axis.lo, axis.hi, many));
    const show = (axis, v) => (axis.show ?? nvlNumber)(v);
    c.lineWidth = 1;
    c.textAlign = "right";
    for (const v of ticks(s.y, 4)) {
      const y = Math.round(this.py(v)) + 0.5;
      c.strokeStyle = edge;
      c.beginPath(); c.moveTo(x0, y); c.lineTo(x1, y); c.stroke();
      c.fillStyle = ink;
      if (!s.empty) c.fillText(show(s.y, v), x0 - 6, y + 3.5);
    }
    c.textAlign = "center";
    let past = -Infinity;
    for (const v of s.empty ? [] : ticks(s.x, (x1 - x0) / 75)) {
      const x = this.px(v), words = show(s.x, v), half = c.measureText(words).width / 2;
      if (x - half < past + 6) continue;
      past = x + half;
      c.fillStyle = ink;
      c.fillText(words, x, y0 + 14);
      c.fillRect(Math.round(x), y0, 1, 3);
    }
    c.strokeStyle = ink;
    c.beginPath(); c.moveTo(x0, y0 + 0.5); c.lineTo(x1, y0 + 0.5); c.stroke();
    c.fillText(s.x.label ?? "", (x0 + x1) / 2, y0 + 29);
    c.save();
    c.translate(11, (y0 + y1) / 2);
    c.rotate(-Math.PI / 2);
    c.fillText(s.y.label ?? "", 0, 0);
    c.restore();
  }

  words(c, text) {
    c.fillStyle = this.colour("--nvl-dim");
    c.textAlign = "center";
    c.fillText(text, (this.box.x0 + this.box.x1) / 2, (this.box.y0 + this.box.y1) / 2);
  }

  line(c, s) {
    const at = s.points.filter((p) => Number.isFinite(p[1])).map(([x, y]) => [this.px(x), this.py(y)]);
    if (!at.length) return;
    const colour = this.colour(s.colour), path = () => { c.beginPath(); at.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y))); };
    if (s.fill) {
      path();
      c.lineTo(at.at(-1)[0], this.box.y0); c.lineTo(at[0][0], this.box.y0);
      c.globalAlpha = s.fill; c.fillStyle = colour; c.fill(); c.globalAlpha = 1;
    }
    c.lineJoin = "round";
    if (s.halo) { path(); c.setLineDash([]); c.lineWidth = 5; c.strokeStyle = this.colour("--nvl-paper"); c.globalAlpha = 0.75; c.stroke(); c.globalAlpha = 1; }
    path();
    c.setLineDash(s.dash ?? []);
    Object.assign(c, { lineWidth: s.wide ?? 2, strokeStyle: colour, fillStyle: colour });
    c.stroke();
    c.setLineDash([]);
    if (s.mark) for (const [x, y] of s.every ? at.filter((_, i) => i % s.every === 0) : at) {
      c.save(); c.translate(x, y); c.beginPath(); nvlMarks[s.mark](c, 4); c.fill(); c.restore();
    }
  }

  // The values under the mouse, at the nearest x that a curve has.
  read(c, s) {
    const all = s.series.filter((l) => l.points.length && !l.mute), lead = all[0];
    if (!lead) return;
    const near = (l) => l.points.reduce((a, b) => (Math.abs(this.px(b[0]) - this.mouse) < Math.abs(this.px(a[0]) - this.mouse) ? b : a));
    const at = near(lead)[0], x = this.px(at);
    const rows = [(s.x.read ?? s.x.show ?? nvlNumber)(at), ...all.map((l) => [l, near(l)]).filter(([, p]) => Number.isFinite(p[1])
      && Math.abs(this.px(p[0]) - x) < 12).map(([l, p]) => `${l.name ? l.name + " " : ""}${(s.y.read ?? s.y.show ?? nvlNumber)(p[1])}`)];
    const wide = Math.max(...rows.map((r) => c.measureText(r).width)) + 16, left = x + wide + 10 > this.box.x1 ? x - wide - 8 : x + 8;
    c.strokeStyle = this.colour("--nvl-dim");
    c.setLineDash([2, 2]); c.beginPath(); c.moveTo(x, this.box.y1); c.lineTo(x, this.box.y0); c.stroke(); c.setLineDash([]);
    c.fillStyle = this.colour("--nvl-paper");
    c.fillRect(left, this.box.y1 + 2, wide, rows.length * 15 + 8);
    c.strokeRect(left + 0.5, this.box.y1 + 2.5, wide, rows.length * 15 + 8);
    c.fillStyle = this.colour("--nvl-fg");
    c.textAlign = "left";
    rows.forEach((r, i) => c.fillText(r, left + 8, this.box.y1 + 17 + i * 15));
  }
}

// A piece of a curve, as legends and tables show it.
const nvlStroke = (parent, s) => {
  const svg = nvlEl("svg", { viewBox: "0 0 28 10", class: "nvl-stroke", "aria-hidden": "true" }, parent);
  nvlEl("path", { d: "M1 5H27", style: `stroke:${s.colour.startsWith("--") ? `var(${s.colour})` : s.colour}`, "stroke-dasharray": (s.dash ?? []).join(" ") }, svg);
  const d = { circle: "M10 5a4 4 0 1 0 8 0a4 4 0 1 0-8 0", square: "M10.5 1.5h7v7h-7z", triangle: "M14 .5l4.5 8h-9z", diamond: "M14 0l5 5-5 5-5-5z", down: "M14 9.5l4.5-8h-9z", bar: "M12 0h4v10h-4z" }[s.mark];
  if (d) nvlEl("path", { d, class: "nvl-stroke-mark", style: `fill:${s.colour.startsWith("--") ? `var(${s.colour})` : s.colour}` }, svg);
  return svg;
};
