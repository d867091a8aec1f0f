// The widget: the picture of the PRPs, and the bytes of what was chosen in it.

class NvlPrpView extends NvlBase {
  constructor(model, root) {
    super(model, root);
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.head();
    this.why = new NvlWhy(this);
    const bar = nvlEl("div", { class: "nvl-bar", role: "group", "aria-label": "PRPs to walk" }, root);
    this.inputs = Object.fromEntries(["prp1", "prp2", "length"].map((name) => {
      const label = nvlEl("label", { class: "nvl-mem-label" }, bar, name);
      const input = nvlEl("input", { class: "nvl-input", type: "text", spellcheck: "false", "aria-label": name }, label);
      input.addEventListener("keydown", (e) => { e.stopPropagation(); if (e.key === "Enter") this.go(); });
      return [name, input];
    }));
    this.button(bar, "walk", () => this.go(), "follow these PRPs", "walk");
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status", "aria-live": "polite" }, bar);
    this.says = nvlEl("div", { class: "nvl-prp-says", role: "status" }, root);
    this.stage = nvlEl("div", { class: "nvl-prp-stage" }, root);
    this.stage.addEventListener("click", (e) => this.open(e));
    this.stage.addEventListener("keydown", (e) => this.key(e));
    this.shown = nvlEl("div", { class: "nvl-panel-title" }, root, "Choose an entry to read what it points to.");
    this.memory = new NvlMemory(root, "what the entry points to");
  }

  go() { this.send("walk", Object.fromEntries(Object.entries(this.inputs).map(([name, input]) => [name, input.value]))); }

  open(e) {
    const entry = e.target.closest("[data-entry]")?.dataset.entry;
    if (entry !== undefined) this.send("open", { entry: +entry });
  }

  key(e) {
    if (e.key === "Enter" || e.key === " ") { e.preventDefault(); this.open(e); }
    const way = { ArrowDown: 1, ArrowUp: -1 }[e.key], all = [...this.stage.querySelectorAll("[data-entry]")];
    if (!way) return;
    e.preventDefault();
    e.stopPropagation();
    all[Math.max(0, Math.min(all.length - 1, all.indexOf(e.target) + way))]?.focus();
  }

  picture(svg) {
    if (svg === this.svg) return;
    this.svg = svg;
    const focused = document.activeElement?.closest?.("[data-entry]")?.dataset.entry, drawn = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    this.stage.replaceChildren(document.importNode(drawn, true));
    if (focused !== undefined && this.stage.contains(document.activeElement) === false) this.stage.querySelector(`[data-entry="${focused}"]`)?.focus({ preventScroll: true });
  }

  draw() {
    const s = this.state;
    if (!s.sentence) return;
    nvlSay(this.title, "PRPs");
    nvlSay(this.sub, s.title);
    nvlSay(this.says, `${s.ok ? "✓" : "✗"} ${s.sentence}`);
    nvlSet(this.says, "data-ok", s.ok);
    const key = `${s.prp1} ${s.prp2} ${s.length}`;
    if (key !== this.key0) {
      this.key0 = key;
      for (const [name, input] of Object.entries(this.inputs)) input.value = s[name];
    }
    this.picture(this.model.get("_svg"));
    if (s.shown) nvlSay(this.shown, s.shown);
    const bytes = nvlBytes(this.model, "_bytes");
    nvlShow(this.memory.el, bytes.length > 0);
    this.memory.draw(bytes, this.model.get("_fields"), s.base);
  }
}

export default nvlRender(NvlPrpView, "nvl-prpview");
