// What the checker says: a strip of one line that any view can carry, with the evidence behind a button.

const NVL_WHY_PATH = {
  error: "M8 1L15.5 14.5H.5ZM8 5.5V10M8 11.7V13", waiting: "M8 .8A7.2 7.2 0 1 0 8 15.2A7.2 7.2 0 1 0 8 .8ZM8 4V8.4L11 10",
  note: "M8 .8A7.2 7.2 0 1 0 8 15.2A7.2 7.2 0 1 0 8 .8ZM8 7V12M8 4V5.3", ok: "M2.5 8.5L6.3 12.3L13.5 4",
};

class NvlWhy {
  // `view` extends NvlBase, its model has a `_why` trait; `open`: the evidence shows without being asked for.
  constructor(view, parent = view.root, open = false) {
    this.model = view.model;
    this.open = open;
    this.el = nvlEl("div", { class: "nvl-why", "data-severity": "ok" }, parent);
    const line = nvlEl("div", { class: "nvl-why-line" }, this.el), svg = nvlEl("svg", { viewBox: "0 0 16 16", class: "nvl-why-mark", "aria-hidden": "true" }, line);
    this.mark = nvlEl("path", {}, svg);
    this.words = nvlEl("span", { class: "nvl-why-words", role: "status", "aria-live": "polite" }, line);
    this.more = nvlEl("button", { type: "button", class: "nvl-button nvl-why-more", "aria-expanded": "false" }, line, "why?");
    this.more.addEventListener("click", () => { this.open = !this.open; this.draw(); });
    this.body = nvlEl("div", { class: "nvl-why-body" }, this.el);
    this.found = [];
    this.onWhy = () => this.draw();
    this.model.on("change:_why", this.onWhy);
    if (open) this.more.style.visibility = "hidden";
    this.draw();
  }

  close() { this.model.off("change:_why", this.onWhy); }

  draw() {
    const why = this.model.get("_why") ?? {};
    nvlShow(this.el, why.sentence !== undefined);
    if (why.sentence === undefined) return;
    nvlSet(this.el, "data-severity", why.severity);
    nvlSet(this.mark, "d", NVL_WHY_PATH[why.severity] ?? NVL_WHY_PATH.note);
    nvlSay(this.words, why.sentence);
    nvlSet(this.words, "title", why.sentence);
    const some = why.findings.length > 0;
    if (!this.more.style.visibility) nvlShow(this.more, some);
    nvlSet(this.more, "aria-expanded", this.open && some);
    nvlSay(this.more, this.open ? "less" : "why?");
    nvlShow(this.body, this.open);
    why.findings.forEach((f, i) => this.finding((this.found[i] ??= this.make()), f, i));
    this.found.slice(why.findings.length).forEach((row) => nvlShow(row.el, false));
    this.seen ??= nvlEl("div", { class: "nvl-why-seen" }, this.body);
    this.body.append(this.seen);
    nvlSay(this.seen, why.seen ? `Looked at: ${why.seen}.` : "");
  }

  make() {
    const el = nvlEl("section", { class: "nvl-why-finding" }, this.body), also = nvlEl("div", { class: "nvl-why-also" }, el), list = nvlEl("dl", { class: "nvl-why-list" }, el);
    return { el, also, list, rows: [] };
  }

  finding(row, f, i) {
    nvlShow(row.el, true);
    nvlSet(row.el, "aria-label", f.title);
    nvlSay(row.also, i ? `Also: ${f.sentence}` : "");
    const lines = [...f.evidence, ["Rule", `${f.title} (${f.cite})`], ["Remedy", f.remedy]];
    lines.forEach(([name, value], n) => {
      const made = (row.rows[n] ??= [nvlEl("dt", {}, row.list), nvlEl("dd", {}, row.list)]);
      made.forEach((cell) => nvlShow(cell, true));
      nvlSay(made[0], name);
      nvlSay(made[1], value);
      made[1].classList.toggle("nvl-why-remedy", name === "Remedy");
    });
    row.rows.slice(lines.length).flat().forEach((cell) => nvlShow(cell, false));
  }
}
