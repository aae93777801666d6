/** `/api/patron-codes`, `/api/me/patron-code-payment-request` and `/api/decode`. */
import { z } from "zod";
import type { Endpoints } from "../../http/endpoint.js";
import type { Reader } from "../../store/store.js";
import type { Caller } from "../api-key.js";
import { metadata } from "../merchant-form.js";
import type { PatronCodes } from "../patron-codes.js";
import type { PaymentRequests } from "../payment-requests.js";
import { text } from "../request-form.js";
import { decode } from "../scanned-code.js";
import { decodedCode, patronCode, patronCodeMetadata, patronCodeRequest } from "./answers.js";

const byId = z.object({ id: z.string() });
const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, - or _");
const patronCodeForm = z
  .object({
    assetId: text(64)
      .optional()
      .meta({ description: "What it will be paid with: an asset of the caller's." }),
    testScenarioName: text(64).optional(),
    namespace: name.optional().meta({ description: "Whose `externalId` is." }),
    externalId: text(255).optional().meta({ description: "What it is called elsewhere." }),
  })
  .refine((form) => (form.namespace === undefined) === (form.externalId === undefined), {
    path: ["externalId"],
    message: "is needed with namespace, and namespace with it",
  });
const url = "/api/patron-codes";
const tag = "Patron codes";

export function patronCodeRoutes(
  { keyed }: Endpoints<Caller>,
  parts: {
    readonly read: Reader;
    readonly codes: PatronCodes;
    readonly requests: Pick<PaymentRequests, "get">;
  },
): void {
  const { read, codes, requests } = parts;
  keyed(
    {
      method: "POST",
      url,
      name: "createPatronCode",
      says: "A code to be scanned by a merchant, for five minutes.",
      tag,
      body: patronCodeForm.nullish(), // most send none
      answer: patronCode,
    },
    ({ caller, body }) => codes.create(caller, body ?? {}),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/:id`,
      name: "getPatronCode",
      says: "A patron code, living or not.",
      tag,
      params: byId,
      answer: patronCode,
    },
    ({ caller, params }) => codes.get(caller, params.id),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/barcode/:barcode`,
      name: "getPatronCodeByBarcode",
      says: "The living patron code that was scanned.",
      tag,
      params: z.object({ barcode: z.string() }),
      answer: patronCode,
      faults: ["CHECKSUM_FAILED", "PATRON_CODE_INVALID"],
    },
    ({ caller, params }) => codes.byBarcode(caller, params.barcode),
  );
  keyed(
    {
      method: "GET",
      url: `${url}/:namespace/external-id/:externalId`,
      name: "getPatronCodeByExternalId",
      says: "The newest patron code that has this name elsewhere.",
      tag,
      params: z.object({ namespace: name, externalId: text(255) }),
      answer: patronCode,
    },
    ({ caller, params }) => codes.byExternalId(caller, params.namespace, params.externalId),
  );
  keyed(
    {
      method: "POST",
      url: `${url}/:id/metadata`,
      name: "addPatronCodeMetadata",
      says: "Add to a patron code's metadata. An empty text takes its key away.",
      tag,
      params: byId,
      body: z.object({ metadata }),
      answer: patronCodeMetadata,
    },
    ({ caller, params, body }) => codes.setMetadata(caller, params.id, body.metadata),
  );
  keyed(
    {
      method: "GET",
      url: "/api/me/patron-code-payment-request",
      name: "getPaymentRequestByPatronCode",
      says: "The newest payment request that waits to be paid and was made with a living patron code of the caller's; `{}` when there is none.",
      tag,
      answer: patronCodeRequest,
    },
    async ({ caller }) => {
      const id = await codes.paymentRequestOf(caller);
      return id === undefined ? {} : requests.get(caller, id);
    },
  );
  keyed(
    {
      method: "POST",
      url: "/api/decode",
      name: "decodeCode",
      says: "Whose a code is that a merchant has scanned.",
      tag,
      body: z.object({ code: text(255), scannedBy: z.literal("merchant"), merchantConfigId: text(64) }),
      answer: decodedCode,
      faults: ["UNKNOWN_CODE", "MERCHANT_CONFIG_NOT_FOUND", "INVALID_MERCHANT_CONFIG"],
    },
    ({ caller, body }) => decode(read, caller, body),
  );
}
