/** What the system calls a failure (`ENOENT`, `EADDRINUSE`); `undefined` of one that it has no name for. Pure. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;
