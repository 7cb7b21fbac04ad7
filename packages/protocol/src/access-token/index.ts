import { type Id, type Instant, parseId } from "@remit/kernel";
import { isJsonObject, type Json, type JsonObject } from "../encoding/index.ts";
import {
  checkOf,
  isNumericDate,
  isText,
  keyFor,
  type PublicJwk,
  parseJws,
  type Unproven,
  whyNotNow,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";

/** Who acted for whom (RFC 8693 §4.1); the outermost is the current actor. */
export type ActClaim = { readonly sub: string; readonly act?: ActClaim };

/** The claims of a JWT access token (RFC 9068 §2.2). Times in seconds. */
export type AccessTokenClaims = {
  readonly iss: string;
  readonly sub: string;
  /** One resource: an origin, compared exactly. */
  readonly aud: string;
  readonly client_id: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly scope: readonly string[];
  /** The tenant of the client. */
  readonly organization_id: Id<"tenant">;
  readonly livemode: boolean;
  readonly cnf?: { readonly jkt: string };
  readonly sid?: string;
  /** The family of codes and refresh tokens that this token came from. */
  readonly grant_id?: string;
  readonly mandate_id?: Id<"mandate">;
  readonly act?: ActClaim;
  /** Who may exchange this token for one of its own (RFC 8693 §4.4). */
  readonly may_act?: { readonly sub: string };
  /** The link of a chain of delegations that it came by. */
  readonly delegation?: Id<"delegation">;
  /** The trust in somebody else's word that it came by. */
  readonly trust?: Id<"trust">;
  readonly acr?: string;
  readonly amr?: readonly string[];
  readonly auth_time?: number;
};

export type AccessTokenInput = {
  readonly token: string;
  readonly issuer: string;
  /** The verifier's own origin; undefined for the issuer alone, who judges tokens whomever they are for. */
  readonly audience: string | undefined;
  readonly keys: readonly PublicJwk[];
  readonly now: Instant;
};

const types = ["at+jwt", "application/at+jwt"];
const actDepthMax = 8;

/**
 * RFC 9068 §4, all but the signature (still a check) and revocation. Throws `invalid_token`, or `aud_mismatch` for a
 * token that is meant for somebody else. A token with `cnf` is worth nothing without its DPoP proof.
 */
export function examineAccessToken(input: AccessTokenInput): Unproven<AccessTokenClaims> {
  const jws = parseJws(input.token, { typ: types, algs: ["ES256", "EdDSA"], refuse: "invalid_token" });
  const key = keyFor(input.keys, jws.header);
  if (key === undefined) throw refused("The token's key is not one of the issuer's.");
  if (jws.payload["iss"] !== input.issuer) throw refused("The token is from another issuer.");
  if (input.audience !== undefined && jws.payload["aud"] !== input.audience)
    throw new Problem("aud_mismatch");
  const because = whyNotNow(jws.payload, input.now);
  if (because !== undefined) throw refused(because);
  return { checks: [checkOf(jws, key, "invalid_token")], value: claimsOf(jws.payload) };
}

function claimsOf(payload: JsonObject): AccessTokenClaims {
  const { iss, sub, aud, client_id, jti, iat, exp, livemode } = payload;
  const organizationId = parseId("tenant", payload["organization_id"]);
  if (!isText(iss) || !isText(sub) || !isText(aud) || !isText(client_id) || !isText(jti))
    throw refused("iss, sub, aud, client_id and jti must be texts.");
  if (!isNumericDate(iat) || !isNumericDate(exp)) throw refused("iat and exp must be whole seconds.");
  if (organizationId === undefined || typeof livemode !== "boolean")
    throw refused("organization_id and livemode are required.");
  return {
    iss,
    sub,
    aud,
    client_id,
    jti,
    iat,
    exp,
    livemode,
    scope: scopeOf(payload["scope"]),
    organization_id: organizationId,
    ...optionalClaimsOf(payload),
  };
}

function optionalClaimsOf(payload: JsonObject): Partial<AccessTokenClaims> {
  const { cnf, sid, grant_id, act, may_act, acr, amr, auth_time } = payload;
  const delegation = parseId("delegation", payload["delegation"]);
  if (payload["delegation"] !== undefined && delegation === undefined)
    throw refused("delegation is not an id.");
  const trust = parseId("trust", payload["trust"]);
  if (payload["trust"] !== undefined && trust === undefined) throw refused("trust is not an id.");
  const mandateId = parseId("mandate", payload["mandate_id"]);
  if (payload["mandate_id"] !== undefined && mandateId === undefined)
    throw refused("mandate_id is not an id.");
  if (amr !== undefined && !(Array.isArray(amr) && amr.every((text) => isText(text))))
    throw refused("amr must be a list of texts.");
  if (auth_time !== undefined && !isNumericDate(auth_time)) throw refused("auth_time must be whole seconds.");
  for (const text of [sid, grant_id, acr])
    if (text !== undefined && !isText(text)) throw refused("sid, grant_id and acr must be texts.");
  return {
    ...(cnf !== undefined && { cnf: confirmationOf(cnf) }),
    ...(isText(sid) && { sid }),
    ...(isText(grant_id) && { grant_id }),
    ...(mandateId !== undefined && { mandate_id: mandateId }),
    ...(act !== undefined && { act: actOf(act, 1) }),
    ...(may_act !== undefined && { may_act: { sub: actOf(may_act, actDepthMax).sub } }),
    ...(delegation !== undefined && { delegation }),
    ...(trust !== undefined && { trust }),
    ...(isText(acr) && { acr }),
    ...(amr !== undefined && { amr }),
    ...(auth_time !== undefined && { auth_time }),
  };
}

function scopeOf(scope: Json | undefined): readonly string[] {
  if (scope === undefined || scope === "") return [];
  if (!isText(scope)) throw refused("scope must be a text.");
  return scope.split(" ").filter((name) => name !== "");
}

function confirmationOf(cnf: Json): { readonly jkt: string } {
  // A confirmation we cannot check must not be passed over (RFC 7800 §3.1).
  const jkt = isJsonObject(cnf) && Object.keys(cnf).length === 1 ? cnf["jkt"] : undefined;
  if (!isText(jkt)) throw refused("cnf must be a jkt.");
  return { jkt };
}

function actOf(act: Json, depth: number): ActClaim {
  if (!isJsonObject(act) || !isText(act["sub"]) || depth > actDepthMax)
    throw refused("act is not an actor chain.");
  return { sub: act["sub"], ...(act["act"] !== undefined && { act: actOf(act["act"], depth + 1) }) };
}

const refused = (detail: string): Problem => new Problem("invalid_token", { detail });
