/** The rooms and their arrows (ARCHITECTURE.md), read from the imports themselves; and what a pure module may not touch. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = ["cli.ts", ...["cli", "broker", "controller", "cloud", "simulator"].flatMap(sources)];

function sources(dir: string): string[] {
  return readdirSync(join(root, dir), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(dir, name));
}

/** The most particular room a file is in. */
const ROOMS = [
  "broker/protocol",
  "broker",
  "controller/web",
  "controller",
  "cloud/store",
  "cloud/http",
  "cloud/payments",
  "cloud/vending",
  "cloud/web",
  "cloud",
  "simulator/web",
  "simulator",
  "cli",
] as const;
type Room = (typeof ROOMS)[number];
const roomOf = (file: string): Room => {
  if (file === "cli.ts") return "cli";
  const room = ROOMS.find((one) => file.startsWith(`${one}/`));
  if (room === undefined) throw new Error(`${file} is in no room`);
  return room;
};

/** Who may import whom. A room may always import itself. */
const ARROWS: Readonly<Record<Room, readonly Room[]>> = {
  "broker/protocol": [],
  broker: ["broker/protocol"],
  controller: ["broker/protocol"],
  "controller/web": [],
  "cloud/store": [],
  "cloud/http": ["cloud/store"],
  "cloud/payments": ["cloud/store", "cloud/http", "broker/protocol"],
  "cloud/vending": ["cloud/store", "cloud/http", "broker/protocol"],
  "cloud/web": [],
  cloud: ["cloud/store", "cloud/http", "cloud/payments", "cloud/vending", "broker/protocol"], // cloud/main.ts puts them together
  simulator: ["broker/protocol"], // and what is said on the MDB bus, below
  "simulator/web": ["simulator", "broker/protocol"],
  cli: ROOMS,
};
/** Of the protocol, the payment platform knows money and what every process needs; nothing of machines. */
const PAYMENTS_KNOWS = ["money", "clock", "id", "configuration"];
/** Of the controller, the simulated machine knows how a block of the bus and of its audit's line is written, and nothing else. */
const SIMULATOR_KNOWS = [
  ...["codec", "widths"].map((name) => `controller/mdb/${name}.ts`),
  ...["audit", "session"].map((name) => `controller/dex/${name}.ts`),
];

const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));
const importsOf = (file: string): readonly string[] =>
  [...(texts.get(file) ?? "").matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)].map(([, path = ""]) =>
    normalize(join(dirname(file), path)).replace(/\.js$/, ".ts"),
  );
const edges = files.flatMap((from) => importsOf(from).map((to) => ({ from, to })));

test("every import follows an arrow", () => {
  const wrong = edges.filter(({ from, to }) => {
    const [a, b] = [roomOf(from), roomOf(to)];
    if (a === b) return false;
    if (a === "cloud/payments" && b === "broker/protocol")
      return !PAYMENTS_KNOWS.some((name) => to === `broker/protocol/${name}.ts`);
    if (a === "simulator" && SIMULATOR_KNOWS.includes(to)) return false;
    return !ARROWS[a].includes(b);
  });
  expect(wrong).toEqual([]);
});

test("nothing reaches the tests", () => {
  expect(edges.filter(({ to }) => to.startsWith("test/"))).toEqual([]);
});

test("no module imports itself in a circle", () => {
  const done = new Set<string>();
  const circle = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path, file];
    if (done.has(file)) return undefined;
    for (const to of importsOf(file)) {
      const found = circle(to, [...path, file]);
      if (found !== undefined) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of files) expect(circle(file, [])).toBeUndefined();
});

/** The state machines, the codecs and the protocol: what is decided here is decided from the arguments alone. */
const PURE = [
  // All but the one that brings the computer's own time and chance.
  ...files.filter((file) => file.startsWith("broker/protocol/") && file !== "broker/protocol/system.ts"),
  "broker/access.ts",
  "controller/config/configuring.ts",
  "controller/config/settings.ts",
  "controller/dex/audit.ts",
  "controller/dex/counted.ts",
  "controller/dex/crc.ts",
  "controller/dex/deltas.ts",
  "controller/dex/frame.ts",
  "controller/dex/schedule.ts",
  "controller/dex/session.ts",
  "controller/dex/trouble.ts",
  "controller/doctor/diagnosis.ts",
  "controller/doctor/observation.ts",
  "controller/kiosk/status-page.ts",
  "controller/mdb/cashless-setup.ts",
  "controller/mdb/cashless-state.ts",
  "controller/mdb/cashless.ts",
  "controller/mdb/codec.ts",
  "controller/mdb/delivery.ts",
  "controller/mdb/frame.ts",
  "controller/mdb/country.ts",
  "controller/mdb/matedealer-line.ts",
  "controller/mdb/matedealer.ts",
  "controller/mdb/qibixx-line.ts",
  "controller/mdb/qibixx.ts",
  "controller/mdb/raw-setup.ts",
  "controller/mdb/raw.ts",
  "controller/mdb/scale.ts",
  "controller/mdb/widths.ts",
  "controller/places.ts",
  "controller/sale/machine.ts",
  "controller/terminal/escpos.ts",
  "cloud/payments/patron-code.ts",
  "cloud/payments/request.ts",
  "cloud/store/as-one.ts",
  "cloud/vending/audit.ts",
  "cloud/vending/check-words.ts",
  "cloud/vending/sale.ts",
  "cloud/vending/words.ts",
  "cloud/vending/render.ts",
  "simulator/machine/adapter-line.ts",
  "simulator/machine/audit.ts",
  "simulator/machine/carrier.ts",
  "simulator/machine/escpos.ts",
  "simulator/machine/vmc.ts",
  "simulator/machine/word.ts",
];
const FORBIDDEN =
  /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|setImmediate|process\.|performance\.now|fetch\(|async |await )/;

test("a pure module touches no clock, chance, timer, environment or promise", () => {
  for (const file of PURE) {
    const text = texts.get(file);
    expect(text, `${file} is listed as pure and is not there`).toBeDefined();
    const code = (text ?? "").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    expect(FORBIDDEN.exec(code)?.[0], `${file} is not pure`).toBeUndefined();
  }
});

test("only a main reads the environment or installs signal handlers", () => {
  const mains = (file: string): boolean => file.endsWith("/main.ts") || roomOf(file) === "cli";
  const wrong = files.filter(
    (file) => !mains(file) && /process\.(env|on\(|once\()/.test(texts.get(file) ?? ""),
  );
  expect(wrong).toEqual([]);
});

test("every source file is in the place its room keeps for it", () => {
  for (const file of files) expect(relative(root, join(root, file)).startsWith("..")).toBe(false);
  for (const file of files) expect(() => roomOf(file)).not.toThrow();
});
