/**
 * The yardstick: a bare Fastify route that does one grouped durable ledger transaction a request, and nothing else.
 * No keys, no rules, no rendering: what this machine can do at best with the same HTTP server and the same database.
 *
 * Run as a process of its own: `node bare.js FILE`. Prints its port, and ends with its standard input. `node bare.js FILE SAID
 * REQUESTS` says what was recorded of so many requests (said.ts) instead: what the platform's rows cost without the platform.
 */
import SQLite from "better-sqlite3";
import { fastify } from "fastify";
import type { AddressInfo } from "node:net";
import { replay } from "./replay.js";

const ACCOUNTS = 100;
const MAX_GROUP = 200;

type Transfer = { readonly key: string; readonly from: number; readonly to: number; readonly amount: number };
type Waiting = { readonly transfer: Transfer; readonly done: (answer: object) => void };
type Act = (transfer: Transfer) => object;

const [file = ":memory:", said, requests] = process.argv.slice(2);
const db = new SQLite(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.pragma("wal_autocheckpoint = 10000");
db.pragma("cache_size = -65536"); // as the platform's
const act = said === undefined ? transfers() : recorded(said, Number(requests));

function recorded(file: string, count: number): Act {
  const sayOne = replay(db, file, count);
  return () => {
    sayOne();
    return { id: "" };
  };
}

function transfers(): Act {
  db.exec(`
  create table operation (key text primary key, transfer integer not null) strict, without rowid;
  create table transfer (id integer primary key, created_ms integer not null) strict;
  create table entry (id integer primary key, transfer integer not null, account integer not null, amount integer not null) strict;
  create table account (id integer primary key, balance integer not null) strict;
`);
  const newAccount = db.prepare<[number]>("insert into account (id, balance) values (?, 0)");
  for (let id = 0; id < ACCOUNTS; id += 1) newAccount.run(id);

  const newTransfer = db.prepare<[number]>("insert into transfer (created_ms) values (?)");
  const newOperation = db.prepare<[string, number | bigint]>(
    "insert into operation (key, transfer) values (?, ?)",
  );
  const newEntry = db.prepare<[number | bigint, number, number]>(
    "insert into entry (transfer, account, amount) values (?, ?, ?)",
  );
  const change = db.prepare<[number, number]>("update account set balance = balance + ? where id = ?");

  return ({ key, from, to, amount }) => {
    const { lastInsertRowid: id } = newTransfer.run(Date.now());
    newOperation.run(key, id);
    newEntry.run(id, from, -amount);
    newEntry.run(id, to, amount);
    change.run(-amount, from);
    change.run(amount, to);
    return { id: String(id) };
  };
}

const waiting: Waiting[] = [];
function commit(): void {
  const group = waiting.splice(0, MAX_GROUP);
  db.exec("begin immediate");
  const answers = group.map(({ transfer }) => act(transfer));
  db.exec("commit");
  group.forEach(({ done }, index) => done(answers[index] ?? {}));
  if (waiting.length > 0) setImmediate(commit);
}

const app = fastify({ forceCloseConnections: true });
const amount = { type: "integer", minimum: 1, maximum: 99_999_999 };
const account = { type: "integer", minimum: 0, maximum: ACCOUNTS - 1 };
app.post<{ readonly Body: Transfer }>(
  "/transfers",
  {
    schema: {
      body: {
        type: "object",
        required: ["key", "from", "to", "amount"],
        properties: { key: { type: "string", maxLength: 64 }, from: account, to: account, amount },
      },
      response: { 200: { type: "object", properties: { id: { type: "string" } } } },
    },
  },
  ({ body }) =>
    new Promise<object>((done) => {
      waiting.push({ transfer: body, done });
      if (waiting.length === 1) setImmediate(commit);
    }),
);
await app.listen({ host: "127.0.0.1", port: 0 });
process.stdout.write(`${(app.server.address() as AddressInfo).port}\n`); // TCP: an AddressInfo
process.stdin.resume().once("end", () => process.exit(0));
