import { after, dayMs, type Id, type Instant, invariant, newId, secondMs } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, type EventType, newEvent, Problem, type PublicJwk } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import { type Agent, agentById, agentToChange, unknownAgent } from "../agents/index.ts";
import { claimKeys } from "../client-keys/index.ts";
import { type KeptCredential, saveCredentialsOf } from "../clients/index.ts";
import { revokeTokensIssued } from "../tokens/index.ts";
import * as rows from "./credentials.sql.ts";

export type CredentialKind = "secret" | "key";

/** What shows it: a secret that we made and keep the HMAC of, or a key whose private half we never see. */
export type Proves =
  | { readonly kind: "secret"; readonly digest: Uint8Array }
  | { readonly kind: "key"; readonly jwk: PublicJwk };

/** One way for an agent to prove itself, beside the assertion key of its row. */
export type Credential = {
  readonly id: Id<"credential">;
  readonly agent: Id<"agent">;
  readonly name: string | undefined;
  readonly proves: Proves;
  /** What it was before a rotation with an overlap, and how long that counts too. */
  readonly former: { readonly proves: Proves; readonly until: Instant } | undefined;
  /** HMACs of secrets that Vault may show; all count until a newer one is known to be there. */
  readonly offered: readonly Uint8Array[];
  readonly rotatingUntil: Instant | undefined;
  readonly vaultPath: string | undefined;
  readonly createdBy: string;
  readonly createdAt: Instant;
  readonly rotatedAt: Instant | undefined;
  readonly expiresAt: Instant | undefined;
  readonly revokedAt: Instant | undefined;
  readonly lastUsedAt: Instant | undefined;
};

/** Who changes credentials. `bound`: by a token that is bound to a key. */
type Because = { readonly actor: Actor; readonly now: Instant };
export type By = Because & { readonly bound: boolean };

const liveMax = 20;

/** Longer than anything lasts that was got by a credential: a token, or a day's delegation. */
const revokedMs = 2 * dayMs;

export const isLive = ({ revokedAt, expiresAt }: Credential, now: Instant): boolean =>
  revokedAt === undefined && (expiresAt === undefined || now < expiresAt);

export type NewCredential = {
  readonly id?: Id<"credential"> | undefined;
  readonly name: string | undefined;
  readonly proves: Proves;
  readonly vaultPath?: string | undefined;
  readonly expiresAt: Instant | undefined;
};

/** Throws for a credential that the agent may not have: what is refused is put in no Vault. */
export async function checkCredential(
  tx: TenantTx,
  agentId: Id<"agent">,
  { wanted, ...by }: By & { readonly wanted: NewCredential },
): Promise<void> {
  const agent = await changeable(tx, agentId, by);
  checkProves(agent, wanted.proves);
  const live = (await rows.listLive(tx, agentId)).filter((one) => isLive(one, by.now));
  if (live.length >= liveMax)
    throw new Problem("invalid_request", { detail: `An agent has at most ${liveMax} live credentials.` });
  future(wanted.expiresAt, by.now);
}

/** Gives an agent one more way to prove itself. */
export async function addCredential(
  tx: TenantTx,
  agentId: Id<"agent">,
  { wanted, ...by }: By & { readonly wanted: NewCredential },
): Promise<Credential> {
  await checkCredential(tx, agentId, { ...by, wanted });
  const { now, actor } = by;
  const credential: Credential = {
    id: wanted.id ?? newId("credential"),
    agent: agentId,
    name: wanted.name,
    proves: wanted.proves,
    former: undefined,
    offered: [],
    rotatingUntil: undefined,
    vaultPath: wanted.vaultPath,
    createdBy: actor.id,
    createdAt: now,
    rotatedAt: undefined,
    expiresAt: wanted.expiresAt,
    revokedAt: undefined,
    lastUsedAt: undefined,
  };
  await rows.insertCredential(tx, credential);
  await claimKeys(tx, { client: agentId, keys: keysOf(credential), now });
  await settle(tx, { agent: agentId, credential, type: "credential.created", by });
  return credential;
}

export type Rotation = {
  readonly proves: Proves;
  readonly overlapMs: number;
  /** Undefined keeps the end it has, null is never. */
  readonly expiresAt: Instant | null | undefined;
};

/** Gives a live credential another secret or key. What it was before counts on for the overlap, or from now on no more. */
export async function rotateCredential(
  tx: TenantTx,
  { agent: agentId, id }: Named,
  { rotation, ...by }: By & { readonly rotation: Rotation },
): Promise<Credential> {
  const agent = await changeable(tx, agentId, by);
  checkProves(agent, rotation.proves);
  const before = await credentialOf(tx, { agent: agentId, id });
  const { now } = by;
  if (!isLive(before, now)) throw new Problem("credential_ended");
  if (before.proves.kind !== rotation.proves.kind)
    throw new Problem("invalid_request", {
      detail: `publicJwk: this credential is a ${before.proves.kind}.`,
    });
  const { overlapMs, expiresAt } = rotation;
  const credential: Credential = {
    ...before,
    proves: rotation.proves,
    former: overlapMs === 0 ? undefined : { proves: before.proves, until: after(now, overlapMs) },
    ...offeredBeside(before, rotation.proves),
    rotatedAt: now,
    expiresAt: expiresAt === undefined ? before.expiresAt : future(expiresAt ?? undefined, now),
  };
  await rows.saveCredential(tx, credential);
  await claimKeys(tx, { client: agentId, keys: keysOf(credential), now });
  await settle(tx, { agent: agentId, credential, type: "credential.rotated", by });
  return credential;
}

/**
 * Lets another secret count beside those that do, before Vault shows it: wherever the process dies on the way, what Vault
 * shows counts. `rotateCredential` follows once Vault has it, `endOffer` when that is not known. One at a time.
 */
export async function offerSecret(
  tx: TenantTx,
  { agent: agentId, id }: Named,
  { rotation, ...by }: By & { readonly rotation: Rotation },
): Promise<void> {
  await changeable(tx, agentId, by);
  const before = await credentialOf(tx, { agent: agentId, id });
  const { now } = by;
  if (!isLive(before, now)) throw new Problem("credential_ended");
  if (before.rotatingUntil !== undefined && now < before.rotatingUntil)
    throw new Problem("unavailable", {
      detail: "This credential is being rotated.",
      headers: { "Retry-After": "1" },
    });
  future(rotation.expiresAt ?? undefined, now);
  if (before.offered.length >= offeredMax)
    throw new Problem("invalid_request", {
      detail: "Too many rotations ended without Vault's answer: make another credential and revoke this one.",
    });
  const { proves } = rotation;
  invariant(proves.kind === "secret", "only what Vault keeps is offered before it is shown");
  const offered = [...before.offered, proves.digest];
  const credential = { ...before, offered, rotatingUntil: after(now, rotatingMs) };
  await rows.saveCredential(tx, credential);
  await settle(tx, { agent: agentId, credential, type: "credential.rotated", by });
}

/** Longer than Vault is given to answer. Whoever takes longer still, or died, holds up no other. */
const rotatingMs = 30 * secondMs;
const offeredMax = 16;

/** Lets another rotation begin. What was offered counts on: Vault may have it. */
export async function endOffer(tx: TenantTx, { agent, id }: Named, proves: Proves): Promise<void> {
  await agentToChange(tx, agent);
  const before = await credentialOf(tx, { agent, id });
  if (isNewestOffer(before, proves)) await rows.saveCredential(tx, { ...before, rotatingUntil: undefined });
}

const isSame = (digest: Uint8Array, proves: Proves): boolean =>
  proves.kind === "secret" && Buffer.from(digest).equals(proves.digest);

const isNewestOffer = ({ offered }: Credential, proves: Proves): boolean =>
  offered.slice(-1).some((newest) => isSame(newest, proves));

/**
 * What of a credential's secrets Vault may still show once it has taken this one: nothing, unless another rotation began
 * meanwhile. Whose secret Vault took last is then unknown, so whatever counts counts on, until the next rotation.
 */
function offeredBeside(before: Credential, proves: Proves): Pick<Credential, "offered" | "rotatingUntil"> {
  if (before.vaultPath === undefined || isNewestOffer(before, proves))
    return { offered: [], rotatingUntil: undefined };
  const own = before.proves.kind === "secret" ? [before.proves.digest] : [];
  const others = before.offered.filter((one) => !isSame(one, proves));
  // Ours last: to the other, when it ends, its own is then not the newest either.
  return { offered: [...others, ...own], rotatingUntil: before.rotatingUntil };
}

/** Where Vault keeps a live credential's secret; undefined where it does not. */
export async function vaultPathOf(tx: TenantTx, named: Named): Promise<string | undefined> {
  return (await credentialOf(tx, named)).vaultPath;
}

/**
 * Ends a credential for good. A token does not say by which credential it was got, so all that the agent has been given
 * end with it; by another credential it gets new ones. A second time changes nothing.
 */
export async function revokeCredential(tx: TenantTx, { agent, id }: Named, by: By): Promise<void> {
  await changeable(tx, agent, by);
  const before = await credentialOf(tx, { agent, id });
  if (before.revokedAt !== undefined) return;
  const credential: Credential = { ...before, former: undefined, offered: [], revokedAt: by.now };
  await rows.saveCredential(tx, credential);
  await settle(tx, { agent, credential, type: "credential.revoked", by });
  const issued = { until: after(by.now, revokedMs), issuedUntil: by.now };
  await revokeTokensIssued(tx, `client:${agent}`, issued);
}

/** Those of an agent that was decommissioned: what they prove is refused since then, and now they say so themselves. */
export async function endCredentialsOf(tx: TenantTx, agent: Id<"agent">, by: Because): Promise<void> {
  for (const before of await rows.listLive(tx, agent)) {
    const credential: Credential = { ...before, former: undefined, offered: [], revokedAt: by.now };
    await rows.saveCredential(tx, credential);
    await settle(tx, { agent, credential, type: "credential.revoked", by });
  }
}

export type Named = { readonly agent: Id<"agent">; readonly id: Id<"credential"> };

/** The credential of this agent of this tenant; `not_found` for another's and for none. */
async function credentialOf(tx: TenantTx, { agent, id }: Named): Promise<Credential> {
  const found = await rows.findCredential(tx, id);
  if (found?.agent !== agent) throw new Problem("not_found", { detail: "There is no such credential." });
  return found;
}

/** Every credential that the agent ever had, newest first. */
export async function credentialsOf(
  tx: TenantTx,
  agent: Id<"agent">,
  page: { readonly limit: number; readonly before: Id<"credential"> | undefined },
): Promise<Credential[]> {
  if ((await agentById(tx, agent)) === undefined) throw unknownAgent();
  return rows.listCredentials(tx, agent, page);
}

/**
 * The agent, locked, so that changes of its credentials come one after the other. A plain bearer token changes none of an
 * agent that has a DPoP key: such an agent may have a mandate at any moment (design section 5).
 */
async function changeable(tx: TenantTx, id: Id<"agent">, { bound }: By): Promise<Agent> {
  const agent = await agentToChange(tx, id);
  if (agent.status === "decommissioned") throw new Problem("agent_decommissioned");
  if (!bound && agent.dpopThumbprint !== undefined) throw new Problem("bound_token_required");
  return agent;
}

function checkProves({ dpopJwk, dpopThumbprint, assertionJwk }: Agent, proves: Proves): void {
  if (proves.kind !== "key") return;
  if (dpopJwk === undefined)
    throw new Problem("invalid_request", { detail: "publicJwk: give the agent a DPoP key first." });
  const own = thumbprint(proves.jwk);
  if (own === dpopThumbprint || (assertionJwk !== undefined && own === thumbprint(assertionJwk)))
    throw new Problem("invalid_request", { detail: "publicJwk is a key that the agent has already." });
}

function future(at: Instant | undefined, now: Instant): Instant | undefined {
  if (at !== undefined && at <= now)
    throw new Problem("invalid_request", { detail: "expiresAt is in the past." });
  return at;
}

/** Records a change, writes what counts now where agents are authenticated, and sees to the reminder. */
async function settle(
  tx: TenantTx,
  {
    agent,
    credential,
    type,
    by,
  }: { agent: Id<"agent">; credential: Credential; type: EventType; by: Because },
): Promise<void> {
  const { actor, now } = by;
  const live = (await rows.listLive(tx, agent)).filter((one) => isLive(one, now));
  await saveCredentialsOf(tx, agent, live.flatMap(keptOf));
  const payload = {
    agent,
    kind: credential.proves.kind,
    ...(credential.expiresAt === undefined ? {} : { expires_at: credential.expiresAt }),
  };
  const facts = { tenant: tx.tenant, actor, subject: credential.id, payload };
  await tx.record(newEvent(type, facts, now));
  if (credential.expiresAt !== undefined && credential.revokedAt === undefined)
    await enqueueReminder(tx, credential.id, credential.expiresAt);
}

/** What a credential signs assertions with; a key is of one client and one purpose (K09). */
const keysOf = ({ proves }: Credential) =>
  proves.kind === "key" ? [{ purpose: "assertion", jwk: proves.jwk } as const] : [];

const keptOf = ({ id, proves, former, offered, expiresAt }: Credential): KeptCredential[] => [
  { id, ...proves, until: expiresAt },
  ...(former === undefined ? [] : [{ id, ...former.proves, until: earlier(former.until, expiresAt) }]),
  ...offered.map((digest) => ({ id, kind: "secret" as const, digest, until: expiresAt })),
];

const earlier = (a: Instant, b: Instant | undefined): Instant => (b !== undefined && b < a ? b : a);

export const reminderQueue = "credential_reminders";
const reminderMs = 7 * dayMs;

const enqueueReminder = (tx: TenantTx, id: Id<"credential">, end: Instant): Promise<void> =>
  enqueue(tx, {
    queue: reminderQueue,
    key: id,
    payload: { tenant: tx.tenant, credential: id },
    runAt: after(end, -reminderMs),
  });

/**
 * Says that a credential ends within a week: once for each end that it is given. "said" when it said so; while it is too
 * early, because the end was moved, the time to come again.
 */
export async function remindOf(
  tx: TenantTx,
  id: Id<"credential">,
  now: Instant,
): Promise<"said" | { readonly runAt: Instant } | undefined> {
  const credential = await rows.findCredential(tx, id);
  const { expiresAt } = credential ?? {};
  if (credential === undefined || expiresAt === undefined || credential.revokedAt !== undefined)
    return undefined;
  if (after(now, reminderMs) < expiresAt) return { runAt: after(expiresAt, -reminderMs) };
  if (!(await rows.remind(tx, id, expiresAt))) return undefined;
  const actor = { type: "system", id: "authorization-server" } as const;
  const payload = { agent: credential.agent, kind: credential.proves.kind, expires_at: expiresAt };
  await tx.record(newEvent("credential.expiring", { tenant: tx.tenant, actor, subject: id, payload }, now));
  return "said";
}

/** The tables of this room, by the kind of protection each has. */
export const credentialTables = { credentials: "tenant" } as const;
