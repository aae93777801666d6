/** `/api/assets` and `/api/wallets`. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { currency, money } from "../../../broker/protocol/money.js";
import { read } from "../../http/server.js";
import type { Assets } from "../assets.js";
import { pageQuery } from "../page.js";
import { text } from "../request-form.js";
import type { Keyed } from "./keyed.js";

const byId = z.object({ id: z.string() });
const byAccount = z.object({ accountId: z.string() });
const walletForm = z.object({ accountId: text(64), currency });
const topUpForm = z.object({ value: money, idempotencyKey: text(255) });

export function assetRoutes(app: FastifyInstance, keyed: Keyed, assets: Assets): void {
  app.get(
    "/api/assets/:id",
    keyed((caller, { params }) => assets.get(caller, read(byId, params).id)),
  );
  app.get(
    "/api/assets/:id/transactions",
    keyed((caller, { params, query }) =>
      assets.transactions(caller, read(byId, params).id, read(pageQuery, query)),
    ),
  );
  app.post(
    "/api/assets/:id/top-up",
    keyed((caller, { params, body }) => assets.topUp(caller, read(byId, params).id, read(topUpForm, body))),
  );
  app.get(
    "/api/accounts/:accountId/assets",
    keyed((caller, { params, query }) =>
      assets.ofAccount(caller, read(byAccount, params).accountId, read(pageQuery, query)),
    ),
  );
  app.post(
    "/api/wallets",
    keyed((caller, { body }) => {
      const form = read(walletForm, body);
      return assets.createWallet(caller, form.accountId, form.currency);
    }),
  );
}
