import type { Instant } from "@remit/kernel";
import { type RelayTx, sql, sqlTime, type TenantTx } from "../sql/index.ts";

const batchMax = 5_000;

/** One use of a key. `claim` is of the process that works on it: only that one may store an answer or let go. */
export type Row = {
  readonly body_digest: string;
  readonly claim: string;
  readonly leased_until: Instant;
  readonly answer: string | null;
  readonly keep_until: Instant | null;
};
export type Key = { readonly client: string; readonly route: string; readonly key: string };
export type Claim = Key & {
  readonly bodyDigest: string;
  readonly claim: string;
  readonly leasedUntil: Instant;
};

/** True when the key was free. */
export async function insertClaim(tx: TenantTx, claim: Claim): Promise<boolean> {
  const { count } = await tx.run(sql`
    insert into idempotency_keys (tenant_id, client, route, key, body_digest, claim, leased_until)
    values (${tx.tenant}, ${claim.client}, ${claim.route}, ${claim.key}, ${claim.bodyDigest}, ${claim.claim},
      ${sqlTime(claim.leasedUntil)})
    on conflict do nothing`);
  return count === 1;
}

export const lockKey = (tx: TenantTx, { client, route, key }: Key): Promise<Row | undefined> =>
  tx.maybe<Row>(sql`
    select body_digest, claim, leased_until, answer, keep_until from idempotency_keys
    where tenant_id = ${tx.tenant} and client = ${client} and route = ${route} and key = ${key} for update`);

/** Takes a key over whose answer is out of date or whose worker died. */
export async function takeOver(tx: TenantTx, claim: Claim): Promise<void> {
  await tx.run(sql`
    update idempotency_keys set body_digest = ${claim.bodyDigest}, claim = ${claim.claim},
      leased_until = ${sqlTime(claim.leasedUntil)}, answer = null, keep_until = null
    where tenant_id = ${tx.tenant} and client = ${claim.client} and route = ${claim.route} and key = ${claim.key}`);
}

export type Answer = Key & { readonly claim: string; readonly answer: string; readonly keepUntil: Instant };

/** False when the claim is no longer ours. */
export async function storeAnswer(tx: TenantTx, stored: Answer): Promise<boolean> {
  const { count } = await tx.run(sql`
    update idempotency_keys set answer = ${stored.answer}, keep_until = ${sqlTime(stored.keepUntil)}
    where tenant_id = ${tx.tenant} and client = ${stored.client} and route = ${stored.route} and key = ${stored.key}
      and claim = ${stored.claim} and answer is null`);
  return count === 1;
}

export async function deleteClaim(tx: TenantTx, claim: Claim): Promise<void> {
  await tx.run(sql`
    delete from idempotency_keys
    where tenant_id = ${tx.tenant} and client = ${claim.client} and route = ${claim.route} and key = ${claim.key}
      and claim = ${claim.claim} and answer is null`);
}

/** Answers, and claims whose process died, whose time is over by the database's clock: all that the relay can see. */
export async function deleteDue(tx: RelayTx): Promise<number> {
  const { count } = await tx.run(sql`
    delete from idempotency_keys where (tenant_id, client, route, key) in (
      select tenant_id, client, route, key from idempotency_keys
      where coalesce(keep_until, leased_until) < now() limit ${batchMax})`);
  return count;
}
