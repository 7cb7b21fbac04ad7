import type { Clock } from "@remit/kernel";
import type { Route } from "@remit/platform/http";
import type { Keyring } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import type { Metrics } from "@remit/platform/telemetry";
import { createSecrets, type PeerSetting } from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { delegationRoutes, tokenExchange } from "./delegations/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import { actFor } from "./memberships/index.ts";
import type { ClientSource, CustomGrant } from "./oidc/index.ts";
import { type Outbounds, outboundOfTrusts } from "./outbounds.ts";
import { partnerRoutes } from "./partners/index.ts";
import type { Quotas } from "./quotas/index.ts";
import { scaffoldRoute } from "./scaffold/index.ts";
import { createMint, type LiveTokens } from "./tokens/index.ts";
import { issueIdJag, jwtBearer, policyRoutes, trustRoutes, workflowTokenRoute } from "./trusts/index.ts";

type Grounds = Outbounds & {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly db: Database;
  readonly keyring: Keyring;
  readonly keys: IssuerKeys;
  readonly peers: readonly PeerSetting[];
  readonly metrics: Metrics;
  readonly live: LiveTokens;
  readonly clientOf: ClientSource;
  readonly quotas: Quotas;
};

/** How agents act by the word of others: of each other (delegations), and of whom their tenant trusts. */
export type Chaining = { readonly grants: readonly CustomGrant[]; readonly routes: readonly Route[] };

export function createChaining(grounds: Grounds): Chaining {
  const { config, clock, db, keys, keyring, live, metrics, tenantOutbound } = grounds;
  const { issuer, livemode } = config;
  const mint = createMint({ keys, issuer, livemode, clock });
  const { githubIssuer = "https://token.actions.githubusercontent.com" } = config;
  const { githubApi = "https://api.github.com" } = config;
  const github = { issuer: githubIssuer, jwksUri: `${githubIssuer}/.well-known/jwks`, api: githubApi };
  const trusting = { db, mint, issuer, outbound: outboundOfTrusts(grounds, github), github };
  const count = (name: string, help: string): (() => void) => {
    const counter = metrics.counter(name, help);
    return () => counter.inc();
  };
  const handing = {
    db,
    mint,
    live,
    secrets: createSecrets(keyring.derive("delegation-tokens")),
    granted: count("delegations_created_total", "Links that agents handed to others."),
  };
  return {
    grants: [
      tokenExchange({
        ...handing,
        keys,
        issuer,
        issueIdJag: issueIdJag({ db, keys, issuer }),
        actFor: actFor({ db, keys, mint, issuer }),
      }),
      jwtBearer(trusting, grounds.quotas),
    ],
    routes: [
      ...delegationRoutes({
        ...handing,
        verified: count("delegations_verified_total", "Delegations that somebody asked about."),
        revoked: count("delegations_revoked_total", "Delegations that were ended."),
      }),
      ...trustRoutes({ db, issuer, outbound: tenantOutbound }),
      ...policyRoutes({ db, github, githubOutbound: grounds.outbound }),
      workflowTokenRoute({ ...trusting, clientOf: grounds.clientOf, quotas: grounds.quotas }),
      ...partnerRoutes({ ...trusting, tenantOutbound }),
      scaffoldRoute({ db, origin: config.origin }),
    ],
  };
}
