import { type Id, type Instant, newId } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx, Tx } from "@remit/platform/sql";
import { type Actor, type EventType, newEvent, Problem } from "@remit/protocol";
import type { ChangeIdentityProvider, CreateIdentityProvider } from "@remit/protocol/contracts";
import { tenantOfDomain } from "../email-domains/index.ts";
import { platformTenant } from "../tenants/index.ts";
import * as rows from "./identity-providers.sql.ts";

/** An upstream OpenID provider, and how far its word is taken. The operator's are for everybody. */
export type IdentityProvider = {
  readonly id: Id<"provider">;
  readonly tenant: Id<"tenant">;
  /** As its tenant wrote it, on the button. */
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly authMethod: "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  readonly sealedSecret: Uint8Array | undefined;
  readonly scopes: readonly string[];
  /** For whose addresses it speaks, if its tenant may (`speaksFor`). */
  readonly emailDomains: readonly string[];
  /** Whether a verified address joins a new subject to the account that has it. */
  readonly linkPolicy: "none" | "verified_email";
  /** Whether somebody new gets an account: not at all, at its domains, or once the tenant has said yes. */
  readonly jitPolicy: "off" | "domain" | "approval";
  readonly aal2AcrValues: readonly string[];
  readonly status: "active" | "suspended";
  readonly createdAt: Instant;
};

export type By = { readonly actor: Actor; readonly now: Instant };
type Deps = { readonly keyring: Keyring };

const perTenantMax = 20;
const offeredMax = 10;

/**
 * Whether it may vouch for addresses of a domain (seeds 4.6, made strict). A tenant's provider speaks for domains that the
 * operator gave to that very tenant, and says so itself: nobody's provider can assert somebody else's mailbox. The
 * operator's speaks for those it lists, `*` being all that belong to no tenant.
 */
export const speaksFor = (
  { tenant, emailDomains }: Pick<IdentityProvider, "tenant" | "emailDomains">,
  domain: string,
  owner: Id<"tenant"> | undefined,
): boolean =>
  tenant === platformTenant
    ? emailDomains.includes(domain) || (emailDomains.includes("*") && owner === undefined)
    : owner === tenant && emailDomains.includes(domain);

/** Writes a provider whose discovery was read. Throws `invalid_request` for domains that are not the tenant's. */
export async function createProvider(
  deps: Deps,
  tx: TenantTx,
  { actor, now, ...wanted }: CreateIdentityProvider & By,
): Promise<IdentityProvider> {
  const emailDomains = await checkedDomains(tx, wanted.email_domains);
  const id = newId("provider");
  const provider: IdentityProvider = {
    id,
    tenant: tx.tenant,
    name: wanted.name,
    issuer: wanted.issuer,
    clientId: wanted.client_id,
    ...(await authenticationOf(deps, tx, { id, given: wanted.client_authentication })),
    scopes: [...new Set(wanted.scopes)],
    emailDomains,
    linkPolicy: wanted.link_policy,
    jitPolicy: wanted.jit_policy,
    aal2AcrValues: wanted.aal2_acr_values,
    status: "active",
    createdAt: now,
  };
  if (!(await rows.insertProvider(tx, provider, perTenantMax)))
    throw refused(`An organization has at most ${perTenantMax} identity providers.`);
  await record(tx, "identity_provider.created", { provider, actor, now });
  return provider;
}

/** Changes what is named. It counts from the next sign-in on; a suspended one signs nobody in. */
export async function changeProvider(
  deps: Deps,
  tx: TenantTx,
  { id, actor, now, ...change }: ChangeIdentityProvider & By & { id: Id<"provider"> },
): Promise<IdentityProvider> {
  const before = await rows.findProvider(tx, id, "update");
  if (before === undefined) throw unknownProvider();
  const given = change.client_authentication;
  const provider: IdentityProvider = {
    ...before,
    ...(given === undefined ? {} : await authenticationOf(deps, tx, { id, given })),
    name: change.name ?? before.name,
    status: change.status ?? before.status,
    scopes: change.scopes === undefined ? before.scopes : [...new Set(change.scopes)],
    emailDomains:
      change.email_domains === undefined
        ? before.emailDomains
        : await checkedDomains(tx, change.email_domains),
    linkPolicy: change.link_policy ?? before.linkPolicy,
    jitPolicy: change.jit_policy ?? before.jitPolicy,
    aal2AcrValues: change.aal2_acr_values ?? before.aal2AcrValues,
  };
  await rows.saveProvider(tx, provider, now);
  await record(tx, "identity_provider.changed", { provider, actor, now });
  return provider;
}

/** Removes it and its secret. */
export async function removeProvider(
  { keyring }: Deps,
  tx: TenantTx,
  { id, actor, now }: By & { id: Id<"provider"> },
): Promise<void> {
  const provider = await rows.deleteProvider(tx, id);
  if (provider === undefined) throw unknownProvider();
  if (provider.sealedSecret !== undefined) await keyring.shred(tx, scopeOf(id));
  await record(tx, "identity_provider.removed", { provider, actor, now });
}

/** The provider of this tenant; `not_found` for another's and for none. */
export async function ownProvider(tx: TenantTx, id: Id<"provider">): Promise<IdentityProvider> {
  const provider = await rows.findProvider(tx, id);
  if (provider === undefined) throw unknownProvider();
  return provider;
}

export const providersOf = rows.listProviders;

/** Whoever's it is, when it and its organization are active; undefined otherwise. */
export async function providerById(db: Database, id: Id<"provider">): Promise<IdentityProvider | undefined> {
  const tenant = await rows.tenantOfProvider(db.single, id);
  return tenant && db.of(tenant).transaction((tx) => rows.findActive(tx, id));
}

/** What this tenant offers people to sign in with. */
export const activeProviders = (db: Database, tenant: Id<"tenant">): Promise<IdentityProvider[]> =>
  db.of(tenant).transaction((tx) => rows.listActive(tx, offeredMax));

/** Keeps it and its organization as they are until the transaction ends; false when one is not active any more. */
export const stillActive = async (tx: TenantTx, id: Id<"provider">): Promise<boolean> =>
  (await rows.findActive(tx, id, "share")) !== undefined;

/** The client secret, for a request to the provider and for nothing else. */
export async function secretOf(
  { keyring }: Deps,
  tx: Tx,
  { id, sealedSecret }: IdentityProvider,
): Promise<string | undefined> {
  const sealed = sealedSecret && { sealed: sealedSecret, aad: aadOf(id) };
  const plaintext = sealed && (await keyring.open(tx, scopeOf(id), sealed));
  return plaintext && Buffer.from(plaintext).toString("utf8");
}

const scopeOf = (id: string): string => `identity-provider:${id}`;
const aadOf = (id: string): string => `identity_providers.sealed_secret:${id}`;

async function authenticationOf(
  { keyring }: Deps,
  tx: Tx,
  { id, given }: { id: Id<"provider">; given: CreateIdentityProvider["client_authentication"] },
): Promise<Pick<IdentityProvider, "authMethod" | "sealedSecret">> {
  if (given.method === "private_key_jwt") return { authMethod: given.method, sealedSecret: undefined };
  const plaintext = Buffer.from(given.client_secret, "utf8");
  const sealedSecret = await keyring.seal(tx, scopeOf(id), { plaintext, aad: aadOf(id) });
  return { authMethod: given.method, sealedSecret };
}

async function checkedDomains(tx: TenantTx, domains: readonly string[]): Promise<string[]> {
  const wanted = [...new Set(domains)];
  if (tx.tenant === platformTenant) return wanted;
  for (const domain of wanted)
    if (domain === "*" || (await tenantOfDomain(tx, domain)) !== tx.tenant)
      throw refused(
        `email_domains: ${domain} is not a domain of this organization. The operator assigns them.`,
      );
  return wanted;
}

const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
const unknownProvider = (): Problem =>
  new Problem("not_found", { detail: "There is no such identity provider." });

async function record(
  tx: TenantTx,
  type: Extract<EventType, `identity_provider.${string}`>,
  { provider, actor, now }: By & { readonly provider: IdentityProvider },
): Promise<void> {
  const { issuer, status, linkPolicy, jitPolicy, emailDomains } = provider;
  const payload = {
    issuer,
    status,
    link_policy: linkPolicy,
    jit_policy: jitPolicy,
    email_domains: [...emailDomains],
  };
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: provider.id, payload }, now));
}

/** The tables of this room, by the kind of protection each has. */
export const identityProviderTables = { identity_providers: "tenant" } as const;
