// The bits of a register as the standard draws them: 31 to 0 in a row, a box a field, as wide as it has bits.

class NvlBitmap {
  // `light(name)` is called while the mouse is over a field, and with null after.
  constructor(parent, light) {
    this.light = light;
    this.el = nvlEl("div", { class: "nvl-bitmap", "aria-hidden": "true" }, parent);
  }

  // The boxes are made anew only for another register.
  show(register) {
    if (this.name === register.name) return;
    this.name = register.name;
    this.boxes = new Map();
    this.el.replaceChildren();
    for (let low = register.size * 8 - 32; low >= 0; low -= 32) this.row(register, low);
  }

  row(register, low) {
    const scale = nvlEl("div", { class: "nvl-bit-row nvl-bit-scale" }, this.el), row = nvlEl("div", { class: "nvl-bit-row" }, this.el);
    const parts = register.fields.map((f) => ({ ...f, a: Math.max(f.lo, low), b: Math.min(f.hi, low + 31) })).filter((f) => f.a <= f.b);
    let next = low + 31;
    for (const part of [...parts.sort((x, y) => y.b - x.b), { a: low - 1, b: low - 1 }]) {
      if (part.b < next) this.box(row, scale, null, part.b + 1, next);
      if (part.name) this.box(row, scale, part, part.a, part.b);
      next = part.a - 1;
    }
  }

  box(row, scale, field, lo, hi) {
    const span = `span ${hi - lo + 1}`, box = nvlEl("div", { class: field ? "nvl-bit" : "nvl-bit nvl-bit-none", style: `grid-column: ${span}` }, row);
    const edge = nvlEl("div", { class: "nvl-bit-edge", style: `grid-column: ${span}` }, scale);
    nvlEl("span", {}, edge, hi);
    if (hi > lo && (field || hi - lo > 1)) nvlEl("span", {}, edge, lo);
    if (!field) return;
    box.title = `${field.name} (${field.bits}): ${field.title}`;
    nvlEl("span", { class: "nvl-bit-name" }, box, hi - lo + 1 >= Math.min(field.name.length * 0.42, 12) ? field.name : "");
    const value = nvlEl("b", {}, box);
    box.addEventListener("mouseenter", () => this.light(field.name));
    box.addEventListener("mouseleave", () => this.light(null));
    this.boxes.set(field.name, [...(this.boxes.get(field.name) ?? []), { box, value, field, lo, hi }]);
  }

  values(fields, changed) {
    for (const [name, boxes] of this.boxes)
      for (const { box, value, field, hi, lo } of boxes) {
        const number = fields?.[name] && BigInt(fields[name][0]) >> BigInt(lo - field.lo) & ((1n << BigInt(hi - lo + 1)) - 1n);
        nvlSay(value, number === undefined ? "" : hi === lo ? number : number < 10n ? number : number.toString(16).toUpperCase() + "h");
        box.classList.toggle("nvl-bit-set", !!number);
        box.classList.toggle("nvl-changed", changed.has(name));
      }
  }

  lit(name) { for (const [key, boxes] of this.boxes ?? []) boxes.forEach(({ box }) => box.classList.toggle("nvl-lit-box", key === name)); }
}
