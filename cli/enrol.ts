/**
 * `scanvend enrol`: a merchant, and machines, in a cloud's database.
 *
 * Promises  what is secret is said once, when it is made; run again, a merchant of that name is refused and a machine that is
 *           there is left as it is, but for a key that is revoked or replaced and what --update says. It may run beside the cloud.
 * Crash     everything or nothing is made in the database: each is one transaction. The broker's logins file is written after that, and
 *           run again, the command does what is missing there. A merchant whose keys nobody read is enrolled under another name.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { loginsFile, type Login } from "../broker/access.js";
import { readConfigurationFile } from "../broker/protocol/configuration.js";
import { currency } from "../broker/protocol/money.js";
import { machineId } from "../broker/protocol/topics.js";
import { systemClock as clock, systemRandom as random } from "../broker/protocol/system.js";
import type { CloudConfiguration } from "../cloud/configuration.js";
import { openedStore, readCloudConfiguration, storeFailure, webhookUrl } from "../cloud/main.js";
import { regions } from "../cloud/payments/account-form.js";
import { provisionMerchant, setWebhookUrl } from "../cloud/payments/provision.js";
import { StoreFailed, type Store, type Tx } from "../cloud/store/store.js";
import { machineBy, type Machine } from "../cloud/vending/machines.js";
import { machineCode } from "../cloud/vending/shown.js";
import {
  changeMachine,
  keyText,
  provisionBusKey,
  revokeKeys,
  type NewMachine,
} from "../cloud/vending/provision.js";
import { changeLogins, enrolMachine, enrolmentLine, machineLogin, type Enrolled } from "./enrolment.js";
import type { Io } from "./io.js";
import { MAX_CREDIT_MINOR, MIN_CREDIT_MINOR, SUGGESTED_CREDIT_MINOR } from "./rig-plan.js";

export const usage = `scanvend enrol merchant --config FILE --name NAME --currency CODE [--country CODE] [--json]
scanvend enrol machine --config FILE --line LINE --code CODE --name NAME --currency CODE [--place PLACE]
                 [--merchant-config ID] [--decimals N] [--credits N,N,...] [--min-credit N] [--max-credit N]
                 [--replace] [--update] [--logins FILE] [--json]
scanvend enrol revoke --config FILE --machine ID [--logins FILE] [--json]

  Makes a merchant, or a machine, in a cloud's database, or takes a machine's key out of force. The cloud may be running.

  merchant prints the keys of its account, once: paymentsApiKey goes into the cloud's secrets, ownerKey is for whoever owns
  the machines. It is paid with test money of its currency. machine prints the machine's login, for the broker's loginsFile.
  Both print the cloud's public keys, for scanvend install --cloud-key. revoke is for a box that was stolen: within seconds nothing
  that it signs is believed, for good. Its machine waits for another box, which is enrolled with --replace.

  --config FILE    the cloud's configuration
  --name NAME      what customers read
  --currency CODE  such as NZD; a machine's must be its controller's
  --country CODE   where the merchant is: ${regions.join(", ")} (default NZ)
  --line LINE      what scanvend install printed at the machine "to enrol it"
  --code CODE      what its sticker leads to: {publicUrl}/m/CODE
  --place PLACE    where it stands, as customers read it
  --merchant-config ID
                   whose machine it is: a merchant's configId (default: the only one there is)
  --decimals N     how many digits its currency has behind the point (default 2)
  --credits N,...  what a customer is offered to load, in the smallest unit (default ${SUGGESTED_CREDIT_MINOR.join(",")})
  --min-credit N, --max-credit N
                   what may be loaded (default ${MIN_CREDIT_MINOR} and ${MAX_CREDIT_MINOR})
  --replace        the machine is there and has a new key, since its box is another one or its key was made anew: the old one
                   is revoked, everything else stays, its sticker too
  --update         the machine is there, and is to be as it is said now; what it sells in, and for whom, only before its first sale
  --machine ID     whose key is revoked: its machineId
  --logins FILE    the broker's loginsFile, where that is on this computer: the machine's login is put in, or taken out
  --json           say what was made as JSON
  --help           this text`;

const text = z.string("is needed").trim().min(1, "must not be empty").max(100, "is too long");
const whole = z
  .string()
  .regex(/^[0-9]{1,8}$/, "must be a whole number")
  .transform(Number);
const credit = whole.pipe(z.int().min(1, "must be at least 1"));
const money = z.string("is needed").pipe(currency);
const merchantFlags = z.object({
  name: text,
  currency: money,
  country: z.enum(regions, `must be one of ${regions.join(", ")}`).default("NZ"),
});
const machineFlags = z
  .object({
    line: z.string("is needed").transform((said, context) => {
      const line = enrolmentLine.safeParse(parsed(said.slice(Math.max(0, said.indexOf("{")))));
      if (line.success) return line.data;
      context.addIssue({ code: "custom", message: "must be the whole line that scanvend install printed" });
      return z.NEVER;
    }),
    code: z.string("is needed").pipe(machineCode.regex(/^[A-Za-z0-9-]+$/, "must be letters, digits and -")),
    name: text,
    place: z.string().max(100, "is too long").default(""),
    currency: money,
    replace: z.boolean(),
    update: z.boolean(),
    logins: z.string().optional(),
    "merchant-config": z.string().optional(),
    decimals: whole.pipe(z.int().max(4, "must be from 0 to 4")).default(2),
    credits: z
      .string()
      .transform((list) => list.split(","))
      .pipe(z.array(credit).min(1).max(8))
      .default([...SUGGESTED_CREDIT_MINOR]),
    "min-credit": credit.default(MIN_CREDIT_MINOR),
    "max-credit": credit.default(MAX_CREDIT_MINOR),
  })
  .refine((flags) => flags["min-credit"] <= flags["max-credit"], {
    path: ["min-credit"],
    message: "must not be above --max-credit",
  });

const revokeFlags = z.object({
  machine: z.string("is needed").pipe(machineId),
  logins: z.string().optional(),
});

/** What was made, a name and a value a line; or why not. */
type Outcome =
  | { readonly ok: true; readonly made: Readonly<Record<string, unknown>>; readonly words: string }
  | { readonly ok: false; readonly problem: string };

/** Exit status: 0 done (or so already), 1 it cannot be made, 2 called or configured wrongly. */
export async function enrol([what, ...argv]: readonly string[], io: Io): Promise<number> {
  const optional = { type: "string" } as const;
  const { values } = parseArgs({
    args: what?.startsWith("-") === true ? [what, ...argv] : [...argv],
    options: {
      ...{ config: optional, name: optional, currency: optional, country: optional, line: optional },
      ...{ code: optional, place: optional, "merchant-config": optional, decimals: optional },
      ...{ credits: optional, "min-credit": optional, "max-credit": optional },
      ...{ machine: optional, logins: optional },
      replace: { type: "boolean", default: false },
      update: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    io.out(usage);
    return 0;
  }
  if (what !== "merchant" && what !== "machine" && what !== "revoke") {
    io.err(`scanvend enrol: say merchant, machine or revoke\n\n${usage}`);
    return 2;
  }
  const refuse = (status: number, problems: readonly string[]): number => {
    for (const problem of problems) io.err(`scanvend enrol ${what}: ${problem}`);
    return status;
  };
  if (values.config === undefined) return refuse(2, ["--config: is needed"]);
  const asked =
    what === "merchant"
      ? asking(merchantFlags, values, makeMerchant)
      : what === "machine"
        ? asking(machineFlags, values, makeMachine)
        : asking(revokeFlags, values, revoke);
  const configuration = readCloudConfiguration(values.config);
  if (!asked.ok || !configuration.ok)
    return refuse(2, [
      ...(asked.ok ? [] : asked.problems),
      ...(configuration.ok ? [] : configuration.problems),
    ]);
  const store = await openedStore(configuration.value);
  if (store instanceof StoreFailed) return refuse(2, [`databaseUrl: ${storeFailure(store)}`]);
  try {
    const done = await asked.make(store, configuration.value);
    if (!done.ok) return refuse(1, [done.problem]);
    if (values.json) io.out(JSON.stringify(done.made));
    else {
      io.out(done.words);
      for (const [name, value] of Object.entries(done.made))
        io.out(`  ${name.padEnd(16)}${typeof value === "string" ? value : JSON.stringify(value)}`);
    }
    return 0;
  } finally {
    await store.close();
  }
}

type Make = (store: Store, configuration: CloudConfiguration) => Promise<Outcome>;

/** What is to be made, or what is wrong with how it was asked for, by the flag. */
function asking<T>(
  schema: z.ZodType<T>,
  values: unknown,
  make: (flags: T) => Make,
): { readonly ok: true; readonly make: Make } | { readonly ok: false; readonly problems: readonly string[] } {
  const flags = schema.safeParse(values);
  if (flags.success) return { ok: true, make: make(flags.data) };
  const problems = flags.error.issues.map(({ path, message }) => `--${String(path[0])}: ${message}`);
  return { ok: false, problems };
}

const makeMerchant =
  (asked: z.infer<typeof merchantFlags>): Make =>
  (store, { publicUrl, vendingUrl }) => {
    const making = { clock, random };
    return store.write(async (tx) => {
      const known = await tx
        .selectFrom("merchant")
        .select("id")
        .where("name", "=", asked.name)
        .executeTakeFirst();
      if (known !== undefined)
        return {
          ok: false,
          problem: `--name: there is a merchant ${asked.name}, whose keys were said when it was made; give another name`,
        };
      const { configId, merchantId, ownerAccountId, ownerKey, terminalKey, walletId } =
        await provisionMerchant(tx, making, {
          ...asked,
          merchantName: asked.name,
          allowedRedirectUrls: [],
          vouchers: true,
        });
      await setWebhookUrl(tx, making, ownerAccountId, webhookUrl(vendingUrl ?? publicUrl), [
        "payment-request:paid",
      ]);
      const cloudKeys = (await provisionBusKey(tx, clock.nowMs())).map(keyText);
      return {
        ok: true,
        words: `merchant ${asked.name} is made. Both keys are said once: keep them`,
        made: {
          paymentsApiKey: terminalKey,
          ownerKey,
          configId,
          merchantId,
          ownerAccountId,
          walletId,
          cloudKeys,
        },
      };
    });
  };

const makeMachine =
  (asked: z.infer<typeof machineFlags>): Make =>
  async (store) => {
    const { line, code, replace } = asked;
    const login = machineLogin(line);
    const logins = openLogins(asked.logins, line.machineId, login);
    if (!logins.ok) return logins;
    const done = await store.write(async (tx): Promise<Outcome> => {
      const known = await tx.selectFrom("merchant_config").select("id").limit(2).execute();
      const configId = asked["merchant-config"] ?? (known.length === 1 ? known[0]?.id : undefined);
      if (configId === undefined)
        return {
          ok: false,
          problem:
            known.length === 0
              ? "--merchant-config: there is no merchant yet; scanvend enrol merchant makes one"
              : "--merchant-config: must be given, there are several; scanvend enrol merchant said each one's configId",
        };
      const machine = {
        code,
        name: asked.name,
        place: asked.place,
        currency: asked.currency,
        decimals: asked.decimals,
        configId,
        suggestedCreditMinor: asked.credits,
        minCreditMinor: asked["min-credit"],
        maxCreditMinor: asked["max-credit"],
        maxVends: 1,
        items: [],
      };
      const before = await machineBy(tx, "id", line.machineId);
      const enrolled = await enrolMachine(tx, line, machine, clock.nowMs(), { replace });
      if (enrolled !== "made" && enrolled !== "known" && enrolled !== "replaced")
        return { ok: false, problem: refusals[enrolled](line.machineId, code) };
      const problem =
        before !== undefined && (enrolled === "known" || asked.update)
          ? await asSaidNow(tx, before, machine, asked.update)
          : undefined;
      if (problem !== undefined) return { ok: false, problem };
      return {
        ok: true,
        words: `machine ${line.machineId} is ${enrolments[enrolled]}${asked.update && before !== undefined ? ", with what was said now" : ""}. ${logins.words}`,
        made: {
          machineId: line.machineId,
          code,
          login,
          cloudKeys: (await provisionBusKey(tx, clock.nowMs())).map(keyText),
        },
      };
    });
    return done.ok ? logins.write(done) : done;
  };

/** A machine that is there is made as it is said now, if that is meant. Answers what is wrong: nobody believes to have changed what stays. */
async function asSaidNow(
  tx: Tx,
  before: Machine,
  machine: Omit<NewMachine, "id" | "key">,
  update: boolean,
): Promise<string | undefined> {
  const { id } = before;
  if (update)
    return (await changeMachine(tx, id, machine))
      ? undefined
      : `--update: ${id} has sold in ${before.currency} under ${before.configId}; that stays, or it is enrolled as another machine`;
  const other = (["name", "currency"] as const).filter((flag) => before[flag] !== machine[flag]);
  if (other.length === 0) return undefined;
  const said = other.map((flag) => `${flag} ${before[flag]}`).join(" and ");
  return `--${other[0] ?? ""}: ${id} is enrolled with ${said}; say --update to change that`;
}

const enrolments = {
  made: "enrolled",
  known: "enrolled already",
  replaced: "enrolled with its new key, and the old one is revoked",
} as const;

const NEW_KEY =
  "move identity.json in its dataDir away, and scanvend controller --identify makes a new key and prints its line";
const refusals: Readonly<
  Record<Exclude<Enrolled, keyof typeof enrolments>, (id: string, code: string) => string>
> = {
  codeTaken: (_, code) => `--code: another machine has ${code}; give this one its own`,
  codeDiffers: (id) => `--code: ${id} is enrolled under another code; give that one`,
  keyDiffers: (id) =>
    `--line: ${id} is enrolled with another key; if this box takes the place of that one, say --replace, and else enrol it under another machineId`,
  keyInForce: (id) => `--replace: ${id} has this very key; a new one is needed: ${NEW_KEY}`,
  keyRevoked: (id) => `--line: this key of ${id} was revoked; a new one is needed: ${NEW_KEY}`,
  keyTaken: (id) => `--line: another machine has the key of ${id}; a new one is needed: ${NEW_KEY}`,
  nothingToReplace: (id) => `--replace: ${id} is not enrolled; leave it out`,
};

const revoke =
  ({ machine, logins: path }: z.infer<typeof revokeFlags>): Make =>
  async (store) => {
    const logins = openLogins(path, machine, undefined);
    if (!logins.ok) return logins;
    const revoked = await store.write(async (tx) =>
      (await machineBy(tx, "id", machine)) === undefined ? undefined : revokeKeys(tx, machine, clock.nowMs()),
    );
    if (revoked === undefined)
      return {
        ok: false,
        problem: `--machine: no machine ${machine} is enrolled here; its machineId is meant`,
      };
    const said = revoked > 0 ? "is revoked" : "was revoked already";
    return logins.write({
      ok: true,
      words: `the key of machine ${machine} ${said}. ${logins.words}`,
      made: { machineId: machine, revoked },
    });
  };

type Logins =
  | { readonly ok: false; readonly problem: string }
  | { readonly ok: true; readonly words: string; readonly write: (done: Outcome) => Outcome };

/** The broker's logins as they are to become; they are written once the database has it. */
function openLogins(path: string | undefined, machine: string, instead: Login | undefined): Logins {
  const into = instead === undefined ? "Take its login out of" : "Its login goes into";
  if (path === undefined)
    return { ok: true, words: `${into} the broker's loginsFile`, write: (done) => done };
  const before = readConfigurationFile(loginsFile, () => readFileSync(path, "utf8"));
  const after = before.ok ? changeLogins(before.value.logins, machine, instead) : before;
  if (!after.ok) return { ok: false, problem: `--logins: ${after.problems.join("; ")}` };
  return {
    ok: true,
    words: `${path} ${instead === undefined ? "has no login of it any more" : "has its login"}`,
    write(done) {
      try {
        writeFileSync(path, after.value); // in place: whoever may write it need not be allowed to write beside it
        return done;
      } catch (error) {
        const why = error instanceof Error ? error.message : "no reason given";
        const problem = `--logins: not written (${why}), and the database has it already; run it again as whoever may write the file`;
        return { ok: false, problem };
      }
    },
  };
}

function parsed(said: string): unknown {
  try {
    return JSON.parse(said);
  } catch {
    return undefined; // the schema refuses it
  }
}
