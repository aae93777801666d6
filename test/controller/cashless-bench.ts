/** Our cashless device on a bench: what is said to it in hex and words, and what it answers, as lines a person can read. */
import { cashless } from "../../controller/mdb/cashless.js";
import type { CashlessEffect, CashlessEvent, Told } from "../../controller/mdb/cashless-state.js";
import type { CashlessSetup } from "../../controller/mdb/cashless-setup.js";
import { closeBlock } from "../../controller/mdb/frame.js";
import { hexOf, readHex, type Context } from "../../controller/mdb/widths.js";

export const setup: CashlessSetup = {
  device: 1,
  level: 3,
  country: "1978",
  language: "en",
  scale: 1,
  decimals: 2,
  responseSeconds: 30,
  vendResultMs: 25_000,
  options: ["multivend", "cashSale"],
  features: ["money32", "alwaysIdle"],
  identity: { manufacturer: "TST", serial: "000000000001", model: "MODEL-000001", version: "0100" },
};

/** The machine's setup of a reader, up to READER ENABLE: its level, and what it enables. */
export const setUp = (level: 1 | 2 | 3, options = 0): readonly string[] => [
  "10",
  "12",
  "ack",
  `11 00 0${level} 10 01 01`,
  "12",
  "ack",
  "11 01 FF FF 00 00",
  ...(level === 3 ? [`17 04 00 00 00 ${options.toString(16).padStart(2, "0")}`] : []),
  "14 01",
];

export class Bench {
  readonly #reader;
  #state;
  #nowMs = 0;
  constructor(changes: Partial<CashlessSetup> = {}) {
    this.#reader = cashless({ ...setup, ...changes });
    this.#state = this.#reader.initial;
  }
  get dueMs(): number | undefined {
    return this.#reader.dueMs(this.#state);
  }
  get context(): Context {
    return this.#reader.contextOf(this.#state);
  }
  get nowMs(): number {
    return this.#nowMs;
  }

  /** One line in, what comes of it out: blocks without CHK, then what our side is told. */
  say(line: string): string {
    const effects = this.step(eventOf(line));
    return effects.flatMap(wordsOf).join(", ");
  }

  step(event: Untimed | { readonly kind: "wait"; readonly ms: number }): readonly CashlessEffect[] {
    if (event.kind === "wait") this.#nowMs += event.ms;
    const timed: CashlessEvent =
      event.kind === "wait" ? { kind: "tick", nowMs: this.#nowMs } : { ...event, nowMs: this.#nowMs };
    const [next, effects] = this.#reader.step(this.#state, timed);
    this.#state = next;
    return effects;
  }

  /** Lines `in -> out`: what really came of each `in`. */
  walk(script: string): string {
    const lines = script
      .trim()
      .split("\n")
      .map((line) => line.trim().split(" ->")[0] ?? "");
    return lines.map((line) => `${line} -> ${this.say(line)}`.trim()).join("\n");
  }
}

export type Untimed<E = CashlessEvent> = E extends unknown ? Omit<E, "nowMs"> : never;

function eventOf(line: string): Untimed | { readonly kind: "wait"; readonly ms: number } {
  const [word = "", first = "0", second = "0"] = line.split(" ");
  switch (word) {
    case "ack":
      return { kind: "heard", bytes: Uint8Array.of(0) };
    case "nak":
      return { kind: "heard", bytes: Uint8Array.of(0xff) };
    case "ret":
      return { kind: "heard", bytes: Uint8Array.of(0xaa) };
    case "noise":
      return { kind: "heard", bytes: Uint8Array.of(0x12, 0x13) };
    case "silence":
    case "busReset":
    case "close":
      return { kind: word };
    case "wait":
      return { kind: "wait", ms: Number(first) };
    case "open":
    case "refreshFunds":
      return { kind: word, fundsScaled: Number(first) };
    case "approve":
    case "deny":
      return { kind: word, request: Number(first) };
    case "display":
      return { kind: "display", text: line.slice("display ".length), tenths: 20 };
    case "malfunction":
      return { kind: "malfunction", error: Number(first), detail: Number(second) };
    default: {
      const body = readHex(line);
      if (body === undefined) throw new Error(`the bench does not know ${line}`);
      return { kind: "heard", bytes: closeBlock(body) };
    }
  }
}

function wordsOf(effect: CashlessEffect): readonly string[] {
  switch (effect.kind) {
    case "send": {
      const { bytes } = effect;
      if (bytes.length === 1) return [bytes[0] === 0 ? "ACK" : "?"];
      return [
        hexOf(bytes.subarray(0, -1))
          .toUpperCase()
          .replaceAll(/..(?=.)/g, "$& "),
      ];
    }
    case "say":
      return [toldWords(effect.told)];
    case "ignored":
      return [`(${effect.event})`];
  }
}

const toldWords = ({ kind, ...fields }: Told): string =>
  [
    kind,
    ...Object.values(fields).map((value: unknown) =>
      Array.isArray(value) ? value.join("+") : String(value),
    ),
  ].join(" ");
