/** The check words: the same on every printed label for ever, and words that cannot be taken for each other. */
import { expect, test } from "vitest";
import { checkWords, machineUrl, typedAddress } from "../../cloud/vending/check-words.js";

/** SHA-256 of `scanvend check words 1: pay.example/m/SNACK1` begins with af b2: the words 175 and 178 of the list, counted from 0. */
test("the words of a label that is printed stay what they are", () => {
  expect(checkWords("https://pay.example", "SNACK1")).toBe("postcard puzzle");
  expect(checkWords("https://pay.example", "SNACK2")).toBe("cactus gooseberry");
});

test.each(["https://pay.example/", "http://pay.example", "https://PAY.example:443"])(
  "%s is the same public address",
  (publicUrl) => expect(checkWords(publicUrl, "SNACK1")).toBe("postcard puzzle"),
);

test.each(["https://pay.example.org", "https://pay.example:8443", "https://pay.example/two"])(
  "%s is another public address",
  (publicUrl) => expect(checkWords(publicUrl, "SNACK1")).not.toBe("postcard puzzle"),
);

test("the address that is scanned and the one that is typed lead to the same page", () => {
  expect(machineUrl("https://pay.example/two/", "A")).toBe("https://pay.example/two/m/A");
  expect(typedAddress("https://pay.example/two/", "A")).toBe("pay.example/two/m/A");
});

test("all 256 words are used, two different ones a machine, and none is one letter away from another", () => {
  const pairs = Array.from({ length: 4_000 }, (_, n) =>
    checkWords("https://pay.example", `C${n}`).split(" "),
  );
  for (const pair of pairs) expect(new Set(pair).size).toBe(2);
  const words = [...new Set(pairs.flat())].sort();
  expect(words).toHaveLength(256);
  for (const word of words) expect(word).toMatch(/^[a-z]{4,11}$/);
  const close = words.flatMap((a, i) => words.slice(i + 1).filter((b) => isOneLetterAway(a, b)));
  expect(close).toEqual([]);
});

/** One letter changed, put in or taken out. */
function isOneLetterAway(a: string, b: string): boolean {
  if (a.length > b.length) return isOneLetterAway(b, a);
  if (b.length - a.length > 1) return false;
  const at = Array.from(a).findIndex((letter, index) => letter !== b[index]);
  if (at < 0) return true;
  return a.length === b.length ? a.slice(at + 1) === b.slice(at + 1) : a.slice(at) === b.slice(at + 1);
}
