/** Audit files by EVA-DTS, byte for byte as a machine sends them, and what is wrong with bad ones. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checksum, MAX_BYTES, parseAudit, type Audit, type Fault } from "../../controller/dex/audit.js";
import { deltas, type Growth } from "../../controller/dex/deltas.js";

/** Written by hand from the standard's tables; their checksums were worked out by another program. */
const golden = (name: string): Buffer => readFileSync(new URL(`dex-${name}.txt`, import.meta.url));
const audited = (file: Uint8Array): Audit => {
  const parsed = parseAudit(file);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.fault));
  return parsed.audit;
};
const faultOf = (file: Uint8Array): Fault => {
  const parsed = parseAudit(file);
  if (parsed.ok) throw new Error("nothing is wrong with it");
  return parsed.fault;
};
/** A file with these lines between ST and a checksum that is right. */
const closed = (...lines: readonly string[]): Buffer => {
  const proved = ["ST*001*0001", ...lines];
  return Buffer.from([...proved, `G85*${checksum(proved)}`, "DXE*1*1", ""].join("\r\n"), "latin1");
};

test("a machine's file says who it is and what it has sold since it was initialised", () => {
  expect(audited(golden("before"))).toEqual({
    serial: "AB0012345678",
    model: "MODEL 7",
    decimals: 2,
    currency: "NZD",
    paid: { vends: 10_193, valueMinor: 3_048_000 },
    cash: { vends: 120, valueMinor: 30_000 },
    cashless: { vends: 10_073, valueMinor: 3_018_000 },
    cashInMinor: 31_400,
    products: [
      {
        id: "11",
        name: "Salted crisps",
        priceMinor: 250,
        paid: { vends: 198, valueMinor: 49_500 },
        cashless: { vends: 78, valueMinor: 19_500 },
      },
      {
        id: "012",
        name: "Café bar",
        priceMinor: 300,
        paid: { vends: 9_995, valueMinor: 2_998_500 },
        cashless: { vends: 9_995, valueMinor: 2_998_500 },
      },
      { id: "13", name: undefined, priceMinor: undefined, paid: undefined, cashless: undefined },
    ],
    incidents: [
      { code: "EGS", count: 40, active: false },
      { code: "EJL", count: 3, active: true },
    ],
    otherLines: 4,
  });
});

test("the checksum is CRC-16/ARC, over lines that end with CR LF whatever the file was stored with", () => {
  // The catalogue's check value is of "123456789"; with CR LF it was worked out by another program.
  expect(checksum(["123456789"])).toBe("74D4");
  const stored = golden("before").toString("latin1").replaceAll("\r\n", "\n");
  expect(audited(Buffer.from(stored, "latin1"))).toEqual(audited(golden("before")));
});

test("cashless devices 1 and 2, and all price lists of a product, are added up", () => {
  const { cashless, products } = audited(
    closed(
      "DA2*500*2",
      "DB2*250*1",
      "PA1*1",
      "PA7*1*DA*0*250*1*250",
      "PA7*1*DA*1*250*1*250",
      "PA7*1*DB*0*250*1*250",
    ),
  );
  expect(cashless).toEqual({ vends: 3, valueMinor: 750 });
  expect(products[0]?.cashless).toEqual({ vends: 3, valueMinor: 750 });
});

// prettier-ignore
const broken: readonly [name: string, file: Uint8Array, fault: Partial<Fault>][] = [
  ["nothing at all",           Buffer.from(""),                                     { kind: "noStart", line: 1 }],
  ["another file",             Buffer.from("%PDF-1.3\n1 0 obj\n"),                  { kind: "noStart", line: 1 }],
  ["a file cut short",         golden("before").subarray(0, 400),                   { kind: "noChecksum" }],
  ["one digit changed",        Buffer.from(golden("before").toString("latin1").replace("*198*", "*199*"), "latin1"), { kind: "checksum", line: 23 }],
  ["a line lost",              Buffer.from(golden("before").toString("latin1").replace("EA2*EGS*2*40**0\r\n", ""), "latin1"), { kind: "checksum", line: 22 }],
  ["an empty checksum",        Buffer.from("ST*001*0001\r\nG85*\r\n"),              { kind: "checksum", line: 2 }],
  ["a count that is none",     closed("PA1*1", "PA2*many*100"),                     { kind: "badNumber", line: 3, field: "PA201", got: "many" }],
  ["a negative count",         closed("VA1*-1*2"),                                  { kind: "badNumber", line: 2, field: "VA101", got: "-1" }],
  ["a count of 11 digits",     closed("CA2*1*12345678901"),                         { kind: "badNumber", line: 2, field: "CA202" }],
  ["seven decimals",           closed("ID4*7**NZD"),                                { kind: "badNumber", line: 2, field: "ID401", got: "7" }],
  ["sales of no product",      closed("PA2*1*100"),                                 { kind: "noProduct", line: 2, segment: "PA2" }],
  ["a product without a name", closed("PA1**100"),                                  { kind: "noProduct", line: 2, segment: "PA1" }],
  ["a product twice",          closed("PA1*1", "PA2*1*100", "PA1*1"),               { kind: "repeatedProduct", line: 4, product: "1" }],
  ["far too much",             Buffer.alloc(MAX_BYTES + 1, "A"),                    { kind: "tooLong", bytes: MAX_BYTES + 1 }],
];
for (const [name, file, fault] of broken)
  test(`${name} is a fault that names its line`, () => expect(faultOf(file)).toMatchObject(fault));

const field = fc.oneof(
  { weight: 40, arbitrary: fc.nat().map(String) },
  { weight: 5, arbitrary: fc.constantFrom("", " 7 ", "007") },
  { weight: 1, arbitrary: fc.string() },
);
const segment = fc
  .record({
    name: fc.constantFrom("ID1", "VA1", "CA2", "CA3", "DA2", "DB2", "PA2", "PA7", "EA2", "ZZ1"),
    fields: fc.array(field, { maxLength: 8 }),
    device: fc.constantFrom("DA", "DB", "CA"),
  })
  .map(({ name, fields, device }) => [name, ...(name === "PA7" ? ["1", device] : []), ...fields].join("*"))
  .map((line) => line.replaceAll(/[\r\n]/g, ""));
const segments = fc.array(segment, { maxLength: 12 }).map((lines) => ["PA1*1", ...lines]);

test("whatever bytes come, a fault is the worst that comes of them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(faultOf(bytes).kind).toBe("noStart");
    }),
  );
  const file = golden("before");
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(file);
      changed[at] = (changed[at] ?? 0) ^ flip;
      const parsed = parseAudit(changed);
      if (parsed.ok) expect(parsed.audit).toEqual(audited(file)); // outside what is proved
    }),
  );
});

test("whatever proved lines come, counts are whole and never negative, and deltas too", () => {
  let read = 0;
  fc.assert(
    fc.property(segments, segments, (a, b) => {
      const [before, after] = [parseAudit(closed(...a)), parseAudit(closed(...b))];
      if (!before.ok || !after.ok) return;
      read += 1;
      for (const paid of after.audit.products.flatMap((product) => [product.paid, product.cashless]))
        for (const count of paid === undefined ? [] : [paid.vends, paid.valueMinor])
          expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
      const between = deltas(before.audit, after.audit);
      for (const { paid, cashless } of between.ok ? between.deltas : [])
        for (const one of [paid, cashless])
          if (one.kind === "counted") expect(Math.min(one.vends, one.valueMinor)).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 2_000 },
  );
  expect(read).toBeGreaterThan(100);
});

test("between two readings it is told what each item sold, over the end of a counter too", () => {
  expect(deltas(audited(golden("before")), audited(golden("after")))).toEqual({
    ok: true,
    deltas: [
      {
        product: "11",
        paid: { kind: "counted", vends: 3, valueMinor: 750 },
        cashless: { kind: "counted", vends: 2, valueMinor: 500 },
      },
      {
        product: "012", // its count of four digits ran over: 9,995 to 3
        paid: { kind: "counted", vends: 8, valueMinor: 2_400 },
        cashless: { kind: "counted", vends: 8, valueMinor: 2_400 },
      },
      { product: "13", paid: { kind: "missing" }, cashless: { kind: "missing" } },
    ],
  });
});

// prettier-ignore
const growths: readonly [name: string, before: string, after: string, growth: Growth][] = [
  ["nothing sold",                "10*2500",     "10*2500", { kind: "counted", vends: 0, valueMinor: 0 }],
  ["initialised again",           "10*2500",     "2*500",   { kind: "restarted" }],
  ["initialised, nothing since",  "10*2500",     "0*0",     { kind: "restarted" }],
  ["initialised near an end",     "9999*99990",  "1*10",    { kind: "restarted" }],
  ["a count of 16 bits ran over", "65530*70000", "4*71000", { kind: "counted", vends: 10, valueMinor: 1_000 }],
  ["a value ran over",            "50*99999900", "52*100",  { kind: "counted", vends: 2, valueMinor: 200 }],
  ["a count that went back",      "500*5000",    "499*6000", { kind: "restarted" }],
];
for (const [name, before, after, growth] of growths)
  test(`${name}: ${growth.kind}`, () => {
    const at = (counter: string) => audited(closed("PA1*1", `PA2*${counter}`));
    expect(deltas(at(before), at(after))).toMatchObject({ deltas: [{ paid: growth }] });
  });

test("two machines, two scales or two currencies are not compared", () => {
  const one = (...lines: readonly string[]) => audited(closed(...lines));
  expect(deltas(one("ID1*A"), one("ID1*B"))).toEqual({ ok: false, differs: "serial" });
  expect(deltas(one("ID4*2**NZD"), one("ID4*1**NZD"))).toEqual({ ok: false, differs: "decimals" });
  expect(deltas(one("ID4*2**NZD"), one("ID4*2**AUD"))).toEqual({ ok: false, differs: "currency" });
});
