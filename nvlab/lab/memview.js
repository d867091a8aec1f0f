// The widget: which structure, where in the memory, and the bytes.

class NvlMemoryView extends NvlBase {
  constructor(model, root) {
    super(model, root);
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.head();
    const bar = nvlEl("div", { class: "nvl-bar", role: "group", "aria-label": "what is shown" }, root);
    const label = nvlEl("label", { class: "nvl-mem-label" }, bar, "structure");
    this.kind = nvlEl("select", { class: "nvl-input", "aria-label": "structure that the bytes are" }, label);
    this.kind.addEventListener("change", () => this.send("kind", { kind: this.kind.value }));
    this.back = this.button(bar, "◂", () => this.turn(-1), "the bytes before", "back");
    this.where = nvlEl("span", { class: "nvl-mode" }, bar);
    this.on = this.button(bar, "▸", () => this.turn(1), "the bytes after", "on");
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status", "aria-live": "polite" }, bar);
    this.memory = new NvlMemory(root, "memory");
  }

  turn(way) { this.send("at", { at: Math.max(0, this.state.at + way * this.state.window) }); }

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
    const long = s.size > s.window;
    for (const el of [this.back, this.on, this.where]) nvlShow(el, long);
    this.back.disabled = s.at === 0;
    this.on.disabled = s.at + s.window >= s.size;
    nvlSay(this.where, `bytes ${s.at.toLocaleString("en")} to ${(Math.min(s.size, s.at + s.window) - 1).toLocaleString("en")}`);
    this.memory.draw(nvlBytes(this.model, "_bytes"), this.model.get("_fields"), s.at);
  }
}

export default nvlRender(NvlMemoryView, "nvl-memview");
