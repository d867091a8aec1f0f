// What the charts of PerfView show, out of plain numbers: a run over time, its latencies, runs beside each other, a sweep.

const NVL_RUNS = [
  { colour: "--nvl-c0", mark: "circle" }, { colour: "--nvl-c1", mark: "square", dash: [7, 3] }, { colour: "--nvl-c2", mark: "triangle", dash: [2, 3] },
  { colour: "--nvl-c3", mark: "diamond", dash: [9, 3, 2, 3] }, { colour: "--nvl-c4", mark: "down", dash: [4, 2] }, { colour: "--nvl-c5", mark: "bar", dash: [1, 2] },
];
const nvlRunStyle = (n) => NVL_RUNS[(n - 1) % NVL_RUNS.length];

const nvlMost = (list, least = 0) => list.reduce((m, v) => (Number.isFinite(v) && v > m ? v : m), least);
const nvlLeast = (list) => list.reduce((m, v) => (v > 0 && v < m ? v : m), Infinity);
const nvlSeconds = (v) => `${nvlNumber(v)} s`;

// Columns of samples out of the bytes that the kernel sent.
const nvlSamples = (model, names) => {
  const raw = nvlBytes(model, "_live"), a = new Float32Array(raw.slice().buffer), n = a.length / names.length;
  return { n, ...Object.fromEntries(names.map((name, i) => [name, a.subarray(i * n, (i + 1) * n)])) };
};

const nvlTimeAxis = (t, n) => ({ lo: n > 1 && t[0] > 1 ? t[0] : 0, hi: Math.max(n ? t[n - 1] : 0, 1), label: "seconds since the start", read: nvlSeconds });
const nvlPairs = (d, name) => Array.from(d.t, (t, i) => [t, d[name][i]]);
const nvlWaits = "nothing measured yet";

const nvlThroughput = (d) => {
  const hi = nvlMost(d.iops, 1) * 1.12, last = d.n - 1;
  return {
    x: nvlTimeAxis(d.t, d.n), y: { lo: 0, hi, label: "IOPS" }, empty: d.n ? "" : nvlWaits,
    says: d.n ? `${nvlNumber(d.iops[last])} IOPS, ${nvlNumber(d.mibps[last])} MiB/s` : "",
    series: [{ name: "IOPS", colour: "--nvl-c0", fill: 0.14, points: nvlPairs(d, "iops") }],
  };
};

const nvlCost = (d) => {
  const hi = nvlMost(d.cpu, 0.001) * 1.25;
  return {
    x: nvlTimeAxis(d.t, d.n), y: { lo: 0, hi, label: "per I/O", show: (v) => (v ? nvlMicro(v) : "0") }, empty: d.n ? "" : nvlWaits,
    says: d.n ? `${nvlMicro(d.cpu[d.n - 1] || 0)} of processor time an I/O` : "",
    series: [{ name: "host processor time", colour: "--nvl-c2", fill: 0.14, points: nvlPairs(d, "cpu") }],
  };
};

// A ramp whose lightness alone says how much: dark on light paper, light on dark.
const nvlRamp = (dark) => {
  const stops = dark ? [[20, 50, 80], [0, 114, 178], [86, 180, 233], [240, 228, 66]] : [[222, 236, 247], [120, 190, 230], [0, 114, 178], [16, 24, 64]];
  return Array.from({ length: 256 }, (_, level) => {
    const at = (level / 255) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(at)), f = at - k;
    return `rgb(${stops[k].map((v, i) => Math.round(v + (stops[k + 1][i] - v) * f))})`;
  });
};

const nvlBinLow = (bins, b) => (bins[0] * 10 ** (b / bins[1])) / 1000; // µs

const nvlHeatMap = (d, bytes, bins) => {
  const many = bins[2], rows = Math.min(d.n, Math.floor(bytes.length / many)), seen = [];
  for (let b = 0; b < many; b++) for (let i = 0; i < rows; i++) if (bytes[i * many + b]) { seen.push(b); break; }
  const low = Math.max(0, (seen[0] ?? 20) - 2), high = Math.min(many, (seen.at(-1) ?? 80) + 3), ramp = nvlRamp(nvlDark());
  const heat = (c, chart) => {
    for (let i = 0; i < rows; i++) {
      const x = Math.floor(chart.px(i ? d.t[i - 1] : 0)), wide = Math.max(1, Math.ceil(chart.px(d.t[i])) - x);
      for (let b = low; b < high; b++) {
        const level = bytes[i * many + b];
        if (!level) continue;
        const y = Math.floor(chart.py(nvlBinLow(bins, b + 1)));
        c.fillStyle = ramp[level];
        c.fillRect(x, y, wide, Math.max(1, Math.ceil(chart.py(nvlBinLow(bins, b))) - y));
      }
    }
  };
  const line = (name, key, colour, dash) => ({ name, colour, dash, halo: true, points: nvlPairs(d, key) });
  return {
    x: nvlTimeAxis(d.t, d.n), y: { lo: nvlBinLow(bins, low), hi: nvlBinLow(bins, high), log: true, label: "latency", show: nvlMicro }, heat,
    empty: d.n ? "" : nvlWaits, says: d.n ? `median ${nvlMicro(d.p50[d.n - 1])}, p99 ${nvlMicro(d.p99[d.n - 1])}` : "",
    series: [line("p50", "p50", "--nvl-c1"), line("p99", "p99", "--nvl-c3", [6, 3])],
  };
};

const nvlBinSpan = (lists) => {
  const seen = lists.flatMap((list) => list.map((v, b) => (v > 0 ? b : -1)).filter((b) => b >= 0));
  return [Math.max(0, nvlMost(seen.map((b) => -b), -Infinity) * -1 - 1), nvlMost(seen, 0) + 2];
};

// Counts on latency; logarithmic both ways, so that the rare slow ones are seen too.
const nvlHistogram = (counts, bins) => {
  const total = counts.reduce((a, b) => a + b, 0);
  if (!total) return { x: { lo: 1, hi: 100, log: true, label: "latency", show: nvlMicro }, y: { lo: 0, hi: 1, label: "share" }, series: [], empty: nvlWaits };
  const [low, high] = nvlBinSpan([counts]), points = [], floor = 1e-6;
  for (let b = low; b < high; b++) {
    const share = Math.max(floor, (counts[b] ?? 0) / total);
    points.push([nvlBinLow(bins, b), share], [nvlBinLow(bins, b + 1), share]);
  }
  return {
    x: { lo: nvlBinLow(bins, low), hi: nvlBinLow(bins, high), log: true, label: "latency", show: nvlMicro },
    y: { lo: floor, hi: 1, log: true, label: "share of the I/Os", show: nvlShare, ticks: [1e-6, 1e-4, 1e-2, 1] },
    says: `${nvlNumber(total)} I/Os`, series: [{ name: "share", quiet: true, colour: "--nvl-c0", fill: 0.3, wide: 1.5, points }],
  };
};

const nvlShare = (v) => (v >= 0.0995 ? `${Math.round(v * 100)}%` : `${Number((v * 100).toPrecision(2))}%`);

const nvlCompareTime = (runs) => ({
  x: { lo: 0, hi: nvlMost(runs.flatMap((r) => r.t), 1), label: "seconds since the start", read: nvlSeconds },
  y: { lo: 0, hi: nvlMost(runs.flatMap((r) => r.series), 1) * 1.1, label: "IOPS" }, empty: runs.length ? "" : "choose runs in the table",
  says: runs.map((r) => `run ${r.run} ${nvlNumber(r.iops)} IOPS`).join(", "),
  series: runs.map((r) => ({ name: `run ${r.run}`, ...nvlRunStyle(r.run), every: Math.max(1, Math.ceil(r.t.length / 8)), points: r.t.map((t, i) => [t, r.series[i]]) })),
});

const NVL_NINES = [[1, "0"], [2, "50%"], [10, "90%"], [100, "99%"], [1000, "99.9%"], [1e4, "99.99%"], [1e5, "99.999%"]];

// Latency against 1 / (1 - share): each nine takes as much room as the one before.
const nvlPercentiles = (runs, bins) => {
  const curve = (r) => {
    const total = r.hist.reduce((a, b) => a + b, 0), points = [];
    let sum = 0;
    r.hist.forEach((count, b) => {
      if (!count) return;
      sum += count;
      points.push([Math.min(1e5, 1 / Math.max(1e-9, 1 - (sum - count / 2) / total)), nvlBinLow(bins, b + 0.5)]);
    });
    return points.filter(([x]) => x < 1e5);
  };
  const series = runs.map((r) => ({ name: `run ${r.run}`, ...nvlRunStyle(r.run), points: curve(r), every: 4 })), all = series.flatMap((s) => s.points.map((p) => p[1]));
  const nine = (v) => NVL_NINES.find(([at]) => at === v)?.[1] ?? `${(100 * (1 - 1 / v)).toFixed(Math.min(3, Math.max(0, Math.ceil(Math.log10(v)))))}%`;
  return {
    x: { lo: 1, hi: 1e5, log: true, ticks: NVL_NINES.map(([at]) => at), label: "share of the I/Os that were at least as fast", show: nine },
    y: { lo: all.length ? nvlLeast(all) / 1.4 : 1, hi: all.length ? nvlMost(all) * 1.4 : 100, log: true, label: "latency", show: nvlMicro },
    empty: runs.length ? "" : "choose runs in the table", says: runs.map((r) => `run ${r.run} p99 ${nvlMicro(r.lat_p99_us)}`).join(", "), series,
  };
};

const nvlDepthAxis = (points, plan) => {
  const depths = [...new Set([...plan, ...points.map((p) => p.depth)])].sort((a, b) => a - b);
  return { lo: (depths[0] ?? 1) / 1.25, hi: (depths.at(-1) ?? 256) * 1.25, log: true, ticks: depths.length ? depths : [1, 4, 16, 64, 256], label: "depth: commands in flight", show: (v) => String(v), read: (v) => `depth ${v}` };
};
const nvlUnswept = "press sweep: depths 1, 2, 4 … one after the other";

// One command alone gives 1 / latency; without any queueing, depth times as much, up to what the drive can do.
const nvlSweepRate = (points, plan) => {
  const most = nvlMost(points.map((p) => p.iops), 1), one = points[0] && points[0].iops / points[0].in_flight;
  return {
    x: nvlDepthAxis(points, plan), y: { lo: 0, hi: most * 1.2, label: "IOPS" }, empty: points.length ? "" : nvlUnswept,
    says: points.map((p) => `depth ${p.depth} ${nvlNumber(p.iops)}`).join(", "),
    series: [{ name: "measured", colour: "--nvl-c0", mark: "circle", points: points.map((p) => [p.depth, p.iops]) },
      { name: "if the latency of the first depth held", colour: "--nvl-dim", dash: [4, 4], wide: 1.5, mute: true, points: points.filter((p) => one * p.in_flight <= most * 1.9).map((p) => [p.depth, one * p.in_flight]) }],
  };
};

// Little's law: what is in flight = throughput x latency. Once the throughput stands, latency grows as the depth does.
const nvlSweepLatency = (points, plan) => {
  const most = nvlMost(points.map((p) => p.iops), 1), all = points.flatMap((p) => [p.lat_avg_us, p.lat_p99_us, (p.in_flight / most) * 1e6]);
  return {
    x: nvlDepthAxis(points, plan), y: { lo: points.length ? nvlLeast(all) / 1.3 : 1, hi: points.length ? nvlMost(all) * 1.3 : 100, log: true, label: "latency", show: nvlMicro },
    empty: points.length ? "" : nvlUnswept, says: points.map((p) => `depth ${p.depth} ${nvlMicro(p.lat_avg_us)}`).join(", "),
    series: [{ name: "average", colour: "--nvl-c1", mark: "square", points: points.map((p) => [p.depth, p.lat_avg_us]) },
      { name: "p99", colour: "--nvl-c3", mark: "triangle", dash: [6, 3], points: points.map((p) => [p.depth, p.lat_p99_us]) },
      { name: "depth / highest IOPS", colour: "--nvl-dim", dash: [4, 4], wide: 1.5, points: points.map((p) => [p.depth, (p.in_flight / most) * 1e6]) }],
  };
};
