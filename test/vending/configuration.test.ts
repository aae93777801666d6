/** What the cloud is told at its start must be what machines and the payment platform can take. */
import { expect, test } from "vitest";
import { readConfiguration } from "../../broker/protocol/configuration.js";
import { cloudConfiguration } from "../../cloud/configuration.js";
import { webhookUrl } from "../../cloud/main.js";

const given = { publicUrl: "https://vend.example", databaseUrl: "file:cloud.db" };

test("intervals that no machine would take are refused at the start", () => {
  const day = { sessionMs: 86_400_000, goMs: 86_400_000, expirySeconds: 86_370 };
  expect(readConfiguration(cloudConfiguration, { ...given, ...day })).toMatchObject({ ok: true });
  const longer = { sessionMs: 86_400_001, goMs: 86_400_001, expirySeconds: 86_371 };
  const problems = ["expirySeconds:", "goMs:", "sessionMs:"].map(
    (name) => expect.stringContaining(name) as unknown,
  );
  expect(readConfiguration(cloudConfiguration, { ...given, ...longer })).toEqual({ ok: false, problems });
});

test.each([
  "file:cloud.db",
  "file:/var/lib/cloud.db",
  "postgres://u:p@db.example:5432/cloud",
  "postgresql:///cloud",
])("the database may be at %s", (databaseUrl) => {
  expect(readConfiguration(cloudConfiguration, { ...given, databaseUrl })).toMatchObject({ ok: true });
});
test.each(["cloud.db", "file:", "postgres://", "mysql://u:p@db.example/cloud", "postgres://u:p@:x/cloud"])(
  "a database at %s is refused, and the field named",
  (databaseUrl) => {
    expect(readConfiguration(cloudConfiguration, { ...given, databaseUrl })).toEqual({
      ok: false,
      problems: [expect.stringMatching(/^databaseUrl: must be file:PATH/)],
    });
  },
);

test("a trusted proxy is an address or a network, and a name is refused", () => {
  const trustedProxies = ["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8"];
  expect(readConfiguration(cloudConfiguration, { ...given, trustedProxies })).toMatchObject({ ok: true });
  expect(readConfiguration(cloudConfiguration, { ...given, trustedProxies: ["proxy"] })).toEqual({
    ok: false,
    problems: [expect.stringMatching(/^trustedProxies.*: must be an address, or a network/)],
  });
});

// prettier-ignore
const written: readonly [publicUrl: string, read: string][] = [
  ["https://vend.example",           "https://vend.example"],
  ["https://vend.example/",          "https://vend.example"],
  ["HTTPS://Vend.Example:443",       "https://vend.example"],
  ["http://127.0.0.1:8080/shop/",    "http://127.0.0.1:8080/shop"],
];
for (const [publicUrl, read] of written)
  test(`${publicUrl} is one address with the audience of its webhooks`, () => {
    const configured = readConfiguration(cloudConfiguration, { ...given, publicUrl });
    expect(configured).toMatchObject({ ok: true, value: { publicUrl: read } });
    const { origin, pathname } = new URL(webhookUrl(publicUrl.replace(/\/$/, "")));
    expect(webhookUrl(read)).toBe(origin + pathname);
  });
