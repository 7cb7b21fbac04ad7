// oxlint-disable-next-line typescript/triple-slash-reference -- an ambient declaration is no module to import
/// <reference path="./oidc-provider.d.ts" />
// The one place that knows what is private in oidc-provider. Everything else of this room imports from here, so an
// upgrade is read against this file and the declarations beside it.
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { fromNumericDate, type Instant, invariant } from "@remit/kernel";
import type { Problem } from "@remit/protocol";
import {
  type ClientEntity,
  type Ctx,
  errors,
  type GrantEntity,
  type InteractionDetails,
  type Payload,
  Provider,
  type SessionEntity,
} from "oidc-provider";
import ServerChallenge from "oidc-provider/lib/helpers/challenge.js";
import {
  checkDpopReplay,
  resolveRequestedResources,
  validateDpop,
} from "oidc-provider/lib/helpers/grants.js";

export {
  type Adapter,
  type BackchannelRequest,
  type ClientEntity,
  type Ctx,
  ExternalSigningKey,
  errors,
  type InteractionDetails,
  interactionPolicy,
  type Payload,
  type Prompt,
  Provider,
  type SessionEntity,
  type SignInOf,
  type TokenEntity,
} from "oidc-provider";

// All of these exist on the core's context and in no published type.
type PrivateOidc = {
  readonly client: ClientEntity & { readonly applicationType: string };
  readonly grant?: { readonly rar?: readonly Payload[] };
  readonly result?: { readonly consent?: { readonly grantId?: string } };
  readonly session: SessionEntity & {
    readonly oldId?: string;
    grantIdFor(clientId: string): string | undefined;
  };
  readonly prompts: ReadonlySet<string>;
  readonly requestParamScopes: ReadonlySet<string>;
  readonly requestParamOIDCScopes: ReadonlySet<string>;
  readonly requestParamClaims: ReadonlySet<string>;
  readonly resourceServers: { readonly [resource: string]: { readonly scopes: ReadonlySet<string> } };
  readonly provider: Provider & { readonly Grant: { find(id: string): Promise<KeptGrant | undefined> } };
};
type KeptGrant = {
  readonly accountId: string;
  getOIDCScope(): string;
  getOIDCClaims(): readonly string[];
  getResourceScope(resource: string): string;
};

const privateOf = (ctx: Ctx): PrivateOidc => ctx.oidc as unknown as PrivateOidc;

/** The details that the grant of this authorization carries (RFC 9396). */
export const grantedDetails = (ctx: Ctx): readonly Payload[] | undefined => privateOf(ctx).grant?.rar;

/**
 * The grant that an authorization goes by: that of the consent just given. What a session granted before opens nothing
 * now, except for an application that comes back for no more than it has (OpenID Core §3.1.2.4): nobody needs to be
 * asked twice who they are. A native one is asked for each time, since anybody can pass for it (RFC 8252 §8.6).
 */
export async function grantFor(ctx: Ctx): Promise<unknown> {
  const oidc = privateOf(ctx);
  const { result, provider, session, client, prompts } = oidc;
  const given = result?.consent?.grantId;
  if (given !== undefined) return provider.Grant.find(given);
  if (client.remit_kind === "account") return ownGrant(ctx);
  if (client.remit_kind !== "application" || client.applicationType === "native") return undefined;
  const before = prompts.has("consent") ? undefined : session.grantIdFor(client.clientId);
  const grant = before === undefined ? undefined : await provider.Grant.find(before);
  return grant?.accountId === session.accountId && grant !== undefined && covers(grant, oidc)
    ? grant
    : undefined;
}

/** Our own pages ask for nothing that a person would have to allow: it is kept nowhere, and no code of it is redeemed. */
function ownGrant(ctx: Ctx): unknown {
  const { session, client } = ctx.oidc;
  if (session?.accountId === undefined || client === undefined) return undefined;
  const { provider } = privateOf(ctx);
  const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  grant.jti = randomBytes(32).toString("base64url");
  grant.addOIDCScope("openid");
  return grant;
}

// What the core asks nobody's consent for.
const unasked = ["sub", "sid", "auth_time", "acr", "amr", "iss"];

function covers(grant: KeptGrant, oidc: PrivateOidc): boolean {
  const identity = new Set(grant.getOIDCScope().split(" "));
  if (![...oidc.requestParamOIDCScopes].every((scope) => identity.has(scope))) return false;
  const claims = new Set([...grant.getOIDCClaims(), ...unasked]);
  if (![...oidc.requestParamClaims].every((claim) => claims.has(claim))) return false;
  return Object.entries(oidc.resourceServers).every(([resource, { scopes }]) => {
    const granted = new Set(grant.getResourceScope(resource).split(" "));
    return [...oidc.requestParamScopes].every((scope) => !scopes.has(scope) || granted.has(scope));
  });
}

/** Puts `around` in the place of a method of the core's; it gets the object, the arguments and the method itself. */
function replace(prototype: object, name: string, around: Around): void {
  const method = Reflect.get(prototype, name) as (...of: unknown[]) => unknown; // In no published type.
  Object.defineProperty(prototype, name, {
    value(this: object, ...of: unknown[]): unknown {
      return around(this, of, () => method.apply(this, of));
    },
  });
}
type Around = (self: object, of: readonly unknown[], inner: () => unknown) => unknown;

// Getters of classes, in no published type.
type Classes = {
  readonly OIDCContext: { readonly prototype: object };
  readonly AccessToken: { readonly prototype: object };
  readonly IdToken: { readonly prototype: object };
};
type IdToken = { readonly ctx?: Ctx; set(claim: string, value: unknown): void };

/**
 * Calls `settle` as soon as a request's client is known: before it has proven itself, and before the core reads what it
 * asks for.
 */
export function onClient(provider: Provider, settle: (ctx: Ctx, client: ClientEntity) => void): void {
  const { OIDCContext } = provider as unknown as Classes;
  replace(OIDCContext.prototype, "entity", (self, [key, found], inner) => {
    inner();
    // The key says what it is.
    if (key === "Client" && found !== undefined) settle(Reflect.get(self, "ctx"), found as ClientEntity);
  });
}

/**
 * OpenID Core §3.1.3.6 and §3.3.2.11: an ID token names the access token and the code that it came with, so that none of
 * the three can be swapped. The core hashes what it is given here, and gives nothing itself at the token endpoint.
 */
export function nameCompanions(provider: Provider): void {
  const { AccessToken, IdToken } = provider as unknown as Classes;
  const values = new WeakMap<object, unknown>();
  replace(AccessToken.prototype, "save", async (self, _, inner) => {
    const text = await inner();
    values.set(self, text);
    return text;
  });
  replace(IdToken.prototype, "issue", (self, [how], inner) => {
    const token = self as IdToken; // The prototype says so.
    const { oidc } = token.ctx ?? {};
    const access = oidc?.entities.AccessToken;
    if (Object(how).use === "idtoken" && oidc !== undefined && access !== undefined) {
      token.set("at_hash", values.get(access));
      if (oidc.params["grant_type"] === "authorization_code") token.set("c_hash", oidc.params["code"]);
      // §12.2: the nonce belongs to the request that was answered with the first ID token.
      else token.set("nonce", undefined);
    }
    return inner();
  });
}

/** What a form of this session must send back to the core; made when the page is shown. */
export const formSecretOf = (ctx: Ctx): string => ctx.oidc.session?.state?.secret ?? "";

/** The resources a request is for, with the scopes that each of them knows. */
export const resourceServersOf = (ctx: Ctx): PrivateOidc["resourceServers"] => privateOf(ctx).resourceServers;

/**
 * Verifies the DPoP proof of this request, nonce and first use included (RFC 9449 §4.3), at the addresses where the
 * core would not look at it: device authorization and backchannel authentication.
 */
export async function provePossession(ctx: Ctx, clientId: string): Promise<void> {
  const { provider } = privateOf(ctx);
  const proof = await validateDpop(provider, ctx);
  if (proof === undefined) throw new errors.InvalidDpopProof("A DPoP proof is required.");
  await checkDpopReplay(provider, ctx, proof, clientId, errors.InvalidDpopProof);
}

/** What `save` of the core would store, for who stores it in a transaction of his own. */
export async function payloadOf(
  entity: Pick<GrantEntity, "getValueAndPayload">,
): Promise<{ payload: Payload; expiresAt: Instant }> {
  const { payload } = await entity.getValueAndPayload();
  const { exp } = payload;
  invariant(typeof exp === "number", "what the core stores has an end");
  return { payload, expiresAt: fromNumericDate(exp) };
}

/** What `interactionResult` of the core stores; the same for who stores it in a transaction of his own. */
export function resultPayload(
  details: InteractionDetails,
  result: NonNullable<InteractionDetails["result"]>,
): Promise<{ payload: Payload; expiresAt: Instant }> {
  details.result = result.error === undefined ? { ...details.lastSubmission, ...result } : result;
  return payloadOf(details);
}

/** The cookie's value that this request's session had before it got another (at each sign-in, step-up and consent). */
export const rotatedFrom = (ctx: Ctx | undefined): string | undefined =>
  ctx === undefined ? undefined : privateOf(ctx).session?.oldId;

/** Where the request that is being handled came from; the core runs some of its work outside any. */
export const whereabouts = (ctx: Ctx | undefined): { ip: string; userAgent: string } => ({
  ip: ctx?.ip ?? "",
  userAgent: ctx?.get("user-agent") ?? "",
});

/** The route of the core that answered; undefined when none matched and the context was never extended. */
export const routeOf = (ctx: Ctx): string | undefined => (ctx as Partial<Ctx>).oidc?.route;

/** The nonces that the core gives out and accepts in DPoP proofs, for whoever answers in front of it. */
export const dpopNonces = (secret: Uint8Array): ServerChallenge =>
  new ServerChallenge(Buffer.from(secret), "DPoP");

/** The core compares secrets in clear text; this makes it ask us. `kept` is what the client's metadata holds. */
export function compareSecretsWith(
  provider: Provider,
  matches: (given: string, kept: string, client: ClientEntity) => Promise<boolean>,
): void {
  Object.defineProperty(provider.Client.prototype, "compareClientSecret", {
    value(this: ClientEntity & { clientSecret: string }, given: string): Promise<boolean> {
      return matches(given, this.clientSecret, this);
    },
  });
}

/** A DPoP proof that holds for this request (RFC 9449 §4.3); its first use is still to be claimed. */
export type Proof = { readonly thumbprint: string; readonly jti: string; readonly iat: number };

/** The proof that came with the request, checked as the core's own grants do; undefined without one. */
export const proofOf = (provider: Provider, ctx: Ctx): Promise<Proof | undefined> =>
  validateDpop(provider, ctx);

/** Claims the first use of a proof; throws `invalid_grant` for a replay. */
export const claimProof = (
  provider: Provider,
  ctx: Ctx,
  { proof, client }: { proof: Proof; client: string },
): Promise<void> => checkDpopReplay(provider, ctx, proof, client);

/** The resources of the request, or the default one, as `getResourceServerInfo` describes them (RFC 8707 §2). */
export const requestedResources = (
  provider: Provider,
  ctx: Ctx,
): Promise<readonly { readonly audience: string; readonly scope: string }[]> =>
  resolveRequestedResources(provider, ctx);

/** No registered error says 429: the caller may try again, which RFC 6749 §4.1.2.1 calls this. */
export function tooMany(ctx: Ctx, problem: Problem): Error {
  for (const [name, value] of Object.entries(problem.headers ?? {})) ctx.set(name, value);
  const error = new errors.TemporarilyUnavailable(problem.detail);
  return Object.assign(error, { status: 429, statusCode: 429 });
}

/** The core's session of a browser, outside an authorization: what its cookie opens. */
export async function openedBy(
  provider: Provider,
  { req, res }: { req: IncomingMessage; res: ServerResponse },
): Promise<{ readonly uid: string; readonly accountId: string | undefined }> {
  // Without an `oidc` of its own it makes the cookies of the pair, and keeps nothing.
  const secure = provider.issuer.startsWith("https:");
  const { uid, accountId } = await provider.Session.get({ req, res, secure });
  return { uid, accountId };
}

const pushedUrn = "urn:ietf:params:oauth:request_uri:";
const pushedLifeS = 60;

/** A pushed request (RFC 9126) of a client that is this server itself, as the core stores one; its `request_uri`. */
export async function pushOwnRequest(provider: Provider, request: Payload): Promise<string> {
  const part = (value: Payload): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  // The core keeps plain parameters as an unsigned request object. It never leaves the store.
  const pushed = new provider.PushedAuthorizationRequest({
    request: `${part({ alg: "none" })}.${part(request)}.`,
    trusted: true,
  });
  return `${pushedUrn}${await pushed.save(pushedLifeS)}`;
}

/** What the person is asked at the end of a session, and what the form that answers must carry. */
export function logoutAsked(ctx: Ctx): {
  readonly secret: string;
  readonly client: ClientEntity | undefined;
  readonly returnTo: string | undefined;
} {
  const { client, params } = ctx.oidc;
  return { secret: formSecretOf(ctx), client, returnTo: params["post_logout_redirect_uri"] };
}

/**
 * Sessions carry our name for them in ID tokens, for every client; the core would make one up per client, and only for
 * clients that ask to be told of logouts.
 */
export function nameSessionsBy(provider: Provider, nameOf: (uid: string, client: string) => string): void {
  const { sidFor } = provider.Session.prototype;
  Object.defineProperty(provider.Session.prototype, "sidFor", {
    value(this: { uid: string }, client: string, value?: string): string | undefined {
      return value === undefined ? nameOf(this.uid, client) : sidFor.call(this, client, value);
    },
  });
  Object.defineProperty(provider.Client.prototype, "includeSid", { value: () => true });
}

/** The core takes anything that we signed for a client as a hint; an ID token says by its typ that it is one (A02). */
export function refuseOtherHints(provider: Provider, isIdToken: (jwt: string) => boolean): void {
  const { validate } = provider.IdToken;
  Object.defineProperty(provider.IdToken, "validate", {
    value(this: unknown, jwt: string, client: ClientEntity): Promise<unknown> {
      if (!isIdToken(jwt)) throw new errors.InvalidRequest("id_token_hint is no ID token");
      return validate.call(this, jwt, client);
    },
  });
}
