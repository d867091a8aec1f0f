// Identify structures as a table to be searched; of two controllers, both columns with their differences marked.

class NvlIdentify extends NvlBase {
  constructor(model, root) {
    super(model, root);
    this.head();
    this.why = new NvlWhy(this);
    this.tools();
    const box = nvlEl("div", { class: "nvl-id-box", tabindex: "0", role: "group", "aria-label": "members", ...NVL_KEYS }, root);
    this.table = nvlEl("table", { class: "nvl-id-table" }, box);
    this.columns = nvlEl("tr", {}, nvlEl("thead", {}, this.table));
    this.body = nvlEl("tbody", {}, this.table);
    this.none = nvlEl("div", { class: "nvl-id-none", role: "status" }, box);
    const foot = nvlEl("div", { class: "nvl-bar" }, root);
    this.again = this.button(foot, "read again", () => this.send("read"), "ask for these structures anew", "read");
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status", "aria-live": "polite" }, foot);
  }

  tools() {
    const bar = nvlEl("div", { class: "nvl-id-bar" }, this.root);
    this.pick = nvlEl("select", { class: "nvl-pick", "aria-label": "structure", ...NVL_KEYS }, bar);
    this.pick.addEventListener("change", () => this.send("show", { structure: this.pick.value }));
    this.find = nvlEl("input", { type: "search", class: "nvl-search", placeholder: "name, meaning or value", "aria-label": "find a member", ...NVL_KEYS }, bar);
    this.find.addEventListener("input", () => this.filter());
    this.find.addEventListener("keydown", (e) => e.stopPropagation());
    this.zeros = this.check(bar, "members that are 0 too");
    this.differ = this.check(bar, "only what differs");
    this.count = nvlEl("span", { class: "nvl-id-count", role: "status" }, bar);
  }

  check(bar, words) {
    const label = nvlEl("label", { class: "nvl-sure" }, bar), box = nvlEl("input", { type: "checkbox" }, label);
    label.append(words);
    box.addEventListener("change", () => this.filter());
    return Object.assign(box, { label });
  }

  draw() {
    const s = this.state, rows = this.model.get("_rows");
    nvlSay(this.title, s.title || `Identify ${s.shown}`);
    nvlSay(this.sub, [s.sides.length > 1 ? "two controllers compared" : s.sides[0], s.cite].filter(Boolean).join(" · "));
    nvlShow(this.again, s.live);
    nvlShow(this.differ.label, s.sides.length > 1);
    this.structures(s);
    const key = JSON.stringify([s.shown, s.sides, rows]);
    if (this.key !== key) this.fill(s, rows);
    this.key = key;
    this.filter();
  }

  structures(s) {
    const key = String(s.structures);
    if (this.offered !== key) this.pick.replaceChildren(...s.structures.map((name) => nvlEl("option", { value: name }, null, name)));
    this.offered = key;
    if (document.activeElement !== this.pick) this.pick.value = s.shown;
  }

  fill(s, rows) {
    const heads = ["byte", "member", ...(s.sides.length > 1 ? s.sides : ["value"]), "what it is"];
    this.columns.replaceChildren(...heads.map((words) => nvlEl("th", { scope: "col" }, null, words.replaceAll(",", ",\u200b"))));
    let part = "";
    this.lines = [];
    this.body.replaceChildren();
    for (const row of rows) {
      if (row.part !== part) this.lines.push({ part: (part = row.part), el: this.heading(part, heads.length) });
      this.lines.push(this.line(row));
    }
  }

  heading(words, columns) {
    const el = nvlEl("tr", { class: "nvl-id-part" }, this.body);
    nvlEl("th", { colspan: columns, scope: "colgroup" }, el, words);
    return el;
  }

  line(row) {
    const title = [row.title, row.doc, row.cite].filter(Boolean).join(" · ");
    const el = nvlEl("tr", { class: row.bit ? "nvl-id-bit" : "nvl-id-member", title, "data-member": row.bit ? `${row.name}.${row.bit}` : row.name }, this.body);
    nvlEl("td", { class: "nvl-id-at" }, el, row.at.trim());
    const name = nvlEl("th", { class: "nvl-id-name", scope: "row" }, el, row.bit ? row.bit : row.name);
    if (row.differs) nvlEl("span", { class: "nvl-id-mark", role: "img", "aria-label": "differs" }, name, "≠");
    el.classList.toggle("nvl-differs", row.differs);
    for (const value of row.values) {
      const cell = nvlEl("td", { class: "nvl-id-value" }, el), [number, meaning] = value ?? ["–", ""];
      if (number) nvlEl("code", {}, cell, number);
      if (meaning) nvlEl("span", {}, cell, meaning);
      cell.classList.toggle("nvl-id-nil", !value || value[2]);
    }
    nvlEl("td", { class: "nvl-id-title" }, el, row.title + (row.doc ? ` · ${row.doc}` : ""));
    const words = [row.name, row.bit, row.title, row.doc, ...row.values.flatMap((v) => v?.slice(0, 2) ?? [])].join(" ").toLowerCase();
    return { el, row, words, zero: row.values.every((v) => !v || v[2]) };
  }

  // All words must be found; what is searched for is found even where it is 0.
  filter() {
    const asked = this.find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0, last = null, some = false, member = null, total = 0;
    for (const line of this.lines) {
      if (line.part !== undefined) {
        if (last) nvlShow(last.el, some);
        [last, some] = [line, false];
        continue;
      }
      const found = asked.every((word) => line.words.includes(word));
      const shown = found && (asked.length > 0 || this.zeros.checked || !line.zero || line.row.differs) && (!this.differ.checked || line.row.differs);
      nvlShow(line.el, shown);
      if (!line.row.bit) member = line;
      else if (shown && member && member.el.style.display === "none" && member.row.name === line.row.name) nvlShow(member.el, true);
      total += 1;
      count += shown;
      some ||= shown;
    }
    if (last) nvlShow(last.el, some);
    nvlSay(this.count, `${count} of ${total}`);
    nvlSay(this.none, total === 0 ? "Nothing was read yet: “read again” asks the controller." : count === 0 ? "Nothing here is called or means that." : "");
  }
}

export default nvlRender(NvlIdentify, "nvl-identifyview");
