/** A wallet from an address's fragment: kept when it is whole, named damaged when it is not, ignored when it is none. */
import { expect, test } from "vitest";
import { makeMemory } from "../../cloud/web/memory.js";
import { makePocket, readWalletFragment } from "../../cloud/web/wallet.js";
import { makeShelf } from "./shelf.js";

const wallet = { accountId: "acc1", apiKey: "key.secret", assetId: "asset1", name: "Arohanui – tēnā koe" };
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

test("a whole wallet is read, with its name in any alphabet", () =>
  expect(readWalletFragment(`#wallet=${encoded(wallet)}`)).toEqual({ kind: "wallet", wallet }));

test("the name may be missing", () => {
  const nameless = { ...wallet, name: undefined };
  expect(readWalletFragment(`#wallet=${encoded(nameless)}`)).toEqual({ kind: "wallet", wallet: nameless });
});

test.each(["", "#", "#items", "#wallets=abc"])("%j is no wallet", (hash) =>
  expect(readWalletFragment(hash)).toEqual({ kind: "none" }),
);

// prettier-ignore
const damaged: readonly [name: string, hash: string][] = [
  ["nothing in it",                 "#wallet="],
  ["what is not base64",            "#wallet=%%%"],
  ["a cut link",                    `#wallet=${encoded(wallet).slice(0, 40)}`],
  ["what is not UTF-8",             `#wallet=${Buffer.from([0xff, 0xfe, 0x41]).toString("base64url")}`],
  ["what is not JSON",              `#wallet=${Buffer.from("hello").toString("base64url")}`],
  ["null",                          `#wallet=${encoded(null)}`],
  ["no key",                        `#wallet=${encoded({ ...wallet, apiKey: undefined })}`],
  ["an asset that leaves its path", `#wallet=${encoded({ ...wallet, assetId: "../api-keys" })}`],
  ["a key that breaks its header",  `#wallet=${encoded({ ...wallet, apiKey: "a\r\nb" })}`],
];
test.each(damaged)("a link with %s is damaged", (_, hash) =>
  expect(readWalletFragment(hash)).toEqual({ kind: "damaged" }),
);

test("a wallet that was kept is there on the next visit, until it is forgotten", () => {
  const storage = makeShelf();
  makePocket(makeMemory(() => storage)).keep(wallet);
  const next = makePocket(makeMemory(() => storage));
  expect(next.wallet()).toEqual(wallet);
  next.forget();
  expect(makePocket(makeMemory(() => storage)).wallet()).toBeUndefined();
});

test("what somebody wrote into the storage by hand is no wallet", () => {
  const storage = makeShelf();
  storage.setItem("scanvend.wallet", '{"apiKey":7}');
  expect(makePocket(makeMemory(() => storage)).wallet()).toBeUndefined();
});

test("a browser that keeps nothing still remembers until the page is closed", () => {
  const pocket = makePocket(
    makeMemory(() => {
      throw new DOMException("denied", "SecurityError");
    }),
  );
  pocket.keep(wallet);
  expect(pocket.wallet()).toEqual(wallet);
});
