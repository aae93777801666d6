/** The controller's configuration: one strict schema, and what is left out of a file has its value here. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { readerOptions } from "../broker/protocol/machine-configuration.js";
import { currency } from "../broker/protocol/money.js";
import { machineId } from "../broker/protocol/topics.js";
import { publicJwk } from "./identity.js";
import { countryOf } from "./mdb/country.js";
import { itemSchemes } from "./mdb/item-label.js";

const ms = z.int().positive().max(3_600_000);
const backOff = (firstMs: number, maxMs: number) =>
  z
    .strictObject({ firstMs: ms, maxMs: ms })
    .refine((value) => value.firstMs <= value.maxMs, "firstMs must not be above maxMs")
    .default({ firstMs, maxMs });

/** A device path, or a serial server. */
export const serial = z
  .string()
  .refine(
    (place) => /^\/.|^tcp:\/\/[A-Za-z0-9.-]+:[0-9]{1,5}$/.test(place) && URL.canParse(place, "tcp://host"),
    "must be a device path (/dev/…) or tcp://host:port",
  );
const mqttUrl = z
  .string()
  .refine(
    (url) => /^(mqtts?|wss?):\/\/./.test(url) && URL.canParse(url),
    "must be an mqtt://, mqtts://, ws:// or wss:// address",
  );

/** Something on a serial line of its own: where it is, or that and how it is set. */
const wired = <S extends z.ZodRawShape>(more: S) =>
  z.preprocess(
    (value) => (typeof value === "string" ? { serial: value } : value),
    z.strictObject({ serial, baudRate: z.int().positive().default(9_600), ...more }),
  );

/** What the machine is told of our own cashless device (MDB/ICP 4.2, 7.4.2): each of these must suit the machine. */
const reader = z.strictObject({
  level: z.literal([1, 2, 3], "must be 1, 2 or 3").default(1),
  address: z.enum(["0x10", "0x60"]).default("0x10"),
  /** `1978` for EUR; without one it follows from the currency. */
  country: z
    .string()
    .regex(/^[0-9A-F]{4}$/, "must be four digits, each 0 to 9 or A to F")
    .optional(),
  scale: z.int().min(1).max(255).default(1),
  /** Of a price on the bus; without them the machine's `decimals`. */
  decimals: z.int().min(0).max(3).optional(),
  responseSeconds: z.int().min(1).max(255).default(30), // Z7
  alwaysIdle: z.boolean().default(false),
  options: readerOptions.default([]),
});

/** What was measured at the machine (`scanvend doctor`), and the controller goes by. */
const facts = z.strictObject({
  /** Whether an item may be asked for before a session. */
  alwaysIdle: z.boolean().optional(),
  /** How long the machine waits for an answer, whatever it was told. */
  patienceSeconds: z.int().min(1).max(65_535).optional(),
  itemNumbers: z.enum(itemSchemes).optional(),
});

const settings = z.strictObject({
  machineId,
  dataDir: z.string().min(1), // relative to the configuration file
  serial,
  driver: z.enum(["qibixx", "mdb-hex", "wafer", "matedealer"]).default("qibixx"),
  baudRate: z.int().positive().optional(), // without one the adapter's own
  /** A barcode scanner: what it puts around a code is taken off. It ends its lines with CR, LF or both. */
  scanner: wired({
    prefix: z.string().max(16).default(""),
    suffix: z.string().max(16).default(""),
  }).optional(),
  /** A keypad that voucher codes are typed at; it sends a line at its OK key. */
  keypad: wired({}).optional(),
  /** A customer display that takes lines of text, or a receipt printer (ESC/POS): then `columns` are its paper's. */
  display: wired({
    kind: z.enum(["text", "escpos"]).default("text"),
    columns: z.int().min(16).max(80).default(32), // 58 mm paper
  }).optional(),
  /** The machine's DEX plug: its own counters are read there, between vends. */
  dex: wired({ everyMinutes: z.int().min(1).max(1_440).default(60) }).optional(),
  /** Have the machine's own display say it too (MDB DISPLAY REQUEST), where it has one that lets us. */
  machineDisplay: z.boolean().default(false),
  /** Where the machine's own pages are, on its loopback. */
  kiosk: z.strictObject({ port: z.int().min(1).max(65_535) }).optional(),
  mqttUrl,
  /**
   * A line that died without a word is noticed after one and a half of these. At most 120: past it the cloud, which waits 180 s for
   * a status, would be the first to know. At least 10: a mobile network that stalls for some seconds is no dead line, and each
   * ping costs its subscriber some 200 bytes.
   */
  mqttKeepAliveSeconds: z.int().min(10).max(120).default(20),
  /** Whose word counts: the cloud's public keys, more than one while they are being rotated. */
  cloudKeys: z
    .array(z.strictObject({ kid: z.string().min(1).max(64), publicKey: publicJwk }))
    .min(1, "must hold at least one key")
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, "must not name a kid twice"),
  currency,
  decimals: z.int().min(0).max(3).default(2),
  /** Further adapter settings (`C,SETCONF`), for example `{"mdb-addr": "0x60"}`; they win over the built-in ones. */
  adapterSettings: z
    .record(
      z.string().regex(/^[a-z-]{1,32}$/),
      z.string().regex(/^[A-Za-z0-9.]{1,16}$/, "must be 1 to 16 letters, digits or points"),
      {
        error: ({ code }) =>
          code === "invalid_key" ? "a setting's name is small letters and hyphens (mdb-addr)" : undefined,
      },
    )
    .default({}),
  reader: reader.prefault({}),
  facts: facts.default({}),
  vendResultMs: ms.default(25_000), // a coffee takes longer than a can
  /** How long a selection waits to be paid for: the machine's own patience is often 60 s, and must be longer. */
  selectionMs: ms.default(45_000),
  /** After so many failures in a row an item is not sold for a quarter of an hour. */
  suspendAfter: z.int().min(1).max(100).default(3),
  reportAgainMs: ms.default(2_000),
  statusEveryMs: ms.default(60_000),
  serialBackOff: backOff(250, 10_000),
  mqttBackOff: backOff(250, 30_000),
  journalCapacity: z.int().min(16).max(1_000_000).default(10_000), // unheard entries; past it the machine stops selling
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

/** What says nothing of a reader of ours. */
const NO_READER = reader.parse({});

/** What goes together: a Qibixx adapter is a reader itself, the others carry ours. */
export const configuration = settings.superRefine(
  ({ driver, reader: own, adapterSettings, currency: code, facts: known, machineDisplay }, context) => {
    const problem = (path: readonly string[], message: string): void =>
      context.addIssue({ code: "custom", path: [...path], message });
    const notFirst =
      "this machine asks for nothing before a session (facts.alwaysIdle); if that has changed, run scanvend doctor again";
    const saysOfReader = !isDeepStrictEqual(own, NO_READER);
    if (driver === "qibixx") {
      if (saysOfReader)
        problem(["reader"], "must be left out: a qibixx is a reader itself, and is set with adapterSettings");
      if (known.alwaysIdle === false && adapterSettings["mdb-always-idle"] === "1")
        problem(["adapterSettings", "mdb-always-idle"], `must be 0: ${notFirst}`);
      return;
    }
    if (Object.keys(adapterSettings).length > 0)
      problem(["adapterSettings"], `must be left out: a ${driver} adapter has none`);
    if (driver === "matedealer") {
      if (saysOfReader) problem(["reader"], "must be left out: a matedealer's is set in its own firmware");
      if (machineDisplay)
        problem(["machineDisplay"], "must be left out: a matedealer has no way to the machine's display");
      return;
    }
    if (own.country === undefined && countryOf(code) === undefined)
      problem(["reader", "country"], `must be given: ${code}'s number is not known here`);
    if (own.alwaysIdle && own.level !== 3) problem(["reader", "level"], "must be 3 for alwaysIdle");
    if (own.alwaysIdle && known.alwaysIdle === false)
      problem(["reader", "alwaysIdle"], `must be false: ${notFirst}`);
  },
);
export type Configuration = z.infer<typeof configuration>;
