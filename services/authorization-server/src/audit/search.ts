import type { Id } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type AuditEntry, type AuditGap, base64url, Problem } from "@remit/protocol";
import * as rows from "./audit.sql.ts";
import { type AuditDeps, isGap, type LogName, sequence, shownOf } from "./audit.ts";
import type { AuditFilter } from "./filter.ts";
import * as found from "./search.sql.ts";

/** How many places one request looks through; whoever seeks what is rare comes again with the cursor. */
const lookMax = 25_000;
export const countMax = 10_000;

export type Onward = { readonly after: number; readonly limit: number };
export type Shown = { readonly entries: AuditEntry[]; readonly gaps: AuditGap[] };
export type Found = Shown & { readonly next: number | undefined };

/** From a place on, oldest first. A page may be short, or empty, and still have a next one. */
export const searchOnward = (
  { db }: Pick<AuditDeps, "db">,
  tenant: LogName,
  { filter, after, limit }: Onward & { readonly filter: AuditFilter },
): Promise<Found> =>
  db.of(tenant).transaction(async (tx) => {
    const head = await rows.headSeq(tx, tenant);
    // Entries of one object are found by an index, however far apart they stand.
    const to = filter.subject === undefined ? Math.min(head, after + lookMax) : head;
    const places = (await found.searchOnward(tx, tenant, { filter, after, to, limit })).map(shownOf);
    const last = places.length === limit ? places.at(-1)?.seq : undefined;
    return { ...apart(places), next: last ?? (to < head ? to : undefined) };
  });

/** The `page`th of pages, newest first, and how many entries there are, counted up to 10,000. */
export const searchPage = (
  { db }: Pick<AuditDeps, "db">,
  tenant: LogName,
  { filter, page, limit }: { filter: AuditFilter; page: number; limit: number },
): Promise<Shown & { total: number }> =>
  db.of(tenant).transaction(async (tx) => {
    const offset = (page - 1) * limit;
    const places = (await found.searchBack(tx, tenant, { filter, offset, limit })).map(shownOf);
    return { ...apart(places), total: await found.countFound(tx, tenant, { filter, most: countMax }) };
  });

const apart = (places: readonly (AuditEntry | AuditGap)[]): Shown => ({
  entries: places.filter((place): place is AuditEntry => !isGap(place)),
  gaps: places.filter(isGap),
});

export type OneEntry = {
  readonly entry: AuditEntry;
  readonly leaf: string;
  readonly checkpoint: string | undefined;
};

/** One entry with the first signature over it; what waits for its place gets it now. */
export async function entryById(
  deps: AuditDeps,
  tenant: LogName,
  id: Id<"event">,
): Promise<OneEntry | undefined> {
  const work = deps.db.of(tenant);
  if (await work.transaction((tx) => found.isWaiting(tx, tenant, id))) await sequence(deps, tenant);
  return work.transaction(async (tx) => {
    const row = await found.findEntry(tx, tenant, id);
    if (row === undefined) return undefined;
    const [signed] = await rows.readCheckpoints(tx, tenant, { after: Number(row.seq) - 1, limit: 1 });
    const entry = shownOf(row);
    if (isGap(entry) && entry.missing === "removed")
      throw new Problem("audit_event_removed", { detail: `${entry.removed_by} says so.` });
    if (isGap(entry)) throw new Problem("audit_log_broken", { detail: `Entry ${entry.seq} cannot be read.` });
    return { entry, leaf: base64url.encode(row.leaf), checkpoint: signed?.jws };
  });
}

export type AuditHead = found.EntryHead;

/** The entries of these events, and of the registrations of these agents, as far as they stand in the tenant's log. */
export const entriesNamed = (
  tx: TenantTx,
  named: { readonly ids: readonly string[]; readonly registered: readonly string[] },
): Promise<AuditHead[]> => found.findNamed(tx, tx.tenant, named);
