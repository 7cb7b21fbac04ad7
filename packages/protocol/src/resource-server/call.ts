import { after, fromNumericDate, type Instant, instantOf, secondMs } from "@remit/kernel";
import { type AccessTokenClaims, examineAccessToken } from "../access-token/index.ts";
import { type DpopProof, examineDpopProof } from "../dpop/index.ts";
import type { Digest } from "../encoding/index.ts";
import type { PublicJwk, Unproven } from "../jose/index.ts";
import { Problem } from "../problems.ts";
import type { CallNeeds } from "./needs.ts";
import type { DpopNonces } from "./nonces.ts";

/** What of a request says who calls. Of a header sent twice the reader must have refused both. */
export type CallCredentials = {
  readonly method: string;
  /** Our origin and the path, without query (RFC 9449 §4.3, `htu`). */
  readonly url: string;
  readonly authorization: string | undefined;
  readonly dpop: string | undefined;
  readonly now: Instant;
};

/** The token of a call, as its header presents it. */
export type PresentedToken = { readonly scheme: "dpop" | "bearer"; readonly token: string };

/** RFC 6750 §2.1 and RFC 9449 §7.1. Without the header there is no error to name, only a challenge to make. */
export function readAuthorization(header: string | undefined): PresentedToken {
  if (header === undefined) throw new Problem("invalid_token", { detail: "An access token is needed." });
  const match = /^(dpop|bearer) +([A-Za-z0-9._~+/-]+=*)$/i.exec(header);
  const scheme = match?.[1]?.toLowerCase();
  if (match?.[2] === undefined || (scheme !== "dpop" && scheme !== "bearer"))
    throw new Problem("invalid_token", { detail: "Authorization is neither DPoP nor Bearer with a token." });
  return { scheme, token: match[2] };
}

/** Who issued the token and for whom it must be: its one audience is our origin, compared exactly. */
export type TokenRules = {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: readonly PublicJwk[];
};

/** RFC 9068 §4, the signature still a check. */
export const examineToken = (token: string, rules: TokenRules, now: Instant): Unproven<AccessTokenClaims> =>
  examineAccessToken({ token, ...rules, now });

/** A key proven for this call; that it is the first use of its proof is to be claimed, once all else holds. */
export type ProvenKey = {
  readonly proof: DpopProof;
  readonly firstUse: { readonly key: string; readonly until: Instant };
  /** True when the caller should get a fresh nonce with the answer. */
  readonly nonceIsAging: boolean;
};

/** Longer than a proof can be presented: its `iat` counts for 60 s to either side. */
const replayMs = 120 * secondMs;

/** RFC 9449 §7: the proof of this very request and token, by the key that the token is bound to. */
export function examineCallProof(
  { credentials, token, claims }: { credentials: CallCredentials; token: string; claims: AccessTokenClaims },
  nonces: DpopNonces | undefined,
  digest: Digest,
): Unproven<ProvenKey> {
  const { method, url, now, dpop } = credentials;
  if (dpop === undefined) throw new Problem("invalid_dpop_proof", { detail: "A DPoP proof is needed." });
  const { checks, value: proof } = examineDpopProof(
    {
      proof: dpop,
      method,
      url,
      now,
      accessToken: token,
      ...(claims.cnf === undefined ? {} : { requiredThumbprint: claims.cnf.jkt }),
      ...(nonces === undefined ? {} : { nonce: (nonce) => nonces.judge(nonce, now) !== "refused" }),
    },
    digest,
  );
  const firstUse = {
    key: `dpop:${proof.thumbprint}:${digest(proof.jti)}`,
    until: after(instantOf(Math.max(now, fromNumericDate(proof.iat))), replayMs),
  };
  const nonceIsAging = proof.nonce !== undefined && nonces?.judge(proof.nonce, now) === "aging";
  return { checks, value: { proof, firstUse, nonceIsAging } };
}

export type CallToVerify = {
  readonly credentials: CallCredentials;
  readonly rules: TokenRules;
  readonly needs: CallNeeds;
  /** Without them no nonce is asked for. */
  readonly nonces?: DpopNonces | undefined;
};

/** A call whose token and proof hold. Whether the token still counts, and whether the proof is new, is yet to be asked. */
export type VerifiedCall = {
  readonly token: string;
  readonly claims: AccessTokenClaims;
  /** Absent for a plain bearer token. */
  readonly proven: ProvenKey | undefined;
};
