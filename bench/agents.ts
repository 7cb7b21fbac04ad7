import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { invariant, minuteMs, newId, parseId, systemClock } from "@remit/kernel";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { recordToOutbox } from "@remit/platform/outbox";
import { type Database, openDatabase, sql } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { unsaid } from "../services/authorization-server/src/agents/index.ts";
import { createAuditRecorder } from "../services/authorization-server/src/audit/index.ts";
import { registerAgentsFor } from "../services/authorization-server/src/clients/index.ts";
import { type Prepared, send } from "./http-load.ts";
import { type Figures, measure, round } from "./measure.ts";
import { type Pinned, pinOthers } from "./pinned.ts";
import { type Issuer, startOurs } from "./token-issuers.ts";

const inFlight = 16;
const million = 1_000_000;
const windowRows = 50_000;
const rareOwner = "owner-7";

/**
 * The agents of one tenant that has a million: read, register and list over HTTP, the server on one core, the database
 * (fsync on) and the load on the other; and what row-level security and the audit log cost a registration, as ratios.
 */
export async function benchAgents(seconds: number, fleetSize = million) {
  pinOthers();
  const directory = await mkdtemp(path.join(tmpdir(), "remit-bench-agents-"));
  const log = createLog({ service: "bench", level: "error" });
  const cluster = await startPostgres({ dataDir: path.join(directory, "postgres"), log });
  const servers: Pinned[] = [];
  try {
    const ours = await startOurs(servers, { directory, adminUrl: cluster.url });
    const tenant = parseId("tenant", ours.tenant);
    invariant(tenant !== undefined, "the bench has a tenant");
    const at = { schema: ours.schema, relayRole: ours.relayRole, poolMax: inFlight };
    const whole = openDatabase({ ...at, url: cluster.url, statementMsMax: 5 * minuteMs });
    const loaded = await load(whole, tenant, fleetSize);
    await analyse(whole);
    const token = await tokenOf(ours);
    const get = (query: () => string) =>
      measureHttp(ours, seconds, () => requestOf(ours, { token, path: query() }));
    const before = await ours.server.ask<number>("heapBytes");
    const list = {
      newest_100: await get(() => "/api/v1/agents?limit=100"),
      of_one_owner_100: await get(() => `/api/v1/agents?limit=100&owner=${rareOwner}`),
      of_one_capability_100: await get(() => "/api/v1/agents?limit=100&capability=rare:7"),
      suspended_100: await get(() => "/api/v1/agents?limit=100&status=suspended"),
    };
    const heapMb = round(((await ours.server.ask<number>("heapBytes")) - before) / 2 ** 20, 1);
    const read = await get(
      () => `/api/v1/agents/${idOf(Math.floor(Math.abs(Math.sin(turn++)) * fleetSize))}`,
    );
    const create = await measureHttp(ours, seconds, () =>
      requestOf(ours, { token, path: "/api/v1/agents", body: newAgent() }),
    );
    const price = await prices({ at, url: ours.databaseUrl, adminUrl: ours.adminUrl, tenant, seconds });
    return { loaded, list, list_heap_growth_mb: heapMb, read, create, ...price };
  } finally {
    for (const server of servers) await server.stop();
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

let turn = 0;

const idOf = (index: number): string => `agt_00${String(index).padStart(24, "0")}`;

/**
 * As registrations leave them, without their events: what is measured afterwards is not how fast they are written. By the
 * cluster's own role, and without the triggers that check each row: these rows are in order.
 */
async function load(
  db: Database,
  tenant: Parameters<Database["of"]>[0],
  fleetSize: number,
): Promise<{ agents: number; seconds: number }> {
  const started = performance.now();
  for (let from = 0; from < fleetSize; from += windowRows)
    await db.of(tenant).transaction(async (tx) => {
      await tx.run(sql`set local session_replication_role = replica`);
      await tx.run(sql`insert into agents (tenant_id, id, name, name_key, email, agent_type, version, capabilities, owner,
          deployment_env, created_at, updated_at)
        select ${tenant}, 'agt_00' || lpad(i::text, 24, '0'), 'Agent ' || i, 'agent ' || i, i || '@agents.example',
          case when i % 2 = 0 then 'screener' else 'router' end, '1.0.0',
          array['queue:read', 'rare:' || i % 1000], 'owner-' || i % 1000, 'production', now(), now()
        from generate_series(${from}::int, ${from + windowRows - 1}::int) as i`);
      await tx.run(sql`insert into agent_capabilities (tenant_id, capability, agent_id)
        select a.tenant_id, unnest(a.capabilities), a.id from agents a
        where a.id between ${idOf(from)} and ${idOf(from + windowRows - 1)}`);
      await tx.run(sql`insert into agent_standings (agent_id, tenant_id, status, changed_at)
        select a.id, a.tenant_id, case when right(a.id, 3) = '007' then 'suspended' else 'active' end, now() from agents a
        where a.id between ${idOf(from)} and ${idOf(from + windowRows - 1)}`);
    });
  return { agents: fleetSize, seconds: round((performance.now() - started) / 1000, 1) };
}

/** What autovacuum does soon after so many rows: lists are planned by what the tables hold. */
async function analyse(db: Database): Promise<void> {
  await db.single.run(sql`analyze agents, agent_standings, agent_capabilities`);
  await db.close();
}

const newAgent = (): object => ({
  email: `${newId("request")}@agents.example`,
  agentType: "screener",
  version: "1.0.0",
  capabilities: ["queue:read", "mail:send"],
  owner: "bench",
  deploymentEnv: "production",
});

async function tokenOf({ token, secret }: Issuer): Promise<string> {
  const pair = Buffer.from(`${secret.id}:${secret.secret}`).toString("base64");
  const answer = await fetch(token, {
    method: "POST",
    headers: { authorization: `Basic ${pair}` },
    body: new URLSearchParams({ grant_type: "client_credentials", ...secret.form }),
  });
  const body = (await answer.json()) as { access_token: string }; // what the token endpoint answers
  return body.access_token;
}

type Request = { readonly token: string; readonly path: string; readonly body?: object };

function requestOf({ issuer }: Issuer, { token, path: at, body }: Request): Prepared {
  const text = body === undefined ? "" : JSON.stringify(body);
  const lines = [
    `${body === undefined ? "GET" : "POST"} ${at} HTTP/1.1`,
    `Host: ${new URL(issuer).host}`,
    `Authorization: Bearer ${token}`,
    ...(body === undefined
      ? []
      : ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(text)}`]),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${text}`);
}

const isFine = (answer: string): boolean => /^HTTP\/1\.1 20[01]/.test(answer);

type Measured = {
  /** Of one request after the other: what a caller waits. */
  readonly p50_ms: number;
  readonly p95_ms: number;
  /** Of many at once. */
  readonly rate: number;
  /** Processor time of one in the server and in the database: on a busy machine it says more than the clock. */
  readonly cpu_us: number;
  readonly database_cpu_us: number;
};

/** As many requests as fit into the time, by what a short run before says of the rate. */
async function measureHttp(of: Issuer, seconds: number, make: () => Prepared): Promise<Measured> {
  const some = (count: number): Prepared[] => Array.from({ length: Math.ceil(count) }, make);
  const { rate: known } = await send(of.token, some(300), { inFlight, accept: isFine });
  const { p50_ms, p95_ms } = await send(of.token, some(Math.max(100, (known * seconds) / 4)), {
    inFlight: 1,
    accept: isFine,
  });
  const requests = some(Math.max(300, known * seconds));
  const before = { server: of.server.cpuUs(), database: of.databaseCpuUs() };
  const { rate } = await send(of.token, requests, { inFlight, accept: isFine });
  const each = (us: number): number => round(us / requests.length, 1);
  const cpu_us = each(of.server.cpuUs() - before.server);
  return { p50_ms, p95_ms, rate, cpu_us, database_cpu_us: each(of.databaseCpuUs() - before.database) };
}

type Pricing = {
  readonly at: { readonly schema: string; readonly relayRole: string; readonly poolMax: number };
  readonly url: string;
  readonly adminUrl: string;
  readonly tenant: Parameters<Database["of"]>[0];
  readonly seconds: number;
};

/** One registration in this process: as it is, without its log and outbox, and by a role that no policy holds. */
async function prices({ at, url, adminUrl, tenant, seconds }: Pricing) {
  const recorder = createAuditRecorder(systemClock);
  const recordAll: typeof recorder.recordAll = (tx, events) => recorder.recordAll(tx, events);
  const record: NonNullable<Parameters<typeof openDatabase>[0]["record"]> = async (tx, event) => {
    if (await recorder.record(tx, event)) await recordToOutbox(tx, event);
  };
  const one = async (
    options: Pick<Parameters<typeof openDatabase>[0], "url" | "record" | "recordAll">,
  ): Promise<Figures> => {
    const db = openDatabase({ ...at, ...options });
    const figures = await measure(() => register(db, tenant), { seconds, inFlight });
    await db.close();
    return figures;
  };
  const ways = {
    asItIs: { url, record, recordAll },
    withoutAudit: { url, record: async () => {} },
    withoutRls: { url: adminUrl, record, recordAll },
  };
  await one(ways.asItIs);
  // In turns, so that what else the machine does falls on all of them.
  const rates = { asItIs: 0, withoutAudit: 0, withoutRls: 0 };
  for (let pass = 0; pass < 3; pass++)
    for (const way of ["asItIs", "withoutAudit", "withoutRls"] as const)
      rates[way] += (await one(ways[way])).rate / 3;
  return {
    registrations_in_process: round(rates.asItIs, 1),
    ratio_of_audit: round(rates.withoutAudit / rates.asItIs),
    ratio_of_row_level_security: round(rates.withoutRls / rates.asItIs),
  };
}

const register = (db: Database, tenant: Pricing["tenant"]): Promise<unknown> =>
  db.of(tenant).transaction((tx) => {
    invariant(tx.tenant !== "platform", "the bench has a tenant of its own");
    return registerAgentsFor(tx as Parameters<typeof registerAgentsFor>[0], [
      {
        ...unsaid,
        name: "Bench",
        email: `${newId("request")}@agents.example`,
        capabilities: ["queue:read", "mail:send"],
        assertionJwk: undefined,
        dpopJwk: undefined,
        by: { type: "system", id: "bench" },
        now: systemClock.now(),
      },
    ]);
  });
