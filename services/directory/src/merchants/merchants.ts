import { type Clock, type Id, type Instant, newId, secondMs } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, type EventType, newEvent, Problem } from "@remit/protocol";
import { merchantJwksPath } from "@remit/protocol/contracts";
import { decideKeys, isAmong, isNamedBy, type Jwks, type PendingKeys } from "./keys.ts";
import * as rows from "./merchants.sql.ts";
import { fetchJwks, fetchProof } from "./verification.ts";

/**
 * Somebody who sells at an origin. `verifiedAt` is set once the origin has proven its keys; `provenAt` once it has named
 * this merchant, which those verified before that was asked for still lack.
 */
export type Merchant = {
  readonly tenant: Id<"tenant">;
  readonly id: Id<"merchant">;
  readonly displayName: string;
  readonly origin: string;
  readonly clientId: string;
  readonly jwksUri: string;
  readonly jwks: Jwks;
  readonly pending?: PendingKeys;
  readonly catalogueUri?: string;
  readonly country: string;
  readonly currencies: readonly string[];
  readonly categories: readonly string[];
  readonly rails: readonly ("card" | "x402" | "test")[];
  readonly verifiedAt?: Instant;
  readonly provenAt?: Instant;
  readonly checkedAt?: Instant;
  readonly updatedAt: Instant;
};

export type NewMerchant = Pick<
  Merchant,
  | "displayName"
  | "origin"
  | "clientId"
  | "jwksUri"
  | "catalogueUri"
  | "country"
  | "currencies"
  | "categories"
  | "rails"
>;

export type Deps = { readonly db: Database; readonly outbound: Outbound; readonly clock: Clock };

/** How often strangers may make us fetch a merchant's keys. */
const cooldownMs = 30 * secondMs;

/** Writes the merchant as provisional: its origin can name it only once it has an id. One client is one merchant. */
export async function registerMerchant(deps: Deps, caller: Caller, given: NewMerchant): Promise<Merchant> {
  if (given.clientId !== caller.client)
    throw new Problem("client_not_allowed", { detail: "client_id must be the client that calls." });
  checkAddresses(given);
  const { tenant } = caller;
  const merchant: Merchant = {
    ...given,
    tenant,
    id: newId("merchant"),
    jwks: { keys: [] },
    updatedAt: deps.clock.now(),
  };
  await deps.db.of(tenant).transaction(async (tx) => {
    await rows.lockOrigin(tx, merchant.origin);
    if (!(await rows.insertMerchant(tx, merchant))) throw await notRegistered(tx, merchant);
    await record(tx, "merchant.registered", { merchant, actor: actorOf(caller) });
  });
  return merchant;
}

async function notRegistered(tx: TenantTx, { origin, clientId }: Merchant): Promise<Problem> {
  const here = await rows.findOwnMerchantAt(tx, origin);
  if (here !== undefined) return new Problem("merchant_origin_taken", { extra: { merchant_id: here.id } });
  const same = await rows.findOwnMerchantOf(tx, clientId);
  if (same !== undefined) return new Problem("merchant_client_taken", { extra: { merchant_id: same.id } });
  return new Problem("merchant_origin_taken");
}

/**
 * Fetches the merchant's keys again: for its owner at once, for anybody else (who met an unknown key) at most every 30 s.
 * Within that time the pinned copy is the answer.
 */
export async function verifyMerchant(deps: Deps, caller: Caller, id: Id<"merchant">): Promise<Merchant> {
  const known = await deps.db.of(caller.tenant).transaction((tx) => rows.findMerchant(tx, id));
  if (known === undefined) throw new Problem("not_found");
  const now = deps.clock.now();
  const before = known.tenant === caller.tenant ? now : ((now - cooldownMs) as Instant); // 30 s ago is an instant too
  const due = await deps.db.of(known.tenant).transaction((tx) => rows.beginCheck(tx, id, { now, before }));
  return due ? settled(await proveOrigin(deps, known, { actor: actorOf(caller) })) : known;
}

/**
 * A person of the merchant's own organization, who has just shown that it is them, says by their thumbprints which keys are
 * the merchant's from now on: what the origin serves is exactly these, and they count at once. So a shop whose only key was
 * stolen sells again as soon as it has another. Throws `merchant_keys_not_as_named`.
 */
export async function confirmKeys(
  deps: Deps,
  caller: Caller,
  { id, thumbprints }: { readonly id: Id<"merchant">; readonly thumbprints: readonly string[] },
): Promise<Merchant> {
  const known = await deps.db.of(caller.tenant).transaction((tx) => rows.findMerchant(tx, id));
  if (known === undefined || known.tenant !== caller.tenant) throw new Problem("not_found");
  return settled(await proveOrigin(deps, known, { actor: actorOf(caller), thumbprints }));
}

/**
 * Reads what an origin serves though nobody asked. Keys that it dropped end at once, and for that its own word is enough;
 * whatever is new it must prove as ever.
 */
export async function readAgain(deps: Deps, known: Merchant): Promise<void> {
  const served = await fetchJwks(deps.outbound, known);
  const actor: Actor = { type: "system", id: "directory" };
  if (!isAmong(served, known.jwks)) {
    await proveOrigin(deps, known, { actor });
    return;
  }
  await deps.db.of(known.tenant).transaction(async (tx) => {
    const merchant = await rows.lockMerchant(tx, known.id);
    if (!isAmong(served, merchant.jwks)) return;
    await keep(tx, { before: merchant, ...withKeys(merchant, served, { now: deps.clock.now() }) }, actor);
  });
}

type Proving = { readonly actor: Actor; readonly thumbprints?: readonly string[] };

/** The proof is fetched with no transaction open; what it changes is decided on the row as it is then. */
async function proveOrigin(deps: Deps, known: Merchant, { actor, thumbprints }: Proving): Promise<Merchant> {
  const served = await fetchProof(deps.outbound, known, deps.clock.now());
  if (thumbprints !== undefined && !isNamedBy(served, thumbprints))
    throw new Problem("merchant_keys_not_as_named");
  await displace(deps, actor, known);
  return deps.db.of(known.tenant).transaction(async (tx) => {
    await rows.lockOrigin(tx, known.origin);
    const merchant = await rows.lockMerchant(tx, known.id);
    if ((await rows.findHolder(tx, merchant)) !== undefined) throw new Problem("merchant_origin_taken");
    const now = deps.clock.now();
    const proven = merchant.provenAt === undefined ? { ...merchant, provenAt: now } : merchant;
    const next = withKeys(proven, served, { now, confirmed: thumbprints !== undefined });
    await keep(tx, { before: merchant, ...next }, actor);
    return next.merchant;
  });
}

async function keep(
  tx: TenantTx,
  next: { readonly before: Merchant; readonly merchant: Merchant; readonly event?: EventType },
  actor: Actor,
): Promise<void> {
  const { before, merchant, event } = next;
  if (merchant !== before) await rows.saveKeys(tx, merchant);
  if (event !== undefined) await record(tx, event, { merchant, actor });
}

function settled(merchant: Merchant): Merchant {
  if (merchant.pending !== undefined) throw keysReplaced(merchant.pending);
  return merchant;
}

/**
 * G06: an origin has named `owner`; whoever was verified there without ever being named gives way. One that was named
 * keeps the origin, since keys and merchants are not replaced behind anybody's back (G07).
 */
async function displace(deps: Deps, actor: Actor, owner: Merchant): Promise<void> {
  const holder = await deps.db.global.transaction((tx) => rows.findHolder(tx, owner));
  if (holder === undefined || holder.provenAt !== undefined) return;
  await deps.db.of(holder.tenant).transaction(async (tx) => {
    const { verifiedAt, provenAt, pending: _, ...rest } = await rows.lockMerchant(tx, holder.id);
    if (verifiedAt === undefined || provenAt !== undefined) return;
    const merchant: Merchant = { ...rest, jwks: { keys: [] }, updatedAt: deps.clock.now() };
    await rows.saveKeys(tx, merchant);
    await record(tx, "merchant.updated", { merchant, actor });
  });
}

/** The merchant once these keys were served at its origin, and what has happened to it by that. */
export function withKeys(
  merchant: Merchant,
  served: Jwks,
  { now, confirmed = false }: { readonly now: Instant; readonly confirmed?: boolean },
): { readonly merchant: Merchant; readonly event?: EventType } {
  const { pending, ...settled } = merchant;
  const decision = decideKeys(merchant.jwks, served, { now, pending, confirmed });
  switch (decision.kind) {
    case "noticed":
      if (decision.pending === pending) return { merchant };
      return {
        merchant: { ...settled, pending: decision.pending, updatedAt: now },
        event: "merchant.updated",
      };
    case "adopted":
      return {
        merchant: { ...settled, jwks: decision.jwks, verifiedAt: merchant.verifiedAt ?? now, updatedAt: now },
        event: merchant.verifiedAt === undefined ? "merchant.verified" : "merchant.updated",
      };
    case "unchanged":
      return pending === undefined
        ? { merchant }
        : { merchant: { ...settled, updatedAt: now }, event: "merchant.updated" };
  }
}

const keysReplaced = ({ since }: PendingKeys): Problem =>
  new Problem("merchant_keys_replaced", { private: { since }, extra: { pending: true } });

/**
 * The keys with which its offers are verified now. While keys wait for the notice period there are none: the origin serves
 * the pinned ones no more, and a key that its merchant has dropped may be one that was stolen.
 */
export const countingKeys = ({ jwks, pending }: Merchant): Jwks =>
  pending === undefined ? jwks : { keys: [] };

/** Keys at any other path of the origin may be those of somebody who was only allowed to upload a file there. */
function checkAddresses({ origin, jwksUri, catalogueUri }: NewMerchant): void {
  if (jwksUri !== origin + merchantJwksPath)
    throw new Problem("invalid_request", { detail: `jwks_uri must be ${merchantJwksPath} at the origin.` });
  if (new URL(catalogueUri ?? origin).origin !== origin)
    throw new Problem("invalid_request", { detail: "catalogue_uri must be at the merchant's origin." });
}

function record(
  tx: TenantTx,
  type: EventType,
  { merchant, actor }: { readonly merchant: Merchant; readonly actor: Actor },
): Promise<void> {
  const payload = {
    origin: merchant.origin,
    client_id: merchant.clientId,
    kids: countingKeys(merchant).keys.map((key) => key.kid ?? ""),
  };
  return tx.record(
    newEvent(type, { tenant: merchant.tenant, actor, subject: merchant.id, payload }, merchant.updatedAt),
  );
}

const actorOf = ({ actor: { type, id } }: Caller): Actor => ({
  type: type === "service" ? "system" : type,
  id,
});

export const pageOf = (
  db: Database,
  filter: rows.MerchantFilter,
  page: { readonly after: string; readonly limit: number },
): Promise<Merchant[]> => db.global.transaction((tx) => rows.listMerchants(tx, filter, page));

/** What an organization sells as, also where its origin has proven nothing yet. */
export const ownMerchants = (db: Database, tenant: Id<"tenant">, page: rows.OwnPage): Promise<Merchant[]> =>
  db.of(tenant).transaction((tx) => rows.listOwnMerchants(tx, page));

export async function findVerified(db: Database, id: Id<"merchant">): Promise<Merchant> {
  const merchant = await db.global.transaction((tx) => rows.findMerchant(tx, id));
  if (merchant === undefined) throw new Problem("not_found");
  return merchant;
}
