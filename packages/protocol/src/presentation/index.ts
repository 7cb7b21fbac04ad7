import { type Instant, toNumericDate } from "@remit/kernel";
import { type AccessTokenClaims, examineAccessToken } from "../access-token/index.ts";
import type { Digest } from "../encoding/index.ts";
import {
  algOf,
  checkOf,
  isFresh,
  isNumericDate,
  isText,
  type PrivateJwk,
  type PublicJwk,
  parseJws,
  type SignatureCheck,
  thumbprintInput,
  type Unproven,
  type Unsigned,
} from "../jose/index.ts";
import { examineMandateParts, type MandateClaims, type VisibleDetails } from "../mandate/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import { type Disclose, presentSdJwt, type SdJwtParts, splitSdJwt } from "../sd-jwt/index.ts";

const keyBindingTyp = "kb+jwt";
const paymentScopes = ["oid4ac:payment", "payment.charge"];

/** What a key binding is bound to: this merchant's nonce and this offer, in base64url(SHA-256(nonce "." digest)). */
export const presentationNonce = (merchantNonce: string, offerDigest: string, digest: Digest): string =>
  digest(`${merchantNonce}.${offerDigest}`);

export type PresentationRequest = {
  /** The mandate as it was issued. */
  readonly mandate: string;
  readonly disclose: Disclose;
  /** The token for this merchant; its audience is the merchant's origin too. */
  readonly accessToken: string;
  readonly offerDigest: string;
  readonly merchantNonce: string;
  /** The merchant's origin. */
  readonly audience: string;
  /** Why, in the agent's own words, should the principal be asked. Up to 300 characters, none of them control characters. */
  readonly reason?: string | undefined;
  readonly now: Instant;
};

/** A presentation (RFC 9901 §4.3) to be signed with the mandate's key; `finish` answers `<sd-jwt>~…~<kb-jwt>`. */
export function presentation(request: PresentationRequest, digest: Digest): Unsigned<string> {
  const bound = presentSdJwt(request.mandate, request.disclose, { digest, refuse: "mandate_malformed" });
  return {
    header: { typ: keyBindingTyp, kid: undefined },
    payload: {
      iat: toNumericDate(request.now),
      aud: request.audience,
      nonce: presentationNonce(request.merchantNonce, request.offerDigest, digest),
      ath: digest(request.accessToken),
      sd_hash: digest(bound),
      ...(request.reason === undefined ? {} : { reason: request.reason }),
    },
    finish: (jws) => bound + jws,
  };
}

export type PresentationSigning = PresentationRequest & { readonly key: PrivateJwk };

export type PresentationInput = {
  readonly presentation: string;
  readonly accessToken: string;
  readonly offerDigest: string;
  readonly merchantOrigin: string;
  readonly merchantNonce: string;
  readonly issuer: string;
  readonly issuerKeys: readonly PublicJwk[];
  /** The issuer's keys for access tokens, where they are told apart from those for mandates; else `issuerKeys`. */
  readonly tokenKeys?: readonly PublicJwk[];
  readonly now: Instant;
  /** The mode of offer and verifier, which token and mandate must have too; unchecked when absent. */
  readonly livemode?: boolean;
};

export type VerifiedPresentation = {
  readonly mandate: MandateClaims;
  readonly details: VisibleDetails;
  /** RFC 7638 thumbprint of the key that holds mandate and token. */
  readonly agentThumbprint: string;
  readonly holderJwk: PublicJwk;
  readonly kbNonce: string;
  /** Seconds. */
  readonly kbIat: number;
  /** The agent's own words, signed with its key; nobody else's. */
  readonly reason: string | undefined;
  readonly accessToken: AccessTokenClaims;
  /** base64url(SHA-256(presentation)). */
  readonly presentationHash: string;
  /** base64url(SHA-256(issuer's JWS)): the same whatever is disclosed. */
  readonly mandateHash: string;
};

/**
 * The one verification of a presentation, for SDKs, gateway and authorization server: mandate, key binding and access
 * token are genuine, of one holder, and meant for this merchant, this offer and this nonce. Not decided here: the offer,
 * the first use of the key binding, what the mandate admits, budget and revocation. Each refusal has its own code
 * (`mandate_…`, `aud_mismatch`, `invalid_token`, `insufficient_scope`, `livemode_mismatch`).
 */
export function examinePresentation(
  input: PresentationInput,
  digest: Digest,
): Unproven<VerifiedPresentation> {
  const parts = splitSdJwt(input.presentation);
  if (parts === undefined) throw refused("mandate_malformed", "The presentation is not an SD-JWT.");
  const mandate = examineMandateParts(parts, input, digest);
  const { claims, mandateHash } = mandate.value;
  const keyBinding = examineKeyBinding(parts, claims.cnf.jwk, { input, digest });
  const token = examineAccessToken({
    token: input.accessToken,
    audience: input.merchantOrigin,
    issuer: input.issuer,
    keys: input.tokenKeys ?? input.issuerKeys,
    now: input.now,
  });
  const agentThumbprint = digest(thumbprintInput(claims.cnf.jwk));
  checkSameHolder(claims, token.value, agentThumbprint);
  checkMeantForThis(claims, token.value, input);
  return {
    checks: [...mandate.checks, keyBinding.check, ...token.checks],
    value: {
      mandate: claims,
      details: claims.details,
      agentThumbprint,
      holderJwk: claims.cnf.jwk,
      kbNonce: keyBinding.nonce,
      kbIat: keyBinding.iat,
      reason: keyBinding.reason,
      accessToken: token.value,
      presentationHash: digest(input.presentation),
      mandateHash,
    },
  };
}

type KeyBinding = {
  readonly check: SignatureCheck;
  readonly nonce: string;
  readonly iat: number;
  readonly reason: string | undefined;
};

/** RFC 9901 §7.3 (5), with the token's digest bound in as well. */
function examineKeyBinding(
  parts: SdJwtParts,
  holder: PublicJwk,
  { input, digest }: { readonly input: PresentationInput; readonly digest: Digest },
): KeyBinding {
  if (parts.keyBinding === undefined) throw refused("mandate_kb_missing");
  const jws = parseJws(parts.keyBinding, {
    typ: [keyBindingTyp],
    algs: [algOf(holder)],
    refuse: "mandate_kb_invalid",
  });
  const { iat, aud, nonce, ath, sd_hash: sdHash } = jws.payload;
  if (aud !== input.merchantOrigin) throw refused("mandate_kb_audience_mismatch");
  if (!isText(nonce) || nonce !== presentationNonce(input.merchantNonce, input.offerDigest, digest))
    throw refused("mandate_kb_nonce_mismatch");
  if (!isNumericDate(iat) || !isFresh(iat, input.now)) throw refused("mandate_kb_stale");
  if (sdHash !== digest(parts.bound)) throw refused("mandate_kb_hash_mismatch");
  if (ath !== digest(input.accessToken)) throw refused("mandate_kb_token_mismatch");
  const reason = reasonIn(jws.payload["reason"]);
  return { check: checkOf(jws, holder, "mandate_kb_signature_invalid"), nonce, iat, reason };
}

const reasonPattern = /^[^\p{Cc}\p{Cf}]{1,300}$/u;

/** G01: shown to a person as a quotation, so without what could make it look like anything else. */
function reasonIn(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && reasonPattern.test(value)) return value;
  throw refused("mandate_kb_invalid", "reason is a text of up to 300 characters without control characters");
}

function checkSameHolder(mandate: MandateClaims, token: AccessTokenClaims, agentThumbprint: string): void {
  if (token.cnf?.jkt !== agentThumbprint)
    throw refused("mandate_holder_mismatch", "The token is bound to another key than the mandate.");
  if (token.mandate_id !== undefined && token.mandate_id !== mandate.jti)
    throw refused("mandate_holder_mismatch", "The token belongs to another mandate.");
  if (!token.scope.some((scope) => paymentScopes.includes(scope))) throw refused("insufficient_scope");
}

function checkMeantForThis(mandate: MandateClaims, token: AccessTokenClaims, input: PresentationInput): void {
  if (mandate.aud !== undefined && !mandate.aud.includes(input.merchantOrigin))
    throw refused("mandate_merchant_not_allowed", "The mandate is not meant for this merchant.");
  const modes = new Set([mandate.livemode, token.livemode, input.livemode ?? token.livemode]);
  if (modes.size !== 1) throw refused("livemode_mismatch");
}

const refused = (code: ProblemCode, detail?: string): Problem =>
  new Problem(code, detail === undefined ? {} : { detail });
