import { type Clock, dayMs, minuteMs, parseId, secondMs } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Misuses } from "@remit/platform/misuse";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { areAboutPurchase, mandateDetailsType, purchaseDetailsType } from "@remit/protocol";
import type { Accounts } from "../accounts/index.ts";
import { acrs } from "../assurance/index.ts";
import { operatorScopes, ownScopes, type PeerSetting, scopesOf } from "../clients/index.ts";
import type { Factors } from "../factors/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import type { Quotas } from "../quotas/index.ts";
import { absoluteMs, idleMs, type Sessions } from "../sessions/index.ts";
import { checkSession } from "./adapter.ts";
import { type CibaDeps, cibaFeature, requestedExpiryMaxS } from "./ciba.ts";
import { extraClaims, pairwiseIdentifier, pairwiseSubject, subjectKeyOf } from "./claims.ts";
import { extraMembers } from "./client-metadata.ts";
import { type DevicePages, deviceFeature } from "./device.ts";
import { checkMandateRequest, guardAssertion } from "./guards.ts";
import type { KeysAtUri } from "./keys-at-uri.ts";
import { endSessionPath, rpInitiatedLogout } from "./logout.ts";
import { purchaseAskedIn, secondsLeft, validatePurchase } from "./purchases.ts";
import { refreshLifeS } from "./refresh-rules.ts";
import { createResources } from "./resources.ts";
import {
  type Adapter,
  type ClientEntity,
  type Ctx,
  errors,
  grantedDetails,
  grantFor,
  type Payload,
  type SessionEntity,
  type TokenEntity,
} from "./seam.ts";
import { signInPolicy } from "./sign-in-policy.ts";
import { type HeldKeys, heldKeys } from "./signing.ts";

export type CoreDeps = {
  readonly issuer: string;
  readonly livemode: boolean;
  readonly db: Database;
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly keys: IssuerKeys;
  readonly accounts: Accounts;
  readonly factors: Pick<Factors, "hasSecond">;
  readonly outbound: Pick<Outbound, "fetch">;
  readonly peers: readonly PeerSetting[];
  readonly quotas: Quotas;
  readonly misuses: Misuses;
  readonly keysAtUri: KeysAtUri;
  readonly adapter: (model: string) => Adapter;
  readonly sessions: Sessions;
  readonly devicePages: DevicePages;
  readonly approvals: CibaDeps["approvals"];
  readonly mandates: CibaDeps["mandates"];
  readonly errorPage: (description: string) => {
    readonly html: string;
    readonly headers: Readonly<Record<string, string>>;
  };
};

const seconds = (ms: number): number => ms / secondMs;
const familyMs = 30 * dayMs;

export const dpopNonceSecret = (keyring: Keyring): Uint8Array => keyring.derive("dpop-nonce-oauth");

export const interactionPath = (uid: string): string => `/oauth/interactions/${uid}`;

const oauthPaths = {
  authorization: "/oauth/authorize",
  pushed_authorization_request: "/oauth/par",
  token: "/oauth/token",
  revocation: "/oauth/revoke",
  introspection: "/oauth/introspect",
  userinfo: "/oauth/userinfo",
  registration: "/oauth/register",
  jwks: "/oauth/jwks.json",
  end_session: endSessionPath,
  backchannel_authentication: "/oauth/bc-authorize",
  device_authorization: "/oauth/device",
  code_verification: "/device",
} as const;

/** How the core behaves: design section 5 in its words. Everything that is off by default in it stays off. */
export function configurationOf(deps: CoreDeps): object {
  const { issuer, clock, keyring } = deps;
  const claims = { ...deps, subjectKey: subjectKeyOf(keyring) };
  const held = heldKeys(deps.keys);
  return {
    adapter: deps.adapter,
    jwks: { keys: held.all },
    routes: oauthPaths,
    cookies: cookies(deps),
    responseTypes: ["code"],
    scopes: [...new Set([...Object.values(scopesOf).flat(), ...operatorScopes, ...ownScopes])],
    claims: { openid: ["sub", "acr", "amr", "auth_time"], email: ["email"], profile: ["name"] },
    // `none` is for public applications, and for an agent whose jwt-bearer assertion says who it is.
    clientAuthMethods: ["private_key_jwt", "client_secret_basic", "client_secret_post", "none"],
    subjectTypes: ["public", "pairwise"],
    pairwiseIdentifier: pairwiseIdentifier(claims),
    sectorIdentifierUriValidate: () => false, // It was, when the client registered.
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    extraClientMetadata: { properties: extraMembers, validator: () => {} },
    enabledJWA: {
      clientAuthSigningAlgValues: ["ES256", "EdDSA", "Ed25519"],
      idTokenSigningAlgValues: ["ES256", "EdDSA"],
      dPoPSigningAlgValues: ["ES256", "EdDSA", "Ed25519"],
    },
    pkce: { required: () => true },
    // Callers prove themselves by keys and never by what a browser holds, so an agent may run in a page.
    clientBasedCORS: () => true,
    assertJwtClientAuthClaimsAndHeader: guardAssertion({ ...deps, tokenEndpoint: `${issuer}/oauth/token` }),
    rotateRefreshToken: rotates(deps),
    issueRefreshToken: givesRefreshToken,
    expiresWithSession: async () => false,
    findAccount: findAccount(deps.accounts),
    extraTokenClaims: extraClaims(claims),
    formats: { customizers: { jwt: pairwiseSubject(claims) } },
    acrValues: acrs,
    interactions: {
      url: async (_: Ctx, { uid }: { uid: string }) => interactionPath(uid),
      policy: signInPolicy({ livemode: deps.livemode, hasSecond: hasSecond(deps) }),
    },
    loadExistingGrant: grantFor,
    ttl: lifetimes(clock),
    features: features(deps, held),
    fetch: deps.outbound.fetch,
    fetchResponseBodyLimits: { jwks_uri: 65_536 },
    renderError: (ctx: Ctx, out: { error: string; error_description?: string }) => {
      const { html, headers } = deps.errorPage(out.error_description ?? out.error);
      ctx.type = "html";
      for (const [name, value] of Object.entries(headers)) ctx.set(name, value);
      ctx.body = html;
    },
    discovery: discovery(deps),
  };
}

/** What metadata says beyond what the core knows of itself. */
/** What the core does not say of itself in metadata (RFC 8414 §2, OpenID Discovery §3). */
const discovery = ({ issuer, peers }: CoreDeps): object => ({
  resource_indicators_supported: true,
  // Identity assertion grant §7: redeemed here, and issued here for others.
  authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
  identity_chaining_requested_token_types_supported: ["urn:ietf:params:oauth:token-type:id-jag"],
  // Delivered by our own jobs (sessions room), so the core need not know.
  backchannel_logout_supported: true,
  backchannel_logout_session_supported: true,
  registration_endpoint: `${issuer}${oauthPaths.registration}`,
  introspection_signing_alg_values_supported: ["ES256"],
  // RFC 9728 §4: our own services that take our tokens.
  protected_resources: [issuer, ...peers.map(({ origin }) => origin)],
  client_id_metadata_document_supported: true,
  claim_types_supported: ["normal"],
  display_values_supported: ["page"],
  prompt_values_supported: ["none", "login", "consent"],
  ui_locales_supported: ["en"],
  request_parameter_supported: false,
  service_documentation: `${issuer}/openapi.json`,
});

function features(deps: CoreDeps, { accessKid }: HeldKeys): object {
  const { issuer, keyring, peers, clock } = deps;
  const resources = createResources({ issuer, peers, kid: () => accessKid });
  return {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    // The core authenticates who asks; what to answer is decided in the room of tokens (about-tokens.ts).
    introspection: { enabled: true, allowedPolicy: async () => false },
    revocation: { enabled: true, allowedPolicy: async () => false },
    rpInitiatedLogout,
    userinfo: { enabled: true },
    claimsParameter: { enabled: true },
    // Agents, merchants, our own services and FAPI clients must push; an application may say that it does.
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: false },
    fapi: {
      enabled: true,
      profile: (_: Ctx, client?: ClientEntity) => (client?.remit_profile === "fapi2" ? "2.0" : undefined),
    },
    requestObjects: { enabled: false },
    ciba: cibaFeature(deps),
    deviceFlow: deviceFeature(deps.devicePages),
    externalSigningSupport: { enabled: true, ack: "experimental-01" },
    dPoP: {
      enabled: true,
      nonceSecret: Buffer.from(dpopNonceSecret(keyring)),
      requireNonce: () => true,
      allowReplay: false,
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: resources.defaultOf,
      getResourceServerInfo: resources.infoOf,
      useGrantedResource: async () => true,
    },
    richAuthorizationRequests: {
      enabled: true,
      types: {
        [mandateDetailsType]: { validate: validateDetails(clock) },
        [purchaseDetailsType]: { validate: validatePurchase(deps) },
      },
      authorizationDetailsForGrantSource: async (ctx: Ctx) => grantedDetails(ctx),
      authorizationDetailsForAccessToken: async (_: Ctx, __: TokenEntity, source?: { rar?: Payload[] }) =>
        source?.rar,
    },
  };
}

const validateDetails =
  (clock: Clock) =>
  async (ctx: Ctx, detail: Payload): Promise<void> => {
    if (ctx.oidc.route === "token")
      throw new errors.InvalidAuthorizationDetails(
        "A mandate is given by its principal, not asked for here.",
      );
    checkMandateRequest(detail, clock.now());
  };

/** Who said yes to a purchase has given nothing that goes on. */
const givesRefreshToken = async (
  _: Ctx,
  client: { grantTypeAllowed(type: string): boolean },
  { rar }: { readonly rar?: unknown },
): Promise<boolean> => client.grantTypeAllowed("refresh_token") && !areAboutPurchase(rar);

/** FAPI 2.0 §5.3.2.1: a token that is bound and of a client with keys need not change, and a lost answer costs nothing. */
const rotates =
  (deps: CoreDeps) =>
  async ({ oidc }: Ctx): Promise<boolean> => {
    if (oidc.client?.remit_profile !== "fapi2") return true;
    // What is not used up is held against its session here.
    await checkSession(deps, "RefreshToken", oidc.entities.RefreshToken?.jti ?? "");
    return false;
  };

const hasSecond =
  ({ factors }: CoreDeps) =>
  async (id: string): Promise<boolean> => {
    const account = parseId("account", id);
    return account !== undefined && factors.hasSecond(account);
  };

const findAccount = (accounts: Accounts) => async (_: Ctx, id: string) => {
  const account = await accounts.byId(id);
  if (account === undefined) return undefined;
  const { email, name } = account;
  return { accountId: id, claims: async () => ({ sub: id, email, name }) };
};

function cookies({ issuer, keyring }: CoreDeps): object {
  const secure = issuer.startsWith("https:");
  const options = { httpOnly: true, sameSite: "lax", signed: true, secure };
  const name = (text: string): string => (secure ? `__Host-${text}` : text);
  return {
    keys: [Buffer.from(keyring.derive("cookies")).toString("base64url")],
    // The two short ones are bound to paths, which the __Host- prefix forbids.
    names: { session: name("remit_session"), interaction: "remit_interaction", resume: "remit_resume" },
    long: options,
    short: options,
  };
}

function lifetimes(clock: Clock): object {
  return {
    AccessToken: seconds(5 * minuteMs),
    ClientCredentials: seconds(15 * minuteMs),
    AuthorizationCode: seconds(minuteMs),
    BackchannelAuthenticationRequest: (ctx: Ctx | undefined) => {
      const asked = Number(ctx?.oidc.params["requested_expiry"] ?? requestedExpiryMaxS);
      const waiting = ctx === undefined ? undefined : purchaseAskedIn(ctx);
      const left = waiting === undefined ? requestedExpiryMaxS : secondsLeft(waiting, clock.now());
      return Math.min(requestedExpiryMaxS, asked, left);
    },
    DeviceCode: seconds(10 * minuteMs),
    IdToken: seconds(5 * minuteMs),
    // Long enough to sign up: to wait for a letter, and to make a passkey.
    Interaction: seconds(30 * minuteMs),
    Grant: seconds(familyMs),
    RefreshToken: (_: Ctx, token: TokenEntity, client: ClientEntity) =>
      client.remit_profile === "fapi2"
        ? seconds(familyMs)
        : refreshLifeS(token.iiat, Math.floor(clock.now() / secondMs)),
    // The cookie's. What a signed-in person's session may last, and how long it may be idle, is the register's to say.
    Session: (_: Ctx, { accountId }: SessionEntity) => seconds(accountId === undefined ? idleMs : absoluteMs),
  };
}
