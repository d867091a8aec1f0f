// Events of a recording as the kernel packed them, in words and decoded, with no question back to it.

const NVL_EVENT = 56; // bytes of a packed event: see timeline_model.PACKED
const NvlKind = {
  REG_READ: 1, REG_WRITE: 2, SQ_DOORBELL: 3, CQ_DOORBELL: 4, SQE_POST: 5, SQE_FETCH: 6, DMA: 7, CQE_POST: 8, CQE_SEEN: 9,
  QUEUE_NEW: 10, QUEUE_GONE: 11, STEP: 12, RESET: 13, REG_SET: 14, INTERRUPT: 15, FAULT: 16, SQ_HEAD: 17,
};
const NVL_GROUPS = {
  register: [1, 2, 14], doorbell: [3, 4], command: [5], completion: [8, 9], entry: [5, 6, 8, 9], queue: [10, 11, 13],
};

class NvlEvents {
  constructor(bytes, entries) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.entries = entries;
    this.length = Math.floor(bytes.byteLength / NVL_EVENT);
    this.list = Array.from({ length: this.length }, (_, i) => this.read(i));
    this.byNumber = new Map(this.list.map((e) => [e.number, e]));
  }

  read(i) {
    const v = this.view, o = i * NVL_EVENT, u32 = (at) => v.getUint32(o + at, true), i32 = (at) => v.getInt32(o + at, true);
    const entry = i32(40);
    return {
      time: v.getFloat64(o, true), a: v.getBigUint64(o + 8, true), b: v.getBigUint64(o + 16, true), number: u32(24), pos: u32(28),
      index: u32(32), post: i32(36), cid: i32(44), qid: v.getUint16(o + 48, true), lane: v.getInt16(o + 50, true),
      opcode: v.getInt16(o + 52, true), kind: v.getUint8(o + 54), side: v.getUint8(o + 55),
      sqe: entry < 0 ? null : this.entries.subarray(entry * 64, entry * 64 + 64),
    };
  }
}

const nvlHex0 = (value) => "0x" + value.toString(16);
const nvlIsDone = (e) => e.kind === NvlKind.CQE_POST || e.kind === NvlKind.CQE_SEEN;
const nvlSqid = (e) => (nvlIsDone(e) ? Number((e.b >> 16n) & 0xffffn) : e.qid);
const nvlCqe = (e) => {
  const bytes = new Uint8Array(16), view = new DataView(bytes.buffer);
  view.setBigUint64(0, e.a, true);
  view.setBigUint64(8, e.b, true);
  return bytes;
};

// What a page needs to put events into words: the tables of the standard, and the recording's own texts.
class NvlSpeaker {
  constructor(tables, registers, words) { Object.assign(this, { tables, registers, words }); }

  kind(e) { return this.words.kinds[e.kind] || `kind ${e.kind}`; }

  command(e, opcode = e.opcode) {
    if (opcode < 0) return "";
    return this.tables?.[nvlSqid(e) === 0 ? "admin" : "nvm"]?.[opcode]?.name ?? `Command ${nvlHex0(opcode)}`;
  }

  // [name, register or null, value] of an access
  register(e) {
    const offset = Number(e.a), found = this.registers?.[offset], below = this.registers?.[offset - 4];
    if (found) return [found.name, found];
    return below?.size === 8 ? [`${below.name}+4`, null] : [nvlHex0(offset), null];
  }

  fields(register, value) {
    return register.fields.map((f) => {
      const bits = (value >> BigInt(f.lo)) & ((1n << BigInt(f.hi - f.lo + 1)) - 1n);
      return { name: f.name, title: f.title, value: bits, lo: f.lo, hi: f.hi, meaning: f.values?.[bits.toString()] ?? "" };
    });
  }

  access(e, sign) {
    const [name, register] = this.register(e), hex = nvlHex0(e.b);
    const whole = register && !["ASQ", "ACQ"].includes(register.name) && (e.kind === NvlKind.REG_SET || e.index >= register.size);
    const said = whole ? this.fields(register, e.b).filter((f) => f.value).map((f) => ` ${f.name}=${f.value}`).join("") : "";
    return `${name} ${sign} ${hex}${said}`;
  }

  args(e) {
    if (!e.sqe || !this.tables) return "";
    const format = this.tables[nvlSqid(e) === 0 ? "admin" : "nvm"]?.[e.sqe[0]], nsid = new DataView(e.sqe.buffer, e.sqe.byteOffset).getUint32(4, true);
    const own = (format?.fields ?? []).map((f) => [f.name, nvlField(e.sqe, f)]);
    const said = own.filter(([n, v]) => v || n === "slba").map(([n, v]) => ` ${n}=${v > 4095n ? nvlHex0(v) : v}`).join("");
    return `${nsid ? ` nsid=${nsid}` : ""}${said}`;
  }

  completion(e) {
    const status = Number(e.b >> 49n) & 0x7ff, name = this.tables && nvlStatus(this.tables, (status >> 8) & 7, status & 255);
    return `${name?.name ?? "status " + nvlHex0(status)}`;
  }

  text(e) {
    const cid = e.cid >= 0 ? ` cid=${e.cid}` : "", drive = e.side === 1;
    switch (e.kind) {
      case NvlKind.REG_READ: return this.access(e, "→");
      case NvlKind.REG_WRITE: return this.access(e, "←");
      case NvlKind.REG_SET: return this.access(e, "=");
      case NvlKind.SQ_DOORBELL: return `SQ${e.qid}TDBL ← ${e.index}`;
      case NvlKind.CQ_DOORBELL: return `CQ${e.qid}HDBL ← ${e.index}`;
      case NvlKind.SQE_POST: return `SQ${e.qid}[${e.index}] ${this.command(e)}${this.args(e)}${cid}`;
      case NvlKind.SQE_FETCH: return `SQ${e.qid}[${e.index}] ${this.command(e, Number(e.a & 255n))}${cid}`;
      case NvlKind.CQE_POST: case NvlKind.CQE_SEEN: return `CQ${e.qid}[${e.index}] ${this.command(e)}${cid}: ${this.completion(e)}`;
      case NvlKind.DMA: return `${e.b & ((1n << 63n) - 1n)} bytes ${e.b >> 63n ? "to" : "from"} ${nvlHex0(e.a)}${cid} ${this.command(e)}`;
      case NvlKind.QUEUE_NEW: return `${e.b & 1n ? "CQ" : "SQ"}${e.qid} created: ${e.index} entries at ${nvlHex0(e.a)}`;
      case NvlKind.QUEUE_GONE: return `${e.b & 1n ? "CQ" : "SQ"}${e.qid} deleted`;
      case NvlKind.STEP: return `step: ${this.words.steps[e.index] ?? e.index}`;
      case NvlKind.RESET: return "all queues forgotten";
      case NvlKind.INTERRUPT: return drive ? `vector ${e.index} for CQ${e.qid}${e.b & 1n ? ", kept pending: masked" : ""}` : `vector ${e.index} waited for`;
      case NvlKind.FAULT: return e.b === 1n ? `CQ${e.qid}[${e.index}] gets the wrong Phase Tag` : `${this.words.faults[e.index] ?? "fault"} ${this.command(e)}${cid}`;
      default: return `${this.kind(e)} ${e.index}`;
    }
  }

  // {title, hint, rows: [{name, shown, meaning, title}]}
  decode(e) {
    if (nvlIsDone(e) && this.tables) return nvlDecode(this.tables, "CQ", e.qid, nvlCqe(e));
    if ([NvlKind.REG_READ, NvlKind.REG_WRITE, NvlKind.REG_SET].includes(e.kind)) return this.decodeRegister(e);
    if (e.kind === NvlKind.SQ_DOORBELL || e.kind === NvlKind.CQ_DOORBELL) return this.decodeDoorbell(e);
    if (e.sqe && this.tables) return nvlDecode(this.tables, "SQ", nvlSqid(e), e.sqe);
    return { title: this.kind(e), rows: [] };
  }

  decodeRegister(e) {
    const [name, register] = this.register(e);
    if (!register) return { title: name, rows: [] };
    const bits = (f) => (f.lo === f.hi ? `bit ${f.lo}` : `bits ${f.hi} to ${f.lo}`);
    const rows = this.fields(register, e.b).map((f) => ({ ...f, shown: f.hi - f.lo < 3 ? String(f.value) : nvlHex(f.value, f.hi - f.lo + 1),
      title: `${f.title} (${bits(f)})`, meaning: f.meaning || f.title }));
    return { title: `${register.name}: ${register.title}`, rows, hint: register.cite };
  }

  decodeDoorbell(e) {
    const sq = e.kind === NvlKind.SQ_DOORBELL, row = (name, value, meaning) => ({ name, shown: String(value), value, meaning, title: meaning });
    return {
      title: sq ? `SQ${e.qid}TDBL: Submission Queue ${e.qid} Tail Doorbell` : `CQ${e.qid}HDBL: Completion Queue ${e.qid} Head Doorbell`,
      hint: "PCIe transport 1.0c 3.1.2",
      rows: [row(sq ? "SQT" : "CQH", e.index, sq ? "the new tail: entries before it may be fetched" : "the new head: slots before it are free again"),
        row("offset", nvlHex0(e.a), "in the controller's registers (BAR 0)")],
    };
  }
}

// A filter as the page applies it to the events that it has; the kernel applies the same to the whole recording.
const nvlPasses = (filter, speaker) => {
  const kinds = filter.kind && (NVL_GROUPS[filter.kind] ?? [NvlKind[filter.kind]]), side = filter.side && ["host", "drive"].indexOf(filter.side);
  const queued = (e) => ![NvlKind.REG_READ, NvlKind.REG_WRITE, NvlKind.REG_SET, NvlKind.STEP, NvlKind.RESET].includes(e.kind);
  return (e) => (!kinds || kinds.includes(e.kind)) && (side === undefined || side === "" || e.side === side)
    && (filter.qid === undefined || (filter.qid < 0 ? !queued(e) : queued(e) && (e.qid === filter.qid || (e.cid >= 0 && nvlSqid(e) === filter.qid))))
    && (filter.cid === undefined || e.cid === filter.cid) && (!filter.opcode || (e.opcode >= 0 && speaker.command(e) === filter.opcode));
};

const nvlDuration = (ns) => {
  const a = Math.abs(ns);
  const [n, unit] = a >= 1e9 ? [1e9, "s"] : a >= 1e6 ? [1e6, "ms"] : a >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  return `${(ns / n).toLocaleString("en", { maximumFractionDigits: unit === "ns" ? 0 : a / n >= 100 ? 1 : 3 })} ${unit}`;
};
const nvlMicros = (ns) => `${(ns / 1000).toLocaleString("en", { minimumFractionDigits: 3, maximumFractionDigits: 3 })} µs`;
