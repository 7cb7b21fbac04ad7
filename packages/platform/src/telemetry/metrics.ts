import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What a database pool can tell. */
export type PoolCounts = { readonly total: number; readonly idle: number; readonly waiting: number };

/** A thin port for OpenTelemetry or anything like it: `span` runs the work inside a named span. */
export type Tracer = {
  span<R>(
    name: string,
    attributes: Readonly<Record<string, string | number>>,
    work: () => Promise<R>,
  ): Promise<R>;
};

export type Metrics = {
  readonly registry: Registry;
  /** One finished request. `route` is the declared path, never the raw one, so that labels stay few. */
  observeRequest(request: { method: string; route: string; status: number; seconds: number }): void;
  /** A call of the API by somebody of a tenant. */
  observeCall(tenant: string): void;
  /** A request that was one too many for a limit; of nobody in particular when nobody knew yet who asks. */
  observeLimited(limited: { endpoint: string; tenant: string | undefined }): void;
  /** Reports a database pool from now on; asked at each scrape. */
  watchPool(name: string, read: () => PoolCounts): void;
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  /** Read at each scrape; what cannot be read is not a number. */
  measured(name: string, help: string, read: () => Promise<number>): void;
  /** The text exposition format. */
  text(): Promise<string>;
};

const latencyBucketsS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A registry of its own per service, so that five services in one process do not share counters. */
export function createMetrics(service: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  const registers = [registry];
  // `status_code` is what the AgentIdP's dashboards call it.
  const labelNames = ["method", "route", "status"];
  const tenants = boundedLabel(1_000);
  const calls = new Counter({
    name: "agentidp_tenant_api_calls_total",
    help: "Calls of the API by tenant; beyond a thousand tenants, together as `other`.",
    labelNames: ["tenant_id"],
    registers,
  });
  const limited = new Counter({
    name: "agentidp_rate_limit_hits_total",
    help: "Requests refused because they were too many.",
    labelNames: ["endpoint", "tenant_id"],
    registers,
  });
  const requests = new Counter({
    name: "http_requests_total",
    help: "Requests answered.",
    labelNames: [...labelNames, "status_code"],
    registers,
  });
  const durations = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from the request's head to the end of its answer.",
    labelNames,
    registers,
    buckets: latencyBucketsS,
  });
  return {
    registry,
    observeRequest({ method, route, status, seconds }) {
      const labels = { method, route, status: String(status) };
      requests.inc({ ...labels, status_code: labels.status });
      durations.observe(labels, seconds);
    },
    observeCall: (tenant) => calls.inc({ tenant_id: tenants(tenant) }),
    observeLimited: ({ endpoint, tenant }) =>
      limited.inc({ endpoint, tenant_id: tenant === undefined ? "none" : tenants(tenant) }),
    watchPool: poolWatch(registers),
    counter: (name, help, labels = []) => new Counter({ name, help, labelNames: [...labels], registers }),
    gauge: (name, help, labels = []) => new Gauge({ name, help, labelNames: [...labels], registers }),
    measured: (name, help, read) =>
      void new Gauge({
        name,
        help,
        registers,
        async collect() {
          this.set(await read().catch(() => Number.NaN));
        },
      }),
    text: () => registry.metrics(),
  };
}

/** The value itself for the first so many, `other` for all that come later: a label per tenant must not grow for ever. */
function boundedLabel(most: number): (value: string) => string {
  const seen = new Set<string>();
  return (value) => {
    if (seen.has(value)) return value;
    if (seen.size >= most) return "other";
    seen.add(value);
    return value;
  };
}

function poolWatch(registers: Registry[]): Metrics["watchPool"] {
  const pools = new Map<string, () => PoolCounts>();
  const connections = new Gauge({
    name: "db_pool_connections",
    help: "Connections of the database pool by state.",
    labelNames: ["pool", "state"],
    registers,
    collect() {
      for (const [pool, read] of pools)
        for (const [state, count] of Object.entries(read())) connections.set({ pool, state }, count);
    },
  });
  // The same in the AgentIdP's words.
  const sum = (of: (counts: PoolCounts) => number): number =>
    [...pools.values()].reduce((all, read) => all + of(read()), 0);
  void new Gauge({
    name: "agentidp_db_pool_active_connections",
    help: "Connections of the database pool that are in use.",
    registers,
    collect() {
      this.set(sum(({ total, idle }) => total - idle));
    },
  });
  void new Gauge({
    name: "agentidp_db_pool_waiting_requests",
    help: "Transactions that wait for a connection.",
    registers,
    collect() {
      this.set(sum(({ waiting }) => waiting));
    },
  });
  return (name, read) => void pools.set(name, read);
}
