/** `/api/merchants` and `/api/merchant-configs`. */
import { z } from "zod";
import type { Endpoints } from "../../http/endpoint.js";
import type { Caller } from "../api-key.js";
import type { MerchantConfigs } from "../merchant-configs.js";
import {
  configId,
  merchantChange,
  merchantConfigForm,
  merchantForm,
  merchantQuery,
} from "../merchant-form.js";
import type { Merchants } from "../merchants.js";
import { pageQuery } from "../../http/page.js";
import { merchant, merchantConfig, merchantSummary, pageOf } from "./answers.js";

const byId = z.object({ id: z.string() });
const url = "/api/merchants";

export function merchantRoutes(
  { keyed, open }: Endpoints<Caller>,
  merchants: Merchants,
  configs: MerchantConfigs,
): void {
  const tag = "Merchants";
  keyed(
    {
      method: "POST",
      url,
      name: "createMerchant",
      says: "Make a merchant of an account.",
      tag,
      body: merchantForm,
      answer: merchant,
      faults: ["LIVENESS_MISMATCH", "ACCOUNT_REGION_MISMATCH", "BANK_ACCOUNT_MISMATCH"],
    },
    ({ caller, body }) => merchants.create(caller, body),
  );
  open(
    {
      method: "GET",
      url: `${url}/search`,
      name: "searchMerchants",
      says: "What anyone may find: the active merchants, newest first, and how many there are.",
      tag,
      query: merchantQuery,
      answer: pageOf(merchantSummary).extend({ totalItems: z.int() }),
    },
    ({ query }) => merchants.search(query),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/:id`,
      name: "getMerchant",
      says: "A merchant of the caller's.",
      tag,
      params: byId,
      answer: merchant,
    },
    ({ caller, params }) => merchants.get(caller, params.id),
  );
  keyed(
    {
      method: "PUT",
      url: `${url}/:id`,
      name: "updateMerchant",
      says: "Change what is said of a merchant. What is left out stays as it is.",
      tag,
      params: byId,
      body: merchantChange,
      answer: merchant,
      faults: ["LIVENESS_MISMATCH", "ACCOUNT_REGION_MISMATCH", "BANK_ACCOUNT_MISMATCH"],
    },
    ({ caller, params, body }) => merchants.update(caller, params.id, body),
  );
  keyed(
    {
      method: "GET",
      url: "/api/accounts/:accountId/merchants",
      name: "listMerchants",
      says: "An account's merchants, newest first.",
      tag,
      params: z.object({ accountId: z.string() }),
      query: pageQuery,
      answer: pageOf(merchant),
    },
    ({ caller, params, query }) => merchants.ofAccount(caller, params.accountId, query),
  );
  configRoutes(keyed, configs);
}

function configRoutes(keyed: Endpoints<Caller>["keyed"], configs: MerchantConfigs): void {
  const tag = "Merchant configs";
  keyed(
    {
      method: "POST",
      url: `${url}/:id/configs`,
      name: "createMerchantConfig",
      says: "Say what a merchant takes, and where it goes.",
      tag,
      params: byId,
      body: merchantConfigForm,
      answer: merchantConfig,
      faults: ["INVALID_WALLET_TYPE", "LIVENESS_MISMATCH", "COLLECTIONS_INVALID", "QUOTA_EXCEEDED"],
    },
    ({ caller, params, body }) => configs.create(caller, params.id, body),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/:id/configs`,
      name: "listMerchantConfigs",
      says: "Every config of a merchant, oldest first.",
      tag,
      params: byId,
      answer: z.array(merchantConfig),
    },
    ({ caller, params }) => configs.list(caller, params.id),
  );
  keyed(
    {
      method: "GET",
      url: "/api/merchant-configs/:configId",
      name: "getMerchantConfig",
      says: "A merchant config.",
      tag,
      params: z.object({ configId }),
      answer: merchantConfig,
    },
    ({ caller, params }) => configs.get(caller, params.configId),
  );
  keyed(
    {
      method: "PUT",
      url: `${url}/:id/configs/:configId`,
      name: "updateMerchantConfig",
      says: "Put other payment options in the place of a config's. Requests already made keep theirs.",
      tag,
      params: byId.extend({ configId }),
      body: merchantConfigForm,
      answer: merchantConfig,
      faults: ["INVALID_WALLET_TYPE", "LIVENESS_MISMATCH", "COLLECTIONS_INVALID"],
    },
    ({ caller, params, body }) => configs.update(caller, params.id, params.configId, body),
  );
}
