import type { Id, Instant } from "@remit/kernel";
import { type Sql, type SqlValue, type Statement, sql, sqlTime } from "@remit/platform/sql";
import type { ChainRow } from "./audit.sql.ts";
import type { AuditFilter } from "./filter.ts";

/** With the entry that says of a place that its body was removed. */
export type FoundRow = ChainRow & { readonly removal: string | null };

/** Of a search in the order of the log: after which place, and how far it may look for its entries. */
export type Onward = { readonly after: number; readonly to: number; readonly limit: number };

const columns = `chain.seq, chain.event_id, chain.prev_hash, chain.entry_hash, chain.sig_chain_head_seq,
  chain.sig_chain_head_jti, chain.leaf, audit_rows.body, audit_rows.digest,
  (select removal from audit_removals m where m.tenant_id = chain.tenant_id and m.seq = chain.seq) as removal`;

export function searchOnward(
  tx: Sql,
  tenant: string,
  { filter, after, to, limit }: Onward & { readonly filter: AuditFilter },
): Promise<FoundRow[]> {
  const built = conditions(tenant, filter);
  const span = `chain.seq > ${built.value(after)} and chain.seq <= ${built.value(to)}`;
  const rest = `${span} order by chain.seq limit ${built.value(limit)}`;
  return tx.many(built.statement(`select ${columns} ${built.from} and ${rest}`));
}

export function searchBack(
  tx: Sql,
  tenant: string,
  { filter, offset, limit }: { filter: AuditFilter; offset: number; limit: number },
): Promise<FoundRow[]> {
  const built = conditions(tenant, filter);
  const rest = `order by chain.seq desc limit ${built.value(limit)} offset ${built.value(offset)}`;
  return tx.many(built.statement(`select ${columns} ${built.from} ${rest}`));
}

/** How many entries there are, counted up to `most`. */
export async function countFound(
  tx: Sql,
  tenant: string,
  { filter, most }: { filter: AuditFilter; most: number },
): Promise<number> {
  const built = conditions(tenant, filter);
  const found = `select 1 ${built.from} limit ${built.value(most)}`;
  const { count } = await tx.one<{ count: bigint }>(
    built.statement(`select count(*) as count from (${found}) found`),
  );
  return Number(count);
}

export const findEntry = (tx: Sql, tenant: string, event: string): Promise<FoundRow | undefined> =>
  tx.maybe(sql`
    select chain.seq, chain.event_id, chain.prev_hash, chain.entry_hash, chain.sig_chain_head_seq,
      chain.sig_chain_head_jti, chain.leaf, audit_rows.body, audit_rows.digest,
      (select removal from audit_removals m where m.tenant_id = ${tenant} and m.seq = chain.seq) as removal
    from audit_chain chain join audit_rows using (tenant_id, event_id)
    where chain.tenant_id = ${tenant} and chain.event_id = ${event}`);

/** The newest entry about a subject of one type of event that has its place. */
export const findAbout = (
  tx: Sql,
  tenant: string,
  { type, subject }: { readonly type: string; readonly subject: string },
): Promise<FoundRow | undefined> =>
  tx.maybe(sql`
    select chain.seq, chain.event_id, chain.prev_hash, chain.entry_hash, chain.sig_chain_head_seq,
      chain.sig_chain_head_jti, chain.leaf, r.body, r.digest,
      (select removal from audit_removals m where m.tenant_id = ${tenant} and m.seq = chain.seq) as removal
    from audit_rows r join audit_chain chain using (tenant_id, event_id)
    where r.tenant_id = ${tenant} and r.subject = ${subject} and r.event = ${type}
    order by r.event_id desc limit 1`);

export async function isWaiting(tx: Sql, tenant: string, event: string): Promise<boolean> {
  const { there } = await tx.one<{ there: boolean }>(sql`
    select exists (select from audit_queue where tenant_id = ${tenant} and event_id = ${event}) as there`);
  return there;
}

type Built = {
  readonly from: string;
  value(value: SqlValue): string;
  statement(text: string): Statement;
};

/** Put together from the filter's members alone and without a name, so that each search is planned for its own values. */
function conditions(tenant: string, filter: AuditFilter): Built {
  const values: SqlValue[] = [];
  const value = (one: SqlValue): string => `$${values.push(one)}`;
  const where = [`chain.tenant_id = ${value(tenant)}`];
  const { types, subject, agent, from, before } = filter;
  if (types !== undefined) where.push(`audit_rows.event = any(${value([...types])}::text[])`);
  if (subject !== undefined) where.push(`audit_rows.subject = ${value(subject)}`);
  // An id in quotation marks stands nowhere in canonical JSON but as a whole value.
  if (agent !== undefined) where.push(`strpos(audit_rows.body, ${value(`"${agent}"`)}) > 0`);
  if (from !== undefined) where.push(`audit_rows.at >= ${value(sqlTime(from))}`);
  if (before !== undefined) where.push(`audit_rows.at < ${value(sqlTime(before))}`);
  return {
    from: `from audit_chain chain join audit_rows using (tenant_id, event_id) where ${where.join(" and ")}`,
    value,
    statement: (text) => ({ text, values, name: "" }),
  };
}

/** What of an entry names it. */
export type EntryHead = {
  readonly id: Id<"event">;
  readonly event: string;
  readonly subject: string;
  readonly at: Instant;
};

/** Those of these ids that stand in the tenant's log, and the registrations of these agents. */
export const findNamed = (
  tx: Sql,
  tenant: string,
  { ids, registered }: { readonly ids: readonly string[]; readonly registered: readonly string[] },
): Promise<EntryHead[]> =>
  tx.many(sql`
    select event_id as id, event, subject, at from audit_rows
      where tenant_id = ${tenant} and event_id = any(${ids})
    union
    select event_id, event, subject, at from audit_rows
      where tenant_id = ${tenant} and subject = any(${registered}) and event = 'agent.registered'
    order by id`);
