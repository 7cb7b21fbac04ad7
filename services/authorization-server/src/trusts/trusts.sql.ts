import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { TrustKind, TrustRules } from "./rules.ts";
import type { Trust, TrustStatus } from "./trusts.ts";

type Row = {
  readonly id: Id<"trust">;
  readonly tenant_id: Id<"tenant">;
  /** Null where the trust is a client of its own. */
  readonly client_id: string | null;
  readonly name: string;
  readonly status: TrustStatus;
  readonly scopes: readonly string[];
  readonly bearer: boolean;
  readonly rules: TrustRules;
  readonly created_at: Instant;
  readonly expires_at: Instant | null;
  readonly parent_id: Id<"trust"> | null;
};

const trustOf = (row: Row): Trust => ({
  id: row.id,
  tenant: row.tenant_id,
  client: row.client_id ?? row.id,
  name: row.name,
  status: row.status,
  scopes: row.scopes,
  bearer: row.bearer,
  rules: row.rules,
  createdAt: row.created_at,
  expiresAt: row.expires_at ?? undefined,
  parent: row.parent_id ?? undefined,
});

const clientOf = ({ id, client }: Trust): string | null => (client === id ? null : client);

/** Writes the trust unless its client has `max` already; false then. Those of one client wait for each other. */
export async function insertTrust(tx: TenantTx, trust: Trust, max: number): Promise<boolean> {
  const client = clientOf(trust);
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`trusts ${client ?? tx.tenant}`}, 0))`);
  const { count } =
    await tx.run(sql`insert into trusts (tenant_id, id, client_id, kind, name, status, scopes, bearer,
      rules, created_at, changed_at, expires_at, parent_id)
    select ${tx.tenant}, ${trust.id}, ${client}::text, ${trust.rules.kind}, ${trust.name}, ${trust.status},
      ${[...trust.scopes]}::text[], ${trust.bearer}, ${JSON.stringify(trust.rules)}::jsonb,
      ${sqlTime(trust.createdAt)}::timestamptz, ${sqlTime(trust.createdAt)}::timestamptz,
      ${trust.expiresAt === undefined ? null : sqlTime(trust.expiresAt)}::timestamptz, ${trust.parent ?? null}::text
    where (select count(*) from trusts where client_id is not distinct from ${client}) < ${max}`);
  return count === 1;
}

export async function findTrust(
  tx: TenantTx,
  id: Id<"trust">,
  lock: "none" | "share" | "update" = "none",
): Promise<Trust | undefined> {
  const row = await tx.maybe<Row>(
    lock === "none"
      ? sql`select * from trusts where id = ${id}`
      : lock === "share"
        ? sql`select * from trusts where id = ${id} for share`
        : sql`select * from trusts where id = ${id} for no key update`,
  );
  return row && trustOf(row);
}

/** Those by which the agents act that this one let a workflow register. */
export async function trustsUnder(tx: TenantTx, parent: Id<"trust">): Promise<Trust[]> {
  return (await tx.many<Row>(sql`select * from trusts where parent_id = ${parent} order by id`)).map(trustOf);
}

/** The active ones of a client; there are never many. What a suspended one let register stands as long as that stands. */
export async function listActive(tx: TenantTx, client: string, now: Instant): Promise<Trust[]> {
  const found = await tx.many<Row>(sql`select * from trusts
    where client_id = ${client} and status = 'active' and (expires_at is null or expires_at > ${sqlTime(now)})
      and (parent_id is null or exists (select from trusts p where p.id = trusts.parent_id and p.status = 'active'
        and (p.expires_at is null or p.expires_at > ${sqlTime(now)})))
    order by id`);
  return found.map(trustOf);
}

/** The active ones that are clients of their own; a tenant never has many. */
export async function listRegistering(tx: TenantTx, now: Instant): Promise<Trust[]> {
  const found = await tx.many<Row>(sql`select * from trusts
    where client_id is null and status = 'active' and (expires_at is null or expires_at > ${sqlTime(now)})
    order by id`);
  return found.map(trustOf);
}

export async function listTrusts(
  tx: TenantTx,
  page: { limit: number; before?: Id<"trust"> | undefined; kind?: TrustKind | undefined },
): Promise<Trust[]> {
  const found = await tx.many<Row>(sql`select * from trusts
    where (${page.before ?? null}::text is null or id < ${page.before ?? null})
      and (${page.kind ?? null}::text is null or kind = ${page.kind ?? null})
    order by id desc limit ${page.limit}`);
  return found.map(trustOf);
}

export async function saveTrust(tx: TenantTx, trust: Trust, now: Instant): Promise<void> {
  await tx.run(sql`update trusts set name = ${trust.name}, status = ${trust.status}, changed_at = ${sqlTime(now)},
      expires_at = ${trust.expiresAt === undefined ? null : sqlTime(trust.expiresAt)}
    where id = ${trust.id}`);
}

export async function deleteTrust(tx: TenantTx, id: Id<"trust">): Promise<Trust | undefined> {
  const row = await tx.maybe<Row>(sql`delete from trusts where id = ${id} returning *`);
  return row && trustOf(row);
}
