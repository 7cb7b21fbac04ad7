import {
  after,
  type Clock,
  dayMs,
  type Id,
  type Instant,
  monotonicMs,
  newId,
  secondMs,
  toRfc3339,
} from "@remit/kernel";
import { StartRefused } from "@remit/platform/host";
import { assertSafeRole, type Database } from "@remit/platform/sql";
import type { ComplianceControl, ComplianceReport } from "@remit/protocol/contracts";
import type { VerifyLog } from "../audit/index.ts";
import * as rows from "./compliance.sql.ts";
import { controlsOf, type Findings } from "./controls.ts";

export type ComplianceDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly issuer: string;
  /** The tables that must be under forced row-level security. */
  readonly tenantTables: readonly string[];
  readonly verify: VerifyLog;
};

const controlsKeptMs = 60 * secondMs;
const reportKeptMs = 300 * secondMs;
const tenantsKept = 1_000;
const staleDays = 365;

/** What was found a moment ago, for as long as it counts; whoever asks meanwhile gets the same. */
export function createKept<K, V>(deps: {
  readonly clock: Clock;
  readonly keptMs: number;
  find(key: K): Promise<V>;
}): (key: K) => Promise<V> {
  const kept = new Map<K, { readonly at: number; readonly value: Promise<V> }>();
  return (key) => {
    const now = monotonicMs(deps.clock);
    const known = kept.get(key);
    if (known !== undefined && now - known.at < deps.keptMs) return known.value;
    const value = deps.find(key);
    kept.delete(key);
    kept.set(key, { at: now, value });
    value.catch(() => kept.delete(key));
    const [oldest] = kept.keys();
    if (kept.size > tenantsKept && oldest !== undefined) kept.delete(oldest);
    return value;
  };
}

export type Compliance = {
  controls(): Promise<ComplianceControl[]>;
  report(tenant: Id<"tenant">): Promise<ComplianceReport>;
};

export function createCompliance(deps: ComplianceDeps): Compliance {
  const { clock } = deps;
  const controls = createKept<"all", ComplianceControl[]>({
    clock,
    keptMs: controlsKeptMs,
    find: async () => {
      const found = await find(deps);
      return controlsOf(found).map((control) => ({ ...control, checkedAt: toRfc3339(found.now) }));
    },
  });
  return {
    controls: () => controls("all"),
    report: createKept({
      clock,
      keptMs: reportKeptMs,
      find: (tenant: Id<"tenant">) => reportOn(deps, tenant),
    }),
  };
}

async function find({ db, clock, issuer, tenantTables }: ComplianceDeps): Promise<Findings> {
  const found = await db.global.transaction(async (tx) => ({
    unprotected: await rows.unprotectedTables(tx, tenantTables),
    keys: await rows.signingKeys(tx),
    audit: await rows.auditState(tx),
  }));
  const unsafeRole = await assertSafeRole(db).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof StartRefused) return error.message;
      throw error;
    },
  );
  return {
    now: clock.now(),
    issuer,
    tables: { all: tenantTables.length, unprotected: found.unprotected },
    unsafeRole,
    keys: {
      signing: Number(found.keys.signing),
      unwrapped: Number(found.keys.unwrapped),
      oldestCurrentSince: found.keys.since ?? undefined,
    },
    audit: {
      logs: Number(found.audit.logs),
      broken: Number(found.audit.broken),
      unsigned: Number(found.audit.unsigned),
      unverified: Number(found.audit.unverified),
      oldestVerifiedAt: found.audit.verified ?? undefined,
    },
  };
}

type Section = ComplianceReport["sections"][number];
type Requirement = Section["requirements"][number];

/** The AGNTCY sections about one tenant: each requirement judged by a count of what breaks it. */
async function reportOn(
  { db, clock, verify }: ComplianceDeps,
  tenant: Id<"tenant">,
): Promise<ComplianceReport> {
  const now = clock.now();
  const { counts, head } = await db.of(tenant).transaction(async (tx) => ({
    counts: await rows.agentCounts(tx, { now, staleBefore: after(now, -staleDays * dayMs) }),
    head: await rows.logHead(tx),
  }));
  const verdict = await verify(tenant, { from: after(now, -dayMs) });
  const sections = [
    sectionOf("agent-identity", identityOf(counts)),
    sectionOf("audit-trail", [
      requirement("AT-001", "What was recorded in the last day verifies", {
        met: verdict.verified,
        evidence: { entriesChecked: verdict.checkedCount, brokenAtSeq: verdict.brokenAt?.seq ?? null },
      }),
      requirement("AT-002", "The log is under a signed checkpoint, but for its newest entries", {
        met: head !== undefined && head.checkpoint_seq > 0n,
        evidence: { entries: Number(head?.seq ?? 0), signed: Number(head?.checkpoint_seq ?? 0) },
      }),
    ]),
  ];
  return {
    reportId: newId("request"),
    generatedAt: toRfc3339(now),
    agntcySpecVersion: "1.0.0",
    tenantId: tenant,
    overallStatus: statusOf(sections),
    sections,
  };
}

function identityOf(counts: rows.AgentCounts): Requirement[] {
  const { agents, active, unowned, incapable, unproven, ended, stale } = counts;
  const ofActive = (name: string, breaking: bigint): Found => ({
    met: breaking === 0n,
    evidence: { activeAgents: Number(active), [name]: Number(breaking) },
  });
  return [
    requirement(
      "AI-001",
      "Every active agent can prove who it is, by a key or a live credential",
      ofActive("withoutProof", unproven),
    ),
    requirement("AI-002", "Every active agent has an owner", ofActive("withoutOwner", unowned)),
    requirement(
      "AI-003",
      "Every active agent says what it can do",
      ofActive("withoutCapabilities", incapable),
    ),
    requirement("AI-004", "No agent that was retired has a live credential", {
      met: ended === 0n,
      evidence: { agents: Number(agents), retiredWithCredential: Number(ended) },
    }),
    requirement("AI-005", `No live credential is older than ${staleDays} days`, {
      met: stale === 0n,
      evidence: { older: Number(stale) },
    }),
  ];
}

type Found = { readonly met: boolean; readonly evidence: Requirement["evidence"] };

const requirement = (id: string, description: string, { met, evidence }: Found): Requirement => ({
  id,
  description,
  status: met ? "compliant" : "non-compliant",
  evidence,
});

const sectionOf = (name: string, requirements: Requirement[]): Section => ({
  name,
  status: statusOf(requirements),
  requirements,
});

const statusOf = (parts: readonly { readonly status: string }[]): "compliant" | "non-compliant" =>
  parts.every(({ status }) => status === "compliant") ? "compliant" : "non-compliant";

export type Access = Omit<rows.AccessRow, "place">;

/** Who and what has access to an organization: members, clients, agents, and their credentials with their last use. */
export async function accessOf(
  db: Database,
  tenant: Id<"tenant">,
  { now, after: from, limit }: { readonly now: Instant; readonly after: string; readonly limit: number },
): Promise<{ readonly found: readonly rows.AccessRow[]; readonly next: string | undefined }> {
  const read = await db
    .of(tenant)
    .transaction((tx) => rows.accessRows(tx, { now, after: from, limit: limit + 1 }));
  const found = read.slice(0, limit);
  return { found, next: read.length > limit ? found.at(-1)?.place : undefined };
}
