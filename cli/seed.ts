/**
 * The rig's first rows: a merchant, wallets with test money, vouchers, product codes, machines with identities of their own.
 *
 * Promises  the same accounts, keys and machines at every start in the same directory; more machines when more are asked for.
 * Crash     keys are shown once, when they are made, so the note of them is written right after the commit. Should the
 *           power go between the two, the directory says so at the next start and is best removed.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { randomDigits } from "../broker/protocol/id.js";
import { settable } from "../broker/protocol/machine-configuration.js";
import { fromMinor, money } from "../broker/protocol/money.js";
import { createIdentity, publicHalf, readIdentity } from "../controller/identity.js";
import {
  provisionMerchant,
  provisionToken,
  provisionVoucher,
  provisionWallet,
  setWebhookUrl,
  type Making,
} from "../cloud/payments/provision.js";
import type { Store } from "../cloud/store/store.js";
import { provisionConfig } from "../cloud/vending/machine-configs.js";
import { provisionBusKey, type PublicKey } from "../cloud/vending/provision.js";
import type { Login } from "../broker/access.js";
import { enrolMachine, machineLogin } from "./enrolment.js";
import {
  CURRENCY,
  DECIMALS,
  GIVEN,
  MAX_CREDIT_MINOR,
  MIN_CREDIT_MINOR,
  PRODUCT_CODES,
  rigMachine,
  SUGGESTED_CREDIT_MINOR,
  TOP_UP_MINOR,
  VOUCHERS_MINOR,
  WALLETS,
} from "./rig-plan.js";

const wallet = z.strictObject({ accountId: z.string(), apiKey: z.string(), assetId: z.string() });
const voucher = z.strictObject({ code: z.string(), value: money });
const productCode = z.strictObject({ code: z.string(), product: z.string() });
const seedFile = z.strictObject({
  ownerAccountId: z.string(),
  merchantId: z.string(),
  configId: z.string(),
  walletId: z.string(),
  ownerKey: z.string(),
  terminalKey: z.string(),
  wallets: z.array(wallet),
  vouchers: z.array(voucher).default([]),
  productCodes: z.array(productCode).default([]),
  mqttPassword: z.string(),
});
export type Seed = z.infer<typeof seedFile>;
export type Seeded = {
  readonly seed: Seed;
  readonly cloudKeys: readonly PublicKey[];
  readonly logins: readonly Login[];
};

/** Makes what is not there yet for `machines` machines, and points the platform's webhooks at this start's address. */
export async function seedRig(
  store: Store,
  at: { readonly dir: string; readonly machines: number; readonly webhookUrl: string },
  making: Making,
): Promise<Seeded> {
  const { clock, random } = making;
  const seed = readSeed(at.dir) ?? (await plant(store, at.dir, making));
  const nowMs = clock.nowMs();
  const identities = Array.from({ length: at.machines }, (_, index) => {
    const { id } = rigMachine(index + 1);
    const dir = machineDir(at.dir, id);
    return publicHalf(
      existsSync(join(dir, "identity.json")) ? readIdentity(dir) : createIdentity(dir, id, random),
    );
  });
  const cloudKeys = await store.write(async (tx) => {
    await setWebhookUrl(tx, making, seed.ownerAccountId, at.webhookUrl, ["payment-request:paid"]);
    for (const [index, identity] of identities.entries()) {
      const plan = rigMachine(index + 1);
      await enrolMachine(
        tx,
        identity,
        {
          ...plan,
          currency: CURRENCY,
          decimals: DECIMALS,
          configId: seed.configId,
          suggestedCreditMinor: SUGGESTED_CREDIT_MINOR,
          minCreditMinor: MIN_CREDIT_MINOR,
          maxCreditMinor: MAX_CREDIT_MINOR,
          maxVends: 1,
        },
        nowMs,
        { replace: false },
      );
      // So that the machine's own display, too, says what it gives out by its name.
      const named = settable.parse({ items: plan.items });
      await provisionConfig(tx, plan.id, { ...named, currency: CURRENCY }, nowMs);
    }
    return provisionBusKey(tx, nowMs);
  });
  const logins: Login[] = [
    {
      role: "cloud",
      username: "cloud",
      passwordSha256: createHash("sha256").update(seed.mqttPassword).digest("hex"),
    },
    ...identities.map(machineLogin),
  ];
  return { seed, cloudKeys, logins };
}

export const machineDir = (dir: string, id: string): string => join(dir, "machines", id);

const noteOf = (dir: string): string => join(dir, "seed.json");

function readSeed(dir: string): Seed | undefined {
  if (!existsSync(noteOf(dir))) return undefined;
  return seedFile.parse(JSON.parse(readFileSync(noteOf(dir), "utf8")));
}

async function plant(store: Store, dir: string, making: Making): Promise<Seed> {
  const made = await store.write(async (tx) => {
    const stranger = await tx.selectFrom("account").select("id").executeTakeFirst();
    if (stranger !== undefined)
      throw new Error(`${dir} has accounts but no note of their keys: remove the directory and start again`);
    const { collectionId = "", ...merchant } = await provisionMerchant(tx, making, {
      name: "Snack Street",
      merchantName: "Snack Street",
      country: "NZ",
      currency: CURRENCY,
      allowedRedirectUrls: [],
      vouchers: true,
      gives: [{ sku: GIVEN.sku, name: GIVEN.name, maxValue: fromMinor(GIVEN.priceMinor, CURRENCY) }],
    });
    const wallets = [];
    for (let n = 1; n <= WALLETS; n += 1)
      wallets.push(
        await provisionWallet(tx, making, {
          name: `Test wallet ${n}`,
          currency: CURRENCY,
          topUpMinor: TOP_UP_MINOR,
        }),
      );
    const vouchers = [];
    for (const minor of VOUCHERS_MINOR) {
      const value = fromMinor(minor, CURRENCY);
      const code = await provisionVoucher(tx, making, { accountId: merchant.ownerAccountId, value });
      vouchers.push({ code, value });
    }
    const productCodes = [];
    for (let n = 1; n <= PRODUCT_CODES; n += 1) {
      const of = { accountId: merchant.ownerAccountId, collectionId, idempotencyKey: String(n) };
      productCodes.push({ code: await provisionToken(tx, making, of), product: GIVEN.name });
    }
    return { ...merchant, wallets, vouchers, productCodes };
  });
  const seed = seedFile.parse({ ...made, mqttPassword: randomDigits(43, making.random) });
  writePrivately(noteOf(dir), seed);
  return seed;
}

/** A JSON file only its owner can read, whole or not at all. */
export function writePrivately(path: string, value: unknown): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
