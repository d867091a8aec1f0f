// A command's 64 bytes in the browser: fields put in and taken out, and the Python that makes the same.

const nvlPut = (bytes, f, value) => {
  let v = BigInt(value) & ((1n << BigInt(f.width)) - 1n);
  const last = Math.floor((f.byte * 8 + f.bit + f.width - 1) / 8), mask = ((1n << BigInt(f.width)) - 1n) << BigInt(f.bit);
  v <<= BigInt(f.bit);
  for (let n = f.byte; n <= last; n++) {
    const shift = BigInt(8 * (n - f.byte)), m = Number((mask >> shift) & 255n);
    bytes[n] = (bytes[n] & ~m) | (Number((v >> shift) & 255n) & m);
  }
};

// What a person typed, as a BigInt: decimal, 0x…, or …h; null where it is no number.
const nvlParse = (text) => {
  const t = String(text).trim().replace(/_/g, "");
  if (/^0x[0-9a-f]+$/i.test(t) || /^\d+$/.test(t)) return BigInt(t);
  return /^[0-9a-f]+h$/i.test(t) ? BigInt("0x" + t.slice(0, -1)) : null;
};

const nvlShowNumber = (v, f) => (f.width > 16 && v > 9999n ? "0x" + v.toString(16) : v.toString());

// `cmd.read(nsid=1, slba=0, nlb=7, prp1=buf)`: what isn't the builder's default, and what says where and how much.
const nvlPython = (form, bytes, state) => {
  const always = new Set(["slba", "nlb", "cns", "lid", "fid", "qid", "nsid"]), words = [];
  for (const p of form.params) {
    const v = nvlField(bytes, p);
    if (p.word === "cid") continue;
    if (p.word === "prp1" && state.buffer && v === BigInt(state.buffer.iova)) words.push("prp1=buf");
    else if (p.word === "prp2" && v && state.buffer && v === BigInt(state.buffer.iova) + BigInt(state.page)) words.push(`prp2=buf.iova + ${state.page}`);
    else if (p.word === "prp2" && v) words.push("prp2=prp.prp2");
    else if (v !== BigInt(p.default ?? 0) || (always.has(p.word) && (p.word !== "nsid" || v))) words.push(`${p.word}=${nvlShowNumber(v, p)}`);
  }
  return `cmd.${form.builder}(${words.join(", ")})`;
};

const nvlPythonBefore = (line, state, length) => [
  ...(line.includes("buf") ? [`buf = ctrl.alloc(${state.buffer.size})`] : []),
  ...(line.includes("prp.prp2") ? [`prp = build_prp(ctrl.dma, buf.iova, ${length})    # from nvlab.host.prp`] : []),
];

// Bytes that the fields ask for, as data_length() in Python reckons; only to know when another buffer is needed.
const nvlLength = (form, bytes, state) => {
  const f = (word) => form.params.find((p) => p.word === word), get = (word) => Number(nvlField(bytes, f(word)));
  if (!form.params.some((p) => p.word === "prp1")) return 0;
  if (form.data === "none") return 4096;
  if (f("nlb")) return (get("nlb") + 1) * (state.blocks[String(get("nsid"))] ?? 512);
  if (form.builder === "get_log_page") return 4 * (get("numdu") * 65536 + get("numdl") + 1);
  return f("numd") ? 4 * (get("numd") + 1) : 4096;
};

// The 16 dwords as a grid; the fields of a dword light it.
class NvlDwords {
  constructor(parent) {
    this.el = nvlEl("div", { class: "nvl-dwords", role: "table", "aria-label": "the 16 dwords of the command" }, parent);
    this.cells = Array.from({ length: 16 }, (_, n) => {
      const cell = nvlEl("div", { class: "nvl-dword", role: "row", "data-dw": n }, this.el);
      nvlEl("span", { class: "nvl-dword-n", role: "rowheader" }, cell, `DW${n}`);
      return { cell, value: nvlEl("span", { class: "nvl-dword-v", role: "cell" }, cell), what: nvlEl("span", { class: "nvl-dword-w", role: "cell" }, cell) };
    });
  }

  draw(bytes, form) {
    const common = [[0, "opc, fuse, psdt, cid"], [1, "nsid"], [4, "mptr"], [5, "mptr, upper"], [6, "prp1"], [7, "prp1, upper"], [8, "prp2"], [9, "prp2, upper"]];
    const names = Object.fromEntries(common);
    for (const p of form.params) if (p.byte >= 40) for (let n = p.byte >> 2; n <= (p.byte * 8 + p.bit + p.width - 1) >> 5; n++) {
      const word = n > p.byte >> 2 ? `${p.word}, upper` : p.word;
      if (!/^cdw/.test(p.word)) names[n] = names[n] ? `${names[n]}, ${word}` : word;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, 64);
    this.cells.forEach(({ cell, value, what }, n) => {
      const v = view.getUint32(4 * n, true);
      nvlSay(value, v.toString(16).toUpperCase().padStart(8, "0"));
      cell.classList.toggle("nvl-null", !v);
      nvlSay(what, names[n] ?? "");
      nvlSet(cell, "title", names[n] ?? "not used by this command");
    });
  }

  light(p) {
    const from = p ? p.byte >> 2 : -1, to = p ? (p.byte * 8 + p.bit + p.width - 1) >> 5 : -2;
    this.cells.forEach(({ cell }, n) => cell.classList.toggle("nvl-dword-lit", n >= from && n <= to));
  }
}
