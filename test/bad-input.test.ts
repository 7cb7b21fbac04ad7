import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Callers, callersOf, randomKey } from "./callers.ts";
import { bodyWith, brokenForms, brokenJson, type Endpoint, endpointsOf, hostileTexts } from "./hostile.ts";
import { type Instance, startInstance } from "./instance.ts";

// Every address of every service, as the services themselves name them: a new one is tried here without being written here.
let instance: Instance;
let callers: Callers;
let endpoints: readonly Endpoint[];

beforeAll(async () => {
  instance = await startInstance();
  callers = await callersOf(instance);
  const { issuer, directory, billing, gateway } = instance.dev;
  endpoints = (await Promise.all([issuer, directory, billing, gateway].map(endpointsOf))).flat();
});
afterAll(async () => {
  await instance?.close();
});

type Answer = {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** Where it sends the browser, and nothing was done. */
  readonly location?: string | undefined;
};
type Sending = {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** Sent without saying how long it is. */
  readonly chunked?: boolean;
};

const types = {
  json: "application/json",
  form: "application/x-www-form-urlencoded",
  bytes: "application/json",
};

/** One request by somebody who may call, as it stands. */
async function send(
  endpoint: Endpoint,
  { path = endpoint.path, body, chunked, ...more }: Sending,
): Promise<Answer> {
  const url = endpoint.origin + path;
  const known =
    endpoint.scopes.length === 0
      ? {}
      : await callers.headersFor(endpoint.scopes, { method: endpoint.method, url });
  const headers = {
    accept: endpoint.page ? "text/html" : "application/json",
    ...(endpoint.body === "none" ? {} : { "content-type": types[endpoint.body] }),
    ...(endpoint.idempotent ? { "idempotency-key": randomKey() } : {}),
    ...(body === undefined || chunked === true ? {} : { "content-length": String(Buffer.byteLength(body)) }),
    ...known,
    ...more.headers,
  };
  return new Promise((resolve) => {
    const failed = (): void => resolve({ status: 0, type: "", text: "" });
    // A connection of its own: one that was cut short must not carry the next request.
    const sending = httpRequest(url, { method: endpoint.method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", failed);
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers["content-type"] ?? "",
          text: Buffer.concat(chunks).toString(),
          location: response.headers.location,
        });
        // Whoever has its answer sends no more, however much it had announced.
        if (!sending.writableFinished) sending.destroy();
      });
    });
    sending.on("error", failed);
    sending.end(body);
  });
}

const viewed = ["/oauth/authorize", "/oauth/end-session"];

/** Why an answer is not what a client may expect of a refusal; undefined when it is fine. */
function wrongWith(endpoint: Endpoint, answer: Answer, mayDo: boolean): string | undefined {
  const { status, type, text, location } = answer;
  if (status >= 500) return `${status} ${text.slice(0, 200)}`;
  // A form of the browser's that becomes an address of ours to look at has done nothing yet (RFC 9110 §15.4.4).
  if (status === 303 && viewed.includes(endpoint.path))
    return new URL(location ?? "", endpoint.origin).origin === endpoint.origin
      ? undefined
      : `sent to ${location}`;
  if (status < 400) return mayDo ? undefined : `${status}: it was taken`;
  if (type.startsWith("text/html")) return undefined;
  const problem =
    type === "application/problem+json" && /"code":"[a-z0-9_]+"/.test(text) && text.includes('"remedy"');
  const oauth = type.startsWith("application/json") && text.includes('"error"');
  // RFC 8935 §2.3: how a transmitter of signals is told.
  const pushed = type.startsWith("application/json") && /^{"err":"[a-z_]+"/.test(text);
  return problem || oauth || pushed ? undefined : `${status} as ${type}: ${text.slice(0, 100)}`;
}

type Trial = { readonly what: string; readonly sending: Sending; readonly mayDo?: boolean };

/** What of the trials at these endpoints was answered badly. */
async function tryAll(
  chosen: readonly Endpoint[],
  trials: (endpoint: Endpoint) => readonly Trial[],
): Promise<string[]> {
  const found: string[] = [];
  for (const endpoint of chosen)
    for (const { what, sending, mayDo = false } of trials(endpoint)) {
      const wrong = wrongWith(endpoint, await send(endpoint, sending), mayDo);
      if (wrong !== undefined) found.push(`${endpoint.method} ${endpoint.path} with ${what}: ${wrong}`);
    }
  return found;
}

const taking = (body: Endpoint["body"]): Endpoint[] => endpoints.filter((endpoint) => endpoint.body === body);

test("there is something to try: routes, pages and OAuth addresses of all four services", () => {
  expect(new Set(endpoints.map(({ origin }) => origin)).size).toBe(4);
  expect(taking("json").length).toBeGreaterThan(10);
  expect(taking("form").length).toBeGreaterThan(5);
  expect(endpoints.filter(({ page }) => page).length).toBeGreaterThan(3);
});

describe("V04 on every endpoint", () => {
  test("V04 broken JSON is refused in words, by whoever takes JSON", async () => {
    const trials = brokenJson.map(([what, body]) => ({ what, sending: { body } }));
    expect(await tryAll(taking("json"), () => trials)).toEqual([]);
  });

  test("V04 a broken form is refused in words, by whoever takes forms", async () => {
    const trials = brokenForms.map(([what, body]) => ({ what, sending: { body } }));
    expect(await tryAll(taking("form"), () => trials)).toEqual([]);
  });

  test("V04 a body of another type or compressed is not guessed at", async () => {
    const trials = [
      { what: "text", sending: { body: "a=b", headers: { "content-type": "text/plain" } } },
      { what: "gzip", sending: { body: "x", headers: { "content-encoding": "gzip" } } },
    ];
    expect(await tryAll([...taking("json"), ...taking("form")], () => trials)).toEqual([]);
  });

  test("V04 a body that grows beyond every limit is cut off, said or not said how long, and none of it is kept", async () => {
    const before = process.memoryUsage().rss;
    const body = new Uint8Array(2 * 1024 * 1024).fill(0x61);
    const large = (endpoint: Endpoint): Trial[] => [
      { what: "2 MB", sending: { body } },
      { what: "2 MB, not said", sending: { body, chunked: true } },
      { what: "100 MB, said", sending: { body: "a", headers: { "content-length": "104857600" } } },
      ...(endpoint.body === "form"
        ? [{ what: "a huge field", sending: { body: `a=${"a".repeat(200_000)}` } }]
        : []),
    ];
    const takesBody = endpoints.filter(({ body: kind }) => kind !== "none");
    // A connection that is cut while the rest is still being sent is an answer too.
    const found = await tryAll(takesBody, large);
    expect(found.filter((line) => !line.includes(": 0:"))).toEqual([]);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
  });
});

/** The status line that these bytes get. */
const rawStatus = (origin: string, bytes: string): Promise<number> =>
  new Promise((resolve) => {
    const socket = connect(Number(new URL(origin).port), "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += String(chunk);
      socket.end();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)));
  });

describe("V05 on every endpoint", () => {
  const doubles = ["authorization", "dpop", "idempotency-key", "content-type"];

  test("V05 a header sent twice is refused: this hop and the next might take another one each", async () => {
    const trials = (endpoint: Endpoint): Trial[] =>
      doubles
        .filter((name) => matters(endpoint, name))
        .map((name) => ({
          what: `two ${name}`,
          sending: { body: "{}", headers: { [name]: ["DPoP a", "DPoP b"] } },
        }));
    expect(await tryAll(endpoints, trials)).toEqual([]);
  });

  test("V05 a folded header, a head of 128 kB and a length that lies are refused before anything is done", async () => {
    const heads: readonly (readonly [string, string])[] = [
      ["folded", "Authorization: DPoP\r\n a\r\n"],
      ["128 kB", `X-Payment: ${"a".repeat(131_072)}\r\n`],
      ["two lengths", "Content-Length: 1\r\nContent-Length: 2\r\n"],
      ["a length and chunks", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"],
    ];
    const found: string[] = [];
    for (const { method, origin, path } of endpoints)
      for (const [what, head] of heads) {
        const status = await rawStatus(origin, `${method} ${path} HTTP/1.1\r\nHost: a\r\n${head}\r\n`);
        if (status < 400 || status >= 500) found.push(`${method} ${path} with ${what}: ${status}`);
      }
    expect(found).toEqual([]);
  });

  test("V05 credentials that are no clear base64 are refused", async () => {
    const values = [
      "Basic",
      "Basic a:b",
      "Basic YQ",
      "Basic ====",
      "Bearer",
      "DPoP a b",
      "Payment ~~~",
      "Basic YTpi\u00e9",
    ];
    const trials = values.map((authorization) => ({
      what: authorization,
      sending: {
        body: "grant_type=client_credentials",
        headers: { authorization: Buffer.from(authorization).toString("latin1") },
      },
    }));
    const takes = endpoints.filter(({ scopes, path }) => scopes.length > 0 || path === "/oauth/token");
    expect(await tryAll(takes, () => trials)).toEqual([]);
  });
});

/** Whether a header is read there at all: what nobody reads may stand there twice. */
function matters({ scopes, idempotent, body }: Endpoint, name: string): boolean {
  if (name === "idempotency-key") return idempotent;
  if (name === "content-type") return body === "json" || body === "form";
  return scopes.length > 0;
}

describe("V06 on every endpoint", () => {
  test("V06 text that is code to somebody is text to us, or refused, in bodies, forms, queries and paths", async () => {
    const trials = (endpoint: Endpoint): Trial[] => hostileTexts.flatMap((text) => placed(endpoint, text));
    expect(await tryAll(endpoints, trials)).toEqual([]);
  });

  test("V06 members named __proto__ or constructor change no prototype", async () => {
    const body = '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}';
    expect(await tryAll(taking("json"), () => [{ what: "__proto__", sending: { body } }])).toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(Object({}).admin).toBeUndefined();
  });

  test("after all of it every service is well", async () => {
    const { issuer, directory, billing, gateway } = instance.dev;
    for (const origin of [issuer, directory, billing, gateway])
      expect((await fetch(`${origin}/readyz`)).status, origin).toBe(200);
  });
});

function placed(endpoint: Endpoint, text: string): Trial[] {
  const what = JSON.stringify(text.slice(0, 40));
  const trials: Trial[] = [];
  const encoded = encodeURIComponent(text.toWellFormed()).slice(0, 6_000);
  if (endpoint.path.includes("_0000"))
    trials.push({ what: `path ${what}`, sending: { path: endpoint.path.replace(/[a-z]+_0+/, encoded) } });
  if (endpoint.query.length > 0 && endpoint.body === "none") {
    // As much as fits into a head, however many members there are: a head that is too large is another trial.
    const each = encoded.slice(0, Math.floor(12_000 / endpoint.query.length));
    const query = endpoint.query.map((name) => `${name}=${each}`).join("&");
    trials.push({ what: `query ${what}`, sending: { path: `${endpoint.path}?${query}` }, mayDo: true });
  }
  if (endpoint.body === "json")
    trials.push({
      what: `body ${what}`,
      sending: { body: JSON.stringify(bodyWith(endpoint.schema, text)) },
      mayDo: true,
    });
  if (endpoint.body === "form") {
    const names = [
      "grant_type",
      "client_id",
      "scope",
      "resource",
      "code",
      "token",
      "email",
      "password",
      "csrf",
      "redirect_uri",
    ];
    const form = new URLSearchParams(names.map((name) => [name, text])).toString();
    trials.push({ what: `form ${what}`, sending: { body: form } });
  }
  return trials;
}
