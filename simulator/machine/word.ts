/** What a machine tells its cashless reader, whatever adapter and line carry it; with the adapter's own answers to commands. */
type Plain =
  | "version"
  | "sniffOff"
  | "off"
  | "on"
  | "configured"
  | "inactive"
  | "disabled"
  | "enabled"
  | "succeeded"
  | "cancelled"
  | "failed"
  | "reset"
  | "isOn"
  | "isOff"
  | "cannotStart"
  | "cannotStop"
  | "cannotVend"
  | "cannotDisplay"
  | "badPrice";
export type Word =
  | { readonly kind: Plain }
  | { readonly kind: "idle"; readonly funds: string }
  | { readonly kind: "requested"; readonly price: string; readonly item: number }
  | { readonly kind: "unknown"; readonly text: string };

export const word = (kind: Plain): Word => ({ kind });
