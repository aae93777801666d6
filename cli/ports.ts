/** Ports, picked before anything starts: a service that is killed must come back at the address it had. */
import { createServer, type AddressInfo } from "node:net";

/** A free port of loopback for each 0; any other must be free. Answers in the same order, or with the one that is taken. */
export async function pickPorts(
  asked: readonly number[],
): Promise<
  { readonly ok: true; readonly ports: readonly number[] } | { readonly ok: false; readonly taken: number }
> {
  const held = [];
  try {
    for (const port of asked) {
      const server = createServer();
      held.push(server);
      const free = await new Promise<boolean>((resolve) => {
        server.once("error", () => resolve(false));
        server.listen(port, "127.0.0.1", () => resolve(true));
      });
      if (!free) return { ok: false, taken: port };
    }
    return { ok: true, ports: held.map((server) => (server.address() as AddressInfo).port) }; // TCP: an AddressInfo
  } finally {
    await Promise.all(held.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  }
}
