import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

/** Which versions of the rows about a client are current; undefined when there is none. */
export async function stampOf(tx: TenantTx, id: string): Promise<string | undefined> {
  const row = await tx.one<{ stamp: string | null }>(sql`select client_stamp(${id}) as stamp`);
  return row.stamp ?? undefined;
}

export type Stamped = { readonly tenant: Id<"tenant">; readonly id: string; readonly stamp: string };

/** What is asked of the database in one statement; `audit` and `events` are rows in JSON. */
export type Confirmable = {
  readonly clients: readonly Stamped[];
  /** Digests in hex. */
  readonly uses: readonly string[];
  readonly keepUntil: Instant;
  readonly audit: string;
  readonly events: string;
};

export const confirm = (
  db: Sql,
  { clients, uses, keepUntil, audit, events }: Confirmable,
): Promise<{ readonly changed: readonly string[]; readonly claimed: readonly string[] }> =>
  db.one(sql`select changed, claimed from confirm_requests(
    ${clients.map(({ tenant }) => tenant)}::text[], ${clients.map(({ id }) => id)}::text[],
    ${clients.map(({ stamp }) => stamp)}::text[], ${uses}::text[], ${sqlTime(keepUntil)}::timestamptz,
    ${audit}::jsonb, ${events}::jsonb)`);
