import type { Clock } from "@remit/kernel";
import { createHttp, edgeOptions, type Http, resourceServer } from "@remit/platform/http";
import type { OpenKeyring } from "@remit/platform/keys";
import { createMisuses } from "@remit/platform/misuse";
import { createFirstUses } from "@remit/platform/once";
import type { Outbound } from "@remit/platform/outbound";
import { askIssuer, createForwarding, type Forwarding, type Peer } from "@remit/platform/peers";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import type { BillingConfig } from "./config.ts";
import { forwardingRoute } from "./forwarding.http.ts";
import { assertBooks } from "./ledger/index.ts";

type Parts = {
  readonly config: BillingConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly outbound: Outbound;
};

type Known = { readonly keyring: OpenKeyring; readonly peer: Peer; readonly metrics: Metrics };

/** Where billing is called, with what it tells of itself: whether its books balance, and how late its events are. */
export function httpOf(
  { config, clock, log, db, outbound }: Parts,
  { keyring, peer, metrics }: Known,
): { readonly http: Http; readonly forwarding: Forwarding } {
  const authenticate = resourceServer({
    issuer: config.issuer,
    audience: config.origin,
    keys: outbound.jwksOf(`${config.issuer}/.well-known/jwks.json`),
    claim: createFirstUses(db).claim,
    nonceSecret: keyring.derive("dpop-nonce"),
    misuses: createMisuses(db, "billing"),
    isRevoked: askIssuer({ peer, issuer: config.issuer }),
    clock,
  });
  const forwarding = createForwarding({ db, peer, issuer: config.issuer, metrics });
  const http = createHttp({
    ...edgeOptions("billing", { config, clock, log }),
    metrics,
    authenticate,
    ready: { database: () => db.ping() },
    details: async () => ({ forwarding: await forwarding.state() }),
    watched: { ledger: () => assertBooks(db) },
  });
  http.add(forwardingRoute(forwarding));
  return { http, forwarding };
}
