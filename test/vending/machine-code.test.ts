/** A machine's code as it is typed from its label: in capitals or not, it is the same machine. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cloud, MACHINE } from "./cloud.js";

let cloud: Cloud;
beforeAll(async () => {
  cloud = await Cloud.start({ webhooks: false });
});
afterAll(() => cloud[Symbol.asyncDispose]());

const CODE = MACHINE.toUpperCase();
const at = (code: string): string => `/api/vending/machines/${code}`;

test("a code typed in small letters is found, and answered as it is printed", async () => {
  const printed = await cloud.call("GET", at(CODE));
  expect(printed).toMatchObject({ status: 200, body: { code: CODE } });
  expect(await cloud.call("GET", at(CODE.toLowerCase()))).toEqual(printed);
});

test("so it is by its owner", async () => {
  const { status, body } = await cloud.call(
    "GET",
    `${at(CODE.toLowerCase())}/state`,
    undefined,
    cloud.merchant.ownerKey,
  );
  expect({ status, code: body["code"] }).toEqual({ status: 200, code: CODE });
});

test("a code that no machine has is still nobody's", async () => {
  expect(await cloud.call("GET", at("nobodys"))).toMatchObject({
    status: 403,
    body: { message: "Forbidden" },
  });
});
