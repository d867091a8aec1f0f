// The lanes on a canvas: marks of events, arrows between the sides, heaps where events are too many for marks, and the axis.

const NVL_LEFT = 104, NVL_RIGHT = 14, NVL_LANE = 78, NVL_FOOT = 22, NVL_HEAP = 8, NVL_ARROWS = 500;
const NVL_SHAPE = {
  circle: "M-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0Z", play: "M-3.4 -4.8L5.2 0L-3.4 4.8Z", diamond: "M0 -5.6L5.6 0L0 5.6L-5.6 0Z",
  down: "M-5 -3.8L5 -3.8L0 5Z", square: "M-4 -4H4V4H-4Z", bar: "M-1.8 -5H1.8V5H-1.8Z", flag: "M-1 6V-7L7 -4L-1 -1",
  bolt: "M1.4 -6.5L-4.4 1H-.4L-1.4 6.5L4.4 -1H.4Z", cross: "M-4 -4L4 4M4 -4L-4 4", dot: "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0Z",
  plus: "M-4.5 0H4.5M0 -4.5V4.5", minus: "M-4.5 0H4.5", ring: "M-3.8 0a3.8 3.8 0 1 0 7.6 0a3.8 3.8 0 1 0 -7.6 0Z",
};
const NVL_LOOK = { // by kind: shape, colour, and whether only its outline is drawn
  1: ["ring", "--nvl-rung", 1], 2: ["square", "--nvl-write"], 3: ["play", "--nvl-rung"], 4: ["play", "--nvl-rung"], 5: ["circle", "--nvl-posted"],
  6: ["diamond", "--nvl-fetched"], 7: ["bar", "--nvl-done"], 8: ["circle", "--nvl-posted"], 9: ["down", "--nvl-polled"], 10: ["plus", "--nvl-dim", 1],
  11: ["minus", "--nvl-dim", 1], 12: ["flag", "--nvl-dim", 1], 13: ["diamond", "--nvl-dim", 1], 14: ["square", "--nvl-fetched"],
  15: ["bolt", "--nvl-bolt"], 16: ["cross", "--nvl-write", 1], 17: ["dot", "--nvl-dim"],
};
const NVL_CROSSING = new Set([2, 3, 4]); // what the host does reaches the drive at once

const nvlLaneName = (key) => (key < 0 ? "Controller" : key === 0 ? "Admin queue" : `I/O queue ${key}`);

class NvlLanes {
  constructor(canvas) {
    this.canvas = canvas;
    this.paths = Object.fromEntries(Object.entries(NVL_SHAPE).map(([name, d]) => [name, new Path2D(d)]));
  }

  // Colours are asked for anew at each draw: the theme may have changed, or the canvas only just come into the page.
  colour(name) {
    this.css ??= getComputedStyle(this.canvas);
    return (this.seen[name] ??= this.css.getPropertyValue(name).trim() || "#888");
  }

  size(lanes) {
    const ratio = globalThis.devicePixelRatio || 1, width = this.canvas.clientWidth || 900;
    const height = Math.max(1, lanes) * NVL_LANE + NVL_FOOT + 6;
    if (this.canvas.style.height !== `${height}px`) this.canvas.style.height = `${height}px`;
    const w = Math.round(width * ratio), h = Math.round(height * ratio);
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    Object.assign(this, { width, height, ratio, inner: width - NVL_LEFT - NVL_RIGHT });
  }

  x(place) { return NVL_LEFT + ((place - this.low) / (this.high - this.low)) * this.inner; }

  place(x) { return this.low + ((x - NVL_LEFT) / this.inner) * (this.high - this.low); }

  y(lane, side) { return 6 + lane * NVL_LANE + (side === 0 ? 22 : NVL_LANE - 18); }

  // scene: {lanes, axis, low, high, events (null: too many), bins, binsLow, binsHigh, cursor, chosen, steps, place(e)}
  draw(scene) {
    Object.assign(this, { low: scene.low, high: scene.high, css: null, seen: {} });
    this.size(scene.lanes.length);
    const g = (this.g = this.canvas.getContext("2d"));
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    g.clearRect(0, 0, this.width, this.height);
    this.spots = [];
    scene.lanes.forEach((key, lane) => this.lane(key, lane));
    if (!scene.lanes.length) return this.nothing();
    this.axis(scene);
    g.save();
    g.beginPath();
    g.rect(NVL_LEFT - 12, 0, this.inner + 26, this.height);
    g.clip();
    if (scene.events) this.exact(scene);
    else if (scene.bins) this.heaps(scene);
    this.cursor(scene);
    return g.restore();
  }

  nothing() {
    this.g.fillStyle = this.colour("--nvl-dim");
    this.words("No events: nothing was recorded yet, or the filter lets none pass.", NVL_LEFT, 40, 400, 13);
  }

  lane(key, lane) {
    const g = this.g, top = 6 + lane * NVL_LANE;
    g.fillStyle = this.colour("--nvl-tint");
    g.beginPath();
    g.roundRect(0, top, this.width, NVL_LANE - 6, 6);
    g.fill();
    g.fillStyle = this.colour("--nvl-fg");
    this.words(nvlLaneName(key), 8, top + (NVL_LANE - 6) / 2, 600, 12);
    for (const side of [0, 1]) {
      const y = this.y(lane, side);
      g.fillStyle = this.colour(side ? "--nvl-drive" : "--nvl-dim");
      this.words(side ? "drive" : "host", NVL_LEFT - 12, y, 400, 11, "right");
      g.strokeStyle = this.colour("--nvl-edge");
      this.line(NVL_LEFT - 6, y, this.width - 6, y, 1);
    }
  }

  words(text, x, y, weight = 400, size = 11, align = "left") {
    const g = this.g;
    g.font = `${weight} ${size}px ${this.css.fontFamily}`;
    g.textAlign = align;
    g.textBaseline = "middle";
    g.fillText(text, x, y);
  }

  line(x1, y1, x2, y2, wide = 1, dash = []) {
    const g = this.g;
    g.lineWidth = wide;
    g.setLineDash(dash);
    g.beginPath();
    g.moveTo(x1, y1);
    g.lineTo(x2, y2);
    g.stroke();
    g.setLineDash([]);
  }

  // Ticks at 1, 2 or 5 times a power of ten; of the order the numbers of events, of time what the clock said.
  axis(scene) {
    const g = this.g, span = this.high - this.low, most = Math.max(2, Math.floor(this.inner / 110)), y = this.height - NVL_FOOT + 10;
    const p = 10 ** Math.floor(Math.log10(span / most)), each = [1, 2, 5, 10].map((m) => m * p).find((s) => span / s <= most);
    const step = scene.axis === "order" ? Math.max(1, Math.round(each)) : each;
    const unit = step >= 1e9 ? [1e9, "s"] : step >= 1e6 ? [1e6, "ms"] : step >= 1e3 ? [1e3, "µs"] : [1, "ns"];
    for (let at = Math.ceil(this.low / step) * step; at <= this.high; at += step) {
      const x = this.x(at);
      if (x < NVL_LEFT - 1) continue;
      g.strokeStyle = this.colour("--nvl-soft");
      this.line(x, 6, x, this.height - NVL_FOOT + 2, 1);
      g.fillStyle = this.colour("--nvl-dim");
      const said = scene.axis === "order" ? `${Math.round(at) + 1}` : `${(at / unit[0]).toLocaleString("en", { maximumFractionDigits: 3 })} ${unit[1]}`;
      this.words(said, x, y, 400, 10.5, "center");
    }
    g.fillStyle = this.colour("--nvl-dim");
    this.words(scene.axis === "order" ? "event" : "time", 8, y, 400, 10.5);
  }

  exact(scene) {
    const seen = scene.events.filter((e) => e.lane >= 0 && scene.place(e) >= this.low - 1e-9 && scene.place(e) <= this.high + 1e-9);
    const lines = new Map();
    for (const e of seen) {
      const key = e.lane * 2 + e.side, x = this.x(scene.place(e)), heaps = lines.get(key) ?? lines.set(key, []).get(key), last = heaps.at(-1);
      if (last && x - last.x < NVL_HEAP) last.events.push(e), (last.end = x);
      else heaps.push({ x, end: x, events: [e], lane: e.lane, side: e.side });
    }
    this.arrows(scene, seen);
    for (const heaps of lines.values())
      heaps.forEach((heap, i) => (heap.events.length === 1 ? this.single(scene, heap, heaps[i + 1]) : this.pile(scene, heap)));
  }

  // From posting to fetch, from completion posted to seen; doorbells and register writes cross at once.
  arrows(scene, seen) {
    const by = new Map();
    for (const e of seen) {
      if (e.post >= 0) (by.get(e.post) ?? by.set(e.post, {}).get(e.post))[e.kind] ??= e;
    }
    const many = by.size > NVL_ARROWS, alpha = by.size > 120 ? 0.35 : 0.9;
    if (many) return;
    const draw = (from, to, colour, dash) => {
      this.g.globalAlpha = alpha * this.fade(scene, to);
      this.arrow(this.x(scene.place(from)), this.y(from.lane, from.side), this.x(scene.place(to)), this.y(to.lane, to.side), this.colour(colour), dash);
    };
    for (const e of by.values()) {
      if (e[5] && e[6] && e[5].lane === e[6].lane) draw(e[5], e[6], "--nvl-posted");
      if (e[8] && e[9] && e[8].lane === e[9].lane) draw(e[8], e[9], "--nvl-polled");
    }
    for (const e of seen) if (NVL_CROSSING.has(e.kind)) draw({ ...e, side: 0 }, { ...e, side: 1 }, e.kind === 2 ? "--nvl-write" : "--nvl-rung", [3, 3]);
    this.g.globalAlpha = 1;
  }

  arrow(x1, y1, x2, y2, colour, dash = []) {
    const g = this.g, way = Math.sign(y2 - y1), length = Math.hypot(x2 - x1, y2 - y1), ux = (x2 - x1) / length, uy = (y2 - y1) / length;
    const ex = x2 - ux * 7, ey = y2 - uy * 7;
    g.strokeStyle = colour;
    this.line(x1 + ux * 6, y1 + uy * 6, ex, ey, 1.5, dash);
    g.lineWidth = 1.5;
    g.beginPath();
    g.moveTo(ex - ux * 5 - uy * 3.2, ey - uy * 5 + ux * 3.2);
    g.lineTo(ex, ey);
    g.lineTo(ex - ux * 5 + uy * 3.2, ey - uy * 5 - ux * 3.2);
    g.stroke();
    return way;
  }

  // What hasn't happened yet at the chosen instant is pale.
  fade(scene, e) { return e.number < scene.cursor ? 1 : 0.3; }

  single(scene, heap, next) {
    const e = heap.events[0], g = this.g, [shape, colour, hollow] = NVL_LOOK[e.kind] ?? ["dot", "--nvl-dim"], y = this.y(e.lane, e.side);
    g.globalAlpha = this.fade(scene, e);
    g.save();
    g.translate(heap.x, y);
    this.paint(shape, this.colour(colour), hollow);
    g.restore();
    if (e.kind === 12) this.flag(scene, e, heap.x, y, next ? next.x : this.width);
    g.globalAlpha = 1;
    if (e.number === scene.chosen) this.frame(heap.x, y, 9);
    this.spots.push({ x: heap.x, end: heap.x, y, events: heap.events });
  }

  paint(shape, colour, hollow) {
    const g = this.g, path = this.paths[shape];
    if (hollow) {
      g.fillStyle = this.colour("--nvl-tint");
      if (shape === "ring") g.fill(path);
      g.strokeStyle = colour;
      g.lineWidth = 2;
    } else {
      g.fillStyle = colour;
      g.fill(path);
      g.strokeStyle = "rgba(20,20,20,.75)";
      g.lineWidth = 0.7;
    }
    g.stroke(path);
  }

  flag(scene, e, x, y, end) {
    const g = this.g, text = scene.steps[e.index] ?? "", room = Math.min(end, this.width) - x - 14;
    g.font = `400 10px ${this.css.fontFamily}`;
    if (room < 20 || g.measureText(text).width > room) return;
    g.fillStyle = this.colour("--nvl-dim");
    this.words(text, x + 9, y - 11, 400, 10);
  }

  frame(x, y, r, wide = 0) {
    const g = this.g;
    g.strokeStyle = this.colour("--nvl-focus");
    g.lineWidth = 2.5;
    g.beginPath();
    g.roundRect(x - r, y - r, 2 * r + wide, 2 * r, r);
    g.stroke();
  }

  // Several events closer than their marks: a bar, taller the more there are, with their number where there is room.
  pile(scene, heap) {
    const g = this.g, y = this.y(heap.lane, heap.side), n = heap.events.length, wide = Math.max(NVL_HEAP - 1, heap.end - heap.x + 4);
    const tall = Math.min(26, 9 + 3 * Math.log2(n)), past = heap.events.filter((e) => e.number < scene.cursor).length;
    g.globalAlpha = past ? 1 : 0.3;
    g.fillStyle = this.colour(heap.side ? "--nvl-drive" : "--nvl-host");
    g.beginPath();
    g.roundRect(heap.x - 3, y - tall / 2, wide, tall, 3);
    g.fill();
    g.globalAlpha = 1;
    if (heap.events.some((e) => e.number === scene.chosen)) this.frame(heap.x - 3 + 8, y, tall / 2 + 3, Math.max(0, wide - 16));
    this.spots.push({ x: heap.x - 3, end: heap.x - 3 + wide, y, events: heap.events });
  }

  // Densities: how many events a pixel, as bars on each line.
  heaps(scene) {
    const g = this.g, { bins, binsLow, binsHigh, lanes } = scene, n = bins.length / (lanes.length * 2);
    const wide = ((binsHigh - binsLow) / n / (this.high - this.low)) * this.inner, peak = bins.reduce((m, v) => Math.max(m, v), 1);
    for (let row = 0; row < lanes.length * 2; row++) {
      const y = this.y(row >> 1, row & 1);
      g.fillStyle = this.colour(row & 1 ? "--nvl-drive" : "--nvl-host");
      for (let i = 0; i < n; i++) {
        const count = bins[row * n + i], x = NVL_LEFT + ((binsLow + (i * (binsHigh - binsLow)) / n - this.low) / (this.high - this.low)) * this.inner;
        if (!count || x + wide < NVL_LEFT || x > this.width) continue;
        const tall = 3 + 23 * (Math.log2(1 + count) / Math.log2(1 + peak));
        g.fillRect(x, y - tall / 2, Math.max(1, wide - (wide > 4 ? 1 : 0)), tall);
      }
    }
  }

  cursor(scene) {
    if (scene.at === null || scene.at < this.low || scene.at > this.high) return;
    const g = this.g, x = this.x(scene.at);
    g.strokeStyle = g.fillStyle = this.colour("--nvl-focus");
    this.line(x, 2, x, this.height - NVL_FOOT, 1.5);
    g.beginPath();
    g.moveTo(x - 5, 0);
    g.lineTo(x + 5, 0);
    g.lineTo(x, 7);
    g.fill();
  }

  // The events under a point, or null.
  hit(x, y) {
    let best = null, far = 12;
    for (const spot of this.spots) {
      const dx = x < spot.x ? spot.x - x : x > spot.end ? x - spot.end : 0, d = Math.hypot(dx, (y - spot.y) * 0.7);
      if (d < far) [best, far] = [spot, d];
    }
    return best;
  }
}

// All of the recording in a strip, and the part that the lanes show. Dragging moves that part.
class NvlMap {
  constructor(parent, move) {
    this.canvas = nvlEl("canvas", { class: "nvl-map", "aria-hidden": "true" }, parent);
    const at = (e) => (e.offsetX - NVL_LEFT) / Math.max(1, this.canvas.clientWidth - NVL_LEFT - NVL_RIGHT);
    this.canvas.addEventListener("pointerdown", (e) => { this.canvas.setPointerCapture(e.pointerId); this.held = true; move(at(e)); });
    this.canvas.addEventListener("pointermove", (e) => { if (this.held) move(at(e)); });
    this.canvas.addEventListener("pointerup", () => { this.held = false; });
  }

  draw(bins, lanes, from, to, at, colour) {
    const ratio = globalThis.devicePixelRatio || 1, width = this.canvas.clientWidth || 900, height = 30, n = bins.length / Math.max(1, lanes * 2);
    const w = Math.round(width * ratio), h = Math.round(height * ratio), g = this.canvas.getContext("2d"), inner = width - NVL_LEFT - NVL_RIGHT;
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    const sums = [new Float32Array(n), new Float32Array(n)];
    bins.forEach((v, i) => { sums[Math.floor(i / n) & 1][i % n] += v; });
    const peak = Math.max(1, ...sums[0], ...sums[1]), tall = (v) => (v ? 2 + 11 * (Math.log2(1 + v) / Math.log2(1 + peak)) : 0);
    sums.forEach((sum, side) => {
      g.fillStyle = colour(side ? "--nvl-drive" : "--nvl-dim");
      sum.forEach((v, i) => g.fillRect(NVL_LEFT + (i / n) * inner, side ? 15 : 15 - tall(v), Math.max(1, inner / n - 0.3), tall(v)));
    });
    const left = NVL_LEFT + Math.max(0, from) * inner, right = NVL_LEFT + Math.min(1, to) * inner;
    g.strokeStyle = g.fillStyle = colour("--nvl-focus");
    g.lineWidth = 1.5;
    g.strokeRect(left, 1, Math.max(3, right - left), height - 2);
    if (at !== null) g.fillRect(NVL_LEFT + at * inner - 0.75, 1, 1.5, height - 2);
  }
}
