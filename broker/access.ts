/**
 * Who may say what on the bus. Pure.
 *
 * A machine speaks and listens under its own id only; the cloud does both under every machine's. Nobody reads or writes
 * `$SYS`: a custom `authorizePublish` replaces aedes' own guard of it, and one forged `$SYS/…/new/clients` would throw a
 * machine off the bus. Shared subscriptions are refused: aedes grants them and then delivers nothing.
 */
import { timingSafeEqual, createHash } from "node:crypto";
import { z } from "zod";
import { DOWN, isUp, machineId, readTopic, UP } from "./protocol/topics.js";

/** One login of the bus. The password is 256 bits of chance, so a plain SHA-256 of it keeps it. */
const login = z.discriminatedUnion("role", [
  z.strictObject({
    role: z.literal("machine"),
    username: machineId,
    passwordSha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  z.strictObject({
    role: z.literal("cloud"),
    username: machineId,
    passwordSha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
]);
export type Login = z.infer<typeof login>;

/** The logins file: who may connect at all. */
export const loginsFile = z.strictObject({
  logins: z.array(login).superRefine((logins, context) => {
    const seen = new Set<string>();
    for (const [index, { username }] of logins.entries()) {
      if (seen.has(username))
        context.addIssue({
          code: "custom",
          path: [index, "username"],
          message: `${username} is there twice`,
        });
      seen.add(username);
    }
  }),
});

/**
 * The login that a CONNECT proves, or why it proves none. The client id must be the login's own (for a cloud process: its
 * name, or its name and a suffix after a dot), since a second connection under an id throws the first one off.
 */
export function authenticate(
  logins: readonly Login[],
  clientId: string,
  username: string | undefined,
  password: Uint8Array | undefined,
):
  | { readonly ok: true; readonly login: Login }
  | { readonly ok: false; readonly reason: "badLogin" | "badClientId" } {
  const found = logins.find((one) => one.username === username);
  if (found === undefined || password === undefined) return { ok: false, reason: "badLogin" };
  const given = createHash("sha256").update(password).digest();
  if (!timingSafeEqual(given, Buffer.from(found.passwordSha256, "hex")))
    return { ok: false, reason: "badLogin" };
  const own =
    clientId === found.username || (found.role === "cloud" && clientId.startsWith(`${found.username}.`));
  return own ? { ok: true, login: found } : { ok: false, reason: "badClientId" };
}

/** Tells of a login whether it is still one of these, unaltered. */
export function inForce(logins: readonly Login[]): (login: Login) => boolean {
  const passwords = new Map(
    logins.map(({ role, username, passwordSha256 }) => [`${role} ${username}`, passwordSha256]),
  );
  return ({ role, username, passwordSha256 }) => passwords.get(`${role} ${username}`) === passwordSha256;
}

/** A topic to publish on: a machine's own up topics, any machine's down topics for the cloud. Also asked for last wills. */
export function mayPublish(login: Login, topic: string): boolean {
  const place = readTopic(topic);
  if (place === undefined) return false;
  return login.role === "machine" ? place.machine === login.username && isUp(place.leaf) : !isUp(place.leaf);
}

/** A filter to subscribe to: exact, or (for the cloud) `scanvend/+/{leaf}`. No other wildcard, no `$share`, no `$SYS`. */
export function maySubscribe(login: Login, filter: string): boolean {
  if (login.role === "machine") return DOWN.some((leaf) => filter === `scanvend/${login.username}/${leaf}`);
  return UP.some((leaf) => filter === `scanvend/+/${leaf}`) || isUpTopic(filter);
}

const isUpTopic = (topic: string): boolean => {
  const place = readTopic(topic);
  return place !== undefined && isUp(place.leaf);
};
