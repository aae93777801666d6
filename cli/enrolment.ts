/** What makes a machine one of a cloud's: its rows there, and its login at the broker. The rig's and a real one's alike. */
import { z } from "zod";
import type { Login } from "../broker/access.js";
import { thumbprint } from "../broker/protocol/key.js";
import { machineId } from "../broker/protocol/topics.js";
import { publicJwk, type PublicHalf } from "../controller/identity.js";
import type { Tx } from "../cloud/store/store.js";
import { machineBy } from "../cloud/vending/machines.js";
import { provisionMachine, type NewMachine } from "../cloud/vending/provision.js";

/** The one line that `scanvend install` and `scanvend controller --identify` print. */
export const enrolmentLine = z
  .strictObject({
    machineId,
    kid: z.string(),
    publicKey: publicJwk,
    mqttPasswordSha256: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .refine(({ kid, publicKey }) => kid === thumbprint(publicKey), {
    path: ["kid"],
    message: "is not the public key's",
  }) satisfies z.ZodType<PublicHalf>;

export const machineLogin = ({ machineId: username, mqttPasswordSha256 }: PublicHalf): Login => ({
  role: "machine",
  username,
  passwordSha256: mqttPasswordSha256,
});

export type Enrolled = "made" | "known" | "codeTaken" | "keyDiffers" | "codeDiffers";

/** Makes the machine's rows if they are not there. One that is there is left as it is. */
export async function enrolMachine(
  tx: Tx,
  { kid, publicKey, machineId: id }: PublicHalf,
  machine: Omit<NewMachine, "id" | "key">,
  nowMs: number,
): Promise<Enrolled> {
  const known = await machineBy(tx, "id", id);
  if (known !== undefined) {
    if (known.code !== machine.code) return "codeDiffers";
    const key = await tx
      .selectFrom("machine_key")
      .select("kid")
      .where("machine_id", "=", id)
      .where("kid", "=", kid)
      .where("revoked_ms", "is", null)
      .executeTakeFirst();
    return key === undefined ? "keyDiffers" : "known";
  }
  if ((await machineBy(tx, "code", machine.code)) !== undefined) return "codeTaken";
  await provisionMachine(tx, { ...machine, id, key: { kid, publicKey } }, nowMs);
  return "made";
}
