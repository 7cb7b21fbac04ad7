import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { Problem } from "@remit/protocol";
import { afterEach, expect, test } from "vitest";
import type { Resolve } from "./guard.ts";
import { createOutbound, type Outbound, type OutboundOptions } from "./outbound.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const outboundOf = (options: Partial<OutboundOptions> = {}): Outbound => {
  const outbound = createOutbound({ allow: [], ...options });
  closing.push(() => outbound.close());
  return outbound;
};

const serve = async (listener: RequestListener): Promise<string> => {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's address
};

const refusalOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof Problem ? error.code : String(error);
};

const never: Resolve = () =>
  Promise.reject(new Problem("outbound_refused", { detail: "nobody should resolve this" }));

const privateUrls = [
  "https://127.0.0.1/",
  "https://127.1/",
  "https://0.0.0.0/",
  "https://0/",
  "https://2130706433/",
  "https://0x7f000001/",
  "https://0x7f.1/",
  "https://0177.0.0.1/",
  "https://017700000001/",
  "https://10.0.0.1/",
  "https://172.16.0.1/",
  "https://172.31.255.255/",
  "https://192.168.1.1/",
  "https://169.254.169.254/latest/meta-data/",
  "https://168.63.129.16/",
  "https://100.64.0.1/",
  "https://100.100.100.200/",
  "https://192.0.0.192/",
  "https://198.18.0.1/",
  "https://224.0.0.1/",
  "https://255.255.255.255/",
  "https://[::]/",
  "https://[::1]/",
  "https://[0:0:0:0:0:0:0:1]/",
  "https://[::ffff:10.0.0.1]/",
  "https://[::ffff:7f00:1]/",
  "https://[::127.0.0.1]/",
  "https://[64:ff9b::a00:1]/",
  "https://[64:ff9b:1::1]/",
  "https://[2002:7f00:1::]/",
  "https://[2001:0:7f00:1::]/",
  "https://[2001:db8::1]/",
  "https://[fc00::1]/",
  "https://[fd00:ec2::254]/",
  "https://[fe80::1]/",
  "https://[ff02::1]/",
  "https://[100::1]/",
  "https://①②⑦.⓪.⓪.①/",
  "https://127。0。0。1/",
];

test.each(privateUrls)("W01 %s is refused at create and at connect", async (url) => {
  const outbound = outboundOf({ resolve: never });
  expect(await refusalOf(outbound.check(url))).toBe("outbound_refused");
  expect(await refusalOf(outbound.request({ url }))).toBe("outbound_refused");
});

test.each(["https://localhost/", "https://localhost./", "https://LOCALHOST/", "https://api.localhost/"])(
  "W01 %s is refused for where it leads",
  async (url) => {
    const outbound = outboundOf({ resolve: () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]) });
    expect(await refusalOf(outbound.check(url))).toBe("outbound_refused");
    expect(await refusalOf(outbound.request({ url }))).toBe("outbound_refused");
  },
);

test("W01 a public address is not refused", async () => {
  const outbound = outboundOf({ resolve: never });
  for (const url of ["https://1.1.1.1/", "https://[2606:4700:4700::1111]/", "https://8.8.8.8:8443/"])
    await outbound.check(url);
});

test("W02 a name that is public when checked and private when connected is refused", async () => {
  const told: string[] = [];
  const resolve: Resolve = (hostname) => {
    told.push(hostname);
    const address = told.length === 1 ? "93.184.215.14" : "127.0.0.1";
    return Promise.resolve([{ address, family: 4 }]);
  };
  const outbound = outboundOf({ resolve });
  await outbound.check("https://rebinding.test/");
  expect(await refusalOf(outbound.request({ url: "https://rebinding.test/" }))).toBe("outbound_refused");
  expect(told).toEqual(["rebinding.test", "rebinding.test"]);
});

test("W02 one private address among public ones is refused", async () => {
  const resolve: Resolve = () =>
    Promise.resolve([
      { address: "93.184.215.14", family: 4 },
      { address: "::ffff:169.254.169.254", family: 6 },
    ]);
  const outbound = outboundOf({ resolve });
  expect(await refusalOf(outbound.request({ url: "https://mixed.test/" }))).toBe("outbound_refused");
});

test("W03 a redirect is an answer, not an order", async () => {
  let metadataCalls = 0;
  const metadata = await serve((_req, res) => {
    metadataCalls++;
    res.end("secret");
  });
  const host = await serve((_req, res) =>
    res.writeHead(302, { location: `http://${metadata}/latest` }).end(),
  );
  const outbound = outboundOf({ allow: [host, metadata] });
  const answer = await outbound.request({ url: `http://${host}/` });
  expect(answer.status).toBe(302);
  expect((await outbound.fetch(`http://${host}/`)).status).toBe(302);
  expect(metadataCalls).toBe(0);
});

test.each([
  "https://example.test:22/",
  "https://example.test:25/",
  "https://example.test:80/",
  "https://example.test:6379/",
  "https://example.test:5432/",
  "https://example.test:11211/",
  "http://example.test/",
  "http://example.test:443/",
  "ftp://example.test/",
  "gopher://example.test/",
  "file:///etc/passwd",
  "data:text/plain,x",
  "https://user:secret@example.test/",
  "https://user@example.test/",
  "//example.test/",
  "",
])("W04 %s is refused before any name is looked up", async (url) => {
  const outbound = outboundOf({ resolve: () => Promise.resolve([{ address: "93.184.215.14", family: 4 }]) });
  expect(await refusalOf(outbound.check(url))).toBe("outbound_refused");
  expect(["outbound_refused", "outbound_failed"]).toContain(await refusalOf(outbound.request({ url })));
});

test("an exact host:port pair is excepted, and nothing beside it", async () => {
  const host = await serve((_req, res) => res.end("hello"));
  const neighbour = await serve((_req, res) => res.end("hello"));
  const outbound = outboundOf({ allow: [host] });
  const { body } = await outbound.request({ url: `http://${host}/` });
  expect(Buffer.from(body).toString()).toBe("hello");
  expect(await refusalOf(outbound.request({ url: `http://${neighbour}/` }))).toBe("outbound_refused");
  expect(await refusalOf(outbound.request({ url: `http://localhost:${host.split(":")[1]}/` }))).toBe(
    "outbound_refused",
  );
});

test("W02 every name below localhost at one port is this machine, whatever a resolver says, and nothing beside it", async () => {
  const host = await serve((req, res) => res.end(req.headers.host));
  const port = host.split(":")[1] ?? "";
  const neighbour = (await serve((_req, res) => res.end("hello"))).split(":")[1] ?? "";
  const outbound = outboundOf({
    allow: [`*.localhost:${port}`],
    resolve: () => Promise.resolve([{ address: "93.184.215.14", family: 4 }]),
  });
  const url = `http://shop.localhost:${port}/`;
  await outbound.check(url);
  expect(Buffer.from((await outbound.request({ url })).body).toString()).toBe(`shop.localhost:${port}`);
  for (const other of [
    `http://shop.localhost:${neighbour}/`,
    `http://127.0.0.1:${port}/`,
    `http://localhost:${port}/`,
    `http://shop.localhost.example:${port}/`,
    `http://shoplocalhost:${port}/`,
    `http://*.localhost.test:${port}/`,
  ])
    expect([other, await refusalOf(outbound.request({ url: other }))]).toEqual([other, "outbound_refused"]);
});

test("the guard stands before fetch and before streams as well", async () => {
  const host = await serve((_req, res) => res.end("hello"));
  const outbound = outboundOf();
  await expect(outbound.fetch(`http://${host}/`)).rejects.toThrow();
  await expect(outbound.fetch("https://169.254.169.254/")).rejects.toThrow();
  const streamed = outbound.dispatcher.request({ origin: `http://${host}`, path: "/", method: "GET" });
  expect(await refusalOf(streamed)).toBe("outbound_refused");
});

test("W06 an answer of 1 GB is dropped at the limit", async () => {
  const host = await serve((_req, res) => {
    const chunk = Buffer.alloc(64 * 1024);
    const pump = () => {
      while (!res.destroyed && res.write(chunk));
      if (!res.destroyed) res.once("drain", pump);
    };
    pump();
  });
  const outbound = outboundOf({ allow: [host] });
  expect(await refusalOf(outbound.request({ url: `http://${host}/`, bodyBytesMax: 65_536 }))).toBe(
    "outbound_failed",
  );
});

test("W06 a receiver that never answers, or never ends, is given up after the time it was given", async () => {
  const silent = await serve(() => undefined);
  const endless = await serve((_req, res) => void res.write("a"));
  const outbound = outboundOf({ allow: [silent, endless] });
  for (const host of [silent, endless])
    expect(await refusalOf(outbound.request({ url: `http://${host}/`, timeoutMs: 50 }))).toBe(
      "outbound_failed",
    );
});

test("W06 a compressed answer is refused and never inflated", async () => {
  const host = await serve((_req, res) =>
    res.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(10_000_000))),
  );
  const outbound = outboundOf({ allow: [host] });
  expect(await refusalOf(outbound.request({ url: `http://${host}/` }))).toBe("outbound_failed");
});

test("W06 a connection that breaks in the middle is no answer", async () => {
  const host = await serve((_req, res) => {
    res.writeHead(200, { "content-length": "100" });
    res.write("half", () => res.destroy());
  });
  const outbound = outboundOf({ allow: [host] });
  expect(await refusalOf(outbound.request({ url: `http://${host}/` }))).toBe("outbound_failed");
});

test("W01 a name that cannot be looked up is refused when it is written down, and not an error of ours", async () => {
  const outbound = outboundOf({ resolve: () => Promise.reject(new Error("ENOTFOUND")) });
  expect(await refusalOf(outbound.check("https://nowhere.example/"))).toBe("outbound_refused");
});
