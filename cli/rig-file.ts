/** `rig.json`: what the running rig tells scripts and commands of itself. Written by `start`, gone when the rig stops. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const rigFile = z.looseObject({
  cloudUrl: z.string(),
  configId: z.string(),
  keys: z.object({ owner: z.string(), terminal: z.string() }),
  machines: z.array(z.object({ code: z.string(), name: z.string() })),
  wallets: z.array(z.object({ apiKey: z.string(), assetId: z.string() })).min(1),
});
export type RigFile = z.infer<typeof rigFile>;

/** `undefined` when no rig runs in this directory. */
export function readRigFile(data: string): RigFile | undefined {
  const path = join(data, "rig.json");
  if (!existsSync(path)) return undefined;
  return rigFile.parse(JSON.parse(readFileSync(path, "utf8")));
}
