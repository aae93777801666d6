/** What the pages believe of an answer: everything they show has its type, more fields are welcome, anything else is refused. */
import { expect, test } from "vitest";
import { routeOf, type Route } from "../../cloud/web/route.js";
import { Unreadable } from "../../cloud/web/shape.js";
import { isOver, machine, sale, saleStates } from "../../cloud/web/wire.js";

const money = { amount: "400", currency: "NZD" };
const aMachine = {
  code: "K7PQ",
  name: "Level 2",
  place: "Quay St",
  checkWords: "amber lantern",
  state: "ready",
  currency: "NZD",
  suggestedCredit: [money],
  items: [{ item: 11, name: "Crisps", price: money, available: true }],
};
const aSale = {
  id: "s1",
  state: "settled",
  machine: { code: "K7PQ", name: "Level 2", place: "Quay St" },
  credit: money,
  paymentRequest: null,
  vended: [{ item: 11, name: "Crisps", price: money, inDoubt: false }],
  refunded: null,
  timeline: [{ at: "2026-11-23T04:00:00.000Z", text: "Paid" }],
};

test("a machine and a sale are read, and fields from a later version are passed over", () => {
  expect(machine({ ...aMachine, later: 1 }, "answer")).toEqual(aMachine);
  expect(sale({ ...aSale, later: 1 }, "answer")).toMatchObject({ id: "s1", refunded: undefined });
});

// prettier-ignore
const broken: readonly [field: string, value: unknown][] = [
  ["answer",                 null],
  ["answer.name",            { ...aMachine, name: 7 }],
  ["answer.state",           { ...aMachine, state: "asleep" }],
  ["answer.items",           { ...aMachine, items: {} }],
  ["answer.items[0].price",  { ...aMachine, items: [{ item: 1, name: "x", available: true }] }],
  ["answer.suggestedCredit[0].amount", { ...aMachine, suggestedCredit: [{ amount: 400, currency: "NZD" }] }],
  ["answer.suggestedCredit[0].amount", { ...aMachine, suggestedCredit: [{ amount: "4.00", currency: "NZD" }] }],
];
test.each(broken)("what is wrong is named: %s", (field, value) => {
  expect(() => machine(value, "answer")).toThrow(Unreadable);
  expect(() => machine(value, "answer")).toThrow(`${field}: `);
});

test("a sale is over when there is nothing more to come, and unknown is not over", () =>
  expect(saleStates.filter((state) => isOver({ state }))).toEqual(["settled", "cancelled", "expired"]));

const lost: Route = { kind: "lost" };
// prettier-ignore
const addresses: readonly [pathname: string, route: Route][] = [
  ["/m/K7PQ",         { kind: "machine", code: "K7PQ" }],
  ["/m/K7PQ/",        { kind: "machine", code: "K7PQ" }],
  ["/pay/0192ab_-",   { kind: "pay", requestId: "0192ab_-" }],
  ["/wallet",         { kind: "wallet" }],
  ["/",               lost],
  ["/m",              lost],
  ["/m/",             lost],
  ["/m/a/b",          lost],
  ["/m/%2e%2e",       lost],
  ["/m/..",           lost],
  ["/wallet/x",       lost],
];
test.each(addresses)("%s is a page", (pathname, route) => expect(routeOf(pathname)).toEqual(route));
