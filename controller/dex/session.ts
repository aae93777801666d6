/**
 * One conversation on a DEX/UCS line, of either side: `step(session, event) -> [session, effects]`. Pure.
 *
 * A reading is three transmissions: the reader says who it is and what it wants, the machine says who it is, the machine
 * says its audit. In each, whoever speaks asks first (ENQ, answered by DLE 0), has every block answered (DLE 1, DLE 0,
 * and so on in turn; NAK: once more) and ends it (EOT). Whoever has waited too long for an answer asks for it again (ENQ).
 *
 * Promises  it ends, in `done` or in `failed` with a word for why, whatever comes. What `done` hands on came in proved blocks,
 *           in order, up to one that was said to be the last. A block that was sent twice because an answer was lost *and*
 *           another damaged into its opposite cannot be told from two: that is left to the file's own checksum.
 * Never     knows what an audit says.
 * Bounded   a file by `MAX_FILE`, a conversation by `LONGEST_MS`, and each try by `TRIES`.
 *
 * From the standard (EVA-DTS 6.1.1, ANSI X3.28): the characters, the order of the three transmissions, the two headers, blocks
 * of 245. Not checked on a real machine: the times, which are ours (machines are said to take seconds before they
 * answer), and a machine that asks first, which is left waiting until it answers us.
 */
import {
  decode,
  encode,
  isMidway,
  NOTHING_YET,
  type Block,
  type Decoder,
  type Frame,
  type Parity,
  type Part,
} from "./frame.js";

export const MAX_FILE = 65_536;
export const BLOCK = 245;
const ANSWER_MS = 1_000;
const TRIES = 5;
const GAP_MS = 500; // within a block
const SILENT_MS = 10_000;
const END_MS = 3_000; // all is there but the EOT, which may have been lost: sooner than the other side gives up
const LONGEST_MS = 180_000; // MAX_FILE takes 70 s at 9600 baud

/** What is still to be said and heard, in order. */
type Transmission =
  | { readonly kind: "say"; readonly blocks: readonly Block[] }
  | { readonly kind: "hear"; readonly part: Part };
type Turn =
  /** Nobody has answered our ENQ yet. */
  | { readonly kind: "asking"; readonly tries: number }
  /** This block is unanswered; `asked`: an ENQ has gone after it. */
  | { readonly kind: "saying"; readonly at: number; readonly tries: number; readonly asked: boolean }
  | { readonly kind: "waiting" }
  /** `said`: the answer that was given last. `isWhole`: the last block is there. */
  | { readonly kind: "hearing"; readonly said: Parity; readonly bad: number; readonly isWhole: boolean }
  | { readonly kind: "over" };

export type Session = {
  readonly left: readonly Transmission[]; // the first is under way
  readonly turn: Turn;
  readonly decoder: Decoder;
  /** When the other side has been silent for too long; a machine waits for its reader for ever. */
  readonly byMs: number | undefined;
  readonly gapMs: number | undefined;
  readonly endsMs: number | undefined;
  readonly header: string;
  readonly file: readonly Uint8Array[];
};
export type Event = { readonly nowMs: number } & (
  { readonly kind: "bytes"; readonly bytes: Uint8Array } | { readonly kind: "tick" }
);
export type Why =
  | "noAnswer" // nobody there, or no machine that speaks DEX
  | "notTaken" // what we say is refused, again and again
  | "silent" // it began and did not go on
  | "badBlocks" // a line that damages what it carries
  | "cutShort" // the machine ended before it had said all
  | "refused" // the machine will not be read by us
  | "tooLong"
  | "tooSlow";
export type Effect =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  | { readonly kind: "done"; readonly header: string; readonly file: Uint8Array }
  | { readonly kind: "failed"; readonly why: Why };
export type Step = readonly [next: Session, effects: readonly Effect[]];

/** Who we say we are: ten characters, as the standard has them; what a machine makes of them is its own affair. */
export const COMM_ID = "SCANVEND01";
const REVISION = "R01L01";
const NO_ERROR = "00";

/** The reader's half: asks for the audit, and changes nothing in the machine. */
export const beginReading = (nowMs: number): Step =>
  begin(
    [
      { kind: "say", blocks: headerOf(`${COMM_ID}R${REVISION}`) },
      { kind: "hear", part: "header" },
      { kind: "hear", part: "text" },
    ],
    nowMs,
    nowMs + LONGEST_MS,
  );

/** The machine's half, first part: waits until somebody says what is wanted. */
export const beginListening = (nowMs: number): Step =>
  begin([{ kind: "hear", part: "header" }], nowMs, undefined);

/** The second part, once that is known: `R`, of a header's eleventh character, is what {@link beginReading} says. */
export const beginGiving = (commId: string, file: Uint8Array, nowMs: number): Step =>
  begin(
    [
      { kind: "say", blocks: headerOf(`${NO_ERROR}${commId}${REVISION}`) },
      { kind: "say", blocks: blocksOf(file) },
    ],
    nowMs,
    nowMs + LONGEST_MS,
  );

const begin = (left: readonly Transmission[], nowMs: number, endsMs: number | undefined): Step =>
  goOn(
    {
      left,
      turn: { kind: "over" },
      decoder: NOTHING_YET,
      byMs: undefined,
      gapMs: undefined,
      endsMs,
      header: "",
      file: [],
    },
    nowMs,
  );

const headerOf = (text: string): readonly Block[] => [
  { kind: "block", part: "header", body: Buffer.from(text, "latin1"), isLast: true },
];

function blocksOf(file: Uint8Array): readonly Block[] {
  const count = Math.max(1, Math.ceil(file.length / BLOCK));
  return Array.from({ length: count }, (_, at) => ({
    kind: "block",
    part: "text",
    body: file.subarray(at * BLOCK, (at + 1) * BLOCK),
    isLast: at === count - 1,
  }));
}

export function step(session: Session, event: Event): Step {
  const { nowMs } = event;
  if (session.turn.kind === "over") return [session, []];
  if (session.endsMs !== undefined && nowMs >= session.endsMs) return fail(session, "tooSlow");
  if (event.kind === "tick") return late(session, nowMs);
  const [decoder, frames] = decode(session.decoder, event.bytes);
  const gapMs = isMidway(decoder) ? nowMs + GAP_MS : undefined;
  return take({ ...session, decoder, gapMs }, frames, nowMs);
}

/** When the session wants its next tick; `undefined` when it only listens, or is over. */
export function dueMs({ turn, byMs, gapMs, endsMs }: Session): number | undefined {
  if (turn.kind === "over") return undefined;
  const due = [byMs, gapMs, endsMs].filter((ms) => ms !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
}

function take(session: Session, frames: readonly Frame[], nowMs: number): Step {
  let current = session;
  const effects: Effect[] = [];
  for (const frame of frames) {
    const [next, more] = hear(current, frame, nowMs);
    current = next;
    effects.push(...more);
  }
  return [current, effects];
}

/** What began and did not go on is bad; and then, perhaps, the other side has been silent for too long. */
function late(session: Session, nowMs: number): Step {
  if (session.gapMs !== undefined && nowMs >= session.gapMs)
    return hear({ ...session, decoder: NOTHING_YET, gapMs: undefined }, { kind: "bad" }, nowMs);
  const { turn, byMs } = session;
  if (byMs === undefined || nowMs < byMs) return [session, []];
  switch (turn.kind) {
    case "asking":
      return turn.tries >= TRIES ? fail(session, "noAnswer") : ask(session, turn.tries + 1, nowMs);
    case "saying":
      if (turn.tries >= TRIES) return fail(session, "notTaken");
      return [
        { ...session, turn: { ...turn, tries: turn.tries + 1, asked: true }, byMs: nowMs + ANSWER_MS },
        [send({ kind: "enq" })],
      ];
    case "hearing":
      if (turn.isWhole) return nextOne(session, nowMs); // its EOT was lost
      return fail(session, "silent");
    case "waiting":
      return fail(session, "silent");
    case "over":
      return [session, []];
  }
}

function hear(session: Session, frame: Frame, nowMs: number): Step {
  const { turn } = session;
  switch (turn.kind) {
    case "asking":
      if (frame.kind === "ack") return say(session, { at: 0, tries: 1, asked: false }, nowMs);
      if (frame.kind === "eot") return fail(session, "refused");
      return [session, []];
    case "saying":
      return answered(session, turn, frame, nowMs);
    case "waiting":
      if (frame.kind !== "enq") return [session, []];
      return answer(session, { kind: "hearing", said: 0, bad: 0, isWhole: false }, nowMs);
    case "hearing":
      return heard(session, turn, frame, nowMs);
    case "over":
      return [session, []];
  }
}

function answered(
  session: Session,
  turn: Extract<Turn, { kind: "saying" }>,
  frame: Frame,
  nowMs: number,
): Step {
  const [now] = session.left;
  if (now?.kind !== "say") return [session, []];
  if (frame.kind === "eot") return fail(session, "refused");
  if (frame.kind === "ack" && frame.parity === (turn.at + 1) % 2) {
    if (turn.at + 1 < now.blocks.length)
      return say(session, { at: turn.at + 1, tries: 1, asked: false }, nowMs);
    const [next, effects] = nextOne(session, nowMs);
    return [next, [send({ kind: "eot" }), ...effects]];
  }
  // The answer of the block before says that this one never came, if we have asked; else it is only late.
  const isMissing = frame.kind === "nak" || (frame.kind === "ack" && turn.asked);
  if (!isMissing) return [session, []];
  if (turn.tries >= TRIES) return fail(session, "notTaken");
  return say(session, { at: turn.at, tries: turn.tries + 1, asked: false }, nowMs);
}

function heard(
  session: Session,
  turn: Extract<Turn, { kind: "hearing" }>,
  frame: Frame,
  nowMs: number,
): Step {
  const [now] = session.left;
  if (now?.kind !== "hear") return [session, []];
  if (frame.kind === "enq") return answer(session, turn, nowMs);
  if (frame.kind === "eot") return turn.isWhole ? nextOne(session, nowMs) : fail(session, "cutShort");
  if (frame.kind === "block" && frame.part === now.part) {
    const next = keeping(session, frame);
    if (next.file.reduce((sum, { length }) => sum + length, 0) > MAX_FILE) return fail(session, "tooLong");
    if (isRefusal(next.header)) return fail(session, "refused");
    const said = turn.said === 0 ? 1 : 0;
    return answer(next, { ...turn, said, bad: 0, isWhole: frame.isLast }, nowMs);
  }
  if (frame.kind !== "bad" && frame.kind !== "block") return [session, []];
  if (turn.bad >= TRIES) return fail(session, "badBlocks");
  return [
    { ...session, turn: { ...turn, bad: turn.bad + 1 }, byMs: nowMs + SILENT_MS },
    [send({ kind: "nak" })],
  ];
}

const keeping = (session: Session, { part, body }: Block): Session =>
  part === "text"
    ? { ...session, file: [...session.file, body] }
    : { ...session, header: Buffer.from(body).toString("latin1") };

/** An answer is one longer than a question: it begins with two digits, and others than zeros say no. */
const isRefusal = (header: string): boolean =>
  header.length === NO_ERROR.length + COMM_ID.length + REVISION.length && !header.startsWith(NO_ERROR);

const answer = (session: Session, turn: Extract<Turn, { kind: "hearing" }>, nowMs: number): Step => [
  { ...session, turn, byMs: nowMs + (turn.isWhole ? END_MS : SILENT_MS) },
  [send({ kind: "ack", parity: turn.said })],
];

const ask = (session: Session, tries: number, nowMs: number): Step => [
  { ...session, turn: { kind: "asking", tries }, byMs: nowMs + ANSWER_MS },
  [send({ kind: "enq" })],
];

function say(session: Session, turn: Omit<Extract<Turn, { kind: "saying" }>, "kind">, nowMs: number): Step {
  const [now] = session.left;
  const block = now?.kind === "say" ? now.blocks[turn.at] : undefined;
  if (block === undefined) return [session, []];
  return [{ ...session, turn: { kind: "saying", ...turn }, byMs: nowMs + ANSWER_MS }, [send(block)]];
}

function nextOne(session: Session, nowMs: number): Step {
  return goOn({ ...session, left: session.left.slice(1) }, nowMs);
}

function goOn(session: Session, nowMs: number): Step {
  const [now] = session.left;
  if (now === undefined)
    return [
      { ...session, turn: { kind: "over" } },
      [{ kind: "done", header: session.header, file: Buffer.concat(session.file) }],
    ];
  if (now.kind === "say") return ask(session, 1, nowMs);
  const byMs = session.endsMs === undefined ? undefined : nowMs + SILENT_MS;
  return [{ ...session, turn: { kind: "waiting" }, byMs }, []];
}

/** The other side is told that it is over. */
const fail = (session: Session, why: Why): Step => [
  { ...session, turn: { kind: "over" } },
  [send({ kind: "eot" }), { kind: "failed", why }],
];

const send = (frame: Parameters<typeof encode>[0]): Effect => ({ kind: "send", bytes: encode(frame) });
