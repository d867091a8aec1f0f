// The figure: everything it needs was pushed to it, so it draws without an answer from the kernel.

const nvlBokeh = async (model) => {
  const lib = await nvlLibrary(model, "_lib"), want = lib.get("version");
  if (globalThis.Bokeh?.version === want) return globalThis.Bokeh;
  globalThis.__nvlab_bokeh ??= {};
  return (globalThis.__nvlab_bokeh[want] ??= nvlText(lib.get("gz")).then((js) => {
    const script = document.createElement("script");
    script.textContent = js;
    document.head.appendChild(script);
    return globalThis.Bokeh;
  }));
};

const NVL_CURVES = [
  ["iops", "throughput"], ["avg", "average"], ["p50", "p50"], ["p99", "p99"],
];

// 1 234 567 as "1.23 M", and 987.6 as "988".
const nvlShort = (v) => {
  for (const [n, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]]) if (v >= n) return (v / n).toPrecision(3) + unit;
  return v >= 100 ? v.toFixed(0) : v.toPrecision(3);
};
const nvlTime = (us) =>
  us >= 1e6 ? `${(us / 1e6).toPrecision(3)} s`
  : us >= 1000 ? `${(us / 1e3).toPrecision(3)} ms`
  : `${us >= 100 ? us.toFixed(0) : us.toPrecision(3)} µs`;

// The next 1, 2, 2.5 or 5 times a power of ten above v: an axis that doesn't tremble.
const nvlCeil = (v) => {
  const p = 10 ** Math.floor(Math.log10(v || 1));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((m) => m * p).find((m) => m >= v);
};

class NvlPlot extends NvlBase {
  constructor(model, root) {
    super(model, root);
    const top = nvlEl("div", { class: "nvl-plot-top" }, root);
    this.title = nvlEl("span", { class: "nvl-plot-title" }, top);
    this.status = nvlEl("span", { class: "nvl-plot-state", role: "status" }, top);
    this.why = new NvlWhy(this);
    const facts = nvlEl("div", { class: "nvl-plot-facts" }, root);
    this.facts = Object.fromEntries(NVL_CURVES.map(([name, label]) => {
      const fact = nvlEl("span", { class: `nvl-plot-fact nvl-plot-${name}`, "data-curve": name }, facts);
      nvlEl("path", { d: "M1 4H25" }, nvlEl("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" }, fact));
      nvlEl("span", { class: "nvl-plot-label" }, fact, label);
      return [name, nvlEl("b", {}, fact)];
    }));
    this.host = nvlEl("div", { class: "nvl-plot-figure", role: "img", id: "nvl" + this.id }, root);
    this.start().catch((error) => { this.wrong = `The figure can't be drawn: ${error}`; this.draw(); });
  }

  async start() {
    const Bokeh = await nvlBokeh(this.model);
    const views = await Bokeh.embed.embed_item(JSON.parse(this.model.get("_item")), this.host);
    this.doc = [...(views.roots ?? views)][0].model.document;
    this.models = [...this.doc.roots()[0].references()];
    this.named = (name) => this.models.find((m) => m.name === name);
    const pick = (names, fits) => Object.fromEntries(names.map((n) => [n, this.models.find((m) => m.name === n && fits(m))]));
    this.renderers = pick(["iops", "area", "avg", "p50", "p99"], (m) => m.glyph);
    this.ranges = pick(["x", "iops", "mibps", "latency"], (m) => m.type === "Range1d");
    this.dress();
    this.draw();
  }

  // Colours come from the page, so that the figure suits its theme.
  dress() {
    if (!this.doc) return;
    const style = getComputedStyle(this.root), css = (n) => nvlColour(style.getPropertyValue(n).trim());
    const fg = css("--nvl-dim"), edge = css("--nvl-soft"), font = style.fontFamily;
    for (const m of this.models) {
      if (m.major_label_text_color !== undefined && m.axis_label !== undefined)
        m.setv({
          major_label_text_color: fg, axis_label_text_color: fg, axis_line_color: edge, major_tick_line_color: edge,
          axis_label_text_font: font, major_label_text_font: font, axis_label_text_font_style: "normal",
          axis_label_text_font_size: "12px",
          ...(m.major_label_text_font_size === "0px" ? {} : { major_label_text_font_size: "11px" }),
        });
      else if (m.type === "Grid") m.setv({ grid_line_color: edge });
    }
    for (const [name, r] of Object.entries(this.renderers)) {
      const colour = css(name === "area" ? "--nvl-iops" : `--nvl-${name}`);
      if (name === "area") r.glyph.setv({ fill_color: colour });
      else r.glyph.setv({ line_color: colour });
    }
  }

  close() { this.doc?.clear(); }

  draw() {
    const now = this.model.get("_now");
    this.report(now);
    const raw = nvlBytes(this.model, "_window"), names = this.model.get("_columns");
    if (this.wrong || !this.doc || !raw.byteLength) return;
    const a = new Float32Array(raw.slice().buffer), n = a.length / names.length;
    const data = Object.fromEntries(names.map((k, i) => [k, Float64Array.from(a.subarray(i * n, (i + 1) * n))]));
    const last = Object.fromEntries(names.map((k) => [k, data[k][n - 1]]));
    this.readout(last);
    this.scale(data, last);
    this.named("live").data = data;
    Object.assign(this.root.dataset, { n, seq: this.model.get("_seq"), iops: last.iops, t: last.t });
  }

  scale(data, last) {
    const finite = (list) => list.filter((v) => Number.isFinite(v) && v > 0);
    const peak = finite(data.iops).reduce((m, v) => Math.max(m, v), 1), unit = peak >= 1e6 ? 1e6 : peak >= 1e3 ? 1e3 : 1;
    const high = nvlCeil(peak * 1.08), ratio = last.iops > 0 ? last.mibps / last.iops : 0;
    data.iops = data.iops.map((v) => v / unit);
    this.named("iops_axis").axis_label = unit === 1e6 ? "million IOPS" : unit === 1e3 ? "thousand IOPS" : "IOPS";
    this.ranges.iops.setv({ start: 0, end: high / unit });
    if (ratio) this.ranges.mibps.setv({ start: 0, end: high * ratio });
    const end = Math.max(10, last.t);
    this.ranges.x.setv({ start: Math.max(0, end - 60), end });
    const all = [...finite(data.avg), ...finite(data.p50), ...finite(data.p99)];
    if (!all.length) return;
    const low = all.reduce((m, v) => Math.min(m, v)), top = all.reduce((m, v) => Math.max(m, v));
    const below = (v) => [1, 2, 5].map((k) => k * 10 ** Math.floor(Math.log10(v))).filter((k) => k <= v).pop();
    const above = (v) => [1, 2, 5, 10].map((k) => k * 10 ** Math.floor(Math.log10(v))).find((k) => k >= v);
    const start = below(low * 0.9), stop = above(top * 1.1), ticks = [], decades = Math.log10(stop / start);
    for (let k = 10 ** Math.floor(Math.log10(start)); k <= stop * 1.001; k *= 10)
      for (const m of decades > 4 ? [1] : decades > 2 ? [1, 3] : [1, 2, 5])
        if (m * k >= start * 0.999 && m * k <= stop * 1.001) ticks.push(m * k);
    this.ranges.latency.setv({ start, end: stop });
    if (String(ticks) !== String(this.named("latency_ticks").ticks)) this.named("latency_ticks").ticks = ticks;
  }

  readout(last) {
    const mibps = last.mibps.toLocaleString("en", { maximumFractionDigits: last.mibps < 100 ? 1 : 0 });
    this.facts.iops.textContent = `${nvlShort(last.iops)} IOPS · ${mibps} MiB/s`;
    for (const name of ["avg", "p50", "p99"]) {
      const known = Number.isFinite(last[name]);
      this.facts[name].textContent = known ? nvlTime(last[name]) : "";
      this.facts[name].parentElement.style.display = known ? "" : "none";
      if (this.renderers) this.renderers[name].visible = known;
    }
    this.host.setAttribute("aria-label", `throughput ${this.facts.iops.textContent}, average latency ${this.facts.avg.textContent}`);
  }

  report(now) {
    this.title.textContent = now.title ?? "";
    const errors = now.errors ? `, ${now.errors} errors` : "";
    const total = now.total !== undefined ? `${now.seconds.toFixed(1)} s, ${nvlShort(now.total)} I/Os${errors}` : "";
    this.status.textContent = this.wrong ?? {
      waiting: "waits for perf to start", running: `running: ${total}`, finished: `finished: ${total}`, failed: now.text,
    }[now.state] ?? "";
    this.root.dataset.state = now.state ?? "";
  }
}

export default nvlRender(NvlPlot, "nvl-liveplot");
