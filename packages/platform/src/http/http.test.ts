import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { InvariantViolation, systemClock } from "@remit/kernel";
import { Problem, problems } from "@remit/protocol";
import { expect, test } from "vitest";
import { z } from "zod";
import { running, serve } from "../../test/serving.ts";
import { createLog, createMetrics } from "../telemetry/index.ts";
import { createHttp, type Mount, nothing, page, type Route, route } from "./index.ts";

const echo = route({
  method: "POST",
  path: "/echo",
  summary: "Says what it heard.",
  needs: "public",
  body: z.object({ text: z.string().max(20), deep: z.unknown().optional() }),
  answers: { 200: z.object({ heard: z.string() }) },
  handle: (_call, { body }) => ({ status: 200, body: { heard: body.text } }),
});

const post = (
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : Buffer.from(body),
  });

/** Sends bytes as they are and returns all that comes back. */
const raw = (origin: string, bytes: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(Number(new URL(origin).port), "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += String(chunk);
    });
    socket.on("close", () => resolve(text));
    // A server that answers and hangs up on the rest may reset the connection: what it said counts.
    socket.on("error", () => resolve(text));
  });

test("a declared route answers what it declares, with an id that the caller cannot choose", async () => {
  const origin = await serve([echo]);
  const answer = await post(`${origin}/echo`, '{"text":"hello"}', { "x-request-id": "mine" });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ heard: "hello" });
  expect(answer.headers.get("x-request-id")).toMatch(/^req_[0-9a-z]{26}$/);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
});

test.each([
  ["a duplicate member", '{"text":"a","text":"b"}'],
  ["a byte order mark", '\ufeff{"text":"a"}'],
  ["a lone surrogate", '{"text":"\\ud800"}'],
  ["a NUL", '{"text":"a\\u0000b"}'],
  ["a prototype", '{"text":"a","__proto__":{"admin":true}}'],
  ["no JSON at all", "text=a"],
  ["nothing", ""],
  ["10 000 levels", `{"text":"a","deep":${"[".repeat(10_000)}${"]".repeat(10_000)}}`],
  ["a wrong type", '{"text":1}'],
  ["an unknown member", '{"text":"a","limit":1}'],
  ["an array", "[]"],
])("V04 a body with %s is answered 400", async (_what, body) => {
  const origin = await serve([echo]);
  const answer = await post(`${origin}/echo`, body);
  expect(answer.status).toBe(400);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(await answer.json()).toMatchObject({ code: "invalid_request", status: 400 });
  expect(Object.prototype).not.toHaveProperty("admin");
});

test("V04 bytes that are not UTF-8 are answered 400", async () => {
  const origin = await serve([echo]);
  const answer = await post(`${origin}/echo`, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]));
  expect(answer.status).toBe(400);
});

test("V04 a body of 100 MB is answered 413 before it is sent, and the connection closes", async () => {
  const origin = await serve([echo]);
  const head =
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n{";
  const text = await raw(origin, head);
  expect(text).toContain("HTTP/1.1 413");
  expect(text).toContain('"code":"payload_too_large"');
});

test("V04 a body that grows beyond the limit without saying so is answered 413", async () => {
  const origin = await serve([echo], { bodyBytesMax: 1000 });
  const chunk = `3e8\r\n${"x".repeat(1000)}\r\n`;
  const head =
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  expect(await raw(origin, head + chunk + chunk)).toContain("HTTP/1.1 413");
});

test("V04 a compressed body is refused, so that nobody inflates it", async () => {
  const origin = await serve([echo]);
  const answer = await post(`${origin}/echo`, '{"text":"a"}', { "content-encoding": "gzip" });
  expect(answer.status).toBe(415);
});

test("a body of another type is answered 415", async () => {
  const origin = await serve([echo]);
  const answer = await post(`${origin}/echo`, '{"text":"a"}', { "content-type": "text/plain" });
  expect(await answer.json()).toMatchObject({ code: "unsupported_media_type", status: 415 });
});

test("a refused member is named by its path and never quoted", async () => {
  const nested = route({
    method: "POST",
    path: "/nested",
    summary: "Takes something nested.",
    needs: "public",
    body: z.object({ card: z.strictObject({ number: z.string().max(4) }) }),
    answers: { 204: nothing },
    handle: (_call, _input) => ({ status: 204 }),
  });
  const origin = await serve([nested]);
  const text = await (await post(`${origin}/nested`, '{"card":{"number":"4242424242424242"}}')).text();
  expect(text).toContain("card.number");
  expect(text).not.toContain("4242");
});

const keyed = route({
  method: "POST",
  path: "/keyed/:id",
  summary: "Needs a key.",
  needs: "public",
  params: z.object({ id: z.string() }),
  idempotency: "required",
  answers: { 200: z.object({ key: z.string(), digest: z.string() }) },
  handle: ({ idempotencyKey, bodyDigest }) => ({
    status: 200,
    body: { key: idempotencyKey, digest: bodyDigest },
  }),
});

test.each([
  [undefined, "idempotency_key_required"],
  ["", "idempotency_key_required"],
  ["k".repeat(256), "idempotency_key_invalid"],
  ["two words", "idempotency_key_invalid"],
  ["kéy", "idempotency_key_invalid"],
])("V11 the Idempotency-Key %s is answered 400", async (key, code) => {
  const origin = await serve([keyed]);
  const answer = await fetch(`${origin}/keyed/1`, {
    method: "POST",
    ...(key === undefined ? {} : { headers: { "idempotency-key": key } }),
  });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code });
});

test("V11 an Idempotency-Key with a line break never becomes a header, and two keys are refused", async () => {
  const origin = await serve([keyed]);
  const head = "POST /keyed/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n";
  expect(await raw(origin, `${head}Idempotency-Key: a\rb\r\n\r\n`)).toContain("HTTP/1.1 400");
  expect(await raw(origin, `${head}Idempotency-Key: a\r\n b\r\n\r\n`)).toContain("HTTP/1.1 400");
  expect(await raw(origin, `${head}Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n`)).toContain(
    "HTTP/1.1 400",
  );
});

test("V11 a key of 255 characters passes, and the digest tells one address from another", async () => {
  const origin = await serve([keyed]);
  const send = async (id: string) => {
    const answer = await fetch(`${origin}/keyed/${id}`, {
      method: "POST",
      headers: { "idempotency-key": "k".repeat(255) },
    });
    return (await answer.json()) as { digest: string }; // as the route declares
  };
  expect((await send("1")).digest).toBe((await send("1")).digest);
  expect((await send("1")).digest).not.toBe((await send("2")).digest);
});

const failing = (reason: unknown): Route =>
  route({
    method: "GET",
    path: "/fails",
    summary: "Fails.",
    needs: "public",
    answers: { 204: nothing },
    handle: (_call, _input) => Promise.reject(reason),
  });

test.each([
  ["an unknown error", new Error("password=hunter2")],
  ["a broken promise of ours", new InvariantViolation("password=hunter2")],
  ["a refusal's private part", new Problem("unavailable", { private: { password: "hunter2" } })],
])("%s does not reach the caller", async (_what, error) => {
  const origin = await serve([failing(error)]);
  const answer = await fetch(`${origin}/fails`);
  expect(answer.status).toBeGreaterThanOrEqual(500);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(await answer.text()).not.toContain("hunter2");
});

test("a refusal carries its code, its headers and the request's id", async () => {
  const origin = await serve([failing(new Problem("unavailable", { headers: { "Retry-After": "7" } }))]);
  const answer = await fetch(`${origin}/fails`);
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("7");
  expect(await answer.json()).toMatchObject({
    code: "unavailable",
    request_id: answer.headers.get("x-request-id"),
  });
});

test("an answer that is not as declared is our fault", async () => {
  const wrong = route({
    method: "GET",
    path: "/wrong",
    summary: "Answers wrongly.",
    needs: "public",
    answers: { 200: z.object({ n: z.int() }) },
    handle: (_call, _input) => ({ status: 200, body: { n: 1.5 } }),
  });
  expect((await fetch(`${await serve([wrong])}/wrong`)).status).toBe(500);
  expect((await fetch(`${await serve([wrong], { checkAnswers: false })}/wrong`)).status).toBe(200);
});

test("an unknown path is 404, another method 405 with Allow, a broken path 400", async () => {
  const origin = await serve([echo]);
  expect((await fetch(`${origin}/nowhere`)).status).toBe(404);
  const other = await fetch(`${origin}/echo`, { method: "DELETE" });
  expect([other.status, other.headers.get("allow")]).toEqual([405, "POST"]);
  expect((await fetch(`${origin}/%zz`)).status).toBe(400);
  expect(
    await raw(origin, "GET http://evil.test/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
  ).toMatch(/^HTTP\/1.1 40\d/);
});

test("a head beyond the limit is refused without reading on", async () => {
  const origin = await serve([echo]);
  const text = await raw(origin, `GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${"a".repeat(70_000)}\r\n\r\n`);
  expect(text).toContain("HTTP/1.1 431");
});

test("a limit refuses with Retry-After and tells before that how much is left", async () => {
  const limited = route({
    method: "GET",
    path: "/limited",
    summary: "Twice a minute.",
    needs: "public",
    limit: { count: 2, windowMs: 60_000 },
    answers: { 204: nothing },
    handle: (_call, _input) => ({ status: 204 }),
  });
  const origin = await serve([limited]);
  const first = await fetch(`${origin}/limited`);
  expect(first.headers.get("ratelimit-policy")).toBe('"default";q=2;w=60');
  expect(first.headers.get("ratelimit")).toMatch(/^"default";r=1;t=\d+$/);
  expect(first.headers.get("x-ratelimit-remaining")).toBe("1");
  await fetch(`${origin}/limited`);
  const third = await fetch(`${origin}/limited`, { headers: { "x-forwarded-for": "203.0.113.9" } });
  expect(third.status).toBe(429);
  expect(Number(third.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await third.json()).toMatchObject({ code: "rate_limited" });
});

test("a form with a field sent twice is refused, and a page answers HTML under a strict policy", async () => {
  const greet = page({
    method: "POST",
    path: "/greet",
    form: z.strictObject({ name: z.string().min(1) }),
    handle: (call, { form }) => ({
      status: 200,
      html: `<p>${form.name} ${call.cookies ?? ""}</p>`,
      setCookies: ["a=1; HttpOnly", "b=2; HttpOnly"],
    }),
  });
  const origin = await serve([greet]);
  const type = { "content-type": "application/x-www-form-urlencoded" };
  const good = await post(`${origin}/greet`, "name=Ada", { ...type, cookie: "s=1" });
  expect(await good.text()).toBe("<p>Ada s=1</p>");
  expect(good.headers.getSetCookie()).toEqual(["a=1; HttpOnly", "b=2; HttpOnly"]);
  expect(good.headers.get("content-security-policy")).toContain("default-src 'none'");
  for (const body of ["name=a&name=b", "name=", "name=a&role=admin", "name=a%00"])
    expect((await post(`${origin}/greet`, body, type)).status).toBe(400);
  expect((await post(`${origin}/greet`, '{"name":"a"}')).status).toBe(415);
});

test("V04 a page says its refusals itself, also those of its form", async () => {
  const said = page({
    method: "POST",
    path: "/said",
    form: z.strictObject({ name: z.string().min(1) }),
    refused: ({ status, code }) => ({ status, html: `<p>${code}</p>` }),
    handle: () => Promise.reject(new Problem("forbidden")),
  });
  const origin = await serve([said]);
  const type = { "content-type": "application/x-www-form-urlencoded" };
  for (const [body, status, code] of [
    ["name=a%00", 400, "invalid_request"],
    ["name=", 400, "invalid_request"],
    ["name=a", 403, "forbidden"],
  ] as const) {
    const answer = await post(`${origin}/said`, body, type);
    expect([answer.status, await answer.text()]).toEqual([status, `<p>${code}</p>`]);
    expect(answer.headers.get("content-type")).toMatch(/^text\/html/);
  }
});

test("a mount gets the request as it came, and declared routes come before it", async () => {
  const mount: Mount = {
    prefixes: ["/engine"],
    handle: async ({ raw: { req, res } }) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer); // a request without encoding yields Buffers
      res.end(`${req.method} ${req.url} ${Buffer.concat(chunks).toString()}`);
    },
  };
  const own = route({
    method: "GET",
    path: "/engine/own",
    summary: "Ours.",
    needs: "public",
    answers: { 200: z.object({ ours: z.boolean() }) },
    handle: (_call, _input) => ({ status: 200, body: { ours: true } }),
  });
  const origin = await serve([own], { mounts: [mount] });
  expect(await (await post(`${origin}/engine/a?b=1`, "{not json")).text()).toBe(
    "POST /engine/a?b=1 {not json",
  );
  expect(await (await fetch(`${origin}/engine/own`)).json()).toEqual({ ours: true });
  expect((await fetch(`${origin}/engines`)).status).toBe(404);
});

test("V12 a mount of everything else gets no other spelling of what a route claims, and all of the rest", async () => {
  const mount: Mount = { handle: ({ raw: { req, res } }) => void res.end(`rest ${req.url}`) };
  const own = route({
    method: "GET",
    path: "/own/:id",
    summary: "Ours.",
    needs: "public",
    params: z.object({ id: z.string() }),
    answers: { 200: z.object({ ours: z.boolean() }) },
    handle: () => ({ status: 200, body: { ours: true } }),
  });
  const origin = await serve([own], { mounts: [mount] });
  const get = async (path: string): Promise<string> => (await fetch(origin + path)).text();
  for (const path of ["/own/1", "/own/1?a=b", "/%6fwn/1"])
    expect(await get(path), path).toBe('{"ours":true}');
  for (const path of ["/", "/?own", "/owner", "/own", "/OWN/1", "/a/own/1", "/a%20b"])
    expect(await get(path), path).toBe(`rest ${path}`);
  expect(JSON.parse(await get("/a%00b"))).toMatchObject({ code: "invalid_request" });
  expect((await post(`${origin}/own/1`, "")).status).toBe(405);
});

test("a refusal inside a mount is rendered as everywhere, and nothing of an unknown error leaks", async () => {
  const mounts: Mount[] = [
    {
      paths: ["/refuses"],
      handle: () => Promise.reject(new Problem("payment_required", { headers: { "X-A": "1" } })),
    },
    { handle: () => Promise.reject(new Error("hunter2")) },
  ];
  const origin = await serve([], { mounts });
  const refused = await fetch(`${origin}/refuses`);
  expect([refused.status, refused.headers.get("x-a")]).toEqual([402, "1"]);
  const broken = await fetch(`${origin}/anything/else`, { method: "PUT" });
  expect(broken.status).toBe(500);
  expect(await broken.text()).not.toContain("hunter2");
});

test("readiness names the check that fails, and the process lives on", async () => {
  const origin = await serve([], {
    ready: { database: () => Promise.reject(new Error("hunter2")), keys: () => Promise.resolve() },
  });
  const ready = await fetch(`${origin}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    status: "failing",
    checks: { database: "failing", keys: "ok" },
  });
  expect((await fetch(`${origin}/livez`)).status).toBe(200);
});

test("metrics are on a port of their own and count by the declared path", async () => {
  const lines: string[] = [];
  const log = createLog({
    service: "test",
    level: "debug",
    destination: { write: (line) => void lines.push(line) },
  });
  const origin = await serve([keyed], { metricsPort: 0, log });
  await fetch(`${origin}/keyed/1?secret=hunter2`, { method: "POST", headers: { "idempotency-key": "k" } });
  const port = /"port":(\d+)/.exec(lines.join(""))?.[1];
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(text).toContain(
    'http_requests_total{method="POST",route="/keyed/:id",status="200",status_code="200",service="test"} 1',
  );
  expect((await fetch(`${origin}/metrics`)).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${port}/openapi.json`)).status).toBe(404);
});

test("D10 closing finishes what is in flight and takes nothing new", async () => {
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const slow = route({
    method: "GET",
    path: "/slow",
    summary: "Takes its time.",
    needs: "public",
    answers: { 200: z.object({ done: z.boolean() }) },
    handle: async (_call, _input) => {
      started.resolve();
      await finish.promise;
      return { status: 200, body: { done: true } };
    },
  });
  const origin = await serve([slow]);
  const http = running.pop();
  const inFlight = fetch(`${origin}/slow`);
  await started.promise;
  const closing = http?.close();
  finish.resolve();
  expect(await (await inFlight).json()).toEqual({ done: true });
  await closing;
  await expect(fetch(`${origin}/livez`)).rejects.toThrow();
});

test("D10 a connection that never asks for anything does not hold up the end", async () => {
  const origin = await serve([]);
  const http = running.pop();
  const socket = connect(Number(new URL(origin).port), "127.0.0.1");
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.resume();
  socket.on("error", () => undefined);
  await http?.close();
  await gone;
  expect(socket.destroyed).toBe(true);
});

test("a busy port is refused in words, with what to do", async () => {
  const origin = await serve([]);
  const port = Number(new URL(origin).port);
  await expect(serve([], { port })).rejects.toMatchObject({
    name: "StartRefused",
    message: expect.stringContaining(String(port)),
    remedy: expect.stringContaining("another"),
  });
  running.pop();
});

test("OpenAPI 3.1 says what is declared: body, answers, refusals, key", async () => {
  const origin = await serve([echo, keyed]);
  const document = await (await fetch(`${origin}/openapi.json`)).json();
  expect(document).toMatchObject({
    openapi: "3.1.0",
    paths: {
      "/echo": {
        post: { requestBody: { content: { "application/json": { schema: { required: ["text"] } } } } },
      },
      "/keyed/{id}": {
        post: {
          parameters: [
            { name: "id", in: "path" },
            { name: "Idempotency-Key", required: true },
          ],
        },
      },
    },
  });
});

test("a server without a way to know callers refuses protected routes at once", () => {
  const http = createHttp({
    service: "test",
    origin: "http://service.test",
    host: "127.0.0.1",
    port: 0,
    log: createLog({ service: "test", level: "silent" }),
    metrics: createMetrics("test"),
    clock: systemClock,
  });
  const secret = route({
    method: "GET",
    path: "/secret",
    summary: "Protected.",
    needs: { scope: "audit:read" },
    answers: { 204: nothing },
    handle: (_call, _input) => ({ status: 204 }),
  });
  expect(() => http.add(secret)).toThrow(InvariantViolation);
});

test("a caller that hangs up in the middle of a body leaves the server well", async () => {
  const origin = await serve([echo]);
  const request = httpRequest(`${origin}/echo`, {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": "50" },
  });
  const gone = new Promise<void>((resolve) => request.once("error", () => resolve()));
  request.write('{"text":');
  request.destroy();
  await gone;
  expect((await post(`${origin}/echo`, '{"text":"b"}')).status).toBe(200);
});

test("the type of every refusal is an address that answers with what to do", async () => {
  const origin = await serve([echo]);
  const refused = await post(`${origin}/echo`, "{");
  const { type } = (await refused.json()) as { type: string };
  expect(new URL(type).origin).toBe("http://service.test");
  const index = await (await fetch(`${origin}/docs/problems`)).text();
  for (const [code, { remedy }] of Object.entries(problems)) {
    expect(index).toContain(`/docs/problems/${code}"`);
    const answer = await fetch(`${origin}/docs/problems/${code}`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain(
      remedy.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
    );
  }
  expect((await fetch(`${origin}/docs/problems/%3Cscript%3E`)).status).toBe(404);
});

test("V06 a NUL in path or query is refused at the door", async () => {
  const origin = await serve([echo]);
  for (const target of ["/docs/problems/%00", "/docs/problems?x=a%00b", "/livez?%00=1"])
    expect((await fetch(origin + target)).status, target).toBe(400);
});
