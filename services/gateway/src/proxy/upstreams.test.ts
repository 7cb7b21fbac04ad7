import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@remit/kernel";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createUpstreams, type Upstreams } from "./upstreams.ts";
import type { UpstreamRequest } from "./whole.ts";

let answer: (req: IncomingMessage, res: ServerResponse) => void = (_, res) => res.end();
let server: Server;
let origin: string;
let upstreams: Upstreams;

beforeEach(async () => {
  server = createServer((req, res) => answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this shape.
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  upstreams = createUpstreams(systemClock);
});

afterEach(async () => {
  await upstreams.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const request = (more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  origin,
  method: "GET",
  target: "/demo/report?x=1",
  fields: [["X-Other", "1"]],
  body: undefined,
  timeoutMs: 5_000,
  bodyBytesMax: 1_000_000,
  ...more,
});

describe("an upstream's answer", () => {
  test("comes whole, with its own headers and without those of the hop", async () => {
    answer = (req, res) => {
      res.writeHead(
        201,
        [
          ["Content-Type", "text/plain"],
          ["Set-Cookie", "a=1"],
          ["Set-Cookie", "b=2"],
          ["Connection", "close"],
        ].flat(),
      );
      res.write(`${req.method} ${req.url} `);
      res.end(req.headers["x-other"]);
    };
    const got = await upstreams.fetch(request());
    expect(got.status).toBe(201);
    expect(Buffer.from(got.body).toString()).toBe("GET /demo/report?x=1 1");
    expect(got.fields).toEqual(
      expect.arrayContaining([
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2"],
      ]),
    );
    expect(got.fields.map(([name]) => name.toLowerCase())).not.toContain("connection");
  });

  test("gets the body byte for byte", async () => {
    answer = (req, res) => {
      req.pipe(res);
    };
    const body = Buffer.from([0, 255, 10, 13]);
    const got = await upstreams.fetch(request({ method: "POST", body }));
    expect(Buffer.from(got.body)).toEqual(body);
  });

  test("passes a refusal on as it is", async () => {
    answer = (_, res) => {
      res.statusCode = 503;
      res.end("later");
    };
    expect(await upstreams.fetch(request())).toMatchObject({ status: 503 });
  });

  test("early hints are not the answer", async () => {
    answer = (_, res) => {
      res.writeEarlyHints({ link: "</a.css>; rel=preload" });
      res.end("done");
    };
    expect(await upstreams.fetch(request())).toMatchObject({ status: 200 });
  });
});

describe("M11 an upstream that fails", () => {
  test("M11 a reset is upstream_failed", async () => {
    answer = (req) => req.socket.destroy();
    await expect(upstreams.fetch(request())).rejects.toMatchObject({ code: "upstream_failed" });
  });

  test("M12 a body that breaks off half-way is upstream_failed", async () => {
    answer = (req, res) => {
      res.writeHead(200, { "Content-Length": "100" });
      res.write("half", () => req.socket.destroy());
    };
    await expect(upstreams.fetch(request())).rejects.toMatchObject({ code: "upstream_failed" });
  });

  test("M11 silence is upstream_timeout", async () => {
    answer = () => undefined;
    await expect(upstreams.fetch(request({ timeoutMs: 50 }))).rejects.toMatchObject({
      code: "upstream_timeout",
    });
  });

  test("M11 a body that never ends is upstream_timeout", async () => {
    answer = (_, res) => {
      res.write("a");
    };
    await expect(upstreams.fetch(request({ timeoutMs: 50 }))).rejects.toMatchObject({
      code: "upstream_timeout",
    });
  });

  test("M11 an answer above the limit is upstream_failed", async () => {
    answer = (_, res) => {
      res.end(Buffer.alloc(2000));
    };
    await expect(upstreams.fetch(request({ bodyBytesMax: 1999 }))).rejects.toMatchObject({
      code: "upstream_failed",
    });
  });

  test("M11 nobody there is upstream_failed", async () => {
    await new Promise((resolve) => server.close(resolve));
    await expect(upstreams.fetch(request())).rejects.toMatchObject({ code: "upstream_failed" });
  });
});
