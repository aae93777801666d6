/**
 * A serial device, through serialport's own stream and Linux binding, with one difference: reading nothing is a hang-up.
 *
 * Why: when a USB adapter is pulled out while a read is in flight, `read()` gives 0 bytes, and bindings-cpp 13 asks again
 * for ever: no event, one core at 100 %. Its `unixRead` takes the read function as a parameter, so nothing is patched.
 */
import { read } from "node:fs";
import { promisify } from "node:util";
import { LinuxBinding, type LinuxBindingInterface } from "@serialport/bindings-cpp";
import { unixRead } from "@serialport/bindings-cpp/dist/unix-read.js";
import { SerialPortStream } from "@serialport/stream";

const readFd = promisify(read);

/** As `fs.read`, but the end is an error of the kind the binding takes for a disconnect. */
async function readSome(...args: Parameters<typeof readFd>): ReturnType<typeof readFd> {
  const result = await readFd(...args);
  if (result.bytesRead === 0) throw Object.assign(new Error("the device hung up"), { code: "EBADF" });
  return result;
}

const binding: LinuxBindingInterface = {
  list: () => LinuxBinding.list(),
  async open(options) {
    const port = await LinuxBinding.open(options);
    port.read = (buffer, offset, length) =>
      unixRead({ binding: port, buffer, offset, length, fsReadAsync: readSome });
    return port;
  },
};

export class DeviceLink extends SerialPortStream<LinuxBindingInterface> {
  constructor(path: string, baudRate: number) {
    super({ binding, path, baudRate, autoOpen: false });
  }
}
