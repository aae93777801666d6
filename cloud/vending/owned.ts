/** What the owner of a machine is answered, as schemas: the document is made from them. render.ts makes these of the rows. */
import { z } from "zod";
import { telemetry } from "../../broker/protocol/messages.js";
import { money } from "../../broker/protocol/money.js";
import { machineStates, publicStates, sum, timestamp, vendedItems } from "./shown.js";

/** How far a machine is with what is set in it. */
export const configurationState = z.object({
  applied: z.int().meta({ description: "The version it goes by; 0 is its own file." }),
  trying: z.int().optional(),
  refused: z.object({ version: z.int(), at: z.string() }).optional(),
});

export const ownedSale = z
  .object({
    id: z.string().meta({ description: "The reference that its customer reads." }),
    at: timestamp,
    state: publicStates,
    credit: sum,
    paid: z.boolean().meta({ description: "Whether the credit was paid; else it was only asked for." }),
    paymentRequestId: z.string().optional().meta({ description: "At the payment platform." }),
    vended: vendedItems,
    refunded: sum,
    returnable: z
      .array(z.object({ vend: z.int(), item: z.int(), name: z.string(), price: sum }))
      .meta({ description: "What was charged for, or may yet be, and its owner may give back." }),
    flags: z.array(z.string()).readonly().meta({ description: "Codes of what a person should look at." }),
  })
  .meta({ id: "MachineSale" });
export type OwnedSale = z.infer<typeof ownedSale>;

export const ownedMachine = z
  .object({
    code: z.string().meta({ description: "As on its sticker." }),
    name: z.string(),
    place: z.string(),
    currency: money.shape.currency,
    state: machineStates,
    reason: z.string().optional().meta({ description: "A code for why it is out of service." }),
    heardAt: timestamp.optional().meta({
      description:
        "When it last said how it is; of one that is offline, since when. Left out, it was never heard.",
    }),
    version: z.string().optional().meta({ description: "Of its controller." }),
    mdb: z.string().optional().meta({ description: "How it stands with the machine's own bus." }),
    configuration: configurationState,
    doubtful: z.int().meta({ description: "How many of its sales are as `doubts` of its state has them." }),
    telemetry: telemetry
      .extend({ at: timestamp })
      .optional()
      .meta({ description: "What it last said of its box, counted since its controller started." }),
  })
  .meta({ id: "Machine" });
export type OwnedMachine = z.infer<typeof ownedMachine>;

export const ownedMachineDetail = ownedMachine
  .extend({
    doubts: z.array(ownedSale).meta({
      description:
        "Sales of which nobody knows yet whether the product came out (`unknown`), or whose refund is refused (`settling`): the first of them.",
    }),
  })
  .meta({ id: "MachineDetail" });
