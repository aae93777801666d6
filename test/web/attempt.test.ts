/** The idempotency key of a wish: the same until it is answered, another for another wish. */
import { expect, test } from "vitest";
import { makeAttempts } from "../../cloud/web/attempt.js";
import { makeMemory } from "../../cloud/web/memory.js";
import { makeShelf } from "./shelf.js";

const counting = (): (() => string) => {
  let minted = 0;
  return () => `key-${++minted}`;
};
test("asking again for the same thing uses the same key, also after a reload", () => {
  const shelf = makeShelf();
  const mint = counting();
  const before = makeAttempts(
    makeMemory(() => shelf),
    mint,
  ).keyFor("sale.K7", "400NZD");
  const reloaded = makeAttempts(
    makeMemory(() => shelf),
    mint,
  );
  expect(reloaded.keyFor("sale.K7", "400NZD")).toBe(before);
});

test("asking for something else uses another key, so that it is not a conflict", () => {
  const shelf = makeShelf();
  const attempts = makeAttempts(
    makeMemory(() => shelf),
    counting(),
  );
  expect(attempts.keyFor("sale.K7", "400NZD")).not.toBe(attempts.keyFor("sale.K7", "600NZD"));
  expect(attempts.keyFor("sale.K7", "600NZD")).not.toBe(attempts.keyFor("sale.B4", "600NZD"));
});

test("after an answer the same wish is a new one", () => {
  const shelf = makeShelf();
  const attempts = makeAttempts(
    makeMemory(() => shelf),
    counting(),
  );
  const first = attempts.keyFor("sale.K7", "400NZD");
  attempts.answered("sale.K7");
  expect(attempts.keyFor("sale.K7", "400NZD")).not.toBe(first);
});

test("a wish that was not answered is still known after a reload, and is not once it was", () => {
  const shelf = makeShelf();
  const attempts = makeAttempts(
    makeMemory(() => shelf),
    counting(),
  );
  attempts.keyFor("sale.K7", "400NZD");
  const reloaded = makeAttempts(
    makeMemory(() => shelf),
    counting(),
  );
  expect(reloaded.unanswered("sale.K7")).toBe("400NZD");
  expect(reloaded.unanswered("sale.B4")).toBeUndefined();
  reloaded.answered("sale.K7");
  expect(reloaded.unanswered("sale.K7")).toBeUndefined();
});
