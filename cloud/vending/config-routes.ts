/** `/api/vending/machines/{code}/config`: what its owner sets in a machine. Read, call, render. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { settable } from "../../broker/protocol/machine-configuration.js";
import { amount, fromMinor, money, toMinor } from "../../broker/protocol/money.js";
import { Fault } from "../http/fault.js";
import type { Count } from "../http/request-counts.js";
import { read } from "../http/server.js";
import type { Reader } from "../store/store.js";
import type { MachineConfigs, StoredConfig } from "./machine-configs.js";
import { itemsOf, type Item, type Machine } from "./machines.js";
import type { RequireOwner } from "./owner.js";

export type ConfigRouteParts = {
  readonly read: Reader;
  readonly machine: (code: string) => Promise<Machine>;
  readonly configs: MachineConfigs;
  readonly requireOwner: RequireOwner;
  readonly admitStranger: Count;
};

const atMachine = z.object({ code: z.string().min(1).max(64) });
const query = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9][0-9]{0,8}$/, "must be a whole number")
    .transform(Number)
    .optional(),
});
/** Prices as everywhere in the API: money, or its amount alone. What is said of the rest, `settable` says. */
const form = z.looseObject({
  items: z
    .array(
      z.looseObject({
        price: z.union([money.strict(), amount], {
          error: "must be {amount, currency}: minor units as a string of digits, and a currency code",
        }),
      }),
    )
    .max(200),
  /** The version this one was made from: refused if there is a newer one by now. */
  after: z.int().nonnegative().optional(),
});

export function configRoutes(app: FastifyInstance, parts: ConfigRouteParts): void {
  const url = "/api/vending/machines/:code/config";
  const owned = async (params: unknown, apiKey: unknown): Promise<Machine> => {
    const machine = await parts.machine(read(atMachine, params).code);
    await parts.requireOwner(machine.configId, apiKey);
    return machine;
  };

  app.get(url, { onRequest: parts.admitStranger }, async (request) => {
    const { version } = read(query, request.query);
    const machine = await owned(request.params, request.headers["x-api-key"]);
    const found = await parts.configs.find(machine, version);
    if (found === undefined && version !== undefined) throw new Fault("FORBIDDEN");
    return view(machine, found, await itemsOf(parts.read, machine.id));
  });

  app.put(url, { onRequest: parts.admitStranger }, async (request) => {
    const machine = await owned(request.params, request.headers["x-api-key"]);
    const { after, items, ...rest } = read(form, request.body);
    const asked = read(settable, { ...rest, items: items.map((item) => inMinor(item, machine.currency)) });
    return view(machine, await parts.configs.add(machine, asked, after), []);
  });
}

function inMinor({ price, ...item }: z.infer<typeof form>["items"][number], currency: string): object {
  const { amount: digits, currency: of = currency } = typeof price === "string" ? { amount: price } : price;
  if (of !== currency) throw new Fault("MALFORMED", `items.price: this machine sells in ${currency}`);
  return { ...item, priceMinor: toMinor({ amount: digits }) };
}

/** A version, and how far the machine is; before the first one, what the machine has now. */
function view(machine: Machine, found: StoredConfig | undefined, itemsNow: readonly Item[]): object {
  const said = machine.status?.config;
  const items = found?.configuration.items ?? itemsNow;
  const { adapterSettings, reader, readyWithinMs } = found?.configuration ?? {};
  return {
    code: machine.code,
    version: found?.configuration.version ?? 0,
    ...(found === undefined ? {} : { at: new Date(found.atMs).toISOString() }),
    /** 0: what the machine's own file says. */
    applied: said?.applied ?? machine.configApplied,
    ...(said?.trying === undefined ? {} : { trying: said.trying }),
    ...(said?.refused === undefined ? {} : { refused: said.refused }),
    currency: machine.currency,
    items: items.map(({ item, name, priceMinor, sku }) => ({
      item,
      name,
      price: fromMinor(priceMinor, machine.currency),
      ...(sku === undefined ? {} : { sku }),
    })),
    texts: found?.configuration.texts ?? {},
    limits: found?.configuration.limits ?? {},
    ...(adapterSettings === undefined ? {} : { adapterSettings }),
    ...(reader === undefined ? {} : { reader }),
    ...(readyWithinMs === undefined ? {} : { readyWithinMs }),
  };
}
