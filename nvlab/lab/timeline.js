// The widget: filters, the map of all, the lanes, the slider through time, and the chosen event with what it left behind.

const NVL_ROWS = 80; // of the list, around the chosen event
const NVL_LEAST = { order: 5, time: 100 };

class NvlTimeline extends NvlBase {
  constructor(model, root) {
    super(model, root);
    Object.assign(this, { cursor: null, filter: {}, moments: new Map(), stacks: {}, reveal: true, sent: 0, asked: 0, follow: null, start: 0 });
    this.head();
    this.why = new NvlWhy(this);
    this.filters = new NvlFilters(root, (filter) => { this.filter = filter; this.ask(0); this.soon(); });
    this.tools(this.filters.el);
    this.map = new NvlMap(root, (at) => this.moveTo(at));
    this.stageOf(root);
    this.scrub = new NvlScrubber(root, this);
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status" }, root);
    const panels = nvlEl("div", { class: "nvl-panels" }, root);
    this.listed = new NvlEventList(panels, this);
    this.detail = new NvlEventDetail(panels, this);
    this.moment = new NvlMoment(panels);
    this.key = new NvlMarks(root);
    this.onGoto = () => this.goto();
    model.on("change:_goto", this.onGoto);
    this.resized = new ResizeObserver(() => this.soon());
    this.resized.observe(root);
    nvlLibrary(model, "_registers").then(async (lib) => { this.registers = JSON.parse(await nvlText(lib.get("gz"))); this.speaker = null; this.soon(); });
  }

  soon() { this.queued ||= requestAnimationFrame(() => { this.queued = 0; this.draw(); }); }

  close() {
    this.model.off("change:_goto", this.onGoto);
    this.resized.disconnect();
    clearTimeout(this.timer);
  }

  tools(parent) {
    const group = nvlEl("span", { class: "nvl-group", role: "group", "aria-label": "what the lanes show" }, parent);
    this.axes = [["order", "even", "each event the same room"], ["time", "time", "by the clock"]].map(([axis, words, why]) => {
      const b = this.button(group, words, () => this.turn(axis), why);
      b.dataset.axis = axis;
      return b;
    });
    this.button(group, "−", () => this.zoom(2), "zoom out (key −)");
    this.button(group, "+", () => this.zoom(0.5), "zoom in (key +)");
    this.button(group, "all", () => this.fit(), "show the whole recording (key 0)");
    this.following = this.button(group, "follow", () => { this.follow = !this.follow; if (this.follow) this.choose(null); this.ask(0); }, "stay at the newest events");
  }

  stageOf(root) {
    this.stage = nvlEl("div", { class: "nvl-lanes", tabindex: "0", role: "slider", ...NVL_OWN_KEYS, "aria-orientation": "horizontal", "aria-label":
      "timeline: arrow keys choose an event, plus and minus zoom, 0 shows all, Page Up and Page Down go ten events" }, root);
    this.canvas = nvlEl("canvas", { class: "nvl-lanes-canvas", "aria-hidden": "true" }, this.stage);
    this.tip = nvlEl("div", { class: "nvl-tip", "aria-hidden": "true" }, this.stage);
    this.lanes = new NvlLanes(this.canvas);
    this.stage.addEventListener("keydown", (e) => this.pressed(e));
    this.canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.canvas.addEventListener("pointerdown", (e) => { this.drag = { x: e.offsetX, low: this.low, high: this.high, moved: false }; this.canvas.setPointerCapture(e.pointerId); });
    this.canvas.addEventListener("pointermove", (e) => this.hover(e));
    this.canvas.addEventListener("pointerup", (e) => { const d = this.drag; this.drag = null; if (d && !d.moved) this.click(e); });
    this.canvas.addEventListener("pointerleave", () => this.say(null));
  }

  // -- what is there to draw

  take() {
    const events = this.model.get("_events"), near = this.model.get("_near"), s = this.state;
    if (events !== this.rawEvents) {
      this.rawEvents = events;
      this.win = new NvlEvents(nvlBytes(this.model, "_events"), nvlBytes(this.model, "_entries"));
      this.bins = new Uint16Array(nvlBytes(this.model, "_bins").slice().buffer);
    }
    this.window = this.model.get("_window");
    if (near !== this.rawNear) {
      this.rawNear = near;
      this.near = new NvlEvents(nvlBytes(this.model, "_near"), nvlBytes(this.model, "_near_entries"));
    }
    const moments = this.model.get("_moments");
    if (moments !== this.rawMoments && moments.items) {
      if (moments.serial !== this.momentsOf) this.moments.clear();
      [this.rawMoments, this.momentsOf] = [moments, moments.serial];
      for (const [count, m] of Object.entries(moments.items)) this.moments.set(+count, { rings: m.rings, regs: moments.regs[m.regs] });
      Object.assign(this.stacks, moments.stacks);
    }
    if (!this.speaker || this.speaker.words !== s.words || this.speaker.tables !== this.tables) this.speaker = new NvlSpeaker(this.tables, this.registers, s.words);
    this.passes = nvlPasses(this.filter, this.speaker);
  }

  place(e, axis = this.axis) { return axis === "time" ? e.time : e.pos; }

  find(number) { return this.win.byNumber.get(number) ?? this.near?.byNumber.get(number); }

  // The events that are there and pass the filter, in order.
  get buffer() { return this.win.length ? this.win : this.near ?? this.win; }

  // The latest event that had happened at the instant and that the filter lets pass.
  get current() {
    const count = this.count, found = count ? this.find(count - 1) : null;
    if (found && this.passes(found)) return found;
    for (const from of [this.near, this.win]) {
      const before = from?.list.filter((e) => e.number < count && this.passes(e)).at(-1);
      if (before && from.list[0] !== before) return before;
    }
    return null;
  }

  get count() { return Math.min(this.cursor ?? this.state.total, this.state.total); }

  scene() {
    const s = this.state, w = this.window, whole = this.win.length === s.count && s.count > 0, same = w.axis === this.axis;
    const inside = same && this.low >= w.low - 1e-6 && this.high <= w.high + 1e-6;
    const reaches = same && Math.max(this.low, s.extent[this.axis][0]) >= w.low - 1 && Math.min(this.high, s.extent[this.axis][1]) <= w.high + 1;
    const events = whole || (w.exact && (inside || reaches)) ? this.win.list : null;
    const fine = !events && same && this.bins.length && inside;
    const bins = events ? null : fine ? this.bins : same ? new Uint16Array(nvlBytes(this.model, "_overview").slice().buffer) : null;
    const e = this.current;
    return { lanes: s.lanes, axis: this.axis, low: this.low, high: this.high, events: (events ?? (bins ? null : this.near?.list ?? []))?.filter(this.passes) ?? null,
      bins, binsLow: fine ? w.low : w.whole?.[0], binsHigh: fine ? w.high : w.whole?.[1], cursor: this.count, chosen: e?.number, steps: s.words.steps,
      at: e ? this.place(e) : null, place: (x) => this.place(x) };
  }

  draw() {
    const s = this.state;
    if (!s.extent) return;
    this.take();
    if (!this.axis) this.begin(s);
    if (this.follow && s.on) this.trail(s);
    this.headline(s);
    this.axes.forEach((b) => nvlSet(b, "aria-pressed", b.dataset.axis === this.axis));
    nvlShow(this.following, s.on);
    nvlSet(this.following, "aria-pressed", !!this.follow);
    this.filters.update(s, this.filter);
    const scene = this.scene();
    this.lanes.draw(scene);
    this.mapped(s, scene);
    const e = this.current;
    this.scrub.update(s, this.count, e);
    this.listed.update(e);
    this.detail.update(e);
    this.told(s, e);
    this.root.dataset.drawn = `${this.axis} ${scene.events ? "events" : scene.bins ? "heaps" : "nothing"} ${s.count}`;
  }

  headline(s) {
    nvlSay(this.title, "Timeline");
    const lost = s.dropped ? `, ${s.dropped.toLocaleString("en")} older ones dropped` : "", some = s.count < s.total ? `${s.count.toLocaleString("en")} of ` : "";
    nvlSay(this.sub, [s.title || s.address, `${some}${s.total.toLocaleString("en")} events in ${nvlDuration(s.seconds * 1e9)}${lost}`, s.on && "● recording",
      s.hidden.length && `${s.hidden.length} more queues: filter by queue to see them`].filter(Boolean).join(" · "));
  }

  begin(s) {
    this.axis = s.axis;
    [this.low, this.high] = s.start[s.axis];
    this.filter = { ...s.filter };
    this.follow = s.on;
    const goto = this.model.get("_goto");
    if (goto.n) this.cursor = goto.count;
  }

  trail(s) {
    const [, last] = s.extent[this.axis], span = this.high - this.low;
    this.high = last;
    this.low = last - span;
    this.reveal = true;
    if (this.axis === "order" && span < 80 && s.count > 80) this.low = last - 80;
  }

  mapped(s, scene) {
    const [first, last] = s.extent[this.axis], whole = this.window.whole, same = this.window.axis === this.axis, span = last - first || 1;
    const bins = same && whole ? new Uint16Array(nvlBytes(this.model, "_overview").slice().buffer) : new Uint16Array(0);
    this.map.draw(bins, s.lanes.length, (this.low - first) / span, (this.high - first) / span, scene.at === null ? null : (scene.at - first) / span, (c) => this.lanes.colour(c));
  }

  told(s, e) {
    const moment = s.partial ? null : this.moments.get(this.count), before = e && this.moments.get(this.near?.list.filter((x) => x.number < e.number).at(-1)?.number + 1);
    const title = s.partial ? "Only selected events: no rings to rebuild" : this.count === s.total ? `Rings and registers at the end${s.on ? " so far" : ""}` : `Rings and registers after event ${this.count}`;
    this.moment.update(title, moment, before ?? null);
    nvlSet(this.stage, "aria-valuemin", 0);
    nvlSet(this.stage, "aria-valuemax", s.total);
    nvlSet(this.stage, "aria-valuenow", this.count);
    nvlSet(this.stage, "aria-valuetext", e ? `event ${e.number + 1}, ${nvlMicros(e.time)}, ${e.side ? "drive" : "host"}, ${this.speaker.kind(e)}: ${this.speaker.text(e)}` : "the beginning");
  }

  // -- moving

  // Ask the kernel for what is looked at now, unless all of it is here already.
  ask(delay = 90) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const filter = Object.fromEntries(Object.entries(this.filter).filter(([, v]) => v !== undefined && v !== ""));
      const known = this.win.length === this.state.count && JSON.stringify(filter) === JSON.stringify(this.state.filter);
      if (known && !this.state.on && this.window.axis === this.axis) return;
      this.send("look", { axis: this.axis, low: this.low, high: this.high, follow: !!this.follow, filter, n: ++this.asked });
    }, delay);
  }

  look(low, high) {
    const [first, last] = this.state.extent[this.axis], most = (last - first) * 1.04 || 1, span = Math.min(Math.max(high - low, NVL_LEAST[this.axis]), Math.max(most, NVL_LEAST[this.axis]));
    const middle = (low + high) / 2, room = span * 0.02;
    this.low = Math.min(Math.max(middle - span / 2, first - room), Math.max(first - room, last + room - span));
    this.high = this.low + span;
    this.ask();
    this.soon();
  }

  zoom(by, at = null) {
    const e = this.current, middle = at ?? (e && this.place(e) >= this.low && this.place(e) <= this.high ? this.place(e) : (this.low + this.high) / 2);
    if (this.follow) this.follow = by > 1 && this.follow;
    this.look(middle - (middle - this.low) * by, middle + (this.high - middle) * by);
  }

  fit() { this.follow = false; this.look(...this.state.extent[this.axis]); }

  turn(axis) {
    if (axis === this.axis) return;
    const shown = this.buffer.list.filter((e) => this.place(e) >= this.low && this.place(e) <= this.high), from = this.axis;
    const share = (this.high - this.low) / (this.state.extent[from][1] - this.state.extent[from][0] || 1);
    this.axis = axis;
    const [first, last] = this.state.extent[axis];
    if (shown.length > 1 && share < 0.98) this.look(this.place(shown[0]), this.place(shown.at(-1)));
    else this.look(first, last);
  }

  moveTo(at) {
    const [first, last] = this.state.extent[this.axis], middle = first + at * (last - first), half = (this.high - this.low) / 2;
    this.follow = false;
    this.look(middle - half, middle + half);
  }

  wheel(e) {
    if (!e.ctrlKey && !e.metaKey && !e.shiftKey && document.activeElement !== this.stage) return;   // the page scrolls
    e.preventDefault();
    if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) this.shift(Math.sign(e.deltaX || e.deltaY) * 0.1);
    else this.zoom(e.deltaY > 0 ? 1.25 : 0.8, this.lanes.place(e.offsetX));
  }

  shift(part) {
    const d = (this.high - this.low) * part;
    this.follow = false;
    this.look(this.low + d, this.high + d);
  }

  hover(e) {
    const d = this.drag;
    if (d) {
      const by = ((d.x - e.offsetX) / this.lanes.inner) * (d.high - d.low);
      d.moved ||= Math.abs(d.x - e.offsetX) > 4;
      if (d.moved) { this.follow = false; this.look(d.low + by, d.high + by); this.say(null); }
      return;
    }
    this.say(this.lanes.hit(e.offsetX, e.offsetY), e.offsetX);
  }

  say(spot, x) {
    this.canvas.style.cursor = spot ? "pointer" : "";
    this.tip.style.display = spot ? "block" : "none";
    if (!spot) return;
    const [e] = spot.events, n = spot.events.length;
    nvlSay(this.tip, n > 1 ? `${n} events, ${nvlMicros(e.time)} to ${nvlMicros(spot.events.at(-1).time)}: ${this.tally(spot.events)}` : `${nvlMicros(e.time)} · ${this.speaker.kind(e)}: ${this.speaker.text(e)}`);
    this.tip.style.left = `${Math.max(4, Math.min(x - 40, this.lanes.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${spot.y > this.lanes.height / 2 ? spot.y - this.tip.offsetHeight - 12 : spot.y + 12}px`;
  }

  tally(events) {
    const count = new Map();
    for (const e of events) count.set(this.speaker.kind(e), (count.get(this.speaker.kind(e)) ?? 0) + 1);
    return [...count].map(([kind, n]) => `${n} ${kind}`).join(", ");
  }

  click(e) {
    this.stage.focus({ preventScroll: true });
    const spot = this.lanes.hit(e.offsetX, e.offsetY);
    if (spot) {
      const chosen = spot.events.findIndex((x) => x.number + 1 === this.count);
      return this.choose(spot.events[(chosen + 1) % spot.events.length].number + 1);   // again: the next of a heap
    }
    const at = this.lanes.place(e.offsetX), shown = this.buffer.list.filter(this.passes), before = shown.filter((x) => this.place(x) <= at).at(-1);
    if (before) this.choose(before.number + 1);
    return null;
  }

  pressed(e) {
    const act = { ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1), PageDown: () => this.step(10), PageUp: () => this.step(-10),
      Home: () => this.choose(0), End: () => this.choose(null), "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.fit() }[e.key];
    if (!act || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation();
    act();
  }

  // One event on or back, of those that the filter lets pass.
  step(by) {
    const e = this.current, from = [this.near, this.win];
    if (!e) return this.choose(by > 0 ? (this.near?.list.find(this.passes)?.number ?? 0) + 1 : 0);
    const exact = e.number + 1 === this.count, pos = e.pos + by + (by < 0 && !exact ? 1 : 0);
    const to = from.flatMap((x) => (x ? [x.list[pos - (x.list[0]?.pos ?? 0)]] : [])).find((x) => x && this.passes(x));
    if (to) return this.choose(to.number + 1);
    return this.choose(pos < 0 ? 0 : by > 0 && pos >= this.state.count ? null : this.count);
  }

  // Choose an instant: how many events have happened; null is the end.
  choose(count, tell = true) {
    if (count !== null) this.follow = false;
    this.cursor = count === null || (count >= this.state.total && this.state.on && this.follow) ? null : count;
    this.reveal = true;
    this.bring();
    if (tell && !this.later) {
      const send = () => { this.send("instant", { count: this.cursor }); };
      send();
      this.later = setTimeout(() => { this.later = 0; if (this.again) { this.again = false; send(); } }, 60);
    } else if (tell) this.again = true;
    this.soon();
  }

  // Move the lanes so that the chosen event is seen, if it is known where that is.
  bring() {
    const e = this.current;
    if (!e) return;
    const at = this.place(e), span = this.high - this.low;
    if (at < this.low || at > this.high) this.look(at - span / 2, at + span / 2);
  }

  goto() {
    this.cursor = this.model.get("_goto").count;
    this.follow = false;
    this.soon();
    setTimeout(() => this.bring(), 0);
  }
}

export default nvlRender(NvlTimeline, "nvl-timeline");
