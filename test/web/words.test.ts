/** The catalogue has words for everything the cloud can say, and a page never shows a bare code. */
import { expect, test } from "vitest";
import { english as owner } from "../../cloud/web/owner-words.js";
import { selling } from "../../controller/sale/machine.js";
import { toBody, Fault, type FaultCode } from "../../cloud/http/fault.js";
import { machineStates, movementKinds, requestStatuses, saleStates } from "../../cloud/web/wire.js";
import { english, refusalCodes, wordsFor, type Said } from "../../cloud/web/words.js";

const isSentence = ({ title, detail }: Said): void => {
  for (const text of [title, detail]) expect(text).not.toMatch(/[A-Z]{2,}_|undefined/);
  expect(title).toMatch(/^[A-Z].{2,}/);
};

test.each(machineStates)("a machine that is %s has words", (state) => {
  expect(english.machineState[state]).toMatch(/^[A-Z]/);
  if (state !== "ready") isSentence(english.notSelling[state]);
});
test.each(requestStatuses)("a payment request that is %s has words", (status) =>
  isSentence(english.requestStatus[status]),
);
test.each(saleStates.filter((state) => state !== "settled"))("a sale that is %s has words", (state) =>
  isSentence(english.sale.state(state)),
);
test.each(Object.entries(english.sale.settled))("a settled sale with %s vended has words", (_, said) =>
  isSentence(said),
);
test.each(refusalCodes)("a refusal with %s has words and says what to do", (code) => {
  isSentence(english.refusal(code));
  expect(english.refusal(code).detail).toMatch(/\.$/);
});
test.each(movementKinds)("a %s in a wallet has a word of its own", (kind) =>
  expect(english.wallet.movement(kind)).not.toBe(english.wallet.movement("something new")),
);

/** The codes by which a sale can be refused to a customer, as the cloud writes them. */
const refusals: readonly FaultCode[] = [
  "MACHINE_OFFLINE",
  "MACHINE_BUSY",
  "MACHINE_OUT_OF_SERVICE",
  "CREDIT_OUT_OF_RANGE",
  "PAYMENTS_UNAVAILABLE",
  "REQUEST_PAID",
  "REQUEST_EXPIRED",
  "REQUEST_CANCELLED",
  "INSUFFICIENT_ASSET_VALUE",
  "INVALID_ASSET_TYPE",
  "INACTIVE_ASSET",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "NOT_FOUND",
  "BUSY",
];
test.each(refusals)("what the cloud sends for %s has words of its own", (code) =>
  expect(refusalCodes).toContain(toBody(new Fault(code)).message),
);

test("a code nobody knows is our fault, in words", () => {
  expect(english.refusal("SOMETHING_NEW")).toEqual(english.refusal("UNREADABLE"));
  expect(english.refusal("constructor")).toEqual(english.refusal("UNREADABLE"));
});

test("the reader's languages are asked in their order, and English is the last resort", () => {
  expect(wordsFor(["xx-YY", "en-NZ"])).toBe(english);
  expect(wordsFor([])).toBe(english);
});

test("an owner is told in words why a machine does not sell, whatever its controller may say", () => {
  const sale = { trouble: "", paused: false, mdb: "enabled" } as const;
  const states = ["lost", "off", "inactive", "disabled", "enabled", "session", "vend"] as const;
  const codes = [
    ...states.map((mdb) => selling({ ...sale, mdb }).reason),
    ...(["journalFull", "journalFailed"] as const).map((trouble) => selling({ ...sale, trouble }).reason),
    selling({ ...sale, paused: true }).reason,
  ].filter((code) => code !== "");
  expect(codes).toHaveLength(7);
  for (const code of codes) expect(owner.reason(code).title, code).not.toBe(code);
});
