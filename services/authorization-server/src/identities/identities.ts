import { createHmac } from "node:crypto";
import { type Id, type Instant, invariant } from "@remit/kernel";
import type { TenantTx, Tx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import type { Account } from "../accounts/index.ts";
import { domainOf, tenantOfDomain } from "../email-domains/index.ts";
import { speaksFor } from "../identity-providers/index.ts";
import { changes, letters } from "../mail/index.ts";
import { platformTenant } from "../tenants/index.ts";
import { dropAdmissionsAt } from "./admissions.ts";
import { type Arrival, arrive } from "./arrive.ts";
import * as rows from "./identities.sql.ts";
import {
  aadOf,
  type Came,
  type Context,
  factsOf,
  hasIdentity,
  type IdentityDeps,
  isOf,
  isTheirs,
  type Known,
  scopeOf,
  writeIdentity,
} from "./linking.ts";

/** Somebody's subject at an upstream provider, with which they sign in to their account here. */
export type Identity = {
  readonly id: Id<"identity">;
  readonly provider: Id<"provider">;
  readonly providerName: string;
  /** The address that the provider named when it was linked, if it named one. */
  readonly email: string | undefined;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant | undefined;
};

export type Identities = {
  /** Who that is; an account is linked or made where the rules say so, at most once however many come at a time. */
  arrive(came: Came, at: { known: boolean; now: Instant }): Promise<Arrival>;
  /** Whether this person, who has just shown that the account is theirs, may link what came to it. */
  mayLink(came: Came, account: Account): Promise<boolean>;
  /** Links it, in the transaction of the person's yes. Throws when somebody else was faster. */
  link(tx: TenantTx, came: Came, to: { account: Account; now: Instant }): Promise<void>;
  /** Whether the provider's word for a second factor counts for this account. */
  vouchesForSecond(came: Came, account: Account): Promise<boolean>;
  of(account: Id<"account">): Promise<Identity[]>;
  /** Whether another of theirs lets them in. */
  hasBeside(account: Id<"account">, id: Id<"identity">): Promise<boolean>;
  /** Takes one away; refuses to take the last way to sign in. */
  unlink(tx: TenantTx, account: Account, given: { id: Id<"identity">; now: Instant }): Promise<void>;
};

export function createIdentities(deps: IdentityDeps): Identities {
  const key = deps.keyring.derive("identities");
  const context: Context = {
    ...deps,
    // One provider's subject says nothing of the same text at another (OIDC Core §5.7).
    digestOf: ({ provider, said }) =>
      createHmac("sha256", key)
        .update(JSON.stringify([provider.id, said.subject]))
        .digest(),
  };
  return {
    arrive: (came, at) => arrive(context, came, at),
    mayLink: (came, account) => mayLink(context, came, account),
    link: (tx, came, to) => link(context, tx, { came, ...to }),
    vouchesForSecond: (came, account) => vouchesForSecond(context, came, account),
    of: (account) =>
      deps.db.global.transaction(async (tx) => {
        const found = await rows.identitiesOfAccount(tx, account);
        return Promise.all(found.map((row) => open(context, tx, row)));
      }),
    hasBeside: (account, id) => rows.hasUsable(deps.db.single, account, id),
    unlink: (tx, account, given) => unlink(context, tx, { account, ...given }),
  };
}

/** For a recovery: who else had linked one signs in with it no more, nor links it again by the address alone. No letter: that of the recovery says it. */
export async function unlinkAll(
  tx: TenantTx,
  { account, now }: { account: Id<"account">; now: Instant },
): Promise<void> {
  for (const row of await rows.unlinkIdentities(tx, { account, now }))
    await tx.record(newEvent("identity.unlinked", factsOf({ id: account, home: tx.tenant }, row), now));
}

/** With a provider go its identities, and those who wait for it. */
export async function forgetProvider(tx: TenantTx, provider: Id<"provider">): Promise<void> {
  await rows.deleteIdentitiesAt(tx, provider);
  await dropAdmissionsAt(tx, provider);
}

/**
 * The account must have the very address, as `isTheirs` says, belong to the provider's tenant, and have no other subject there. A provider
 * that a stranger set up never gets near an account, whatever its owner is talked into.
 */
async function mayLink(context: Context, came: Came, account: Account): Promise<boolean> {
  const { provider, said } = came;
  const { accounts, db } = context;
  const same = said.email !== undefined && accounts.digestOf(said.email) === accounts.digestOf(account.email);
  if (!same || !(await isTheirs(context, came)) || !(await isOf(context, provider, account.id))) return false;
  const others = await db.global.transaction((tx) => rows.identitiesOfAccount(tx, account.id));
  return others.every((other) => other.provider !== provider.id);
}

/** A tenant says only of people with an address of its own that it asked them for two factors. */
async function vouchesForSecond(
  { db }: Context,
  { provider, said }: Came,
  account: Account,
): Promise<boolean> {
  if (!said.second) return false;
  if (provider.tenant === platformTenant) return true;
  const domain = domainOf(account.email);
  const owner =
    domain === undefined ? undefined : await db.global.transaction((tx) => tenantOfDomain(tx, domain));
  return domain !== undefined && speaksFor(provider, domain, owner);
}

async function link(
  context: Context,
  tx: TenantTx,
  { came, account, now }: { came: Came; account: Account; now: Instant },
): Promise<void> {
  if (!(await writeIdentity(context, tx, { came, account, now })))
    throw new Problem("invalid_request", {
      detail: "This sign-in was linked elsewhere meanwhile. Begin again.",
    });
  await rows.forgetUnlinked(tx, { provider: came.provider.id, account: account.id });
  await context.post.send(tx, letters.changed({ to: account.email, what: changes.identityLinked }));
}

async function unlink(
  { accounts, post, hasPasskey }: Context,
  tx: TenantTx,
  { account, id, now }: { account: Account; id: Id<"identity">; now: Instant },
): Promise<void> {
  // Of two ways removed at once the second sees that the first is gone.
  const { hasPassword } = await accounts.lock(tx, account.id);
  const [row] = await rows.unlinkIdentities(tx, { id, account: account.id, now });
  if (row === undefined) throw new Problem("not_found", { detail: "This is not linked to your account." });
  if (!hasPassword && !(await hasPasskey(tx, account.id)) && !(await hasIdentity(tx, account.id)))
    throw new Problem("invalid_request", {
      detail: "This is the only way into the account. Add another first.",
    });
  await tx.record(newEvent("identity.unlinked", factsOf(account, row), now));
  await post.send(tx, letters.changed({ to: account.email, what: changes.identityUnlinked }));
}

async function open({ keyring }: Context, tx: Tx, row: rows.IdentityRow): Promise<Identity> {
  const { id, account, sealed, provider, createdAt, lastUsedAt } = row;
  const plaintext = await keyring.open(tx, scopeOf(account), { sealed, aad: aadOf(id) });
  invariant(plaintext !== undefined, "an erased account is asked for no identities");
  // Sealed by us under this very row.
  const known = JSON.parse(Buffer.from(plaintext).toString("utf8")) as Known;
  return {
    id,
    provider,
    providerName: known.provider,
    email: known.email ?? undefined,
    createdAt,
    lastUsedAt,
  };
}

/** The tables of this room, by the kind of protection each has. */
export const identityTables = {
  identities: "global",
  unlinked_identities: "global",
  admissions: "tenant",
} as const;
