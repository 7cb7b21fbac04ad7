import { once } from "node:events";
import { connect } from "node:net";
import { type Id, minuteMs, newId } from "@remit/kernel";
import type { AccessTokenClaims } from "@remit/protocol";
import { eventually } from "@remit/testkit";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { serve } from "../../test/serving.ts";
import { callerAddress, countedAddress } from "./caller-address.ts";
import { type HttpOptions, type Route, route } from "./index.ts";

const Seen = z.object({ ip: z.string() });
const whoami = route({
  method: "GET",
  path: "/whoami",
  summary: "From where.",
  needs: "public",
  answers: { 200: Seen, 429: "rate_limited" },
  handle: (call) => ({ status: 200, body: { ip: call.ip } }),
});

const seenFrom = async (origin: string, forwarded?: string): Promise<string> => {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return Seen.parse(await (await fetch(`${origin}/whoami`, { headers })).json()).ip;
};

describe("the address of a caller", () => {
  test("is the socket's, whatever the caller writes, where no proxy is trusted", async () => {
    const origin = await serve([whoami]);
    expect(await seenFrom(origin, "203.0.113.9")).toBe("127.0.0.1");
  });

  test.each([
    ["203.0.113.9", "203.0.113.9"],
    ["198.51.100.1, 203.0.113.9", "203.0.113.9"],
    ["198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"],
    ["2001:DB8::7", "2001:db8::7"],
    ["::ffff:203.0.113.9", "203.0.113.9"],
    ["203.0.113.9, <script>", "127.0.0.1"],
    ["203.0.113.9, unknown, 10.1.2.3", "10.1.2.3"],
    ["10.9.9.9, 10.1.2.3", "10.9.9.9"],
    [undefined, "127.0.0.1"],
  ])("behind trusted proxies %j is %s: the nearest that is no proxy", async (forwarded, seen) => {
    const origin = await serve([whoami], { trustedProxies: ["127.0.0.1", "10.0.0.0/8"] });
    expect(await seenFrom(origin, forwarded)).toBe(seen);
  });

  test.each(["10.0.0.0/33", "proxy.internal", "", "2001:db8::/129", "10.0.0.0/-1"])(
    "a setting like %j is refused at the start, with what to write",
    (range) => {
      expect(() => callerAddress([range])).toThrow(expect.objectContaining({ name: "StartRefused" }));
    },
  );

  test("one IPv6 subscriber counts as one, however many addresses it uses", () => {
    const counted = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:0db8:0001:0002:0:0:0:1"].map(
      countedAddress,
    );
    expect(new Set(counted)).toEqual(new Set(["2001:db8:1:2::/64"]));
    expect(countedAddress("2001:db8:1:3::1")).not.toBe(counted[0]);
    expect(countedAddress("::1")).toBe("0:0:0:0::/64");
    expect(countedAddress("203.0.113.9")).toBe("203.0.113.9");
  });
});

const claims = (tenant: Id<"tenant">, client: string): AccessTokenClaims => ({
  iss: "http://issuer.test",
  sub: client,
  aud: "http://service.test",
  client_id: client,
  jti: "j",
  iat: 0,
  exp: 1,
  scope: ["agents:read"],
  organization_id: tenant,
  livemode: false,
});

const mine = (limit?: Route["limit"]): Route =>
  route({
    method: "GET",
    path: "/mine",
    summary: "Mine.",
    needs: { scope: "agents:read" },
    answers: { 200: z.object({}), 429: "rate_limited" },
    ...(limit === undefined ? {} : { limit }),
    handle: () => ({ status: 200, body: {} }),
  });

/** Serves `/mine` to whoever names a tenant and a client in the clear: who calls is not what is tested here. */
const openFor = (options: Partial<HttpOptions>, limit?: Route["limit"]): Promise<string> =>
  serve([mine(limit)], {
    ...options,
    authenticate: async ({ authorization = "" }) => {
      const [tenant = "", client = ""] = authorization.split(" ");
      // The tests below name tenants by ids that `newId` made.
      const own = claims(tenant as Id<"tenant">, client);
      const { organization_id, client_id, sub, scope } = own;
      const caller = { tenant: organization_id, client: client_id, subject: sub, scopes: new Set(scope) };
      return { caller: { ...caller, actor: { type: "client", id: client_id }, claims: own } };
    },
  });

const call = (origin: string, tenant: string, client: string): Promise<Response> =>
  fetch(`${origin}/mine`, { headers: { authorization: `${tenant} ${client}` } });

describe("limits", () => {
  const [one, two] = [newId("tenant"), newId("tenant")];

  test("a client's does not touch another client, a tenant's does not touch another tenant", async () => {
    const per = (count: number) => ({ count, windowMs: minuteMs });
    const origin = await openFor({ limits: { client: per(2), tenant: per(3) } });
    expect((await call(origin, one, "a")).status).toBe(200);
    expect((await call(origin, one, "a")).status).toBe(200);
    expect((await call(origin, one, "a")).status).toBe(429);
    // What one client is refused is not counted against the others of its tenant.
    expect((await call(origin, one, "b")).status).toBe(200);
    expect((await call(origin, one, "b2")).status).toBe(429);
    expect((await call(origin, two, "c")).status).toBe(200);
  });

  test("all that apply are told, and the X- headers speak of the tightest", async () => {
    const per = (count: number) => ({ count, windowMs: minuteMs });
    const limits = { client: per(10), tenant: per(100) };
    const origin = await openFor({ limits }, { count: 4, windowMs: 30_000, by: "client" });
    const { headers } = await call(origin, one, "a");
    expect(headers.get("ratelimit-policy")).toBe(
      '"default";q=4;w=30, "client";q=10;w=60, "tenant";q=100;w=60',
    );
    expect(headers.get("ratelimit")).toMatch(
      /^"default";r=3;t=\d+, "client";r=9;t=\d+, "tenant";r=99;t=\d+$/,
    );
    expect(headers.get("x-ratelimit-limit")).toBe("4");
    expect(headers.get("x-ratelimit-remaining")).toBe("3");
  });

  test("T09 the same name of a client in two tenants has two counts", async () => {
    const origin = await openFor({}, { count: 1, windowMs: minuteMs, by: "tenant" });
    expect((await call(origin, one, "same")).status).toBe(200);
    expect((await call(origin, two, "same")).status).toBe(200);
    expect((await call(origin, one, "other")).status).toBe(429);
  });

  test("an address's counts before anybody is authenticated, and never a loopback one's", async () => {
    const limits = { address: { count: 2, windowMs: minuteMs } };
    const origin = await serve([whoami], { limits, trustedProxies: ["127.0.0.1"] });
    const from = async (address: string): Promise<number> =>
      (await fetch(`${origin}/whoami`, { headers: { "x-forwarded-for": address } })).status;
    expect([await from("203.0.113.1"), await from("203.0.113.1"), await from("203.0.113.1")]).toEqual([
      200, 200, 429,
    ]);
    expect(await from("203.0.113.2")).toBe(200);
    for (let i = 0; i < 4; i++) expect((await fetch(`${origin}/whoami`)).status).toBe(200);
  });
});

describe("a slow client holds nothing for long, and nobody waits behind it", () => {
  const echo = route({
    method: "POST",
    path: "/echo",
    summary: "Reads.",
    needs: "public",
    body: z.object({ text: z.string() }),
    answers: { 200: z.object({}) },
    handle: () => ({ status: 200, body: {} }),
  });
  const big = route({
    method: "GET",
    path: "/big",
    summary: "A lot.",
    needs: "public",
    answers: { 200: z.object({ text: z.string() }) },
    handle: () => ({ status: 200, body: { text: "x".repeat(24 * 1024 * 1024) } }),
  });
  const patience = { headMs: 150, requestMs: 300, idleMs: 400 };

  /** What a client gets that sends these bytes and then nothing; resolves when the server hangs up. */
  const stall = (origin: string, bytes: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(Number(new URL(origin).port), "127.0.0.1", () => socket.write(bytes));
      let text = "";
      socket.on("data", (chunk) => void (text += String(chunk)));
      socket.on("error", () => {});
      socket.on("close", () => resolve(text));
    });

  test.each([
    ["nothing at all", "", /^(HTTP\/1.1 408 |$)/],
    ["half a head", "POST /echo HTTP/1.1\r\nHost: a\r\nX-Slow: ", /^HTTP\/1.1 408 /],
    [
      "half a body",
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"te',
      /^(HTTP\/1.1 408 |$)/,
    ],
  ])("sending %s", async (_, bytes, heard) => {
    const origin = await serve([echo, whoami], { patience });
    const stalled = stall(origin, bytes);
    expect(await seenFrom(origin)).toBe("127.0.0.1");
    expect(await stalled).toMatch(heard);
  });

  test("reading nothing of a large answer", async () => {
    // There is room for one connection: whoever is served next shows that the first was cut off.
    const origin = await serve([big, whoami], { patience: { idleMs: 500, connectionsMax: 1 } });
    const socket = connect(Number(new URL(origin).port), "127.0.0.1", () =>
      socket.pause().write("GET /big HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    socket.on("error", () => {});
    await once(socket, "connect");
    await expect(fetch(`${origin}/whoami`)).rejects.toThrow();
    await eventually(async () => expect(await seenFrom(origin)).toBe("127.0.0.1"));
    socket.destroy();
  });

  test("a flood of connections is cut off, and those that are served go on", async () => {
    const origin = await serve([whoami], { patience: { connectionsMax: 3, headMs: 60_000 } });
    const port = Number(new URL(origin).port);
    let closed = 0;
    const sockets = Array.from({ length: 12 }, () =>
      connect(port, "127.0.0.1")
        .on("close", () => void (closed += 1))
        .on("error", () => {}),
    );
    await eventually(() => {
      expect(closed).toBeGreaterThanOrEqual(9);
      return Promise.resolve();
    });
    for (const socket of sockets) socket.destroy();
    await eventually(async () => expect(await seenFrom(origin)).toBe("127.0.0.1"));
  });
});
