// What all views share: elements updated in place, what the kernel sent, and a frame that works only while it is seen.

const NVL_SVG = "http://www.w3.org/2000/svg";
const NVL_SVG_TAGS = new Set(["svg", "g", "path", "text", "tspan", "circle", "ellipse", "rect", "title", "line", "polyline",
  "polygon", "defs", "marker", "clipPath", "use", "desc", "pattern"]);

const nvlEl = (tag, attrs = {}, parent = null, text = null) => {
  const el = NVL_SVG_TAGS.has(tag) ? document.createElementNS(NVL_SVG, tag) : document.createElement(tag);
  for (const [k, v] of Object.entries(attrs)) el.setAttribute(k, v);
  if (text !== null) el.textContent = text;
  parent?.append(el);
  return el;
};

// Only what changed is touched: a node replaced under the mouse loses its click.
const nvlSet = (el, name, value) => { if (el.getAttribute(name) !== String(value)) el.setAttribute(name, value); };
const nvlSay = (el, text) => { if (el.textContent !== String(text)) el.textContent = text; };
const nvlShow = (el, on) => { const d = on ? "" : "none"; if (el.style.display !== d) el.style.display = d; };

// On a control that takes keys: JupyterLab's own shortcuts (x cuts the cell, 0 0 restarts the kernel) rest while it has the focus.
const NVL_KEYS = { "data-lm-suppress-shortcuts": "true" };

// A colour of the page's style as #rrggbbaa: who paints by other means than CSS need not know what mixes are.
const nvlColours = new Map();
const nvlColour = (css) => {
  if (!nvlColours.has(css)) {
    const paint = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    paint.fillStyle = css;
    paint.fillRect(0, 0, 1, 1);
    nvlColours.set(css, `#${[...paint.getImageData(0, 0, 1, 1).data].map((v) => v.toString(16).padStart(2, "0")).join("")}`);
  }
  return nvlColours.get(css);
};

const nvlDark = () => document.body.dataset.jpThemeLight === "false" || document.body.classList.contains("vscode-dark");

const nvlText = async (bytes) => {
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stream = new Blob([view]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
};

const nvlLibrary = async (model, trait) => {
  const ref = model.get(trait);
  return typeof ref === "string" ? model.widget_manager.get_model(ref.slice("IPY_MODEL_".length)) : ref;
};

// The tables of this session, parsed once for all widgets of a page.
const nvlTables = async (model) => {
  const lib = await nvlLibrary(model, "_tables");
  globalThis.__nvlab_tables ??= {};
  const key = lib.get("version") + "/" + lib.get("gz").byteLength;
  return (globalThis.__nvlab_tables[key] ??= nvlText(lib.get("gz")).then(JSON.parse));
};

const nvlBytes = (model, trait) => {
  const v = model.get(trait);
  return v?.byteLength ? new Uint8Array(v.buffer, v.byteOffset, v.byteLength) : new Uint8Array(0);
};

// Words that change faster than a person reads: `say()` now, and again only after a quarter of a second, with what holds by then.
class NvlWords {
  constructor(say) { Object.assign(this, { say, timer: null, late: false }); }

  // `moving`: they change all the time; otherwise nothing waits.
  tell(moving) {
    if (!moving) this.close();
    this.late = this.timer !== null;
    if (this.late) return;
    this.say();
    if (moving) this.timer = setTimeout(() => { this.timer = null; if (this.late) this.tell(true); }, 250);
  }

  close() {
    clearTimeout(this.timer);
    this.timer = null;
  }
}

// What a view extends: `model`, `root` (its frame, empty), and how it speaks to the kernel.
class NvlBase {
  constructor(model, root) {
    Object.assign(this, { model, root, id: Math.random().toString(36).slice(2) });
  }

  get state() { return this.model.get("_state"); }

  send(what, content = {}) { this.model.send({ ...content, do: what, view: this.id }); }

  // The title row; `this.title` and `this.sub` are to be filled.
  head() {
    const top = nvlEl("div", { class: "nvl-top" }, this.root);
    this.title = nvlEl("span", { class: "nvl-title" }, top);
    this.sub = nvlEl("span", { class: "nvl-mode" }, top);
    return top;
  }

  // A row of buttons [[act, label, title], …] with the notice behind them. A click sends the act. Returns {act: button}.
  bar(label, acts, parent = this.root) {
    const bar = nvlEl("div", { class: "nvl-bar", role: "group", "aria-label": label }, parent);
    const buttons = acts.map(([act, words, title]) => [act, this.button(bar, words, () => this.send(act), title, act)]);
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status", "aria-live": "polite" }, bar);
    return Object.fromEntries(buttons);
  }

  button(parent, words, press, title = "", act = "") {
    const button = nvlEl("button", { type: "button", class: "nvl-button", ...(act ? { "data-do": act } : {}) }, parent, words);
    if (title) Object.entries({ title, "aria-label": `${words}: ${title}` }).forEach(([k, v]) => button.setAttribute(k, v));
    button.addEventListener("click", press);
    return button;
  }

  // The kernel's notice, shown wherever bar() put it.
  tell() {
    if (!this.notice) return;
    const n = this.model.get("_notice");
    nvlSay(this.notice, n.text ?? "");
    this.notice.dataset.kind = n.kind ?? "";
  }

  draw() {}   // the state changed (_seq): called in an animation frame
  dress() {}  // first seen, or the theme changed: called before a draw
  close() {}  // the view goes
}

// Calls back with whether `el` can be seen: neither scrolled away, nor in a hidden tab of JupyterLab or of the browser.
const nvlWatch = (el, tell) => {
  let inside = false, said = null;
  const say = () => {
    const seen = inside && !document.hidden;
    if (seen !== said) tell((said = seen));
  };
  const observer = new IntersectionObserver((entries) => { inside = entries.at(-1).isIntersecting; say(); }, { rootMargin: "80px" });
  observer.observe(el);
  document.addEventListener("visibilitychange", say);
  return () => { observer.disconnect(); document.removeEventListener("visibilitychange", say); };
};

// Redraws at most once a frame, and only while seen; what is missed meanwhile is drawn when it is seen again. What is seen for
// the first time is drawn anew in any case: a view is made before it is in the page, where it has neither size nor style.
const nvlPainter = (view, root) => {
  let queued = false, stale = true, shown = true;
  const paint = () => {
    queued = false;
    if (!shown) { stale = true; return; }
    stale = !root.isConnected;
    view.draw();
    root.dataset.seq = view.model.get("_seq");
  };
  const soon = () => {
    stale = true;
    if (!queued && shown) queued = !!requestAnimationFrame(paint);
  };
  return { paint, soon, show: (on) => { shown = on; if (on && stale) soon(); } };
};

// What a widget's module exports: {render} for a class that extends NvlBase, in a frame of class `nvl <name>`.
const nvlRender = (View, name) => ({
  render({ model, el }) {
    nvlEl("style", {}, el, `[data-nvl="${model.get("_token")}"] { display: none !important; }`); // the still picture rests
    const root = nvlEl("div", { class: `nvl ${name}` }, el), view = new View(model, root);
    const painter = nvlPainter(view, root), tell = () => view.tell(), send = (what) => { try { view.send(what); } catch { /* no kernel */ } };
    let seen = false, met = false;
    const unwatch = nvlWatch(el, (on) => {
      if (on && !met) view.dress();
      met ||= on;
      painter.show((seen = on));
      send(on ? "here" : "gone");
    });
    const beat = setInterval(() => { if (seen) send("here"); }, 10000);
    model.on("change:_seq", painter.soon);
    model.on("change:_notice", tell);
    // Colours on a canvas don't follow the theme by themselves.
    const theme = new MutationObserver(() => { view.dress(); painter.soon(); });
    theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
    painter.paint();
    tell();
    if (model.get("_tables")) nvlTables(model).then((tables) => { view.tables = tables; painter.soon(); });
    return () => {
      unwatch();
      clearInterval(beat);
      theme.disconnect();
      model.off("change:_seq", painter.soon);
      model.off("change:_notice", tell);
      send("gone");
      view.why?.close();
      view.close();
    };
  },
});
