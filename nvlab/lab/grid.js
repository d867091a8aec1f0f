// A large ring, drawn on a canvas as rows of cells: up to 4096 slots, each still to be clicked.

const NVL_ROOM = 12; // above and below the cells, for the letters of the first and the last row

const NVL_QUIET = ["free", "done", "stale"]; // lives of slots that wait for nobody

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
    const last = {}, places = new Map();
    for (const [side, name, slot] of nvlPointers(q, this.kind).sort((a, b) => a[2] - b[2])) {
      const place = places.get(`${side} ${slot}`) ?? [side, slot, ""];
      places.set(`${side} ${slot}`, [side, slot, place[2] + NVL_BADGE[name]]);
    }
    for (const [side, slot, letters] of places.values()) this.badge(g, side, slot, side === "host" ? letters : letters.toLowerCase(), last, colour);
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

  // Asking for a style makes the page work it out anew: while a ring moves, twice a second is enough.
  colours() {
    const { jpThemeName, jpThemeLight } = document.body.dataset, now = performance.now();
    const theme = `${jpThemeName} ${jpThemeLight} ${document.body.className}`;
    if (this.theme === theme && now - this.asked < 500 && this.colour.fg) return this.colour;
    const style = getComputedStyle(this.el), names = [...NVL_LIVES, "soft", "fg", "dim", "host", "drive", "onbadge"];
    const colour = Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--nvl-${n}`).trim()]));
    return Object.assign(this, { theme, colour, asked: now }).colour;
  }

  at(slot) { return [(slot % this.columns) * this.side, Math.floor(slot / this.columns) * this.tall]; }

  // A ring is put together from pieces of ready rows, a piece for each run of slots that are alike: it moves at little cost.
  cells(g, life, colour) {
    const ratio = g.getTransform().a, rows = this.ready(colour, ratio), edge = (column) => Math.floor(column * this.side * ratio);
    g.save();
    g.setTransform(1, 0, 0, 1, 0, 0);
    for (let from = 0, to = 0; from < this.depth; from = to) {
      const row = Math.floor(from / this.columns), first = row * this.columns, end = Math.min(this.depth, first + this.columns);
      while (to < end && life[to] === life[from]) to++;
      const piece = rows[life[from]], x = edge(from - first), wide = edge(to - first) - x;
      g.drawImage(piece, x, 0, wide, piece.height, x, Math.round((NVL_ROOM + row * this.tall) * ratio), wide, piece.height);
    }
    g.restore();
  }

  // For each life a row in which all slots have it, drawn anew only when the theme or the resolution changes.
  ready(colour, ratio) {
    const key = JSON.stringify([colour, ratio]);
    if (this.key !== key) Object.assign(this, { key, rows_of: NVL_LIVES.map((name) => this.row(name, colour, ratio)) });
    return this.rows_of;
  }

  // Where cells are small only those that wait have marks.
  row(name, colour, ratio) {
    const el = document.createElement("canvas"), boxes = new Path2D(), marks = new Path2D(), mark = new Path2D(NVL_MARK[name]);
    Object.assign(el, { width: Math.ceil(this.columns * this.side * ratio), height: Math.ceil(this.tall * ratio) });
    const g = el.getContext("2d"), w = this.side - 1, h = this.tall - 1, edge = name === "free" ? 0.5 : 0;
    const scale = this.side / 14, calm = this.side > 10 ? ["free"] : NVL_QUIET;
    for (let x = 0; x < this.columns * this.side; x += this.side) {
      boxes.rect(x + edge, edge, w - 2 * edge, h - 2 * edge);
      if (!calm.includes(name)) marks.addPath(mark, new DOMMatrix([scale, 0, 0, scale, x + w / 2, h / 2]));
    }
    g.scale(ratio, ratio);
    this.paint(g, name, boxes, marks, colour);
    return el;
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

  // Letters stand beside their slot, the host's above, the drive's below, those of one slot together. Where neighbours would
  // meet the later one moves aside; a bar at the slot's edge says which slot it means.
  badge(g, side, slot, letters, last, colour) {
    const host = side === "host", r = 6, half = r + 3.5 * (letters.length - 1), high = this.rows * this.tall + 2 * NVL_ROOM;
    const [left, top] = this.at(slot), key = side + Math.floor(slot / this.columns);
    const x = Math.min(this.columns * this.side - half, Math.max(half, left + this.side / 2, (last[key] ?? -99) + half));
    last[key] = x + half;
    const row = top + NVL_ROOM, y = Math.min(high - r, Math.max(r, host ? row - r : row + this.tall + r)) - NVL_ROOM;
    g.fillStyle = colour[side];
    g.fillRect(left, host ? top - 1 : top + this.tall - 2, this.side - 1, 2.5);
    g.beginPath();
    g.roundRect(x - half, y - r, 2 * half, 2 * r, host ? r : 2);
    g.fill();
    g.fillStyle = colour.onbadge;
    g.font = `600 ${Math.round(r * 1.5)}px sans-serif`;
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.fillText(letters, x, y + 0.5);
  }
}
