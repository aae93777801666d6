/**
 * API keys: who is calling, and how keys are made, listed, enabled and disabled.
 *
 * Owns      the table api_key.
 * Promises  a key reads `{id}.{secret}`: the id finds the row, the secret's SHA-256 is compared in constant time, and the
 *           secret itself is kept nowhere and shown once. (A plain hash will do: the secret is 256 bits of chance, and
 *           nobody guesses through that, so there is nothing for a slow hash to slow down.)
 *           A missing, wrong or disabled key is one answer, 401.
 */
import { hash, timingSafeEqual } from "node:crypto";
import { newId, randomDigits } from "../../broker/protocol/id.js";
import { Fault } from "../http/fault.js";
import { rowsOf } from "../store/statement.js";
import type { Reader, Store, Tx } from "../store/store.js";
import { findAccount } from "./account-rows.js";
import type { Making } from "./making.js";
import { may, roles, type Action, type Role } from "./permission.js";
import { renderApiKey, type AccountRow } from "./wire.js";

/** Whoever holds the key that came with a request. */
export type Caller = {
  readonly accountId: string;
  readonly accountName: string;
  readonly role: Role;
  readonly crn: string;
  /** How often its account may ask, where that is not what any account may. */
  readonly requestsPerMinute: number | undefined;
};

const SECRET_DIGITS = 43; // 256 bits in base 62

export async function findCaller(read: Reader, header: unknown): Promise<Caller> {
  const match = typeof header === "string" ? /^([0-9A-Za-z]{1,64})\.([0-9A-Za-z]{1,64})$/.exec(header) : null;
  const [, id, secret] = match ?? [];
  if (id === undefined || secret === undefined) throw new Fault("UNAUTHENTICATED");
  const [row] = await findKey(read, { id });
  const matches = row !== undefined && timingSafeEqual(sha256(secret), Buffer.from(row.secret_hash, "hex"));
  if (!matches || row.enabled !== 1) throw new Fault("UNAUTHENTICATED");
  return {
    accountId: row.account_id,
    accountName: row.account_name,
    role: readRole(row.role),
    crn: crnOf(row.account_id, row.name),
    requestsPerMinute: row.requests_per_minute ?? undefined,
  };
}

const findKey = rowsOf((db, { id }: { readonly id: string }) =>
  db
    .selectFrom("api_key")
    .innerJoin("account", "account.id", "api_key.account_id")
    .select(["api_key.account_id", "api_key.name", "api_key.role", "api_key.secret_hash", "api_key.enabled"])
    .select(["account.name as account_name", "account.requests_per_minute"])
    .where("api_key.id", "=", id),
);

/** Refuses what the caller's role does not allow on things of `ownerAccountId`. Missing and foreign are one answer. */
export function permit(caller: Caller, action: Action, ownerAccountId: string | undefined): void {
  if (ownerAccountId === undefined || !may(caller.role, action, ownerAccountId === caller.accountId))
    throw new Fault("FORBIDDEN");
}

/** The same for an account itself, which the account that made it may manage. */
export function permitOnAccount(
  caller: Caller,
  action: Action,
  account: AccountRow | undefined,
): asserts account is AccountRow {
  const isOwn = account?.id === caller.accountId;
  const isManaged = account?.parent_account_id === caller.accountId;
  if (account === undefined || !may(caller.role, action, isOwn, isManaged)) throw new Fault("FORBIDDEN");
}

/** The key in full, which only its maker ever sees. */
export async function insertApiKey(
  tx: Tx,
  { clock, random }: Making,
  accountId: string,
  key: { readonly name: string; readonly role: Role; readonly createdBy: string },
): Promise<string> {
  const nowMs = clock.nowMs();
  const id = newId(nowMs, random);
  const secret = randomDigits(SECRET_DIGITS, random);
  const made = await tx
    .insertInto("api_key")
    .values({
      id,
      account_id: accountId,
      name: key.name,
      role: key.role,
      secret_hash: sha256(secret).toString("hex"),
      enabled: 1,
      created_ms: nowMs,
      created_by: key.createdBy,
      modified_ms: nowMs,
      modified_by: key.createdBy,
      version: 1,
    })
    .onConflict((conflict) => conflict.columns(["account_id", "name"]).doNothing())
    .returning("id")
    .executeTakeFirst();
  if (made === undefined) throw new Fault("DUPLICATE_API_KEY", "the account has a key of this name");
  return `${id}.${secret}`;
}

export class ApiKeys {
  readonly #parts: Making & { readonly store: Store };

  constructor(parts: Making & { readonly store: Store }) {
    this.#parts = parts;
  }

  /** Raises FORBIDDEN, DUPLICATE_API_KEY. */
  create(
    caller: Caller,
    accountId: string,
    asked: { readonly name: string; readonly role: Role },
  ): Promise<object> {
    return this.#parts.store.write(async (tx) => {
      permitOnAccount(caller, "api-keys:write", await findAccount(tx, accountId));
      const secret = await insertApiKey(tx, this.#parts, accountId, { ...asked, createdBy: caller.crn });
      return { ...(await find(tx, accountId, asked.name)), secret };
    });
  }

  /** Every key of the account, without its secret. Raises FORBIDDEN. */
  async list(caller: Caller, accountId: string): Promise<readonly object[]> {
    const { read } = this.#parts.store;
    permitOnAccount(caller, "api-keys:read", await findAccount(read, accountId));
    const rows = await read
      .selectFrom("api_key")
      .selectAll()
      .where("account_id", "=", accountId)
      .orderBy("name")
      .execute();
    return rows.map(renderApiKey);
  }

  /** Raises FORBIDDEN. */
  setEnabled(caller: Caller, accountId: string, name: string, enabled: boolean): Promise<object> {
    return this.#parts.store.write(async (tx) => {
      permitOnAccount(caller, "api-keys:write", await findAccount(tx, accountId));
      await tx
        .updateTable("api_key")
        .set((e) => ({
          enabled: enabled ? 1 : 0,
          modified_ms: this.#parts.clock.nowMs(),
          modified_by: caller.crn,
          version: e("version", "+", 1),
        }))
        .where("account_id", "=", accountId)
        .where("name", "=", name)
        .execute();
      return find(tx, accountId, name);
    });
  }
}

async function find(tx: Tx, accountId: string, name: string): Promise<object> {
  const row = await tx
    .selectFrom("api_key")
    .selectAll()
    .where("account_id", "=", accountId)
    .where("name", "=", name)
    .executeTakeFirst();
  if (row === undefined) throw new Fault("FORBIDDEN");
  return renderApiKey(row);
}

function readRole(text: string): Role {
  const role = roles.find((known) => known === text);
  if (role === undefined) throw new Error(`an API key has the unknown role ${text}`);
  return role;
}

const crnOf = (accountId: string, keyName: string): string => `crn:${accountId}:api-key:${keyName}`;
const sha256 = (text: string): Buffer => hash("sha256", text, "buffer");
