// A large ring, drawn on a canvas as rows of cells: up to 4096 slots, each still to be clicked.

const NVL_ROOM = 12; // above and below the cells, for the letters of the first and the last row

const NVL_QUIET = ["free", "done", "stale"]; // lives of slots that wait for nobody
let NVL_MARKS; // the marks' paths, read once

class NvlGrid {
  constructor(host, kind, depth, pick) {
    Object.assign(this, { kind, depth });
    this.columns = depth <= 256 ? 64 : 128;
    this.rows = Math.ceil(depth / this.columns);
    Object.assign(this, { side: 832 / this.columns, tall: depth <= 256 ? 13 : depth <= 1024 ? 11 : 7 });
    this.box = nvlEl("div", { class: "nvl-gridbox" }, host);
    this.el = nvlEl("canvas", { class: "nvl-canvas", "aria-hidden": "true" }, this.box);
    this.el.style.width = `${this.columns * this.side}px`;
    this.el.style.aspectRatio = `${this.columns * this.side} / ${this.rows * this.tall + 2 * NVL_ROOM}`;
    this.line = nvlEl("div", { class: "nvl-gridline" }, host);
    const slotAt = (e) => {
      const r = this.el.getBoundingClientRect();
      const scale = r.width / (this.columns * this.side), at = (v, each, most) => Math.max(0, Math.min(most - 1, Math.floor(v / scale / each)));
      const x = at(e.clientX - r.left, this.side, this.columns), y = at(e.clientY - r.top - NVL_ROOM * scale, this.tall, this.rows);
      return Math.min(depth - 1, y * this.columns + x);
    };
    this.el.addEventListener("click", (e) => pick(slotAt(e)));
    this.el.addEventListener("mousemove", (e) => { if (this.last) this.el.title = this.tip(slotAt(e)); });
  }

  tip(i) {
    const { q, life, bytes, size, brief } = this.last;
    return `${this.kind}${q.qid}[${i}] ${nvlMeans(this.kind, NVL_LIVES[life[i]], q)}: ${brief(bytes.subarray(i * size, i * size + size))}`;
  }

  update(q, life, bytes, size, selected, brief) {
    this.last = { q, life, bytes, size, brief };
    const g = this.canvas(), colour = this.colours();
    this.cells(g, life, colour);
    if (selected >= 0) this.frame(g, selected, colour.fg);
    const last = {};
    for (const [side, name, slot] of nvlPointers(q, this.kind).sort((a, b) => a[2] - b[2])) this.badge(g, side, name, slot, last, colour);
    const phase = this.kind === "CQ" ? ` · host expects P=${q.host.phase}${q.drive ? `, drive writes P=${q.drive.phase}` : ""}` : "";
    nvlSay(this.line, `${this.kind}${q.qid} · ${this.depth} slots, ${this.columns} a row${phase}`);
  }

  // An empty canvas of the page's resolution, its origin at slot 0.
  canvas() {
    const ratio = globalThis.devicePixelRatio || 1, wide = this.columns * this.side, high = this.rows * this.tall + 2 * NVL_ROOM;
    const width = Math.round(wide * ratio), height = Math.round(high * ratio), g = this.el.getContext("2d");
    if (this.el.width !== width || this.el.height !== height) Object.assign(this.el, { width, height });
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, wide, high);
    g.translate(0, NVL_ROOM);
    return g;
  }

  colours() {
    const style = getComputedStyle(this.el), names = [...NVL_LIVES, "soft", "fg", "dim", "host", "drive", "onbadge"];
    return Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--nvl-${n}`).trim()]));
  }

  at(slot) { return [(slot % this.columns) * this.side, Math.floor(slot / this.columns) * this.tall]; }

  // All cells of a life at once: 4096 of them are drawn in a few strokes. Where cells are small only those that wait have marks.
  cells(g, life, colour) {
    const w = this.side - 1, h = this.tall - 1, boxes = NVL_LIVES.map(() => new Path2D()), marks = NVL_LIVES.map(() => new Path2D());
    NVL_MARKS ??= NVL_LIVES.map((name) => new Path2D(NVL_MARK[name]));
    const scale = this.side / 14, calm = this.side > 10 ? ["free"] : NVL_QUIET;
    for (let i = 0; i < this.depth; i++) {
      const [x, y] = this.at(i), kind = life[i], edge = NVL_LIVES[kind] === "free" ? 0.5 : 0;
      boxes[kind].rect(x + edge, y + edge, w - 2 * edge, h - 2 * edge);
      if (!calm.includes(NVL_LIVES[kind])) marks[kind].addPath(NVL_MARKS[kind], new DOMMatrix([scale, 0, 0, scale, x + w / 2, y + h / 2]));
    }
    NVL_LIVES.forEach((name, kind) => this.paint(g, name, boxes[kind], marks[kind], colour));
  }

  paint(g, name, boxes, marks, colour) {
    Object.assign(g, { fillStyle: colour[name], strokeStyle: colour.soft, lineWidth: 1 });
    if (name === "free") g.stroke(boxes);
    else g.fill(boxes);
    g.fillStyle = g.strokeStyle = name === "stale" ? colour.dim : "#1b1b1b";
    if (name === "done" || name === "stale") g.stroke(marks);
    else g.fill(marks);
  }

  frame(g, slot, colour) {
    const [x, y] = this.at(slot);
    Object.assign(g, { strokeStyle: colour, lineWidth: 2 });
    g.strokeRect(x, y, this.side - 1, this.tall - 1);
  }

  // Letters stand beside their slot, the host's above, the drive's below; those that would meet stand in a row.
  badge(g, side, name, slot, last, colour) {
    const host = side === "host", r = 6, high = this.rows * this.tall + 2 * NVL_ROOM, key = side + Math.floor(slot / this.columns);
    const wanted = Math.max(this.at(slot)[0] + this.side / 2, (last[key] ?? -99) + 2 * r);
    const x = (last[key] = Math.min(this.columns * this.side - r, Math.max(r, wanted)));
    const row = this.at(slot)[1] + NVL_ROOM, y = Math.min(high - r, Math.max(r, host ? row - r : row + this.tall + r)) - NVL_ROOM;
    g.fillStyle = colour[side];
    g.beginPath();
    if (host) g.arc(x, y, r, 0, 2 * Math.PI);
    else g.rect(x - r, y - r, 2 * r, 2 * r);
    g.fill();
    g.fillStyle = colour.onbadge;
    g.font = `600 ${Math.round(r * 1.5)}px sans-serif`;
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.fillText(host ? NVL_BADGE[name] : NVL_BADGE[name].toLowerCase(), x, y + 0.5);
  }
}
