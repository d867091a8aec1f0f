// A small ring, drawn as a ring: slot 0 at the top, clockwise. The host's indices stand outside, the drive's inside.

const NVL_BADGE = { head: "H", tail: "T", rung: "D" };

// Marks as paths around (0, 0), so that no font decides what they look like.
const NVL_MARK = {
  free: "",
  posted: "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0Z",
  rung: "M-3 -4L4.2 0L-3 4Z",
  fetched: "M0 -4.6L4.6 0L0 4.6L-4.6 0Z",
  polled: "M-4.2 -3L4.2 -3L0 4.2Z",
  done: "M-4 .2L-1.2 3L4 -3",
  stale: "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0Z",
};

// Every index that a side keeps of a ring, as [side, name, slot].
const nvlPointers = (q, kind) => {
  const names = kind === "SQ" ? ["head", "rung", "tail"] : ["rung", "head"];
  const out = names.map((n) => ["host", n, q.host[n]]);
  if (q.drive) for (const n of ["head", "tail"]) if (q.drive[n] != null) out.push(["drive", n, q.drive[n]]);
  return out;
};

class NvlRing {
  constructor(host, kind, depth, pick) {
    Object.assign(this, { kind, depth, mid: 160, outer: 132, inner: 82 });
    this.el = nvlEl("svg", { class: "nvl-svg", viewBox: "-14 -14 348 348", "aria-hidden": "true" }, host);
    this.cells = Array.from({ length: depth }, (_, i) => this.cell(i, pick));
    this.reach = { host: nvlEl("path", { class: "nvl-reach nvl-reach-host" }, this.el), drive: nvlEl("path", { class: "nvl-reach nvl-reach-drive" }, this.el) };
    this.badges = nvlEl("g", {}, this.el);
    this.pool = new Map();
    this.centre = [["nvl-mid-name", 152], ["nvl-mid-line", 170], ["nvl-mid-line", 185]].map(([c, y]) =>
      nvlEl("text", { class: c, x: 160, y, "text-anchor": "middle" }, this.el));
  }

  at(slot, radius) {
    const angle = ((slot + 0.5) / this.depth) * 2 * Math.PI - Math.PI / 2;
    return [this.mid + radius * Math.cos(angle), this.mid + radius * Math.sin(angle)];
  }

  cell(i, pick) {
    const g = nvlEl("g", { class: "nvl-cell", "data-slot": i, "data-life": "free" }, this.el);
    const step = (2 * Math.PI) / this.depth, gap = Math.min(0.03, step * 0.08);
    const from = i * step - Math.PI / 2 + gap / 2, to = from + step - gap, large = to - from > Math.PI ? 1 : 0;
    const p = (r, a) => `${(this.mid + r * Math.cos(a)).toFixed(2)} ${(this.mid + r * Math.sin(a)).toFixed(2)}`;
    const arc = (r, sweep, a) => `A${r} ${r} 0 ${large} ${sweep} ${p(r, a)}`;
    const outline = `M${p(this.outer, from)}${arc(this.outer, 1, to)}L${p(this.inner, to)}${arc(this.inner, 0, from)}Z`;
    nvlEl("path", { class: "nvl-seg", d: outline }, g);
    const [mx, my] = this.at(i, 120), [tx, ty] = this.at(i, 105.5), [nx, ny] = this.at(i, 90.5);
    const mark = nvlEl("path", { class: "nvl-mark", transform: `translate(${mx.toFixed(1)} ${my.toFixed(1)})` }, g);
    const tag = this.depth <= 40 ? nvlEl("text", { class: "nvl-tag", x: tx, y: ty + 3, "text-anchor": "middle" }, g) : null;
    if (this.depth <= 40 || i % 4 === 0) nvlEl("text", { class: "nvl-num", x: nx, y: ny + 2.5, "text-anchor": "middle" }, g, i);
    const title = nvlEl("title", {}, g);
    g.addEventListener("click", () => pick(i));
    return { g, mark, tag, title };
  }

  update(q, life, bytes, size, selected, brief) {
    for (let i = 0; i < this.depth; i++) {
      const c = this.cells[i], name = NVL_LIVES[life[i]], entry = bytes.subarray(i * size, i * size + size);
      if (c.name !== name) {
        nvlSet(c.g, "data-life", (c.name = name));
        nvlSet(c.mark, "d", NVL_MARK[name]);
      }
      if (c.tag && this.kind === "CQ") nvlSay(c.tag, name === "free" ? "0" : entry[14] & 1);
      else if (c.tag) nvlSay(c.tag, name === "free" ? "" : entry[0].toString(16).toUpperCase().padStart(2, "0") + "h");
      c.g.classList.toggle("nvl-on", i === selected);
      c.title.textContent = `${this.kind}${q.qid}[${i}] ${nvlMeans(this.kind, name, q)}: ${brief(entry)}`;
    }
    if (selected >= 0 && this.front !== selected) this.el.insertBefore(this.cells[(this.front = selected)].g, this.badges);
    this.point(nvlPointers(q, this.kind));
    this.arc("host", 135, q.may?.host);
    this.arc("drive", 79, q.may?.drive);
    const [name, one, two] = this.centre, count = (n) => life.reduce((a, x) => a + (NVL_LIVES[x] === n), 0);
    nvlSay(name, `${this.kind}${q.qid}`);
    if (this.kind === "SQ") {
      nvlSay(one, `${this.depth} slots`);
      const posted = count("posted"), flying = count("rung") + count("fetched");
      nvlSay(two, posted ? `${posted} not rung` : flying ? `${flying} in flight` : "at rest");
    } else {
      nvlSay(one, `host: P=${q.host.phase}`);
      nvlSay(two, q.drive ? `drive: P=${q.drive.phase}` : `${this.depth} slots`);
    }
  }

  // Along the slots that a side may touch now.
  arc(side, r, may) {
    const [first, count] = may ?? [0, 0], step = (2 * Math.PI) / this.depth, gap = Math.min(0.06, step * 0.2);
    const from = first * step - Math.PI / 2 + gap, to = from + count * step - 2 * gap;
    const p = (a) => `${(this.mid + r * Math.cos(a)).toFixed(2)} ${(this.mid + r * Math.sin(a)).toFixed(2)}`;
    nvlSet(this.reach[side], "d", count ? `M${p(from)}A${r} ${r} 0 ${to - from > Math.PI ? 1 : 0} 1 ${p(to)}` : "");
  }

  point(pointers) {
    const taken = [];
    const seen = new Set();
    for (const [side, name, slot] of pointers) {
      const key = side + name, out = side === "host";
      let radius = out ? 143 : 70, x, y;
      for (let n = 0; n < 4; n++, radius += out ? 16.5 : -16) {
        [x, y] = this.at(slot, radius);
        if (!taken.some(([a, b]) => Math.hypot(a - x, b - y) < 15)) break;
      }
      taken.push([x, y]);
      seen.add(key);
      let g = this.pool.get(key);
      if (!g) {
        g = nvlEl("g", { class: `nvl-badge nvl-${side}`, "data-pointer": `${side}-${name}` }, this.badges);
        if (out) nvlEl("circle", { r: 7.5 }, g);
        else nvlEl("rect", { x: -6.5, y: -6.5, width: 13, height: 13, rx: 2 }, g);
        nvlEl("text", { y: 3.4, "text-anchor": "middle" }, g, out ? NVL_BADGE[name] : NVL_BADGE[name].toLowerCase());
        this.pool.set(key, g);
      }
      nvlSet(g, "data-slot", slot);
      nvlSet(g, "transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    }
    for (const [key, g] of this.pool) g.style.display = seen.has(key) ? "" : "none";
  }
}
