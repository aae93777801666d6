/** Chance is given out once, however it is drawn; and what a wait of nothing lets in before it ends. */
import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { systemClock, systemRandom } from "../../broker/protocol/system.js";

test("no two draws are alike, of whatever sizes and across the ends of what was drawn before", () => {
  const seen = new Set<string>();
  for (let draw = 0; draw < 5_000; draw += 1) {
    const count = 16 + (draw % 50);
    const bytes = systemRandom.bytes(count);
    expect(bytes).toHaveLength(count);
    expect(bytes.some((byte) => byte !== 0)).toBe(true);
    seen.add(Buffer.from(bytes).toString("hex"));
  }
  expect(seen.size).toBe(5_000);
});

test("more than is drawn at once comes whole", () => {
  const bytes = systemRandom.bytes(10_000);
  expect(bytes).toHaveLength(10_000);
  expect(new Set(bytes).size).toBe(256);
});

test("what was given out does not change with later draws", () => {
  const first = systemRandom.bytes(32);
  const copy = Uint8Array.from(first);
  for (let draw = 0; draw < 500; draw += 1) systemRandom.bytes(32);
  expect([...first]).toEqual([...copy]);
});

/** Says `first` to whoever connects, and `second` when told to, by memory: whoever waits for it need not run meanwhile. */
const speaker = `
  const { parentPort, workerData: told } = require("node:worker_threads");
  const server = require("node:net").createServer({ noDelay: true }, (socket) => {
    socket.write("first");
    const look = () => {
      if (Atomics.load(told, 0) === 0) return setImmediate(look);
      socket.write("second", () => {
        Atomics.store(told, 1, 1);
        Atomics.notify(told, 1);
      });
    };
    look();
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

test("a wait of nothing ends after what has reached a socket by then is read", async () => {
  const told = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(speaker, { eval: true, workerData: told });
  const [port] = (await once(worker, "message")) as [number]; // the speaker above
  const socket = connect(port, "127.0.0.1");
  const seen: string[] = [];
  await new Promise<void>((ended) => {
    socket.on("data", (bytes) => {
      seen.push(bytes.toString());
      if (seen.length > 1) return;
      Atomics.store(told, 0, 1);
      Atomics.wait(told, 1, 0); // as when a commit takes its time
      systemClock.after(0, () => {
        seen.push("ended");
        ended();
      });
    });
  });
  socket.destroy();
  await worker.terminate();
  expect(seen).toEqual(["first", "second", "ended"]);
});

test("a wait of nothing can be taken back before its last turn and before its first", async () => {
  const rung: string[] = [];
  systemClock.after(0, () => rung.push("never"))();
  const takeBack = systemClock.after(0, () => rung.push("nor this"));
  setImmediate(takeBack);
  await new Promise<void>((done) => systemClock.after(0, () => systemClock.after(0, done)));
  expect(rung).toEqual([]);
});
