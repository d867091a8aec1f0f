// Parts of the timeline: the filters, the slider, the list of events, and the one that was chosen.

class NvlFilters {
  constructor(root, changed) {
    this.el = nvlEl("div", { class: "nvl-filters", role: "group", "aria-label": "filter" }, root);
    this.changed = changed;
    this.fields = Object.fromEntries([["qid", "queue"], ["opcode", "command"], ["kind", "kind"], ["side", "side"]].map(([name, label]) => [name, this.select(name, label)]));
    const label = nvlEl("label", { class: "nvl-label" }, this.el, "cid ");
    this.cid = nvlEl("input", { class: "nvl-input", type: "number", min: 0, max: 65535, placeholder: "any", "data-filter": "cid" }, label);
    this.cid.addEventListener("change", () => this.tell());
    for (const [value, words] of [["host", "host"], ["drive", "drive"]]) nvlEl("option", { value }, this.fields.side, words);
  }

  select(name, label) {
    const box = nvlEl("label", { class: "nvl-label" }, this.el, `${label} `);
    const select = nvlEl("select", { class: "nvl-select", "data-filter": name }, box);
    nvlEl("option", { value: "" }, select, "all");
    select.addEventListener("change", () => this.tell());
    return select;
  }

  tell() {
    const filter = { cid: this.cid.value === "" ? undefined : Number(this.cid.value) };
    for (const [name, select] of Object.entries(this.fields)) filter[name] = select.value === "" ? undefined : name === "qid" ? Number(select.value) : select.value;
    this.changed(filter);
  }

  update(s, filter) {
    const key = JSON.stringify(s.choices);
    if (key !== this.key) {
      this.key = key;
      this.fill("qid", s.choices.queues.map((q) => [q, q < 0 ? "controller" : q === 0 ? "0 (admin)" : q]));
      this.fill("opcode", s.choices.opcodes.map((o) => [o, o]));
      this.fill("kind", [...s.choices.words, ...s.choices.kinds]);
    }
    for (const [name, select] of Object.entries(this.fields)) if (select !== document.activeElement && select.value !== String(filter[name] ?? "")) select.value = filter[name] ?? "";
    if (this.cid !== document.activeElement) this.cid.value = filter.cid ?? "";
  }

  fill(name, options) {
    const select = this.fields[name], now = select.value;
    select.replaceChildren(nvlEl("option", { value: "" }, null, "all"), ...options.map(([value, words]) => nvlEl("option", { value }, null, words)));
    select.value = now;
  }
}

class NvlScrubber {
  constructor(root, view) {
    this.el = nvlEl("div", { class: "nvl-scrub", role: "group", "aria-label": "travel in time" }, root);
    view.button(this.el, "|◀", () => view.choose(0), "to the beginning (Home)");
    view.button(this.el, "◀", () => view.step(-1), "one event back (left arrow)");
    this.input = nvlEl("input", { type: "range", class: "nvl-range", ...NVL_OWN_KEYS, min: 0, max: 1, step: 1, "aria-label": "instant: how many events have happened" }, this.el);
    this.input.addEventListener("input", () => view.choose(Number(this.input.value)));
    this.input.addEventListener("keydown", (e) => { if (!["Tab", "Shift"].includes(e.key)) view.pressed(e); });
    view.button(this.el, "▶", () => view.step(1), "one event on (right arrow)");
    view.button(this.el, "▶|", () => view.choose(null), "to the end (End)");
    this.words = nvlEl("span", { class: "nvl-scrub-words" }, this.el);
    this.view = view;
  }

  update(s, count, e) {
    nvlSet(this.input, "max", s.total);
    if (Number(this.input.value) !== count) this.input.value = count;
    const words = count === 0 ? "the beginning" : e ? `event ${count.toLocaleString("en")} of ${s.total.toLocaleString("en")} · ${nvlMicros(e.time)}` : `event ${count.toLocaleString("en")} of ${s.total.toLocaleString("en")}`;
    nvlSay(this.words, words);
    nvlSet(this.input, "aria-valuetext", e ? `${words}: ${this.view.speaker.text(e)}` : words);
  }
}

// The events by name: what the lanes show to those who see them, for everybody.
class NvlEventList {
  constructor(root, view) {
    const box = nvlEl("section", { class: "nvl-listed", "aria-label": "events" }, root);
    nvlEl("div", { class: "nvl-panel-head" }, box, "Events");
    this.id = `nvl-list-${view.id}`;
    this.el = nvlEl("div", { class: "nvl-list", role: "listbox", tabindex: "0", ...NVL_OWN_KEYS, "aria-label": "events around the chosen one" }, box);
    this.rows = [];
    Object.assign(this, { view, start: 0 });
    this.el.addEventListener("keydown", (e) => {
      const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[e.key];
      if (by) { e.preventDefault(); e.stopPropagation(); view.step(by); } else view.pressed(e);
    });
  }

  row(i) {
    const el = nvlEl("div", { class: "nvl-item", role: "option", id: `${this.id}-${i}` }, this.el), svg = nvlEl("svg", { class: "nvl-item-mark", viewBox: "-8 -8 16 16", "aria-hidden": "true" });
    const row = { el, time: nvlEl("span", { class: "nvl-item-time" }, el), side: nvlEl("span", { class: "nvl-item-side" }, el), mark: nvlEl("path", {}, svg) };
    el.append(svg);
    row.text = nvlEl("span", { class: "nvl-item-text" }, el);
    el.addEventListener("click", () => { if (row.e) this.view.choose(row.e.number + 1); });
    return row;
  }

  update(chosen) {
    const view = this.view, has = (x) => x && x.length && (!chosen || x.byNumber.has(chosen.number));
    const source = has(view.win) ? view.win : has(view.near) ? view.near : view.win, all = source.list.filter(view.passes);
    const at = chosen ? all.findIndex((e) => e.number === chosen.number) : 0, first = all[this.start]?.number;
    if (this.source !== source || this.total !== all.length || at < this.start || at >= this.start + NVL_ROWS) {
      const kept = this.anchor === undefined ? -1 : all.findIndex((e) => e.number === this.anchor);
      const fits = kept >= 0 && at >= kept && at < kept + NVL_ROWS;
      this.start = Math.max(0, Math.min(fits ? kept : at - NVL_ROWS / 2, all.length - NVL_ROWS));
    }
    Object.assign(this, { source, total: all.length, anchor: all[this.start]?.number, first });
    const some = all.slice(this.start, this.start + NVL_ROWS);
    some.forEach((e, i) => this.fill((this.rows[i] ??= this.row(i)), e, chosen, i));
    this.rows.slice(some.length).forEach((r) => nvlShow(r.el, false));
    if (view.reveal) this.reveal(some.findIndex((e) => e.number === chosen?.number));
  }

  fill(row, e, chosen, i) {
    const { speaker, count } = this.view, on = e.number === chosen?.number;
    row.e = e;
    nvlShow(row.el, true);
    nvlSet(row.el, "aria-selected", on);
    row.el.classList.toggle("nvl-on", on);
    row.el.classList.toggle("nvl-future", e.number >= count);
    nvlSay(row.time, (e.time / 1000).toFixed(3));
    nvlSay(row.side, e.side ? "drive" : "host");
    const [shape, colour, hollow] = NVL_LOOK[e.kind] ?? ["dot", "--nvl-dim"];
    nvlSet(row.mark, "d", NVL_SHAPE[shape]);
    nvlSet(row.mark, "style", hollow ? `fill:none;stroke:var(${colour});stroke-width:2` : `fill:var(${colour});stroke:#222;stroke-width:.7`);
    nvlSay(row.text, speaker.text(e));
    nvlSet(row.el, "title", `${speaker.kind(e)}: ${speaker.text(e)}`);
    if (on) nvlSet(this.el, "aria-activedescendant", `${this.id}-${i}`);
  }

  reveal(i) {
    const el = this.rows[i]?.el;
    if (!el || !this.el.clientHeight) return;
    this.view.reveal = this.rows[i].e.number + 1 !== this.view.count;   // what is to be shown may be on its way
    const top = el.offsetTop;
    if (top < this.el.scrollTop) this.el.scrollTop = top - 4;
    else if (top + el.offsetHeight > this.el.scrollTop + this.el.clientHeight) this.el.scrollTop = top + el.offsetHeight - this.el.clientHeight + 4;
  }
}

class NvlEventDetail {
  constructor(root, view) {
    this.view = view;
    this.el = nvlEl("section", { class: "nvl-event", "aria-label": "chosen event" }, root);
    this.head = nvlEl("div", { class: "nvl-panel-head" }, this.el);
    this.sub = nvlEl("div", { class: "nvl-panel-sub" }, this.el);
    this.life = nvlEl("div", { class: "nvl-life" }, this.el);
    this.steps = [[5, "posted"], [6, "fetched"], [8, "completed"], [9, "seen"]].map(([kind, words]) => {
      const b = nvlEl("button", { type: "button", class: "nvl-button nvl-life-step" }, this.life);
      b.addEventListener("click", () => { if (b.to !== undefined) view.choose(b.to + 1); });
      return { kind, words, b };
    });
    this.hint = nvlEl("div", { class: "nvl-panel-sub" }, this.el);
    this.rows = nvlEl("div", { class: "nvl-rows", tabindex: "0", role: "group", "aria-label": "fields" }, this.el);
    this.trace = nvlEl("div", { class: "nvl-frames" }, this.el);
  }

  update(e) {
    const view = this.view, stack = e && view.stacks[e.number], key = e ? `${e.number}/${e.time}/${!!view.tables}/${!!view.registers}/${stack?.length}` : "";
    if (e) this.course(e);
    if (key === this.key) return;
    this.key = key;
    nvlShow(this.life, !!e && e.post >= 0);
    if (!e) {
      nvlSay(this.head, "The beginning");
      nvlSay(this.sub, "Nothing has happened yet. Click an event in the lanes or in the list, or move the slider.");
      nvlSay(this.hint, "");
      this.rows.replaceChildren();
      this.trace.replaceChildren();
      return;
    }
    const { title, rows, hint } = view.speaker.decode(e);
    nvlSay(this.head, title);
    nvlSay(this.sub, `${view.speaker.kind(e)} by the ${e.side ? "drive" : "host"} at ${nvlMicros(e.time)} · ${view.speaker.text(e)}`);
    nvlSay(this.hint, hint ?? "");
    this.rows.replaceChildren(...rows.map((r) => this.field(r)));
    this.frames(e, stack);
  }

  field(r) {
    const row = nvlEl("div", { class: r.value ? "nvl-row" : "nvl-row nvl-nil", title: r.title });
    for (const [cls, words] of [["nvl-name", r.name], ["nvl-value", r.shown], ["nvl-meaning", r.meaning || r.title]]) nvlEl("span", { class: cls }, row, words);
    return row;
  }

  // When the command went from hand to hand, each a way to go there.
  course(e) {
    const { win, near } = this.view, mine = [near, win].flatMap((x) => x?.list.filter((x2) => x2.post >= 0 && x2.post === e.post) ?? []);
    const posted = mine.find((x) => x.kind === 5);
    for (const { kind, words, b } of this.steps) {
      const found = mine.find((x) => x.kind === kind);
      b.to = found?.number;
      b.disabled = !found;
      nvlSet(b, "aria-pressed", !!found && found.number === e.number);
      nvlSay(b, !found ? words : kind === 5 || !posted ? words : `${words} +${nvlDuration(found.time - posted.time)}`);
    }
  }

  frames(e, stack) {
    const s = this.view.state, none = !s.stacks ? "" : e.side ? "The drive's doing: no back-trace." : "No back-trace was recorded of this event.";
    this.trace.replaceChildren();
    this.rows.classList.toggle("nvl-short", !!stack);
    if (!stack) { if (none) nvlEl("div", { class: "nvl-panel-sub" }, this.trace, none); return; }
    nvlEl("div", { class: "nvl-panel-head" }, this.trace, "Back-trace");
    const list = nvlEl("ol", { class: "nvl-bt", start: 0 }, this.trace);
    stack.forEach((f) => {
      const item = nvlEl("li", { title: f.source }, list);
      nvlEl("code", {}, item, f.text);
      nvlEl("span", { class: "nvl-panel-sub" }, item, ` ${f.where}`);
    });
  }
}

// What the marks mean.
class NvlMarks {
  constructor(root) {
    const el = nvlEl("div", { class: "nvl-legend", "aria-hidden": "true" }, root);
    for (const [kind, words] of [[5, "entry posted"], [3, "doorbell"], [6, "fetched"], [7, "DMA"], [9, "completion seen"], [2, "register write"], [1, "read"], [14, "set by the drive"], [12, "step"], [15, "interrupt"], [16, "fault"]]) {
      const item = nvlEl("span", { class: "nvl-key-item" }, el), svg = nvlEl("svg", { viewBox: "-8 -8 16 16", class: "nvl-swatch" }, item), [shape, colour, hollow] = NVL_LOOK[kind];
      nvlEl("path", { d: NVL_SHAPE[shape], style: hollow ? `fill:none;stroke:var(${colour});stroke-width:2` : `fill:var(${colour});stroke:#222;stroke-width:.7` }, svg);
      nvlEl("span", {}, item, words);
    }
    const heap = nvlEl("span", { class: "nvl-key-item" }, el);
    nvlEl("i", { class: "nvl-heap" }, heap);
    nvlEl("span", {}, heap, "several events: zoom in");
    nvlEl("span", { class: "nvl-key-item" }, el, "Drag to move; + and − zoom, and so does the wheel once the lanes have the focus, or with Ctrl.");
  }
}
