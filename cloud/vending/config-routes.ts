/** `/api/vending/machines/{code}/config`: what its owner sets in a machine. Read, call, render. */
import { z } from "zod";
import {
  notFromAfar,
  settable,
  settableItem,
  settableItems,
} from "../../broker/protocol/machine-configuration.js";
import { amount, fromMinor, money, toMinor } from "../../broker/protocol/money.js";
import type { Endpoints } from "../http/endpoint.js";
import { Fault } from "../http/fault.js";
import type { Reader } from "../store/store.js";
import type { MachineConfigs, Settable, StoredConfig } from "./machine-configs.js";
import { itemsOf, type Item, type Machine } from "./machines.js";
import { configurationState } from "./owned.js";
import type { RequireOwner } from "./owner.js";
import { machineCode, sum, timestamp } from "./shown.js";

export type ConfigRouteParts = {
  readonly read: Reader;
  readonly machine: (code: string) => Promise<Machine>;
  readonly configs: MachineConfigs;
  readonly requireOwner: RequireOwner;
};

const tag = "Configuration";
const url = "/api/vending/machines/:code/config";
const atMachine = z.object({ code: machineCode });
const query = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9][0-9]{0,8}$/, "must be a whole number")
    .transform(Number)
    .optional()
    .meta({ description: "That one instead of the newest." }),
});
/** Prices as everywhere in the API: money, or its amount alone. */
const item = settableItem.omit({ priceMinor: true });
const form = settable.extend({
  items: settableItems(
    item.extend({
      price: z.union([money.strict(), amount], {
        error: "must be {amount, currency}: minor units as a string of digits, and a currency code",
      }),
    }),
  ),
  after: z.int().nonnegative().optional().meta({
    description: "The version this one was made from: refused if there is a newer one by now.",
  }),
});
const { texts, limits, adapterSettings, reader, readyWithinMs } = settable.shape;
const answer = z
  .object({
    code: z.string(),
    version: z.int().meta({ description: "0: none was set, and this is what the machine has." }),
    at: timestamp.optional(),
    ...configurationState.shape,
    currency: money.shape.currency,
    items: z.array(item.extend({ price: sum })),
    texts: texts.unwrap(),
    limits: limits.unwrap(),
    adapterSettings,
    reader,
    readyWithinMs: readyWithinMs.unwrap().optional(),
  })
  .meta({ id: "MachineConfiguration" });
type View = z.infer<typeof answer>;

/** The caller of these is the key itself: whose it is, the payment platform is asked. */
export function configRoutes({ keyed }: Endpoints<unknown>, parts: ConfigRouteParts): void {
  const owned = async (code: string, key: unknown): Promise<Machine> => {
    const machine = await parts.machine(code);
    await parts.requireOwner(machine.configId, key);
    return machine;
  };

  keyed(
    {
      method: "GET",
      url,
      name: "getMachineConfiguration",
      says: "What is set in one of the caller's machines, and how far the machine is with it.",
      tag,
      params: atMachine,
      query,
      answer,
      faults: ["PAYMENTS_UNAVAILABLE"],
    },
    async ({ caller: key, params, query: { version } }) => {
      const machine = await owned(params.code, key);
      const found = await parts.configs.find(machine, version);
      if (found === undefined && version !== undefined) throw new Fault("FORBIDDEN");
      return view(machine, found, await itemsOf(parts.read, machine.id));
    },
  );

  keyed(
    {
      method: "PUT",
      url,
      name: "setMachineConfiguration",
      says: "Set all of it, as one more version; the machine tries it between two sales, and takes it back if it does not become ready.",
      tag,
      params: atMachine,
      body: form,
      answer,
      faults: ["PRECONDITION_FAILED", "PAYMENTS_UNAVAILABLE"],
    },
    async ({ caller: key, params, body: { after, items, ...rest } }) => {
      const machine = await owned(params.code, key);
      const refused = notFromAfar(rest);
      if (refused !== undefined) throw new Fault("MALFORMED", refused);
      const asked: Settable = { ...rest, items: items.map((one) => inMinor(one, machine.currency)) };
      return view(machine, await parts.configs.add(machine, asked, after), []);
    },
  );
}

function inMinor(
  { price, ...rest }: z.infer<typeof form>["items"][number],
  currency: string,
): Settable["items"][number] {
  const { amount: digits, currency: of = currency } = typeof price === "string" ? { amount: price } : price;
  if (of !== currency) throw new Fault("MALFORMED", `items.price: this machine sells in ${currency}`);
  return { ...rest, priceMinor: toMinor({ amount: digits }) };
}

/** A version, and how far the machine is; before the first one, what the machine has now. */
function view(machine: Machine, found: StoredConfig | undefined, itemsNow: readonly Item[]): View {
  const said = machine.status?.config;
  const items = found?.configuration.items ?? itemsNow;
  const set = found?.configuration;
  return {
    code: machine.code,
    version: set?.version ?? 0,
    ...(found === undefined ? {} : { at: new Date(found.atMs).toISOString() }),
    applied: said?.applied ?? machine.configApplied,
    ...(said?.trying === undefined ? {} : { trying: said.trying }),
    ...(said?.refused === undefined ? {} : { refused: said.refused }),
    currency: machine.currency,
    items: items.map(({ item: number, name, priceMinor, sku }) => ({
      item: number,
      name,
      price: fromMinor(priceMinor, machine.currency),
      ...(sku === undefined ? {} : { sku }),
    })),
    texts: set?.texts ?? {},
    limits: set?.limits ?? {},
    ...(set?.adapterSettings === undefined ? {} : { adapterSettings: set.adapterSettings }),
    ...(set?.reader === undefined ? {} : { reader: set.reader }),
    ...(set?.readyWithinMs === undefined ? {} : { readyWithinMs: set.readyWithinMs }),
  };
}
