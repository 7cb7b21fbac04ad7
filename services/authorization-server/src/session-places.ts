import type { Clock } from "@remit/kernel";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { accountPages } from "./account/index.ts";
import { createSecrets } from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import type { IssuerKeys } from "./keys/index.ts";
import type { Mandates } from "./mandates/index.ts";
import { invitationPages, membershipPages } from "./memberships/index.ts";
import { type ClientSource, type Core, createAccountAccess } from "./oidc/index.ts";
import type { People } from "./people.ts";
import { logoutJobs, type Sessions, sessionJobs, sessionRoutes } from "./sessions/index.ts";
import { signInMethodPages } from "./sign-in-methods/index.ts";

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly outbound: Outbound;
  readonly keyring: Pick<Keyring, "derive">;
  readonly keys: IssuerKeys;
  readonly clientOf: ClientSource;
};

type Places = {
  readonly http: Http;
  readonly jobs: Jobs;
  readonly sessions: Sessions;
  readonly people: People;
  readonly mandates: Mandates;
  readonly core: Core;
};

/** Where people are signed in, what happens when they no longer are, and the pages on which they see it. */
export function mountSessions(grounds: Grounds, places: Places): void {
  const { config, clock, db, clientOf } = grounds;
  const { http, jobs, sessions, people, mandates, core } = places;
  const { issuer } = config;
  http.add(...sessionRoutes({ db, sessions }));
  sessionJobs(jobs, { db, clock });
  logoutJobs(jobs, { ...grounds, issuer });
  const { accounts, factors, post, forms, identities } = people;
  const access = createAccountAccess({ issuer, clock, accounts, sessions, provider: core.provider });
  http.add(...accountPages({ db, clientOf, mandates, access, sessions, forms, now: clock.now }));
  const secrets = createSecrets(grounds.keyring.derive("client-secrets"));
  http.add(...membershipPages({ db, access, forms }));
  http.add(...invitationPages({ db, access, forms, secrets, accounts }));
  http.add(...signInMethodPages({ db, access, accounts, factors, post, forms, identities }));
}
