/**
 * What a merchant sets in a machine from afar: every version, which one the machine goes by, and its way there.
 *
 * Owns      the table machine_config.
 * Promises  versions rise, and none is ever changed. Whatever a machine has not decided about is said to it again at each of
 *           its words, so an emptied broker or a new card costs nothing. The customer's page follows what the machine has applied.
 * Never     keeps a message: what is said is the newest row.
 * Crash     a version is there or not; the machine's next word brings it on its way.
 */
import {
  machineConfiguration,
  type MachineConfiguration,
} from "../../broker/protocol/machine-configuration.js";
import type { Clock } from "../../broker/protocol/clock.js";
import type { Body } from "../../broker/protocol/messages.js";
import { forUpdate } from "../store/locks.js";
import { Fault } from "../http/fault.js";
import type { Reader, Store, Tx } from "../store/store.js";
import type { Bus } from "./bus.js";
import type { Log } from "./log.js";
import type { Machine } from "./machines.js";

export type StoredConfig = { readonly configuration: MachineConfiguration; readonly atMs: number };
/** What a merchant gives. The number and the currency are ours to say. */
export type Settable = Omit<MachineConfiguration, "version" | "currency">;
export type MachineConfigsParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly bus: () => Bus;
  readonly log: Log;
};

export class MachineConfigs {
  readonly #parts: MachineConfigsParts;
  constructor(parts: MachineConfigsParts) {
    this.#parts = parts;
  }

  /** The newest version, or that one. */
  async find(machine: Machine, version?: number): Promise<StoredConfig | undefined> {
    return configOf(this.#parts.store.read, machine.id, version);
  }

  /** One more version, on its way to the machine. Raises PRECONDITION_FAILED when `after` is not the newest. */
  async add(
    { id, currency, status }: Machine,
    asked: Settable,
    after: number | undefined,
  ): Promise<StoredConfig> {
    const { store, clock } = this.#parts;
    const made = await store.write(async (tx) => {
      await lockMachine(tx, id);
      const newest = (await configOf(tx, id))?.configuration.version ?? 0;
      // A machine may have decided about higher ones than we have: this database may have been put back.
      const decided = [status?.config?.applied, status?.config?.trying, status?.config?.refused?.version];
      const version = Math.max(newest, ...decided.map((one) => one ?? 0)) + 1;
      if (after !== undefined && after !== newest)
        throw new Fault("PRECONDITION_FAILED", `after: the newest version is ${newest}; look at it first`);
      const configuration = { ...asked, version, currency };
      const atMs = clock.nowMs();
      await insertConfig(tx, id, configuration, atMs);
      return { configuration, atMs };
    });
    this.#say(id, made.configuration);
    return made;
  }

  /** A machine has said what it goes by: what it has not decided about, it is told again. */
  async heard(machineId: string, said: NonNullable<Body["status"]["config"]>): Promise<void> {
    const newest = await configOf(this.#parts.store.read, machineId);
    if (newest === undefined) return;
    const { version } = newest.configuration;
    if ([said.applied, said.trying, said.refused?.version].includes(version)) return;
    this.#say(machineId, newest.configuration);
  }

  #say(machineId: string, configuration: MachineConfiguration): void {
    const { bus, log } = this.#parts;
    bus()
      .say(machineId, "config", configuration)
      .catch((error: unknown) =>
        log.warn(
          { err: error, machine: machineId },
          "configuration not said; it is at the machine's next word",
        ),
      );
  }
}

/** In the transaction of the status that says so: what the customer's page shows is what the machine goes by. */
export async function followConfig(tx: Tx, machineId: string, applied: number): Promise<void> {
  if (applied === 0) return; // a new card; it is about to be told
  const changed = await tx
    .updateTable("machine")
    .set({ config_applied: applied })
    .where("id", "=", machineId)
    .where("config_applied", "<>", applied)
    .returning("id")
    .executeTakeFirst();
  if (changed === undefined) return;
  const found = await configOf(tx, machineId, applied);
  if (found === undefined) return; // this database was put back to before it
  const { items, limits } = found.configuration;
  await tx
    .updateTable("machine")
    .set({ config_max_vends: limits.maxVends ?? null })
    .where("id", "=", machineId)
    .execute();
  await tx
    .deleteFrom("machine_item")
    .where("machine_id", "=", machineId)
    .where("item", "not in", [-1, ...items.map(({ item }) => item)])
    .execute();
  if (items.length === 0) return;
  await tx
    .insertInto("machine_item")
    .values(
      items.map(({ item, name, priceMinor, sku }) => ({
        machine_id: machineId,
        item,
        name,
        price_minor: priceMinor,
        failures: 0,
        sku: sku ?? null,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(["machine_id", "item"]).doUpdateSet((eb) => ({
        name: eb.ref("excluded.name"),
        price_minor: eb.ref("excluded.price_minor"),
        sku: eb.ref("excluded.sku"),
        failures: eb.ref("excluded.failures"), // it may be another product, and somebody has looked at the machine
      })),
    )
    .execute();
}

/** The first version of a machine that has none: what it was set up with, said to the machine, too. */
export async function provisionConfig(
  tx: Tx,
  machineId: string,
  first: Omit<MachineConfiguration, "version">,
  nowMs: number,
): Promise<void> {
  if ((await configOf(tx, machineId)) === undefined)
    await insertConfig(tx, machineId, { ...first, version: 1 }, nowMs);
}

async function insertConfig(
  tx: Tx,
  machineId: string,
  configuration: MachineConfiguration,
  atMs: number,
): Promise<void> {
  await tx
    .insertInto("machine_config")
    .values({
      machine_id: machineId,
      version: configuration.version,
      document: JSON.stringify(configuration),
      created_ms: atMs,
    })
    .execute();
}

async function configOf(db: Reader, machineId: string, version?: number): Promise<StoredConfig | undefined> {
  const all = db.selectFrom("machine_config").selectAll().where("machine_id", "=", machineId);
  const one = version === undefined ? all : all.where("version", "=", version);
  const row = await one.orderBy("version", "desc").limit(1).executeTakeFirst();
  if (row === undefined) return undefined;
  return { configuration: machineConfiguration.parse(JSON.parse(row.document)), atMs: row.created_ms };
}

/** Two versions at once come one after the other. */
async function lockMachine(tx: Tx, id: string): Promise<void> {
  await tx.selectFrom("machine").select("id").where("id", "=", id).$call(forUpdate(tx)).executeTakeFirst();
}
