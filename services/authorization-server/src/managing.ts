import type { Clock } from "@remit/kernel";
import { createCursors } from "@remit/platform/cursors";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import { secretsOf } from "@remit/platform/key-places";
import type { Keyring } from "@remit/platform/keys";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Metrics } from "@remit/platform/telemetry";
import { createAgentReads } from "./agents/index.ts";
import { apiKeyRoutes } from "./api-keys/index.ts";
import { createSecrets, nameOfAgent, setupTokenRoutes } from "./clients/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { credentialJobs, credentialRoutes, type LastUses } from "./credentials/index.ts";
import { didOfAgent } from "./dids/index.ts";
import { agentInfoRoute, createRegistrations, fleetJobs, fleetRoutes } from "./fleet/index.ts";
import { createGuesses } from "./guesses/index.ts";
import type { Mandates } from "./mandates/index.ts";
import { membershipRoute } from "./memberships/index.ts";
import { createExports, memberRoutes, organizationJobs, organizationRoutes } from "./organizations/index.ts";
import type { People } from "./people.ts";
import { tenantTables } from "./tables.ts";
import { tenantRoutes } from "./tenants/index.ts";
import { trustRegistered } from "./trusts/index.ts";
import { setupRoutes } from "./wallet/index.ts";

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly db: Database;
  readonly keyring: Keyring;
  readonly metrics: Metrics;
  readonly uses: LastUses;
  /** To what the operator named: Vault. */
  readonly outbound: Outbound;
};

type Mounting = {
  readonly http: Http;
  readonly jobs: Jobs;
  readonly mandates: Mandates;
  readonly people: Pick<People, "accounts" | "post">;
};

/** What the operators of agents and organizations do. */
export function mountManaging(grounds: Grounds, { http, jobs, mandates, people }: Mounting): void {
  const { config, clock, db, keyring, metrics, uses } = grounds;
  const cursors = createCursors(keyring.derive("list-cursors"));
  const registered = metrics.counter(
    "agentidp_agents_registered_total",
    "Agents registered by their operators.",
  );
  const didOf = (id: string): string => didOfAgent(config.issuer, id);
  const registrations = createRegistrations({
    db,
    registered: () => registered.inc(),
    registeredBy: trustRegistered,
  });
  http.add(...fleetRoutes({ reads: createAgentReads(db), db, clock, cursors, didOf, registrations }));
  http.add(agentInfoRoute(db));
  fleetJobs(jobs, { db, clock, mandates });
  const expiring = metrics.counter(
    "agentidp_credentials_expiring_soon_total",
    "Reminders of credentials that end within seven days.",
  );
  const secrets = createSecrets(keyring.derive("client-secrets"));
  const vault = secretsOf({ ...grounds, service: "authorization-server" });
  http.add(...credentialRoutes({ db, secrets, cursors, vault }), ...apiKeyRoutes({ db, secrets, cursors }));
  http.add(
    ...organizationRoutes({ db, secrets, cursors, exported: createExports({ db, tables: tenantTables }) }),
    ...memberRoutes({
      db,
      keyring,
      secrets,
      guesses: createGuesses(grounds),
      issuer: config.issuer,
      ...people,
    }),
    membershipRoute({ db, accounts: people.accounts }),
  );
  organizationJobs(jobs, { db, keyring, clock });
  http.add(...setupTokenRoutes({ db, secrets }), ...tenantRoutes({ db }));
  http.add(...setupRoutes({ db, secrets, nameOf: (agent) => nameOfAgent(db, agent) }));
  credentialJobs(jobs, { db, clock, uses, reminded: () => expiring.inc() });
}
