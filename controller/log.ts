/** What a module may say aloud. `main.ts` fills it with pino: one JSON line each. */
type Say = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export interface Log {
  /** Off unless asked for; check `debugging` before building anything for it. */
  readonly debugging: boolean;
  debug: Say;
  info: Say;
  warn: Say;
  error: Say;
}
