/**
 * Connections whose login is not proved yet.
 *
 * Promises  those who are silent take no place from those who are logged in, nor for long from each other: when an address has as many
 *           as it may, or all together, the oldest of them is ended for the new one.
 * Bounded   by both limits.
 */
import type { Socket } from "node:net";

export class WaitingRoom {
  readonly #byAddress = new Map<string, Set<Socket>>(); // each in the order they came in
  readonly #all = new Set<Socket>();
  readonly #leaving = new WeakMap<Socket, () => void>();
  readonly #perAddress: number;
  readonly #inAll: number;

  constructor(limits: { readonly perAddress: number; readonly inAll: number }) {
    this.#perAddress = limits.perAddress;
    this.#inAll = limits.inAll;
  }

  enter(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const ofAddress = this.#byAddress.get(address) ?? new Set();
    if (ofAddress.size >= this.#perAddress) this.#end(ofAddress);
    else if (this.#all.size >= this.#inAll) this.#end(this.#all);
    this.#byAddress.set(address, ofAddress.add(socket));
    this.#all.add(socket);
    const leave = (): void => {
      this.#all.delete(socket);
      if (ofAddress.delete(socket) && ofAddress.size === 0) this.#byAddress.delete(address);
    };
    this.#leaving.set(socket, leave);
    socket.once("close", leave);
  }

  /** It is logged in: from here on it is nobody's to end. */
  leave(socket: Socket): void {
    this.#leaving.get(socket)?.();
  }

  #end(waiting: ReadonlySet<Socket>): void {
    const [oldest] = waiting;
    if (oldest === undefined) return;
    this.leave(oldest);
    oldest.destroy();
  }
}
