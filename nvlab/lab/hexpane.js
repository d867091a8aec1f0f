// Bytes in hexadecimal with the decoded structure beside them: a field lights its bytes, a byte its field.

const nvlTwo = (n) => n.toString(16).toUpperCase().padStart(2, "0");
const nvlAscii = (b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : "·");

class NvlMemory {
  constructor(parent, label) {
    Object.assign(this, { bytes: new Uint8Array(0), rows: [], at: 0, base: 0, pinned: -1, label, spans: [], lit: [] });
    this.el = nvlEl("div", { class: "nvl-mem" }, parent);
    const left = nvlEl("div", { class: "nvl-mem-left" }, this.el);
    this.hex = nvlEl("div", { class: "nvl-mem-hex", tabindex: "0", role: "slider", "aria-label": `${label}: bytes`, "aria-valuemin": 0 }, left);
    this.line = nvlEl("div", { class: "nvl-mem-line", role: "status", "aria-live": "polite" }, left);
    this.list = nvlEl("div", { class: "nvl-mem-list", tabindex: "0", role: "listbox", "aria-label": `${label}: fields` }, this.el);
    this.hex.addEventListener("mousemove", (e) => this.moved(e));
    this.hex.addEventListener("mouseleave", () => this.leave());
    this.hex.addEventListener("click", (e) => e.target.dataset?.n !== undefined && this.go(+e.target.dataset.n));
    this.hex.addEventListener("keydown", (e) => this.key(e));
    this.list.addEventListener("keydown", (e) => this.keyList(e));
    this.list.addEventListener("mouseleave", () => this.leave());
  }

  // `rows` as memfields.rows() makes them; `base` is the address of the first byte.
  draw(bytes, rows, base = 0) {
    if (bytes.length !== this.bytes.length || base !== this.base) this.build(bytes, base);
    bytes.forEach((b, n) => {
      if (b === this.bytes[n] && this.made) return;
      const span = this.spans[n];
      nvlSay(span, nvlTwo(b));
      span.classList.toggle("nvl-null", !b);
      nvlSay(this.chars[n], nvlAscii(b));
    });
    this.made = true;
    this.bytes = bytes.slice();
    const key = JSON.stringify(rows);
    if (key !== this.drawn) { this.drawn = key; this.fields(rows); }
    nvlSet(this.hex, "aria-valuemax", Math.max(0, bytes.length - 1));
    this.light();
  }

  build(bytes, base) {
    Object.assign(this, { spans: [], chars: [], made: false, base, lit: [], at: Math.min(this.at, Math.max(0, bytes.length - 1)) });
    const wide = Math.max(3, (base + bytes.length).toString(16).length), all = document.createDocumentFragment();
    for (let row = 0; row < bytes.length; row += 16) {
      const line = nvlEl("div", { class: "nvl-mem-row" }, all);
      nvlEl("span", { class: "nvl-mem-off" }, line, (base + row).toString(16).toUpperCase().padStart(wide, "0"));
      for (let n = row; n < Math.min(row + 16, bytes.length); n++) this.spans.push(nvlEl("span", { class: "nvl-mem-byte", "data-n": n }, line));
      const text = nvlEl("span", { class: "nvl-mem-text" }, line);
      for (let n = row; n < Math.min(row + 16, bytes.length); n++) this.chars.push(nvlEl("i", { "data-n": n }, text));
    }
    this.hex.replaceChildren(all);
  }

  fields(rows) {
    if (rows.length !== this.rows.length) Object.assign(this, { pinned: -1, over: null });
    this.rows = rows;
    this.owner = [];
    rows.forEach((r, i) => { for (let n = r.first; n <= Math.min(r.last, this.bytes.length); n++) (this.owner[n] ??= []).push(i); });
    this.items = rows.map((r, i) => {
      const item = nvlEl("div", { class: `nvl-mem-field${r.zero ? " nvl-mem-nil" : ""}`, role: "option", id: `${this.uid ??= "m" + Math.random().toString(36).slice(2)}-${i}`, "aria-selected": "false", style: `padding-left:${6 + r.level * 14}px`,
        title: `${r.title}: byte ${r.first}${r.last > r.first ? " to " + r.last : ""}${r.bits ? ", bits " + r.bits : ""}` });
      nvlEl("span", { class: "nvl-name" }, item, r.name);
      nvlEl("span", { class: "nvl-value" }, item, r.value);
      nvlEl("span", { class: "nvl-meaning" }, item, r.meaning || r.title);
      item.addEventListener("mousemove", (e) => this.moved(e, i));
      item.addEventListener("click", () => this.pin(i));
      return item;
    });
    this.list.replaceChildren(...this.items);
    nvlShow(this.list, rows.length > 0);
    this.el.classList.toggle("nvl-mem-alone", !rows.length);
  }

  // The most particular field that a byte belongs to.
  owns(n) { return (this.owner?.[n] ?? []).reduce((a, i) => (a < 0 || this.rows[i].last - this.rows[i].first <= this.rows[a].last - this.rows[a].first && this.rows[i].level <= this.rows[a].level ? i : a), -1); }

  // What is under the mouse shows until it leaves; that something scrolled under a mouse at rest counts for nothing.
  moved(e, row = null) {
    const spot = `${e.clientX}/${e.clientY}`, n = e.target.dataset?.n;
    if (spot === this.spot || (row === null && n === undefined)) return;
    this.spot = spot;
    this.over = row === null ? [this.owns(+n), +n] : [row, Math.min(this.rows[row].first, this.spans.length - 1)];
    this.light();
  }

  leave() {
    this.over = null;
    this.light();
  }

  light() {
    const [row, byte] = this.over ?? [this.pinned, this.at];
    const r = this.rows[row];
    for (const n of this.lit) { this.spans[n]?.classList.remove("nvl-mem-lit"); this.chars[n]?.classList.remove("nvl-mem-lit"); }
    this.lit = r ? Array.from({ length: Math.min(r.last, this.spans.length - 1) - r.first + 1 }, (_, i) => r.first + i) : [];
    for (const n of this.lit) { this.spans[n]?.classList.add("nvl-mem-lit"); this.chars[n]?.classList.add("nvl-mem-lit"); }
    this.items?.forEach((item, i) => { nvlSet(item, "aria-selected", i === row); });
    this.spans.forEach((s, n) => s.classList.contains("nvl-at") !== (n === this.at) && s.classList.toggle("nvl-at", n === this.at));
    const words = this.bytes.length ? `byte ${nvlTwo(this.base + byte)}h = ${nvlTwo(this.bytes[byte] ?? 0)}h${r ? ` · ${r.name}: ${r.title}${r.bits ? ` (bits ${r.bits})` : ""} = ${[r.value, r.meaning].filter(Boolean).join(", ")}` : ""}` : "";
    nvlSay(this.line, words);
    nvlSet(this.hex, "aria-valuenow", byte);
    nvlSet(this.hex, "aria-valuetext", words);
  }

  pin(row) {
    this.over = null;
    this.pinned = row;
    this.at = Math.min(this.rows[row].first, this.spans.length - 1);
    this.reveal(this.hex, this.spans[this.at]);
    this.show(row);
    this.light();
  }

  go(n) {
    this.over = null;
    this.at = Math.max(0, Math.min(this.bytes.length - 1, n));
    this.pinned = this.owns(this.at);
    this.reveal(this.hex, this.spans[this.at]);
    if (this.pinned >= 0) this.show(this.pinned);
    this.light();
  }

  show(row) {
    this.reveal(this.list, this.items[row]);
    nvlSet(this.list, "aria-activedescendant", this.items[row].id);
  }

  // Scrolls the box alone, never the page.
  reveal(box, el) {
    if (!el) return;
    const a = box.getBoundingClientRect(), b = el.getBoundingClientRect();
    if (b.top < a.top) box.scrollTop += b.top - a.top - 4;
    if (b.bottom > a.bottom) box.scrollTop += b.bottom - a.bottom + 4;
  }

  key(e) {
    const to = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 16, ArrowUp: -16, PageDown: 256, PageUp: -256, Home: -this.at, End: this.bytes.length }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    this.go(this.at + to);
  }

  keyList(e) {
    const from = this.pinned, last = this.rows.length - 1, to = { ArrowDown: from + 1, ArrowUp: from - 1, PageDown: from + 10, PageUp: from - 10, Home: 0, End: last }[e.key];
    if (to === undefined || last < 0) return;
    e.preventDefault();
    e.stopPropagation();
    this.pin(Math.max(0, Math.min(last, to)));
  }
}
