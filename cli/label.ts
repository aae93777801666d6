/** `scanvend label`: the QR sticker of a machine, as SVG or PNG. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { qrPng, qrSvg } from "../cloud/qr.js";
import type { Io } from "./io.js";

export const usage = `scanvend label --machine CODE --out FILE [--url URL] [--data DIR] [--json]

  The machine's QR sticker: what a customer scans, {URL}/m/{CODE}.

  --machine CODE   the machine's code
  --out FILE       ends with .svg or .png
  --url URL        the public address (default: PUBLIC_URL, or the running rig's)
  --data DIR       the rig's directory (default: data)
  --json           say what was made as JSON
  --help           this text`;

/** Exit status: 0 made, 1 the file could not be written, 2 called wrongly. */
export async function label(argv: readonly string[], io: Io, publicUrl: string | undefined): Promise<number> {
  const call = read(argv);
  if (call === "help") {
    io.out(usage);
    return 0;
  }
  const wrong = (problem: string): number => {
    io.err(`scanvend label: ${problem}\n\n${usage}`);
    return 2;
  };
  if (typeof call === "string") return wrong(call);
  const base = call.url ?? publicUrl ?? rigUrl(call.data);
  if (base === undefined) return wrong("--url: is needed (no PUBLIC_URL is set and no rig is running)");
  if (!/^https?:\/\/[^\s/]+/.test(base)) return wrong("--url: must begin with http:// or https://");
  const text = `${base.replace(/\/+$/, "")}/m/${call.machine}`;
  const picture = extname(call.out) === ".svg" ? await qrSvg(text) : await qrPng(text);
  try {
    writeFileSync(call.out, picture);
  } catch (error) {
    io.err(`scanvend label: ${error instanceof Error ? error.message : "the file could not be written"}`);
    return 1;
  }
  io.out(call.json ? JSON.stringify({ file: call.out, url: text }) : `${call.out}: ${text}`);
  return 0;
}

type Call = {
  readonly machine: string;
  readonly out: string;
  readonly url: string | undefined;
  readonly data: string;
  readonly json: boolean;
};

/** The call, "help", or what is wrong with it. */
function read(argv: readonly string[]): Call | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        machine: { type: "string" },
        out: { type: "string" },
        url: { type: "string" },
        data: { type: "string", default: "data" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return "help";
    const { machine, out, url, data, json } = values;
    if (machine === undefined || !/^[0-9A-Za-z_-]{1,64}$/.test(machine))
      return "--machine: the machine's code is needed";
    if (out === undefined || ![".svg", ".png"].includes(extname(out)))
      return "--out: a file ending with .svg or .png is needed";
    return { machine, out, url, data, json };
  } catch (error) {
    if (error instanceof TypeError) return error.message; // parseArgs: an option nobody declared
    throw error;
  }
}

/** The address of the rig that runs in this directory. */
function rigUrl(data: string): string | undefined {
  const path = join(data, "rig.json");
  if (!existsSync(path)) return undefined;
  const rig = z.looseObject({ cloudUrl: z.string() }).safeParse(JSON.parse(readFileSync(path, "utf8")));
  return rig.success ? rig.data.cloudUrl : undefined;
}
