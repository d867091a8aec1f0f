// The widget: breakpoints, the code and its buttons, the back-trace with its source, and the rings as they stand.

const NVL_DEBUG = [
  ["run", "run", "run the code in a thread of its own", ["idle", "ended"]],
  ["step", "step", "go on to the next event (key s)", ["stopped"]],
  ["cont", "continue", "go on to the next breakpoint (key c)", ["stopped"]],
  ["finish", "finish", "go on until the chosen function has returned (key f)", ["stopped"]],
  ["interrupt", "interrupt", "stop before the next event (key i)", ["running"]],
  ["detach", "detach", "let the code run on without stops", ["running", "stopped"]],
  ["kill", "kill", "end the code here: what it was about to do doesn't happen", ["running", "stopped"]],
];

class NvlDebuggerView extends NvlBase {
  constructor(model, root) {
    super(model, root);
    this.head();
    this.pill = nvlEl("span", { class: "nvl-pill" }, this.title.parentElement);
    this.story = nvlEl("div", { class: "nvl-story", role: "status", "aria-live": "polite" }, root);
    this.buttons = this.bar("the debugged code", NVL_DEBUG.map(([act, words, why]) => [act, words, why]));
    this.buttons.run.replaceWith(this.runs());
    this.why = new NvlWhy(this);
    const main = nvlEl("div", { class: "nvl-debug" }, root), left = nvlEl("div", { class: "nvl-debug-left" }, main);
    this.coded(left);
    this.points = new NvlBreakpoints(left, this);
    this.stack = new NvlStack(main, this);
    this.moment = new NvlMoment(main, "rings and registers", (name) => this.points.flip(name));
    this.moment.el.classList.add("nvl-panel");
    root.addEventListener("keydown", (e) => this.pressed(e));
    root.addEventListener("focusin", (e) => Object.entries(NVL_OWN_KEYS).forEach(([k, v]) => e.target.setAttribute(k, v)));
  }

  // Run takes the code with it.
  runs() {
    const button = nvlEl("button", { type: "button", class: "nvl-button nvl-main-button", "data-do": "run", title: NVL_DEBUG[0][2], "aria-label": `run: ${NVL_DEBUG[0][2]}` }, null, "run");
    button.addEventListener("click", () => this.send("run", { code: this.code.value }));
    return (this.buttons.run = button);
  }

  coded(parent) {
    const box = (this.box = nvlEl("section", { class: "nvl-panel", "aria-label": "code" }, parent));
    nvlEl("div", { class: "nvl-panel-head" }, box, "Code");
    this.call = nvlEl("code", { class: "nvl-call" }, box);
    this.code = nvlEl("textarea", { class: "nvl-code", rows: 3, spellcheck: "false", "aria-label": "code to run under the debugger" }, box);
    this.code.addEventListener("keydown", (e) => {
      e.stopPropagation();
      if (e.key === "Enter" && (e.ctrlKey || e.shiftKey)) { e.preventDefault(); this.buttons.run.click(); }
    });
  }

  pressed(e) {
    const act = { s: "step", c: "cont", f: "finish", i: "interrupt" }[e.key];
    if (!act || e.ctrlKey || e.metaKey || e.altKey || /INPUT|TEXTAREA|SELECT/.test(e.target.tagName)) return;
    e.preventDefault();
    e.stopPropagation();
    if (!this.buttons[act].disabled) this.send(act);
  }

  draw() {
    const s = this.state;
    if (!s.state) return;
    nvlSay(this.title, "Debugger");
    nvlSay(this.sub, [s.title, s.mode && `drive in ${s.mode} mode`].filter(Boolean).join(" · "));
    nvlSay(this.pill, { idle: "○ idle", running: "▸ running", stopped: "■ stopped", ended: s.failed ? "✖ ended" : "✓ ended" }[s.state]);
    nvlSet(this.pill, "data-state", s.state);
    nvlSay(this.story, s.story);
    nvlSet(this.story, "data-state", s.state);
    for (const [act, , , when] of NVL_DEBUG) this.buttons[act].disabled = !when.includes(s.state);
    nvlShow(this.code, s.code !== null);
    nvlShow(this.call, s.call !== null);
    nvlSay(this.call, `${s.call}()`);
    if (s.code !== null && this.known !== s.code && this.code !== document.activeElement) {
      this.code.value = this.known = s.code;
      this.code.rows = Math.min(12, Math.max(3, s.code.split("\n").length));
    }
    this.points.update(s);
    this.stack.update(s, this.model.get("_frame"));
    this.instant(s);
  }

  // Rings and registers; lit is what changed since it last stood.
  instant(s) {
    const moment = this.model.get("_moment"), at = JSON.stringify([s.story, s.state, s.frames.map((f) => f.where)]);
    if (at !== this.at && moment.rings) [this.at, this.before, this.last] = [at, this.last, moment];
    else if (moment.rings) this.last = moment;
    this.moment.update(s.state === "stopped" ? "Rings and registers, before it happens" : "Rings and registers now", moment.rings ? moment : { rings: [], regs: [] }, this.before ?? null);
  }
}

class NvlBreakpoints {
  constructor(root, view) {
    this.view = view;
    this.el = nvlEl("section", { class: "nvl-panel", "aria-label": "breakpoints" }, root);
    nvlEl("div", { class: "nvl-panel-head" }, this.el, "Breakpoints");
    const form = nvlEl("form", { class: "nvl-add" }, this.el);
    this.input = nvlEl("input", { class: "nvl-input", type: "text", placeholder: "SQ0TDBL = 3, CC if CC.EN, Identify, error …", "aria-label":
      "stop before: a register, doorbell, command or event, as after gdb's break" }, form);
    nvlEl("button", { type: "submit", class: "nvl-button", "aria-label": "add breakpoint", title: "add breakpoint" }, form, "add");
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      if (this.input.value.trim()) view.send("add", { what: this.input.value });
      this.input.value = "";
    });
    this.input.addEventListener("keydown", (e) => e.stopPropagation());
    this.offers = ["registers", "doorbells", "events"].map((name) => {
      const el = nvlEl("div", { class: "nvl-offers", role: "group", "aria-label": `stop before ${name}` }, this.el);
      nvlEl("span", { class: "nvl-panel-sub" }, el, name);
      return { name, el, chips: new Map() };
    });
    this.list = nvlEl("ul", { class: "nvl-points" }, this.el);
    this.none = nvlEl("div", { class: "nvl-panel-sub" }, this.el, "None yet: the code would run through.");
    this.rows = new Map();
  }

  // A breakpoint at a name, or none any more.
  flip(name) {
    const there = this.known?.find((b) => b.name === name || b.name.startsWith(`${name} `));
    if (there) this.view.send("remove", { n: there.n });
    else this.view.send("add", { what: name });
  }

  update(s) {
    this.known = s.breakpoints;
    for (const { name, el, chips } of this.offers) {
      for (const word of s.offers[name]) {
        let chip = chips.get(word);
        if (!chip) {
          chip = this.view.button(el, word, () => this.flip(word));
          chip.classList.add("nvl-offer");
          chips.set(word, chip);
        }
        const on = s.breakpoints.some((b) => b.name === word || b.name === `${word} read or written`);
        nvlSet(chip, "aria-pressed", on);
        nvlSet(chip, "title", on ? `no longer stop before ${word}` : `stop before ${word}`);
      }
    }
    nvlShow(this.none, !s.breakpoints.length);
    for (const b of s.breakpoints) this.row(b);
    for (const [n, row] of this.rows) if (!s.breakpoints.some((b) => b.n === n)) { row.el.remove(); this.rows.delete(n); }
  }

  row(b) {
    let row = this.rows.get(b.n);
    if (!row) {
      const el = nvlEl("li", {}, this.list), label = nvlEl("label", {}, el), box = nvlEl("input", { type: "checkbox" }, label), text = nvlEl("span", {}, label);
      const gone = nvlEl("button", { type: "button", class: "nvl-button nvl-small", title: "remove", "aria-label": `remove breakpoint ${b.n}` }, el, "×");
      box.addEventListener("change", () => this.view.send("toggle", { n: b.n }));
      gone.addEventListener("click", () => this.view.send("remove", { n: b.n }));
      this.rows.set(b.n, (row = { el, box, text }));
    }
    row.box.checked = b.enabled;
    nvlSay(row.text, `${b.n}  ${b.what}${b.temporary ? " (once)" : ""}`);
    row.el.classList.toggle("nvl-off", !b.enabled);
  }
}

class NvlStack {
  constructor(root, view) {
    this.view = view;
    this.el = nvlEl("section", { class: "nvl-panel nvl-stack", "aria-label": "back-trace" }, root);
    nvlEl("div", { class: "nvl-panel-head" }, this.el, "Back-trace");
    this.none = nvlEl("div", { class: "nvl-panel-sub" }, this.el, "Where the code stands shows here: its frames, innermost first.");
    this.list = nvlEl("div", { class: "nvl-stack-list" }, this.el);
    this.rows = [];
    this.where = nvlEl("div", { class: "nvl-panel-sub" }, this.el);
    this.source = nvlEl("pre", { class: "nvl-source", tabindex: "0", role: "group", "aria-label": "source" }, this.el);
    this.locals = nvlEl("table", { class: "nvl-regs" }, this.el);
    nvlEl("caption", { class: "nvl-hidden" }, this.locals, "local variables");
    this.body = nvlEl("tbody", {}, this.locals);
  }

  update(s, frame) {
    nvlShow(this.none, !s.frames.length);
    s.frames.forEach((f, i) => this.row((this.rows[i] ??= this.make(i)), f, frame.n));
    this.rows.slice(s.frames.length).forEach((r) => nvlShow(r.el, false));
    const key = JSON.stringify(frame);
    if (key === this.key) return;
    this.key = key;
    nvlSay(this.where, frame.where ?? "");
    nvlShow(this.source, !!frame.listing?.length);
    this.source.replaceChildren(...(frame.listing ?? []).map(([n, text]) => nvlEl("span", { class: n === frame.line ? "nvl-line nvl-here" : "nvl-line" }, null,
      `${n === frame.line ? "▶" : " "}${String(n).padStart(4)}  ${text}\n`)));
    this.body.replaceChildren(...(frame.locals ?? []).map(([name, value]) => {
      const row = nvlEl("tr");
      nvlEl("th", { scope: "row" }, row, name);
      nvlEl("td", { class: "nvl-local" }, row, value);
      return row;
    }));
  }

  make(i) {
    const el = nvlEl("button", { type: "button", class: "nvl-frame" }, this.list), row = { el, n: nvlEl("span", { class: "nvl-frame-n" }, el),
      name: nvlEl("b", {}, el), said: nvlEl("span", {}, el), where: nvlEl("span", { class: "nvl-panel-sub" }, el) };
    el.addEventListener("click", () => this.view.send("frame", { n: i }));
    return row;
  }

  row(row, f, chosen) {
    nvlShow(row.el, true);
    nvlSet(row.el, "aria-pressed", f.n === chosen);
    nvlSet(row.el, "title", f.source || f.where);
    row.el.classList.toggle("nvl-core", f.core);
    nvlSay(row.n, `#${f.n}`);
    nvlSay(row.name, f.function);
    nvlSay(row.said, `(${f.said})`);
    nvlSay(row.where, f.where);
  }
}

export default nvlRender(NvlDebuggerView, "nvl-debuggerview");
