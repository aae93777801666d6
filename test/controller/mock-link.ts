/**
 * A serial link on mock-serialport. The package only prints what it is asked; the replies, the unplug and everything a
 * stream needs are here. Every open, write and close goes through a real `MockSerialPort`, where a test can watch it.
 */
import { Duplex } from "node:stream";
import MockSerialPort from "mock-serialport";
import type { SerialLink } from "../../controller/serial/serial-link.js";

export class MockLink extends Duplex implements SerialLink {
  readonly #port = new MockSerialPort();
  readonly #reply: (line: string, link: MockLink) => void;
  isOpen = false;

  /** `reply` hears each line written, and may answer with `say`. */
  constructor(reply: (line: string, link: MockLink) => void = () => undefined) {
    super();
    this.#reply = reply;
  }

  open(done: (error: Error | null) => void): void {
    this.#port.open();
    queueMicrotask(() => {
      this.isOpen = true;
      done(null);
    });
  }

  close(done?: (error: Error | null) => void): void {
    this.#port.close();
    this.isOpen = false;
    this.emit("close");
    done?.(null);
  }

  say(text: string): void {
    this.push(text);
  }

  /** As a USB adapter that is pulled out: an error and then a close, and no more bytes. */
  unplug(): void {
    this.isOpen = false;
    this.emit("error", new Error("bad file descriptor"));
    this.emit("close");
  }

  override _read(): void {
    // what is said is pushed when it is said
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#port.write(chunk);
    for (const line of chunk.toString("latin1").split("\n").slice(0, -1)) this.#reply(line, this);
    done();
  }
}
