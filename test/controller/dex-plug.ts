/** A machine's DEX plug on a real TCP port, whose counters are the test's; and one that takes connections and says nothing. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { AuditPort } from "../../simulator/machine/audit-port.js";
import { auditOf } from "../../simulator/machine/audit.js";
import { noFaults } from "../../simulator/machine/faults.js";
import { newVmc, type Vmc } from "../../simulator/machine/vmc.js";
import { clock } from "./real-clock.js";

const timing = { coilMs: 1, setupMs: 1, sessionIdleMs: 1, answerMs: 1, lateEnableMs: 1, noticeMs: 1 };

export class DexPlug {
  isMute = false;
  connections = 0;
  serialNumber = "m-1";
  readonly #open = new Set<Socket>();
  readonly #server: Server;
  readonly #port: AuditPort;
  #vmc: Vmc = newVmc(
    { decimals: 2, selectsFirst: false, ...timing },
    [7, 8].map((item) => ({ item, name: `Item ${item}`, priceMinor: 100, stock: 100 })),
    noFaults,
  );

  constructor() {
    this.#port = new AuditPort(() => auditOf(this.#vmc, this.serialNumber, "NZD"), clock);
    this.#server = createServer((socket) => {
      this.connections += 1;
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
      if (!this.isMute) this.#port.accept(socket);
      else socket.on("error", () => undefined).resume();
    });
  }
  get isBeingRead(): boolean {
    return this.#open.size > 0;
  }
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; // listening on TCP: never a path
  }
  /** So many of the item have fallen, for money on a card. */
  sold(item: number, times = 1): void {
    const coils = this.#vmc.coils.map((coil) =>
      coil.item === item ? { ...coil, fallen: coil.fallen + times } : coil,
    );
    this.#vmc = { ...this.#vmc, coils };
  }
  close(): void {
    this.#port[Symbol.dispose]();
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
  }
}
