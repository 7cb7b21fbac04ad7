import { type RelayTx, sql, type TenantTx } from "../sql/index.ts";

const batchMax = 5_000;

/**
 * One use of a key. Its times are the database's, which all processes share: the clock of one of them may jump (K08).
 * Its `claim` is of the process that works on it: only that one may store an answer or let go.
 */
export type Row = {
  readonly body_digest: string;
  readonly lease_left_ms: number;
  readonly answer: string | null;
  readonly over: boolean;
};
export type Key = { readonly client: string; readonly route: string; readonly key: string };
export type Claim = Key & {
  readonly bodyDigest: string;
  readonly claim: string;
  readonly leaseMs: number;
};

/** True when the key was free. */
export async function insertClaim(tx: TenantTx, claim: Claim): Promise<boolean> {
  const { count } = await tx.run(sql`
    insert into idempotency_keys (tenant_id, client, route, key, body_digest, claim, leased_until)
    values (${tx.tenant}, ${claim.client}, ${claim.route}, ${claim.key}, ${claim.bodyDigest}, ${claim.claim},
      clock_timestamp() + ${claim.leaseMs}::integer * interval '1 ms')
    on conflict do nothing`);
  return count === 1;
}

export const lockKey = (tx: TenantTx, { client, route, key }: Key): Promise<Row | undefined> =>
  tx.maybe<Row>(sql`
    select body_digest, (extract(epoch from leased_until - clock_timestamp()) * 1000)::float8 as lease_left_ms, answer,
      coalesce(keep_until <= clock_timestamp(), false) as over from idempotency_keys
    where tenant_id = ${tx.tenant} and client = ${client} and route = ${route} and key = ${key} for update`);

/** Takes a key over whose answer is out of date or whose worker died. */
export async function takeOver(tx: TenantTx, claim: Claim): Promise<void> {
  await tx.run(sql`
    update idempotency_keys set body_digest = ${claim.bodyDigest}, claim = ${claim.claim},
      leased_until = clock_timestamp() + ${claim.leaseMs}::integer * interval '1 ms', answer = null, keep_until = null
    where tenant_id = ${tx.tenant} and client = ${claim.client} and route = ${claim.route} and key = ${claim.key}`);
}

/** `keepMs`: for how long; without it as long as there are years. */
export type Answer = Key & {
  readonly claim: string;
  readonly answer: string;
  readonly keepMs: number | undefined;
};

/** False when the claim is no longer ours. */
export async function storeAnswer(tx: TenantTx, stored: Answer): Promise<boolean> {
  const { count } = await tx.run(sql`
    update idempotency_keys set answer = ${stored.answer},
      keep_until = coalesce(clock_timestamp() + ${stored.keepMs ?? null}::integer * interval '1 ms', '9999-12-31 23:59:59Z')
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
