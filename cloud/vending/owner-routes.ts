/** What the owner of machines sees of them: `/api/vending/machines` and what is under each. Read, call, render. */
import { z } from "zod";
import type { Clock } from "../../broker/protocol/clock.js";
import type { Endpoints } from "../http/endpoint.js";
import { Fault } from "../http/fault.js";
import { pageQuery, pageSize, toPage } from "../http/page.js";
import type { Reader } from "../store/store.js";
import type { Attendant } from "./attendant.js";
import { configIdsOf, itemsOf, machinesOf, machineState, type Machine } from "./machines.js";
import { ownedMachine, ownedMachineDetail, ownedSale } from "./owned.js";
import type { RequireOwner } from "./owner.js";
import { ownedMachineView, ownedSaleView } from "./render.js";
import { datedSale, doubtfulOf, doubtsOf, heldOf, isHeld, salesOf } from "./sales.js";
import { machineCode } from "./shown.js";

export type OwnerRouteParts = {
  readonly read: Reader;
  readonly clock: Clock;
  readonly attendant: Attendant;
  readonly machine: (code: string) => Promise<Machine>;
  readonly requireOwner: RequireOwner;
};

/** Of more merchant configs than these nobody asks the platform in one breath: name one. */
const MAX_CONFIGS = 20;
const MAX_DOUBTS = 20;
const tag = "Machines";
const atMachine = z.object({ code: machineCode });
const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextPageKey: z.string().optional() });

/** The caller of these is the key itself: whose it is, the payment platform is asked. */
export function ownerRoutes({ keyed }: Endpoints<unknown>, parts: OwnerRouteParts): void {
  const { read, clock, attendant, requireOwner } = parts;
  const owned = async (code: string, key: unknown): Promise<Machine> => {
    const machine = await parts.machine(code);
    await requireOwner(machine.configId, key);
    return machine;
  };

  keyed(
    {
      method: "GET",
      url: "/api/vending/machines",
      name: "listMachines",
      says: "The caller's machines and how each is, by their codes.",
      tag,
      query: pageQuery.extend({
        configId: z
          .string()
          .min(1)
          .max(64)
          .optional()
          .meta({ description: "Only those that sell under this merchant config." }),
      }),
      answer: pageOf(ownedMachine),
      faults: ["PAYMENTS_UNAVAILABLE"],
    },
    async ({ caller: key, query }) => {
      const configIds = await ownedConfigs(key, query.configId);
      const size = pageSize(query);
      const machines = await machinesOf(read, configIds, { after: query.pageKey, limit: size + 1 });
      const ids = machines.map(({ id }) => id);
      const [held, doubtful] = await Promise.all([heldOf(read, ids), doubtfulOf(read, ids)]);
      return toPage(
        machines,
        size,
        ({ code }) => code,
        (machine) =>
          ownedMachineView(
            machine,
            machineState(machine, held.has(machine.id), clock.nowMs()),
            doubtful.get(machine.id) ?? 0,
          ),
      );
    },
  );

  keyed(
    {
      method: "GET",
      url: "/api/vending/machines/:code/state",
      name: "getMachineState",
      says: "How one of the caller's machines is, and the sales that a person should look at now.",
      tag,
      params: atMachine,
      answer: ownedMachineDetail,
      faults: ["PAYMENTS_UNAVAILABLE"],
    },
    async ({ caller: key, params }) => {
      const machine = await owned(params.code, key);
      const [held, items, doubtful, doubts] = await Promise.all([
        isHeld(read, machine.id),
        itemsOf(read, machine.id),
        doubtfulOf(read, [machine.id]),
        doubtsOf(read, machine.id, MAX_DOUBTS),
      ]);
      return {
        ...ownedMachineView(
          machine,
          machineState(machine, held, clock.nowMs()),
          doubtful.get(machine.id) ?? 0,
        ),
        doubts: doubts.map((one) => ownedSaleView(one, items)),
      };
    },
  );

  keyed(
    {
      method: "GET",
      url: "/api/vending/machines/:code/sales",
      name: "listMachineSales",
      says: "What one of the caller's machines was asked for and gave out, newest first.",
      tag,
      params: atMachine,
      query: pageQuery,
      answer: pageOf(ownedSale),
      faults: ["PAYMENTS_UNAVAILABLE"],
    },
    async ({ caller: key, params, query }) => {
      const machine = await owned(params.code, key);
      const [items, rows] = await Promise.all([itemsOf(read, machine.id), salesOf(read, machine.id, query)]);
      return toPage(
        rows,
        pageSize(query),
        ({ sale }) => sale.id,
        (one) => ownedSaleView(one, items),
      );
    },
  );

  keyed(
    {
      method: "POST",
      url: "/api/vending/machines/:code/sales/:id/refund",
      name: "refundVend",
      says: "Give back what one vend of a sale cost, to where it was paid from. Said again, it is done once.",
      tag,
      params: atMachine.extend({
        id: z.string().min(1).max(64).meta({ description: "The sale's." }),
      }),
      body: z.object({ vend: z.int().meta({ description: "As in the sale's `returnable`." }) }),
      answer: ownedSale,
      faults: ["NOT_CHARGED", "PAYMENTS_UNAVAILABLE"],
    },
    async ({ caller: key, params: { code, id }, body: { vend } }) => {
      const machine = await owned(code, key);
      await attendant.apply("id", id, { kind: "givenBack", vend }, { from: machine.id });
      const after = await datedSale(read, machine.id, id);
      if (after === undefined) throw new Fault("FORBIDDEN");
      if (!after.sale.vends.some((one) => one.vend === vend && one.outcome === "loss"))
        throw new Fault("NOT_CHARGED", "vend: the customer does not pay for it, or the sale still goes on");
      return ownedSaleView(after, await itemsOf(read, machine.id));
    },
  );

  /** Those that the key may read. None of them is the same answer as one that is not the caller's. */
  async function ownedConfigs(key: unknown, configId: string | undefined): Promise<readonly string[]> {
    if (configId !== undefined) {
      await requireOwner(configId, key);
      return [configId];
    }
    const all = await configIdsOf(read, MAX_CONFIGS + 1);
    if (all.length > MAX_CONFIGS)
      throw new Fault("MALFORMED", "configId: must be given: machines of many merchants are here");
    const mine = await Promise.all(all.map((one) => isOwner(one, key)));
    const ids = all.filter((_, index) => mine[index] === true);
    if (ids.length === 0) throw new Fault("FORBIDDEN");
    return ids;
  }

  async function isOwner(configId: string, key: unknown): Promise<boolean> {
    try {
      await requireOwner(configId, key);
      return true;
    } catch (error) {
      if (error instanceof Fault && error.code === "FORBIDDEN") return false;
      throw error;
    }
  }
}
