/** `/api/accounts/{accountId}/api-keys`. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { read } from "../../http/server.js";
import type { ApiKeys } from "../api-key.js";
import { roles } from "../permission.js";
import type { Keyed } from "./keyed.js";

const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, - or _");
const ofAccount = z.object({ accountId: z.string() });
const ofKey = ofAccount.extend({ name });
const createForm = z.object({ name, role: z.enum(roles) });
const updateForm = z.object({ enabled: z.boolean() });

export function apiKeyRoutes(app: FastifyInstance, keyed: Keyed, apiKeys: ApiKeys): void {
  app.post(
    "/api/accounts/:accountId/api-keys",
    keyed((caller, { params, body }) =>
      apiKeys.create(caller, read(ofAccount, params).accountId, read(createForm, body)),
    ),
  );
  app.get(
    "/api/accounts/:accountId/api-keys",
    keyed((caller, { params }) => apiKeys.list(caller, read(ofAccount, params).accountId)),
  );
  app.put(
    "/api/accounts/:accountId/api-keys/:name",
    keyed((caller, { params, body }) => {
      const key = read(ofKey, params);
      return apiKeys.setEnabled(caller, key.accountId, key.name, read(updateForm, body).enabled);
    }),
  );
}
