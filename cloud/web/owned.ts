/** What the cloud says to the owner of machines, and only the part of it that the owner's page shows. */
import type { Answer, Api } from "./api.js";
import { fields, flag, id, instant, list, maybe, oneOf, text, whole, type Shape } from "./shape.js";
import { machineStates, money, saleStates, vended } from "./wire.js";

const telemetry = fields({
  at: instant,
  uptimeSeconds: whole,
  boxUptimeSeconds: whole,
  residentMb: whole,
  freeDiskMb: maybe(whole),
  temperatureC: maybe(whole),
  commits: whole,
  serialLosses: whole,
  mdbResets: whole,
  vends: fields({ succeeded: whole, failed: whole, unknown: whole }),
});
export type Telemetry = Shape<typeof telemetry>;

const ofMachine = {
  code: text,
  name: text,
  place: text,
  state: oneOf(...machineStates),
  reason: maybe(text),
  heardAt: maybe(instant),
  version: maybe(text),
  configuration: fields({
    applied: whole,
    trying: maybe(whole),
    refused: maybe(fields({ version: whole, at: text })),
  }),
  doubtful: whole,
  telemetry: maybe(telemetry),
};
export const ownedMachine = fields(ofMachine);
export type OwnedMachine = Shape<typeof ownedMachine>;

export const ownedSale = fields({
  id,
  at: instant,
  state: oneOf(...saleStates),
  credit: money,
  paid: flag,
  vended,
  refunded: money,
  returnable: list(fields({ vend: whole, name: text, price: money })),
  paymentRequestId: maybe(text),
  flags: list(text),
});
export type OwnedSale = Shape<typeof ownedSale>;

export const machineDetail = fields({ ...ofMachine, doubts: list(ownedSale) });
export type MachineDetail = Shape<typeof machineDetail>;

export type Listed<T> = { readonly items: readonly T[]; readonly more: boolean };

const MACHINES = "/api/vending/machines";
const pageOf = <T>(item: (value: unknown, at: string) => T) =>
  fields({ items: list(item), nextPageKey: maybe(text) });
const PAGE = 50;

/** As many pages of the list as are open. The first one that is refused refuses them all. */
async function pages<T>(
  api: Api,
  key: string,
  path: string,
  item: (value: unknown, at: string) => T,
  count: number,
): Promise<Answer<Listed<T>>> {
  const items: T[] = [];
  let after = "";
  for (let n = 0; n < count; n += 1) {
    const from = after === "" ? "" : `&pageKey=${encodeURIComponent(after)}`;
    const answer = await api.read(pageOf(item), `${path}?paginationLimit=${PAGE}${from}`, key);
    if (!answer.ok) return answer;
    items.push(...answer.value.items);
    after = answer.value.nextPageKey ?? "";
    if (after === "") break;
  }
  return { ok: true, value: { items, more: after !== "" } };
}

export const machinesOf = (api: Api, key: string, count: number): Promise<Answer<Listed<OwnedMachine>>> =>
  pages(api, key, MACHINES, ownedMachine, count);

export const salesOf = (
  api: Api,
  key: string,
  code: string,
  count: number,
): Promise<Answer<Listed<OwnedSale>>> => pages(api, key, `${MACHINES}/${code}/sales`, ownedSale, count);

/** Gives back what a vend cost. However often it is said, it is done once. */
export const giveBack = (
  api: Api,
  key: string,
  code: string,
  { saleId, vend }: { readonly saleId: string; readonly vend: number },
): Promise<Answer<OwnedSale>> =>
  api.post(ownedSale, `${MACHINES}/${code}/sales/${saleId}/refund`, key, { vend });

export const detailOf = (api: Api, key: string, code: string): Promise<Answer<MachineDetail>> =>
  api.read(machineDetail, `${MACHINES}/${code}/state`, key);
