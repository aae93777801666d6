/** The machines of the rig, by id and by the code on their sticker. */
import type { MachinePlan } from "../configuration.js";
import { Station, type StationParts } from "./station.js";

export class Fleet implements AsyncDisposable {
  readonly stations: readonly Station[];

  private constructor(stations: readonly Station[]) {
    this.stations = stations;
  }

  static async open(plans: readonly MachinePlan[], parts: StationParts): Promise<Fleet> {
    return new Fleet(await Promise.all(plans.map((plan) => Station.open(plan, parts))));
  }

  find(idOrCode: string): Station | undefined {
    return this.stations.find(({ plan }) => plan.id === idOrCode || plan.code === idOrCode);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.stations.map((station) => station[Symbol.asyncDispose]()));
  }
}
