/** TCP for the interfaces of `sockets.ts`. Built in main.ts, and in tests that want the real thing. */
import { connect as dial, createServer, type Socket } from "node:net";
import type { Connect, Listen } from "./sockets.js";

/** Listens on one host. Closing ends the connections it accepted too. */
export const listenOn =
  (host: string): Listen =>
  (port, accept) =>
    new Promise((resolve, reject) => {
      const open = new Set<Socket>();
      const server = createServer({ noDelay: true }, (socket) => {
        open.add(socket);
        socket.once("close", () => open.delete(socket));
        accept(socket);
      });
      server.once("error", reject);
      server.listen(port, host, () => {
        const address = server.address();
        if (address === null || typeof address === "string") throw new Error("a TCP server has an address");
        resolve({
          port: address.port,
          [Symbol.asyncDispose]: () =>
            new Promise((closed) => {
              server.close(() => closed());
              for (const socket of open) socket.destroy();
            }),
        });
      });
    });

export const connectTo =
  (host: string, port: number): Connect =>
  () =>
    dial({ host, port, noDelay: true });
