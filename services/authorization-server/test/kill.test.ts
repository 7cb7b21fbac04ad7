import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { migrations } from "@remit/authorization-server";
import { type Id, newId, systemClock } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { type EventType, newEvent } from "@remit/protocol";
import { eventually, startProcess, type TestDatabase, type TestProcess, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Management } from "./management.ts";
import { adminSecret, freePort, principal, startWith } from "./running.ts";
import { startWebhookReceiver, verified, type WebhookReceiver } from "./webhooks/receiver.ts";

// Four processes of one installation send webhooks, and each second one of them is killed and started again.
const workersCount = 4;
const killEveryMs = 1_000;
const aliveAfter = 50;
/** Events go on happening for at least so long, so that whoever is killed has work. */
const happeningMs = 25_000;
const eventsCount = 10_000;
const kinds: readonly EventType[] = [
  "mandate.issued",
  "mandate.narrowed",
  "mandate.resumed",
  "mandate.revoked",
  "mandate.suspended",
];
/** One event in so many is of this kind, whose receiver fails for as long as workers are killed. */
const failing: EventType = "agent.suspended";
const failingEvery = 100;

let receiver: WebhookReceiver;
let database: TestDatabase;
let db: Database;
let dataDir: string;
let port: number;
let tenant: Id<"tenant">;
let adminId: Id<"client">;
/** Promises: one that was killed is on its way back. */
let workers: Promise<TestProcess>[] = [];

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  database = await testDatabase({ service: "authorization_server", sources: migrations });
  db = database.open({ record: recordToOutbox });
  dataDir = await mkdtemp(path.join(tmpdir(), "remit-as-kill-"));
  port = await freePort();
});
afterAll(async () => {
  await Promise.all(workers.map(async (worker) => await (await worker).kill()));
  await database?.drop();
  await receiver?.close();
  await rm(dataDir, { recursive: true, force: true });
});

type Call = (method: string, path: string, body?: object) => Promise<Record<string, unknown>>;

/** A process that is not killed, for as long as it is talked to. */
async function withServer(work: (call: Call) => Promise<void>): Promise<void> {
  const server = await startWith(database, {
    ...places(),
    port,
    dataDir,
    tenantOutboundAllow: [receiver.host],
  });
  const { admin, ...made } = await server.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
  });
  [tenant, adminId] = [made.tenant, admin.clientId];
  const running = { issuer: issuer(), adminId };
  const webhooks = new Management(running, adminSecret, "webhooks:read webhooks:write");
  await work(async (method, where, body) => {
    const answer = await webhooks.call(method, `/api/v1/webhooks${where}`, body);
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    return answer.body;
  });
  await server.close();
}
const issuer = (): string => `http://localhost:${port}`;
const places = () => ({ issuer: issuer(), origin: issuer() });

async function startWorker(): Promise<TestProcess> {
  return await startProcess({
    main: fileURLToPath(new URL("../src/main.ts", import.meta.url)),
    env: {
      NODE_ENV: "test",
      NODE_COMPILE_CACHE: path.join(tmpdir(), "remit-compile-cache"),
      DATABASE_URL: database.url,
      REMIT_ORIGIN: issuer(),
      REMIT_ISSUER: issuer(),
      REMIT_PORT: String(await freePort()),
      REMIT_SCHEMA: database.schema,
      REMIT_ROLE_APP: database.roles.app,
      REMIT_ROLE_RELAY: database.roles.relay,
      REMIT_ROLE_LOOKUP: database.roles.lookup,
      REMIT_DATA_DIR: dataDir,
      REMIT_TENANT_OUTBOUND_ALLOW: receiver.host,
      REMIT_BILLING_ORIGIN: "http://localhost:1",
      REMIT_DIRECTORY_ORIGIN: "http://localhost:1",
    },
    readyWhen: /listening/,
  });
}

/** Records events in batches, as a busy tenant does, and returns their ids by kind. */
async function happen(): Promise<Map<EventType, string[]>> {
  const ids = new Map<EventType, string[]>();
  const batch = 50;
  const gapMs = happeningMs / (eventsCount / batch);
  for (let n = 0; n < eventsCount; n += batch) {
    const now = systemClock.now();
    await db.of(tenant).transaction(async (tx) => {
      for (let i = n; i < n + batch; i++) {
        const type = i % failingEvery === 0 ? failing : (kinds[i % kinds.length] ?? failing);
        const actor = { type: "system", id: "test" } as const;
        const event = newEvent(type, { tenant, actor, subject: newId("mandate"), payload: { i } }, now);
        await tx.record(event);
        ids.set(type, [...(ids.get(type) ?? []), event.id]);
      }
    });
    await pause(gapMs);
  }
  return ids;
}

const heardAt = (where: string): Set<string> =>
  new Set(receiver.at(where).map(({ headers }) => String(headers["webhook-id"])));

test("W08 W09 10,000 events while a worker is killed every second: each delivered at least once, none lost, every signature right, dead letters replayed", {
  timeout: 1_800_000,
}, async () => {
  const ours = new Map<EventType, { id: string; secret: string; at: string }>();
  await withServer(async (call) => {
    for (const type of [...kinds, failing]) {
      const url = `${receiver.origin}/${type}`;
      const made = await call("POST", "", { name: type, url, events: [type] });
      ours.set(type, { id: String(made["id"]), secret: String(made["signingSecret"]), at: `/${type}` });
    }
  });
  receiver.always(`/${failing}`, 500);
  workers = Array.from({ length: workersCount }, () => startWorker());
  await Promise.all(workers);
  let checked = 0;
  // While it goes on: like any receiver, the public package refuses what was signed more than five minutes ago.
  const verifyHeard = (): void => {
    for (const told of receiver.told.slice(checked)) {
      const { secret } = ours.get(told.path.slice(1) as EventType) ?? { secret: "" }; // the paths are ours
      expect(verified(secret, told)["id"]).toBe(told.headers["webhook-id"]);
      checked += 1;
    }
  };
  const killing = new AbortController();
  let killed = 0;
  const kill = async (): Promise<void> => {
    while (!killing.signal.aborted) {
      const heard = receiver.told.length;
      await pause(killEveryMs);
      verifyHeard();
      // Each kill ends work that was going on: on a busy machine it may take longer than a second to go on again.
      while (!killing.signal.aborted && receiver.told.length < heard + aliveAfter) await pause(20);
      const index = killed % workersCount;
      await (await workers[index])?.kill("SIGKILL");
      workers[index] = startWorker();
      killed += 1;
    }
  };
  const killer = kill();
  const ids = await happen();
  const missing = (): number =>
    kinds.reduce((sum, type) => sum + (ids.get(type)?.length ?? 0) - heardAt(`/${type}`).size, 0);
  for (let before = Number.POSITIVE_INFINITY; missing() > 0; before = missing()) {
    // As long as there is progress it is waited for.
    await eventually(() => missing() < before);
    expect(missing()).toBeLessThan(before);
  }
  killing.abort();
  await killer;
  expect(killed).toBeGreaterThanOrEqual(10);
  for (const type of kinds) expect(heardAt(`/${type}`)).toEqual(new Set(ids.get(type)));
  verifyHeard();

  // Nobody waits for 65 hours: what failed so far has one attempt left.
  const dead = ours.get(failing);
  if (dead === undefined) throw new TypeError("there is a webhook that fails");
  const failed = ids.get(failing) ?? [];
  await eventually(async () => {
    await database.asAdmin(
      `update webhook_deliveries set round = 9, next_at = now()
       where webhook_id = $1 and status = 'pending' and lease = 0 and attempts > 0`,
      [dead.id],
    );
    await database.asAdmin("update webhook_lanes set due_at = now() where webhook_id = $1", [dead.id]);
    const [row] = await database.asAdmin<{ count: string }>(
      "select count(*) from webhook_deliveries where webhook_id = $1 and status = 'dead_letter'",
      [dead.id],
    );
    return Number(row?.count) === failed.length;
  });
  receiver.always(dead.at, undefined);
  const since = "2020-01-01T00:00:00Z";
  await withServer(async (call) => {
    const replayed = await call("POST", `/${dead.id}/replay`, { since });
    expect(replayed).toEqual({ replayed: failed.length, more: false });
  });
  const left = async (): Promise<number> => {
    const [row] = await database.asAdmin<{ count: string }>(
      "select count(*) from webhook_deliveries where status <> 'delivered'",
    );
    return Number(row?.count);
  };
  await eventually(async () => (await left()) === 0);
  expect(await left()).toBe(0);
  expect(heardAt(dead.at)).toEqual(new Set(failed));
  const [total] = await database.asAdmin<{ count: string }>("select count(*) from webhook_deliveries");
  expect(Number(total?.count)).toBe(eventsCount);
  process.stdout.write(`${eventsCount} events, ${killed} kills, ${receiver.told.length} attempts heard\n`);
});
