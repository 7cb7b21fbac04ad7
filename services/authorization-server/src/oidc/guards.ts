import type { IncomingMessage } from "node:http";
import { type Clock, type Instant, parseId, secondMs } from "@remit/kernel";
import type { Misuses } from "@remit/platform/misuse";
import {
  areAboutPurchase,
  isScope,
  mayBeBearer,
  Problem,
  parseJws,
  parseMandateRequest,
  readJson,
} from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import type { Quotas } from "../quotas/index.ts";
import { guardBackchannel } from "./ciba.ts";
import type { KeysAtUri } from "./keys-at-uri.ts";
import { guardPurchase } from "./purchases.ts";
import {
  type ClientEntity,
  type Ctx,
  errors,
  type Payload,
  provePossession,
  type TokenEntity,
} from "./seam.ts";

const assertionLifeS = 300;
const proofWindowS = 60;
const detailsBytesMax = 16_384;

type Rules = {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly clock: Clock;
  readonly quotas: Quotas;
  readonly keysAtUri: Pick<KeysAtUri, "prove">;
  readonly misuses: Misuses;
};

// What the core reads of a form at most; it would call a larger one malformed.
const formBytesMax = 56 * 1024;
const formPaths = [
  "/oauth/token",
  "/oauth/par",
  "/oauth/revoke",
  "/oauth/introspect",
  "/oauth/device",
  "/oauth/bc-authorize",
];

/** Refuses what the core would answer in plain text or in other words: a form's address otherwise than by POST, and a form too large. */
export function guardForm({ url = "", method = "", headers }: IncomingMessage): void {
  // A page's preflight is for the core (CORS).
  if (formPaths.includes(url.split("?", 1)[0] ?? "") && method !== "POST" && method !== "OPTIONS")
    throw new Problem("method_not_allowed", { headers: { allow: "POST" } });
  if (Number(headers["content-length"] ?? 0) > formBytesMax)
    throw new Problem("payload_too_large", {
      detail: `At most ${formBytesMax} bytes.`,
      headers: { connection: "close" },
    });
}

/**
 * What the core leaves open of a client assertion (RFC 7523 §3) and of the DPoP proof that comes with it. Runs after
 * the signature was verified and before the `jti` is claimed, so that a refused assertion costs nothing.
 */
export const guardAssertion =
  (rules: Rules) =>
  async (...[ctx, claims, header, client]: AssertionHook): Promise<void> => {
    const { route, body } = ctx.oidc;
    if (asking.has(route)) guardAsking(rules, ctx, client);
    if (route === "backchannel_authentication") guardBackchannel(body);
    checkHeader(header);
    checkAudience(rules, ctx, { aud: claims["aud"], profile: client.remit_profile });
    checkLife(rules, claims);
    await rules.keysAtUri.prove(ctx, client);
    await takeQuota(rules, ctx, client);
    // RFC 9449 binds tokens and codes and says nothing of these two requests, and clients send no proof with them. What is
    // asked is for the agent's registered key either way; a proof that comes along must hold.
    const optional = route === "device_authorization" || route === "backchannel_authentication";
    if (optional && ctx.get("DPoP") === "") return;
    if (route === "token" || asking.has(route)) await guardProof(rules, ctx, client);
    // Elsewhere the core verifies the proof itself.
    if (optional) await provePossession(ctx, client.clientId);
  };

/**
 * What a client gets for itself by a secret, which says nothing of keys (design section 5): an agent's token is bound to
 * its registered key or, where its tenant lets it and for little, to none. Assertions have been held to more before.
 */
export async function guardOwnToken(
  rules: Pick<Rules, "misuses" | "clock">,
  { client, token: { jkt, scope = "" } }: { client: ClientEntity; token: TokenEntity },
): Promise<void> {
  if (client.clientAuthMethod === "private_key_jwt") return;
  if (client.remit_kind !== "agent") return;
  if (jkt !== undefined && jkt !== client.remit_dpop_thumbprint) {
    await noticeOtherKey(rules, client, { what: "client_secret", presented: jkt });
    throw new errors.InvalidDpopProof("The DPoP proof is not of the agent's registered key.");
  }
  if (jkt !== undefined) return;
  if (client.remit_bearer !== true)
    throw new errors.InvalidDpopProof("A DPoP proof is required: the organization allows no bearer tokens.");
  if (scope === "" || !scope.split(" ").every((name) => isScope(name) && mayBeBearer(name)))
    throw new errors.InvalidScope("A bearer token cannot carry this scope.", scope);
}

/**
 * Counted once the client has proven itself, and before its assertion is used up. One that proves nothing (`none`) is
 * counted by the address it comes from, so that nobody uses up its quota by its name.
 */
export async function takeQuota(
  { quotas }: Pick<Rules, "quotas">,
  ctx: Ctx,
  client: Pick<ClientEntity, "clientId" | "remit_kind" | "remit_tenant" | "clientAuthMethod">,
): Promise<void> {
  // The services and the wallet of ours ask for everybody whom they serve.
  if (client.remit_kind === "peer" || client.remit_kind === "wallet") return;
  const what = asking.has(ctx.oidc.route)
    ? "requests"
    : ctx.oidc.route === "token"
      ? "tokens"
      : "introspections";
  const left = await quotas.take(
    what,
    client.clientAuthMethod === "none"
      ? { id: `${client.clientId} ${ctx.ip}`, tenant: undefined }
      : { id: client.clientId, tenant: client.remit_tenant, consented: consented.has(grantTypeOf(ctx)) },
  );
  for (const [name, value] of Object.entries(left)) ctx.set(name, value);
}

const grantTypeOf = (ctx: Ctx): string => String(ctx.oidc.body?.["grant_type"]);

/** Grants that a principal's word is behind. */
const consented: ReadonlySet<string> = new Set([
  "authorization_code",
  "refresh_token",
  "urn:ietf:params:oauth:grant-type:device_code",
  "urn:openid:params:grant-type:ciba",
]);

/** Where a principal is asked for something. */
const asking = new Set([
  "pushed_authorization_request",
  "device_authorization",
  "backchannel_authentication",
]);

// A principal is asked for one mandate, about one purchase, or not at all: a consent to nothing in particular would mean nothing.
function guardAsking({ clock }: Rules, ctx: Ctx, client: ClientEntity): void {
  if (client.remit_kind !== "agent") return;
  const sent = ctx.oidc.body["authorization_details"];
  if (typeof sent !== "string")
    throw new errors.InvalidAuthorizationDetails(
      "Say in authorization_details which mandate is asked for, or which purchase.",
    );
  const read = readJson(sent, detailsBytesMax);
  if ("fault" in read) throw new errors.InvalidAuthorizationDetails(read.fault);
  if (areAboutPurchase(read.value)) guardPurchase(ctx.oidc.route, ctx.oidc.body, read.value);
  else checkMandateRequest(read.value, clock.now());
}

/** RFC 9396 §5: what cannot be granted is refused where it is asked, with the reason. */
export function checkMandateRequest(details: unknown, now: Instant): void {
  try {
    parseMandateRequest(details, now);
  } catch (error) {
    if (error instanceof Problem) throw new errors.InvalidAuthorizationDetails(error.detail ?? error.code);
    throw error;
  }
}

/** What the core calls its hook with. */
type AssertionHook = [ctx: Ctx, claims: Payload, header: Payload, client: ClientEntity];

// RFC 8725 §3.10: keys and hints that the sender brings along are not looked at, and not tolerated either.
function checkHeader(header: Payload): void {
  for (const name of ["crit", "jku", "jwk", "x5u", "x5c", "b64"])
    if (name in header) throw new errors.InvalidClientAuth(`the assertion has the header ${name}`);
  const { typ } = header;
  if (typ !== undefined && typ !== "JWT" && typ !== "client-authentication+jwt")
    throw new errors.InvalidClientAuth("the assertion has another typ");
}

// One audience, as a string: an array could be played against another server that is named beside us. FAPI 2.0
// §5.3.2.1 takes the issuer alone.
function checkAudience(
  { issuer, tokenEndpoint }: Rules,
  ctx: Ctx,
  { aud, profile }: { aud: unknown; profile: string | undefined },
): void {
  const endpoint = aud === tokenEndpoint && ctx.oidc.route === "token" && profile !== "fapi2";
  if (aud !== issuer && !endpoint) throw new errors.InvalidClientAuth("aud must be the issuer, as a string");
}

function checkLife({ clock }: Rules, { iat, exp, jti }: Payload): void {
  const nowS = Math.floor(clock.now() / secondMs);
  if (typeof iat !== "number" || typeof exp !== "number")
    throw new errors.InvalidClientAuth("iat and exp must be numbers");
  if (exp - iat > assertionLifeS || iat > nowS + proofWindowS)
    throw new errors.InvalidClientAuth(`the assertion lives longer than ${assertionLifeS} s`);
  // The core allows 15 s for clocks; an expiry needs no such grace (RFC 7519 §4.1.4 leaves it to us).
  if (exp <= nowS) throw new errors.InvalidClientAuth("the assertion has expired");
  if (typeof jti !== "string" || jti.length > 255)
    throw new errors.InvalidClientAuth("jti must be a short text");
}

/**
 * The proof is due (RFC 9449 §5, §10.1), and of the key that the client registered for it, so that neither a stolen
 * assertion key nor a new key of the thief's suffices. An application has registered none; the core asks it for a proof
 * where its tokens must be bound.
 */
async function guardProof(rules: Rules, ctx: Ctx, client: ClientEntity): Promise<void> {
  if (client.remit_kind === "application") return;
  const text = ctx.get("DPoP");
  if (text === "") throw new errors.InvalidDpopProof("A DPoP proof is required.");
  const { header } = readProof(text);
  const registered = client.remit_dpop_thumbprint;
  const presented = header.jwk && thumbprint(header.jwk);
  if (presented !== undefined && (registered === undefined || presented === registered)) return;
  if (presented !== undefined) await noticeOtherKey(rules, client, { what: "client_assertion", presented });
  throw new errors.InvalidDpopProof("The DPoP proof is not of the client's registered key.");
}

/** G09: whoever has proven to be the client came with another key than the client's, so half of what it has is elsewhere. */
async function noticeOtherKey(
  { misuses, clock }: Pick<Rules, "misuses" | "clock">,
  client: ClientEntity,
  seen: { readonly what: "client_assertion" | "client_secret"; readonly presented: string },
): Promise<void> {
  const tenant = parseId("tenant", client.remit_tenant);
  const bound = client.remit_dpop_thumbprint;
  // A service of ours is of no tenant, whose log it could stand in.
  if (tenant === undefined || bound === undefined) return;
  await misuses.keyMismatch({ ...seen, client: client.clientId, tenant, bound, now: clock.now() });
}

/**
 * RFC 9449 §11.1: a proof is recent to ±60 s, whoever sends it (the core takes any age with a nonce). False also for
 * what is no proof at all, which the core refuses in better words.
 */
export function isStaleProof(ctx: Ctx, clock: Clock): boolean {
  const text = ctx.get("DPoP");
  const payload = readJson(Buffer.from(text.split(".")[1] ?? "", "base64url"), detailsBytesMax);
  const iat: unknown = "value" in payload ? Object(payload.value).iat : undefined;
  return typeof iat === "number" && Math.abs(Math.floor(clock.now() / secondMs) - iat) > proofWindowS;
}

function readProof(text: string): ReturnType<typeof parseJws> {
  try {
    const algs = ["ES256", "EdDSA"] as const;
    return parseJws(text, { typ: ["dpop+jwt"], algs, refuse: "invalid_dpop_proof", headerJwk: true });
  } catch (error) {
    if (error instanceof Problem) throw new errors.InvalidDpopProof(error.detail);
    throw error;
  }
}
