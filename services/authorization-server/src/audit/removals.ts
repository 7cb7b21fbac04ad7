import { dayMs, type Instant, instantOf, newId, toRfc3339 } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import {
  type AuditRemoval,
  examineRemoval,
  newEvent,
  Problem,
  type Retention,
  removalTyp,
  runsOf,
} from "@remit/protocol";
import { settle } from "@remit/protocol/node";
import type { CheckedRow } from "./audit.sql.ts";
import { type AuditDeps, type LogName, readBody, sequence, wrongIn } from "./audit.ts";
import { signCheckpoint } from "./checkpoint.ts";
import * as rows from "./removals.sql.ts";

const yearsOf: Readonly<Record<Retention, number>> = { "soc2-7y": 7, "eidas-10y": 10 };
const placesMax = 500;
const saidMax = 10_000;

/** Where what the operator asks for waits. */
export const removalsQueue = "audit.removals";

export type Said = { readonly said: number; readonly more: boolean };

/**
 * Says of every log which of its bodies have expired: a signed entry in the log itself. Nothing is removed here, the
 * application has no right to; the owner's `expire_audit_bodies()` removes what is said under a signed checkpoint. A body
 * that is not what was recorded never expires: it is evidence.
 */
export async function sayExpired(deps: AuditDeps, by: string): Promise<Said> {
  let said = 0;
  for (let after = ""; ; ) {
    const page = await deps.db.relay.transaction((tx) => rows.logsWithEntries(tx, after));
    for (const { tenant_id } of page) {
      // Heads are of tenants and of the platform alone.
      said += await sayOfLog(deps, tenant_id as LogName, { by, most: saidMax - said });
      if (said >= saidMax) return { said, more: true };
    }
    const last = page.at(-1);
    if (last === undefined) return { said, more: false };
    after = last.tenant_id;
  }
}

async function sayOfLog(
  deps: AuditDeps,
  tenant: LogName,
  { by, most }: { readonly by: string; readonly most: number },
): Promise<number> {
  let [said, after] = [0, 0];
  while (said < most) {
    const batch = await deps.db.of(tenant).transaction((tx) => sayBatch(deps, tx, { by, after }));
    said += batch.said;
    if (batch.next === undefined) break;
    after = batch.next;
  }
  if (said === 0) return 0;
  // What is said has its place, under a signature, before anything is removed. Should we die here, the jobs do it.
  await sequence(deps, tenant);
  await signCheckpoint(deps, tenant);
  return said;
}

async function sayBatch(
  deps: AuditDeps,
  tx: TenantTx<LogName>,
  { by, after }: { readonly by: string; readonly after: number },
): Promise<{ readonly said: number; readonly next: number | undefined }> {
  const now = deps.clock.now();
  const before = yearsBefore(now, yearsOf["soc2-7y"]);
  const found = await rows.oldPlaces(tx, tx.tenant, { before, after, limit: placesMax });
  const next = found.length === placesMax ? Number(found.at(-1)?.seq) : undefined;
  const removal = newId("event");
  const places = found.filter((row) => hasExpired(row, now)).map(({ seq }) => Number(seq));
  const taken = (await rows.insertRemovals(tx, tx.tenant, { places, removal })).map(({ seq }) => Number(seq));
  if (taken.length === 0) return { said: 0, next };
  taken.sort((a, b) => a - b);
  const statement = await sign(deps, { tenant: tx.tenant, removal, places: taken });
  const payload = { count: taken.length, first_seq: taken[0] ?? 0, last_seq: taken.at(-1) ?? 0, statement };
  const actor = { type: "client", id: by } as const;
  const facts = { tenant: tx.tenant, actor, subject: tx.tenant, payload };
  await tx.record({ ...newEvent("audit.expired", facts, now), id: removal });
  return { said: taken.length, next };
}

function hasExpired(row: CheckedRow, now: Instant): boolean {
  const body = row.body === null ? undefined : readBody(row.body);
  if (body === undefined || row.at === null || wrongIn(row) !== undefined) return false;
  // The digest has shown that we wrote it; a later version's class is not ours to judge.
  const years: number | undefined = yearsOf[body.retention_class];
  return years !== undefined && row.at < yearsBefore(now, years);
}

// Of the longest years, so that nothing goes a day too early; the database counts once more.
const yearMs = 366 * dayMs;
const yearsBefore = (now: Instant, years: number): Instant => instantOf(now - years * yearMs);

type ToSign = { readonly tenant: LogName; readonly removal: string; readonly places: readonly number[] };

function sign({ keys, issuer, clock }: AuditDeps, { tenant, removal, places }: ToSign): Promise<string> {
  const runs = runsOf(places).map(([first, last]) => [first, last]);
  const { kid } = keys.currentKey("audit");
  const said = { v: 1, iss: issuer, jti: removal, tenant_id: tenant, places: runs };
  const payload = { ...said, signed_at: toRfc3339(clock.now()), signer_kid: kid };
  return keys.sign("audit", { typ: removalTyp }, payload);
}

/**
 * Those of these places, in ascending order, that a statement which we signed removes from this log. Each statement is
 * verified once, however many places it names: the work is linear in places and in what is said of them.
 */
export function removedAmong(
  { keys }: Pick<AuditDeps, "keys">,
  tenant: LogName,
  { places, by }: { readonly places: readonly number[]; readonly by: readonly rows.Removal[] },
): ReadonlySet<number> {
  const runs = by
    .flatMap(({ event_id, body }) => {
      const statement = body === null ? undefined : readBody(body)?.payload["statement"];
      const said = typeof statement === "string" ? statementOf(statement, keys) : undefined;
      return said?.jti === event_id && said.tenant_id === tenant ? said.places : [];
    })
    .toSorted(([a], [b]) => a - b);
  const removed = new Set<number>();
  let [at, reach] = [0, 0];
  for (const place of places) {
    for (let run = runs[at]; run !== undefined && run[0] <= place; run = runs[++at])
      reach = Math.max(reach, run[1]);
    if (place <= reach) removed.add(place);
  }
  return removed;
}

function statementOf(statement: string, keys: AuditDeps["keys"]): AuditRemoval | undefined {
  try {
    return settle(
      examineRemoval(
        statement,
        keys.publicKeys("audit").map(({ jwk }) => jwk),
      ),
    );
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
