import { hourMs, after as later, minuteMs, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import * as rows from "./audit.sql.ts";
import { type AuditDeps, type LogName, sequence } from "./audit.ts";
import { saveVerdict, signCheckpoint } from "./checkpoint.ts";
import { verifyLog } from "./verify.ts";

const sequenceEveryMs = secondMs / 2;
const signEveryMs = 5 * secondMs;
const staleAfterMs = 2 * hourMs;

/** Rows wait less than a second for their place, and a place less than ten seconds for a signature over it. */
export function auditJobs(jobs: Jobs, deps: AuditDeps, integrity: (whole: boolean) => void): void {
  jobs.every("audit.sequence", sequenceEveryMs, async () => each(deps, await waiting(deps), sequence));
  jobs.every("audit.sign", signEveryMs, async () => each(deps, await unsigned(deps), signCheckpoint));
  jobs.every("audit.verify", hourMs, () => verifyAll(deps));
  jobs.everywhere("audit.integrity", minuteMs, async () => integrity(await allWhole(deps)));
}

/** A verification that cannot be done leaves the last one's word standing: after two hours that is no longer taken. */
export const allWhole = async ({ db, clock }: AuditDeps): Promise<boolean> =>
  (await rows.doubtfulLogs(db.single, later(clock.now(), -staleAfterMs))) === 0;

/** Every log, whole, once an hour: what it finds stands until the next turn finds otherwise. */
export async function verifyAll(deps: AuditDeps): Promise<void> {
  for (let after = ""; ; ) {
    const page = await deps.db.relay.transaction(async (tx) => names(await rows.logsToVerify(tx, after)));
    await each(deps, page, verifyAndKeep);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

const verifyAndKeep = async (deps: AuditDeps, tenant: LogName): Promise<void> =>
  saveVerdict(deps, tenant, await verifyLog(deps, tenant));

/** One log that fails keeps no other waiting; it is tried again at the next turn. */
async function each(
  deps: AuditDeps,
  tenants: readonly LogName[],
  work: (deps: AuditDeps, tenant: LogName) => Promise<unknown>,
): Promise<void> {
  for (const tenant of tenants)
    await work(deps, tenant).catch((error: unknown) =>
      deps.log.error({ tenant, error }, "an audit log could not go on"),
    );
}

const waiting = (deps: AuditDeps): Promise<LogName[]> =>
  deps.db.relay.transaction(async (tx) => names(await rows.waitingTenants(tx)));
const unsigned = (deps: AuditDeps): Promise<LogName[]> =>
  deps.db.relay.transaction(async (tx) => names(await rows.tenantsToSign(tx)));

// Both tables are filled from the tenant of an event alone.
const names = (found: readonly { readonly tenant_id: string }[]): LogName[] =>
  found.map(({ tenant_id }) => tenant_id as LogName);
