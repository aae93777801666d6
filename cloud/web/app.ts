/** What every component may use, filled once by `main.tsx`. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Api } from "./api.js";
import type { Attempts } from "./attempt.js";
import type { Memory } from "./memory.js";
import type { Wallet } from "./wallet.js";
import type { Money } from "./wire.js";
import type { Words } from "./words.js";

export type App = {
  readonly api: Api;
  readonly words: Words;
  readonly memory: Memory;
  readonly attempts: Attempts;
  readonly wallet: Wallet | undefined;
  readonly forgetWallet: () => void;
  /** Money and moments as this phone's owner writes them; of today, a moment's time is enough. */
  readonly money: (money: Money) => string;
  readonly time: (at: string) => string;
  readonly dayAndTime: (at: string) => string;
  /** What this tab alone remembers, and forgets when it is closed. */
  readonly tabMemory: Memory;
};

export const AppContext = createContext<App | undefined>(undefined);

export function useApp(): App {
  const app = useContext(AppContext);
  if (app === undefined) throw new Error("a component was drawn outside AppContext");
  return app;
}
