import { type Id, type Instant, newId, parseId } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent, type PublicJwk, type Scope } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import { agentById, registerAgent, tenantOfAgent } from "../agents/index.ts";
import { platformTenant } from "../tenants/index.ts";
import * as rows from "./clients.sql.ts";

export type ClientKind = "agent" | "merchant" | "admin" | "peer" | "wallet";

/** Who may ask for tokens. An agent's client id is its agent id; a peer's is its service's name. */
export type Client = {
  readonly id: string;
  readonly tenant: Id<"tenant">;
  readonly kind: ClientKind;
  /** As its owner wrote it; nobody verified it. */
  readonly name: string;
  /** False once disabled, or when its agent is not active: such a client authenticates nowhere. */
  readonly live: boolean;
  readonly redirectUris: readonly string[];
  readonly scopes: readonly Scope[];
  /** The public half of what signs its assertions, or where to fetch it (peers). */
  readonly assertion: { readonly jwk: PublicJwk } | { readonly jwksUri: string } | undefined;
  /** The one key its tokens may be bound to; undefined when it may choose (peer, wallet) or has none (admin). */
  readonly dpopThumbprint: string | undefined;
  /** HMAC-SHA-256 of its secret (admin). */
  readonly secretDigest: Uint8Array | undefined;
};

/** A service of ours, known by its origin alone: its keys are at its own `/.well-known/jwks.json`. */
export type PeerSetting = { readonly name: string; readonly origin: string };

export const scopesOf = {
  agent: ["oid4ac:payment"],
  merchant: ["charges:write", "directory:read", "directory:write"],
  admin: ["agents:read", "agents:write", "tokens:read", "audit:read", "webhooks:read", "webhooks:write"],
  peer: ["payments:execute", "directory:read", "events:write"],
  wallet: ["openid", "email", "profile", "wallet:read", "wallet:write"],
} as const satisfies Record<ClientKind, readonly Scope[]>;

/** The client id of the first-party wallet. */
export const walletId = "wallet";

/** The client of an id, whoever's it is; undefined when unknown. */
export async function clientById(
  db: Database,
  id: string,
  peers: readonly PeerSetting[] = [],
): Promise<Client | undefined> {
  const peer = peers.find(({ name }) => name === id);
  if (peer !== undefined) return peerClient(peer);
  if (id === walletId) return db.of(platformTenant).transaction((tx) => rows.findClient(tx, id));
  const agent = parseId("agent", id);
  if (agent !== undefined) return agentClient(db, agent);
  const client = parseId("client", id);
  if (client === undefined) return undefined;
  const tenant = await db.global.transaction((tx) => rows.tenantOfClient(tx, client));
  return tenant && db.of(tenant).transaction((tx) => rows.findClient(tx, client));
}

async function agentClient(db: Database, id: Id<"agent">): Promise<Client | undefined> {
  const tenant = await db.global.transaction((tx) => tenantOfAgent(tx, id));
  if (tenant === undefined) return undefined;
  return db.of(tenant).transaction(async (tx) => {
    const agent = await agentById(tx, id);
    const client = await rows.findClient(tx, id);
    if (agent === undefined || client === undefined) return undefined;
    return {
      ...client,
      name: agent.name,
      live: client.live && agent.status === "active",
      assertion: { jwk: agent.assertionJwk },
      dpopThumbprint: agent.dpopThumbprint,
    };
  });
}

const peerClient = ({ name, origin }: PeerSetting): Client => ({
  id: name,
  tenant: platformTenant,
  kind: "peer",
  name,
  live: true,
  redirectUris: [],
  scopes: scopesOf.peer,
  assertion: { jwksUri: `${origin}/.well-known/jwks.json` },
  dpopThumbprint: undefined,
  secretDigest: undefined,
});

/** What a registration asks for, checked (`metadata.ts`). */
export type Registration = {
  readonly kind: "agent" | "merchant";
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly assertionJwk: PublicJwk;
  readonly dpopJwk: PublicJwk;
};

/** Registers an agent with its client, or a merchant's client, in this tenant. */
export async function registerClient(tx: TenantTx, wanted: Registration, now: Instant): Promise<Client> {
  const { name, kind, assertionJwk, dpopJwk } = wanted;
  const id =
    kind === "agent" ? (await registerAgent(tx, { name, assertionJwk, dpopJwk, now })).id : newId("client");
  const keys = { assertionJwk, dpopJwk, dpopThumbprint: thumbprint(dpopJwk) };
  const { redirectUris } = wanted;
  const row = { id, kind, name, redirectUris, scopes: scopesOf[kind], createdAt: now };
  await rows.insertClient(tx, kind === "agent" ? row : { ...row, ...keys });
  await recordRegistration(tx, { id, kind, now });
  return {
    ...row,
    tenant: tx.tenant,
    live: true,
    assertion: { jwk: assertionJwk },
    dpopThumbprint: keys.dpopThumbprint,
    secretDigest: undefined,
  };
}

/** The tenant's client for management calls by secret. The digest is all that is kept of the secret. */
export async function registerAdmin(
  tx: TenantTx,
  admin: { id: Id<"client">; name: string; scopes: readonly Scope[]; secretDigest: Uint8Array; now: Instant },
): Promise<void> {
  const { id, name, scopes, secretDigest, now } = admin;
  await rows.insertClient(tx, {
    id,
    kind: "admin",
    name,
    redirectUris: [],
    scopes,
    secretDigest,
    createdAt: now,
  });
  await recordRegistration(tx, { id, kind: "admin", now });
}

/** The first-party wallet: written, or given its new key and redirect addresses. */
export async function saveWallet(
  tx: TenantTx,
  wallet: { assertionJwk: PublicJwk; redirectUris: readonly string[]; now: Instant },
): Promise<void> {
  const { assertionJwk, redirectUris, now } = wallet;
  const row = { id: walletId, kind: "wallet", name: "Remit wallet", createdAt: now } as const;
  await rows.upsertClient(tx, { ...row, redirectUris, scopes: scopesOf.wallet, assertionJwk });
}

async function recordRegistration(
  tx: TenantTx,
  { id, kind, now }: { id: string; kind: ClientKind; now: Instant },
): Promise<void> {
  const actor = { type: "client", id } as const;
  await tx.record(
    newEvent("client.registered", { tenant: tx.tenant, actor, subject: id, payload: { kind } }, now),
  );
}
