import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@remit/kernel";
import { createHttp, type Http } from "@remit/platform/http";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import { createLog, createMetrics } from "@remit/platform/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forwardMount, parseForwards } from "./forwards.ts";

type Seen = { readonly line: string; readonly headers: object; readonly body: string };
const seen: Seen[] = [];
// What a service that was taken over could say, each of which holds for more than its own answer.
const ofTheWholeOrigin = {
  "content-type": "text/html",
  "set-cookie": ["__Host-session=evil; Secure; Path=/", "b=c"],
  "clear-site-data": '"*"',
  "strict-transport-security": "max-age=0",
  "content-security-policy": "default-src *",
  "x-content-type-options": "sniff",
  "service-worker-allowed": "/",
  refresh: "0; url=https://evil.example",
  location: "https://evil.example",
  "x-request-id": "theirs",
};
let inside: Server;
let outbound: Outbound;
let http: Http;
let address: string;

beforeAll(async () => {
  inside = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      seen.push({
        line: `${req.method} ${req.url}`,
        headers: req.headers,
        body: Buffer.concat(chunks).toString(),
      });
      if (req.url?.endsWith("/cut") === true)
        return void res.writeHead(200, { "content-length": 9 }).write("x", () => res.destroy());
      if (req.url?.endsWith("/taken-over") === true)
        return void res.writeHead(200, ofTheWholeOrigin).end("<script>alert(1)</script>");
      res.writeHead(418, { etag: '"1"', "keep-alive": "timeout=9", "dpop-nonce": "n" });
      res.end(`answer to ${req.method}`);
    });
  });
  await new Promise<void>((resolve) => inside.listen(0, "127.0.0.1", resolve));
  const origin = originOf(inside);
  outbound = createOutbound({ allow: [new URL(origin).host] });
  http = createHttp({
    service: "test",
    origin: "http://127.0.0.1",
    host: "127.0.0.1",
    port: 0,
    log: createLog({ service: "test", level: "silent" }),
    metrics: createMetrics("test"),
    clock: systemClock,
  });
  http.mount(forwardMount({ path: "/api/v1/marketplace", origin }, outbound));
  http.mount(forwardMount({ path: "/api/v1/away", origin: "http://127.0.0.1:9" }, outbound));
  address = await http.listen();
});

afterAll(async () => {
  await http.close();
  await outbound.close();
  await new Promise((resolve) => inside.close(resolve));
});

// A server that listens on a port has an address of this shape.
const originOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** As it is written, where `fetch` would tidy the path up. */
const raw = (path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(address);
    request({ hostname, port, path }, (res) => {
      res.resume();
      resolve(res.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });

describe("a path that another service answers", () => {
  test("is handed on with its query, its body and what is decided by, and answered as it was there", async () => {
    const answer = await fetch(`${address}/api/v1/marketplace/agents?text=a%20b&limit=2`, {
      method: "PUT",
      headers: {
        accept: "application/json",
        "if-none-match": '"1"',
        cookie: "a=b",
        "x-forwarded-host": "evil.example",
      },
      body: "{}",
    });
    expect(answer.status).toBe(418);
    expect(await answer.text()).toBe("answer to PUT");
    expect(answer.headers.get("etag")).toBe('"1"');
    expect(answer.headers.get("dpop-nonce")).toBe("n");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const last = seen.at(-1);
    expect(last).toMatchObject({
      line: "PUT /api/v1/marketplace/agents?text=a%20b&limit=2",
      headers: { accept: "application/json", "if-none-match": '"1"', "x-forwarded-for": "127.0.0.1" },
      body: "{}",
    });
    expect(last?.headers).not.toHaveProperty("cookie");
    expect(last?.headers).not.toHaveProperty("x-forwarded-host");
  });

  test.each([
    "/api/v1/marketplace/../keys",
    "/api/v1/marketplace/%2e%2e/keys",
    "/api/v1/marketplace/..%2fkeys",
    "/api/v1/marketplace//keys",
    "/api/v1/marketplace/a%5Cb",
    "/api/v1/marketplacex",
    "//api/v1/marketplace",
  ])("V12 %s leads nowhere, whoever reads it how", async (path) => {
    const before = seen.length;
    expect([400, 404]).toContain(await raw(path));
    expect(seen).toHaveLength(before);
  });

  test("a body that is too large is refused, and a service that is away is unavailable", async () => {
    const before = seen.length;
    const large = { method: "POST", body: "x".repeat(70_000) };
    expect((await fetch(`${address}/api/v1/marketplace/agents`, large)).status).toBe(413);
    expect(seen).toHaveLength(before);
    const away = await fetch(`${address}/api/v1/away/x`);
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "1"]);
  });

  test("V12 a service that was taken over sets no cookie and runs no script on the issuer's origin", async () => {
    const { headers } = await fetch(`${address}/api/v1/marketplace/taken-over`);
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'none'; frame-ancestors 'none'; sandbox",
    );
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-request-id")).not.toBe("theirs");
    const bound = ["set-cookie", "clear-site-data", "strict-transport-security", "refresh", "location"];
    for (const name of [...bound, "service-worker-allowed"])
      expect([name, headers.get(name)]).toEqual([name, null]);
  });

  test("an answer that breaks off there breaks off here, and is not whole", async () => {
    const answer = await fetch(`${address}/api/v1/marketplace/cut`);
    await expect(answer.text()).rejects.toThrow();
  });
});

test("paths and origins are read strictly", () => {
  expect(parseForwards("/api/v1/marketplace=https://d.example, /api/v1/tiers=http://localhost:3003")).toEqual(
    {
      "/api/v1/marketplace": "https://d.example",
      "/api/v1/tiers": "http://localhost:3003",
    },
  );
  expect(parseForwards("")).toEqual({});
  for (const wrong of [
    "/a",
    "a=https://d.example",
    "/a=https://d.example/x",
    "/a=ftp://d.example",
    "/a/=https://d.example",
    "/a=b=c",
  ])
    expect([wrong, parseForwards(wrong)]).toEqual([wrong, undefined]);
});
