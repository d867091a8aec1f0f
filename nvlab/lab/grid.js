// A large ring, drawn on a canvas as rows of cells: up to 4096 slots, each still to be clicked.

class NvlGrid {
  constructor(host, kind, depth, pick) {
    Object.assign(this, { kind, depth });
    this.columns = depth <= 1024 ? 32 : 64;
    this.rows = Math.ceil(depth / this.columns);
    this.side = 416 / this.columns;
    this.box = nvlEl("div", { class: "nvl-gridbox" }, host);
    this.el = nvlEl("canvas", { class: "nvl-canvas", "aria-hidden": "true" }, this.box);
    this.el.style.width = `${this.columns * this.side}px`;
    this.el.style.aspectRatio = `${this.columns} / ${this.rows}`;
    this.line = nvlEl("div", { class: "nvl-gridline" }, host);
    const slotAt = (e) => {
      const r = this.el.getBoundingClientRect();
      const x = Math.floor(((e.clientX - r.left) / r.width) * this.columns), y = Math.floor(((e.clientY - r.top) / r.height) * this.rows);
      return Math.max(0, Math.min(depth - 1, y * this.columns + x));
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
    const ratio = globalThis.devicePixelRatio || 1, s = this.side;
    const width = Math.round(this.columns * s * ratio), height = Math.round(this.rows * s * ratio);
    if (this.el.width !== width || this.el.height !== height) Object.assign(this.el, { width, height });
    const g = this.el.getContext("2d"), style = getComputedStyle(this.el);
    const colour = Object.fromEntries(NVL_LIVES.map((n) => [n, style.getPropertyValue(`--nvl-${n}`).trim()]));
    const edge = style.getPropertyValue("--nvl-edge").trim(), ink = style.getPropertyValue("--nvl-fg").trim();
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, this.columns * s, this.rows * s);
    for (let i = 0; i < this.depth; i++) this.cell(g, i, NVL_LIVES[life[i]], colour, edge);
    const frame = (slot, stroke, wide) => {
      g.strokeStyle = stroke;
      g.lineWidth = wide;
      g.strokeRect((slot % this.columns) * s + wide / 2, Math.floor(slot / this.columns) * s + wide / 2, s - wide, s - wide);
    };
    if (selected >= 0) frame(selected, ink, 2);
    for (const [side, name, slot] of nvlPointers(q, this.kind)) this.badge(g, side, name, slot, style);
    const phase = this.kind === "CQ" ? ` · host expects P=${q.host.phase}${q.drive ? `, drive writes P=${q.drive.phase}` : ""}` : "";
    nvlSay(this.line, `${this.kind}${q.qid} · ${this.depth} slots, ${this.columns} a row${phase}`);
  }

  cell(g, i, life, colour, edge) {
    const s = this.side, x = (i % this.columns) * s, y = Math.floor(i / this.columns) * s, c = s - 1;
    if (life !== "free") {
      g.fillStyle = colour[life];
      g.fillRect(x, y, c, c);
    }
    g.strokeStyle = edge;
    g.lineWidth = 1;
    g.strokeRect(x + 0.5, y + 0.5, c - 1, c - 1);
    if (life === "free") return;
    g.save();
    g.translate(x + c / 2, y + c / 2);
    g.scale(s / 14, s / 14);
    const path = new Path2D(NVL_MARK[life]);
    g.fillStyle = g.strokeStyle = "#1b1b1b";
    g.lineWidth = 2;
    if (life === "done") g.stroke(path);
    else g.fill(path);
    g.restore();
  }

  badge(g, side, name, slot, style) {
    const s = this.side, host = side === "host", r = Math.max(5, s * 0.4);
    const x = Math.min(this.columns * s - r, Math.max(r, (slot % this.columns) * s + (host ? 0.25 : 0.75) * s));
    const within = (host ? 0.2 : 0.8) * s + (name === "rung" ? 0.6 * s : 0);
    const y = Math.min(this.rows * s - r, Math.max(r, Math.floor(slot / this.columns) * s + within));
    g.fillStyle = style.getPropertyValue(host ? "--nvl-host" : "--nvl-drive").trim();
    g.beginPath();
    if (host) g.arc(x, y, r, 0, 2 * Math.PI);
    else g.rect(x - r, y - r, 2 * r, 2 * r);
    g.fill();
    g.fillStyle = style.getPropertyValue("--nvl-onbadge").trim();
    g.font = `600 ${Math.round(r * 1.5)}px sans-serif`;
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.fillText(host ? NVL_BADGE[name] : NVL_BADGE[name].toLowerCase(), x, y + 0.5);
  }
}
