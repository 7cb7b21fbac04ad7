import type { Instant } from "@remit/kernel";
import type { Digest } from "../encoding/index.ts";
import { checkOf, keyFor, type PublicJwk, parseJws, type Unproven, type Unsigned } from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { issueSdJwt, openClaims, type SdJwtParts, type SdJwtTools, splitSdJwt } from "../sd-jwt/index.ts";
import {
  type MandateClaims,
  type MandateToIssue,
  mandateClaims,
  mandateTyp,
  mandateTyps,
  parseMandateClaims,
} from "./claims.ts";

/** A mandate as an SD-JWT VC with all its disclosures, still to be signed by its issuer. */
export const issueMandate = (mandate: MandateToIssue, tools: SdJwtTools): Unsigned<string> =>
  issueSdJwt({ header: { typ: mandateTyp }, ...mandateClaims(mandate) }, tools);

export type MandateInput = {
  /** `<jws>~<disclosure>~…~`, without a key binding. */
  readonly mandate: string;
  readonly issuer: string;
  readonly issuerKeys: readonly PublicJwk[];
  readonly now: Instant;
};

export type VerifiedMandate = {
  readonly claims: MandateClaims;
  /** base64url(SHA-256(issuer's JWS)): the same whatever is disclosed. */
  readonly mandateHash: string;
};

/**
 * A mandate by itself, for the agent that received it: all but the issuer's signature (still a check), its state and its
 * key binding. Throws `mandate_malformed`, `mandate_signature_invalid`, `mandate_expired` or `mandate_not_yet_valid`.
 */
export function examineMandate(input: MandateInput, digest: Digest): Unproven<VerifiedMandate> {
  const parts = splitSdJwt(input.mandate);
  if (parts === undefined || parts.keyBinding !== undefined)
    throw new Problem("mandate_malformed", { detail: "It is not an SD-JWT without key binding." });
  return examineMandateParts(parts, input, digest);
}

export function examineMandateParts(
  parts: SdJwtParts,
  { issuer, issuerKeys, now }: Omit<MandateInput, "mandate">,
  digest: Digest,
): Unproven<VerifiedMandate> {
  const jws = parseJws(parts.jws, {
    typ: mandateTyps,
    algs: ["ES256", "EdDSA"],
    refuse: "mandate_malformed",
  });
  const key = keyFor(issuerKeys, jws.header);
  if (key === undefined)
    throw new Problem("mandate_signature_invalid", {
      detail: "The mandate's key is not one of the issuer's.",
    });
  const { claims } = openClaims(jws.payload, parts.disclosures, { digest, refuse: "mandate_malformed" });
  return {
    checks: [checkOf(jws, key, "mandate_signature_invalid")],
    value: {
      claims: parseMandateClaims(claims, { issuer, now }),
      mandateHash: digest(parts.jws),
    },
  };
}
