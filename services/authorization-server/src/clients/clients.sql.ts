import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { PublicJwk, Scope } from "@remit/protocol";
import type { ApplicationDigests, ApplicationRegistration, Client, ClientKind } from "./clients.ts";
import type { ClientMetadata } from "./metadata.ts";

type Row = {
  readonly id: string;
  readonly tenant_id: Id<"tenant">;
  readonly kind: ClientKind;
  readonly name: string;
  readonly redirect_uris: readonly string[];
  readonly scopes: readonly Scope[];
  readonly assertion_jwk: PublicJwk | null;
  readonly dpop_thumbprint: string | null;
  readonly secret_digest: Uint8Array | null;
  readonly metadata: ClientMetadata;
  readonly disabled_at: Instant | null;
};

export type NewClient = {
  readonly id: string;
  readonly kind: ClientKind;
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly scopes: readonly Scope[];
  readonly assertionJwk?: PublicJwk;
  readonly dpopJwk?: PublicJwk;
  readonly dpopThumbprint?: string;
  readonly secretDigest?: Uint8Array | undefined;
  readonly registrationDigest?: Uint8Array;
  readonly metadata?: ClientMetadata;
  readonly createdAt: Instant;
};

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

const clientOf = (row: Row): Client => ({
  id: row.id,
  tenant: row.tenant_id,
  kind: row.kind,
  name: row.name,
  live: row.disabled_at === null,
  redirectUris: row.redirect_uris,
  scopes: row.scopes,
  assertion: row.assertion_jwk === null ? undefined : { jwk: row.assertion_jwk },
  dpopThumbprint: row.dpop_thumbprint ?? undefined,
  secretDigest: row.secret_digest ?? undefined,
  metadata: row.metadata,
});

export async function findClient(tx: TenantTx, id: string): Promise<Client | undefined> {
  const row = await tx.maybe<Row>(sql`select id, tenant_id, kind, name, redirect_uris, scopes, assertion_jwk,
      dpop_thumbprint, secret_digest, metadata, disabled_at
    from clients where id = ${id}`);
  return row && clientOf(row);
}

export async function insertClient(tx: TenantTx, client: NewClient): Promise<void> {
  await tx.run(sql`insert into clients (tenant_id, id, kind, name, redirect_uris, scopes, assertion_jwk, dpop_jwk,
      dpop_thumbprint, secret_digest, registration_digest, metadata, created_at)
    values (${tx.tenant}, ${client.id}, ${client.kind}, ${client.name}, ${client.redirectUris}, ${client.scopes},
      ${json(client.assertionJwk)}::jsonb, ${json(client.dpopJwk)}::jsonb, ${client.dpopThumbprint ?? null},
      ${client.secretDigest ?? null}, ${client.registrationDigest ?? null},
      ${JSON.stringify(client.metadata ?? {})}::jsonb, ${sqlTime(client.createdAt)})`);
}

export async function findManaged(
  tx: TenantTx,
  id: Id<"client">,
  held: Uint8Array,
): Promise<Client | undefined> {
  const row = await tx.maybe<Row>(sql`select id, tenant_id, kind, name, redirect_uris, scopes, assertion_jwk,
      dpop_thumbprint, secret_digest, metadata, disabled_at
    from clients where id = ${id} and registration_digest = ${held} and disabled_at is null`);
  return row && clientOf(row);
}

export async function updateApplication(
  tx: TenantTx,
  id: Id<"client">,
  change: ApplicationRegistration & ApplicationDigests & { readonly held: Uint8Array },
): Promise<boolean> {
  const { count } = await tx.run(sql`update clients set name = ${change.name},
      redirect_uris = ${change.redirectUris}, scopes = ${change.scopes}, metadata = ${JSON.stringify(change.metadata)}::jsonb,
      secret_digest = ${change.secretDigest ?? null}, registration_digest = ${change.registrationDigest}
    where id = ${id} and registration_digest = ${change.held} and disabled_at is null`);
  return count === 1;
}

export async function disableApplication(
  tx: TenantTx,
  id: Id<"client">,
  { held, now }: { held: Uint8Array; now: Instant },
): Promise<boolean> {
  const { count } =
    await tx.run(sql`update clients set disabled_at = ${sqlTime(now)}, registration_digest = null
    where id = ${id} and registration_digest = ${held} and disabled_at is null`);
  return count === 1;
}

export async function upsertClient(tx: TenantTx, client: NewClient): Promise<void> {
  await tx.run(sql`insert into clients (tenant_id, id, kind, name, redirect_uris, scopes, assertion_jwk, created_at)
    values (${tx.tenant}, ${client.id}, ${client.kind}, ${client.name}, ${client.redirectUris}, ${client.scopes},
      ${json(client.assertionJwk)}::jsonb, ${sqlTime(client.createdAt)})
    on conflict (tenant_id, id) do update set redirect_uris = excluded.redirect_uris, scopes = excluded.scopes,
      assertion_jwk = excluded.assertion_jwk`);
}

export async function tenantOfClient(tx: Sql, id: Id<"client">): Promise<Id<"tenant"> | undefined> {
  const row = await tx.maybe<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_client(${id}) as tenant`);
  return row?.tenant ?? undefined;
}
