/** Why nobody can be served at an address, in words for whoever wrote it into a configuration. Pure. */
import { codeOf } from "./error-code.js";

/** `key`: what the port is called there. Throws what is no word about the address. */
export function cannotListen(error: unknown, host: string, port: number, key = "port"): string {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return `${key}: ${port} of ${host} is taken by another program: end that, or name another port`;
    case "EACCES":
      return `${key}: ${port} may not be used by this user: name one from 1024 on`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `host: ${host} is no address of this computer`;
    default:
      throw error;
  }
}
