/** What the cloud is told at its start. */
import { z } from "zod";

const ms = z.int().positive();
/** What travels to a machine is at most a day (messages.ts): a longer one would be refused by every machine, unseen. */
const msOnBus = ms.max(86_400_000);
const url = z
  .url({ protocol: /^https?$/, error: "must be an http(s) address" })
  // In the one form that a webhook's audience has, whatever capitals or default port it was written with.
  .transform((text) => new URL(text).href.replace(/\/+$/, ""));

export const cloudConfiguration = z.strictObject({
  /** Which services run in this process. */
  services: z
    .array(z.enum(["payments", "vending"]))
    .min(1)
    .default(["payments", "vending"]),
  host: z.string().default("127.0.0.1"),
  port: z.int().min(0).max(65_535).default(8080),
  /** The proxies in front of us, whose word on where a request came from counts. */
  trustedProxies: z
    .array(
      z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], "must be an address, or a network as 10.0.0.0/8"),
    )
    .default([]),
  /** The address people and programs reach us at; what stickers and payment requests carry. */
  publicUrl: url,
  databaseUrl: z
    .string()
    .refine(
      (text) => /^file:.+/.test(text) || (/^postgres(ql)?:\/\/./.test(text) && URL.canParse(text)),
      "must be file:PATH of a SQLite database, or postgres://USER:PASSWORD@HOST:PORT/NAME of a PostgreSQL one",
    ),
  /** PostgreSQL: how many connections of this process write, and as many again read. */
  databaseConnections: z.int().min(1).max(1_000).default(10),
  /** Where the pages were built to; leave it out to serve none. */
  webDir: z.string().optional(),

  /**
   * How often one address may ask what needs no key, of either service. A customer's page asks 20 times a minute, a payment's own
   * page 30 times, and a mobile network puts hundreds of phones behind one address.
   */
  openRequestsPerMinute: z.int().positive().default(6_000),

  // payments
  /** Off, endpoints and fields that may still change are not there. */
  experimental: z.enum(["on", "off"]).default("on"),
  /** Where webhooks may go: to any address, or only to public ones; left out, as `targetPolicy` has it. */
  webhookTargets: z.enum(["any", "public"]).optional(),

  /** How often an account may ask, where it was given no other number. Counted in each process by itself. */
  requestsPerMinute: z.int().positive().default(200),

  /** The provider of the asset type uplinkapi.test; left out, nothing is paid with it. */
  uplinkUrl: url.optional(),
  /** How long it may take to answer. */
  uplinkTimeoutMs: ms.max(30_000).default(10_000),

  // vending
  mqttUrl: z
    .url({ protocol: /^(mqtt|mqtts|ws|wss)$/, error: "must be an mqtt(s) or ws(s) address" })
    .default("mqtt://127.0.0.1:1883"),
  mqttUsername: z.string().default("cloud"),
  /** The payment platform; left out, our own public address. */
  paymentsUrl: url.optional(),
  /** Where the platform's webhooks reach us; left out, our own public address. */
  vendingUrl: url.optional(),
  /** Whose pages may show the customers' pages within their own, as a content security policy names them. */
  framedBy: z
    .array(z.string().regex(/^https?:\/\/[A-Za-z0-9.*[\]:-]+$/, "must be an origin, as https://shop.example"))
    .default([]),
  /** How many may watch sales at once in this process: from one address, and in all. Past them pages ask instead. */
  streamsPerAddress: z.int().positive().default(200),
  streams: z.int().positive().default(2_000),
  /** How much one machine may report: lines in a minute, and new journals in a day. */
  reportsPerMinute: z.int().positive().default(20_000),
  journalsPerDay: z.int().positive().default(10),
  /** How soon something owed to a machine or the platform is said again. */
  againMs: ms.default(2_000),
  /** How long a machine may take to say that it is there. */
  reserveMs: ms.default(3_000),
  /** How long the payment platform may take to make a payment request. */
  requestMs: ms.default(10_000),
  /** How long a phone's sale keeps its machine unpaid when somebody else asks for it. */
  heldUnpaidMs: ms.default(45_000),
  /** How many holds of one machine in a row one address may let come to nothing before it has to wait. */
  unpaidHolds: z.int().positive().default(3),
  /** How long a customer may take to pay. The machine's reservation is half a minute longer, and a day at most. */
  expirySeconds: z.int().min(10).max(86_370).default(120),
  /** How long a paid sale waits for its machine before everything goes back. */
  grantMs: ms.default(20_000),
  /** How long a machine waits for the cloud's word on a grant it has accepted. */
  goMs: msOnBus.default(30_000),
  /** How long the customer may choose at the machine. */
  sessionMs: msOnBus.default(90_000),
  /** When a machine that went dark with a sale open is given up and the customer refunded. */
  darkAfterMs: ms.default(86_400_000),
  /** When a vend nobody can vouch for is decided. */
  unknownAfterMs: ms.default(900_000),
  /** How many of those are decided for one wallet in thirty days; past that they count as given out, and are flagged. */
  unknownRefundCap: z.int().nonnegative().default(3),
});
export type CloudConfiguration = z.infer<typeof cloudConfiguration>;

/** Whoever is reached by https is on the internet, where nobody else may look around our network through us. */
export const targetPolicy = ({
  webhookTargets,
  publicUrl,
}: Pick<CloudConfiguration, "webhookTargets" | "publicUrl">): "any" | "public" =>
  webhookTargets ?? (publicUrl.startsWith("https:") ? "public" : "any");

/** Secrets come by their own file and print as `[secret]`. */
export const cloudSecrets = z.strictObject({
  mqttPassword: z.string().min(1).optional(),
  paymentsApiKey: z.string().min(1).optional(),
  /** What the uplink provider knows us by; it goes into a header. */
  uplinkKey: z
    .string()
    .regex(/^[\x21-\x7e]{16,255}$/, "must be 16 to 255 printable characters, no spaces")
    .optional(),
});
export type CloudSecrets = z.infer<typeof cloudSecrets>;

/** Environment variables that take the place of a key, for containers and units. */
export const ENVIRONMENT = {
  PUBLIC_URL: "publicUrl",
  DATABASE_URL: "databaseUrl",
  MQTT_URL: "mqttUrl",
  PAYMENTS_URL: "paymentsUrl",
  EXPERIMENTAL: "experimental",
  UPLINK_URL: "uplinkUrl",
} as const satisfies Record<string, keyof CloudConfiguration>;
export const SECRET_ENVIRONMENT = {
  MQTT_PASSWORD: "mqttPassword",
  PAYMENTS_API_KEY: "paymentsApiKey",
  UPLINK_KEY: "uplinkKey",
} as const satisfies Record<string, keyof CloudSecrets>;
