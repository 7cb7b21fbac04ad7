import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAgent, merchantId, startWorld, type World } from "./world.ts";

let world: World;

const open = (id: string, method: string, path: string, more: object = {}): object => ({
  id,
  merchant: merchantId,
  gate: "free",
  method,
  path,
  upstream: world.upstream.origin,
  name: id,
  sku: id,
  ...more,
});

beforeAll(async () => {
  world = await startWorld();
  const { port } = (await deadServer()).address;
  await world.writeOffers({
    more: [
      open("open", "GET", "/open/*"),
      open("upload", "POST", "/open/*"),
      open("all", "GET", "/*"),
      open("patient", "GET", "/patient", { upstream_timeout_s: 1, upstream_retries: 1 }),
      open("post", "POST", "/patient", { upstream_timeout_s: 1, upstream_retries: 3 }),
      open("dead", "GET", "/dead", { upstream: `http://127.0.0.1:${port}` }),
      open("dear", "GET", "/dear", {
        upstream: `http://127.0.0.1:${port}`,
        gate: "paid",
        amount_minor: 1000,
        currency: "USD",
      }),
    ],
  });
  await world.gateway.reload();
});

afterAll(async () => {
  await world.close();
});

beforeEach(() => {
  world.issuer.calls.length = 0;
  world.upstream.requests.length = 0;
  world.upstream.answer = (_, res) => void res.end("free");
});

/** A port that nobody listens on any more. */
async function deadServer(): Promise<{ address: AddressInfo }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo; // a server that listens on a port has an address of this shape
  await new Promise((resolve) => server.close(resolve));
  return { address };
}

const codeOf = ({ body }: { body: Buffer }): string => JSON.parse(body.toString()).code;

/** A connection on which the bytes are ours. */
async function dial(text: string): Promise<{ socket: Socket; got: () => string; closed: Promise<unknown> }> {
  const { port, hostname } = new URL(world.address);
  const socket = connect(Number(port), hostname);
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(text);
  return { socket, got: () => received, closed: once(socket, "close") };
}

/** A request whose answer is read as it comes. */
async function stream(path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  const { hostname, port } = new URL(world.address);
  const req = request({
    hostname,
    port,
    path,
    method: "GET",
    ...options,
    headers: { host: "shop.test", ...options.headers },
  });
  const response = once(req, "response") as Promise<[IncomingMessage]>; // what the event carries
  return { req, response: async (): Promise<IncomingMessage> => (await response)[0] };
}

const nextChunk = async (res: IncomingMessage): Promise<string> => {
  const [chunk] = (await once(res, "data")) as [Buffer]; // no encoding is set
  return chunk.toString();
};

describe("a free route", () => {
  test("passes the answer on as it is, and says who asks in the gateway's own words", async () => {
    world.upstream.answer = (_, res) => {
      res.writeHead(
        203,
        [
          ["Content-Type", "text/csv"],
          ["Cache-Control", "max-age=5"],
          ["Set-Cookie", "a=1"],
          ["Set-Cookie", "b=2"],
          ["PAYMENT-RESPONSE", "forged"],
          ["Keep-Alive", "timeout=99"],
        ].flat(),
      );
      res.end("a,b");
    };
    const answer = await world.ask("/open/a?b=%20c", {
      headers: {
        "If-None-Match": '"x"',
        "X-Payment-Payer": "forged",
        X_Verified_Wallet: "0x1",
        "X-HTTP-Method-Override": "POST",
        "X-Original-URL": "/demo/report",
      },
    });
    expect([answer.status, answer.body.toString()]).toEqual([203, "a,b"]);
    expect(answer.headers).toMatchObject({
      "cache-control": "max-age=5",
      "set-cookie": ["a=1", "b=2"],
      "content-type": "text/csv",
    });
    expect(answer.headers).not.toHaveProperty("payment-response");
    const [seen] = world.upstream.requests;
    expect(seen).toMatchObject({
      url: "/open/a?b=%20c",
      headers: {
        host: new URL(world.upstream.origin).host,
        "x-forwarded-host": "shop.test",
        "x-forwarded-proto": "http",
        "x-forwarded-for": "127.0.0.1",
        "if-none-match": '"x"',
        via: "1.1 remit",
      },
    });
    for (const name of ["x-payment-payer", "x_verified_wallet", "x-http-method-override", "x-original-url"])
      expect(seen?.headers).not.toHaveProperty(name);
    expect(world.issuer.calls).toEqual([]);
  });

  test("HEAD and a preflight pass as what they are", async () => {
    world.upstream.answer = (req, res) => {
      res.setHeader("content-length", "5");
      res.end(req.method === "HEAD" ? undefined : "hello");
    };
    const head = await world.ask("/open/a", { method: "HEAD" });
    expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, "5", 0]);
    const { req, response } = await stream("/open/a", {
      method: "OPTIONS",
      headers: { origin: "https://app.test", "access-control-request-method": "POST" },
    });
    req.end();
    expect((await response()).statusCode).toBe(200);
    expect(world.upstream.requests.map(({ method }) => method)).toEqual(["HEAD", "OPTIONS"]);
  });

  test("HEAD of what is paid is a 402 without a body, and never spends", async () => {
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    const head = await world.ask("/demo/report", { method: "HEAD", headers });
    expect([head.status, head.body.length]).toEqual([402, 0]);
    expect(head.headers).toHaveProperty("payment-required");
    expect(world.issuer.calls).toEqual([]);
    expect(world.upstream.requests).toEqual([]);
  });

  test("V12 what takes everything takes no other spelling of what is paid", async () => {
    expect((await world.ask("/anything/else")).status).toBe(200);
    for (const target of [
      "/demo/report/",
      "/Demo/Report",
      "/demo/REPORT",
      "/files/a/",
      "/FILES/a",
      "/demo/report/x",
    ])
      expect([target, (await world.ask(target)).status]).toEqual([
        target,
        target === "/files/a/" ? 402 : 404,
      ]);
    for (const target of [
      "/demo/%72eport",
      "/x/../demo/report",
      "//demo/report",
      "/demo/report;x",
      "/demo%2freport",
      "/demo%5creport",
      "/demo%252freport",
    ])
      expect([target, (await world.ask(target)).status]).toEqual([target, 400]);
    expect(world.upstream.requests).toHaveLength(1);
  });
});

describe("streams", () => {
  test("an event arrives when it is sent, and the head before any", async () => {
    let upstream: ServerResponse | undefined;
    world.upstream.answer = (_, res) => {
      upstream = res;
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.flushHeaders();
    };
    const { req, response } = await stream("/open/events");
    req.end();
    const res = await response();
    expect(res.headers["content-type"]).toBe("text/event-stream");
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      const chunk = nextChunk(res);
      upstream?.write(event);
      expect(await chunk).toBe(event);
    }
    upstream?.end();
    await once(res.resume(), "end");
  });

  test("a body goes up as it comes, and the answer may begin before it has ended", async () => {
    world.upstream.answer = (req, res) => {
      req.pipe(res);
    };
    const { req, response } = await stream("/open/echo", { method: "POST" });
    req.write("one");
    const res = await response();
    expect(await nextChunk(res)).toBe("one");
    const two = nextChunk(res);
    req.end("two");
    expect(await two).toBe("two");
    expect(world.upstream.requests[0]?.headers["transfer-encoding"]).toBe("chunked");
  });

  test("trailers follow, except what is no trailer", async () => {
    world.upstream.answer = (_, res) => {
      res.writeHead(200, { trailer: "digest, remit-receipt, set-cookie" });
      res.write("body");
      res.addTrailers({ digest: "sha-256=x", "remit-receipt": "forged", "set-cookie": "a=1" });
      res.end();
    };
    const { req, response } = await stream("/open/trailers");
    req.end();
    const res = await response();
    await once(res.resume(), "end");
    expect(res.trailers).toEqual({ digest: "sha-256=x" });
  });

  test("a reader that is slow holds the upstream back", async () => {
    const size = 64 * 1024 * 1024;
    let written = 0;
    let drained = 0;
    world.upstream.answer = (_, res) => {
      const more = (): void => {
        while (written < size) {
          written += 65_536;
          if (!res.write(Buffer.alloc(65_536)))
            return void res.once("drain", () => {
              drained += 1;
              more();
            });
        }
        res.end();
      };
      more();
    };
    const { req, response } = await stream("/open/large");
    req.end();
    const res = await response();
    res.pause();
    await eventually(async () => {
      const before = written;
      await new Promise((resolve) => setImmediate(resolve));
      expect(written).toBe(before);
    });
    expect(written).toBeLessThan(size / 2);
    let bytes = 0;
    res.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await once(res.resume(), "end");
    expect([bytes, drained > 0]).toEqual([size, true]);
  });

  test("G a caller that hangs up ends the exchange upstream", async () => {
    const left = Promise.withResolvers<void>();
    world.upstream.answer = (_, res) => {
      res.on("close", () => left.resolve());
      res.write("part");
    };
    const { req, response } = await stream("/open/endless");
    req.end();
    const res = await response();
    await nextChunk(res);
    req.destroy();
    await left.promise;
  });

  test("M12 an answer that breaks off is seen to break off", async () => {
    world.upstream.answer = (req, res) => {
      res.write("half", () => req.socket.destroy());
    };
    const { req, response } = await stream("/open/half");
    req.end();
    const res = await response();
    res.resume();
    const [error] = (await once(res, "error")) as [NodeJS.ErrnoException]; // what the event carries
    expect(error.code).toBe("ECONNRESET");
  });
});

describe("limits", () => {
  test("a client that expects to be invited is invited once its body is wanted", async () => {
    world.upstream.answer = (req, res) => {
      req.pipe(res);
    };
    const head = "Host: shop.test\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    const wanted = await dial(`POST /open/a HTTP/1.1\r\n${head}`);
    await eventually(() => expect(wanted.got()).toContain("HTTP/1.1 100 Continue"));
    wanted.socket.write("abc");
    await wanted.closed;
    expect(world.upstream.requests[0]?.headers).not.toHaveProperty("expect");
    expect(wanted.got()).toMatch(/HTTP\/1\.1 200 OK[^]*abc/);
    const unwanted = await dial(`POST /nowhere HTTP/1.1\r\n${head}`);
    await unwanted.closed;
    expect(unwanted.got()).toMatch(/^HTTP\/1\.1 40[45] /);
  });

  test("M11 an upstream that says nothing is 504, and one that is not there 502", async () => {
    world.upstream.answer = () => undefined;
    const late = await world.ask("/patient");
    expect([late.status, codeOf(late)]).toEqual([504, "upstream_timeout"]);
    expect(world.upstream.requests).toHaveLength(1);
    const dead = await world.ask("/dead");
    expect([dead.status, codeOf(dead)]).toEqual([502, "upstream_failed"]);
  });

  test("M11 a reset is tried again where that changes nothing, and only there", async () => {
    world.upstream.answer = (req, res) => {
      if (world.upstream.requests.length === 1) req.socket.destroy();
      else res.end("second");
    };
    expect((await world.ask("/patient")).body.toString()).toBe("second");
    expect(world.upstream.requests).toHaveLength(2);
    world.upstream.requests.length = 0;
    const post = await world.ask("/patient", { method: "POST", body: "order" });
    expect([post.status, codeOf(post)]).toEqual([502, "upstream_failed"]);
    expect(world.upstream.requests).toHaveLength(1);
  });

  test("M11 an upstream that stays away is left alone, nobody is asked for money for it, and callers are told when to come back", async () => {
    const headers = createAgent(world).pay(await world.ask("/dear"));
    for (let attempt = 0; attempt < 5; attempt++) await world.ask("/dead");
    const told = await world.ask("/dead");
    expect([told.status, codeOf(told), told.headers["retry-after"]]).toEqual([
      503,
      "upstream_unavailable",
      "1",
    ]);
    for (const asked of [{}, { headers }]) {
      const unsold = await world.ask("/dear", asked);
      expect([unsold.status, codeOf(unsold)]).toEqual([503, "upstream_unavailable"]);
    }
    expect([world.issuer.calls, await world.claims()]).toEqual([[], []]);
    world.clock.advance(1_000);
    expect((await world.ask("/dead")).status).toBe(502);
    const again = await world.ask("/dead");
    expect([again.status, again.headers["retry-after"]]).toEqual([503, "2"]);
    expect((await world.ask("/open/a")).status).toBe(200);
  });

  test("V04 a body above every limit is refused by its length", async () => {
    const { got, closed } = await dial(
      `POST /open/a HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ${1024 ** 3 + 1}\r\n\r\n`,
    );
    await closed;
    expect(got()).toMatch(/^HTTP\/1\.1 413 /);
    expect(world.upstream.requests).toEqual([]);
  });
});
