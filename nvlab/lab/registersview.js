// The register table: a row a register, and one of them bit by bit, to be written where that is allowed.

const NVL_ACCESS = { ro: "read-only", rw: "read and write", rw1s: "write 1 to set", rw1c: "write 1 to clear", wo: "write-only: never read" };
const NVL_STAY_MS = 4000; // how long a change stays lit
const nvlOffset = (register) => register.offset.toString(16).toUpperCase() + "h";

// A value to be typed: Enter sends it, Escape and leaving put back what is there.
class NvlEntry {
  constructor(parent, label, send) {
    this.el = nvlEl("input", { type: "text", class: "nvl-entry", "aria-label": label, title: `${label}: type a value, Enter writes it`, spellcheck: "false",
      autocomplete: "off", ...NVL_KEYS }, parent);
    this.el.addEventListener("input", () => { this.edited = true; this.el.classList.add("nvl-edited"); });
    this.el.addEventListener("blur", () => this.drop());
    this.el.addEventListener("keydown", (e) => {
      e.stopPropagation();
      if (e.key === "Enter") { send(this.el.value); this.drop(false); }
      else if (e.key === "Escape") this.drop();
    });
  }

  drop(restore = true) {
    this.edited = false;
    this.el.classList.remove("nvl-edited");
    if (restore) this.el.value = this.now ?? "";
  }

  set(value, words = []) {
    if (this.now !== value && !this.edited) this.el.value = value;
    this.now = value;
    if (!words.length || this.list) return;
    this.list = nvlEl("datalist", { id: `nvl${Math.random().toString(36).slice(2)}` }, this.el.parentElement);
    for (const [key, said] of words) nvlEl("option", { value: key, label: `${key}: ${said}` }, this.list);
    this.el.setAttribute("list", this.list.id);
  }
}

class NvlRegister {
  constructor(view, parent) {
    this.view = view;
    this.el = nvlEl("section", { class: "nvl-reg", "aria-label": "one register" }, parent);
    const head = nvlEl("div", { class: "nvl-reg-head" }, this.el);
    this.name = nvlEl("b", { class: "nvl-reg-big" }, head);
    this.title = nvlEl("span", {}, head);
    this.facts = nvlEl("div", { class: "nvl-reg-facts" }, this.el);
    this.line = nvlEl("div", { class: "nvl-reg-line" }, this.el);
    this.bits = new NvlBitmap(this.el, (name) => this.light(name));
    this.rows = nvlEl("div", { class: "nvl-fields", role: "table", "aria-label": "fields", tabindex: "0" }, this.el);
  }

  show(register, told, changed) {
    const key = JSON.stringify(register);
    if (this.key !== key) this.make(register, key);
    const waits = register.access === "wo" ? "last written by the host" : "now";
    nvlSay(this.label, register.absent || waits);
    nvlSay(this.hex, told?.hex ?? "");
    this.entry?.set(told?.hex ?? "");
    nvlSay(this.reserved, told?.reserved ? `reserved bits set: ${told.reserved}` : "");
    this.bits.values(told?.fields, changed);
    for (const row of this.fields) {
      const [number, meaning] = told?.fields?.[row.field.name] ?? ["", ""];
      if (row.entry) row.entry.set(number, row.field.values);
      else nvlSay(row.number, number);
      nvlSay(row.meaning, meaning);
      row.el.classList.toggle("nvl-changed", changed.has(row.field.name));
    }
  }

  make(register, key) {
    this.key = key;
    nvlSay(this.name, register.name);
    nvlSay(this.title, register.title);
    const facts = [`at ${nvlOffset(register)}, ${register.size} bytes, ${NVL_ACCESS[register.access]}`, register.cite, register.doc];
    nvlSay(this.facts, facts.filter(Boolean).join(" · "));
    this.line.replaceChildren();
    this.label = nvlEl("span", {}, this.line);
    this.hex = nvlEl("code", {}, this.line);
    const write = register.whole && !register.absent, send = (value) => this.view.write(register.name, null, value);
    this.entry = write ? new NvlEntry(this.line, `${register.name}, the whole register`, send) : null;
    nvlShow(this.hex, !write);
    this.reserved = nvlEl("span", { class: "nvl-reg-reserved" }, this.line);
    this.bits.show({ ...register, name: key });
    this.rows.replaceChildren();
    this.fields = [...register.fields].reverse().map((field) => this.row(register, field));
  }

  row(register, field) {
    const el = nvlEl("div", { class: "nvl-field", role: "row", title: [field.title, field.doc].filter(Boolean).join(". ") }, this.rows);
    const cell = (cls, text = "") => nvlEl("span", { class: cls, role: "cell" }, el, text);
    cell("nvl-field-bits", field.bits);
    cell("nvl-field-name", field.name);
    const number = cell("nvl-field-number"), meaning = cell("nvl-field-meaning");
    cell("nvl-field-title", field.title + (field.doc ? ` · ${field.doc}` : ""));
    const send = (value) => this.view.write(register.name, field.name, value);
    const entry = field.rw ? new NvlEntry(number, `${register.name}.${field.name}`, send) : null;
    el.addEventListener("mouseenter", () => this.light(field.name));
    el.addEventListener("mouseleave", () => this.light(null));
    return { el, field, number, meaning, entry };
  }

  light(name) {
    this.bits.lit(name);
    for (const row of this.fields) row.el.classList.toggle("nvl-lit-row", row.field.name === name);
  }
}

class NvlRegisters extends NvlBase {
  constructor(model, root) {
    super(model, root);
    this.head();
    this.top();
    this.gone = nvlEl("div", { class: "nvl-gone", role: "alert" }, root);
    this.why = new NvlWhy(this);
    const main = nvlEl("div", { class: "nvl-regs" }, root);
    this.list = nvlEl("div", { class: "nvl-reg-list", role: "group", "aria-label": "registers" }, main);
    this.one = new NvlRegister(this, main);
    this.foot();
    Object.assign(this, { rows: new Map(), chosen: "CC", before: {}, lit: new Map() });
  }

  top() {
    const bar = nvlEl("div", { class: "nvl-reg-bar" }, this.root);
    this.find = nvlEl("input", { type: "search", class: "nvl-search",
      placeholder: "name, field or meaning", "aria-label": "find a register", ...NVL_KEYS }, bar);
    this.find.addEventListener("input", () => this.draw());
    this.find.addEventListener("keydown", (e) => e.stopPropagation());
    const all = nvlEl("label", { class: "nvl-sure" }, bar);
    this.all = nvlEl("input", { type: "checkbox" }, all);
    this.lacks = nvlEl("span", {}, all);
    this.all.addEventListener("change", () => this.draw());
    const label = nvlEl("label", { class: "nvl-reg-every" }, bar, "read every");
    this.every = nvlEl("select", { class: "nvl-pick", "aria-label": "how often registers are read", ...NVL_KEYS }, label);
    this.every.addEventListener("change", () => (this.every.value === "pause" ? this.send("pause", { on: true })
      : (this.send("pause", { on: false }), this.send("period", { seconds: +this.every.value }))));
    this.once = this.button(bar, "read now", () => this.send("read"), "one look at every register", "read");
  }

  foot() {
    const foot = nvlEl("div", { class: "nvl-bar" }, this.root);
    this.sure = nvlEl("label", { class: "nvl-sure" }, foot);
    this.box = nvlEl("input", { type: "checkbox" }, this.sure);
    this.sure.append("this drive isn't made for this session: write to it all the same");
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status", "aria-live": "polite" }, foot);
  }

  close() {
    clearTimeout(this.timer);
  }

  write(register, field, value) { this.send("write", { register, field, value, confirmed: this.box.checked }); }

  draw() {
    const s = this.state, registers = this.model.get("_registers"), values = this.model.get("_values");
    nvlSay(this.title, "Registers");
    nvlSay(this.sub, s.title);
    nvlSay(this.gone, s.gone ? `The controller is gone: ${s.gone}. What stands here was read before.` : "");
    nvlShow(this.gone, !!s.gone);
    nvlShow(this.sure, s.guarded);
    this.root.classList.toggle("nvl-isgone", !!s.gone);
    this.periods(s);
    this.compare(values);
    const words = this.find.value.trim().toLowerCase();
    nvlSay(this.lacks, `the ${registers.filter((r) => r.absent).length} that this controller lacks`);
    for (const register of registers) this.row(register, values[register.name], words);
    for (const [name, row] of this.rows) if (!registers.some((r) => r.name === name)) nvlShow(row.el, false);
    const one = registers.find((r) => r.name === this.chosen) ?? registers[0];
    this.one.show(one, values[one.name], this.changed(one.name));
  }

  periods(s) {
    if (!this.every.options.length) {
      for (const p of [...new Set([...s.periods, s.period])].sort((a, b) => a - b)) nvlEl("option", { value: p }, this.every, `${p} s`);
      nvlEl("option", { value: "pause" }, this.every, "never (paused)");
    }
    const now = s.paused ? "pause" : String(s.period);
    if (this.every.value !== now && document.activeElement !== this.every) this.every.value = now;
  }

  // What differs from the reading before is lit for a while.
  compare(values) {
    const now = performance.now();
    for (const [name, told] of Object.entries(values)) {
      const old = this.before[name];
      if (old && old.hex !== told.hex) {
        const fields = Object.keys(told.fields).filter((f) => String(old.fields[f]) !== String(told.fields[f]));
        this.lit.set(name, { until: now + NVL_STAY_MS, fields: new Set(fields), was: old.hex });
      }
    }
    this.before = values;
    for (const [name, lit] of this.lit) if (lit.until <= now) this.lit.delete(name);
    clearTimeout(this.timer);
    if (this.lit.size) this.timer = setTimeout(() => this.draw(), NVL_STAY_MS / 4);
  }

  changed(name) { return this.lit.get(name)?.fields ?? new Set(); }

  row(register, told, words) {
    let row = this.rows.get(register.name);
    if (!row) this.rows.set(register.name, (row = this.make(register)));
    const lit = this.lit.get(register.name), said = told ? nvlRegSaid(register, told) : "";
    const wanted = !words ? this.all.checked || !register.absent : row.words.some((w) => w.includes(words)) || said.toLowerCase().includes(words);
    nvlShow(row.el, wanted);
    nvlSay(row.hex, told?.hex ?? (register.absent ? "not there" : "unread"));
    nvlSay(row.said, lit ? `was ${lit.was}` : said);
    nvlSet(row.el, "aria-pressed", register.name === this.chosen);
    row.el.classList.toggle("nvl-changed", !!lit);
    row.el.classList.toggle("nvl-absent", !told);
  }

  make(register) {
    const el = nvlEl("button", { type: "button", class: "nvl-reg-row", "data-register": register.name,
      title: `${register.title}, ${NVL_ACCESS[register.access]} (${register.cite})`, ...NVL_KEYS }, this.list);
    const cell = (cls, text = "") => nvlEl("span", { class: cls }, el, text);
    cell("nvl-reg-at", nvlOffset(register));
    cell("nvl-reg-name", register.name);
    const hex = cell("nvl-reg-hex"), said = cell("nvl-reg-said");
    el.addEventListener("click", () => { this.chosen = register.name; this.draw(); });
    el.addEventListener("keydown", (e) => this.step(e, el));
    const words = [register.name, register.title, register.absent, ...register.fields.flatMap((f) => [f.name, f.title, f.doc])];
    return { el, hex, said, words: words.map((w) => (w ?? "").toLowerCase()) };
  }

  // Up and down in the list choose the next register.
  step(e, el) {
    const way = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[e.key];
    if (!way) return;
    e.preventDefault();
    e.stopPropagation();
    let next = el[way];
    while (next && next.style.display === "none") next = next[way];
    next?.focus();
    next?.click();
  }
}

// The fields that aren't 0, in short.
const nvlRegSaid = (register, told) => Object.entries(told.fields).filter(([, [number]]) => number !== "0")
  .filter(([, [number]]) => number.length < 7).map(([name, [number, meaning]]) => `${name}=${number}${meaning && meaning.length < 12 ? ` (${meaning})` : ""}`).join(" ");

export default nvlRender(NvlRegisters, "nvl-registersview");
