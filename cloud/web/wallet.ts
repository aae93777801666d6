/**
 * The test wallet this phone carries: an account's key and one asset with test money in it.
 *
 * It arrives in an address's fragment, `#wallet=<base64url of {accountId, apiKey, assetId, name?}>`, because a fragment
 * is never sent to a server and so lands in no log. Reading is pure; the pocket keeps it in the phone's memory.
 */
import type { Memory } from "./memory.js";
import { fields, id, matching, maybe, text, Unreadable, type Shape } from "./shape.js";

/** Anybody can make such a link: what goes into a path or a header from it must be fit to stand there. */
const wallet = fields({
  accountId: id,
  apiKey: matching(/^[\x21-\x7e]{1,256}$/),
  assetId: id,
  name: maybe(text),
});
export type Wallet = Shape<typeof wallet>;

export type WalletFragment =
  | { readonly kind: "none" }
  | { readonly kind: "wallet"; readonly wallet: Wallet }
  | { readonly kind: "damaged" };

const MARK = "#wallet=";

export function readWalletFragment(hash: string): WalletFragment {
  if (!hash.startsWith(MARK)) return { kind: "none" };
  const found = parse(() => fromBase64Url(hash.slice(MARK.length)));
  return found === undefined ? { kind: "damaged" } : { kind: "wallet", wallet: found };
}

export interface Pocket {
  wallet(): Wallet | undefined;
  keep(wallet: Wallet): void;
  forget(): void;
}

export const makePocket = (memory: Memory): Pocket => ({
  wallet: () => parse(() => memory.get("wallet") ?? ""),
  keep: (next) => memory.put("wallet", JSON.stringify(next)),
  forget: () => memory.forget("wallet"),
});

/** Somebody else's text: not base64, not UTF-8, not JSON and not a wallet are all simply no wallet. */
function parse(source: () => string): Wallet | undefined {
  try {
    return wallet(JSON.parse(source()), "wallet");
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof Unreadable)
      return undefined;
    if (error instanceof DOMException) return undefined; // atob
    throw error;
  }
}

function fromBase64Url(encoded: string): string {
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder("utf-8", { fatal: true }).decode(
    Uint8Array.from(binary, (byte) => byte.charCodeAt(0)),
  );
}
