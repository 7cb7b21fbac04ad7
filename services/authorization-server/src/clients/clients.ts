import { type Id, type Instant, newId, parseId } from "@remit/kernel";
import type { Database, Sql, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, type PublicJwk, type Scope } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import {
  type Agent,
  type AgentToRegister,
  agentById,
  registerAgent,
  registerAgents,
  tenantOfAgent,
  unsaid,
} from "../agents/index.ts";
import { claimKeys, releaseKeys } from "../client-keys/index.ts";
import { platformTenant } from "../tenants/index.ts";
import * as rows from "./clients.sql.ts";
import type { ClientMetadata } from "./metadata.ts";

/** `account` is this server's own account pages; `application` is somebody's OpenID relying party or MCP client. */
export type ClientKind = "agent" | "merchant" | "admin" | "peer" | "wallet" | "application" | "account";

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
  /** HMAC-SHA-256 of its secret (admin, and an application that has one). */
  readonly secretDigest: Uint8Array | undefined;
  /** Of an agent: the secrets and keys by which it may prove itself too, some of them until a moment. */
  readonly credentials?: readonly KeptCredential[];
  /** Of an agent: whether its tenant lets it have tokens that are bound to no key. */
  readonly bearer?: boolean;
  readonly metadata: ClientMetadata;
};

/** What a credential of an agent is checked with: as long as the row of its client holds it, and no longer than `until`. */
export type KeptCredential = {
  readonly id: Id<"credential">;
  readonly until: Instant | undefined;
} & (
  | { readonly kind: "secret"; readonly digest: Uint8Array }
  | { readonly kind: "key"; readonly jwk: PublicJwk }
);

/** Those that count at a moment. */
export const credentialsAt = ({ credentials = [] }: Client, now: Instant): readonly KeptCredential[] =>
  credentials.filter(({ until }) => until === undefined || now < until);

/** Writes which credentials of an agent count from now on. Whoever knows the client from before will find it changed. */
export const saveCredentialsOf = (
  tx: TenantTx,
  agent: Id<"agent">,
  credentials: readonly KeptCredential[],
): Promise<void> => rows.saveCredentials(tx, agent, credentials);

/** A service of ours, known by its origin alone: its keys are at its own `/.well-known/jwks.json`. */
export type PeerSetting = { readonly name: string; readonly origin: string };
export const peerKeysAt = ({ origin }: PeerSetting): string => `${origin}/.well-known/jwks.json`;

export const scopesOf = {
  agent: ["oid4ac:payment"],
  merchant: ["charges:write", "directory:read", "directory:write"],
  // `admin:orgs` says whom the tenant trusts; no bearer token carries it.
  admin: [
    "agents:read",
    "agents:write",
    "tokens:read",
    "audit:read",
    "offers:read",
    "offers:write",
    "webhooks:read",
    "webhooks:write",
    "ssf.read",
    "ssf.manage",
    "billing:read",
    "admin:orgs",
  ],
  peer: ["events:write", "ssf.manage", "ssf.read", "tokens:read"],
  wallet: ["openid", "email", "profile", "wallet:read", "wallet:write"],
  // What moves money or changes who may act is for the wallet and for agents under a mandate.
  account: ["openid"],
  application: ["openid", "email", "profile", "offline_access", "wallet:read"],
} as const satisfies Record<ClientKind, readonly Scope[]>;

/**
 * What only we do, at services of ours, by tokens that we mint for ourselves. The core knows them, so that a client that asks
 * is refused: what nobody knows it passes over.
 */
export const ownScopes = [
  "notices:write",
  "payments:execute",
  "plans:write",
] as const satisfies readonly Scope[];

/** What services of ours need of us: these two tell us their events, billing hears of ours, all ask about tokens. */
const scopesOfPeer: Readonly<Record<string, readonly Scope[]>> = {
  billing: ["events:write", "ssf.manage", "ssf.read", "tokens:read"],
  directory: ["events:write", "tokens:read"],
};
const scopesOfAnyPeer: readonly Scope[] = ["tokens:read"];

/** Of the installation's operator: a management client of the platform's own tenant, where it opens keys too. */
export const operatorScopes = [
  "admin:orgs",
  "billing:read",
  "billing:write",
] as const satisfies readonly Scope[];

/** The client id of the first-party wallet. */
export const walletId = "wallet";

/** The client id of the account pages: they sign a person in by the way of every application, and ask for no token. */
export const accountPagesId = "account";

/** Among the peers, since it is known by its origin alone: ours. */
export const accountPagesAt = (issuer: string): PeerSetting => ({ name: accountPagesId, origin: issuer });

/** The client of an id, whoever's it is; undefined when unknown. */
export async function clientById(
  db: Database,
  id: string,
  peers: readonly PeerSetting[] = [],
): Promise<Client | undefined> {
  const peer = peers.find(({ name }) => name === id);
  if (peer !== undefined) return peer.name === accountPagesId ? accountClient(peer) : peerClient(peer);
  if (id === walletId) return db.of(platformTenant).transaction((tx) => rows.findClient(tx, id));
  const agent = parseId("agent", id);
  if (agent !== undefined) return agentClient(db, agent);
  const client = parseId("client", id);
  if (client === undefined) return undefined;
  const tenant = await rows.tenantOfClient(db.single, client);
  return tenant && db.of(tenant).transaction((tx) => rows.findClient(tx, client));
}

async function agentClient(db: Database, id: Id<"agent">): Promise<Client | undefined> {
  const tenant = await tenantOfAgent(db.single, id);
  if (tenant === undefined) return undefined;
  return db.of(tenant).transaction(async (tx) => {
    const agent = await agentById(tx, id);
    const client = await rows.findClient(tx, id);
    if (agent === undefined || client === undefined) return undefined;
    return {
      ...client,
      name: agent.name,
      live: client.live && agent.status === "active",
      scopes: agent.scopes,
      assertion: agent.assertionJwk && { jwk: agent.assertionJwk },
      dpopThumbprint: agent.dpopThumbprint,
    };
  });
}

const peerClient = (peer: PeerSetting): Client => ({
  id: peer.name,
  tenant: platformTenant,
  kind: "peer",
  name: peer.name,
  live: true,
  redirectUris: [],
  scopes: scopesOfPeer[peer.name] ?? scopesOfAnyPeer,
  assertion: { jwksUri: peerKeysAt(peer) },
  dpopThumbprint: undefined,
  secretDigest: undefined,
  metadata: {},
});

const accountClient = (pages: PeerSetting): Client => ({
  ...peerClient(pages),
  kind: "account",
  name: "Your account",
  redirectUris: [`${pages.origin}/account/signed-in`],
  scopes: scopesOf.account,
});

/** What a registration asks for, checked (the registration room). */
export type Registration = KeyedRegistration | ApplicationRegistration;
type Asked = {
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly metadata: ClientMetadata;
};
export type KeyedRegistration = Asked & {
  readonly kind: "agent" | "merchant";
  readonly assertionJwk: PublicJwk;
  readonly dpopJwk: PublicJwk;
};
export type ApplicationRegistration = Asked & {
  readonly kind: "application";
  readonly scopes: readonly Scope[];
};

/** What is made for an application and kept as a digest: the token that manages it, and its secret if it has one. */
export type ApplicationDigests = {
  readonly registrationDigest: Uint8Array;
  readonly secretDigest: Uint8Array | undefined;
};

/** Registers an agent with its client, or a merchant's client, in this tenant. */
export async function registerClient(tx: TenantTx, wanted: KeyedRegistration, now: Instant): Promise<Client> {
  const { name, kind, assertionJwk, dpopJwk, metadata } = wanted;
  const agent = { ...unsaid, name, assertionJwk, dpopJwk, by: undefined, now };
  const id = kind === "agent" ? (await registerAgent(tx, agent)).id : newId("client");
  const keys = { assertionJwk, dpopJwk, dpopThumbprint: thumbprint(dpopJwk) };
  const { redirectUris } = wanted;
  const row = { id, kind, name, redirectUris, scopes: scopesOf[kind], metadata, createdAt: now };
  await rows.insertClient(tx, kind === "agent" ? row : { ...row, ...keys });
  if (kind === "merchant") {
    const claimed = [
      { purpose: "assertion", jwk: assertionJwk },
      { purpose: "dpop", jwk: dpopJwk },
    ] as const;
    await claimKeys(tx, { client: id, keys: claimed, now });
  }
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

/** Registers agents of this tenant, with their clients, on behalf of their operators. `agent.registered` tells of both. */
export async function registerAgentsFor(
  tx: TenantTx,
  wanted: readonly (AgentToRegister & { readonly by: Actor })[],
): Promise<Agent[]> {
  const agents = await registerAgents(tx, wanted);
  await rows.insertAgentClients(tx, agents, scopesOf.agent);
  return agents;
}

/** Registers an application in this tenant. */
export async function registerApplication(
  tx: TenantTx,
  wanted: ApplicationRegistration & ApplicationDigests,
  now: Instant,
): Promise<Client> {
  const id = newId("client");
  await rows.insertClient(tx, { ...wanted, id, createdAt: now });
  await claimKeys(tx, { client: id, keys: keysOf(wanted), now });
  await recordRegistration(tx, { id, kind: "application", now });
  return applicationOf(tx, id, wanted);
}

/** Those that it stated; what stands at its `jwks_uri` may be another one tomorrow. */
const keysOf = ({ metadata }: ApplicationRegistration) =>
  (metadata.jwks?.keys ?? []).map((jwk) => ({ purpose: "assertion", jwk }) as const);

/** The application's client, if it is managed by this token. */
export const applicationManagedBy = (
  tx: TenantTx,
  id: Id<"client">,
  registrationDigest: Uint8Array,
): Promise<Client | undefined> => rows.findManaged(tx, id, registrationDigest);

/**
 * Writes an application anew and its next management token, if it is still managed by the token `held`: one conditional
 * UPDATE, so that of two parallel changes by one token one is refused.
 */
export async function replaceApplication(
  tx: TenantTx,
  id: Id<"client">,
  change: ApplicationRegistration & ApplicationDigests & { readonly held: Uint8Array; readonly now: Instant },
): Promise<Client | undefined> {
  if (!(await rows.updateApplication(tx, id, change))) return undefined;
  await claimKeys(tx, { client: id, keys: keysOf(change), now: change.now });
  const actor = { type: "client", id } as const;
  await tx.record(newEvent("client.changed", { tenant: tx.tenant, actor, subject: id }, change.now));
  return applicationOf(tx, id, change);
}

/** Ends an application, if it is managed by the token `held`; false when it is not. */
export async function removeApplication(
  tx: TenantTx,
  id: Id<"client">,
  { held, now }: { held: Uint8Array; now: Instant },
): Promise<boolean> {
  if (!(await rows.disableApplication(tx, id, { held, now }))) return false;
  await releaseKeys(tx, id);
  const actor = { type: "client", id } as const;
  await tx.record(newEvent("client.removed", { tenant: tx.tenant, actor, subject: id }, now));
  return true;
}

/** From a client's id to its tenant, in any transaction. */
export const tenantOfClient = (tx: Sql, id: Id<"client">): Promise<Id<"tenant"> | undefined> =>
  rows.tenantOfClient(tx, id);

const applicationOf = (
  { tenant }: TenantTx,
  id: Id<"client">,
  { name, redirectUris, scopes, metadata, secretDigest }: ApplicationRegistration & ApplicationDigests,
): Client => ({
  id,
  tenant,
  kind: "application",
  name,
  live: true,
  redirectUris,
  scopes,
  assertion: undefined,
  dpopThumbprint: undefined,
  secretDigest,
  metadata,
});

export type NewAdmin = {
  readonly id: Id<"client">;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secretDigest: Uint8Array;
  readonly secretEnds?: string;
  /** Whoever made it; the installation itself, unless said. */
  readonly by?: Actor;
  readonly now: Instant;
};

/** The tenant's client for management calls by secret. The digest is all that is kept of the secret. */
export async function registerAdmin(tx: TenantTx, admin: NewAdmin): Promise<void> {
  const { id, name, scopes, secretDigest, secretEnds, by, now } = admin;
  await rows.insertClient(tx, {
    id,
    kind: "admin",
    name,
    redirectUris: [],
    scopes,
    secretDigest,
    secretEnds,
    madeBy: by?.id,
    createdAt: now,
  });
  await recordRegistration(tx, { id, kind: "admin", by, now });
}

/** The first-party wallet: written, or given its new key and redirect addresses. */
export async function saveWallet(
  tx: TenantTx,
  wallet: {
    assertionJwk: PublicJwk;
    redirectUris: readonly string[];
    logout: Pick<ClientMetadata, "post_logout_redirect_uris" | "backchannel_logout_uri">;
    now: Instant;
  },
): Promise<void> {
  const { assertionJwk, redirectUris, logout, now } = wallet;
  const row = { id: walletId, kind: "wallet", name: "Remit wallet", createdAt: now } as const;
  await rows.upsertClient(tx, {
    ...row,
    redirectUris,
    scopes: scopesOf.wallet,
    assertionJwk,
    metadata: logout,
  });
  await claimKeys(tx, { client: walletId, keys: [{ purpose: "assertion", jwk: assertionJwk }], now });
}

async function recordRegistration(
  tx: TenantTx,
  { id, kind, by, now }: { id: string; kind: ClientKind; by?: Actor | undefined; now: Instant },
): Promise<void> {
  const actor = by ?? ({ type: "client", id } as const);
  await tx.record(
    newEvent("client.registered", { tenant: tx.tenant, actor, subject: id, payload: { kind } }, now),
  );
}
