// Entries decoded in the browser, from the field tables of the standard that the kernel sent once.

// A little-endian field of up to 64 bits at any bit of the entry, as a BigInt.
const nvlField = (entry, field) => {
  const low = field.byte * 8 + field.bit, bytes = Math.ceil((field.bit + field.width) / 8);
  let value = 0n;
  for (let i = Math.min(field.byte + bytes, entry.length) - 1; i >= field.byte; i--) value = (value << 8n) | BigInt(entry[i]);
  return (value >> BigInt(low - field.byte * 8)) & ((1n << BigInt(field.width)) - 1n);
};

const nvlHex = (value, width) => value.toString(16).toUpperCase().padStart(Math.ceil(width / 4), "0") + "h";

const nvlRow = (entry, field) => {
  const value = nvlField(entry, field);
  const meaning = field.values?.[value.toString()] ?? "";
  const wide = field.width > 16;
  const hex = nvlHex(value, field.width);
  const shown = field.width <= 3 ? value.toString() : wide || value < 10n ? hex : `${hex} = ${value}`;
  const last = field.byte + Math.ceil((field.bit + field.width) / 8) - 1;
  return { name: field.name, title: field.title, value, shown, meaning, first: field.byte, last };
};

const NVL_LIVES = ["free", "posted", "rung", "fetched", "polled", "done", "stale"];
const NVL_MEANS = {
  SQ: {
    free: "free", posted: "posted by the host, doorbell not rung", rung: "rung, not yet fetched",
    fetched: "fetched by the drive", done: "done, the slot may be used again",
    stale: "stale: what the lap before left here",
  },
  CQ: {
    free: "free", posted: "posted by the drive, phase flipped", polled: "polled by the host, doorbell not rung",
    done: "done, given back to the drive", stale: "stale: the phase tag of the lap before",
  },
};

// What a slot's life says, as far as it is known: some drives can't be looked into.
const nvlMeans = (kind, life, q) => (life === "rung" && !q.drive ? "rung, perhaps fetched already" : NVL_MEANS[kind][life]);

const nvlStatus = (tables, sct, sc) => tables.status[`${sct}/${sc}`];

// One line about an entry, for a tooltip and for a screen reader.
const nvlBrief = (tables, kind, qid, entry) => {
  if (!tables || entry.every((b) => b === 0)) return "empty";
  const word = (at) => entry[at] | (entry[at + 1] << 8);
  if (kind === "CQ") {
    const status = word(14) >> 1, name = nvlStatus(tables, (status >> 8) & 7, status & 255);
    return `completion of command ${word(12)}: ${name?.name ?? "status " + status}, phase ${entry[14] & 1}`;
  }
  const format = tables[qid === 0 ? "admin" : "nvm"]?.[entry[0]];
  return `${format?.name ?? "unknown command"} (${nvlHex(BigInt(entry[0]), 8)}), cid ${word(2)}`;
};

// Everything about an entry: its title and rows of fields, in the order of the bytes.
const nvlDecode = (tables, kind, qid, entry) => {
  if (kind === "CQ") {
    const rows = tables.cqe.map((f) => nvlRow(entry, f));
    const status = (entry[14] | (entry[15] << 8)) >> 1, name = nvlStatus(tables, (status >> 8) & 7, status & 255);
    for (const row of rows) if (row.name.toUpperCase() === "SC" && name) row.meaning = name.name;
    return { title: `Completion of command ${entry[12] | (entry[13] << 8)}`, rows, hint: name?.hint };
  }
  const format = tables[qid === 0 ? "admin" : "nvm"]?.[entry[0]];
  const own = (format?.fields ?? []).map((f) => nvlRow(entry, f));
  const covered = (r) => own.some((o) => o.first <= r.last && r.first <= o.last);
  const common = tables.sqe.map((f) => nvlRow(entry, f)).filter((r) => r.first < 40 ? r.value || r.first < 8 : r.value && !covered(r));
  const rows = [...common, ...own].sort((a, b) => a.first - b.first);
  for (const row of rows) if (row.name.toUpperCase() === "OPC" && !row.meaning) row.meaning = format?.name ?? "unknown";
  return { title: format?.name ?? "Unknown command", rows };
};
