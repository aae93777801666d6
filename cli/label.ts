/** `scanvend label`: what is printed and stuck on a machine, as SVG, PNG or PDF. */
import { writeFileSync } from "node:fs";
import { extname } from "node:path";
import { parseArgs } from "node:util";
import { checkWords, machineUrl } from "../cloud/vending/check-words.js";
import { QR_MOST_BYTES } from "../cloud/qr.js";
import type { Io } from "./io.js";
import type { Page } from "./label/drawing.js";
import { unprintable } from "./label/lettering.js";
import { pdfOf, pngOf, svgOf } from "./label/print.js";
import { PAPERS, sheets, single, type Paper } from "./label/sheet.js";
import type { Labelled } from "./label/sticker.js";
import { readRigFile, type RigFile } from "./rig-file.js";

export const usage = `scanvend label (--machine CODE[=NAME] ... | --rig) --out FILE
               [--sheet A4|Letter] [--url URL] [--data DIR] [--json]

  Labels for machines, 70 x 100 mm: the QR code that a customer scans, {URL}/m/{CODE}, the same address for typing, what
  to do, and the machine's check words, which its page shows too. The QR code alone is at {URL}/m/{CODE}/qr.svg.

  --machine CODE[=NAME]  the machine's code, and the name to be printed (default: the running rig's). As often as you
                         like; one that is named twice is printed twice
  --rig                  all machines of the running rig
  --out FILE             ends with .pdf, .svg or .png (300 dots an inch); the last two hold one page
  --sheet A4|Letter      four labels a sheet, with crop marks, and for each machine a strip that repeats the check words,
                         to be stuck apart from the label: see docs/decisions/0007-label.md. Without it: a label a page
  --url URL              the public address (default: PUBLIC_URL, or the running rig's)
  --data DIR             the rig's directory (default: data)
  --json                 say what was made as JSON
  --help                 this text`;

/** Exit status: 0 made, 1 the file could not be written, 2 called wrongly. */
export async function label(argv: readonly string[], io: Io, publicUrl: string | undefined): Promise<number> {
  const call = read(argv, publicUrl);
  if (call === "help") {
    io.out(usage);
    return 0;
  }
  if (typeof call === "string") {
    io.err(`scanvend label: ${call}\n\n${usage}`);
    return 2;
  }
  const { labels, pages, out } = call;
  try {
    writeFileSync(out, await printed(pages, out, `Labels: ${labels.map(({ code }) => code).join(", ")}`));
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error; // not the file's fault
    io.err(`scanvend label: ${error.message}`);
    return 1;
  }
  const made = labels.map(({ publicUrl: base, code }) => ({
    code,
    url: machineUrl(base, code),
    checkWords: checkWords(base, code),
  }));
  if (call.json) io.out(JSON.stringify({ file: out, pages: pages.length, labels: made }));
  else for (const { url, checkWords: words } of made) io.out(`${out}: ${url} (check words: ${words})`);
  return 0;
}

async function printed(pages: readonly Page[], out: string, title: string): Promise<string | Uint8Array> {
  const [first] = pages;
  if (extname(out) === ".pdf" || first === undefined) return pdfOf(pages, title);
  return extname(out) === ".svg" ? svgOf(first, title) : pngOf(first);
}

type Call = {
  readonly labels: readonly Labelled[];
  readonly pages: readonly Page[];
  readonly out: string;
  readonly json: boolean;
};
const LONGEST_NAME = 60;

/** The call, "help", or what is wrong with it. An option nobody declared is the front door's to refuse. */
function read(argv: readonly string[], publicUrl: string | undefined): Call | string {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      machine: { type: "string", multiple: true, default: [] },
      rig: { type: "boolean", default: false },
      out: { type: "string" },
      sheet: { type: "string" },
      url: { type: "string" },
      data: { type: "string", default: "data" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { out, sheet, data, json } = values;
  if (out === undefined || ![".pdf", ".svg", ".png"].includes(extname(out)))
    return "--out: a file ending with .pdf, .svg or .png is needed";
  if (sheet !== undefined && !isPaper(sheet)) return `--sheet: must be ${Object.keys(PAPERS).join(" or ")}`;
  const rig = readRigFile(data);
  const base = values.url ?? publicUrl ?? rig?.cloudUrl;
  if (base === undefined) return `--url: is needed (no PUBLIC_URL is set and no rig is running in ${data})`;
  if (!/^https?:\/\/[^\s/]/.test(base) || !URL.canParse(base))
    return "--url: must begin with http:// or https://";
  if (/[?#]/.test(base)) return "--url: must have no ? and no #: /m/{CODE} is put behind it";
  const named = values.rig ? rig?.machines : chosen(values.machine, rig);
  if (named === undefined) return `--rig: no rig is running in ${data}`;
  if (typeof named === "string") return named;
  const labels = named.map(({ code, name }) => ({ publicUrl: base, code, name }));
  if (labels.some(({ code }) => machineUrl(base, code).length > QR_MOST_BYTES))
    return `--url: is too long: with /m/{CODE} no QR code holds more than ${QR_MOST_BYTES} characters`;
  const pages = sheet === undefined ? single(labels) : sheets(labels, sheet);
  if (pages.length > 1 && extname(out) !== ".pdf")
    return `--out: ${extname(out)} holds one page and these are ${pages.length}; .pdf holds them all`;
  return { labels, pages, out, json };
}

const isPaper = (text: string): text is Paper => Object.hasOwn(PAPERS, text);

/** The machines that were asked for, or what is wrong with one. */
function chosen(machines: readonly string[], rig: RigFile | undefined): RigFile["machines"] | string {
  if (machines.length === 0) return "--machine: the machine's code is needed (or --rig)";
  const named = machines.map((machine) => {
    const [, code = "", name] = /^([^=]*)(?:=(.*))?$/s.exec(machine) ?? [];
    return { code, name: name ?? rig?.machines.find((known) => known.code === code)?.name ?? "" };
  });
  for (const { code, name } of named) {
    if (!/^[0-9A-Za-z_-]{1,64}$/.test(code))
      return `--machine: ${code} is no machine's code: letters, digits, _ and -, at most 64`;
    const odd = unprintable(name);
    if (odd !== undefined)
      return `--machine: the label has no letter for ${JSON.stringify(odd)} in the name of ${code}`;
    if (name.length > LONGEST_NAME)
      return `--machine: the name of ${code} is longer than ${LONGEST_NAME} characters`;
  }
  return named;
}
