import type { Instant } from "@remit/kernel";
import type { PublicJwk } from "@remit/protocol";
import { type Sql, sql, sqlTime } from "../sql/index.ts";

export type KeyState = "next" | "current" | "retired" | "removed";

export type SigningKeyRow = {
  readonly kid: string;
  readonly purpose: string;
  readonly alg: "ES256" | "EdDSA";
  readonly public_jwk: PublicJwk;
  /** Of `local`: ciphertext under the key-encryption key `kek`. */
  readonly wrapped: Uint8Array | null;
  readonly kek: string | null;
  readonly engine: string;
  /** Of every other engine: what it calls the key. */
  readonly reference: string | null;
  readonly state: KeyState;
  readonly created_at: Instant;
  readonly not_before: Instant;
  readonly not_after: Instant | null;
  readonly keep_until: Instant | null;
  readonly revoked_at: Instant | null;
  readonly reason: string | null;
};

export type DataKeyRow = {
  /** Null once shredded. */
  readonly wrapped: Uint8Array | null;
  /** The key-encryption key it is under; null for the installation's first. */
  readonly kek: string | null;
};

export const readDataKey = (db: Sql, scope: string): Promise<DataKeyRow | undefined> =>
  db.maybe<DataKeyRow>(sql`select wrapped, kek from data_keys where scope = ${scope}`);

/** Of several that add a key for a scope at once, the first to commit wins; read after it. */
export const insertDataKey = (
  db: Sql,
  scope: string,
  { wrapped, kek }: { wrapped: Uint8Array; kek: string },
) =>
  db.run(sql`
    insert into data_keys (scope, wrapped, kek) values (${scope}, ${wrapped}, ${kek}) on conflict (scope) do nothing`);

/** Leaves a row without a key, also for a scope that never had one. */
export const shredDataKey = (db: Sql, scope: string, at: Instant) =>
  db.run(sql`
    insert into data_keys (scope, wrapped, shredded_at) values (${scope}, null, ${sqlTime(at)})
    on conflict (scope) do update set wrapped = null, shredded_at = excluded.shredded_at
    where data_keys.shredded_at is null`);

export const readSigningKeys = (db: Sql, purposes: readonly string[]): Promise<SigningKeyRow[]> =>
  db.many<SigningKeyRow>(sql`
    select kid, purpose, alg, public_jwk, wrapped, kek, engine, reference, state, created_at, not_before, not_after,
      keep_until, revoked_at, reason
    from signing_keys where purpose = any(${purposes}::text[]) order by purpose, not_before, kid`);

/** As above, holding the rows of one purpose until the transaction ends, so that two processes do not both rotate. */
export const lockSigningKeys = (db: Sql, purpose: string): Promise<SigningKeyRow[]> =>
  db.many<SigningKeyRow>(sql`
    select kid, purpose, alg, public_jwk, wrapped, kek, engine, reference, state, created_at, not_before, not_after,
      keep_until, revoked_at, reason
    from signing_keys where purpose = ${purpose} order by not_before, kid for update`);

export async function purposeOfKey(db: Sql, kid: string): Promise<string | undefined> {
  const row = await db.maybe<{ purpose: string }>(sql`select purpose from signing_keys where kid = ${kid}`);
  return row?.purpose;
}

/** Count 0: another process added one of that state for that purpose first. */
export const insertSigningKey = (db: Sql, row: SigningKeyRow) =>
  db.run(sql`
    insert into signing_keys
      (kid, purpose, alg, public_jwk, wrapped, kek, engine, reference, state, created_at, not_before)
    values (${row.kid}, ${row.purpose}, ${row.alg}, ${JSON.stringify(row.public_jwk)}::jsonb, ${row.wrapped}, ${row.kek},
      ${row.engine}, ${row.reference}, ${row.state}, ${sqlTime(row.created_at)}, ${sqlTime(row.not_before)})
    on conflict do nothing`);

/** Writes what changes in the life of a key. A private half that went does not come back. */
export const saveSigningKey = (db: Sql, row: SigningKeyRow) =>
  db.run(sql`
    update signing_keys set state = ${row.state}, not_before = ${sqlTime(row.not_before)},
      wrapped = case when ${row.wrapped === null} then null else wrapped end,
      reference = case when ${row.reference === null} then null else reference end,
      not_after = ${timeOrNull(row.not_after)}::timestamptz, keep_until = ${timeOrNull(row.keep_until)}::timestamptz,
      revoked_at = ${timeOrNull(row.revoked_at)}::timestamptz, reason = ${row.reason}
    where kid = ${row.kid}`);

const timeOrNull = (at: Instant | null): string | null => (at === null ? null : sqlTime(at));
