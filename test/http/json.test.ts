/** What JSON allows and a payment must not: found in the text, before anything is parsed. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { wrongJson } from "../../cloud/http/json.js";

const many = (count: number): string => `[${Array.from({ length: count }, () => '{"a":1}').join()}]`;
const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

// prettier-ignore
test.each<[what: string, text: string, wrong: string | undefined]>([
  ["a key twice",                        '{"amount":"1","amount":"999"}',                     "amount: is there twice"],
  ["a key twice, further in",            '{"a":[{"b":{"c":1,"c":2}}]}',                       "c: is there twice"],
  ["a key twice, written differently",   '{"amount":1,"\\u0061mount":2}',                     "amount: is there twice"],
  ["a key twice, far apart",             `{"a":${JSON.stringify({ x: [1, { y: 2 }] })},"b":1 , "a" : 3}`, "a: is there twice"],
  ["the same key of two objects",        '[{"a":1},{"a":2}]',                                 undefined],
  ["a value that looks like a key",      '{"a":"a","b":"a"}',                                 undefined],
  ["a value with a quote and a colon",   '{"a":"\\":","b":"{\\"a\\":1,\\"a\\":2}"}',          undefined],
  ["keys in a list of strings",          '["a","a"]',                                         undefined],
  ["as deep as may be",                  deep(32),                                            undefined],
  ["deeper",                             deep(33),                                            "body: is nested deeper than 32"],
  ["a key of a program's machinery",     '{"a":{"__proto__":{"b":1}}}',                       "__proto__: is not a name for a field"],
  ["another, written differently",       '{"\\u0063onstructor":1}',                          "constructor: is not a name for a field"],
  ["such a word where it is a value",    '{"a":"__proto__","b":["constructor"]}',             undefined],
  ["as many keys as may be",             many(20_000),                                        undefined],
  ["more",                               many(20_001),                                        "body: has more than 20000 keys"],
  ["no JSON",                            '{"a":',                                             undefined],
  ["a string without an end",            '{"a":"b',                                           undefined],
])("%s", (_what, text, wrong) => expect(wrongJson(text)).toBe(wrong));

test("whatever else can be written as JSON is let through", () => {
  const usual = fc
    .jsonValue({ maxDepth: 5 })
    .filter((value) => !/__proto__|constructor/.test(JSON.stringify(value)));
  fc.assert(
    fc.property(usual, fc.constantFrom(0, 2), (value, indent) => {
      expect(wrongJson(JSON.stringify(value, null, indent))).toBeUndefined();
    }),
    { numRuns: 2_000 },
  );
});

test("a long body is looked at in a moment, however it is made", () => {
  for (const text of [
    "[".repeat(250_000),
    '"'.repeat(250_000),
    '{"a":'.repeat(50_000),
    "\\".repeat(250_000),
  ]) {
    const before = performance.now();
    wrongJson(text);
    expect(performance.now() - before).toBeLessThan(1_000);
  }
});
