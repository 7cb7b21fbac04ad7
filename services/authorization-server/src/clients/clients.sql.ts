import { type Id, type Instant, instantOf } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { PublicJwk, Scope } from "@remit/protocol";
import type {
  ApplicationDigests,
  ApplicationRegistration,
  Client,
  ClientKind,
  KeptCredential,
} from "./clients.ts";
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
  readonly credentials: readonly CredentialRow[];
  readonly bearer_tokens: boolean | null;
  readonly tenant_status: string | null;
  readonly disabled_at: Instant | null;
};

type CredentialRow = {
  readonly id: Id<"credential">;
  /** Milliseconds. */
  readonly until?: number;
} & ({ readonly digest: string } | { readonly jwk: PublicJwk });

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
  readonly secretEnds?: string | undefined;
  readonly madeBy?: string | undefined;
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
  live: row.disabled_at === null && (row.tenant_status ?? "active") === "active",
  redirectUris: row.redirect_uris,
  scopes: row.scopes,
  assertion: row.assertion_jwk === null ? undefined : { jwk: row.assertion_jwk },
  dpopThumbprint: row.dpop_thumbprint ?? undefined,
  secretDigest: row.secret_digest ?? undefined,
  metadata: row.metadata,
  ...(row.kind === "agent"
    ? { credentials: row.credentials.map(keptOf), bearer: row.bearer_tokens === true }
    : {}),
});

function keptOf({ id, until, ...proves }: CredentialRow): KeptCredential {
  const common = { id, until: until === undefined ? undefined : instantOf(until) };
  return "digest" in proves
    ? { ...common, kind: "secret", digest: Buffer.from(proves.digest, "base64url") }
    : { ...common, kind: "key", jwk: proves.jwk };
}

const keptRow = (one: KeptCredential): CredentialRow => ({
  id: one.id,
  ...(one.until === undefined ? {} : { until: one.until }),
  ...(one.kind === "secret" ? { digest: Buffer.from(one.digest).toString("base64url") } : { jwk: one.jwk }),
});

export async function saveCredentials(
  tx: TenantTx,
  agent: Id<"agent">,
  credentials: readonly KeptCredential[],
): Promise<void> {
  await tx.run(sql`update clients set credentials = ${JSON.stringify(credentials.map(keptRow))}::jsonb
    where id = ${agent}`);
}

export async function findClient(tx: TenantTx, id: string): Promise<Client | undefined> {
  const row = await tx.maybe<Row>(sql`select c.id, c.tenant_id, c.kind, c.name, c.redirect_uris, c.scopes,
      c.assertion_jwk, c.dpop_thumbprint, c.secret_digest, c.metadata, c.credentials, c.disabled_at, t.bearer_tokens,
      o.status as tenant_status
    from clients c left join tenants t on t.tenant_id = c.tenant_id
      left join tenant_standings o on o.tenant_id = c.tenant_id where c.id = ${id}`);
  return row && clientOf(row);
}

export async function insertClient(tx: TenantTx, client: NewClient): Promise<void> {
  await tx.run(sql`insert into clients (tenant_id, id, kind, name, redirect_uris, scopes, assertion_jwk, dpop_jwk,
      dpop_thumbprint, secret_digest, secret_ends, made_by, registration_digest, metadata, created_at)
    values (${tx.tenant}, ${client.id}, ${client.kind}, ${client.name}, ${client.redirectUris}, ${client.scopes},
      ${json(client.assertionJwk)}::jsonb, ${json(client.dpopJwk)}::jsonb, ${client.dpopThumbprint ?? null},
      ${client.secretDigest ?? null}, ${client.secretEnds ?? null}, ${client.madeBy ?? null}, ${client.registrationDigest ?? null},
      ${JSON.stringify(client.metadata ?? {})}::jsonb, ${sqlTime(client.createdAt)})`);
}

/** Of agents, which hold their keys themselves. */
export async function insertAgentClients(
  tx: TenantTx,
  agents: readonly { readonly id: Id<"agent">; readonly name: string; readonly createdAt: Instant }[],
  scopes: readonly Scope[],
): Promise<void> {
  const given = agents.map(({ id, name, createdAt }) => ({ id, name, created_at: sqlTime(createdAt) }));
  await tx.run(sql`insert into clients (tenant_id, id, kind, name, redirect_uris, scopes, metadata, created_at)
    select ${tx.tenant}, g.id, 'agent', g.name, '{}', ${scopes}, '{}', g.created_at
    from jsonb_to_recordset(${JSON.stringify(given)}::jsonb) as g(id text, name text, created_at timestamptz)`);
}

export async function findManaged(
  tx: TenantTx,
  id: Id<"client">,
  held: Uint8Array,
): Promise<Client | undefined> {
  const row = await tx.maybe<Row>(sql`select id, tenant_id, kind, name, redirect_uris, scopes, assertion_jwk,
      dpop_thumbprint, secret_digest, metadata, credentials, null::boolean as bearer_tokens,
      null::text as tenant_status, disabled_at
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
  await tx.run(sql`insert into clients (tenant_id, id, kind, name, redirect_uris, scopes, assertion_jwk, metadata,
      created_at)
    values (${tx.tenant}, ${client.id}, ${client.kind}, ${client.name}, ${client.redirectUris}, ${client.scopes},
      ${json(client.assertionJwk)}::jsonb, ${JSON.stringify(client.metadata ?? {})}::jsonb, ${sqlTime(client.createdAt)})
    on conflict (tenant_id, id) do update set redirect_uris = excluded.redirect_uris, scopes = excluded.scopes,
      assertion_jwk = excluded.assertion_jwk, metadata = excluded.metadata`);
}

export async function tenantOfClient(tx: Sql, id: Id<"client">): Promise<Id<"tenant"> | undefined> {
  const row = await tx.maybe<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_client(${id}) as tenant`);
  return row?.tenant ?? undefined;
}
