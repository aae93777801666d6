/** What is wired beside the machine, on real sockets: what a keypad's line becomes, and what a display or a printer is sent. */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import type { Body } from "../../broker/protocol/messages.js";
import { linksTo } from "../../controller/serial/serial-link.js";
import { Devices } from "../../controller/terminal/devices.js";
import { escpos } from "../../controller/terminal/escpos.js";
import { WORDS } from "../../controller/terminal/terminal.js";
import { clock, quiet, random } from "./real-clock.js";

const nothing = (): undefined => undefined;

/** One end of a serial server: what it was sent, and its newest connection. */
class Wire implements AsyncDisposable {
  readonly #server = createServer((socket) => {
    this.socket = socket;
    socket.on("error", nothing);
    socket.on("data", (bytes) => (this.sent += bytes.toString("latin1")));
  });
  socket: Socket | undefined;
  sent = "";
  static async open(): Promise<Wire> {
    const wire = new Wire();
    await new Promise<void>((resolve) => wire.#server.listen(0, "127.0.0.1", resolve));
    return wire;
  }
  get link() {
    return linksTo(`tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`, 9_600); // listening on TCP
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.socket?.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

test.each([
  ["a display shows all of it", undefined, `\f${WORDS.idle}\n\f${WORDS.asking}\n\fNo such voucher\n`],
  [
    "a printer prints the answer alone",
    32,
    Buffer.from(escpos({ text: "No such voucher" }, 32)).toString("latin1"),
  ],
])("a typed code is asked about, and %s", async (_what, columns, sent) => {
  await using keypad = await Wire.open();
  await using display = await Wire.open();
  const asked: Body["request"][] = [];
  const shownOn: (readonly [text: string, isIdle: boolean])[] = [];
  const devices = new Devices(
    {
      scanner: undefined,
      keypad: keypad.link,
      display: { newLink: display.link, columns },
      screen: undefined,
      machineDisplay: (shown, isIdle) => shownOn.push([shown.text, isIdle]),
      wrapping: { prefix: "", suffix: "" },
      words: WORDS,
      backOff: { firstMs: 10, maxMs: 100 },
      clock,
      random,
      log: quiet,
    },
    (request) => asked.push(request) > 0,
  );
  try {
    await expect.poll(() => keypad.socket !== undefined && display.socket !== undefined).toBe(true);
    if (columns === undefined) await expect.poll(() => display.sent).toBe(`\f${WORDS.idle}\n`);
    keypad.socket?.write("1234 5678\r\n");
    await expect.poll(() => asked).toMatchObject([{ kind: "voucher", value: "1234 5678" }]);
    devices.answered({ requestId: asked[0]?.requestId ?? "", show: "No such voucher" });
    await expect.poll(() => display.sent).toBe(sent);
    expect(shownOn[0]).toEqual([WORDS.idle, true]);
    expect(shownOn.slice(-2)).toEqual([
      [WORDS.asking, false],
      ["No such voucher", false],
    ]);
  } finally {
    devices.close();
  }
});

test("a display is sent letters of its code page alone: no letter becomes a command", async () => {
  await using display = await Wire.open();
  const devices = new Devices(
    {
      scanner: undefined,
      keypad: undefined,
      display: { newLink: display.link, columns: undefined },
      screen: undefined,
      machineDisplay: undefined,
      wrapping: { prefix: "", suffix: "" },
      words: { ...WORDS, idle: "Čaj ě 2 € café \u0085☃" },
      backOff: { firstMs: 10, maxMs: 100 },
      clock,
      random,
      log: quiet,
    },
    () => true,
  );
  try {
    await expect.poll(() => display.sent).toBe("\fCaj e 2 \u0080 caf\u00e9 ??\n");
  } finally {
    devices.close();
  }
});

test("a printer keeps quiet about what nobody is to act on, in whatever words the machine was given", async () => {
  await using keypad = await Wire.open();
  await using display = await Wire.open();
  const asked: Body["request"][] = [];
  const devices = new Devices(
    {
      scanner: undefined,
      keypad: keypad.link,
      display: { newLink: display.link, columns: 32 },
      screen: undefined,
      machineDisplay: undefined,
      wrapping: { prefix: "", suffix: "" },
      words: { ...WORDS, idle: "Kia ora", asking: "Taihoa" },
      backOff: { firstMs: 10, maxMs: 100 },
      clock,
      random,
      log: quiet,
    },
    (request) => asked.push(request) > 0,
  );
  try {
    await expect.poll(() => keypad.socket !== undefined && display.socket !== undefined).toBe(true);
    devices.say({ ...WORDS, idle: "Haere mai", asking: "Taihoa" });
    devices.vending("Cola");
    devices.vended("Cola", "succeeded");
    keypad.socket?.write("1234 5678\r\n");
    await expect.poll(() => asked.length).toBe(1);
    devices.answered({ requestId: asked[0]?.requestId ?? "", show: "No such voucher" });
    const slip = Buffer.from(escpos({ text: "No such voucher" }, 32)).toString("latin1");
    await expect.poll(() => display.sent).toBe(slip);
  } finally {
    devices.close();
  }
});
