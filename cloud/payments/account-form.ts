/** What clients send about accounts, as schemas. Pure. */
import { z } from "zod";
import { text } from "./request-form.js";

export const accountTypes = ["org", "individual"] as const;
export const regions = ["NZ", "AU", "US"] as const;

const type = z.enum(accountTypes, `must be one of ${accountTypes.join(", ")}`);
const region = z.enum(regions, `must be one of ${regions.join(", ")}`);

export const accountForm = z
  .object({
    name: text(255),
    type,
    region: region.optional().meta({ description: "Where it does business. An org has one." }),
    owner: text(64).optional().meta({ description: "The account that will manage it: the caller's own." }),
    test: z.boolean().optional().meta({ description: "As the caller's, which is also the default." }),
  })
  .refine((form) => form.type !== "org" || form.region !== undefined, {
    path: ["region"],
    message: "is required for an org",
  });
export type AccountForm = z.infer<typeof accountForm>;

/** What is left out stays as it is. What cannot change may be said, but only as it is. */
export const accountChange = z.object({
  name: text(255).optional(),
  region: region.optional().meta({ description: "Of an account that has none yet." }),
  type: type.optional(),
  test: z.boolean().optional(),
});
export type AccountChange = z.infer<typeof accountChange>;
