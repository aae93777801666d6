/** What a technician sees of a controller: one page, made whole each time and asked for again by itself. Pure. */
import type { Body, Telemetry } from "../../broker/protocol/messages.js";

export type Snapshot = {
  readonly machineId: string;
  readonly status: Body["status"];
  /** Whether the broker is connected. */
  readonly broker: boolean;
  readonly journal: {
    readonly id: string;
    readonly last: number;
    /** The highest entry the cloud has. */
    readonly heard: number;
    readonly unheard: number;
    readonly capacity: number;
  };
  readonly serial: {
    /** How often the line to the adapter was lost since the start. */
    readonly lost: number;
    readonly alarms: number;
    readonly lastAlarm: string;
  };
  /** Of a machine whose own counters are read. */
  readonly dex: Telemetry["dex"];
  readonly upSeconds: number;
};

/** Why it does not sell, and where to look. */
const WHY: Readonly<Record<string, string>> = {
  serialLost: "the line to the adapter is not open: look at its cable and at `serial`",
  adapterOff: "the adapter does not answer as a reader: look at its power and at `driver`",
  mdbInactive:
    "the machine has not asked for a reader yet: look at the MDB cable, and whether the machine allows cashless",
  mdbDisabled: "the machine has disabled the reader, as it does while its door is open or it is sold out",
  journalFull: "too much is unheard: look at the broker's connection",
  journalFailed: "the journal cannot be written: look at the disk",
};

export const STYLE =
  "body{font:18px/1.5 sans-serif;margin:1.5rem;color:#111;background:#fff}th{text-align:left;padding-right:2rem;vertical-align:top}";

export function statusPage(snapshot: Snapshot): string {
  const { machineId, status, broker, journal, serial, dex, upSeconds } = snapshot;
  const { canSell, reason, mdb, version } = status;
  const rows: readonly (readonly [name: string, value: string])[] = [
    ["Machine", machineId],
    ["Sells", canSell ? "yes" : `no, ${reason}: ${WHY[reason] ?? "see the log"}`],
    ["MDB", mdb],
    ["Broker", broker ? "connected" : "not connected: look at the network and at `mqttUrl`"],
    ["Journal", `${journal.id}: ${journal.last} entries, ${journal.heard} heard by the cloud`],
    ["Unheard", `${journal.unheard} of at most ${journal.capacity}`],
    ["Serial line", `lost ${serial.lost} times since the start`],
    ["Alarms", serial.alarms === 0 ? "none" : `${serial.alarms}, the last one ${serial.lastAlarm}`],
    ...(dex === undefined ? [] : [["Counters (DEX)", counters(dex)] as const]),
    ["Running for", `${upSeconds} s`],
    ["Version", version],
  ];
  const table = rows.map(([name, value]) => `<tr><th>${name}</th><td>${escaped(value)}</td></tr>`).join("\n");
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>${escaped(machineId)}</title><style>${STYLE}</style></head>
<body><h1>${canSell ? "Selling" : "Not selling"}</h1>
<table>
${table}
</table>
</body>
</html>
`;
}

function counters({ readSecondsAgo, trouble }: NonNullable<Telemetry["dex"]>): string {
  const read = readSecondsAgo === undefined ? "not read yet" : `read ${readSecondsAgo} s ago`;
  return trouble === ""
    ? read
    : `${read}; then ${trouble}: try \`scanvend dex --serial\` with this controller stopped`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (letter) => ENTITIES[letter] ?? "");
