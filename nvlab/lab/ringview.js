// The widget: two rings, what each side believes, the buttons, and one entry decoded.

const NVL_SMALL = 64; // slots that fit a drawn ring; more go on a canvas
const NVL_BUTTONS = [
  ["ring", "ring doorbell", (s) => `the host writes its tail (${s.sq.host.tail}) to ${s.sq.doorbell}`],
  ["step", "step", () => "the drive fetches one command, executes it, posts its completion"],
  ["poll", "poll", (s) => `the host looks at the phase tag of CQ${s.cq.qid}[${s.cq.host.head}]`],
  ["ring_cq", "ring CQ", (s) => `the host writes its head (${s.cq.host.head}) to ${s.cq.doorbell}`],
];
const NVL_KNOWN = {
  SQ: { host: [["head", "head"], ["tail", "tail"], ["rung", "doorbell"]], drive: [["head", "head"], ["tail", "tail"]] },
  CQ: {
    host: [["head", "head"], ["rung", "doorbell"], ["phase", "phase"]],
    drive: [["head", "head"], ["tail", "tail"], ["phase", "phase"]],
  },
};

// What a side may do with which slots now, in words.
const NVL_VERBS = { SQ: { host: "may fill", drive: "may fetch" }, CQ: { host: "may take", drive: "may post into" } };
const nvlMay = (kind, side, q) => {
  const may = q.may?.[side], verb = NVL_VERBS[kind][side];
  if (!may) return "";
  const [first, count] = may, last = (first + count - 1) % q.depth;
  return `${verb} ${count === 0 ? "nothing" : count === 1 ? first : `${first} to ${last} (${count})`}`;
};

class NvlQueue {
  constructor(root, kind, view) {
    Object.assign(this, { kind, view, selected: -1, size: kind === "SQ" ? 64 : 16 });
    this.el = nvlEl("figure", { class: "nvl-queue", "data-kind": kind }, root);
    this.caption = nvlEl("figcaption", {}, this.el);
    this.stage = nvlEl("div", { class: "nvl-stage", tabindex: "0", role: "slider", "aria-orientation": "horizontal",
      "data-lm-suppress-shortcuts": "true" }, this.el);
    this.stage.addEventListener("keydown", (e) => this.key(e));
    this.table = nvlEl("div", { class: "nvl-believe" }, this.el);
    this.words = new NvlWords(() => this.describe());
  }

  update(q, life, bytes) {
    if (this.depth !== q.depth) {
      this.depth = q.depth;
      this.stage.replaceChildren();
      const Drawn = q.depth <= NVL_SMALL ? NvlRing : NvlGrid;
      this.drawn = new Drawn(this.stage, this.kind, q.depth, (i) => this.view.pick(this.kind, i));
      this.stage.classList.toggle("nvl-wide", q.depth > NVL_SMALL);
    }
    Object.assign(this, { q, life, bytes });
    nvlSay(this.caption, this.kind === "SQ" ? `Submission queue ${q.qid}` : `Completion queue ${q.qid}`);
    this.drawn.update(q, life, bytes, this.size, this.selected, (entry) => this.brief(entry));
    this.words.tell(!!this.view.state.busy);
  }

  brief(entry) { return nvlBrief(this.view.tables, this.kind, this.q.qid, entry); }

  // The same for who reads, and for who listens.
  describe() {
    const { q, life } = this, now = Math.max(0, this.selected), at = this.entry(now);
    this.believe(q);
    const words = `${q.words.host}; ${q.words.drive}`;
    nvlSet(this.stage, "aria-label", `${this.kind}${q.qid}, ${q.depth} slots. ${words}. Arrow keys choose a slot.`);
    nvlSet(this.stage, "aria-valuemin", 0);
    nvlSet(this.stage, "aria-valuemax", q.depth - 1);
    nvlSet(this.stage, "aria-valuenow", now);
    nvlSet(this.stage, "aria-valuetext", `slot ${now}, ${nvlMeans(this.kind, NVL_LIVES[life[now]], q)}, ${this.brief(at)}`);
  }

  entry(i) { return this.bytes.subarray(i * this.size, (i + 1) * this.size); }

  believe(q) {
    this.facts ??= ["host", "drive"].map((side) => this.side(side));
    for (const { side, facts, note, may } of this.facts) {
      const values = q[side];
      for (const [key, fact, label, b] of facts) {
        nvlShow(fact, !!values);
        if (key === "rung") nvlSay(label, q.doorbell);
        nvlSay(b, values ? values[key] ?? "?" : "");
      }
      nvlSay(note, values ? "" : `not visible; last doorbell written was ${q.host.rung}`);
      nvlSay(may, nvlMay(this.kind, side, q));
    }
  }

  side(side) {
    const row = nvlEl("div", { class: `nvl-side nvl-side-${side}` }, this.table);
    nvlEl("span", { class: "nvl-who" }, row, side);
    const facts = NVL_KNOWN[this.kind][side].map(([key, title]) => {
      const fact = nvlEl("span", { class: "nvl-fact" }, row);
      const badge = NVL_BADGE[key] && (side === "host" ? NVL_BADGE[key] : NVL_BADGE[key].toLowerCase());
      if (badge) nvlEl("i", { class: `nvl-chip nvl-chip-${side}`, "aria-hidden": "true" }, fact, badge);
      const label = nvlEl("span", { class: "nvl-key" }, fact, title);
      return [key, fact, label, nvlEl("b", { "data-fact": `${side}-${key}` }, fact)];
    });
    return { side, facts, note: nvlEl("span", { class: "nvl-unseen" }, row), may: nvlEl("span", { class: "nvl-may", "data-may": side }, row) };
  }

  key(e) {
    const row = this.drawn?.columns ?? Math.max(1, Math.round(this.depth / 4)), from = Math.max(0, this.selected);
    const to = {
      ArrowRight: from + (this.selected < 0 ? 0 : 1), ArrowLeft: from - 1, ArrowDown: from + row, ArrowUp: from - row,
      Home: 0, End: this.depth - 1, Enter: from, " ": from,
    }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    this.view.pick(this.kind, ((to % this.depth) + this.depth) % this.depth);
  }
}

const NVL_ASK = "Click a slot, or move over the ring with the arrow keys, to read its entry here.";

class NvlDetail {
  constructor(root) {
    this.el = nvlEl("section", { class: "nvl-detail", "aria-label": "decoded entry" }, root);
    this.head = nvlEl("div", { class: "nvl-detail-head" }, this.el);
    this.sub = nvlEl("div", { class: "nvl-detail-sub" }, this.el, NVL_ASK);
    this.hint = nvlEl("div", { class: "nvl-hint" }, this.el);
    this.rows = nvlEl("div", { class: "nvl-rows", tabindex: "0", role: "group", "aria-label": "its fields", ...NVL_KEYS }, this.el);
    this.hex = nvlEl("div", { class: "nvl-hex" }, this.el);
  }

  clear() {
    this.key = null;
    nvlSay(this.head, "");
    nvlSay(this.sub, NVL_ASK);
    nvlSay(this.hint, "");
    this.rows.replaceChildren();
    this.hex.replaceChildren();
  }

  show(queue, tables) {
    const { kind, q, life, selected } = queue, entry = queue.entry(selected), bytes = Array.from(entry);
    const key = `${kind}${q.qid}/${selected}/${bytes}`;
    nvlSay(this.sub, `${kind}${q.qid} slot ${selected}: ${nvlMeans(kind, NVL_LIVES[life[selected]], q)}`);
    if (this.key === key) return;
    this.key = key;
    const empty = !tables || bytes.every((b) => b === 0);
    const { title, rows, hint } = empty ? { title: "Empty slot", rows: [] } : nvlDecode(tables, kind, q.qid, entry);
    nvlSay(this.head, title);
    nvlSay(this.hint, hint ?? "");
    this.hex.replaceChildren();
    const cells = bytes.map((b, i) => {
      if (i % 16 === 0) nvlEl("span", { class: "nvl-off" }, this.hex, i.toString(16).toUpperCase().padStart(2, "0"));
      return nvlEl("span", { class: b ? "nvl-byte" : "nvl-byte nvl-zero" }, this.hex, b.toString(16).toUpperCase().padStart(2, "0"));
    });
    this.rows.replaceChildren(...rows.map((r) => {
      const title = `${r.title} (byte ${r.first}${r.last > r.first ? " to " + r.last : ""})`;
      const row = nvlEl("div", { class: r.value ? "nvl-row" : "nvl-row nvl-nil", title });
      nvlEl("span", { class: "nvl-name" }, row, r.name);
      nvlEl("span", { class: "nvl-value" }, row, r.shown);
      nvlEl("span", { class: "nvl-meaning" }, row, r.meaning || r.title);
      const light = (on) => cells.slice(r.first, r.last + 1).forEach((c) => c.classList.toggle("nvl-lit", on));
      row.addEventListener("mouseenter", () => light(true));
      row.addEventListener("mouseleave", () => light(false));
      return row;
    }));
  }
}

class NvlView extends NvlBase {
  constructor(model, root) {
    super(model, root);
    this.head();
    this.calm = nvlEl("div", { class: "nvl-busy", role: "status" }, root);
    this.why = new NvlWhy(this);
    this.pairs = new NvlPairs(this, root);
    this.lines = new NvlWords(() => this.pairs.draw(this.model.get("_pairs"), this.state.qid));
    const main = (this.main = nvlEl("div", { class: "nvl-main" }, root));
    this.queues = { SQ: new NvlQueue(main, "SQ", this), CQ: new NvlQueue(main, "CQ", this) };
    this.detail = new NvlDetail(main);
    this.controls();
    nvlLegend(root);
  }

  controls() {
    this.buttons = this.bar("what a person may do", NVL_BUTTONS.map(([act, label]) => [act, label]));
    const post = (this.post = nvlEl("span", { class: "nvl-post" }));
    this.buttons.ring.before(post);
    this.choice = nvlEl("select", { class: "nvl-select", "aria-label": "command to post", ...NVL_KEYS }, post);
    this.buttons.post = this.button(post, "post", () => this.send("post", { command: this.choice.value }),
      "the host writes the command into the slot at its tail; the doorbell stays as it is", "post");
  }

  close() {
    this.hurry();
  }

  // What was asked for by hand is answered in words at once.
  hurry() { [this.lines, this.queues.SQ.words, this.queues.CQ.words].forEach((words) => words.close()); }

  pick(kind, slot) {
    for (const [k, queue] of Object.entries(this.queues)) queue.selected = k === kind ? slot : -1;
    this.hurry();
    this.draw();
  }

  draw() {
    const s = this.state, life = nvlBytes(this.model, "_life");
    this.changed(s.qid);
    this.lines.tell(this.model.get("_pairs").some(([, busy]) => busy));
    this.words(s);
    this.enable(s);
    nvlShow(this.main, !!s.sq || !!s.absent && !!this.queues.SQ.depth);
    this.main.style.visibility = s.sq ? "" : "hidden"; // keeps its room while an instant lacks the pair: nothing jumps
    if (!s.sq || life.length !== s.sq.depth + s.cq.depth) return;
    this.main.classList.toggle("nvl-large", s.sq.depth > NVL_SMALL || s.cq.depth > NVL_SMALL);
    this.queues.SQ.update(s.sq, life.subarray(0, s.sq.depth), nvlBytes(this.model, "_sq"));
    this.queues.CQ.update(s.cq, life.subarray(s.sq.depth), nvlBytes(this.model, "_cq"));
    for (const queue of Object.values(this.queues)) if (queue.selected >= 0) this.detail.show(queue, this.tables);
  }

  // Another queue pair is shown: no slot of it is chosen yet.
  changed(qid) {
    if (this.qid !== undefined && this.qid !== qid) {
      for (const queue of Object.values(this.queues)) queue.selected = -1;
      this.detail.clear();
      this.hurry();
    }
    this.qid = qid;
  }

  words(s) {
    const none = s.qid === null || s.qid === undefined;
    nvlSay(this.title, none ? "No queue pair yet" : `${s.qid === 0 ? "Admin" : "I/O"} queue pair ${s.qid}`);
    nvlSay(this.sub, [s.title, s.mode && `drive in ${s.mode} mode`].filter(Boolean).join(" · "));
    const busy = `${s.busy} owns this queue pair just now and moves it at full speed: what you see are glimpses. The buttons rest until it gives the pair back.`;
    const retired = "The controller no longer knows this queue pair: it was deleted, or a reset swept it away. This is how it was left.";
    const first = "The controller has no queue yet. create_admin_queue() makes the first pair, and this view will show it.";
    nvlSay(this.calm, none ? first : s.absent ? s.absent : s.busy ? busy : s.retired ? retired : "");
    this.root.classList.toggle("nvl-retired", !!s.retired);
    this.root.classList.toggle("nvl-moving", !!s.busy);
  }

  enable(s) {
    for (const [act, label, why] of NVL_BUTTONS) {
      const button = this.buttons[act], words = s.sq ? why(s) : label;
      nvlShow(button, s.can_move !== false && (act !== "step" || s.can_step));
      nvlSet(button, "title", words);
      nvlSet(button, "aria-label", `${label}: ${words}`);
    }
    const rests = !!(s.busy || s.retired || !s.sq), commands = s.commands ?? [];
    for (const control of [...Object.values(this.buttons), this.choice]) control.disabled = rests;
    nvlShow(this.post, commands.length > 0);
    const key = String(commands);
    if (this.offered === key) return;
    this.offered = key;
    this.choice.replaceChildren(...commands.map(([value, title]) => nvlEl("option", { value }, null, title)));
  }
}

const nvlLegend = (root) => {
  const legend = nvlEl("div", { class: "nvl-legend", "aria-hidden": "true" }, root);
  for (const life of ["posted", "rung", "fetched", "polled", "done", "stale", "free"]) {
    const item = nvlEl("span", { class: "nvl-key-item" }, legend);
    const svg = nvlEl("svg", { viewBox: "-8 -8 16 16", class: "nvl-swatch", "data-life": life }, item);
    nvlEl("rect", { class: "nvl-seg", x: -7, y: -7, width: 14, height: 14, rx: 3 }, svg);
    nvlEl("path", { class: "nvl-mark", d: NVL_MARK[life] }, svg);
    nvlEl("span", {}, item, life);
  }
  for (const [side, words] of [["host", "H head, T tail, D doorbell: the host's"], ["drive", "h, t: the drive's"]]) {
    const item = nvlEl("span", { class: "nvl-key-item" }, legend);
    nvlEl("i", { class: `nvl-chip nvl-chip-${side}` }, item);
    nvlEl("span", {}, item, words);
  }
  nvlEl("span", { class: "nvl-may" }, legend, "what a side may touch now");
};

export default nvlRender(NvlView, "nvl-ringview");
