/** Paying with a voucher's code at the machine's keypad: real processes, HTTP from the outside. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Rig, until } from "./rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());
beforeEach(async () => {
  await rig.heal();
  await rig.ready();
});

const type = (code: string): Promise<unknown> => rig.sim("POST", "/type", { code });
function code(n: number): string {
  const voucher = rig.file.vouchers[n];
  if (voucher === undefined) throw new Error(`no voucher ${n}`);
  return voucher.code;
}

test("a voucher becomes credit, the machine vends, and the code is good for the rest", async () => {
  const before = { ...(await rig.balances()), fallen: await rig.fallen() };
  await type(code(0));
  await rig.shows("Paid. Choose at the machine");
  await rig.select(11);
  await until("what was not spent is back", async () => {
    const { merchant } = await rig.balances();
    return merchant - before.merchant === 250;
  });
  expect(await rig.fallen()).toBe(before.fallen + 1);
  await rig.ready();
  await type(code(0));
  await rig.shows("Paid. Choose at the machine");
  await until("the rest as credit", async () => (await rig.vending()).display.includes("7.50"));
  await rig.sim("POST", "/cancel", {});
  await until("all of that is back", async () => (await rig.balances()).merchant - before.merchant === 250);
});

test("a product's code opens the machine for that product alone; after a jam it is as good as before", async () => {
  const before = { ...(await rig.balances()), fallen: await rig.fallen() };
  const [{ code: given, product } = { code: "", product: "" }] = rig.file.productCodes;
  expect(product).toBe("Cola");
  await rig.faults({ jam: true });
  await type(given);
  await rig.shows("Paid. Choose 22");
  await rig.select(11);
  await until("the crisps are refused", async () => (await rig.vending()).vmc === "session");
  expect(await rig.fallen()).toBe(before.fallen);
  await rig.select(22);
  await rig.ready();
  expect(await rig.fallen()).toBe(before.fallen);
  await rig.heal();
  await rig.ready();
  await type(given);
  await rig.shows("Paid. Choose 22");
  await rig.select(22);
  await until("the cola is out", async () => (await rig.fallen()) === before.fallen + 1);
  await rig.ready();
  await type(given);
  await rig.shows("That voucher is used up or has expired");
  expect((await rig.balances()).merchant).toBe(before.merchant); // what it paid is the issuer's debt
});

test("half a code is not asked about", async () => {
  await type("12");
  await rig.shows("Type the whole code, then OK");
});

test("wrong codes are refused in words, the machine stays free, and too many slow the terminal down", async () => {
  const wrong = "No voucher has this code. Check it and try again";
  for (let tries = 0; tries < 5; tries += 1) {
    await until("the display is asked again", async () => {
      await type("1111 1111 1111 1111 1117");
      return (await rig.face()).shown !== wrong;
    });
    await rig.shows(wrong);
    expect(await rig.machineState()).toBe("ready");
  }
  await type(code(1));
  await rig.shows(/^Too many tries\. Wait [0-9]+ seconds$/);
  expect(await rig.machineState()).toBe("ready");
});
