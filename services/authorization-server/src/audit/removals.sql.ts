import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { CheckedRow } from "./audit.sql.ts";

/** Places of old entries under a signed root, whose removal nobody has said: of the first that any class lets go. */
export const oldPlaces = (
  tx: Sql,
  tenant: string,
  sought: { readonly before: Instant; readonly after: number; readonly limit: number },
): Promise<CheckedRow[]> =>
  tx.many(sql`
    select chain.seq, chain.event_id, chain.prev_hash, chain.entry_hash, chain.sig_chain_head_seq,
      chain.sig_chain_head_jti, chain.leaf, r.body, r.digest, r.at, r.event, r.subject
    from audit_chain chain join audit_rows r using (tenant_id, event_id)
    where chain.tenant_id = ${tenant} and chain.seq > ${sought.after} and r.at < ${sqlTime(sought.before)}
      and r.body is not null and r.event <> 'audit.expired'
      and chain.seq <= (select max(head_seq) from audit_checkpoints
        where tenant_id = ${tenant} and note is not null)
      and not exists (select from audit_removals m where m.tenant_id = ${tenant} and m.seq = chain.seq)
    order by chain.seq limit ${sought.limit}`);

/** Which of these places are said to be removed, by one entry; a place that another has said is left to it. */
export const insertRemovals = (
  tx: Sql,
  tenant: string,
  said: { readonly places: readonly number[]; readonly removal: string },
): Promise<{ seq: bigint }[]> =>
  tx.many(sql`
    insert into audit_removals (tenant_id, seq, removal)
    select ${tenant}, place, ${said.removal} from unnest(${said.places.map(String)}::bigint[]) as place
    on conflict do nothing returning seq`);

export type Removal = { readonly event_id: string; readonly body: string | null };

/** The entries that say of places in a stretch of the log that they were removed. */
export const removalsWithin = (
  tx: Sql,
  tenant: string,
  { first, last }: { readonly first: number; readonly last: number },
): Promise<Removal[]> =>
  tx.many(sql`
    select r.event_id, r.body from audit_rows r where r.tenant_id = ${tenant} and r.event_id in (
      select removal from audit_removals
      where tenant_id = ${tenant} and seq between ${first} and ${last})`);

export const logsWithEntries = (tx: Sql, after: string): Promise<{ tenant_id: string }[]> =>
  tx.many(sql`select tenant_id from audit_heads where tenant_id > ${after} order by tenant_id limit 500`);
