/** `/api/accounts/{accountId}/api-keys`. */
import { z } from "zod";
import type { Endpoints } from "../../http/endpoint.js";
import type { ApiKeys, Caller } from "../api-key.js";
import { roles } from "../permission.js";
import { apiKey, newApiKey } from "./answers.js";

const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, - or _");
const ofAccount = z.object({ accountId: z.string() });
const url = "/api/accounts/:accountId/api-keys";
const tag = "API keys";

export function apiKeyRoutes({ keyed }: Endpoints<Caller>, apiKeys: ApiKeys): void {
  keyed(
    {
      method: "POST",
      url,
      name: "createApiKey",
      says: "Make a key. Its secret is shown this once.",
      tag,
      params: ofAccount,
      body: z.object({ name, role: z.enum(roles) }),
      answer: newApiKey,
      faults: ["DUPLICATE_API_KEY"],
    },
    ({ caller, params, body }) => apiKeys.create(caller, params.accountId, body),
  );
  keyed(
    {
      method: "GET",
      url,
      name: "listApiKeys",
      says: "Every key of the account, without its secret.",
      tag,
      params: ofAccount,
      answer: z.array(apiKey),
    },
    ({ caller, params }) => apiKeys.list(caller, params.accountId),
  );
  keyed(
    {
      method: "PUT",
      url: `${url}/:name`,
      name: "updateApiKey",
      says: "Enable or disable a key.",
      tag,
      params: ofAccount.extend({ name }),
      body: z.object({ enabled: z.boolean() }),
      answer: apiKey,
    },
    ({ caller, params, body }) => apiKeys.setEnabled(caller, params.accountId, params.name, body.enabled),
  );
}
