// The widget: which structure, where in the memory, and the bytes.

class NvlMemoryView extends NvlBase {
  constructor(model, root) {
    super(model, root);
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.head();
    this.why = new NvlWhy(this);
    const bar = nvlEl("div", { class: "nvl-bar", role: "group", "aria-label": "what is shown" }, root);
    const label = nvlEl("label", { class: "nvl-mem-label" }, bar, "structure");
    this.kind = nvlEl("select", { class: "nvl-input", "aria-label": "structure that the bytes are" }, label);
    this.kind.addEventListener("change", () => this.send("kind", { kind: this.kind.value }));
    const place = nvlEl("label", { class: "nvl-mem-label" }, bar, "at");
    this.at = nvlEl("input", { class: "nvl-input", type: "text", spellcheck: "false", "aria-label": "where in the memory" }, place);
    this.at.addEventListener("keydown", (e) => { e.stopPropagation(); if (e.key === "Enter") this.send("at", { at: this.at.value }); });
    this.places = nvlEl("span", { class: "nvl-mem-places", role: "group", "aria-label": "places" }, bar);
    this.back = this.button(bar, "◂", () => this.turn(-1), "the bytes before", "back");
    this.where = nvlEl("span", { class: "nvl-mode" }, bar);
    this.on = this.button(bar, "▸", () => this.turn(1), "the bytes after", "on");
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status", "aria-live": "polite" }, bar);
    this.memory = new NvlMemory(root, "memory");
  }

  turn(way) {
    const s = this.state;
    this.send("at", { at: s.base + Math.max(0, Math.min(s.size - 1, s.at + way * s.step)) });
  }

  offer(places) {
    const key = JSON.stringify(places);
    if (key === this.offered) return;
    this.offered = key;
    this.places.replaceChildren();
    for (const [words, at, kind] of places) this.button(this.places, words, () => this.send("at", { at: this.state.base + at, kind }), `the entries of ${words}`).classList.add("nvl-small");
  }

  draw() {
    const s = this.state;
    if (!s.kinds) return;
    nvlSay(this.title, s.kind || "Memory");
    nvlSay(this.sub, s.title);
    const key = s.kinds.join();
    if (key !== this.key) {
      this.key = key;
      this.kind.replaceChildren(nvlEl("option", { value: "" }, null, "bytes alone"), ...s.kinds.map((k) => nvlEl("option", { value: k }, null, k)));
    }
    if (this.kind.value !== s.kind) this.kind.value = s.kind;
    const long = s.size > s.window, hex = "0x" + (s.base + s.at).toString(16);
    for (const el of [this.back, this.on, this.at.parentElement]) nvlShow(el, long);
    this.back.disabled = s.at === 0;
    this.on.disabled = s.at + s.step >= s.size;
    if (this.at.value !== hex && this.was !== hex) this.at.value = hex;
    this.was = hex;
    this.offer(s.places);
    this.memory.draw(nvlBytes(this.model, "_bytes"), this.model.get("_fields"), s.base + s.at);
  }
}

export default nvlRender(NvlMemoryView, "nvl-memview");
