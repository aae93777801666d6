/** `scanvend label`: the sticker, and what is said about a wrong call. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { label } from "../../cli/label.js";

const dir = mkdtempSync(join(tmpdir(), "scanvend-label-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function run(
  ...argv: readonly string[]
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  const said = { out: "", err: "" };
  const io = {
    out: (line: string) => void (said.out += line),
    err: (line: string) => void (said.err += line),
  };
  return { status: await label(argv, io, undefined), ...said };
}

test("an SVG sticker holds the machine's address", async () => {
  const file = join(dir, "a.svg");
  const { status, out } = await run(
    "--machine",
    "SNACK1",
    "--out",
    file,
    "--url",
    "https://pay.example/",
    "--json",
  );
  expect({ status, out: JSON.parse(out) as unknown }).toEqual({
    status: 0,
    out: { file, url: "https://pay.example/m/SNACK1" },
  });
  expect(readFileSync(file, "utf8")).toMatch(/^<svg/);
});

test("a PNG sticker is 1,024 pixels square", async () => {
  const file = join(dir, "a.png");
  expect((await run("--machine", "SNACK1", "--out", file, "--url", "https://pay.example")).status).toBe(0);
  const png = readFileSync(file);
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1024, 1024]);
});

test("without an address the running rig's is taken", async () => {
  writeFileSync(join(dir, "rig.json"), JSON.stringify({ cloudUrl: "http://127.0.0.1:9" }));
  const { out } = await run("--machine", "SNACK1", "--out", join(dir, "b.svg"), "--data", dir);
  expect(out).toContain("http://127.0.0.1:9/m/SNACK1");
});

// prettier-ignore
const wrong: readonly [name: string, argv: readonly string[], names: string][] = [
  ["no machine",        ["--out", "x.svg", "--url", "http://h"],                       "--machine"],
  ["an odd code",       ["--machine", "a/b", "--out", "x.svg", "--url", "http://h"],   "--machine"],
  ["no file",           ["--machine", "A", "--url", "http://h"],                       "--out"],
  ["another format",    ["--machine", "A", "--out", "x.pdf", "--url", "http://h"],     "--out"],
  ["no address",        ["--machine", "A", "--out", "x.svg", "--data", "nowhere"],     "--url"],
  ["an odd address",    ["--machine", "A", "--out", "x.svg", "--url", "javascript:1"], "--url"],
  ["an unknown option", ["--colour", "red"],                                           "--colour"],
];
for (const [name, argv, names] of wrong)
  test(`${name} is refused with exit 2, naming ${names}`, async () => {
    const { status, err, out } = await run(...argv);
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toContain(names);
  });
