import { type Instant, toNumericDate } from "@remit/kernel";
import type { Digest } from "../encoding/index.ts";
import {
  checkOf,
  type EcPublicJwk,
  isFresh,
  isNumericDate,
  isText,
  type OkpPublicJwk,
  type ParsedJws,
  type PrivateJwk,
  type PublicJwk,
  parseJws,
  thumbprintInput,
  type Unproven,
  type Unsigned,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";

export type DpopProofInput = {
  /** As sent, or as `readDpopProof` read it. */
  readonly proof: string | ParsedJws;
  readonly method: string;
  /** The URL at which the request arrived, as its sender knows it. */
  readonly url: string;
  readonly now: Instant;
  /** With a token the proof must name its digest (`ath`); without one it must not. */
  readonly accessToken?: string;
  /** The nonce the proof must carry, or what says whether it is one of ours. */
  readonly nonce?: string | ((nonce: string) => boolean);
  /** The token's `cnf.jkt`, or the registered key's thumbprint. */
  readonly requiredThumbprint?: string;
};

/** A proof that holds for this request. That `jti` is new for this `thumbprint` is for the caller to claim. */
export type DpopProof = {
  readonly thumbprint: string;
  readonly jti: string;
  readonly jwk: PublicJwk;
  /** Seconds. */
  readonly iat: number;
  readonly nonce?: string;
};

const typ = "dpop+jwt";
const jtiLengthMax = 256;

/**
 * RFC 9449 §4.3, all but the signature (still a check) and the first use of `jti`. Throws `invalid_dpop_proof`, or
 * `use_dpop_nonce` when the nonce is missing or no longer one of ours.
 */
export function examineDpopProof(input: DpopProofInput, digest: Digest): Unproven<DpopProof> {
  const jws = typeof input.proof === "string" ? readDpopProof(input.proof) : input.proof;
  const { jwk } = jws.header;
  if (jwk === undefined) throw refused("The header has no jwk.");
  const { jti, iat } = requestBinding(jws, input);
  checkTokenBinding(jws, input, digest);
  const thumbprint = thumbprintOf(jwk, digest);
  if (input.requiredThumbprint !== undefined && thumbprint !== input.requiredThumbprint)
    throw refused("The proof is signed with another key than the one it must be.");
  const nonce = checkNonce(jws, input.nonce);
  return {
    checks: [checkOf(jws, jwk, "invalid_dpop_proof")],
    value: { thumbprint, jti, jwk, iat, ...(nonce !== undefined && { nonce }) },
  };
}

/** What a proof claims. Nothing about it is proven. Throws `invalid_dpop_proof`. */
export const readDpopProof = (proof: string): ParsedJws =>
  parseJws(proof, {
    typ: [typ],
    algs: ["ES256", "EdDSA"],
    refuse: "invalid_dpop_proof",
    headerJwk: true,
  });

// Keys of proofs come again and again, as the same objects while their headers are known.
const thumbprints = new WeakMap<PublicJwk, string>();

function thumbprintOf(jwk: PublicJwk, digest: Digest): string {
  const thumbprint = thumbprints.get(jwk) ?? digest(thumbprintInput(jwk));
  thumbprints.set(jwk, thumbprint);
  return thumbprint;
}

function requestBinding({ payload }: ParsedJws, input: DpopProofInput): { jti: string; iat: number } {
  const { jti, htm, htu, iat } = payload;
  if (!isText(jti) || jti.length > jtiLengthMax) throw refused("jti must be a short text.");
  if (htm !== input.method) throw refused("htm is not the method of this request.");
  if (!isText(htu) || !(isUsualTarget(htu, input.url) || sameTarget(htu, input.url)))
    throw refused("htu is not the URL of this request.");
  if (!isNumericDate(iat) || !isFresh(iat, input.now)) throw refused("iat is not within 60 seconds of now.");
  return { jti, iat };
}

function checkTokenBinding({ payload }: ParsedJws, input: DpopProofInput, digest: Digest): void {
  // RFC 9449 §4.3: without ath, a proof made for one token could accompany another.
  const expected = input.accessToken === undefined ? undefined : digest(input.accessToken);
  if (payload["ath"] !== expected) throw refused("ath is not the digest of the access token.");
}

function checkNonce({ payload }: ParsedJws, expected: DpopProofInput["nonce"]): string | undefined {
  const nonce = payload["nonce"];
  if (nonce !== undefined && !isText(nonce)) throw refused("nonce must be a text.");
  if (expected === undefined) return nonce;
  const accepted =
    nonce !== undefined && (typeof expected === "string" ? nonce === expected : expected(nonce));
  if (!accepted) throw new Problem("use_dpop_nonce");
  return nonce;
}

const refused = (detail: string): Problem => new Problem("invalid_dpop_proof", { detail });

let usualTarget = "";

/** Whether the proof names, letter by letter, the URL of the request, and that URL is one that was found equal to itself. */
function isUsualTarget(htu: string, url: string): boolean {
  if (htu !== url) return false;
  if (url === usualTarget) return true;
  if (targetOf(url) !== url) return false;
  usualTarget = url;
  return true;
}

/**
 * RFC 9449 §4.3 (9): equal without query and fragment, after the normalisation of RFC 3986 §6.2.2 and §6.2.3 (scheme and
 * host in lower case, no default port). User information is refused.
 */
function sameTarget(htu: string, url: string): boolean {
  const claimed = targetOf(htu);
  return claimed !== undefined && claimed === targetOf(url);
}

function targetOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  return url.username === "" && url.password === "" ? url.origin + url.pathname : undefined;
}

/** Whose public half the proof carries: a signer that lives elsewhere gives only that. */
type ProofKey = PrivateJwk | EcPublicJwk | OkpPublicJwk;

export type DpopProofRequest = {
  readonly key: PrivateJwk;
  readonly method: string;
  readonly url: string;
  readonly now: Instant;
  readonly accessToken?: string;
  readonly nonce?: string;
};

/** A proof for one request (RFC 9449 §4.2); `jti` must never be used again. */
export function dpopProof(
  request: Omit<DpopProofRequest, "key"> & { readonly key: ProofKey },
  jti: string,
  digest: Digest,
): Unsigned<string> {
  const { key, method, url, now, accessToken, nonce } = request;
  const htu = targetOf(url);
  if (htu === undefined)
    throw new Problem("invalid_request", { detail: "The URL is not one of http or https." });
  return {
    // The proof's key travels in `jwk`; a `kid` beside it would say nothing.
    header: { typ, kid: undefined, jwk: bareJwk(key) },
    payload: {
      jti,
      htm: method,
      htu,
      iat: toNumericDate(now),
      ...(accessToken !== undefined && { ath: digest(accessToken) }),
      ...(nonce !== undefined && { nonce }),
    },
    finish: (jws) => jws,
  };
}

function bareJwk(key: ProofKey): { readonly [member: string]: string } {
  return key.kty === "EC"
    ? { kty: "EC", crv: key.crv, x: key.x, y: key.y }
    : { kty: "OKP", crv: key.crv, x: key.x };
}
