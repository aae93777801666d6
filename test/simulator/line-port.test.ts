/** The machine behind its serial line, over real TCP, spoken to as a controller would. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { noFaults } from "../../simulator/machine/faults.js";
import { lineOf, readCommand } from "../../simulator/machine/adapter-line.js";
import { inLines } from "../../simulator/machine/line-framing.js";
import { LinePort } from "../../simulator/machine/line-port.js";
import { Machine } from "../../simulator/machine/machine.js";
import { Trace } from "../../simulator/machine/trace.js";
import { newVmc } from "../../simulator/machine/vmc.js";
import type { Listening } from "../../simulator/network/sockets.js";
import { listenOn } from "../../simulator/network/tcp.js";
import { ControllerLine } from "./controller-line.js";
import { realClock, realRandom } from "./real-world.js";
import { until } from "./until.js";

const settings = {
  decimals: 2,
  coilMs: 20,
  setupMs: 5,
  sessionIdleMs: 60_000,
  answerMs: 60_000,
  lateEnableMs: 20,
  selectsFirst: false,
  noticeMs: 20,
};

let machine: Machine;
let port: LinePort;
let listening: Listening;

beforeEach(async () => {
  const trace = new Trace("m-1", realClock);
  port = new LinePort(
    { heard: (line) => machine.obey(readCommand(line)), lost: () => machine.lost() },
    trace,
    realRandom,
    inLines,
  );
  const vmc = newVmc(settings, [{ item: 11, name: "Water", priceMinor: 250, stock: 3 }], noFaults);
  machine = new Machine(vmc, "NZD", realClock, trace, (word) => port.say(lineOf(word)));
  listening = await listenOn("127.0.0.1")(0, (socket) => port.accept(socket));
});
afterEach(async () => {
  await listening[Symbol.asyncDispose]();
  machine[Symbol.dispose]();
});

async function session(line: ControllerLine): Promise<void> {
  line.send("C,0\nC,1\n");
  await line.hears("c,STATUS,ENABLED");
  line.send("C,START,4.00\n");
  await line.hears("c,STATUS,IDLE,4.00");
}
const fallen = (): number | undefined => machine.vmc.coils[0]?.fallen;

test("a whole sale: brought up, session, picked, approved, dropped, reported", async () => {
  using line = new ControllerLine(listening.port);
  line.send("\nV\r\nX,0\r");
  await line.hears("x,ACK");
  await session(line);
  expect(machine.face()).toEqual({
    display: "CREDIT 4.00",
    credit: { amount: "400", currency: "NZD" },
    vmc: "session",
  });
  expect(machine.select(11)).toBeUndefined();
  await line.hears("c,STATUS,VEND,2.50,11");
  line.send("C,VEND,2.50\n");
  await line.hears("c,VEND,SUCCESS");
  await line.hears("c,STATUS,ENABLED");
  expect(fallen()).toBe(1);
  await until("READY on the display", () => machine.face().display === "READY");
});

test("commands may come byte by byte, and an endless line disturbs nothing", async () => {
  using line = new ControllerLine(listening.port);
  line.send("C".repeat(10_000));
  for (const char of "\nC,0\nC,1\n") line.send(char);
  await line.hears("c,STATUS,ENABLED");
  expect(line.heard.filter((one) => one.startsWith("c,UNKNOWN"))).toEqual([]);
});

test("the newest connection wins, and the session of the old one is over", async () => {
  using first = new ControllerLine(listening.port);
  await session(first);
  using second = new ControllerLine(listening.port);
  await first.closes();
  expect(machine.face().vmc).toBe("off");
  await session(second);
  expect(machine.face().vmc).toBe("session");
});

test("a controller that dies after its approval: the product falls, the next one hears nothing of it", async () => {
  const first = new ControllerLine(listening.port);
  await session(first);
  machine.select(11);
  await first.hears("c,STATUS,VEND,2.50,11");
  first.send("C,VEND,2.50\n");
  await until("the motor", () => machine.vmc.turning !== undefined);
  first[Symbol.dispose]();
  await until("the product", () => fallen() === 1);
  using second = new ControllerLine(listening.port);
  second.send("C,0\nC,1\n");
  await second.hears("c,STATUS,ENABLED");
  expect(second.heard).toEqual([]);
});

test("unplugged, the line is cut and refused until it is plugged in again", async () => {
  using line = new ControllerLine(listening.port);
  await session(line);
  port.setFaults({ serialNoise: false, serialUnplugged: true });
  await line.closes();
  expect(machine.face().vmc).toBe("off");
  using refused = new ControllerLine(listening.port);
  await refused.closes();
  expect(refused.heard).toEqual([]);
  port.setFaults({ serialNoise: false, serialUnplugged: false });
  using again = new ControllerLine(listening.port);
  await session(again);
});

test("a noisy line loses and damages lines, and still lets a patient controller through", async () => {
  using line = new ControllerLine(listening.port);
  port.setFaults({ serialNoise: true, serialUnplugged: false });
  await until("sixty answers that came whole", () => {
    line.send("C,0\n");
    return line.heard.filter((one) => one === "c,0").length >= 60;
  });
  expect(line.heard.some((one) => one !== "c,0")).toBe(true);
});
