/**
 * A connection on which no packet may be longer than allowed: the length in its fixed header (MQTT 3.1.1, 2.2.3) is read before
 * anything is kept of it.
 *
 * Why: the broker's parser keeps a packet until it is whole, and a stranger's may claim 256 MB. Until its login has been proved, a
 * connection may say little; after that, what a message of ours can be.
 */
import { Duplex } from "node:stream";

/** A CONNECT with a signed last will is under 2 KB. */
export const BEFORE_LOGIN_BYTES = 16 * 1024;

export class PacketLimit extends Duplex {
  readonly #wire: Duplex;
  #maxBytes = BEFORE_LOGIN_BYTES;
  #left = 0; // of the packet that is passing
  #length = 0; // of the next one, as far as its header has been read
  #digits = -1; // of that length; -1 before the header's first byte

  constructor(wire: Duplex) {
    super({ allowHalfOpen: false });
    this.#wire = wire;
    wire.on("data", (bytes: Buffer) => {
      if (!this.#allows(bytes)) this.destroy(new Error("packet too long"));
      else if (!this.push(bytes)) wire.pause();
    });
    wire.once("end", () => this.push(null));
    wire.once("close", () => this.destroy());
    wire.on("error", (error) => this.destroy(error));
  }

  /** The login is proved: from here on packets may be this long. */
  allow(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  override _read(): void {
    this.#wire.resume();
  }
  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#wire.write(bytes, done);
  }
  override _final(done: (error?: Error | null) => void): void {
    this.#wire.end(() => done());
  }
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#wire.destroy();
    done(error);
  }

  #allows(bytes: Buffer): boolean {
    for (let at = 0; at < bytes.length;) {
      if (this.#left > 0) {
        const passing = Math.min(this.#left, bytes.length - at);
        this.#left -= passing;
        at += passing;
        continue;
      }
      const byte = bytes[at] ?? 0;
      at += 1;
      if (this.#digits === -1) {
        this.#digits = 0; // the packet's type and flags
        continue;
      }
      this.#length += (byte & 0x7f) * 128 ** this.#digits;
      this.#digits += 1;
      if (this.#length > this.#maxBytes || this.#digits > 4) return false;
      if (byte < 0x80) {
        this.#left = this.#length;
        this.#length = 0;
        this.#digits = -1;
      }
    }
    return true;
  }
}
