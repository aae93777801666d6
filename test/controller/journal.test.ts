/** The journal on real files: what a crash leaves, what a damaged file becomes, and where the bounds are. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { journalLine, type JournalLine } from "../../broker/protocol/messages.js";
import { FIRST_FORM, FORM, formOnDisk } from "../../controller/journal/form.js";
import { MARGIN, mayWorkLater, openJournal, type Journal } from "../../controller/journal/journal.js";
import type { Entry } from "../../controller/sale/machine.js";

let dir = "";
let path = "";
const opened: Journal[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "journal-"));
  path = join(dir, "journal.db");
});
afterEach(() => {
  for (const journal of opened.splice(0)) journal.close();
  rmSync(dir, { recursive: true });
});

function open(newId = "j1", capacity = 100, at = path): { journal: Journal; setAside?: string } {
  const result = openJournal({
    path: at,
    capacity,
    newId,
    checkState: (state) => {
      if (state.includes("?")) throw new Error("no such state");
    },
  });
  opened.push(result.journal);
  return result;
}
function close(journal: Journal): void {
  opened.splice(opened.indexOf(journal), 1);
  journal.close();
}
const line = (n: number): JournalLine => ({ kind: "alarm", code: `code${n}`, detail: "" });
const entries = (from: number, count: number): Entry[] =>
  Array.from({ length: count }, (_, index) => ({ n: from + index, line: line(from + index) }));
const none = new Map<string, number>();

test("a new file begins a journal of its own, empty", () => {
  const { journal, setAside } = open("first");
  expect([journal.id, journal.last, journal.heard, journal.state, journal.full]).toEqual([
    "first",
    0,
    0,
    "",
    false,
  ]);
  expect(setAside).toBeUndefined();
});

test("entries, the state they lead to and the heard numbers come back after a close", () => {
  const { journal } = open("first");
  journal.write(
    entries(1, 3),
    "state 3",
    new Map([
      ["k1", 7],
      ["k2", 9],
    ]),
  );
  journal.write(entries(4, 1), "state 4", new Map([["k1", 5]])); // never lower
  close(journal);
  const again = open("second").journal;
  expect([again.id, again.last, again.state]).toEqual(["first", 4, "state 4"]);
  expect(again.read(0, 10)).toEqual(entries(1, 4));
  expect(again.read(1, 2)).toEqual(entries(2, 2));
  expect([...again.replay()]).toEqual([
    ["k1", 7],
    ["k2", 9],
  ]);
});

test("what was written is on disk without a close: a copy of the files is what a power cut leaves", () => {
  const { journal } = open();
  journal.write(entries(1, 2), "state", none);
  const cut = join(dir, "cut.db");
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, cut + suffix);
  const after = open("other", 100, cut).journal;
  expect([after.id, after.last, after.state]).toEqual(["j1", 2, "state"]);
});

test("a torn end of the log loses only what was never promised, and never half a transaction", () => {
  const { journal } = open();
  journal.write(entries(1, 1), "one", none);
  const sizeAfterOne = statSync(`${path}-wal`).size;
  journal.write(entries(2, 2), "three", none);
  const cut = join(dir, "cut.db");
  const whole = statSync(`${path}-wal`).size;
  for (let size = sizeAfterOne; size <= whole; size += 512) {
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, cut + suffix);
    truncateSync(`${cut}-wal`, size);
    const after = open("other", 100, cut).journal;
    expect([after.id, after.last, after.state]).toEqual(size < whole ? ["j1", 1, "one"] : ["j1", 3, "three"]);
    close(after);
  }
});

test("it runs in WAL with synchronous FULL, in strict tables", () => {
  const { journal } = open();
  journal.write(entries(1, 1), "", none);
  expect(existsSync(`${path}-wal`)).toBe(true);
  close(journal);
  const db = new Database(path, { readonly: true });
  const tables = db
    .prepare("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'")
    .all();
  expect(tables).toEqual(["replay", "entry", "head"].map((name) => ({ name, strict: 1 })));
  db.close();
});

test("what is heard leaves the disk with the next write, and costs no commit of its own", () => {
  const { journal } = open();
  journal.write(entries(1, 3), "", none);
  journal.forget(2);
  expect([journal.commits, journal.heard, journal.read(0, 9)]).toEqual([1, 2, entries(3, 1)]);
  const cut = (name: string): Journal => {
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, join(dir, name) + suffix);
    return open("other", 100, join(dir, name)).journal;
  };
  const before = cut("before.db"); // a power cut in between: said again, to a cloud that knows them
  expect([before.heard, before.read(0, 9)]).toEqual([0, entries(1, 3)]);
  journal.write(entries(4, 1), "", none);
  const after = cut("after.db");
  expect([journal.commits, after.heard, after.read(0, 9)]).toEqual([2, 2, entries(3, 2)]);
});

test("a second controller cannot open it", () => {
  open();
  expect(() => open("second")).toThrow(/locked/);
});

test("only heard entries are forgotten, and only within what there is", () => {
  const { journal } = open();
  journal.write(entries(1, 5), "", none);
  journal.forget(3);
  expect(journal.read(0, 10)).toEqual(entries(4, 2));
  journal.forget(2);
  journal.forget(6);
  expect([journal.heard, journal.read(0, 10).length]).toEqual([3, 2]);
  close(journal);
  const again = open().journal;
  expect([again.heard, again.last]).toEqual([3, 5]);
  again.write(entries(6, 1), "", none);
  expect(again.read(3, 10)).toEqual(entries(4, 3));
});

test("entries must follow without a gap", () => {
  const { journal } = open();
  expect(() => journal.write(entries(2, 1), "", none)).toThrow(/without a gap/);
  expect(() => journal.write([...entries(1, 1), ...entries(3, 1)], "", none)).toThrow(/without a gap/);
  expect(journal.last).toBe(0);
});

test("it is full at its capacity, keeps a margin to end a sale in, and has room again when heard", () => {
  const { journal } = open("j1", 10);
  journal.write(entries(1, 9), "", none);
  expect(journal.full).toBe(false);
  journal.write(entries(10, 1), "", none);
  expect(journal.full).toBe(true);
  journal.write(entries(11, MARGIN), "kept", none);
  const past = (): void => journal.write(entries(11 + MARGIN, 1), "lost", none);
  expect(past).toThrow(/holds all it may/);
  try {
    past();
  } catch (error) {
    expect(mayWorkLater(error)).toBe(true);
  }
  expect(journal.state).toBe("kept");
  journal.forget(10 + MARGIN);
  expect(journal.full).toBe(false);
  past();
});

// prettier-ignore
const damages: readonly [name: string, damage: () => void][] = [
  ["not a database",    () => writeFileSync(path, "a vending machine's shopping list ".repeat(200))],
  ["overwritten pages", () => writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, 1024), Buffer.alloc(4096, 0x55)]))],
  ["cut short",         () => truncateSync(path, 1024)],
  ["missing entries",   () => edit("DELETE FROM entry WHERE n = 2")],
  ["no head",           () => edit("DELETE FROM head")],
  ["no table",          () => edit("DROP TABLE replay")],
  ["one bit of a line", () => edit("UPDATE entry SET line = replace(line, 'alarm', 'amarm') WHERE n = 3")],
  ["half a line",       () => edit("UPDATE entry SET line = substr(line, 1, 10) WHERE n = 1")],
  ["the state",         () => edit("UPDATE head SET state = '?'")],
];
/** The lowest byte of the version: what is there then may be a later program's, which is left alone. */
const VERSION_BYTE = 63;
test("a byte that flipped anywhere in the file never keeps the machine from starting", () => {
  const { journal } = open("old");
  journal.write(entries(1, 3), "state", none);
  close(journal);
  const whole = readFileSync(path);
  const outcomes = new Set<string>();
  for (let at = 0; at < whole.length; at += at < 128 ? 1 : 251) {
    if (at === VERSION_BYTE) continue;
    const flipped = Buffer.from(whole);
    flipped[at] = (flipped[at] ?? 0) ^ 0x55;
    const place = join(dir, `flipped-${at}.db`);
    writeFileSync(place, flipped);
    const after = open("new", 100, place);
    const isAside = after.setAside !== undefined;
    outcomes.add(isAside ? "set aside" : "read");
    expect([at, after.journal.id, after.journal.last]).toEqual(isAside ? [at, "new", 0] : [at, "old", 3]);
    close(after.journal);
    if (isAside) expect(readFileSync(after.setAside ?? "").equals(flipped)).toBe(true);
  }
  expect(outcomes).toEqual(new Set(["set aside", "read"]));
});

function edit(sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}
for (const [name, damage] of damages) {
  test(`a damaged file (${name}) is set aside, and a new journal begins`, () => {
    const { journal } = open("old");
    journal.write(entries(1, 3), "state", none);
    close(journal);
    damage();
    const after = open("new");
    expect([after.journal.id, after.journal.last, after.journal.state]).toEqual(["new", 0, ""]);
    expect(after.setAside).toBe(`${path}.damaged-new`);
    expect(readdirSync(dir)).toContain("journal.db.damaged-new");
  });
}

/** Every kind of line, and every reason that there is for one. */
const kinds = journalLine.options.flatMap(({ shape }) =>
  "reason" in shape
    ? shape.reason.options.map((reason) => `${shape.kind.value} ${reason}`)
    : [shape.kind.value],
);
test("each kind of line has its form, and the journal rises to it and never falls", () => {
  const newer = ["refused withdrawn", "lapsed withdrawn", "denied suspended", "denied notGranted", "audit"];
  // What 0.1.0 reads. A kind or reason that is not here is of a new form: name it in form.ts, and raise FORM.
  const first = [
    ...["accepted", "refused busy", "refused outOfService", "refused currency", "lapsed noGo", "lapsed void"],
    ...["lapsed boot", "lapsed notReady", "opened", "denied aboveCredit", "denied badPrice", "approved"],
    ...["succeeded", "failed", "unknown boot", "unknown timeout", "unknown serial", "unknown ended"],
    ...["closed done", "closed failed", "closed ended", "closed timeout", "closed void", "closed boot"],
    ...["closed unknown", "closed notOpened", "cashSale", "alarm"],
  ];
  expect([...kinds].sort()).toEqual([...first, ...newer].sort());
  const lineOf = (text: string): JournalLine => {
    const [kind, reason] = text.split(" ");
    const vend = { grantId: "g", vend: 1, item: 1, priceMinor: 1 };
    const all = {
      kind,
      reason,
      ...vend,
      assumed: false,
      late: false,
      code: "c",
      detail: "",
      since: 0,
      items: [],
    };
    const parsed = journalLine.options
      .map((option) => option.strip().safeParse(all))
      .find((one) => one.success && one.data.kind === kind);
    if (parsed?.success !== true) throw new Error(`no line is a ${text}`);
    return parsed.data;
  };
  let { journal } = open();
  for (const [at, text] of [...first, ...newer, ...first].entries()) {
    journal.write([{ n: at + 1, line: lineOf(text) }], "", none);
    expect([text, formOnDisk(path) > FIRST_FORM]).toEqual([text, at >= first.length]);
  }
  close(journal);
  journal = open().journal;
  journal.write(entries(journal.last + 1, 1), "", none);
  close(journal);
  expect(formOnDisk(path)).toBe(FORM);
});

test("a journal of a later form is left alone", () => {
  close(open().journal);
  edit(`PRAGMA user_version = ${FORM + 1}`);
  expect(() => open()).toThrow(`form ${FORM + 1}, and this one reads ${FORM}`);
  expect(readdirSync(dir).some((file) => file.includes("damaged"))).toBe(false);
});

test("a probe takes more room than any write: what passes it can be written", () => {
  const { journal } = open();
  const written = (act: () => void): number => {
    const before = statSync(`${path}-wal`).size;
    act();
    return statSync(`${path}-wal`).size - before;
  };
  const long: JournalLine = { kind: "alarm", code: "c".repeat(64), detail: "d".repeat(256) };
  let most = 0;
  for (let n = 1; n < 80; n += 2) {
    const two = [n, n + 1].map((one) => ({ n: one, line: long }));
    most = Math.max(
      most,
      written(() => journal.write(two, "s".repeat(512), new Map([["kid", n]]))),
    );
  }
  expect(written(() => journal.probe())).toBeGreaterThan(most);
  expect(journal.read(78, 9).map(({ n }) => n)).toEqual([79, 80]);
});

const disk = mkdtempSync(join(tmpdir(), "small-disk-"));
const isMounted =
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], { stdio: "ignore" }).status === 0;
afterAll(() => {
  if (isMounted) spawnSync("umount", [disk]);
  rmSync(disk, { recursive: true });
});
test.skipIf(!isMounted)(
  `a disk that is really full refuses a write whole, and takes it when there is room (needs to mount: ${isMounted ? "may" : "may not"})`,
  () => {
    const { journal } = open("j1", 10_000, join(disk, "journal.db"));
    journal.write(entries(1, 1), "one", none);
    const filler = join(disk, "filler");
    const full = caught(() => {
      for (let kilobytes = 400; kilobytes > 0; kilobytes -= 1) tryToFill(filler, kilobytes);
      for (let n = 2; n < 1_000; n += 1) journal.write(entries(n, 1), `state ${n}`, none);
    });
    expect(mayWorkLater(full)).toBe(true);
    expect(mayWorkLater(caught(() => journal.probe()))).toBe(true);
    const { last, state } = journal;
    expect(journal.read(0, 1_000)).toEqual(entries(1, last));
    rmSync(filler);
    journal.probe();
    journal.write(entries(last + 1, 1), "after", none);
    close(journal);
    const again = open("j2", 10_000, join(disk, "journal.db")).journal;
    expect([again.id, again.last, again.state]).toEqual(["j1", last + 1, "after"]);
    expect(state).toBe(last === 1 ? "one" : `state ${last}`);
    expect(again.read(0, 1_000)).toEqual(entries(1, last + 1));
  },
);
function caught(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("it was done, and should not have been");
}
function tryToFill(place: string, kilobytes: number): void {
  if (existsSync(place) && statSync(place).size > 0) return;
  try {
    writeFileSync(place, Buffer.alloc(kilobytes * 1024));
  } catch {
    writeFileSync(place, ""); // too much: less is tried next
  }
}
