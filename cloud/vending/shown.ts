/** What a customer is answered, as schemas: the document is made from them. render.ts makes these of the rows. */
import { z } from "zod";
import { money } from "../../broker/protocol/money.js";
import { paymentRequest } from "./payments-client.js";

export const timestamp = z.iso.datetime().meta({ description: "ISO 8601, UTC, with milliseconds." });
/** Money that may be nothing. */
export const sum = z.object({ amount: z.string().regex(/^[0-9]+$/), currency: money.shape.currency });
export const machineCode = z.string().min(1).max(64).meta({ description: "As on the machine's sticker." });

export const machineStates = z.enum(["ready", "busy", "offline", "outOfService"]).meta({
  description:
    "`ready` and `busy` sell; `busy` is one that serves somebody else, or waits for their payment; `offline` has not been heard for three minutes, or has said goodbye.",
});
export type MachineState = z.infer<typeof machineStates>;

export const publicStates = z.enum([
  "awaitingPayment",
  "paid",
  "open",
  "vending",
  "settling",
  "settled",
  "cancelled",
  "expired",
  "unknown",
]);
/** What is told of a sale's state, to its customer and to the owner. */
export type PublicState = z.infer<typeof publicStates>;

export const machineView = z
  .object({
    code: z.string(),
    name: z.string(),
    place: z.string(),
    checkWords: z.string().meta({ description: "Printed on the machine's label as well." }),
    state: machineStates,
    currency: money.shape.currency,
    suggestedCredit: z.array(money),
    items: z.array(
      z.object({
        item: z.int().meta({ description: "The number to press." }),
        name: z.string(),
        price: sum,
        available: z.boolean(),
      }),
    ),
  })
  .meta({ id: "CustomersMachine" });
export type MachineView = z.infer<typeof machineView>;

export const vendedItems = z.array(
  z.object({
    item: z.int(),
    name: z.string(),
    price: sum,
    inDoubt: z.boolean().meta({
      description: "It was counted as given out, and paid for, though nobody knows that it was.",
    }),
  }),
);

export const saleView = z
  .object({
    id: z.string(),
    state: publicStates.meta({
      description:
        "`settled`, `cancelled` and `expired` are the end. `unknown`: nobody knows yet what came out.",
    }),
    machine: z.object({ code: z.string(), name: z.string(), place: z.string() }),
    credit: money,
    paymentRequest: paymentRequest.nullable().meta({
      description: "Whole, as the payment platform has it, or last had it.",
    }),
    vended: vendedItems,
    refunded: sum,
    takenOver: z.boolean().meta({
      description:
        "It was given up because nobody had paid for it in time and somebody else asked for the machine.",
    }),
    owed: money.optional().meta({
      description:
        "What could not be given back so far: the payment platform refuses it, and is asked again and again.",
    }),
    session: z
      .object({
        overBy: timestamp.meta({
          description: "Past it the credit cannot be used any more, whether the machine can be heard or not.",
        }),
        givenUpBy: timestamp.meta({
          description: "When what was not vended goes back at the latest, if the machine is not heard again.",
        }),
        stopAsked: z.boolean().meta({ description: "The customer has asked the machine to stop." }),
      })
      .optional()
      .meta({ description: "While the machine has the credit." }),
    timeline: z.array(z.object({ at: timestamp, text: z.string().meta({ description: "A sentence." }) })),
  })
  .meta({ id: "Sale" });
export type SaleView = z.infer<typeof saleView>;
