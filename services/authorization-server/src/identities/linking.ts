import { type Id, type Instant, newId } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, Sql, TenantTx } from "@remit/platform/sql";
import { newEvent } from "@remit/protocol";
import type { Account, Accounts } from "../accounts/index.ts";
import { domainOf, tenantOfDomain } from "../email-domains/index.ts";
import { type IdentityProvider, type Said, speaksFor } from "../identity-providers/index.ts";
import type { Post } from "../mail/index.ts";
import { platformTenant } from "../tenants/index.ts";
import * as rows from "./identities.sql.ts";

/** Who came back from a provider, and what it said. */
export type Came = { readonly provider: IdentityProvider; readonly said: Said };

export type IdentityDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly accounts: Accounts;
  readonly post: Post;
  /** Whether this person has a passkey, in the transaction that depends on it. */
  readonly hasPasskey: (tx: Sql, account: Id<"account">) => Promise<boolean>;
};

export type Context = IdentityDeps & { readonly digestOf: (came: Came) => Uint8Array };

/** Whether an account is one of the provider's people: the operator's providers are everybody's. */
export const isOf = async (
  { db, accounts }: Pick<Context, "db" | "accounts">,
  { tenant }: IdentityProvider,
  account: Id<"account">,
): Promise<boolean> =>
  tenant === platformTenant || db.of(tenant).transaction((tx) => accounts.isMember(tx, account));

/** Whether the provider may vouch for addresses like the one that it named. */
export async function speaksForAddress(
  { db }: Pick<Context, "db">,
  { provider, said }: Came,
): Promise<boolean> {
  const domain = said.email === undefined ? undefined : domainOf(said.email);
  if (domain === undefined) return false;
  return speaksFor(provider, domain, await db.global.transaction((tx) => tenantOfDomain(tx, domain)));
}

/**
 * Whether the address may be taken for that of whoever came, as far as a person's yes goes: verified, or of a tenant's own
 * directory, in which its people do not choose it. Else anybody could type somebody's address at a provider, leave that
 * browser signed in there, and have its owner say yes to them.
 */
export const isTheirs = async (context: Pick<Context, "db">, came: Came): Promise<boolean> =>
  came.said.email !== undefined &&
  (came.said.emailVerified ||
    (came.provider.tenant !== platformTenant && (await speaksForAddress(context, came))));

/** The row and its event; false when somebody else was faster. */
export async function writeIdentity(
  { keyring, digestOf }: Context,
  tx: TenantTx,
  { came, account, now }: { came: Came; account: Pick<Account, "id" | "home">; now: Instant },
): Promise<boolean> {
  const id = newId("identity");
  const { provider, said } = came;
  const known: Known = { subject: said.subject, email: said.email ?? null, provider: provider.name };
  const plaintext = Buffer.from(JSON.stringify(known), "utf8");
  const sealed = await keyring.seal(tx, scopeOf(account.id), { plaintext, aad: aadOf(id) });
  const row = { id, provider: provider.id, subjectDigest: digestOf(came), account: account.id, sealed };
  if (!(await rows.insertIdentity(tx, { ...row, createdAt: now }))) return false;
  await tx.record(newEvent("identity.linked", factsOf(account, row), now));
  return true;
}

/**
 * Whether somebody may sign in at a provider: then their passkey is not the last way. What is linked at a suspended provider
 * or organization, or at one that they left, is no way in.
 */
export const hasIdentity = rows.hasUsable;

export type Known = { readonly subject: string; readonly email: string | null; readonly provider: string };
export const scopeOf = (account: string): string => `account:${account}`;
export const aadOf = (id: string): string => `identities.sealed:${id}`;

export const factsOf = (
  { id, home }: Pick<Account, "id" | "home">,
  row: Pick<rows.IdentityRow, "id" | "provider">,
) => ({
  tenant: home,
  actor: { type: "account", id } as const,
  subject: id,
  payload: { identity: row.id, provider: row.provider },
});
