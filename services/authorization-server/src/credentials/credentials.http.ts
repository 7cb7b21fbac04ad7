import {
  fromRfc3339,
  type Id,
  type Instant,
  minuteMs,
  newId,
  parseId,
  secondMs,
  toRfc3339,
} from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { actorOf, type Caller, nothing, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import type { VaultSecrets } from "@remit/platform/vault";
import { Problem, parsePublicJwk } from "@remit/protocol";
import {
  CreateCredential,
  type CredentialBody,
  CredentialPage,
  Cursor,
  IssuedCredential,
  idOf,
  RotateCredential,
} from "@remit/protocol/contracts";
import { thumbprint } from "@remit/protocol/node";
import { z } from "zod";
import type { Secrets } from "../clients/index.ts";
import {
  addCredential,
  type By,
  type Credential,
  checkCredential,
  credentialsOf,
  endOffer,
  isLive,
  offerSecret,
  type Proves,
  revokeCredential,
  rotateCredential,
  vaultPathOf,
} from "./credentials.ts";

export type CredentialDeps = {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly cursors: Cursors;
  /** Where secrets may be kept for agents; undefined where the installation has no such place. */
  readonly vault: VaultSecrets | undefined;
};

const AgentPath = z.strictObject({ id: idOf("agent") });
const CredentialPath = z.strictObject({ id: idOf("agent"), credential: idOf("credential") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: Cursor.optional(),
});
/** Paying is all that an agent may do of itself; to that belongs how it proves itself. */
const needs = { scope: ["agents:write", "oid4ac:payment"], bearer: true } as const;
const limit = { count: 600, windowMs: minuteMs, by: "tenant" } as const;
const refused = {
  400: ["invalid_request", "key_in_use"],
  403: ["bound_token_required", "client_not_allowed"],
  404: "not_found",
} as const;

/** How the operator of an agent, or the agent itself, manages what it proves itself by. A secret is shown once. */
export const credentialRoutes = (deps: CredentialDeps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  rotateRoute(deps),
  revokeRoute(deps),
];

const createRoute = ({ db, secrets, vault }: CredentialDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/agents/:id/credentials",
    summary: "Give an agent a secret, shown once, or register a key of its own",
    needs,
    limit,
    params: AgentPath,
    body: CreateCredential,
    answers: { 201: IssuedCredential, ...refused, 409: "agent_decommissioned", 503: "unavailable" },
    handle: async (call, { params, body }) => {
      const by = byOf(call, params.id);
      const made = newProof(secrets, body.publicJwk);
      const kept = body.store === "none" ? undefined : keptIn(vault, made, call.caller.tenant);
      const wanted = {
        ...kept,
        name: body.name,
        proves: made.proves,
        expiresAt: instant(body.expiresAt) ?? undefined,
      };
      const work = db.of(call.caller.tenant);
      // Before it counts: should we die now, Vault keeps a secret that opens nothing.
      if (kept !== undefined) {
        await work.transaction((tx) => checkCredential(tx, params.id, { ...by, wanted }));
        await vault?.put(kept.vaultPath, { agent: params.id, ...made.shown });
      }
      const credential = await work.transaction((tx) => addCredential(tx, params.id, { ...by, wanted }));
      const shown = kept === undefined ? made.shown : {};
      return { status: 201, headers: noStore, body: { ...bodyOf(credential, call.now), ...shown } };
    },
  });

const listRoute = ({ db, cursors }: CredentialDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/agents/:id/credentials",
    summary: "What an agent proves itself by; never a secret",
    needs: { scope: "agents:read", bearer: true },
    params: AgentPath,
    query: Page,
    answers: { 200: CredentialPage, 400: "cursor_invalid", 404: "not_found" },
    handle: async (call, { params, query: { cursor, limit: most } }) => {
      const { tenant } = call.caller;
      const filter = { list: "credentials", tenant, agent: params.id };
      const before = cursor === undefined ? undefined : parseId("credential", cursors.read(filter, cursor));
      const page = { limit: most + 1, before };
      const found = await db.of(tenant).transaction((tx) => credentialsOf(tx, params.id, page));
      const shown = found.slice(0, most);
      const last = found.length > most ? shown.at(-1) : undefined;
      const nextCursor = last === undefined ? null : cursors.make(filter, last.id);
      return { status: 200, body: { data: shown.map((one) => bodyOf(one, call.now)), nextCursor } };
    },
  });

const rotateRoute = ({ db, secrets, vault }: CredentialDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/agents/:id/credentials/:credential/rotate",
    summary: "Replace a secret or key; the former counts for the overlap, or no more",
    needs,
    limit,
    params: CredentialPath,
    body: RotateCredential,
    answers: {
      200: IssuedCredential,
      ...refused,
      409: ["agent_decommissioned", "credential_ended"],
      503: "unavailable",
    },
    handle: async (call, { params, body }) => {
      const by = byOf(call, params.id);
      const made = newProof(secrets, body.publicJwk);
      const overlapMs = body.overlapSeconds * secondMs;
      const rotation = { proves: made.proves, overlapMs, expiresAt: instant(body.expiresAt) };
      const named = { agent: params.id, id: params.credential };
      const work = db.of(call.caller.tenant);
      const path = await work.transaction((tx) => vaultPathOf(tx, named));
      if (path !== undefined && made.proves.kind === "secret") {
        if (vault === undefined) throw noVault();
        await work.transaction((tx) => offerSecret(tx, named, { ...by, rotation }));
        try {
          await vault.put(path, { agent: params.id, ...made.shown });
        } catch (error) {
          await work.transaction((tx) => endOffer(tx, named, made.proves));
          throw error;
        }
      }
      const credential = await work.transaction((tx) => rotateCredential(tx, named, { ...by, rotation }));
      const shown = path === undefined ? made.shown : {};
      return { status: 200, headers: noStore, body: { ...bodyOf(credential, call.now), ...shown } };
    },
  });

const revokeRoute = ({ db }: CredentialDeps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/agents/:id/credentials/:credential",
    summary: "End a credential, and every token that the agent has been given",
    needs,
    criticality: "critical",
    limit,
    params: CredentialPath,
    answers: { 204: nothing, 403: refused[403], 404: "not_found", 409: "agent_decommissioned" },
    handle: async (call, { params }) => {
      const by = byOf(call, params.id);
      const named = { agent: params.id, id: params.credential };
      await db.of(call.caller.tenant).transaction((tx) => revokeCredential(tx, named, by));
      return { status: 204 };
    },
  });

const noStore = { "cache-control": "no-store" };

/** Who changes it: the agent itself, or whoever may manage agents and is none, unless it manages the organization too. */
function byOf({ caller, now }: { readonly caller: Caller; readonly now: Instant }, agent: Id<"agent">): By {
  const itself = caller.client === agent && caller.subject === agent;
  const manages = caller.scopes.has("agents:write");
  const isAgent = caller.actor.type === "agent" || caller.client.startsWith("agt_");
  if (!itself && (!manages || (isAgent && !caller.scopes.has("admin:orgs"))))
    throw new Problem("client_not_allowed", { detail: "An agent manages its own credentials alone." });
  return { actor: actorOf(caller), bound: caller.thumbprint !== undefined, now };
}

/** Where Vault will keep the secret of a credential that is being made, and its id, which the place is named by. */
function keptIn(
  vault: VaultSecrets | undefined,
  { proves }: { readonly proves: Proves },
  tenant: string,
): { readonly id: Id<"credential">; readonly vaultPath: string } {
  if (proves.kind !== "secret")
    throw new Problem("invalid_request", { detail: "store: the private half of a key is not ours to keep." });
  if (vault === undefined) throw noVault();
  const id = newId("credential");
  return { id, vaultPath: vault.pathOf(`credentials/${tenant}/${id}`) };
}

const noVault = (): Problem =>
  new Problem("invalid_request", { detail: "store: this installation keeps no secrets in Vault." });

function newProof(secrets: Secrets, jwk: unknown): { proves: Proves; shown: { clientSecret?: string } } {
  if (jwk === undefined) {
    const clientSecret = secrets.issue();
    return { proves: { kind: "secret", digest: secrets.digest(clientSecret) }, shown: { clientSecret } };
  }
  const { key_ops: _, ...rest } = Object(jwk);
  const key = parsePublicJwk(rest);
  if (key === undefined || key.kty === "RSA")
    throw new Problem("invalid_request", { detail: "publicJwk must be a public P-256 or Ed25519 key." });
  return { proves: { kind: "key", jwk: key }, shown: {} };
}

const instant = (text: string | null | undefined): Instant | null | undefined =>
  typeof text === "string" ? fromRfc3339(text) : text;

const at = (instantOf: Instant | undefined): string | null =>
  instantOf === undefined ? null : toRfc3339(instantOf);

const bodyOf = (one: Credential, now: Instant): z.input<typeof CredentialBody> => ({
  credentialId: one.id,
  agentId: one.agent,
  clientId: one.agent,
  kind: one.proves.kind,
  name: one.name ?? null,
  status: one.revokedAt !== undefined ? "revoked" : isLive(one, now) ? "active" : "expired",
  thumbprint: one.proves.kind === "key" ? thumbprint(one.proves.jwk) : null,
  createdAt: toRfc3339(one.createdAt),
  rotatedAt: at(one.rotatedAt),
  expiresAt: at(one.expiresAt),
  revokedAt: at(one.revokedAt),
  lastUsedAt: at(one.lastUsedAt),
  vaultPath: one.vaultPath ?? null,
});
