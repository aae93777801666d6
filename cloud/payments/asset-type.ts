/**
 * Asset types: `issuer.currency.liveness`, as the payment API writes them. Pure.
 *
 * This platform keeps one kind of money itself: `centrapay.{currency}.{main|test}`. Test and main money never mix, and the
 * type says which it is.
 */
const MONEY = /^centrapay\.([a-z]{3})\.(main|test)$/;

export type Liveness = "main" | "test";
export type AssetType = {
  readonly currency: string;
  readonly liveness: Liveness;
  /** Whether money can be held and confirmed later. The ledger's wallets cannot yet. */
  readonly preAuth: boolean;
};

/** What a type says, or `undefined` for one this platform does not keep. */
export function readAssetType(type: string): AssetType | undefined {
  const match = MONEY.exec(type);
  if (match?.[1] === undefined) return undefined;
  return {
    currency: match[1].toUpperCase(),
    liveness: match[2] === "main" ? "main" : "test",
    preAuth: false,
  };
}

export const testMoney = (currency: string): string => `centrapay.${currency.toLowerCase()}.test`;

/** What a person sees in a list of assets. */
export const describeAssetType = (type: string): string => {
  const known = readAssetType(type);
  if (known === undefined) return type;
  return known.liveness === "test" ? `${known.currency} (test)` : known.currency;
};
