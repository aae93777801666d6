/** pgbench's debit-credit (TPC-B-like, prepared), which comes with PostgreSQL's client programs. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const SCALE = 20;
/** Past eight clients two cores have nothing more to give. */
const CLIENTS = 32;
const run = promisify(execFile);

/** Fills the database, and answers what measures transactions a second on it. */
export async function debitCredit(databaseUrl: string): Promise<(seconds: number) => Promise<number>> {
  await pgbench("--initialize", "--quiet", `--scale=${SCALE}`, databaseUrl);
  return async (seconds) => {
    const said = await pgbench(
      "--protocol=prepared",
      "--no-vacuum",
      `--client=${CLIENTS}`,
      "--jobs=2",
      `--time=${seconds}`,
      databaseUrl,
    );
    const tps = /tps = ([0-9.]+)/.exec(said)?.[1];
    if (tps === undefined) throw new Error(`pgbench said no figure: ${said}`);
    return Number(tps);
  };
}

async function pgbench(...args: readonly string[]): Promise<string> {
  try {
    return (await run("pgbench", args)).stdout;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw new Error(
        "pgbench is not on the PATH (Debian: apt install postgresql-contrib, or --store sqlite)",
        {
          cause: error,
        },
      );
    throw error;
  }
}
