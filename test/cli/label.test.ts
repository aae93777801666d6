/** `scanvend label` through the built program: what it prints can be scanned, is as large as it says, and wrong calls are refused. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { Resvg } from "@resvg/resvg-js";
import jsQR from "jsqr";
import { PNG } from "pngjs";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "scanvend-label-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== "PUBLIC_URL"));
const run = (...argv: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "label", ...argv], {
    cwd: dir,
    env: environment,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};
const made = z.object({
  file: z.string(),
  pages: z.int(),
  labels: z.array(z.object({ code: z.string(), url: z.string(), checkWords: z.string() })),
});
const make = (...argv: readonly string[]): z.infer<typeof made> => {
  const { status, stdout, stderr } = run(...argv, "--json");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return made.parse(JSON.parse(stdout));
};
const file = (name: string): Buffer => readFileSync(join(dir, name));

/** What a phone reads from a picture; from a sheet of four, a quarter at a time. */
function scan(picture: Buffer, cut: 1 | 2 = 1): readonly string[] {
  const whole = PNG.sync.read(picture);
  const [width, height] = [Math.floor(whole.width / cut), Math.floor(whole.height / cut)];
  const parts = Array.from({ length: cut * cut }, (_, index) => {
    const part = new PNG({ width, height });
    PNG.bitblt(whole, part, (index % cut) * width, Math.floor(index / cut) * height, width, height);
    return jsQR.default(new Uint8ClampedArray(part.data), width, height);
  });
  return parts.flatMap((code) => (code === null ? [] : [code.data]));
}

/** Not too large: this reader, unlike a phone, loses a code whose modules have more than some 16 dots. */
const picture = (svg: string, width: number): Buffer =>
  new Resvg(svg, { background: "#fff", fitTo: { mode: "width", value: width } }).render().asPng();

test("a PNG label is 70 x 100 mm at 300 dots an inch, and is scanned as the machine's address", () => {
  const one = make("--machine", "SNACK1", "--out", "a.png", "--url", "https://pay.example/");
  expect(one).toEqual({
    file: "a.png",
    pages: 1,
    labels: [{ code: "SNACK1", url: "https://pay.example/m/SNACK1", checkWords: "postcard puzzle" }],
  });
  const png = file("a.png");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([827, 1181]);
  const density = png.indexOf("pHYs");
  expect([png.readUInt32BE(density + 4), png.readUInt32BE(density + 8)]).toEqual([11_811, 11_811]); // a metre
  expect(scan(png)).toEqual(["https://pay.example/m/SNACK1"]);
});

test("an SVG label says its size in millimetres, needs no font, and is scanned the same", () => {
  make("--machine", "SNACK1=Nüsse & <Tāmaki>", "--out", "a.svg", "--url", "https://pay.example");
  const svg = file("a.svg").toString();
  expect(svg).toMatch(/^<svg [^>]*width="70mm" height="100mm" viewBox="0 0 70 100"/);
  expect(svg).not.toContain("<text");
  expect(scan(picture(svg, 600))).toEqual(["https://pay.example/m/SNACK1"]);
});

const urls = ["A", "B", "C", "D", "E"].map((code) => `https://pay.example/m/${code}`);
const five = ["A", "B", "C", "D", "E"].flatMap((code) => ["--machine", code]);
// prettier-ignore
const papers: readonly [paper: string, widthMm: number, heightMm: number][] = [
  ["A4",     210,   297],
  ["Letter", 215.9, 279.4],
];
for (const [paper, widthMm, heightMm] of papers)
  test(`five labels are two sheets of ${paper}, and each can be scanned`, () => {
    const sheet = make(...five, "--sheet", paper, "--out", "s.pdf", "--url", "https://pay.example");
    expect(sheet.pages).toBe(2);
    const pages = pdfPages(file("s.pdf"));
    expect(pages).toHaveLength(2);
    for (const page of pages) {
      expect(page.widthMm).toBeCloseTo(widthMm, 1);
      expect(page.heightMm).toBeCloseTo(heightMm, 1);
    }
    expect(pages.flatMap(({ svg }) => scan(picture(svg, 1_200), 2))).toEqual(urls);
  });

test("without a sheet a PDF has a label a page, the very outlines of the SVG", () => {
  make("--machine", "A", "--machine", "B", "--out", "b.pdf", "--url", "https://pay.example");
  const pages = pdfPages(file("b.pdf"));
  expect(pages.map(({ widthMm, heightMm }) => [widthMm.toFixed(1), heightMm.toFixed(1)])).toEqual([
    ["70.0", "100.0"],
    ["70.0", "100.0"],
  ]);
  make("--machine", "A", "--out", "b.svg", "--url", "https://pay.example");
  const outlines = (svg: string | undefined): number => svg?.match(/<path/g)?.length ?? 0;
  expect(outlines(pages[0]?.svg)).toBe(outlines(file("b.svg").toString()));
});

test("four labels of a sheet are one PNG of that paper, with the check words on a strip of their own", () => {
  make(...five.slice(0, 8), "--sheet", "A4", "--out", "s.svg", "--url", "https://pay.example");
  make(...five.slice(0, 8), "--sheet", "A4", "--out", "s.png", "--url", "https://pay.example");
  expect(scan(file("s.png"), 2)).toEqual(urls.slice(0, 4));
  const washes = file("s.svg")
    .toString()
    .match(/fill="#e0efe8"/g);
  expect(washes).toHaveLength(8);
});

test("the running rig gives its address, its machines and their names", () => {
  const rig = {
    cloudUrl: "http://127.0.0.1:9",
    configId: "c",
    keys: { owner: "o", terminal: "t" },
    machines: [
      { code: "SNACK1", name: "Snack machine 1" },
      { code: "SNACK2", name: "Snack machine 2" },
    ],
    wallets: [{ apiKey: "k", assetId: "a" }],
  };
  writeFileSync(join(dir, "rig.json"), JSON.stringify(rig));
  expect(make("--rig", "--data", dir, "--out", "r.pdf").labels.map(({ url }) => url)).toEqual([
    "http://127.0.0.1:9/m/SNACK1",
    "http://127.0.0.1:9/m/SNACK2",
  ]);
  make("--machine", "SNACK1", "--data", dir, "--out", "named.svg");
  make("--machine", "SNACK1=Snack machine 1", "--data", dir, "--out", "given.svg");
  make("--machine", "SNACK1=", "--data", dir, "--out", "nameless.svg");
  expect(file("named.svg")).toEqual(file("given.svg"));
  expect(file("named.svg")).not.toEqual(file("nameless.svg"));
});

test("the longest address that a code holds is printed and scanned", () => {
  const url = `https://pay.example/${"x".repeat(1_639)}`;
  make("--machine", "A", "--out", "long.svg", "--url", url);
  expect(scan(picture(file("long.svg").toString(), 1_800))).toEqual([`${url}/m/A`]);
});

test("a file that cannot be written is exit 1, and said", () => {
  const { status, stderr } = run(
    "--machine",
    "A",
    "--url",
    "http://h",
    "--out",
    join(dir, "nowhere", "x.pdf"),
  );
  expect(status).toBe(1);
  expect(stderr).toMatch(/^scanvend label: .*nowhere/);
});

// prettier-ignore
const wrong: readonly [name: string, argv: readonly string[], names: string][] = [
  ["no machine",              ["--out", "x.svg", "--url", "http://h"],                                 "--machine"],
  ["an odd code",             ["--machine", "a/b", "--out", "x.svg", "--url", "http://h"],             "--machine"],
  ["a name without letters",  ["--machine", "A=自販機", "--out", "x.svg", "--url", "http://h"],         "自"],
  ["a very long name",        ["--machine", `A=${"x".repeat(61)}`, "--out", "x.svg", "--url", "http://h"], "60"],
  ["no file",                 ["--machine", "A", "--url", "http://h"],                                 "--out"],
  ["another format",          ["--machine", "A", "--out", "x.gif", "--url", "http://h"],               "--out"],
  ["another paper",           ["--machine", "A", "--out", "x.pdf", "--url", "http://h", "--sheet", "A3"], "A4 or Letter"],
  ["two pages in one PNG",    ["--machine", "A", "--machine", "B", "--out", "x.png", "--url", "http://h"], ".pdf"],
  ["no address",              ["--machine", "A", "--out", "x.svg", "--data", "nowhere"],               "--url"],
  ["an odd address",          ["--machine", "A", "--out", "x.svg", "--url", "javascript:1"],           "--url"],
  ["an address with a query", ["--machine", "A", "--out", "x.svg", "--url", "https://pay.example/?a=b"], "--url"],
  ["an empty query",          ["--machine", "A", "--out", "x.svg", "--url", "https://pay.example/?"],  "--url"],
  ["a fragment",              ["--machine", "A", "--out", "x.svg", "--url", "https://pay.example/#x"], "--url"],
  ["one too long for a code", ["--machine", "A", "--out", "x.svg", "--url", `https://pay.example/${"x".repeat(1_640)}`], "--url"],
  ["no rig",                  ["--rig", "--out", "x.pdf", "--data", "nowhere", "--url", "http://h"],   "--rig"],
  ["an unknown option",       ["--colour", "red"],                                                     "--colour"],
];
for (const [name, argv, names] of wrong)
  test(`${name} is refused with exit 2, naming ${names}`, () => {
    const { status, stderr, stdout } = run(...argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toContain(names);
  });

type PdfPage = { readonly widthMm: number; readonly heightMm: number; readonly svg: string };

/** The pages of a PDF that holds filled paths only: their sizes, and the paths drawn again as SVG. */
function pdfPages(pdf: Buffer): readonly PdfPage[] {
  const source = pdf.toString("latin1");
  const sizes = [...source.matchAll(/\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/g)];
  const contents = [...source.matchAll(/\/FlateDecode[^]*?stream\n([^]*?)\nendstream/g)];
  expect(contents).toHaveLength(sizes.length);
  return sizes.map(([, width, height], index) => {
    const [widthMm = 0, heightMm = 0] = [width, height].map((points) => (Number(points) / 72) * 25.4);
    const content = inflateSync(Buffer.from(contents[index]?.[1] ?? "", "latin1")).toString("latin1");
    return { widthMm, heightMm, svg: drawn(content, widthMm, heightMm) };
  });
}

function drawn(content: string, widthMm: number, heightMm: number): string {
  let path = "";
  let colour = "";
  let pen = "";
  const paths: string[] = [];
  for (const line of content.split("\n")) {
    const words = line.trim().split(" ");
    const operator = words.pop() ?? "";
    const values = words.join(" ");
    if (operator === "v") path += `C${pen} ${values}`;
    else if (["m", "l", "c"].includes(operator)) path += operator.toUpperCase() + values;
    else if (operator === "h") path += "Z";
    else if (operator === "scn") colour = rgb(values);
    else if (operator === "f") {
      paths.push(`<path fill="${colour}" d="${path}"/>`);
      path = "";
    } else expect(["cm", "cs", "gs", "q", "Q", ""], line).toContain(operator);
    pen = words.slice(-2).join(" ");
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widthMm} ${heightMm}">${paths.join("")}</svg>`;
}

const rgb = (values: string): string =>
  `rgb(${values
    .split(" ")
    .map((value) => Math.round(Number(value) * 255))
    .join(",")})`;
