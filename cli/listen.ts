/**
 * `scanvend listen`: an account's notifications as they happen, and forwarded to a receiver on this computer as webhooks.
 *
 * Promises  from its beginning until it is stopped, each notification is printed once and sent once, in order, with the exact
 *           text and signature of a webhook, whether or not the receiver or the platform is away for a while.
 * Never     asks the platform to reach this computer: it asks the platform, again and again.
 * Bounded   by what is younger than a few seconds: only those notifications may come again, so only their ids are kept.
 */
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { webhookUrl } from "../cloud/payments/webhook-form.js";
import { notificationTypes, type NotificationType } from "../cloud/payments/request.js";
import type { Io } from "./io.js";
import { askPlatform, whyNotReached, type Access } from "./platform-client.js";
import { readRigFile } from "./rig-file.js";

export const usage = `scanvend listen [--forward-to URL] [--types TYPE,TYPE] [--data DIR | --url URL --key KEY] [--json]

  Prints each notification of the account as it happens, and sends it to a receiver as a webhook would be.

  --forward-to URL  the receiver, such as http://127.0.0.1:3000/webhooks
  --types TYPES     only these (default: ${notificationTypes.join(",")})
  --data DIR        the running rig's directory (default: data)
  --url URL         another payment platform, with
  --key KEY         the API key of an account's owner there
  --json            one JSON object a line
  --help            this text`;

const POLL_MS = 500;
const SLOWEST_POLL_MS = 10_000;
/** Sent one after the other, a page of them is through before their signatures run out, however slow the receiver. */
const PAGE = 20;
const FORWARD_WITHIN_MS = 5_000;

const notification = z.looseObject({
  id: z.string(),
  type: z.string(),
  createdAt: z.string(),
  data: z.looseObject({
    paymentRequestId: z.string(),
    value: z.object({ amount: z.string(), currency: z.string() }),
  }),
  body: z.string().optional(),
  authorization: z.string().optional(),
});
type Notification = z.infer<typeof notification>;
const page = z.object({ items: z.array(notification), after: z.string() });

type Call = {
  readonly access: Access;
  readonly forwardTo: string | undefined;
  readonly types: readonly NotificationType[];
  readonly json: boolean;
};
type Forwarded = { readonly durationMs: number } & ({ readonly status: number } | { readonly error: string });

/** Exit status: 0 stopped as asked, 1 the platform refused, 2 called wrongly. */
export async function listen(argv: readonly string[], io: Io, stop: AbortSignal): Promise<number> {
  const call = read(argv);
  if (call === "help") {
    io.out(usage);
    return 0;
  }
  if (typeof call === "string") {
    io.err(`scanvend listen: ${call}\n\n${usage}`);
    return 2;
  }
  return follow(call, io, stop);
}

async function follow(call: Call, io: Io, stop: AbortSignal): Promise<number> {
  const audience = call.forwardTo === undefined ? "" : `&audience=${encodeURIComponent(call.forwardTo)}`;
  let after = "now";
  let seen: ReadonlySet<string> = new Set();
  let waitMs = POLL_MS;
  const isOver = (): boolean => stop.aborted;
  while (!isOver()) {
    const path = `/api/notifications?after=${after}&paginationLimit=${PAGE}${audience}`;
    const answer = await askPlatform(call.access, page, { method: "GET", path, stop });
    if (isOver()) break;
    if (answer.kind === "refused") {
      io.err(`scanvend listen: ${call.access.url} refused: ${answer.why}`);
      return 1;
    }
    if (answer.kind === "away") {
      if (waitMs === POLL_MS) io.err(`${call.access.url} is away (${answer.why}); asking again`);
      waitMs = Math.min(waitMs * 2, SLOWEST_POLL_MS);
      await pause(waitMs, stop);
      continue;
    }
    if (after === "now") io.err(greeting(call));
    else if (waitMs > POLL_MS) io.err(`${call.access.url} is back`);
    waitMs = POLL_MS;
    const { items, after: next } = answer.body;
    for (const item of items) if (!seen.has(item.id) && !isOver()) await tell(item, call, io, stop);
    seen = new Set([...seen, ...items.map(({ id }) => id)].filter((id) => id > next));
    const isMoving = items.length === PAGE && next !== after;
    after = next;
    if (!isMoving) await pause(waitMs, stop);
  }
  return 0;
}

const greeting = ({ access, forwardTo, types }: Call): string =>
  `Listening at ${access.url} for ${types.join(", ")}${forwardTo === undefined ? "" : `; forwarding to ${forwardTo}`}. Ctrl-C stops.`;

async function tell(item: Notification, call: Call, io: Io, stop: AbortSignal): Promise<void> {
  const { id, type, createdAt, data } = item;
  if (!call.types.some((wanted) => wanted === type)) return;
  const { paymentRequestId, value } = data;
  if (!call.json) io.out(`${createdAt}  ${type}  ${paymentRequestId}  ${value.amount} ${value.currency}`);
  const forwarded = call.forwardTo === undefined ? undefined : await forward(item, call.forwardTo, stop);
  if (call.json)
    io.out(JSON.stringify({ id, type, createdAt, paymentRequestId, value, ...(forwarded && { forwarded }) }));
  else if (forwarded !== undefined)
    io.out(
      `  -> ${"status" in forwarded ? String(forwarded.status) : `not heard: ${forwarded.error}`} (${forwarded.durationMs} ms)`,
    );
}

/** Once: what a receiver that was away has missed is told to whoever develops it, who can make it happen again. */
async function forward(
  { body, authorization }: Notification,
  url: string,
  stop: AbortSignal,
): Promise<Forwarded> {
  if (body === undefined || authorization === undefined)
    throw new Error("the platform was asked for signed notifications and gave one without");
  const fromMs = performance.now();
  const durationMs = (): number => Math.round(performance.now() - fromMs);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization },
      body,
      redirect: "manual",
      signal: AbortSignal.any([AbortSignal.timeout(FORWARD_WITHIN_MS), stop]),
    });
    await response.body?.cancel();
    return { status: response.status, durationMs: durationMs() };
  } catch (error) {
    return { error: whyNotReached(error), durationMs: durationMs() };
  }
}

async function pause(ms: number, stop: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error; // that it was stopped is not an error
  }
}

/** The call, "help", or what is wrong with it. An option nobody declared is the front door's to refuse. */
function read(argv: readonly string[]): Call | string {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      "forward-to": { type: "string" },
      types: { type: "string" },
      data: { type: "string", default: "data" },
      url: { type: "string" },
      key: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { "forward-to": forwardTo, url, key, data, json } = values;
  if (forwardTo !== undefined && !webhookUrl.safeParse(forwardTo).success)
    return "--forward-to: must be an http(s) address without a user name";
  const types: NotificationType[] = [];
  for (const name of values.types?.split(",") ?? notificationTypes) {
    const type = notificationTypes.find((known) => known === name);
    if (type === undefined) return `--types: ${name} is none of ${notificationTypes.join(", ")}`;
    types.push(type);
  }
  const access = accessOf(url, key, data);
  return typeof access === "string" ? access : { access, forwardTo, types, json };
}

function accessOf(url: string | undefined, key: string | undefined, data: string): Access | string {
  if (url === undefined && key === undefined) {
    const rig = readRigFile(data);
    if (rig === undefined)
      return `no rig is running in ${data}: start one, name its directory with --data, or give --url and --key`;
    return { url: rig.cloudUrl, key: rig.keys.owner };
  }
  if (url === undefined || !/^https?:\/\/[^\s/]+/.test(url))
    return "--url: must begin with http:// or https://";
  if (key === undefined || !/^[!-~]+$/.test(key)) return "--key: an API key is needed with --url";
  return { url: url.replace(/\/+$/, ""), key };
}
