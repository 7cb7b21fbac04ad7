import type { Clock } from "@remit/kernel";
import type { Counters } from "@remit/platform/counters";
import { type Database, type MigrationSource, migrationIds, platformMigrations } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import type { IssuerKeys } from "../keys/index.ts";
import { appliedMigrations, type Lags, readLags } from "./operations.sql.ts";

export type OperationsDeps = {
  readonly db: Database;
  readonly keys: Pick<IssuerKeys, "currentKey" | "signBytes">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly sources: readonly MigrationSource[];
  /** Where counters are kept that processes share. */
  readonly counters: Pick<Counters, "state">;
};

export type Operations = {
  /** The service's state, part by part, for whoever runs it. Names and numbers: no secret, no tenant, no person. */
  readonly details: () => Promise<Readonly<Record<string, unknown>>>;
  /** Sets the gauges. */
  readonly measure: () => Promise<void>;
};

/** A queue that waits longer than this is what somebody should look at. */
const lateS = 60;

const gaugesOf = (metrics: Metrics) => ({
  jobs: metrics.gauge("jobs_lag_seconds", "How long the oldest due job has waited for a worker."),
  jobs_dead: metrics.gauge("jobs_dead", "Jobs that were given up, up to 10,000."),
  outbox: metrics.gauge("outbox_lag_seconds", "Age of the first event that the slowest reader has not read."),
  audit_waiting: metrics.gauge("audit_waiting", "Entries without a place in their log, up to 10,000."),
  webhooks: metrics.gauge("webhook_lag_seconds", "How long the webhook that is due the longest has waited."),
});

export function createOperations(deps: OperationsDeps): Operations {
  const gauges = gaugesOf(deps.metrics);
  const lags = (): Promise<Lags> => deps.db.relay.transaction(readLags);
  deps.metrics.watchPool("main", () => deps.db.counts());
  return {
    details: async () => ({
      database: await databaseOf(deps),
      ...queuesOf(await lags()),
      keys: await keysOf(deps),
      cache: await cacheOf(deps),
    }),
    measure: async () => {
      const now = await lags();
      for (const [name, gauge] of Object.entries(gauges)) gauge.set(Number(now[name as keyof typeof gauges])); // its own names
    },
  };
}

/** The database's own state, and whether it has every migration that this program was written for. */
async function databaseOf({ db, sources, clock }: OperationsDeps): Promise<object> {
  const began = clock.monotonicNs();
  const applied = new Set(await db.relay.transaction(appliedMigrations));
  const wanted = await migrationIds([platformMigrations, ...sources]);
  const missing = wanted.filter((id) => !applied.has(id));
  return {
    status: missing.length === 0 ? "ok" : "failing",
    ms: Number((clock.monotonicNs() - began) / 1_000_000n),
    pool: db.counts(),
    migrations: { applied: applied.size, missing },
  };
}

const state = (well: boolean): "ok" | "late" => (well ? "ok" : "late");

const queuesOf = (lags: Lags): object => ({
  jobs: { status: state(lags.jobs < lateS), lag_s: rounded(lags.jobs), dead: Number(lags.jobs_dead) },
  outbox: { status: state(lags.outbox < lateS), lag_s: rounded(lags.outbox) },
  audit: {
    status: lags.audit_broken > 0n ? "failing" : state(lags.audit_waiting < 10_000n),
    waiting: Number(lags.audit_waiting),
    broken_logs: Number(lags.audit_broken),
  },
  webhooks: { status: state(lags.webhooks < lateS), lag_s: rounded(lags.webhooks) },
});

const rounded = (seconds: number): number => Math.round(seconds * 1000) / 1000;

/** Whether a key of ours signs now, wherever it is kept, and how long that took; its id is public. */
async function keysOf({ keys, clock, log }: OperationsDeps): Promise<object> {
  const { kid, alg } = keys.currentKey("access");
  const began = clock.monotonicNs();
  try {
    // No token, and no part of one: what is signed there holds a dot and no space.
    await keys.signBytes(kid, Buffer.from(`remit health check ${clock.now()}`));
  } catch (error) {
    log.warn({ error }, "the signing key does not sign");
    return { status: "failing", signs_with: { kid, alg } };
  }
  return { status: "ok", signs_with: { kid, alg }, ms: Number((clock.monotonicNs() - began) / 1_000_000n) };
}

/** Without its Redis each process counts alone: it refuses later, and nothing that matters is lost (D05). */
async function cacheOf({ counters }: OperationsDeps): Promise<object> {
  const found = await counters.state();
  return { status: found === "away" ? "late" : "ok", kind: found === "own" ? "memory" : "redis" };
}
