import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { AccessTokenClaims, JsonObject } from "@remit/protocol";
import type { Delegation } from "./delegations.ts";

type Row = {
  readonly id: Id<"delegation">;
  readonly tenant_id: Id<"tenant">;
  readonly chain_id: Id<"delegation">;
  readonly parent_id: Id<"delegation"> | null;
  readonly depth: number;
  readonly delegator: Id<"agent">;
  readonly delegatee: Id<"agent">;
  readonly subject: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  readonly created_at: Instant;
  readonly expires_at: Instant;
  readonly revoked_at: Instant | null;
  readonly offer: (Omit<AccessTokenClaims, "scope"> & { readonly scope: string }) | null;
};

const delegationOf = (row: Row): Delegation => ({
  id: row.id,
  tenant: row.tenant_id,
  chain: row.chain_id,
  parent: row.parent_id ?? undefined,
  depth: row.depth,
  delegator: row.delegator,
  delegatee: row.delegatee,
  subject: row.subject,
  audience: row.audience,
  scopes: row.scopes,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at ?? undefined,
  offer: row.offer === null ? undefined : { ...row.offer, scope: row.offer.scope.split(" ") },
});

/** What offers a link that was handed over by a call: the digest of its token, and the claims that it stands for. */
export type HandedOffer = { readonly digest: string; readonly offer: JsonObject };

export async function insertDelegation(
  tx: TenantTx,
  link: Omit<Delegation, "offer"> & { readonly offerJti: string; readonly handed: HandedOffer | undefined },
): Promise<void> {
  const { handed } = link;
  await tx.run(sql`insert into delegations (tenant_id, id, chain_id, parent_id, depth, delegator, delegatee, offer_jti,
      subject, audience, scopes, created_at, expires_at, token_digest, offer)
    values (${tx.tenant}, ${link.id}, ${link.chain}, ${link.parent ?? null}, ${link.depth}, ${link.delegator},
      ${link.delegatee}, ${link.offerJti}, ${link.subject}, ${link.audience}, ${[...link.scopes]},
      ${sqlTime(link.createdAt)}, ${sqlTime(link.expiresAt)}, ${handed?.digest ?? null},
      ${handed === undefined ? null : JSON.stringify(handed.offer)}::jsonb)`);
}

/** The link that a handed token offers. */
export async function findHanded(tx: TenantTx, digest: string): Promise<Delegation | undefined> {
  const row = await tx.maybe<Row>(sql`select * from delegations where token_digest = ${digest}`);
  return row && delegationOf(row);
}

export async function findDelegation(tx: TenantTx, id: Id<"delegation">): Promise<Delegation | undefined> {
  const row = await tx.maybe<Row>(sql`select * from delegations where id = ${id}`);
  return row && delegationOf(row);
}

/** The link that the token with this `jti` offers. */
export async function findOffered(tx: TenantTx, jti: string): Promise<Delegation | undefined> {
  const row = await tx.maybe<Row>(sql`select * from delegations where offer_jti = ${jti}`);
  return row && delegationOf(row);
}

/** Whoever adds to a chain or ends a part of it holds its first row, so that no link slips in below a revoked one. */
export async function lockChain(tx: TenantTx, chain: Id<"delegation">): Promise<void> {
  await tx.run(sql`select 1 from delegations where id = ${chain} for no key update`);
}

export async function countStanding(tx: TenantTx, chain: Id<"delegation">, now: Instant): Promise<number> {
  const row = await tx.one<{ count: number }>(sql`select count(*)::int as count from delegations
    where tenant_id = ${tx.tenant} and chain_id = ${chain} and revoked_at is null and expires_at > ${sqlTime(now)}`);
  return row.count;
}

/**
 * Marks the link, and what stands below it, as revoked; returns those that were not, by id. The chain is locked. What has
 * ended is left alone with all below it: nothing outlasts what it was handed on from.
 */
export async function revokeBelow(
  tx: TenantTx,
  { id, now }: { id: Id<"delegation">; now: Instant },
): Promise<Delegation[]> {
  const revoked = await tx.many<Row>(sql`with recursive below as (
      select tenant_id, id from delegations where id = ${id}
      union
      select d.tenant_id, d.id from delegations d join below b on d.tenant_id = b.tenant_id and d.parent_id = b.id
      where d.revoked_at is null and d.expires_at > ${sqlTime(now)})
    update delegations d set revoked_at = ${sqlTime(now)} from below b
    where d.tenant_id = b.tenant_id and d.id = b.id and d.revoked_at is null returning d.*`);
  return revoked.map(delegationOf).toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** The links that stand, the newest first: ids are in the order in which they were minted. */
export async function standingLinks(
  tx: TenantTx,
  {
    before,
    limit,
    now,
  }: { readonly before: string | undefined; readonly limit: number; readonly now: Instant },
): Promise<Delegation[]> {
  const found = await tx.many<Row>(sql`select * from delegations
    where tenant_id = ${tx.tenant} and revoked_at is null and expires_at > ${sqlTime(now)}
      and (${before ?? null}::text is null or id < ${before ?? null}) order by id desc limit ${limit}`);
  return found.map(delegationOf);
}

/** From the first link of the chain down to this one. */
export async function findPath(tx: TenantTx, id: Id<"delegation">): Promise<Delegation[]> {
  const path = await tx.many<Row>(sql`with recursive up as (
      select * from delegations where id = ${id}
      union
      select d.* from delegations d join up u on d.tenant_id = u.tenant_id and d.id = u.parent_id)
    select * from up order by depth`);
  return path.map(delegationOf);
}

/**
 * Removes links that ended days ago, from the last ones up, at most so many; returns how many. The relay sees no others.
 */
export async function sweepEnded(tx: RelayTx, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from delegations where (tenant_id, id) in (
    select d.tenant_id, d.id from delegations d where not exists (
      select 1 from delegations c where c.tenant_id = d.tenant_id and c.parent_id = d.id) limit ${limit})`);
  return count;
}
