/** Where webhooks may go (S32), in every way an address can be written, when it is saved and when it is used; and what a receiver can do to us (S33). */
import { createServer as createTcp, type AddressInfo, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { targetPolicy } from "../../cloud/configuration.js";
import { isPublicAddress } from "../../cloud/payments/public-address.js";
import { webhookUrl } from "../../cloud/payments/webhook-form.js";
import { WebhookTargets, type Address, type Resolve } from "../../cloud/payments/webhook-targets.js";
import { openPlatform, type Platform } from "./platform.js";
import { openReceiver, status, type Receiver } from "./receiver.js";

const names: Readonly<Record<string, readonly string[]>> = {
  "shop.example": ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"],
  localhost: ["127.0.0.1", "::1"],
  "inside.example": ["10.1.2.3"],
  "both.example": ["93.184.216.34", "192.168.1.1"],
  "metadata.example": ["169.254.169.254"],
  "mapped.example": ["::ffff:127.0.0.1"],
};
const resolve: Resolve = (host) => {
  const addresses = names[host.replace(/\.$/, "")];
  return addresses === undefined
    ? Promise.reject(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }))
    : Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));
};
const publicOnly = new WebhookTargets("public", resolve);
const anywhere = new WebhookTargets("any", resolve);

// prettier-ignore
const PRIVATE: readonly string[] = [
  // loopback, as itself and in disguise
  "127.0.0.1", "127.255.255.254", "[::1]", "localhost", "localhost.", "LOCALHOST",
  "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.1.",
  "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1",
  "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "mapped.example",
  // unspecified
  "0.0.0.0", "0", "0x0", "[::]", "[::ffff:0:0]",
  // private, shared and link-local
  "10.0.0.1", "10.255.255.255", "167772161", "172.16.0.1", "172.31.255.255", "192.168.0.1", "0xc0a80001",
  "100.64.0.1", "100.127.255.255", "169.254.169.254", "0xa9fea9fe", "2852039166", "metadata.example", "inside.example",
  "[fe80::1]", "[fc00::1]", "[fd12:3456:789a::1]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]",
  // ways around, and what is nobody's
  "[64:ff9b::7f00:1]", "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
  "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "[ff02::1]", "[ff0e::1]",
  "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "[2001:db8::1]", "[100::1]", "[fec0::1]", "[3fff::1]",
  // one private address among the public ones is enough
  "both.example",
];
// prettier-ignore
const PUBLIC: readonly string[] = [
  "shop.example", "8.8.8.8", "134744072", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
  "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
  "223.255.255.255", "[2606:4700:4700::1111]", "[2a00:1450::1]",
];

describe("with public targets", () => {
  test.each(PRIVATE)("http://%s is refused when it is saved and when it is used", async (host) => {
    const url = `http://${host}/hook`;
    expect(await publicOnly.refusal(url)).toBe("its host is not on the public internet");
    const sending = publicOnly.post(url, { headers: {}, body: "{}", signal: AbortSignal.timeout(5_000) });
    await expect(sending).rejects.toThrow("its host is not on the public internet");
  });

  test.each(PUBLIC)("http://%s is accepted", async (host) => {
    expect(await publicOnly.refusal(`http://${host}/hook`)).toBeUndefined();
  });

  test("the vending backend of one's own is where its operator says, to the letter", async () => {
    const own = "http://127.0.0.1:8080/api/vending/webhooks/payments";
    const targets = new WebhookTargets("public", resolve, own);
    expect(await targets.refusal(own)).toBeUndefined();
    for (const near of [`${own}?a`, own.replace("payments", ""), own.replace("8080", "80")])
      expect(await targets.refusal(near)).toBe("its host is not on the public internet");
  });

  // prettier-ignore
  test.each([
    [undefined, "https://pay.example", "public"], [undefined, "http://192.168.1.5:8080", "any"],
    ["any", "https://pay.example", "any"], ["public", "http://127.0.0.1:8080", "public"],
  ] as const)("%s at %s is %s", (webhookTargets, publicUrl, policy) =>
    expect(targetPolicy({ webhookTargets, publicUrl })).toBe(policy),
  );

  test("a name nobody knows is refused, and a failure of our own is not hidden as one", async () => {
    expect(await publicOnly.refusal("https://nowhere.example/")).toBe("its host is not known");
    const broken = new WebhookTargets("public", () => Promise.reject(new TypeError("a bug")));
    await expect(broken.refusal("https://shop.example/")).rejects.toThrow("a bug");
  });

  // prettier-ignore
  test.each([
    ["https://shop.example/", true], ["http://shop.example:80/", true], ["https://shop.example:8443/", true], ["http://shop.example:8080/", true],
    ["http://shop.example:22/", false], ["http://shop.example:25/", false], ["http://shop.example:6379/", false], ["https://shop.example:9200/", false],
  ])("the port of %s is looked at", async (url, allowed) => {
    expect(await publicOnly.refusal(url)).toBe(allowed ? undefined : "its port is not 80, 443, 8080 or 8443");
  });

  test("a name that points inside by the time it is used gets nothing", async () => {
    const receiver = await openReceiver();
    const answers: Address[][] = [
      [{ address: "93.184.216.34", family: 4 }],
      [{ address: "127.0.0.1", family: 4 }],
    ];
    const rebinding = new WebhookTargets("public", () => Promise.resolve(answers.shift() ?? []));
    const url = `http://rebinding.example:8080/`;
    expect(await rebinding.refusal(url)).toBeUndefined();
    const sending = rebinding.post(url, { headers: {}, body: "{}", signal: AbortSignal.timeout(5_000) });
    await expect(sending).rejects.toThrow("its host is not on the public internet");
    expect(receiver.received).toEqual([]);
    await receiver.close();
  });
});

describe("an IPv4 address", () => {
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
  test("is judged the same however it is written", async () => {
    const asked = fc.asyncProperty(octets, async ([a, b, c, d]) => {
      const whole = ((a * 256 + b) * 256 + c) * 256 + d;
      const dotted = `${a}.${b}.${c}.${d}`;
      const forms = [
        dotted,
        String(whole),
        `0x${whole.toString(16)}`,
        `0${whole.toString(8)}`,
        `0x${a.toString(16)}.0${b.toString(8)}.${c}.${d}`,
        `${a}.${(b * 256 + c) * 256 + d}`,
        `${a}.${b}.${c * 256 + d}`,
      ];
      for (const form of forms) {
        const allowed = (await publicOnly.refusal(`http://${form}/`)) === undefined;
        expect(allowed, form).toBe(isPublicAddress(dotted));
      }
    });
    await fc.assert(asked, { numRuns: 300 });
  });

  test("inside an IPv6 one is never public", () => {
    fc.assert(
      fc.property(octets, (four) => {
        const [a, b, c, d] = four.map((octet) => octet.toString(16).padStart(2, "0"));
        const hex = `${a ?? ""}${b ?? ""}:${c ?? ""}${d ?? ""}`;
        for (const form of [
          `::ffff:${four.join(".")}`,
          `::ffff:${hex}`,
          `::${hex}`,
          `64:ff9b::${hex}`,
          `2002:${hex}::`,
          `2001:0:${hex}::1`,
        ])
          expect(isPublicAddress(form), form).toBe(false);
      }),
    );
  });

  // prettier-ignore
  test.each(["", "localhost", "1", "127.1", "0x7f.1", "1.2.3", "1.2.3.4.5", "fe80::1%eth0", "::1%lo", " 8.8.8.8", "8.8.8.8 "])(
    "is what %j is not, and so it is not public", (text) => expect(isPublicAddress(text)).toBe(false),
  );
});

describe("a webhook's address", () => {
  // prettier-ignore
  test.each([
    "https://shop.example", "http://shop.example/a?b=c", "HTTPS://Shop.Example/", "http://127.0.0.1:8080/x", "http://[::1]:1/",
    "https://shop.example/@x?to=a@b", `https://shop.example/${"a".repeat(2027)}`,
  ])("may be %s", (url) => expect(webhookUrl.parse(url)).toBe(url));

  // prettier-ignore
  test.each([
    "", "shop.example", "//shop.example", "ftp://shop.example", "gopher://shop.example:70/_", "file:///etc/passwd", "javascript:alert(1)",
    "data:text/plain,x", "unix:/var/run/x.sock", "http:shop.example", "http:/shop.example", "http:\\\\shop.example", "http://shop.example\\@inside.example/",
    "http://user@shop.example", "http://user:pass@shop.example", "http://:@shop.example", "http://@shop.example", "http://shop.example@127.0.0.1",
    " https://shop.example", "https://shop.example ", "https://shop.exa\tmple", "https://shop.example/\r\nx: y", "https://shop.example/\0",
    "http://", "http:///x", "https://shop.example:99999", "https://[::1", "http://999.1.1.1", "http://1.2.3.4.5", `https://shop.example/${"a".repeat(2028)}`,
  ])("may not be %j", (url) => expect(webhookUrl.safeParse(url).success).toBe(false));
});

describe("a connection", () => {
  let receiver: Receiver;
  beforeEach(async () => (receiver = await openReceiver()));
  afterEach(() => receiver.close());
  const post = (targets: WebhookTargets, url: string, signal = AbortSignal.timeout(5_000)) =>
    targets.post(url, { headers: { "content-type": "application/json" }, body: "{}", signal });

  test("goes to the very address that was looked at, which is asked for once", async () => {
    const { port } = new URL(receiver.url);
    const asked: string[] = [];
    const targets = new WebhookTargets("any", (host) => {
      asked.push(host);
      return Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
    });
    expect(await post(targets, `http://no-such-host.example:${port}/x`)).toBe(204);
    expect(asked).toEqual(["no-such-host.example"]);
    expect(receiver.received).toMatchObject([{ path: "/x" }]);
  });

  test("tries each address of a name", async () => {
    const { port } = new URL(receiver.url);
    const addresses = [
      { address: "::1", family: 6 },
      { address: "127.0.0.1", family: 4 },
    ];
    const targets = new WebhookTargets("any", () => Promise.resolve(addresses));
    expect(await post(targets, `http://two.example:${port}/`)).toBe(204);
  });

  test("does not follow a redirect", async () => {
    receiver.manner = status(302, { location: `${receiver.url}/elsewhere` });
    expect(await post(anywhere, `${receiver.url}/here`)).toBe(302);
    expect(receiver.received).toMatchObject([{ path: "/here" }]);
  });

  test("ends at the answer's head, however much would follow", async () => {
    let written = 0;
    const closed = new Promise<void>((resolve) => {
      receiver.manner = (response) => {
        response.once("close", resolve);
        response.writeHead(200);
        const more = (): void => {
          while (!response.destroyed && written < 100_000_000) {
            written += 65_536;
            if (!response.write(Buffer.alloc(65_536))) {
              response.once("drain", more);
              return;
            }
          }
          response.end();
        };
        more();
      };
    });
    expect(await post(anywhere, receiver.url)).toBe(200);
    await closed;
    expect(written).toBeLessThan(100_000_000);
  });

  test("that answers a byte at a time, with an endless head, or not in HTTP, is no answer", async () => {
    const said: readonly [says: string, ends: boolean, error: RegExp][] = [
      ["HTTP/1.1 2", false, /too long/],
      [`HTTP/1.1 200 OK\r\nx: ${"a".repeat(100_000)}`, false, /overflow/i],
      ["SSH-2.0-OpenSSH_9.6\r\n", false, /parse error/i],
      [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        false,
        /without an answer/,
      ],
      ["", true, /hang up/],
    ];
    for (const [says, ends, error] of said) {
      const sockets: Socket[] = [];
      const server = createTcp((socket) => {
        sockets.push(socket);
        socket.on("error", () => undefined); // we hang up on it
        socket.write(says);
        if (ends) socket.end();
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo; // listening on TCP, so it is one
      const patience = new AbortController();
      if (says === "HTTP/1.1 2") server.once("connection", () => patience.abort(new Error("too long")));
      await expect(post(anywhere, `http://127.0.0.1:${port}/`, patience.signal), says).rejects.toThrow(error);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test("is not even begun when there is no time left, and a slow resolver is not waited for", async () => {
    await expect(post(anywhere, receiver.url, AbortSignal.abort(new Error("over")))).rejects.toThrow("over");
    const patience = new AbortController();
    const stuck = new WebhookTargets("any", () => {
      patience.abort(new Error("over"));
      return new Promise(() => undefined);
    });
    await expect(post(stuck, "http://stuck.example/", patience.signal)).rejects.toThrow("over");
    expect(receiver.received).toEqual([]);
  });
});

describe("a platform on the internet", () => {
  let platform: Platform;
  beforeEach(async () => (platform = await openPlatform({ targets: publicOnly })));
  afterEach(() => platform.close());

  test("refuses an address that is not public by name of the field, when it is made and when it is changed", async () => {
    const { ownerKey, ownerAccountId } = platform.merchant;
    const form = { accountId: ownerAccountId, types: ["payment-request:paid"] };
    for (const host of ["127.0.0.1", "inside.example", "0x7f.1", "[::1]"]) {
      const answer = await platform.post(ownerKey, "/api/webhook-subscriptions", {
        ...form,
        url: `http://${host}/`,
      });
      expect(answer).toMatchObject({
        status: 400,
        body: { message: "url: its host is not on the public internet" },
      });
    }
    const made = await platform.post(ownerKey, "/api/webhook-subscriptions", {
      ...form,
      url: "https://shop.example/hook",
    });
    expect(made.status).toBe(200);
    const at = `/api/webhook-subscriptions/${String(made.body["id"])}`;
    expect((await platform.put(ownerKey, at, { url: "http://10.0.0.1/" })).body).toMatchObject({
      message: "url: its host is not on the public internet",
    });
    expect((await platform.get(ownerKey, at)).body).toEqual(made.body);
  });

  test("says in the delivery log that an address was refused, and nothing of what it was", async () => {
    const { ownerKey, ownerAccountId } = platform.merchant;
    const { body } = await platform.post(ownerKey, "/api/webhook-subscriptions", {
      accountId: ownerAccountId,
      types: ["payment-request:paid"],
      url: "https://shop.example/hook",
    });
    const id = String(body["id"]);
    await platform.store.write((tx) =>
      tx.updateTable("webhook_subscription").set({ url: "http://inside.example/" }).execute(),
    );
    await platform.pay(await platform.request());
    const log = `/api/webhook-subscriptions/${id}/deliveries`;
    await expect
      .poll(async () => (await platform.get(ownerKey, log)).body, { interval: 5 })
      .toMatchObject({
        items: [
          { status: "due", attempts: [{ number: 1, error: "its host is not on the public internet" }] },
        ],
      });
    expect(JSON.stringify((await platform.get(ownerKey, log)).body)).not.toContain("10.1.2.3");
  });
});
