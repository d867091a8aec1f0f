// The widget: a tab for each view. The kernel makes a view when its tab is first shown; one that isn't shown rests.

const NVL_MODES = [["manual", "by hand"], ["inline", "when the host polls"], ["thread", "by itself"]];

class NvlExplorer extends NvlBase {
  constructor(model, root) {
    super(model, root);
    this.tools(this.head());
    this.strip = nvlEl("div", { class: "nvl-explore-tabs", role: "tablist", "aria-label": "views of the controller" }, root);
    this.stage = nvlEl("div", { class: "nvl-explore-stage" }, root);
    this.tabs = new Map(this.state.tabs.map(([name, title, what]) => [name, this.make(name, title, what)]));
    this.strip.addEventListener("keydown", (e) => this.pressed(e));
    this.why = new NvlWhy(this);
    this.notice = nvlEl("div", { class: "nvl-notice nvl-explore-notice", role: "status", "aria-live": "polite" }, root);
    this.onMade = () => this.mount(this.chosen);
    this.onTab = () => this.choose(model.get("tab"));
    model.on("change:_made", this.onMade);
    model.on("change:tab", this.onTab);
    this.choose(model.get("tab"));
  }

  tools(top) {
    const box = nvlEl("div", { class: "nvl-explore-tools" }, top), label = nvlEl("label", { class: "nvl-explore-mode" }, box);
    nvlEl("span", {}, label, "the drive moves");
    this.mode = nvlEl("select", { class: "nvl-explore-select", "aria-label": "how the drive moves" }, label);
    for (const [mode, words] of NVL_MODES) nvlEl("option", { value: mode, title: `mode ${mode}` }, this.mode, words);
    this.mode.addEventListener("change", () => this.send("mode", { mode: this.mode.value }));
    this.label = label;
    this.record = this.button(box, "● record", () => this.send("record", { on: !this.state.on }));
    this.record.classList.add("nvl-explore-record");
  }

  make(name, title, what) {
    const id = `nvl-${this.id}-${name}`;
    const tab = nvlEl("button", { type: "button", class: "nvl-explore-tab", role: "tab", id: `${id}-tab`, "aria-controls": id, "aria-selected": "false", tabindex: "-1",
      "data-tab": name, title: what, "data-lm-suppress-shortcuts": "true" }, this.strip, title);
    const panel = nvlEl("div", { class: "nvl-explore-panel", role: "tabpanel", id, "aria-labelledby": `${id}-tab`, tabindex: "0", hidden: "" }, this.stage);
    nvlEl("div", { class: "nvl-busy", role: "status" }, panel, `${title}: the kernel makes this view, as soon as it is free.`);
    tab.addEventListener("click", () => this.pick(name));
    return { tab, panel, view: null };
  }

  // A person chose a tab.
  pick(name) {
    this.choose(name);
    if (this.model.get("tab") === name) return;
    this.model.set("tab", name);
    this.model.save_changes();
  }

  choose(name) {
    if (!this.tabs.has(name) || name === this.chosen) return;
    this.stage.style.minHeight = `${this.stage.offsetHeight}px`; // the page below stays where it is while a view is made
    this.chosen = name;
    for (const [key, { tab, panel }] of this.tabs) {
      nvlSet(tab, "aria-selected", key === name);
      nvlSet(tab, "tabindex", key === name ? 0 : -1);
      panel.hidden = key !== name;
    }
    this.mount(name);
  }

  async mount(name) {
    const entry = this.tabs.get(name), ref = this.model.get("_made")[name];
    if (!ref && !entry.asked) {
      entry.asked = true;
      try { this.send("open", { tab: name }); } catch { /* no kernel */ }
    }
    if (entry.view || !ref) return entry.view && this.settle(entry);
    const manager = this.model.widget_manager;
    entry.view = typeof ref === "string" ? manager.get_model(ref.slice("IPY_MODEL_".length)).then((child) => manager.create_view(child)) : manager.create_view(ref);
    const view = await entry.view;
    if (this.closed) return view.remove();
    entry.panel.replaceChildren(view.el);
    this.settle(entry);
  }

  // The view has its height: the room kept meanwhile may go.
  settle(entry) {
    setTimeout(() => { if (!entry.panel.hidden) this.stage.style.minHeight = ""; }, 400);
  }

  pressed(e) {
    const names = [...this.tabs.keys()], at = names.indexOf(this.chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[e.key];
    if (to === undefined || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    e.stopPropagation();
    const name = names[(to + names.length) % names.length];
    this.tabs.get(name).tab.focus();
    this.pick(name);
  }

  draw() {
    const s = this.state;
    nvlSay(this.title, `Explorer: ${s.title}`);
    nvlSay(this.sub, s.gone ? `${s.what}: ${s.gone}` : s.what);
    nvlShow(this.label, s.mode !== null);
    if (s.mode && document.activeElement !== this.mode) this.mode.value = s.mode;
    this.mode.disabled = this.record.disabled = !!s.gone;
    const words = s.on ? "stop recording for the timeline" : "record for the timeline, beginning anew";
    nvlSet(this.record, "aria-pressed", s.on);
    nvlSet(this.record, "title", words);
    nvlSet(this.record, "aria-label", `record: ${words}`);
  }

  close() {
    this.closed = true;
    this.model.off("change:_made", this.onMade);
    this.model.off("change:tab", this.onTab);
    for (const { view } of this.tabs.values()) Promise.resolve(view).then((made) => made?.remove()).catch(() => {});
  }
}

export default nvlRender(NvlExplorer, "nvl-explorer");
