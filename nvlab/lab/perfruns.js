// Runs beside each other, and a sweep: a table of numbers with the curves that belong to them.

const NVL_RUN_COLUMNS = [
  ["IOPS", (r) => nvlNumber(r.iops)], ["MiB/s", (r) => nvlNumber(r.mibps)], ["average", (r) => nvlMicro(r.lat_avg_us)], ["p50", (r) => nvlMicro(r.lat_p50_us)],
  ["p99", (r) => nvlMicro(r.lat_p99_us)], ["p99.9", (r) => nvlMicro(r["lat_p99.9_us"])], ["host time per I/O", (r) => nvlMicro(r.cpu_us_per_io)], ["host CPU", (r) => `${Math.round(r.cpu_percent)}%`],
];

const nvlHeads = (table, heads) => {
  const row = nvlEl("tr", {}, nvlEl("thead", {}, table));
  heads.forEach((words) => nvlEl("th", { scope: "col" }, row, words));
  return nvlEl("tbody", {}, table);
};

class NvlCompare {
  constructor(view, page) {
    this.view = view;
    const grid = nvlEl("div", { class: "nvl-charts" }, page);
    this.charts = [new NvlChart(grid, "Throughput", 230), new NvlChart(grid, "Latency by percentile", 230)];
    const scroll = nvlEl("div", { class: "nvl-scroll", tabindex: "0", role: "region", "aria-label": "runs" }, page);
    this.table = nvlEl("table", { class: "nvl-runs" }, scroll);
    this.body = nvlHeads(this.table, ["run", "what", ...NVL_RUN_COLUMNS.map(([words]) => words), "forget"]);
    this.none = nvlEl("div", { class: "nvl-busy" }, page, "No runs yet. Each run is kept here, to be compared with the next.");
    this.rows = new Map();
    this.hidden = new Set();
  }

  draw(runs, bins) {
    this.last = [runs, bins];
    for (const [n, row] of this.rows) if (!runs.some((r) => r.run === n)) { row.remove(); this.rows.delete(n); }
    for (const r of runs) if (!this.rows.has(r.run)) this.rows.set(r.run, this.row(r));
    nvlShow(this.none, !runs.length);
    nvlShow(this.table, runs.length > 0);
    const shown = runs.filter((r) => !this.hidden.has(r.run)).slice(-6);
    for (const [n, row] of this.rows) row.querySelector("input").checked = shown.some((r) => r.run === n);
    this.charts[0].draw(nvlCompareTime(shown));
    this.charts[1].draw(nvlPercentiles(shown, bins));
  }

  row(r) {
    const row = nvlEl("tr", { "data-run": r.run }, this.body), head = nvlEl("th", { scope: "row" }, row), label = nvlEl("label", { class: "nvl-run-key" }, head);
    const box = nvlEl("input", { type: "checkbox", "aria-label": `draw run ${r.run}, ${r.label}` }, label);
    box.addEventListener("change", () => { this.hidden[box.checked ? "delete" : "add"](r.run); this.draw(...this.last); });
    nvlStroke(label, nvlRunStyle(r.run));
    nvlEl("span", {}, label, String(r.run));
    nvlEl("td", { class: "nvl-what" }, row, r.label + (r.errors ? `; ${r.errors} errors` : ""));
    NVL_RUN_COLUMNS.forEach(([, show]) => nvlEl("td", { class: "nvl-num" }, row, show(r)));
    const forget = nvlEl("button", { type: "button", class: "nvl-button nvl-small", "aria-label": `forget run ${r.run}`, title: `forget run ${r.run}` }, nvlEl("td", {}, row), "×");
    forget.addEventListener("click", () => this.view.send("forget", { n: r.run }));
    return row;
  }
}

class NvlSweep {
  constructor(view, page) {
    this.view = view;
    const bar = nvlEl("div", { class: "nvl-form nvl-sweep-bar", role: "group", "aria-label": "sweep" }, page);
    this.upTo = this.number(bar, "up to depth", 128, 1, 65535);
    this.each = this.number(bar, "seconds each", 1, 0.1, 3600);
    this.go = view.button(bar, "sweep", () => view.send("sweep", { settings: view.form.values, up_to: +this.upTo.value, each: +this.each.value, confirmed: view.sure.checked }),
      "measure at depths 1, 2, 4 … with the workload chosen above", "sweep");
    nvlEl("span", { class: "nvl-law" }, bar, "Little's law: commands in flight = IOPS × latency. Once IOPS stop growing, a deeper queue only waits longer.");
    const grid = nvlEl("div", { class: "nvl-charts" }, page);
    this.charts = [new NvlChart(grid, "Throughput", 230), new NvlChart(grid, "Latency", 230)];
    const scroll = nvlEl("div", { class: "nvl-scroll", tabindex: "0", role: "region", "aria-label": "points of the sweep" }, page);
    this.table = nvlEl("table", { class: "nvl-runs" }, scroll);
    this.body = nvlHeads(this.table, ["depth", "IOPS", "MiB/s", "average", "p99", "host time per I/O", "IOPS × average", "of what was in flight"]);
    this.rows = new Map();
  }

  number(bar, words, value, min, max) {
    const label = nvlEl("label", { class: "nvl-field" }, bar);
    nvlEl("span", {}, label, words);
    return Object.assign(nvlEl("input", { type: "number", class: "nvl-input", min, max, step: min < 1 ? 0.1 : 1, "aria-label": words }, label), { value });
  }

  draw(points, state) {
    this.go.disabled = state.phase !== "idle";
    for (const [n, row] of this.rows) if (!points.some((p) => p.run === n)) { row.remove(); this.rows.delete(n); }
    for (const p of points) if (!this.rows.has(p.run)) this.rows.set(p.run, this.row(p));
    nvlShow(this.table, points.length > 0);
    this.charts[0].draw(nvlSweepRate(points, state.plan));
    this.charts[1].draw(nvlSweepLatency(points, state.plan));
  }

  row(p) {
    const row = nvlEl("tr", { "data-depth": p.depth }, this.body);
    nvlEl("th", { scope: "row", class: "nvl-num" }, row, String(p.depth));
    for (const words of [nvlNumber(p.iops), nvlNumber(p.mibps), nvlMicro(p.lat_avg_us), nvlMicro(p.lat_p99_us), nvlMicro(p.cpu_us_per_io), p.little.toFixed(2), `${Math.round((100 * p.little) / p.in_flight)}%`])
      nvlEl("td", { class: "nvl-num" }, row, words);
    return row;
  }
}
