import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { PublicJwk } from "@remit/protocol";
import type { Credential, CredentialKind, Proves } from "./credentials.ts";

type Row = {
  readonly id: Id<"credential">;
  readonly agent_id: Id<"agent">;
  readonly kind: CredentialKind;
  readonly name: string | null;
  readonly digest: Uint8Array | null;
  readonly jwk: PublicJwk | null;
  readonly former_digest: Uint8Array | null;
  readonly former_jwk: PublicJwk | null;
  readonly former_until: Instant | null;
  readonly offered: Uint8Array;
  readonly rotating_until: Instant | null;
  readonly vault_path: string | null;
  readonly created_by: string;
  readonly created_at: Instant;
  readonly rotated_at: Instant | null;
  readonly expires_at: Instant | null;
  readonly revoked_at: Instant | null;
  readonly last_used_at: Instant | null;
};

const proves = (digest: Uint8Array | null, jwk: PublicJwk | null): Proves | undefined => {
  if (digest !== null) return { kind: "secret", digest };
  return jwk === null ? undefined : { kind: "key", jwk };
};

const digestBytes = 32;
const digestsIn = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / digestBytes }, (_, n) =>
    bytes.slice(n * digestBytes, (n + 1) * digestBytes),
  );

function credentialOf(row: Row): Credential {
  const now = proves(row.digest, row.jwk);
  if (now === undefined) throw new TypeError("a credential is a secret or a key"); // the table's checks say so
  const former = proves(row.former_digest, row.former_jwk);
  return {
    id: row.id,
    agent: row.agent_id,
    name: row.name ?? undefined,
    proves: now,
    former: former && row.former_until !== null ? { proves: former, until: row.former_until } : undefined,
    offered: digestsIn(row.offered),
    rotatingUntil: row.rotating_until ?? undefined,
    vaultPath: row.vault_path ?? undefined,
    createdBy: row.created_by,
    createdAt: row.created_at,
    rotatedAt: row.rotated_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}

const time = (at: Instant | undefined): string | null => (at === undefined ? null : sqlTime(at));
const digestOf = (one: Proves | undefined): Uint8Array | null => (one?.kind === "secret" ? one.digest : null);
const jwkOf = (one: Proves | undefined): string | null =>
  one?.kind === "key" ? JSON.stringify(one.jwk) : null;

export async function insertCredential(tx: TenantTx, one: Credential): Promise<void> {
  await tx.run(sql`insert into credentials (tenant_id, id, agent_id, kind, name, digest, jwk, vault_path, created_by,
      created_at, expires_at)
    values (${tx.tenant}, ${one.id}, ${one.agent}, ${one.proves.kind}, ${one.name ?? null}, ${digestOf(one.proves)},
      ${jwkOf(one.proves)}::jsonb, ${one.vaultPath ?? null}, ${one.createdBy}, ${sqlTime(one.createdAt)},
      ${time(one.expiresAt)})`);
}

export async function saveCredential(tx: TenantTx, one: Credential): Promise<void> {
  await tx.run(sql`update credentials set digest = ${digestOf(one.proves)}, jwk = ${jwkOf(one.proves)}::jsonb,
      former_digest = ${digestOf(one.former?.proves)}, former_jwk = ${jwkOf(one.former?.proves)}::jsonb,
      former_until = ${time(one.former?.until)}, offered = ${Buffer.concat(one.offered)},
      rotating_until = ${time(one.rotatingUntil)}, rotated_at = ${time(one.rotatedAt)},
      expires_at = ${time(one.expiresAt)}, revoked_at = ${time(one.revokedAt)}
    where id = ${one.id}`);
}

export async function findCredential(tx: TenantTx, id: Id<"credential">): Promise<Credential | undefined> {
  const row = await tx.maybe<Row>(sql`select * from credentials where id = ${id}`);
  return row && credentialOf(row);
}

/** Those of an agent that nobody revoked; there are never many. */
export async function listLive(tx: TenantTx, agent: Id<"agent">): Promise<Credential[]> {
  const found = await tx.many<Row>(sql`select * from credentials
    where agent_id = ${agent} and revoked_at is null order by id`);
  return found.map(credentialOf);
}

export async function listCredentials(
  tx: TenantTx,
  agent: Id<"agent">,
  page: { limit: number; before: Id<"credential"> | undefined },
): Promise<Credential[]> {
  const found = await tx.many<Row>(sql`select * from credentials
    where agent_id = ${agent} and (${page.before ?? null}::text is null or id < ${page.before ?? null})
    order by id desc limit ${page.limit}`);
  return found.map(credentialOf);
}

/** Whether this reminder is the first of this end. */
export async function remind(tx: TenantTx, id: Id<"credential">, of: Instant): Promise<boolean> {
  const { count } = await tx.run(sql`update credentials set reminded_of = ${sqlTime(of)}
    where id = ${id} and revoked_at is null and expires_at = ${sqlTime(of)}
      and reminded_of is distinct from ${sqlTime(of)}`);
  return count === 1;
}

export async function saveUses(tx: Sql, ids: readonly string[], at: Instant): Promise<void> {
  await tx.run(sql`update credentials set last_used_at = ${sqlTime(at)}
    where id = any(${ids}) and (last_used_at is null or last_used_at < ${sqlTime(at)})`);
}
