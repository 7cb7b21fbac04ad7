import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { newId } from "@remit/kernel";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { provision, rolePasswords } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { generateJwk } from "@remit/protocol/node";
import { freeBase } from "../test/ports.ts";
import { type Load, type Prepared, send } from "./http-load.ts";
import { round } from "./measure.ts";
import { type Pinned, pinOthers, startPinned } from "./pinned.ts";

const inFlight = 32;
const streams = 200;
const eventsEach = 100;

type Figures = Load & { readonly cpu_us: number };

/**
 * What costs nothing: to be told the price, and to pass. Each server in a process of its own on one core, the load and the
 * upstream on the other, all in one run.
 */
export async function benchGateway(seconds: number) {
  pinOthers();
  const directory = await mkdtemp(path.join(tmpdir(), "remit-bench-gateway-"));
  const upstream = await startUpstream();
  const servers: Pinned[] = [];
  const start = (script: string): Pinned => {
    const server = startPinned(path.join(import.meta.dirname, script));
    servers.push(server);
    return server;
  };
  const log = createLog({ service: "bench", level: "error" });
  const cluster = await startPostgres({ dataDir: path.join(directory, "postgres"), log });
  try {
    const peers: Record<string, Figures> = {};
    for (const [kind, target] of [
      ["x402", "/paid"],
      ["mppx", "/paid"],
      ["undici", "/free"],
    ] as const) {
      const server = start("gateway-peers.ts");
      const origin = await server.ask<string>(kind, upstream.origin);
      peers[kind] = await rateOf(server, new URL(target, origin), {
        seconds,
        status: kind === "undici" ? 200 : 402,
      });
      await servers.pop()?.stop();
    }
    const gateway = start("gateway-server.ts");
    const config = await configure(directory, { adminUrl: cluster.url, upstream: upstream.origin });
    const address = await gateway.ask<string>("start", config);
    const at = (target: string): URL => new URL(target, address);
    const unpaid = await rateOf(gateway, at("/paid"), { seconds, status: 402 });
    const free = await rateOf(gateway, at("/free"), { seconds, status: 200 });
    const times = (peer: string, ours: Figures): number =>
      round(ours.rate / (peers[peer]?.rate ?? Number.NaN));
    return {
      unpaid: { remit: unpaid, x402_express_2_27_0: peers["x402"], mppx_0_11_0: peers["mppx"] },
      unpaid_times_x402_express: times("x402", unpaid),
      unpaid_times_mppx: times("mppx", unpaid),
      free: { remit: free, bare_undici_proxy: peers["undici"] },
      free_share_of_bare_proxy: times("undici", free),
      event_streams: await streamsOf(gateway, at("/events")),
    };
  } finally {
    for (const server of servers) await server.stop();
    upstream.close();
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

const prepareGet = (url: URL): Prepared =>
  Buffer.from(`GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nAccept: */*\r\n\r\n`);

async function rateOf(
  server: Pinned,
  url: URL,
  { seconds, status }: { readonly seconds: number; readonly status: number },
): Promise<Figures> {
  const request = prepareGet(url);
  const accept = (answer: string): boolean => answer.startsWith(`HTTP/1.1 ${status} `);
  const run = (count: number): Promise<Load> =>
    send(
      url,
      Array.from({ length: count }, () => request),
      { inFlight, accept },
    );
  // Each warm-up says how many are needed to fill the time of the next: what is measured is a server that has been up for a while.
  let { rate } = await run(1_000);
  for (const length of [seconds / 4, seconds / 2])
    ({ rate } = await run(Math.max(1_000, Math.round(rate * length))));
  const count = Math.max(1_000, Math.round(rate * seconds));
  const before = server.cpuUs();
  const load = await run(count);
  return { ...load, cpu_us: round((server.cpuUs() - before) / count, 1) };
}

/** Event streams at once, each of which gets every event; and what the gateway holds while they run. */
async function streamsOf(gateway: Pinned, url: URL) {
  type Memory = { heapUsed: number; rss: number };
  const before = await gateway.ask<Memory>("memory");
  const halfway = Promise.withResolvers<void>();
  let arrived = 0;
  const read = async (): Promise<void> => {
    const res = await new Promise<IncomingMessage>((resolve, reject) =>
      get(url, resolve).on("error", reject),
    );
    res.setEncoding("utf8");
    let seen = 0;
    for await (const text of res) {
      const events = String(text).split("\n\n").length - 1;
      seen += events;
      arrived += events;
      if (arrived >= (streams * eventsEach) / 2) halfway.resolve();
    }
    if (seen !== eventsEach) throw new Error(`a stream had ${seen} events`);
  };
  const started = performance.now();
  const all = Promise.all(Array.from({ length: streams }, read));
  await halfway.promise;
  const during = await gateway.ask<Memory>("memory");
  await all;
  const after = await gateway.ask<Memory>("memory");
  const mb = (bytes: number): number => round(bytes / 1024 / 1024, 1);
  return {
    streams,
    events: streams * eventsEach,
    seconds: round((performance.now() - started) / 1000),
    heap_mb: { before: mb(before.heapUsed), during: mb(during.heapUsed), after: mb(after.heapUsed) },
  };
}

const body = Buffer.from(JSON.stringify({ report: "x".repeat(200) }));

async function startUpstream() {
  const events = (res: ServerResponse): void => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      res.write(`data: ${"y".repeat(1000)}\n\n`);
      if (sent < eventsEach) return;
      clearInterval(timer);
      res.end();
    }, 20);
  };
  const server = createServer((req, res) => {
    if (req.url === "/events") return events(res);
    res.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    return res.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's address
  return { origin, close: () => server.closeAllConnections() };
}

async function configure(directory: string, { adminUrl, upstream }: { adminUrl: string; upstream: string }) {
  const { schema, roles, url, migrationUrl, ownerRole } = await provision({
    adminUrl,
    service: "gateway",
    passwords: rolePasswords(path.join(directory, "roles.json")),
    kekFingerprint: "bench",
  });
  const port = await freeBase();
  const origin = `http://127.0.0.1:${port}`;
  const key = generateJwk("ES256");
  const merchant = {
    id: newId("merchant"),
    tenant: newId("tenant"),
    origin,
    client_id: newId("client"),
    keys: { assertion: key, dpop: key, offer: key },
  };
  const route = (gate: string, id: string, more: object = {}): object => ({
    id,
    gate,
    merchant: merchant.id,
    method: "GET",
    path: `/${id}`,
    upstream,
    name: id,
    sku: id,
    ...more,
  });
  const routes = [
    route("paid", "paid", { amount_minor: 60, currency: "USD" }),
    route("free", "free"),
    route("free", "events"),
  ];
  const offersFile = path.join(directory, "offers.json");
  await writeFile(offersFile, JSON.stringify({ merchants: [merchant], routes }));
  return {
    origin,
    issuer: "http://localhost:1",
    host: "127.0.0.1",
    port,
    dataDir: directory,
    livemode: false,
    schema,
    roles: { ...roles, owner: ownerRole },
    databaseUrl: url,
    migrationDatabaseUrl: migrationUrl,
    outboundAllow: [],
    offersFile,
  };
}
