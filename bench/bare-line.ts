/**
 * The yardstick of an approval: a process that reads the machine's line, does one durable commit, reads the line once more and
 * answers. No rules, no journal, no log: what this computer and its disk can do at best under Node.
 *
 * Run as a process of its own, as a controller is: `node bare-line.js FILE`. Says its port as a line of log.
 */
import { createServer, type AddressInfo } from "node:net";
import { systemClock } from "../broker/protocol/system.js";
import { lines } from "../controller/serial/framing.js";
import { LineSplitter } from "../controller/serial/line-splitter.js";
import { DurableCommit } from "./durable-commit.js";

const MAX_LINE_BYTES = 512;

const commit = new DurableCommit(process.argv[2] ?? ":memory:");
const server = createServer({ noDelay: true }, (socket) => {
  const splitter = new LineSplitter(lines, MAX_LINE_BYTES);
  socket.on("data", (bytes: Buffer) => {
    for (const line of splitter.push(bytes)) {
      const [, , , priceText] = lines.read(line).split(",");
      commit.timeMs();
      systemClock.after(0, () => socket.write(lines.write(`C,VEND,${priceText}`)));
    }
  });
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo; // TCP: an AddressInfo
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
process.once("SIGTERM", () => process.exit(0)); // as whoever watches its edges expects
