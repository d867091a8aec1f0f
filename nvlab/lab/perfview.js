// The widget: what to measure, the numbers as they stand, and three pages: the run, runs compared, a sweep of depths.

const NVL_FACTS = [
  ["iops", "IOPS", (v) => nvlNumber(v)], ["mibps", "MiB/s", (v) => nvlNumber(v)], ["avg", "average", nvlMicro], ["p50", "p50", nvlMicro],
  ["p99", "p99", nvlMicro], ["p999", "p99.9", nvlMicro], ["cpu", "host time per I/O", nvlMicro],
];
const NVL_TABS = [["run", "This run"], ["compare", "Compare runs"], ["sweep", "Depth sweep"]];

class NvlPerfForm {
  constructor(view, parent) {
    this.view = view;
    this.inputs = {};
    this.el = nvlEl("div", { class: "nvl-form", role: "group", "aria-label": "what to measure" }, parent);
    this.select("workload", "workload", "what the commands do");
    this.number("mix", "reads, %", "percent of reads, for mixed workloads", 0, 100, 1);
    this.select("io_size", "size of an I/O", "bytes that a command moves");
    this.number("depth", "depth", "commands in flight on each queue pair", 1, 65535, 1);
    this.number("qpairs", "queue pairs", "queue pairs, each with that depth", 1, 64, 1);
    this.number("seconds", "seconds", "how long; 0: until stopped", 0, 86400, 0.5);
    this.select("interrupts", "completions", "how the host learns of them");
    this.select("mode", "the drive runs", "where an embedded drive does its work");
  }

  field(name, label, title, control) {
    const box = nvlEl("label", { class: "nvl-field", title }, this.el);
    nvlEl("span", {}, box, label);
    box.append(control);
    Object.assign(this.inputs, { [name]: control });
    control.dataset.field = name;
    control.addEventListener("change", () => { this.touched = true; this.sync(); });
    return box;
  }

  number(name, label, title, min, max, step) {
    return this.field(name, label, title, nvlEl("input", { type: "number", class: "nvl-input", min, max, step, "aria-label": `${label}: ${title}` }));
  }

  select(name, label, title) {
    return this.field(name, label, title, nvlEl("select", { class: "nvl-input", "aria-label": `${label}: ${title}` }));
  }

  options(name, list) {
    const key = JSON.stringify(list), select = this.inputs[name];
    if (select.dataset.key === key) return;
    select.dataset.key = key;
    select.replaceChildren(...list.map(([value, words]) => nvlEl("option", { value }, null, words)));
    this.shown = null;
  }

  fill(state) {
    const { limits: l, form } = state;
    this.options("workload", l.workloads);
    this.options("io_size", l.sizes);
    this.options("interrupts", [["", "polling"], ...(l.vectors ? [["1", "interrupts"]] : [])]);
    this.options("mode", l.modes);
    nvlShow(this.inputs.mode.parentElement, l.modes.length > 0);
    nvlSet(this.inputs.depth, "max", l.depth);
    const key = JSON.stringify(form);
    if (this.shown !== key) {
      this.shown = key;
      for (const [name, value] of Object.entries(form)) this.inputs[name].value = name === "interrupts" ? (value ? "1" : "") : value ?? "";
    }
    for (const input of Object.values(this.inputs)) input.disabled = state.phase !== "idle";
    this.sync();
  }

  sync() {
    const idle = this.view.state.phase === "idle", mixed = ["rw", "randrw"].includes(this.inputs.workload.value);
    this.inputs.mix.disabled = !idle || !mixed;
    this.view.guard(/w/.test(this.inputs.workload.value.replace("read", "")));
  }

  get values() {
    const v = (name) => this.inputs[name].value;
    return { workload: v("workload"), mix: +v("mix"), io_size: +v("io_size"), depth: +v("depth"), qpairs: +v("qpairs"), seconds: +v("seconds"), interrupts: v("interrupts") === "1", mode: v("mode") || null };
  }
}

class NvlPerfView extends NvlBase {
  constructor(model, root) {
    super(model, root);
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.head();
    this.pill = nvlEl("span", { class: "nvl-pill" }, this.title.parentElement);
    this.why = new NvlWhy(this);
    this.form = new NvlPerfForm(this, root);
    this.confirm = nvlEl("label", { class: "nvl-confirm" }, root);
    this.sure = nvlEl("input", { type: "checkbox" }, this.confirm);
    nvlEl("span", {}, this.confirm, "This writes over what the drive holds. I want that.");
    const buttons = this.bar("the measurement", [["start", "start", "begin a run"], ["stop", "stop", "end the run and keep what was measured"]]);
    this.start = this.own(buttons.start, () => this.send("start", { settings: this.form.values, confirmed: this.sure.checked }));
    this.stop = buttons.stop;
    this.start.classList.add("nvl-main-button");
    this.figures(root);
    this.tabs(root);
    this.chosen = new Set();
    this.known = new Set();
  }

  // The same button, with a message of its own.
  own(button, press) {
    const mine = button.cloneNode(true);
    button.replaceWith(mine);
    mine.addEventListener("click", press);
    return mine;
  }

  figures(root) {
    const box = nvlEl("dl", { class: "nvl-facts", "aria-label": "the numbers as they stand" }, root);
    this.facts = Object.fromEntries(NVL_FACTS.map(([key, words]) => {
      const item = nvlEl("div", {}, box);
      nvlEl("dt", {}, item, words);
      return [key, nvlEl("dd", { "data-fact": key }, item, "–")];
    }));
  }

  tabs(root) {
    const list = nvlEl("div", { class: "nvl-tabs", role: "tablist", "aria-label": "pages" }, root);
    this.pages = {};
    this.tabbed = NVL_TABS.map(([name, words]) => {
      const tab = nvlEl("button", { type: "button", role: "tab", class: "nvl-tab", id: `${name}${this.id}`, "data-tab": name, "aria-controls": `p${name}${this.id}` }, list, words);
      this.pages[name] = nvlEl("div", { class: "nvl-page", role: "tabpanel", id: `p${name}${this.id}`, "aria-labelledby": `${name}${this.id}` }, root);
      tab.addEventListener("click", () => this.turn(name));
      tab.addEventListener("keydown", (e) => this.walk(e));
      return tab;
    });
    this.runPage(this.pages.run);
    this.compare = new NvlCompare(this, this.pages.compare);
    this.swept = new NvlSweep(this, this.pages.sweep);
    this.turn("run", true);
  }

  walk(e) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key], at = NVL_TABS.findIndex(([name]) => name === this.page);
    if (!step) return;
    e.preventDefault();
    const next = (at + step + NVL_TABS.length) % NVL_TABS.length;
    this.turn(NVL_TABS[next][0]);
    this.tabbed[next].focus();
  }

  turn(name, first = false) {
    this.page = name;
    NVL_TABS.forEach(([key], i) => {
      nvlSet(this.tabbed[i], "aria-selected", key === name);
      nvlSet(this.tabbed[i], "tabindex", key === name ? 0 : -1);
      nvlShow(this.pages[key], key === name);
    });
    if (!first) this.draw();
  }

  runPage(page) {
    const grid = nvlEl("div", { class: "nvl-charts" }, page);
    this.charts = { iops: new NvlChart(grid, "Throughput", 180), cost: new NvlChart(grid, "Host time per I/O", 180),
      heat: new NvlChart(grid, "Latency over time", 230), hist: new NvlChart(grid, "Latency of the whole run", 230) };
    const key = nvlEl("div", { class: "nvl-ramp" }, page);
    nvlEl("span", {}, key, "few of the I/Os of that moment");
    this.ramp = nvlEl("span", { class: "nvl-ramp-bar", "aria-hidden": "true" }, key);
    nvlEl("span", {}, key, "most");
  }

  guard(writes) { nvlShow(this.confirm, writes && this.state.limits?.guarded); }

  close() { for (const chart of [...Object.values(this.charts), ...this.compare.charts, ...this.swept.charts]) chart.close(); }

  draw() {
    const s = this.state;
    if (!s.form) return;
    nvlSay(this.title, "Performance");
    nvlSay(this.sub, s.title);
    const idle = s.phase === "idle", now = s.now, asked = s.job?.asked;
    nvlSay(this.pill, idle ? "○ idle" : `▸ ${s.phase}${s.job ? (s.phase === "sweeping" ? `, depth ${s.job.depth}` : ` ${(now?.seconds ?? 0).toFixed(1)}${asked ? " of " + asked : ""} s`) : ""}`);
    nvlSet(this.pill, "data-state", idle ? "idle" : "running");
    nvlSet(this.root, "data-phase", s.phase);
    this.form.fill(s);
    this.start.disabled = !idle;
    this.stop.disabled = idle;
    const d = nvlSamples(this.model, s.columns);
    for (const [key, , show] of NVL_FACTS) {
      const v = s.whole ? s.whole[key] : d.n ? d[key][d.n - 1] : NaN;
      nvlSay(this.facts[key], Number.isFinite(v) ? show(v) : "–");
    }
    if (this.page === "run") this.drawRun(d, s);
    if (this.page === "compare") this.compare.draw(this.model.get("_runs"), s.bins);
    if (this.page === "sweep") this.swept.draw(this.model.get("_sweep"), s);
  }

  drawRun(d, s) {
    const raw = nvlBytes(this.model, "_hist"), counts = Array.from(new Float32Array(raw.slice().buffer));
    this.charts.iops.draw(nvlThroughput(d));
    this.charts.cost.draw(nvlCost(d));
    this.charts.heat.draw(nvlHeatMap(d, nvlBytes(this.model, "_heat"), s.bins));
    this.charts.hist.draw(nvlHistogram(counts, s.bins));
    this.ramp.style.background = `linear-gradient(90deg, ${nvlRamp(nvlDark()).filter((_, i) => i % 51 === 0).join(", ")})`;
  }
}

export default nvlRender(NvlPerfView, "nvl-perfview");
