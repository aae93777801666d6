/**
 * Who may do what: one table, role by action. Pure.
 *
 * `own` is on what belongs to the key's account, `managed` also on the accounts it has made, `any` on anyone's; what is not in
 * the table is refused.
 */
type Grant = "own" | "managed" | "any";
const permissions = {
  // prettier-ignore
  "account-owner": {
    "payment-requests:create":   "own",
    "payment-requests:read":     "any",
    "payment-requests:list":     "own",
    "payment-requests:pay":      "any",
    "payment-requests:refund":   "own",
    "payment-requests:void":     "own",
    "payment-requests:confirm":  "own",
    "payment-requests:release":  "own",
    "payment-requests:read-by-short-code": "own",
    "payment-requests:approve-conditions": "own",
    "payment-activities:read":   "own",
    "assets:read":               "own",
    "assets:spend":              "own",
    "assets:top-up":             "own",
    "assets:archive": "own",
    "wallets:create": "own",
    "vouchers:read": "own",
    "vouchers:write": "own",
    "collections:read": "own",
    "collections:write": "own",
    "tokens:write": "own",
    "accounts:create":           "own",
    "accounts:read":             "managed",
    "accounts:write":            "managed",
    "api-keys:read":             "managed",
    "api-keys:write":            "managed",
    "merchants:create":          "own",
    "merchants:read":            "own",
    "merchants:write":           "own",
    "merchant-configs:read":     "own",
    "merchant-configs:write":    "own",
    "patron-codes:create":       "own",
    "patron-codes:read":         "own",
    "patron-codes:write":        "own",
    "codes:decode":              "own",
    "test-clock:read":           "own",
    "test-clock:advance":        "own",
    "webhooks:read":             "own",
    "webhooks:write":            "own",
    "notifications:read":        "own",
  },
  // prettier-ignore
  "merchant-terminal": {
    "payment-requests:create":   "any",
    "payment-requests:read":     "any",
    "payment-requests:list":     "own",
    "payment-requests:pay":      "own",
    "payment-requests:refund":   "own",
    "payment-requests:void":     "own",
    "payment-requests:confirm":  "own",
    "payment-requests:release":  "own",
    "payment-requests:read-by-short-code": "own",
    "payment-requests:approve-conditions": "own",
    "payment-activities:read":   "own",
    "assets:spend":              "own",
    "patron-codes:read":         "any",
    "codes:decode":              "own",
  },
} as const satisfies Record<string, Readonly<Partial<Record<string, Grant>>>>;

export type Role = keyof typeof permissions;
export type Action = keyof (typeof permissions)["account-owner"];
export const roles = ["account-owner", "merchant-terminal"] as const satisfies readonly Role[];

export function may(role: Role, action: Action, isOwn: boolean, isManaged = false): boolean {
  const granted: Readonly<Partial<Record<Action, Grant>>> = permissions[role];
  const grant = granted[action];
  if (grant === undefined || grant === "any") return grant === "any";
  return isOwn || (grant === "managed" && isManaged);
}
