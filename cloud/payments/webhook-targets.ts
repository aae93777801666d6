/**
 * Where webhooks may go, and the sending itself.
 *
 * Promises  with "public", nothing is sent but to a public address on a port that web servers use: looked at when an address
 *           is saved, and again at each connection, which then goes to the very addresses that were looked at. A name
 *           that points elsewhere in between gains nothing. Our own vending backend is where its operator says it is.
 * Never     reads an answer's body: its status is all there is.
 * Bounded   by the signal: whoever sends decides how long to wait.
 */
import { isIP, type LookupFunction } from "node:net";
import { exchange } from "./exchange.js";
import { isPublicAddress } from "./public-address.js";

export type TargetPolicy = "any" | "public";
export type Address = { readonly address: string; readonly family: number };
/** Every address of a host's name. Rejects with a system error when it has none. */
export type Resolve = (host: string) => Promise<readonly Address[]>;
export type Outgoing = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
};
type Found =
  | { readonly ok: true; readonly addresses: readonly Address[] }
  | { readonly ok: false; readonly refusal: string };

const PUBLIC_PORTS: readonly string[] = ["", "80", "443", "8080", "8443"]; // none written is the scheme's own

export class WebhookTargets {
  readonly #policy: TargetPolicy;
  readonly #resolve: Resolve;
  readonly #own: string | undefined;

  /** `own`: the one address that is not looked at. */
  constructor(policy: TargetPolicy, resolve: Resolve, own?: string) {
    this.#policy = policy;
    this.#resolve = resolve;
    this.#own = own;
  }

  /** Why nothing may be sent there, for people; `undefined` when it may. `url` is an http(s) address. */
  async refusal(url: string): Promise<string | undefined> {
    if (this.#policy === "any") return undefined;
    try {
      const found = await this.#find(new URL(url));
      return found.ok ? undefined : found.refusal;
    } catch (error) {
      if (error instanceof Error && "code" in error) return "its host is not known"; // the resolver said so
      throw error;
    }
  }

  /** Posts, and answers the status. Rejects with why there was none. */
  async post(url: string, outgoing: Outgoing): Promise<number> {
    const target = new URL(url);
    const { signal } = outgoing;
    signal.throwIfAborted();
    let giveUp = (): void => undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(signal.reason as Error); // whoever aborts says why with an Error
    });
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      const found = await Promise.race([this.#find(target), tooLate]);
      if (!found.ok) throw new Error(found.refusal);
      return await Promise.race([send(target, found.addresses, outgoing), tooLate]);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  async #find({ hostname, port, href }: URL): Promise<Found> {
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const isPublic = this.#policy === "public" && href !== this.#own;
    if (isPublic && !PUBLIC_PORTS.includes(port))
      return { ok: false, refusal: "its port is not 80, 443, 8080 or 8443" };
    const family = isIP(host);
    const addresses = family === 0 ? await this.#resolve(host) : [{ address: host, family }];
    // One that is not public among several is enough: which of them is tried first is not ours to say.
    if (isPublic && !addresses.every(({ address }) => isPublicAddress(address)))
      return { ok: false, refusal: "its host is not on the public internet" };
    return { ok: true, addresses };
  }
}

const send = (
  target: URL,
  addresses: readonly Address[],
  { headers, body, signal }: Outgoing,
): Promise<number> =>
  exchange(target, { method: "POST", headers, body, signal, lookup: pinned(addresses) }, (response) => {
    response.destroy();
    return Promise.resolve(response.statusCode ?? 0); // a client's response has one
  });

/** Answers with the addresses that were looked at, whatever is asked. (A host written as numbers is not asked about.) */
const pinned =
  (addresses: readonly Address[]): LookupFunction =>
  (host, { all }, done) => {
    const [first] = addresses;
    if (first === undefined)
      done(Object.assign(new Error(`${host} has no address`), { code: "ENOTFOUND" }), "");
    else if (all === true) done(null, [...addresses]);
    else done(null, first.address, first.family);
  };
