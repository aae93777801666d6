/**
 * What every MDB driver is to the rest of the controller: a pure machine between a serial line and the sale. Pure.
 *
 * Promises  a driver says `vendCancelled` when a request ends and no approval of ours took hold, so the sale can trust
 *           that silence about an approval means the approval left. After an approval it says exactly what the adapter
 *           said, and nothing when the adapter said nothing: the sale decides how long to wait.
 * Never     knows of grants or money beyond one price; never writes, never waits: `dueMs` says when it wants a `tick`.
 *
 * `nowMs` is the monotonic clock. `request` numbers the VMC's vend requests, so that an answer meets the one it is for.
 */

/** MDB's item number for "not known" (7.4.6). */
export const ITEM_UNDEFINED = 0xffff;

export type MdbState = "lost" | "off" | "inactive" | "disabled" | "enabled" | "session" | "vend";

/** What the sale may ask of the driver. */
export type Ask =
  | { readonly kind: "openSession"; readonly amountMinor: number }
  | { readonly kind: "approve" | "deny"; readonly request: number }
  | { readonly kind: "closeSession" }
  /** For a while, where the machine has a display and lets us have it. Nothing answers it, and nothing may depend on it. */
  | { readonly kind: "display"; readonly text: string };

/** What the sale hears. `priceMinor` is absent when the price could not be read. */
export type Said =
  | { readonly kind: "mdb"; readonly mdb: MdbState }
  | { readonly kind: "opened" | "notOpened" }
  | {
      readonly kind: "vendRequested";
      readonly request: number;
      readonly item: number;
      readonly priceMinor?: number;
    }
  | { readonly kind: "vendCancelled" | "vendSucceeded" | "vendFailed" }
  | { readonly kind: "cashSale"; readonly item: number; readonly priceMinor: number } // the machine's own; none of ours
  | { readonly kind: "reset" } // the VMC reset us (MDB/ICP 7.4.7)
  | { readonly kind: "sessionEnded" } // by the VMC or the adapter, with nothing said about an open vend
  | { readonly kind: "lost" }; // the serial line, and with it whatever the adapter wanted to say

export type DriverEvent =
  | { readonly kind: "connected" | "disconnected" | "tick"; readonly nowMs: number }
  | { readonly kind: "line"; readonly text: string; readonly nowMs: number }
  | { readonly kind: "ask"; readonly ask: Ask; readonly nowMs: number };

export type DriverEffect =
  | { readonly kind: "send"; readonly text: string }
  | { readonly kind: "say"; readonly said: Said }
  | { readonly kind: "reopen"; readonly why: string } // the port is open but nobody is behind it
  | { readonly kind: "alarm"; readonly code: string; readonly detail: string }
  | { readonly kind: "ignored"; readonly state: string; readonly event: string };

export interface Driver<State> {
  readonly initial: State;
  step(state: State, event: DriverEvent): readonly [State, readonly DriverEffect[]];
  /** When the state wants its next tick; `undefined`: not before something happens. */
  dueMs(state: State): number | undefined;
}
