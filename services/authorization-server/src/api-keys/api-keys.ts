import { after, dayMs, type Id, type Instant, newId } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, Problem, type Scope } from "@remit/protocol";
import {
  type Admin,
  adminById,
  adminsOf,
  disableAdmin,
  liveAdmins,
  registerAdmin,
  replaceSecret,
  type Secrets,
} from "../clients/index.ts";
import { lastUsesOf } from "../requests/index.ts";
import { platformTenant } from "../tenants/index.ts";
import { revokeTokensIssued } from "../tokens/index.ts";

/** A management client of an organization, as its people see it: a program's way to manage it. */
export type ApiKey = Admin & { readonly lastUsedAt: Instant | undefined };

export type ApiKeyDeps = { readonly db: Database; readonly secrets: Secrets };
export type By = { readonly actor: Actor; readonly now: Instant };

/** As many as an organization may have at once. */
export const liveMax = 50;
/** Longer than any token lasts that a key was given. */
const revokedMs = dayMs;
const endsWith = (secret: string): string => secret.slice(-4);

type Issued = { readonly key: ApiKey; readonly secret: string };

/** Makes a key; its secret is returned this once and kept as a digest. */
export function createApiKey(
  { db, secrets }: ApiKeyDeps,
  tenant: Id<"tenant">,
  { name, scopes, actor, now }: By & { readonly name: string; readonly scopes: readonly Scope[] },
): Promise<Issued> {
  ownersOnly(tenant);
  const [id, secret] = [newId("client"), secrets.issue()];
  return db.of(tenant).transaction(async (tx) => {
    if ((await liveAdmins(tx)) >= liveMax)
      throw new Problem("invalid_request", {
        detail: `An organization has at most ${liveMax} keys: revoke one first.`,
      });
    const secretDigest = secrets.digest(secret);
    await registerAdmin(tx, { id, name, scopes, secretDigest, secretEnds: endsWith(secret), by: actor, now });
    return { key: await keyOf(tx, id), secret };
  });
}

/** Gives a key another secret. The former opens nothing any more, and what it was given ends. */
export function rotateApiKey(
  { db, secrets }: ApiKeyDeps,
  { tenant, id }: Named,
  { actor, now }: By,
): Promise<Issued> {
  ownersOnly(tenant);
  const secret = secrets.issue();
  return db.of(tenant).transaction(async (tx) => {
    const next = { secretDigest: secrets.digest(secret), secretEnds: endsWith(secret), by: actor, now };
    if ((await replaceSecret(tx, id, next)) === undefined) throw await refusalOf(tx, id);
    await endTokens(tx, id, now);
    return { key: await keyOf(tx, id), secret };
  });
}

/** Ends a key for good, with what it was given. A second time changes nothing. */
export async function revokeApiKey(
  { db }: ApiKeyDeps,
  { tenant, id }: Named,
  { actor, now }: By,
): Promise<void> {
  ownersOnly(tenant);
  await db.of(tenant).transaction(async (tx) => {
    if ((await disableAdmin(tx, id, { by: actor, now })) !== undefined) return endTokens(tx, id, now);
    if ((await adminById(tx, id)) === undefined) throw unknown();
  });
}

/** Newest first. */
export const apiKeysOf = (
  { db }: ApiKeyDeps,
  tenant: Id<"tenant">,
  page: { readonly limit: number; readonly before: Id<"client"> | undefined },
): Promise<ApiKey[]> =>
  db.of(tenant).transaction(async (tx) => {
    const found = await adminsOf(tx, page);
    const uses = await lastUsesOf(
      tx,
      found.map(({ id }) => id),
    );
    return found.map((one) => ({ ...one, lastUsedAt: uses.get(one.id) }));
  });

export type Named = { readonly tenant: Id<"tenant">; readonly id: Id<"client"> };

async function keyOf(tx: TenantTx, id: Id<"client">): Promise<ApiKey> {
  const found = await adminById(tx, id);
  if (found === undefined) throw unknown();
  return { ...found, lastUsedAt: (await lastUsesOf(tx, [id])).get(id) };
}

const endTokens = (tx: TenantTx, id: Id<"client">, now: Instant): Promise<void> =>
  revokeTokensIssued(tx, `client:${id}`, { until: after(now, revokedMs), issuedUntil: now });

const refusalOf = async (tx: TenantTx, id: Id<"client">): Promise<Problem> =>
  (await adminById(tx, id)) === undefined ? unknown() : new Problem("credential_ended");

const unknown = (): Problem => new Problem("not_found", { detail: "There is no such API key." });

/** Whoever runs the installation keeps its key in its own file: revoked here, nobody could make another. */
function ownersOnly(tenant: Id<"tenant">): void {
  if (tenant === platformTenant)
    throw new Problem("forbidden", { detail: "The operator's key is set up with the installation." });
}
