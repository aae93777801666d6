/** `scanvend update` on a box with a controller that runs: real archives, real processes, real kills. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { formOnDisk } from "../../controller/journal/form.js";
import { Box, run } from "./box.js";

let box: Box;
beforeAll(async () => {
  box = await Box.make();
});
afterAll(() => box[Symbol.asyncDispose]());

const setIn = (dist: string, path: string, from: string, to: string): void => {
  const text = readFileSync(join(dist, path), "utf8");
  expect(text).toContain(from);
  writeFileSync(join(dist, path), text.replace(from, to));
};

test("in an empty root the first release is put in its place", async () => {
  const { status, stdout } = await box.start([box.release("1.0.0")]);
  expect(status, stdout).toBe(0);
  expect(box.running()).toBe("1.0.0");
  box.switchOn();
  await box.sells("1.0.0");
});

test("another release is installed beside it, and runs", async () => {
  const { status, steps, stderr } = await box.start([box.release("1.1.0")]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(steps).toEqual([
    "unpacking",
    "unpacked",
    "waiting",
    "switching",
    "switched",
    "restarted",
    "healthy",
    "done",
  ]);
  await box.sells("1.1.0");
  expect([box.running(), box.layout.link("previous")]).toEqual(["1.1.0", "1.0.0"]);
});

test("it waits while somebody pays, and from then on nobody is served until the new one runs", async () => {
  await box.cloud.say("reserve", { reservationId: "r1", ttlMs: 3_600_000 });
  const answered = (): number => box.cloud.reserved().length;
  while (answered() < 1) await new Promise((again) => setTimeout(again, 10));
  const impatient = await box.start([box.release("1.2.0"), "--wait", "1"]);
  expect(impatient).toMatchObject({ status: 1 });
  expect(impatient.stderr).toContain("somebody was being served for all of 1 s");
  expect((await box.health())?.canSell).toBe(true); // whoever waited has let go

  const waited = box.start([box.release("1.2.0")], (step) => {
    if (step === "waiting")
      void box.cloud.say("grant", {
        ...{ grantId: "g1", saleId: "s1", amountMinor: 1, currency: "AUD" },
        ...{ sessionMs: 1_000, goMs: 1_000, maxVends: 1 },
      }); // refused: with it that customer is done
  });
  expect(await waited).toMatchObject({ status: 0 });
  expect(box.cloud.statuses().some(({ reason }) => reason === "updating")).toBe(true);
  await box.sells("1.2.0");
});

test.each([
  [
    "ends at once",
    (dist: string) => writeFileSync(join(dist, "cli.js"), "process.exit(1);\n"),
    "it does not answer",
  ],
  [
    "does not reach the adapter",
    (dist: string) =>
      setIn(
        dist,
        "controller/serial/serial-link.js",
        "new TcpLink(hostname,",
        "new TcpLink('127.0.0.1.invalid',",
      ),
    "it does not reach the machine's adapter",
  ],
])("a release that %s is taken back", async (_what, spoil, why) => {
  const { status, steps, stdout } = await box.start([box.release("1.3.0", spoil), "--within", "12"]);
  expect(stdout).toContain(why);
  expect(steps.slice(-3)).toEqual(["undoing", "restarted", "undone"]);
  expect(status).toBe(3);
  await box.sells("1.2.0");
  expect([box.running(), box.layout.link("previous"), box.layout.unsettled]).toEqual([
    "1.2.0",
    "1.1.0",
    undefined,
  ]);
  expect(readdirSync(join(box.root, "releases")).sort()).toEqual(["1.1.0", "1.2.0"]);
});

test("whoever is served by a release that is to be undone is served to the end", async () => {
  const before = box.running();
  const bad = box.release("1.2.9", (dist) =>
    setIn(dist, "controller/service.js", "bus: this.#bus.connected", "bus: false"),
  );
  let reserving: Promise<void> | undefined;
  const reserve = async (): Promise<void> => {
    const first = box.cloud.reserved().length;
    while (!box.cloud.reserved().some(({ ok }, index) => ok && index >= first)) {
      await box.cloud.say("reserve", { reservationId: "r2", ttlMs: 3_600_000 });
      await new Promise((again) => setTimeout(again, 50));
    }
  };
  const impatient = await box.start([bad, "--within", "15", "--wait", "2"], (step) => {
    if (step === "restarted") reserving ??= reserve();
  });
  await reserving;
  expect([impatient.status, impatient.steps.slice(-3)]).toEqual([4, ["undoing", "waiting", "failed"]]);
  expect(impatient.stdout).toContain("somebody is still being served");
  expect([box.running(), (await box.health())?.version, (await box.health())?.free]).toEqual([
    "1.2.9",
    "1.2.9",
    false,
  ]);

  const waited = await box.start(["--recover", "--within", "15"], (step) => {
    if (step === "waiting")
      void box.cloud.say("grant", {
        ...{ grantId: "g2", saleId: "s2", amountMinor: 1, currency: "AUD" },
        ...{ sessionMs: 1_000, goMs: 1_000, maxVends: 1 },
      }); // refused: with it that customer is done
  });
  expect(waited.steps).toEqual(["switched", "undoing", "waiting", "restarted", "undone"]);
  expect(waited.status).toBe(3);
  await box.sells(before ?? "");
  expect([box.running(), box.layout.unsettled]).toEqual([before, undefined]);
});

test("what is older, running already, unsigned or cut short changes nothing, and the words say why", async () => {
  const old = box.release("1.0.5");
  expect((await box.start([old])).stderr).toContain("1.0.5 is older than 1.2.0: say --allow-downgrade");
  expect((await box.start([box.release("1.2.0")])).stderr).toContain("1.2.0 is running already");
  const other = join(box.dir, "other.json");
  writeFileSync(other, run(["release", "--new-key", join(box.dir, "other-key.json")]).stdout);
  expect((await box.start([old, "--allow-downgrade", "--keys", other])).stderr).toContain(
    "is not in the keys file",
  );
  const short = join(box.dir, "short.tar.gz");
  writeFileSync(short, readFileSync(old).subarray(0, 300_000));
  const cut = await box.start([short, "--allow-downgrade"]);
  expect(cut).toMatchObject({ status: 1 });
  expect(cut.stderr).toContain("Nothing was changed");
  const mistyped = await box.start([join(box.dir, "short.tgz")]);
  expect(mistyped).toMatchObject({ status: 1 });
  expect(mistyped.stderr).toMatch(/no such file.*short\.tgz.*\. Nothing was changed/);
  expect((await box.start([join(box.dir, "nowhere.tar.gz")])).stderr).toContain("ENOENT");
  expect(existsSync(join(box.root, ".incoming"))).toBe(false);
  await box.sells("1.2.0");
});

test("from an address, and to an older release if that is meant", async () => {
  const bytes = readFileSync(box.release("1.0.5"));
  const server = createServer((request, answer) => {
    if (request.url === "/release") answer.end(bytes);
    else answer.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on TCP: never a path
  expect((await box.start([`${url}/nothing`])).stderr).toContain("answered 404");
  expect(await box.start([`${url}/release`, "--allow-downgrade"])).toMatchObject({ status: 0 });
  server.close();
  await box.sells("1.0.5");
});

test("without a controller to ask, nothing is switched behind its back, unless that is meant", async () => {
  const next = box.release("1.4.0");
  const lost = run([
    ...["update", next, "--root", box.root, "--keys", join(box.dir, "keys.json")],
    ...["--data", join(box.dir, "elsewhere"), "--restart", "false"],
  ]);
  expect(lost.status).toBe(1);
  expect(lost.stderr).toContain("no controller answers");
  await box.sells("1.0.5");
  expect(await box.start([next, "--stopped"])).toMatchObject({ status: 0 });
  await box.sells("1.4.0");
});

let version = 0;
test.each(["unpacking", "waiting", "switching", "switched", "restarted", "healthy"])(
  "killed at %s, the box runs a whole release, and --recover settles which",
  async (killAt) => {
    const before = box.running();
    const next = `2.${(version += 1)}.0`;
    const { status } = await box.start([box.release(next)], (step, child) => {
      if (step === killAt) child.kill("SIGKILL");
    });
    if (killAt !== "healthy") expect(status, "it was not killed").toBeNull(); // after that it ends by itself at once
    const between = box.running();
    expect([before, next]).toContain(between);
    const recovered = await box.start(["--recover"]);
    expect(recovered.status, recovered.stdout).toBe(0);
    const after = box.running();
    expect(after).toBe(between);
    await box.sells(after ?? "");
    expect(box.layout.unsettled).toBeUndefined();
    expect(readdirSync(box.root).filter((name) => name.startsWith("."))).toEqual([]);
    if (killAt === "restarted" || killAt === "switched") expect(after).toBe(next);
  },
);

test("killed while it undoes, the old release stays, and is seen in good health", async () => {
  const before = box.running();
  const bad = box.release("3.0.0", (dist) => writeFileSync(join(dist, "cli.js"), "process.exit(1);\n"));
  const { status } = await box.start([bad, "--within", "12"], (step, child) => {
    if (step === "undoing") child.kill("SIGKILL");
  });
  expect(status).toBeNull();
  const recovered = await box.start(["--recover", "--within", "12"]);
  expect([0, 3]).toContain(recovered.status);
  expect(box.running()).toBe(before);
  await box.sells(before ?? "");
});

test("a power cut between two updates is undone by the next one before it begins", async () => {
  const before = box.running();
  const bad = box.release("3.1.0", (dist) => writeFileSync(join(dist, "cli.js"), "process.exit(1);\n"));
  await box.start([bad], (step, child) => {
    if (step === "restarted") child.kill("SIGKILL");
  });
  expect(box.running()).toBe("3.1.0");
  const next = await box.start([box.release("3.2.0"), "--within", "12"]);
  expect(next.steps.slice(0, 4)).toEqual(["switched", "restarted", "undoing", "restarted"]);
  expect(next, next.stdout).toMatchObject({ status: 0 });
  await box.sells("3.2.0");
  expect(box.layout.link("previous")).toBe(before);
});

/** As if the release before had been one of the first. */
const readsOnlyTheFirstForm = (dist: string): void => {
  setIn(join(dist, ".."), "package.json", '"journal":2', '"journal":1');
  setIn(dist, "controller/journal/form.js", "FORM = 2", "FORM = 1");
};
test("what cannot read the journal is neither gone back to nor installed", async () => {
  const old = box.release("4.0.0", readsOnlyTheFirstForm);
  expect(await box.start([old])).toMatchObject({ status: 0 });
  await box.sells("4.0.0");
  const journal = join(box.data, "journal.db");
  expect(formOnDisk(journal)).toBe(1);

  // It is in bad health, and before that is seen it writes what only it can read: an item is suspended.
  const bad = box.release("4.1.0", (dist) => {
    setIn(
      dist,
      "controller/main.js",
      "const screen = new Screen();",
      `journal.write([{ n: journal.last + 1, line: { kind: "denied", grantId: "g", item: 1, priceMinor: 1, reason: "suspended" } }],
        journal.state, new Map());
      const screen = new Screen();`,
    );
    setIn(
      dist,
      "controller/serial/serial-link.js",
      "new TcpLink(hostname,",
      "new TcpLink('127.0.0.1.invalid',",
    );
  });
  const { status, steps, stdout } = await box.start([bad, "--within", "12"]);
  expect([status, steps.slice(-2)]).toEqual([4, ["undoing", "failed"]]);
  expect(stdout).toContain("4.0.0 cannot read what it has written into the journal");
  expect([box.running(), box.layout.unsettled]).toEqual(["4.1.0", undefined]);
  expect(formOnDisk(journal)).toBe(2);

  const refused = await box.start([old, "--allow-downgrade"]);
  expect(refused).toMatchObject({ status: 1 });
  expect(refused.stderr).toContain("scanvend 4.0.0 cannot read the journal");
  expect(box.running()).toBe("4.1.0");

  expect(await box.start([box.release("4.2.0")])).toMatchObject({ status: 0 });
  await box.sells("4.2.0");
});

test("called wrongly it says how", () => {
  for (const argv of [[], ["a", "b"], ["a", "--recover"], ["a", "--wait", "soon"], ["a", "--nonsense"]])
    expect(run(["update", ...argv]).status, argv.join(" ")).toBe(2);
  expect(run(["update", "--help"]).stdout).toContain("--recover");
  expect(run(["release", "--key", "k"]).status).toBe(2);
});
