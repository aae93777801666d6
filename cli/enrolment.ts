/** What makes a machine one of a cloud's: its rows there, and its login at the broker. The rig's and a real one's alike. */
import { z } from "zod";
import { loginsFile, type Login } from "../broker/access.js";
import { readConfiguration, type Configured } from "../broker/protocol/configuration.js";
import { thumbprint } from "../broker/protocol/key.js";
import { machineId } from "../broker/protocol/topics.js";
import { publicJwk, type PublicHalf } from "../controller/identity.js";
import type { Tx } from "../cloud/store/store.js";
import { machineBy } from "../cloud/vending/machines.js";
import { provisionMachine, replaceKeys, type NewMachine } from "../cloud/vending/provision.js";

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

export type Enrolled =
  | "made"
  | "known"
  | "replaced"
  | "codeTaken"
  | "codeDiffers"
  | "keyDiffers"
  | "keyInForce"
  | "keyRevoked"
  | "keyTaken"
  | "nothingToReplace";

/** Makes the machine's rows if they are not there. One that is there is left as it is, but for its key if that is to be replaced. */
export async function enrolMachine(
  tx: Tx,
  { kid, publicKey, machineId: id }: PublicHalf,
  machine: Omit<NewMachine, "id" | "key">,
  nowMs: number,
  { replace }: { readonly replace: boolean },
): Promise<Enrolled> {
  const known = await machineBy(tx, "id", id);
  const key = await tx
    .selectFrom("machine_key")
    .select(["machine_id", "revoked_ms"])
    .where("kid", "=", kid)
    .executeTakeFirst();
  if (key !== undefined && key.machine_id !== id) return "keyTaken";
  if (known !== undefined) {
    if (known.code !== machine.code) return "codeDiffers";
    if (key !== undefined && key.revoked_ms !== null) return "keyRevoked";
    if (key !== undefined) return replace ? "keyInForce" : "known";
    if (!replace) return "keyDiffers";
    await replaceKeys(tx, id, { kid, publicKey }, nowMs);
    return "replaced";
  }
  if (replace) return "nothingToReplace";
  if ((await machineBy(tx, "code", machine.code)) !== undefined) return "codeTaken";
  await provisionMachine(tx, { ...machine, id, key: { kid, publicKey } }, nowMs);
  return "made";
}

/** The broker's logins without this machine's, and with the one that takes its place: the file's new text. */
export function changeLogins(
  before: readonly Login[],
  machine: string,
  instead: Login | undefined,
): Configured<string> {
  const others = before.filter(({ role, username }) => role !== "machine" || username !== machine);
  const after = readConfiguration(loginsFile, {
    logins: [...others, ...(instead === undefined ? [] : [instead])],
  });
  if (!after.ok) return after;
  const lines = after.value.logins.map((login) => `\n  ${JSON.stringify(login)}`);
  return { ok: true, value: `{"logins": [${lines.join(",")}\n]}\n` };
}
