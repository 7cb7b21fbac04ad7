import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Id, invariant, newId, systemClock } from "@remit/kernel";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { recordToOutbox } from "@remit/platform/outbox";
import { type Database, openDatabase, provision, rolePasswords } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { newEvent } from "@remit/protocol";
import { freeBase } from "../test/ports.ts";
import { round } from "./measure.ts";
import { type Pinned, pinOthers, startPinned } from "./pinned.ts";

const webhooks = 10;
/** Per event, so that one event makes as many deliveries. */
const batch = 100;
const backlog = 10_000;
const eventsPerSecond = 20;

/**
 * From an event that has committed to a receiver on this machine that has it: one worker on one core, the database, the
 * receiver and whoever records on the other. First a backlog, then a steady load far below it.
 */
export async function benchWebhooks(seconds: number) {
  pinOthers();
  const directory = await mkdtemp(path.join(tmpdir(), "remit-bench-webhooks-"));
  const log = createLog({ service: "bench", level: "error" });
  const cluster = await startPostgres({ dataDir: path.join(directory, "postgres"), log });
  const receiver = await startReceiver();
  const servers: Pinned[] = [];
  try {
    const { server, db, tenant, close } = await startWorker(servers, {
      directory,
      adminUrl: cluster.url,
      receiver,
    });
    const floor = await server.ask<number>("floor", {
      url: `${receiver.origin}/floor`,
      allow: receiver.host,
    });
    const at = { db, tenant, receiver };
    const first = await drainBacklog(at);
    const heapBefore = await server.ask<number>("heapBytes");
    const cpuBefore = server.cpuUs();
    const second = await drainBacklog(at);
    const cpu = server.cpuUs() - cpuBefore;
    const heapAfter = await server.ask<number>("heapBytes");
    const latency = await steady(at, seconds);
    await close();
    return {
      deliveries_per_second_per_worker: { first: round(first, 1), second: round(second, 1) },
      cpu_us_per_delivery: round(cpu / backlog, 1),
      floor_posts_per_second: round(floor, 1),
      share_of_floor: round(second / floor),
      enqueue_to_first_attempt: latency,
      heap_growth_mib_over_10_000_deliveries: round((heapAfter - heapBefore) / (1 << 20), 1),
    };
  } finally {
    for (const server of servers) await server.stop();
    await receiver.close();
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

type Receiver = Awaited<ReturnType<typeof startReceiver>>;

/** Counts, and knows how long after its event each came. */
async function startReceiver() {
  let heard = 0;
  let latencies: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.url !== "/floor") {
        heard += 1;
        // What we sent; the time of the event, in whole milliseconds, is when it was recorded.
        const { timestamp } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { timestamp: string };
        latencies.push(systemClock.now() - Date.parse(timestamp));
      }
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return {
    origin: `http://localhost:${port}`,
    host: `localhost:${port}`,
    heard: () => heard,
    takeLatencies: () => {
      const taken = latencies.sort((a, b) => a - b);
      latencies = [];
      return taken;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

type At = { readonly db: Database; readonly tenant: Id<"tenant">; readonly receiver: Receiver };

const record = ({ db, tenant }: At, count: number): Promise<void> =>
  db.of(tenant).transaction(async (tx) => {
    for (let n = 0; n < count; n++) {
      const now = systemClock.now();
      const actor = { type: "system", id: "bench" } as const;
      const payload = { text: "a".repeat(200) };
      await tx.record(
        newEvent("mandate.narrowed", { tenant, actor, subject: newId("mandate"), payload }, now),
      );
    }
  });

/** Deliveries per second, from the first commit to the last answer. */
async function drainBacklog(at: At): Promise<number> {
  const before = at.receiver.heard();
  const started = performance.now();
  for (let events = 0; events < backlog / webhooks; events += batch) await record(at, batch);
  while (at.receiver.heard() < before + backlog) await pause(5);
  at.receiver.takeLatencies();
  return backlog / ((performance.now() - started) / 1000);
}

async function steady(at: At, seconds: number) {
  at.receiver.takeLatencies();
  const before = at.receiver.heard();
  const events = seconds * eventsPerSecond;
  for (let n = 0; n < events; n++) {
    await record(at, 1);
    await pause(1000 / eventsPerSecond);
  }
  while (at.receiver.heard() < before + events * webhooks) await pause(5);
  const latencies = at.receiver.takeLatencies();
  // Some more where a process that was held up had sent twice.
  invariant(latencies.length >= events * webhooks, "each delivery says when its event was recorded");
  const part = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { deliveries_per_second: eventsPerSecond * webhooks, p50_ms: part(0.5), p99_ms: part(0.99) };
}

async function startWorker(
  servers: Pinned[],
  { directory, adminUrl, receiver }: { directory: string; adminUrl: string; receiver: Receiver },
) {
  const database = await provision({
    adminUrl,
    service: "authorization-server",
    passwords: rolePasswords(path.join(directory, "roles.json")),
    kekFingerprint: "bench",
  });
  const port = await freeBase();
  const issuer = `http://localhost:${port}`;
  const server = startPinned(path.join(import.meta.dirname, "webhook-server.ts"));
  servers.push(server);
  const origin = "http://localhost:1";
  const { schema, roles, url: databaseUrl, migrationUrl: migrationDatabaseUrl, ownerRole } = database;
  const clientSecret = randomBytes(32).toString("base64url");
  const config = {
    origin: issuer,
    issuer,
    host: "127.0.0.1",
    port,
    dataDir: directory,
    livemode: false,
    schema,
    roles: { ...roles, owner: ownerRole },
    databaseUrl,
    migrationDatabaseUrl,
    billing: origin,
    directory: origin,
    peers: {},
    outboundAllow: [],
    tenantOutboundAllow: [receiver.host],
  };
  const bootstrap = {
    tenant: { name: "Bench" },
    principal: { email: "bench@example.com", name: "Bench", password: randomBytes(12).toString("hex") },
    admin: { clientSecret },
  };
  const { admin, tenant } = await server.ask<{ admin: { clientId: string }; tenant: Id<"tenant"> }>("start", {
    config,
    bootstrap,
  });
  const form = {
    grant_type: "client_credentials",
    client_id: admin.clientId,
    client_secret: clientSecret,
    scope: "webhooks:write",
    resource: issuer,
  };
  const token = await post(`${issuer}/oauth/token`, { body: new URLSearchParams(form) });
  const headers = {
    authorization: `Bearer ${String(token["access_token"])}`,
    "content-type": "application/json",
  };
  for (let n = 0; n < webhooks; n++) {
    const wanted = { name: `Bench ${n}`, url: `${receiver.origin}/${n}`, events: ["mandate.*"] };
    await post(`${issuer}/api/v1/webhooks`, { headers, body: JSON.stringify(wanted) });
  }
  const db = openDatabase({ url: databaseUrl, schema, relayRole: roles.relay, record: recordToOutbox });
  return { server, db, tenant, close: () => db.close() };
}

async function post(url: string, init: RequestInit): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { method: "POST", ...init });
  const body = Object(await answer.json());
  invariant(answer.ok, `${url} answered ${answer.status}: ${JSON.stringify(body)}`);
  return body;
}
