/**
 * `scanvend trigger`: makes a notification happen, by really doing what it speaks of.
 *
 * Promises  a payment request is made, paid with test money and, for the refund types, given back whole.
 */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { z } from "zod";
import { notificationTypes, type NotificationType } from "../cloud/payments/request.js";
import type { Io } from "./io.js";
import { askPlatform } from "./platform-client.js";
import { readRigFile } from "./rig-file.js";

export const usage = `scanvend trigger TYPE [--data DIR | --url URL --key KEY --config ID --wallet-key KEY --asset ID] [--json]

  Makes a payment request of 100 minor units, pays it, and refunds it if TYPE is of a refund.

  TYPE              ${notificationTypes.join(" | ")}
  --data DIR        the running rig's directory (default: data)
  --url URL         another payment platform, with
  --key KEY           a merchant's API key there
  --config ID         the merchant config
  --wallet-key KEY    the API key of a test wallet's owner
  --asset ID          the wallet
  --json            print the ids as JSON
  --help            this text`;

const AMOUNT = "100";
const TOP_UP = "10000";

type Place = {
  readonly url: string;
  readonly key: string;
  readonly configId: string;
  readonly walletKey: string;
  readonly assetId: string;
};
type Call = { readonly type: NotificationType; readonly place: Place; readonly json: boolean };
type Made = {
  readonly type: NotificationType;
  readonly paymentRequestId: string;
  readonly paymentId: string;
  readonly refundId?: string;
};

const asset = z.looseObject({ type: z.string(), currency: z.string(), availableBalance: z.string() });
const made = z.looseObject({ id: z.string() });

/** A step that the platform did not do. */
class NotDone extends Error {
  override readonly name = "NotDone";
}

/** Exit status: 0 done, 1 the platform refused or is away, 2 called wrongly. */
export async function trigger(argv: readonly string[], io: Io): Promise<number> {
  const call = read(argv);
  if (call === "help") {
    io.out(usage);
    return 0;
  }
  if (typeof call === "string") {
    io.err(`scanvend trigger: ${call}\n\n${usage}`);
    return 2;
  }
  try {
    const ids = await happen(call);
    if (call.json) io.out(JSON.stringify(ids));
    else {
      io.out(`payment request  ${ids.paymentRequestId}`);
      io.out(`payment          ${ids.paymentId}`);
      if (ids.refundId !== undefined) io.out(`refund           ${ids.refundId}`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof NotDone)) throw error;
    io.err(`scanvend trigger: ${error.message}`);
    return 1;
  }
}

async function happen({ type, place }: Call): Promise<Made> {
  const { url, key, configId, walletKey, assetId } = place;
  const does = async <T>(
    as: string,
    schema: z.ZodType<T>,
    method: "GET" | "POST",
    path: string,
    body?: object,
  ): Promise<T> => {
    const answer = await askPlatform({ url, key: as }, schema, {
      method,
      path,
      ...(body === undefined ? {} : { body }),
    });
    if (answer.kind === "answered") return answer.body;
    throw new NotDone(
      `${method} ${url}${path} ${answer.kind === "away" ? "got no answer" : "was refused"}: ${answer.why}`,
    );
  };
  const ref = `trigger-${randomUUID()}`;
  const wallet = await does(walletKey, asset, "GET", `/api/assets/${assetId}`);
  const value = { amount: AMOUNT, currency: wallet.currency };
  if (Number(wallet.availableBalance) < Number(AMOUNT))
    await does(walletKey, made, "POST", `/api/assets/${assetId}/top-up`, {
      value: { ...value, amount: TOP_UP },
      idempotencyKey: ref,
    });
  const request = await does(key, made, "POST", "/api/payment-requests", {
    configId,
    value,
    externalRef: ref,
  });
  const at = `/api/payment-requests/${request.id}`;
  const pay = { assetType: wallet.type, assetId, idempotencyKey: ref };
  const payment = await does(walletKey, made, "POST", `${at}/pay`, pay);
  const ids = { type, paymentRequestId: request.id, paymentId: payment.id };
  if (type === "payment-request:paid") return ids;
  const refund = await does(key, made, "POST", `${at}/refund`, { value, externalRef: ref });
  return { ...ids, refundId: refund.id };
}

/** The call, "help", or what is wrong with it. An option nobody declared is the front door's to refuse. */
function read(argv: readonly string[]): Call | string {
  const text = { type: "string" } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      data: { type: "string", default: "data" },
      url: text,
      key: text,
      config: text,
      "wallet-key": text,
      asset: text,
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const type = notificationTypes.find((known) => known === positionals[0]);
  if (type === undefined || positionals.length > 1)
    return `TYPE: must be one of ${notificationTypes.join(", ")}`;
  const { url, key, config: configId, "wallet-key": walletKey, asset: assetId, data, json } = values;
  if ([url, key, configId, walletKey, assetId].every((value) => value === undefined)) {
    const rig = readRigFile(data);
    const wallet = rig?.wallets[0];
    if (rig === undefined || wallet === undefined)
      return `no rig is running in ${data}: start one, name its directory with --data, or give --url and what goes with it`;
    const ofRig = { url: rig.cloudUrl, key: rig.keys.terminal, configId: rig.configId };
    return { type, place: { ...ofRig, walletKey: wallet.apiKey, assetId: wallet.assetId }, json };
  }
  if (url === undefined || !/^https?:\/\/[^\s/]+/.test(url))
    return "--url: must begin with http:// or https://";
  if (key === undefined || configId === undefined || walletKey === undefined || assetId === undefined)
    return "--url: needs --key, --config, --wallet-key and --asset, too";
  return { type, place: { url: url.replace(/\/+$/, ""), key, configId, walletKey, assetId }, json };
}
