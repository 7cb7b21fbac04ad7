import path from "node:path";
import type { Clock } from "@remit/kernel";
import { createCursors } from "@remit/platform/cursors";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import { asOwner, type Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import {
  type AuditDeps,
  auditJobs,
  auditRoutes,
  createFileAnchor,
  createVerifications,
  removalJobs,
} from "./audit/index.ts";
import { complianceRoutes, createCompliance } from "./compliance/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { didOfAgent } from "./dids/index.ts";
import type { IssuerKeys } from "./keys/index.ts";
import type { Mandates } from "./mandates/index.ts";
import { takeReported } from "./planning.ts";
import { tables } from "./tables.ts";

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly keyring: Keyring;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Only where this service knows the owner of its database, as it does on one machine. Elsewhere the owner calls it. */
function removeExpired(config: AuthorizationServerConfig): (() => Promise<void>) | undefined {
  const { migrationDatabaseUrl: url, schema, roles } = config;
  if (url === undefined) return undefined;
  return () => asOwner({ url, schema, role: roles.owner }, "call expire_audit_bodies()");
}

/** The log of everything that happened here and of what peers report, and what an auditor asks for. */
export function mountAudit(
  { config, clock, db, keys, keyring, log, metrics }: Grounds,
  {
    http,
    jobs,
    mandates,
  }: { readonly http: Http; readonly jobs: Jobs; readonly mandates: Pick<Mandates, "suspendWithin"> },
): void {
  const { issuer } = config;
  const anchor = createFileAnchor(path.join(config.dataDir, "anchor"));
  const deps: AuditDeps = { db, keys, anchor, clock, log, issuer };
  const verify = createVerifications(deps);
  const remove = removeExpired(config);
  http.add(...auditRoutes({ ...deps, verify, removes: remove !== undefined }, takeReported(db, mandates)));
  const name = "agentidp_audit_chain_integrity";
  const integrity = metrics.gauge(
    name,
    "1 while every audit log was found whole when it was verified last, within two hours.",
  );
  removalJobs(jobs, deps, remove);
  auditJobs(jobs, deps, (whole) => integrity.set(whole ? 1 : 0));
  const tenantTables = Object.entries(tables).flatMap(([table, kind]) => (kind === "tenant" ? [table] : []));
  const compliance = createCompliance({ db, clock, issuer, tenantTables, verify });
  const cursors = createCursors(keyring.derive("list-cursors"));
  const didOf = (id: string): string => didOfAgent(issuer, id);
  http.add(...complianceRoutes({ db, compliance, cursors, issuer, didOf }));
}
