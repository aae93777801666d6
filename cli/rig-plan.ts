/** What the rig is made of: the machines on its street and what is in them. */
export const CURRENCY = "NZD";
export const DECIMALS = 2;
export const WALLETS = 3;
export const TOP_UP_MINOR = 10_000;
/** What the rig's vouchers are worth. */
export const VOUCHERS_MINOR: readonly number[] = [1_000, 500, 500];

const ITEMS = [
  { item: 11, name: "Salted crisps", priceMinor: 250, sku: "crisps" },
  { item: 12, name: "Chocolate bar", priceMinor: 300, sku: "chocolate" },
  { item: 13, name: "Roasted nuts", priceMinor: 350, sku: "nuts" },
  { item: 21, name: "Still water", priceMinor: 200, sku: "water" },
  { item: 22, name: "Cola", priceMinor: 350, sku: "cola" },
  { item: 23, name: "Apple juice", priceMinor: 400, sku: "juice" },
  { item: 31, name: "Cheese sandwich", priceMinor: 650, sku: "sandwich" },
  { item: 32, name: "Chewing gum", priceMinor: 150, sku: "gum" },
] as const;
/** What the rig's product codes are good for, and how many there are. */
export const GIVEN = ITEMS[4];
export const PRODUCT_CODES = 2;
const PLACES = [
  "Ground floor, by the lifts",
  "Library entrance",
  "Platform 2",
  "Sports hall",
  "Staff kitchen",
] as const;

export type RigMachine = {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly place: string;
  readonly items: typeof ITEMS;
  readonly stock: number;
};

/** The n-th machine, counted from one; the same one at every start. */
export const rigMachine = (n: number): RigMachine => ({
  id: `machine-${n}`,
  code: `SNACK${n}`,
  name: `Snack machine ${n}`,
  place: PLACES[(n - 1) % PLACES.length] ?? PLACES[0],
  items: ITEMS,
  stock: 40, // more than a real spiral holds: a rig is for trying things many times
});

export const SUGGESTED_CREDIT_MINOR: readonly number[] = [200, 400, 500, 1_000];
export const MIN_CREDIT_MINOR = 50;
export const MAX_CREDIT_MINOR = 2_000;
