import type { Clock } from "@remit/kernel";
import type { Route } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Metrics } from "@remit/platform/telemetry";
import type { Accounts } from "./accounts/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { emailDomainRoutes } from "./email-domains/index.ts";
import {
  createFederatedSignIn,
  createVisits,
  type FederatedDeps,
  type FederatedSignIn,
  visitJobs,
} from "./federated-sign-in/index.ts";
import { admissionRoutes, forgetProvider, type Identities } from "./identities/index.ts";
import { createUpstream, identityProviderRoutes } from "./identity-providers/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import type { Tickets } from "./tickets/index.ts";

/** Sign-in with somebody else's identity provider: who people are there, and the way out and back. */
type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly db: Database;
  readonly keyring: Keyring;
  readonly keys: IssuerKeys;
  readonly outbound: Outbound;
  readonly metrics: Metrics;
};

type Persons = {
  readonly accounts: Accounts;
  readonly tickets: Tickets;
  readonly identities: Identities;
};

/** What a tenant says of its providers, its operator of domains, and who waits to be let in. */
export function federationRoutes(grounds: Grounds): Route[] {
  const { issuer } = grounds.config;
  const upstream = createUpstream(grounds);
  return [
    ...identityProviderRoutes({ ...grounds, issuer, upstream, removed: forgetProvider }),
    ...emailDomainRoutes(grounds),
    ...admissionRoutes(grounds),
  ];
}

export function federatedSignIn(
  grounds: Grounds,
  people: Persons,
  on: Pick<FederatedDeps, "conversation" | "afterFirst">,
): FederatedSignIn {
  const counter = grounds.metrics.counter("federated_sign_ins_total", "Sign-ins with identity providers.", [
    "outcome",
  ]);
  return createFederatedSignIn({
    ...people,
    ...on,
    upstream: createUpstream(grounds),
    db: grounds.db,
    issuer: grounds.config.issuer,
    visits: createVisits({ db: grounds.db, tickets: people.tickets }),
    counted: (outcome) => counter.inc({ outcome }),
  });
}

export const federationJobs = (jobs: Jobs, grounds: Pick<Grounds, "db" | "clock">): Jobs =>
  visitJobs(jobs, grounds);
