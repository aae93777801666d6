/** `/api/accounts`. */
import { z } from "zod";
import type { Endpoints } from "../../http/endpoint.js";
import { accountChange, accountForm } from "../account-form.js";
import type { Accounts } from "../accounts.js";
import type { Caller } from "../api-key.js";
import { account } from "./answers.js";

const byId = z.object({ accountId: z.string() });
const url = "/api/accounts";
const tag = "Accounts";

export function accountRoutes({ keyed }: Endpoints<Caller>, accounts: Accounts): void {
  keyed(
    {
      method: "POST",
      url,
      name: "createAccount",
      says: "Make an account that the caller's manages. Its first key is made with createApiKey.",
      tag,
      body: accountForm,
      answer: account,
      faults: ["LIVENESS_MISMATCH"],
    },
    ({ caller, body }) => accounts.create(caller, body),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/:accountId`,
      name: "getAccount",
      says: "An account, the caller's own or one it manages.",
      tag,
      params: byId,
      answer: account,
    },
    ({ caller, params }) => accounts.get(caller, params.accountId),
  );
  keyed(
    {
      method: "PUT",
      url: `${url}/:accountId`,
      name: "updateAccount",
      says: "Change an account's name, or give it the region it has not.",
      tag,
      params: byId,
      body: accountChange,
      answer: account,
      faults: ["LIVENESS_MISMATCH"],
    },
    ({ caller, params, body }) => accounts.update(caller, params.accountId, body),
  );
}
