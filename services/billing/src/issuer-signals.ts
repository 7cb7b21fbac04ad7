import type { Clock } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Outbound } from "@remit/platform/outbound";
import type { Peer } from "@remit/platform/peers";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import type { BillingConfig } from "./config.ts";
import { type DisputeDeps, looksAtDispute } from "./disputes/index.ts";
import { looksAtCharge, type PaymentDeps } from "./payments/index.ts";
import { type SignalDeps, signalJobs, signalsPath, signalsRoute } from "./signals/index.ts";

type Parts = {
  readonly config: Pick<BillingConfig, "issuer" | "origin">;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly outbound: Outbound;
};

type Rooms = {
  readonly peer: Peer;
  readonly metrics: Metrics;
  readonly payments: PaymentDeps;
  readonly disputes: DisputeDeps;
};

/** What the issuer tells of itself: heard by a route and by jobs, and handed to the rooms that look for themselves. */
export function hearingOf(
  { config, ...parts }: Parts,
  { peer, metrics, payments, disputes }: Rooms,
): { readonly route: ReturnType<typeof signalsRoute>; readonly jobs: (jobs: Jobs) => Jobs } {
  const heard = metrics.counter(
    "signals_heard_total",
    "Signals of the issuer by what became of them, and how they came.",
    ["outcome", "by"],
  );
  const { issuer, origin } = config;
  const deps: SignalDeps = {
    ...parts,
    issuer,
    endpoint: origin + signalsPath,
    keys: parts.outbound.jwksOf(`${issuer}/.well-known/jwks.json`),
    peer,
    behind: {
      charge: (id) => looksAtCharge(payments, id),
      dispute: (id) => looksAtDispute(disputes, id),
    },
    count: (outcome, by) => heard.inc({ outcome, by }),
  };
  return { route: signalsRoute(deps), jobs: (jobs) => signalJobs(jobs, { ...deps, metrics }) };
}
