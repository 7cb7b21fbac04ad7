import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

/** A refresh token that may be used now, with the grant that it is of; payloads as ciphertext. */
export type RotatableRow = {
  readonly idDigest: string;
  readonly scope: string;
  readonly sealed: Uint8Array;
  readonly grantDigest: string;
  readonly grantScope: string;
  readonly grantSealed: Uint8Array;
  readonly account: Id<"account">;
  readonly mandate: Id<"mandate"> | null;
};

/**
 * Those that nobody used, of grants that stand by themselves: neither revoked nor bound to a session. Tokens first, by their
 * digests: from a grant, all that its family ever had would be looked through.
 */
export const findRotatable = (db: Sql, idDigests: readonly string[]): Promise<RotatableRow[]> =>
  db.many(sql`with t as materialized (
      select id_digest, scope, sealed, grant_digest from oauth_artifacts
      where model = 'RefreshToken' and id_digest = any(${idDigests}) and consumed_at is null)
    select t.id_digest as "idDigest", t.scope, t.sealed, g.grant_digest as "grantDigest",
      a.scope as "grantScope", a.sealed as "grantSealed", g.account_id as account, g.mandate_id as mandate
    from t join oauth_grants g on g.grant_digest = t.grant_digest
      join oauth_artifacts a on a.model = 'Grant' and a.id_digest = t.grant_digest
    where g.revoked_at is null and (g.session_sid is null or g.outlives_session) and account_lives(g.account_id)`);

export type RotationRow = {
  /** Digest of the token that is used up. */
  readonly used: string;
  readonly client: string;
  readonly grant_digest: string;
  readonly scope: string;
  /** Digests of first uses, in hex. */
  readonly uses: readonly string[];
  readonly successor: string;
  readonly successor_uid: string;
  /** base64, as the other one. */
  readonly successor_sealed: string;
  readonly successor_expires: string;
  readonly answer_sealed: string;
  readonly answer_expires: string;
};

export type RotationBatch = {
  readonly clients: readonly { readonly tenant: Id<"tenant">; readonly id: string; readonly stamp: string }[];
  readonly rows: readonly RotationRow[];
  /** How long first uses, and used tokens, are remembered. */
  readonly usesUntil: Instant;
  readonly tokensUntil: Instant;
};

export const rotate = (
  db: Sql,
  { clients, rows, usesUntil, tokensUntil }: RotationBatch,
): Promise<{ readonly changed: readonly string[]; readonly rotated: readonly string[] }> =>
  db.one(sql`select changed, rotated from rotate_refresh_tokens(
    ${clients.map(({ tenant }) => tenant)}::text[], ${clients.map(({ id }) => id)}::text[],
    ${clients.map(({ stamp }) => stamp)}::text[], ${sqlTime(usesUntil)}::timestamptz,
    ${sqlTime(tokensUntil)}::timestamptz, ${JSON.stringify(rows)}::jsonb)`);
