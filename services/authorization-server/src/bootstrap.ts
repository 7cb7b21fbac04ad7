import { type Clock, type Id, invariant, parseId } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type PublicJwk, parsePublicJwk, type Scope } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { Account, Accounts } from "./accounts/index.ts";
import {
  clientById,
  operatorScopes,
  registerAdmin,
  type Secrets,
  saveWallet,
  scopesOf,
} from "./clients/index.ts";
import { createTenant, newTenantId, platformTenant } from "./tenants/index.ts";

/** What the first start of an installation sets up. There is no HTTP door to this. */
export type Bootstrap = {
  readonly tenant: { readonly name: string };
  readonly principal: { readonly email: string; readonly name: string; readonly password: string };
  /** The secret of the tenant's first management client: at least 256 random bits, made and kept by the caller. */
  readonly admin: { readonly clientSecret: string; readonly scopes?: readonly Scope[] };
  /** The secret of the operator's client, made and kept by the caller as above: it may rotate and revoke keys. */
  readonly operator?: { readonly clientSecret: string };
  /**
   * The first-party wallet: its assertion key, where it waits, where people go who sign out in it, and where it hears that
   * a session has ended (OIDC RP-Initiated Logout 1.0 §3.1, Back-Channel Logout 1.0 §2.2).
   */
  readonly wallet?: {
    readonly jwks: { readonly keys: readonly PublicJwk[] };
    readonly redirectUris: readonly string[];
    readonly postLogoutRedirectUris?: readonly string[];
    readonly backchannelLogoutUri?: string;
  };
};

export type Bootstrapped = {
  readonly tenant: Id<"tenant">;
  readonly account: Id<"account">;
  readonly admin: { readonly clientId: Id<"client"> };
  readonly operator?: { readonly clientId: Id<"client"> };
};

type Deps = {
  readonly db: Database;
  readonly accounts: Accounts;
  readonly secrets: Secrets;
  readonly clock: Clock;
};

/** Sets up tenant, principal, management client and wallet; a second time it finds what is there and returns it. */
export async function bootstrap(deps: Deps, wanted: Bootstrap): Promise<Bootstrapped> {
  const { accounts } = deps;
  const known = await accounts.byEmail(wanted.principal.email);
  const tenant = known?.home ?? newTenantId();
  const account = known ?? (await createPrincipal(deps, tenant, wanted));
  const clientId = await ensureAdmin(deps, tenant, wanted.admin);
  if (wanted.wallet !== undefined) await ensureWallet(deps, wanted.wallet);
  const bootstrapped = { tenant, account: account.id, admin: { clientId } };
  if (wanted.operator === undefined) return bootstrapped;
  const scopes = operatorScopes;
  const operator = await ensureAdmin(deps, platformTenant, { ...wanted.operator, name: "Operator", scopes });
  return { ...bootstrapped, operator: { clientId: operator } };
}

async function createPrincipal(
  { db, accounts, clock }: Deps,
  tenant: Id<"tenant">,
  { principal, tenant: { name } }: Bootstrap,
): Promise<Account> {
  const password = await accounts.preparePassword(principal.password);
  return db.of(tenant).transaction(async (tx) => {
    const now = clock.now();
    await createTenant(tx, { name, kind: "personal", now });
    return accounts.create(tx, { ...principal, password }, now);
  });
}

async function ensureAdmin(
  { db, secrets, clock }: Deps,
  tenant: Id<"tenant">,
  { clientSecret, scopes = scopesOf.admin, name = "Management" }: Bootstrap["admin"] & { name?: string },
): Promise<Id<"client">> {
  const id = idFor(tenant);
  if ((await clientById(db, id)) !== undefined) return id;
  const secretDigest = secrets.digest(clientSecret);
  const admin = { id, name, scopes, secretDigest, now: clock.now() };
  await db.of(tenant).transaction((tx) => registerAdmin(tx, admin));
  return id;
}

/** One per tenant, so its id follows from the tenant's: what a crash interrupted is found again. */
function idFor(tenant: Id<"tenant">): Id<"client"> {
  const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  const body = [...sha256(`management client of ${tenant}`)].slice(0, 25).map((byte) => alphabet[byte & 31]);
  const id = parseId("client", `cli_0${body.join("")}`);
  invariant(id !== undefined, "a derived client id is well formed");
  return id;
}

async function ensureWallet({ db, clock }: Deps, wallet: NonNullable<Bootstrap["wallet"]>): Promise<void> {
  const assertionJwk = parsePublicJwk(wallet.jwks.keys[0]);
  invariant(assertionJwk !== undefined, "the wallet's first key is a public one");
  const { redirectUris, postLogoutRedirectUris: home, backchannelLogoutUri: heard } = wallet;
  const logout = {
    ...(home === undefined ? {} : { post_logout_redirect_uris: home }),
    ...(heard === undefined ? {} : { backchannel_logout_uri: heard }),
  };
  const row = { assertionJwk, redirectUris, logout, now: clock.now() };
  await db.of(platformTenant).transaction((tx) => saveWallet(tx, row));
}
