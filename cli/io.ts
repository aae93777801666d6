/** What a command may touch of its terminal. `cli.ts` builds the real one. */
export interface Io {
  out(line: string): void;
  err(line: string): void;
}
