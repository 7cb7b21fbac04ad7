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
import type { People } from "./people.ts";
import { noticesIn, walletNoticeJobs } from "./wallet-notices/index.ts";
import { createWebhookSecrets, webhookRoutes } from "./webhooks/index.ts";

type Telling = {
  readonly config: AuthorizationServerConfig;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly keyring: Keyring;
  readonly outbound: Outbound;
  readonly http: Http;
  readonly jobs: Jobs;
  readonly people: People;
  readonly peer: Peer;
};

/** Webhooks: how tenants are told of what happened; and the wallet, which tells people. */
export function mountTelling({
  config,
  db,
  clock,
  log,
  metrics,
  keyring,
  outbound,
  http,
  jobs,
  people,
  peer,
}: Telling): void {
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
  if (wallet !== undefined) walletNoticeJobs(jobs, { db, peer, wallet });
}
