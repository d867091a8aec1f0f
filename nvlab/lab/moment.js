// One instant in little room: each queue as a strip of slots with both sides' indices, and the registers.

// On the element that has the focus: JupyterLab's own shortcuts (x cuts the cell, 0 0 restarts the kernel) rest there.
const NVL_OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };
const NVL_CELLS = 32;
const NVL_WEIGHT = [0, 4, 5, 3, 2, 1, 1]; // of the lives in a cell that stands for many slots, the one to show
const NVL_SQ_WORDS = [["host", [["head", "head"], ["tail", "tail"], ["rung", "doorbell"]]], ["drive", [["head", "head"], ["tail", "tail"]]]];
const NVL_CQ_WORDS = [["host", [["head", "head"], ["phase", "phase"], ["rung", "doorbell"]]],
  ["drive", [["tail", "tail"], ["head", "head"], ["phase", "phase"]]]];

const nvlExpand = (ring) => {
  const life = new Uint8Array(ring.depth);
  for (let i = 0, at = 0; i < ring.runs.length; i += 2) at += life.fill(ring.runs[i], at, at + ring.runs[i + 1]) && ring.runs[i + 1];
  return life;
};

// Which slots the cells show: {first, each}. All of a small ring; of a large one those around the indices, else many in a cell.
const nvlCells = (ring) => {
  const slots = nvlPointers(ring, ring.kind).map(([, , slot]) => slot), d = ring.depth;
  if (d <= NVL_CELLS) return { first: 0, each: 1, count: d };
  const spread = (from) => Math.max(...slots.map((s) => (((s - from) % d) + d) % d));
  const from = slots.reduce((best, s) => (spread(s) < spread(best) ? s : best), slots[0]);
  if (spread(from) <= NVL_CELLS - 8) return { first: from < 4 ? 0 : (from - 4) % d, each: 1, count: NVL_CELLS };
  return { first: 0, each: d / NVL_CELLS, count: NVL_CELLS };
};

class NvlStrip {
  constructor(parent, pick = null) {
    this.el = nvlEl("div", { class: "nvl-strip" }, parent);
    const head = nvlEl("div", { class: "nvl-strip-head" }, this.el);
    this.name = nvlEl("b", {}, head);
    this.depth = nvlEl("span", { class: "nvl-strip-depth" }, head);
    this.bell = pick && nvlEl("button", { type: "button", class: "nvl-link nvl-bell" }, head);
    this.bell?.addEventListener("click", () => pick(this.bell.textContent));
    this.facts = nvlEl("span", { class: "nvl-strip-facts" }, head);
    this.svg = nvlEl("svg", { class: "nvl-strip-svg", viewBox: "0 0 326 46", "aria-hidden": "true" }, this.el);
    this.cells = Array.from({ length: NVL_CELLS }, () => {
      const g = nvlEl("g", {}, this.svg);
      return { g, rect: nvlEl("rect", { class: "nvl-seg", y: 15, height: 16, rx: 2 }, g), mark: nvlEl("path", { class: "nvl-mark" }, g), title: nvlEl("title", {}, g) };
    });
    this.badges = Array.from({ length: 5 }, () => {
      const g = nvlEl("g", { class: "nvl-strip-badge" }, this.svg);
      return { g, text: nvlEl("text", { "text-anchor": "middle" }, g) };
    });
  }

  update(ring, before) {
    nvlShow(this.el, !!ring);
    if (!ring) return;
    nvlSay(this.name, `${ring.kind}${ring.qid}`);
    const where = nvlCells(ring), life = nvlExpand(ring), wide = 322 / where.count;
    const shown = where.each > 1 ? `, ${where.each} a cell` : where.count < ring.depth ? `, ${where.count} of them drawn` : "";
    nvlSay(this.depth, `${ring.depth} slots${shown}`);
    if (this.bell) nvlSay(this.bell, ring.doorbell), nvlSet(this.bell, "aria-label", `${ring.doorbell}: breakpoint`);
    this.say(ring, before);
    this.cells.forEach((cell, i) => this.cell(cell, i, where, life, wide, ring));
    const place = ([, , slot]) => ((((slot - where.first) % ring.depth) + ring.depth) % ring.depth) / where.each;
    const pointers = nvlPointers(ring, ring.kind).filter((p) => place(p) < where.count).sort((a, b) => place(a) - place(b));
    const last = { host: 0, drive: 0 };
    this.badges.forEach((badge, i) => this.badge(badge, pointers[i], pointers[i] && 2 + (Math.floor(place(pointers[i])) + 0.5) * wide, last));
  }

  cell(cell, i, where, life, wide, ring) {
    nvlShow(cell.g, i < where.count);
    if (i >= where.count) return;
    const from = Math.floor(where.first + i * where.each), to = Math.max(from + 1, Math.floor(where.first + (i + 1) * where.each));
    let best = 0;
    for (let s = from; s < to; s++) if (NVL_WEIGHT[life[s % ring.depth]] > NVL_WEIGHT[best]) best = life[s % ring.depth];
    const name = NVL_LIVES[best], slot = from % ring.depth;
    nvlSet(cell.g, "data-life", name);
    nvlSet(cell.rect, "x", (2 + i * wide + 0.5).toFixed(2));
    nvlSet(cell.rect, "width", (wide - 1).toFixed(2));
    nvlSet(cell.mark, "d", NVL_MARK[name]);
    nvlSet(cell.mark, "transform", `translate(${(2 + (i + 0.5) * wide).toFixed(2)} 23) scale(${Math.min(1, wide / 11).toFixed(2)})`);
    nvlSay(cell.title, `${ring.kind}${ring.qid}[${slot}${to - from > 1 ? ` to ${(to - 1) % ring.depth}` : ""}]: ${nvlMeans(ring.kind, name, ring)}`);
  }

  // Letters of a side never lie on each other: those of one slot stand side by side.
  badge(badge, pointer, x, last) {
    nvlShow(badge.g, !!pointer);
    if (!pointer) return;
    const [side, name] = pointer, host = side === "host", at = Math.min(320, Math.max(x, last[side] + 8.5, 6));
    last[side] = at;
    nvlSet(badge.g, "class", `nvl-strip-badge nvl-strip-${side}`);
    nvlSet(badge.text, "x", at.toFixed(1));
    nvlSet(badge.text, "y", host ? 11 : 43);
    nvlSay(badge.text, host ? NVL_BADGE[name] : NVL_BADGE[name].toLowerCase());
  }

  say(ring, before) {
    const words = ring.kind === "SQ" ? NVL_SQ_WORDS : NVL_CQ_WORDS, text = [];
    for (const [side, names] of words) {
      if (!ring[side]) { text.push([`${side}: not visible`, false]); continue; }
      text.push([side, false]);
      for (const [key, label] of names)
        text.push([`${label} ${ring[side][key] ?? "?"}`, !!before?.[side] && before[side][key] !== ring[side][key]]);
    }
    this.words ??= [];
    text.forEach(([said, changed], i) => {
      this.words[i] ??= nvlEl("span", {}, this.facts);
      nvlSay(this.words[i], said);
      nvlSet(this.words[i], "class", /^(host|drive)/.test(said) ? "nvl-who" : changed ? "nvl-fresh" : "");
    });
    this.words.slice(text.length).forEach((el) => nvlSay(el, ""));
  }
}

class NvlMoment {
  // `pick(name)`: what a click on a register's or a doorbell's name does, if anything.
  constructor(parent, label = "rings and registers at this instant", pick = null) {
    this.pick = pick;
    this.el = nvlEl("section", { class: "nvl-moment", tabindex: "0", "aria-label": label }, parent);
    this.head = nvlEl("div", { class: "nvl-panel-head" }, this.el);
    this.none = nvlEl("div", { class: "nvl-panel-sub" }, this.el);
    const body = nvlEl("div", { class: "nvl-moment-body" }, this.el);
    this.rings = nvlEl("div", { class: "nvl-strips" }, body);
    this.regs = nvlEl("table", { class: "nvl-regs" }, body);
    nvlEl("caption", { class: "nvl-hidden" }, this.regs, "registers");
    this.body = nvlEl("tbody", {}, this.regs);
    this.pairs = [];
    this.rows = [];
  }

  // `moment` {rings, regs}, `before` the same one event earlier or null: what differs is lit.
  update(title, moment, before = null) {
    nvlSay(this.head, title);
    this.el.classList.toggle("nvl-stale", !moment);
    if (!moment) return;
    nvlSay(this.none, moment.rings.length ? "" : "No queues yet.");
    nvlShow(this.rings, moment.rings.length > 0);
    moment.rings.forEach((pair, i) => {
      const made = (this.pairs[i] ??= this.pair());
      const old = before?.rings.find((p) => p.qid === pair.qid);
      nvlShow(made.el, true);
      nvlSay(made.note, pair.busy ? `queue pair ${pair.qid} belongs to ${pair.busy} just now` : pair.sq ? "" : `queue pair ${pair.qid}: not enough is known`);
      made.sq.update(pair.sq, old?.sq);
      made.cq.update(pair.cq, old?.cq);
    });
    this.pairs.slice(moment.rings.length).forEach((p) => nvlShow(p.el, false));
    const known = new Map((before?.regs ?? []).map((r) => [r[0], r[1]]));
    moment.regs.forEach((reg, i) => this.row((this.rows[i] ??= this.newRow()), reg, before && known.get(reg[0]) !== reg[1]));
    this.rows.slice(moment.regs.length).forEach((r) => nvlShow(r.el, false));
  }

  pair() {
    const el = nvlEl("div", { class: "nvl-pair" }, this.rings);
    return { el, note: nvlEl("div", { class: "nvl-panel-sub" }, el), sq: new NvlStrip(el, this.pick), cq: new NvlStrip(el, this.pick) };
  }

  newRow() {
    const el = nvlEl("tr", {}, this.body);
    const th = nvlEl("th", { scope: "row" }, el), name = this.pick ? nvlEl("button", { type: "button", class: "nvl-link" }, th) : th;
    if (this.pick) name.addEventListener("click", () => this.pick(name.textContent));
    return { el, name, hex: nvlEl("td", { class: "nvl-value" }, el), said: nvlEl("td", {}, el) };
  }

  row(row, [name, hex, said, title], changed) {
    nvlShow(row.el, true);
    row.el.classList.toggle("nvl-fresh", !!changed);
    nvlSet(row.el, "title", title);
    nvlSay(row.name, name);
    if (this.pick) nvlSet(row.name, "aria-label", `${name}: breakpoint`);
    nvlSay(row.hex, hex);
    nvlSay(row.said, said || title);
  }
}
