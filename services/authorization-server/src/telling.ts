import type { Clock } from "@remit/kernel";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Outbound } from "@remit/platform/outbound";
import type { Peer } from "@remit/platform/peers";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import type { AuthorizationServerConfig } from "./config.ts";
import { deliveryJobs, deliveryRoutes } from "./deliveries/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import type { People } from "./people.ts";
import { configurationRoute, createPushHeaders, signalJobs, streamRoutes } from "./signals/index.ts";
import type { Waiting } from "./waiting/index.ts";
import { noticesIn, walletNoticeJobs } from "./wallet-notices/index.ts";
import { createWebhookSecrets, webhookRoutes } from "./webhooks/index.ts";

type Telling = {
  readonly config: AuthorizationServerConfig;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly keyring: Keyring;
  readonly keys: IssuerKeys;
  /** To what the operator named. */
  readonly outbound: Outbound;
  /** To what tenants named. */
  readonly tenantOutbound: Outbound;
  readonly http: Http;
  readonly jobs: Jobs;
  readonly people: People;
  readonly peer: Peer;
  /** Who waits for signals. */
  readonly signalled: Waiting;
};

/** How others are told of what happened: tenants by webhooks, receivers by signals, people by the wallet. */
export function mountTelling(telling: Telling): void {
  mountWebhooks(telling);
  mountSignals(telling);
  const { config, db, jobs, peer } = telling;
  const { portal: wallet } = config.peers;
  if (wallet !== undefined) walletNoticeJobs(jobs, { db, peer, wallet });
}

function mountWebhooks(telling: Telling): void {
  const { config, db, clock, log, metrics, keyring, tenantOutbound: outbound, http, jobs, people } = telling;
  const { livemode, webhookTimeoutMs: timeoutMs } = config;
  const { portal: wallet } = config.peers;
  const secrets = createWebhookSecrets(keyring);
  const attempts = metrics.counter(
    "webhook_attempts_total",
    "Attempts at webhooks by how they ended: pending is one that is made again.",
    ["outcome"],
  );
  http.add(...webhookRoutes({ db, secrets, outbound }), ...deliveryRoutes({ db, livemode }));
  deliveryJobs(jobs, {
    db,
    clock,
    log,
    outbound,
    secrets,
    livemode,
    besides: wallet === undefined ? () => [] : noticesIn,
    timeoutMs,
    counted: (outcome) => attempts.inc({ outcome }),
    tellAdmins: (tx, notice) => people.tellAdmins(tx, notice),
  });
}

function mountSignals(telling: Telling): void {
  const {
    config,
    db,
    clock,
    log,
    metrics,
    keyring,
    keys,
    outbound: inside,
    tenantOutbound: outbound,
  } = telling;
  const { issuer, peers } = config;
  const headers = createPushHeaders(keyring);
  const pushes = metrics.counter(
    "signal_pushes_total",
    "Pushes of signals by how they ended: failed is one that is made again.",
    ["outcome"],
  );
  const refusals = metrics.counter("signal_refusals_total", "Signals that receivers would not take.", [
    "err",
  ]);
  const deps = { db, clock, issuer, keys, headers, outbound };
  telling.http.add(
    configurationRoute({ issuer }),
    ...streamRoutes({
      ...deps,
      originOf: (peer) => peers[peer],
      waiting: telling.signalled,
      refused: (err) => refusals.inc({ err }),
    }),
  );
  signalJobs(telling.jobs, {
    ...deps,
    log,
    inside,
    timeoutMs: config.webhookTimeoutMs,
    pushed: (outcome) => pushes.inc({ outcome }),
  });
}
