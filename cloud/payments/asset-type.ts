/**
 * Asset types: `issuer.currency.liveness`, as the payment API writes them. Pure.
 *
 * Test and main money never mix, and the type says which it is.
 */
export type Liveness = "main" | "test";
export type AssetType = {
  /**
   * Money this platform keeps in its ledger; money that a code pays with; a token, which is spent whole; a tender that
   * somebody else keeps and the merchant vouches for; or money that a provider elsewhere keeps, and is called to move.
   */
  readonly category: "money" | "giftcard" | "token" | "external" | "uplink";
  /** Left out: it takes whatever currency the request has. */
  readonly currency?: string;
  readonly liveness: Liveness;
  /** Whether money can be held now and confirmed later. */
  readonly preAuth: boolean;
};

// prettier-ignore
const known: readonly (readonly [RegExp, Omit<AssetType, "currency" | "liveness">])[] = [
  [/^centrapay\.(?<currency>[a-z]{3})\.(?<liveness>main|test)$/, { category: "money",    preAuth: true }],
  [/^voucher\.(?<currency>[a-z]{3})\.(?<liveness>main|test)$/,   { category: "giftcard", preAuth: false }],
  [/^centrapay\.token\.(?<liveness>main|test)$/,                 { category: "token",    preAuth: false }],
  [/^external\.(?<liveness>main|test)$/,                         { category: "external", preAuth: false }],
  [/^uplinkapi\.(?<liveness>test)$/,                             { category: "uplink",   preAuth: false }],
];

/** What a type says, or `undefined` for one this platform does not take. */
export function readAssetType(type: string): AssetType | undefined {
  const before = seen.get(type);
  if (before !== undefined) return before;
  const read = parse(type);
  if (read !== undefined && seen.size < SEEN) seen.set(type, read);
  return read;
}
/** The types of a platform are few, and each of its answers reads them several times. */
const SEEN = 1_000;
const seen = new Map<string, AssetType>();

function parse(type: string): AssetType | undefined {
  for (const [pattern, rest] of known) {
    const match = pattern.exec(type);
    if (match === null) continue;
    const { currency, liveness } = match.groups ?? {};
    return {
      ...rest,
      ...(currency === undefined ? {} : { currency: currency.toUpperCase() }),
      liveness: liveness === "main" ? "main" : "test",
    };
  }
  return undefined;
}

/** Whether a provider elsewhere has to be called before it is known that the money moved. */
export const isElsewhere = (type: string): boolean => readAssetType(type)?.category === "uplink";

export const testVoucher = (currency: string): string => `voucher.${currency.toLowerCase()}.test`;
export const testMoney = (currency: string): string => `centrapay.${currency.toLowerCase()}.test`;

/** What pays with a merchant's word or a promise has accounts of its own: in a wallet it would be money to spend. */
export const paysIntoNone = ({ category }: AssetType): boolean =>
  category === "external" || category === "token";

const NAMES: Partial<Record<AssetType["category"], string>> = {
  external: "Other tender",
  uplink: "Uplink",
  giftcard: "Voucher",
  token: "Token",
};

/** What a person sees in a list of assets. */
export function describeAssetType(type: string): string {
  const read = readAssetType(type);
  if (read === undefined) return type;
  const name = NAMES[read.category] ?? read.currency ?? "";
  return read.liveness === "test" ? `${name} (test)` : name;
}
