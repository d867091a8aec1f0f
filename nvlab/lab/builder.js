// The widget: choose a command, fill its fields, see its dwords and its Python, send it, read what came back.

class NvlField {
  constructor(builder, p) {
    Object.assign(this, { builder, p });
    const most = p.width > 52 ? "2^" + p.width + " - 1" : String(2 ** p.width - 1), title = [p.title, p.doc, `0 to ${most}`, p.unit && `unit: ${p.unit}`].filter(Boolean).join(". ");
    this.el = nvlEl("label", { class: "nvl-arg", title });
    const name = nvlEl("span", { class: "nvl-arg-name" }, this.el);
    nvlEl("b", {}, name, p.word);
    nvlEl("span", {}, name, p.title);
    const label = `${p.word}: ${p.title}`, few = p.values && p.width <= 8 && Object.keys(p.values).length > 1;
    if (few) {
      this.input = nvlEl("select", { class: "nvl-input", "aria-label": label }, this.el);
      for (const [v, words] of Object.entries(p.values)) nvlEl("option", { value: v }, this.input, `${v}: ${words}`);
    } else this.input = nvlEl("input", { class: "nvl-input", type: "text", inputmode: "numeric", spellcheck: "false", "aria-label": label, "aria-describedby": `${builder.id}${p.word}` }, this.el);
    this.input.dataset.arg = p.word;
    this.note = nvlEl("span", { class: "nvl-arg-note", id: `${builder.id}${p.word}` }, this.el);
    this.input.addEventListener(few ? "change" : "input", () => this.read());
    this.input.addEventListener("keydown", (e) => e.stopPropagation());
    this.input.addEventListener("focus", () => builder.words.light(p));
    this.input.addEventListener("blur", () => builder.words.light(null));
  }

  read() {
    const v = nvlParse(this.input.value), bad = v === null || v >= 1n << BigInt(this.p.width);
    nvlSet(this.input, "aria-invalid", bad);
    if (bad) nvlSay(this.note, v === null ? "a number: 12, 0x1F or 1Fh" : `at most ${((1n << BigInt(this.p.width)) - 1n).toLocaleString("en")}`);
    if (bad) return;
    nvlPut(this.builder.bytes, this.p, v);
    this.builder.changed();
  }

  show(bytes) {
    const v = nvlField(bytes, this.p), mine = nvlParse(this.input.value);
    if (this.input.tagName === "SELECT" && ![...this.input.options].some((o) => o.value === v.toString())) nvlEl("option", { value: v.toString() }, this.input, `${v}`);
    if (mine !== v) this.input.value = this.input.tagName === "SELECT" ? v.toString() : nvlShowNumber(v, this.p);
    nvlSet(this.input, "aria-invalid", "false");
    nvlSay(this.note, this.said(v));
  }

  said(v) {
    const { p } = this;
    if (p.values && this.input.tagName !== "SELECT") return p.values[v.toString()] ?? "";
    if (p.unit?.startsWith("n+1")) return `${v + 1n} ${v ? p.unit.slice(4) : p.unit.slice(4).replace(/ies$/, "y").replace(/s$/, "")}`;
    const b = this.builder.state.buffer;
    return p.word === "prp1" && b && v === BigInt(b.iova) ? "the data buffer" : "";
  }
}

class NvlBuilder extends NvlBase {
  constructor(model, root) {
    super(model, root);
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.head();
    this.why = new NvlWhy(this);
    this.chooser(root);
    const main = nvlEl("div", { class: "nvl-build" }, root);
    this.form = nvlEl("div", { class: "nvl-args", role: "group", "aria-label": "fields of the command" }, main);
    const right = nvlEl("div", { class: "nvl-build-right" }, main);
    this.words = new NvlDwords(right);
    this.python(right);
    this.buffer(right);
    this.sending(root);
    this.answer = nvlEl("section", { class: "nvl-answer", "aria-label": "completion" }, root);
    this.ends = nvlEl("div", { class: "nvl-answer-head" }, this.answer, "The completion will be here.");
    this.hint = nvlEl("div", { class: "nvl-answer-hint" }, this.answer);
    this.cqe = nvlEl("div", { class: "nvl-answer-fields" }, this.answer);
    this.data = nvlEl("div", { class: "nvl-answer-data" }, this.answer);
    nvlEl("div", { class: "nvl-panel-title" }, this.data, "The data buffer");
    this.memory = new NvlMemory(this.data, "data buffer");
    this.load();
  }

  async load() {
    const lib = await nvlLibrary(this.model, "_forms");
    globalThis.__nvlab_forms ??= nvlText(lib.get("gz")).then(JSON.parse);
    this.forms = await globalThis.__nvlab_forms;
    for (const [kind, words] of [["admin", "Admin commands"], ["nvm", "I/O commands"]]) {
      const group = nvlEl("optgroup", { label: words }, this.command);
      for (const [opcode, form] of Object.entries(this.forms[kind])) nvlEl("option", { value: `${kind}/${opcode}` }, group, `${form.name} (${nvlTwo(+opcode)}h)`);
    }
    this.draw();
  }

  chooser(root) {
    const bar = nvlEl("div", { class: "nvl-choose" }, root), field = (words, control) => {
      const label = nvlEl("label", { class: "nvl-arg-name" }, bar);
      nvlEl("b", {}, label, words);
      label.append(control);
      return control;
    };
    this.command = field("command", nvlEl("select", { class: "nvl-input", "aria-label": "command" }));
    this.queue = field("on", nvlEl("select", { class: "nvl-input", "aria-label": "queue" }));
    this.cite = nvlEl("span", { class: "nvl-mode" }, bar);
    this.command.addEventListener("change", () => this.choose(...this.command.value.split("/")));
  }

  python(parent) {
    const box = nvlEl("div", { class: "nvl-python" }, parent);
    this.before = nvlEl("code", { class: "nvl-python-before" }, box);
    this.line = nvlEl("code", { class: "nvl-python-line", "data-python": "" }, box);
    this.copy = this.button(box, "copy", () => {
      const text = [this.before.textContent, this.line.textContent].filter(Boolean).join("\n");
      navigator.clipboard?.writeText(text).then(() => nvlSay(this.notice, "Copied."), () => nvlSay(this.notice, "The browser doesn't let a page copy here."));
    }, "copy the Python");
  }

  buffer(parent) {
    this.room = nvlEl("div", { class: "nvl-room" }, parent);
    this.roomWords = nvlEl("span", {}, this.room);
    this.fill = nvlEl("input", { class: "nvl-input", type: "text", "aria-label": "what to fill the data buffer with: text, 0x and hex digits, or count", placeholder: "text, 0x… or count" }, this.room);
    this.fill.addEventListener("keydown", (e) => { e.stopPropagation(); if (e.key === "Enter") this.send("fill", { with: this.fill.value }); });
    this.button(this.room, "fill", () => this.send("fill", { with: this.fill.value }), "write this into the data buffer", "fill");
  }

  sending(root) {
    this.confirm = nvlEl("label", { class: "nvl-confirm" }, root);
    this.sure = nvlEl("input", { type: "checkbox" }, this.confirm);
    nvlEl("span", {}, this.confirm, "This changes what the drive holds. I want that.");
    const row = nvlEl("div", { class: "nvl-bar", role: "group", "aria-label": "send" }, root), go = (what) => () => this.send(what, this.content());
    this.sendButton = this.button(row, "send", go("send"), "post it, ring the doorbell, wait for its completion", "send");
    this.sendButton.classList.add("nvl-main-button");
    this.postButton = this.button(row, "post", go("post"), "fill the next slot, and leave the doorbell alone", "post");
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status", "aria-live": "polite" }, row);
  }

  content() { return { sqe: Array.from(this.bytes), kind: this.kind, qid: +this.queue.value || 0, confirmed: this.sure.checked }; }

  choose(kind, opcode, bytes = null) {
    const form = (this.now = this.forms[kind][opcode]);
    this.kind = kind;
    this.bytes = bytes ?? new Uint8Array(64);
    this.sure.checked = false;
    if (!bytes) {
      this.bytes[0] = +opcode;
      for (const p of form.params) if (p.default) nvlPut(this.bytes, p, p.default);
    }
    this.command.value = `${kind}/${opcode}`;
    const [common, own] = [true, false].map((c) => form.params.filter((p) => !!p.common === c).map((p) => new NvlField(this, p)));
    this.fields = [...own, ...common];
    this.form.replaceChildren(...own.map((f) => f.el));
    if (common.length) {
      const more = nvlEl("details", { class: "nvl-more" }, this.form);
      nvlEl("summary", {}, more, "what every command has");
      more.append(...common.map((f) => f.el));
    }
    nvlSay(this.cite, form.cite);
    this.queues();
    this.length = bytes ? nvlLength(form, this.bytes, this.state) : -1;
    this.changed();
  }

  queues() {
    const s = this.state, list = this.kind === "admin" ? [["0", "admin queue"]] : [...s.pairs.map(([q, d, owner]) => [String(q), `I/O queue pair ${q}${owner ? `, held by ${owner}` : ""}`]), ...(s.pairs.length ? [] : [["0", "a new I/O queue pair"]])];
    const key = JSON.stringify(list), chosen = this.queue.value;
    if (key === this.queueKey) return;
    this.queueKey = key;
    this.queue.replaceChildren(...list.map(([value, words]) => nvlEl("option", { value }, null, words)));
    if (list.some(([v]) => v === chosen)) this.queue.value = chosen;
  }

  changed() {
    const form = this.now, length = nvlLength(form, this.bytes, this.state);
    if (length !== this.length) { this.length = length; this.send("buffer", this.content()); }
    this.fields.forEach((f) => f.show(this.bytes));
    this.words.draw(this.bytes, form);
    const line = nvlPython(form, this.bytes, this.state);
    nvlSay(this.line, line);
    nvlSay(this.before, nvlPythonBefore(line, this.state, length).join("\n"));
    nvlShow(this.confirm, form.danger && this.state.guarded);
    this.drawRoom(form, length);
  }

  drawRoom(form, length) {
    const b = this.state.buffer, way = { h2c: "the drive reads", c2h: "the drive fills", both: "both ways" }[form.data];
    this.room.classList.toggle("nvl-idle", !length || !b);
    nvlSay(this.roomWords, length && b ? `${way ? `${way} ` : ""}${length.toLocaleString("en")} bytes at ${b.iova}` : "moves no data");
  }

  // What the kernel put into the command: the PRPs of a new buffer, or a command given from Python.
  take() {
    const sqe = this.state.command, key = sqe.join();
    if (key === this.taken) return;
    this.taken = key;
    const bytes = Uint8Array.from(sqe);
    if (!this.now || this.kind !== this.state.kind || bytes[0] !== this.bytes[0]) {
      const known = this.forms[this.state.kind][bytes[0]];
      if (known) this.choose(this.state.kind, String(bytes[0]), bytes);
    } else {
      this.bytes.set(bytes.subarray(24, 40), 24);
      this.changed();
    }
  }

  draw() {
    const s = this.state;
    if (!this.forms || !s.command) return;
    nvlSay(this.title, "Command builder");
    nvlSay(this.sub, s.title);
    this.take();
    if (this.now) { this.queues(); this.drawRoom(this.now, this.length); }
    this.sendButton.disabled = this.postButton.disabled = !s.admin;
    this.drawAnswer(this.model.get("_answer"));
    this.memory.draw(nvlBytes(this.model, "_data"), this.model.get("_fields"));
    nvlShow(this.data, nvlBytes(this.model, "_data").length > 0);
  }

  drawAnswer(a) {
    if (!a.cqe || !this.tables) return;
    nvlSay(this.ends, `${a.ok ? "✓" : "✗"} ${a.command}: ${a.title}`);
    nvlSet(this.ends, "data-ok", a.ok);
    nvlSay(this.hint, [a.hint, a.reason].filter(Boolean).join(" "));
    const { rows } = nvlDecode(this.tables, "CQ", 0, Uint8Array.from(a.cqe));
    this.cells ??= rows.map((r) => {
      const cell = nvlEl("span", { class: "nvl-answer-field", title: r.title }, this.cqe);
      return [nvlEl("span", {}, cell, r.name), nvlEl("b", {}, cell), nvlEl("i", {}, cell), cell];
    });
    rows.forEach((r, i) => { nvlSay(this.cells[i][1], r.shown); nvlSay(this.cells[i][2], r.meaning || ""); nvlShow(this.cells[i][3], !a.ok || !/^(crd|m|dnr)$/.test(r.name)); });
  }
}

export default nvlRender(NvlBuilder, "nvl-builder");
