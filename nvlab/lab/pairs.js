// Several queue pairs, a line each: how full their rings are, and a click that shows one in full.

class NvlPairs {
  constructor(view, parent) {
    this.view = view;
    this.el = nvlEl("div", { class: "nvl-pairs", role: "group", "aria-label": "queue pairs" }, parent);
    this.lines = [];
  }

  draw(pairs, shown) {
    nvlShow(this.el, pairs.length > 0);
    pairs.forEach((pair, i) => this.line((this.lines[i] ??= this.make()), pair, shown));
    this.lines.slice(pairs.length).forEach((line) => nvlShow(line.el, false));
  }

  make() {
    const el = nvlEl("button", { type: "button", class: "nvl-pair", ...NVL_KEYS }, this.el), line = { el };
    line.name = nvlEl("span", { class: "nvl-pair-name" }, el);
    for (const kind of ["sq", "cq"]) {
      const cell = nvlEl("span", { class: "nvl-pair-queue" }, el);
      const label = nvlEl("span", { class: "nvl-pair-label" }, cell);
      const svg = nvlEl("svg", { class: "nvl-pair-bar", preserveAspectRatio: "none", "aria-hidden": "true" }, cell);
      line[kind] = { cell, label, svg, said: nvlEl("span", { class: "nvl-pair-said" }, cell), boxes: [] };
    }
    el.addEventListener("click", () => this.view.send("show", { qid: line.qid }));
    return line;
  }

  line(line, [qid, busy, retired, sq, cq], shown) {
    nvlShow(line.el, true);
    line.qid = qid;
    nvlSet(line.el, "data-qid", qid);
    nvlSet(line.el, "aria-pressed", qid === shown);
    nvlSay(line.name, `${qid ? "I/O" : "Admin"} ${qid}`);
    const why = busy ? `${busy} has it` : retired ? "no longer there" : "";
    this.queue(line.sq, "SQ", sq, why);
    this.queue(line.cq, "CQ", cq, why);
  }

  queue(line, kind, q, why) {
    nvlSay(line.label, q ? `${kind} ${q.depth}` : "");
    nvlShow(line.svg, !!q);
    const said = q && Object.entries(q.counts).map(([name, n]) => `${n} ${name}`).join(", ");
    nvlSay(line.said, why || said || "at rest");
    if (q) this.bar(line, q);
  }

  // Lives of neighbours that are alike lie in one box. What waits lies on top, never too thin to be seen in a large ring.
  bar(line, q) {
    nvlSet(line.svg, "viewBox", `0 0 ${q.depth} 10`);
    const found = [];
    for (let i = 0, at = 0; i < q.runs.length; at += q.runs[i + 1], i += 2) found.push([NVL_LIVES[q.runs[i]], at, q.runs[i + 1]]);
    const waits = ([name]) => !NVL_QUIET.includes(name), boxes = [...found.filter((run) => !waits(run)), ...found.filter(waits)];
    let end = 0;
    boxes.forEach(([name, at, count], i) => {
      const box = (line.boxes[i] ??= this.box(line.svg)), wide = NVL_QUIET.includes(name) ? count : Math.max(count, q.depth / 45);
      const from = NVL_QUIET.includes(name) ? at : Math.min(Math.max(at, end), q.depth - wide);
      if (!NVL_QUIET.includes(name)) end = from + wide;
      nvlShow(box.g, true);
      nvlSet(box.g, "data-life", name);
      nvlSet(box.rect, "x", from);
      nvlSet(box.rect, "width", wide);
    });
    line.boxes.slice(boxes.length).forEach((box) => nvlShow(box.g, false));
  }

  box(svg) {
    const g = nvlEl("g", {}, svg);
    return { g, rect: nvlEl("rect", { class: "nvl-seg", y: 0, height: 10, "vector-effect": "non-scaling-stroke" }, g) };
  }
}
