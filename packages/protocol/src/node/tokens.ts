import { randomBytes } from "node:crypto";
import { inflateSync } from "node:zlib";
import {
  type ClientAssertion,
  type ClientAssertionInput,
  type ClientAssertionRequest,
  clientAssertion,
  examineClientAssertion,
} from "../client-assertion/index.ts";
import {
  type DpopProof,
  type DpopProofInput,
  type DpopProofRequest,
  dpopProof,
  examineDpopProof,
} from "../dpop/index.ts";
import { examineIdToken, type IdToken, type IdTokenInput } from "../id-token/index.ts";
import type { PrivateJwk } from "../jose/index.ts";
import { examineLogoutToken, type LogoutToken, type LogoutTokenInput } from "../logout-token/index.ts";
import {
  examineMandate,
  examineMandateChain,
  type MandateChainInput,
  type MandateInput,
  type MandateToIssue,
  issueMandate as unsignedMandate,
  type VerifiedMandate,
} from "../mandate/index.ts";
import {
  examinePresentation,
  presentationNonce as nonceOf,
  type PresentationInput,
  type PresentationSigning,
  presentation,
  type VerifiedPresentation,
} from "../presentation/index.ts";
import { Problem } from "../problems.ts";
import {
  type CallToVerify,
  checkPermission,
  checkScheme,
  examineCallProof,
  readAuthorization,
  type VerifiedCall,
} from "../resource-server/index.ts";
import { examineSecurityEvent, type SecurityEvent, type SecurityEventInput } from "../signals/index.ts";
import {
  examineStatusList,
  type StatusList,
  type StatusListInput,
  statusListBytesMax,
} from "../status-list/index.ts";
import { verifyAccessToken } from "./access-tokens.ts";
import { settleAgain } from "./known-signatures.ts";
import { settle, sha256b64url, sign } from "./signatures.ts";

/** 128 random bits in base64url: a `jti`, a salt. */
export const randomText = (): string => randomBytes(16).toString("base64url");

export const makeDpopProof = (request: DpopProofRequest): string =>
  sign(dpopProof(request, randomText(), sha256b64url), request.key);

export const verifyDpopProof = (input: DpopProofInput): DpopProof =>
  settle(examineDpopProof(input, sha256b64url));

/** The token of a call and the proof of its key: RFC 9068 §4 and RFC 9449 §7.1, then scope and sign-in. */
export function verifyCall({ credentials, rules, needs, nonces }: CallToVerify): VerifiedCall {
  const { scheme, token } = readAuthorization(credentials.authorization);
  const claims = verifyAccessToken({ token, ...rules, now: credentials.now });
  checkScheme(claims, scheme, needs);
  const proven =
    scheme === "dpop"
      ? settle(examineCallProof({ credentials, token, claims }, nonces, sha256b64url))
      : undefined;
  checkPermission(claims, needs, credentials.now);
  return { token, claims, proven };
}

export const makeClientAssertion = (request: ClientAssertionRequest & { readonly key: PrivateJwk }): string =>
  sign(clientAssertion(request, randomText()), request.key);

export const verifyClientAssertion = (input: ClientAssertionInput): ClientAssertion =>
  settle(examineClientAssertion(input));

export const verifyIdToken = (input: IdTokenInput): IdToken => settle(examineIdToken(input));

export const verifyLogoutToken = (input: LogoutTokenInput): LogoutToken => settle(examineLogoutToken(input));

export const verifySecurityEvent = (input: SecurityEventInput): SecurityEvent =>
  settle(examineSecurityEvent(input));

/** A signed mandate with all its disclosures. */
export const issueMandate = (mandate: MandateToIssue, key: PrivateJwk): string =>
  sign(unsignedMandate(mandate, { digest: sha256b64url, salt: randomText }), key);

export const verifyMandate = (input: MandateInput): VerifiedMandate =>
  settle(examineMandate(input, sha256b64url));

/** A mandate with all that it was handed on from. */
export const verifyMandateChain = (input: MandateChainInput): readonly VerifiedMandate[] =>
  settle(examineMandateChain(input, sha256b64url));

export const makePresentation = (request: PresentationSigning): string =>
  sign(presentation(request, sha256b64url), request.key);

export const verifyPresentation = (input: PresentationInput): VerifiedPresentation =>
  settleAgain(examinePresentation(input, sha256b64url));

export const presentationNonce = (merchantNonce: string, offerDigest: string): string =>
  nonceOf(merchantNonce, offerDigest, sha256b64url);

/** A status list, its signature checked first and then inflated, up to `statusListBytesMax`. */
export function verifyStatusList(input: StatusListInput): StatusList {
  const { compressed, ...rest } = settle(examineStatusList(input));
  try {
    return { ...rest, list: inflateSync(compressed, { maxOutputLength: statusListBytesMax }) };
  } catch (cause) {
    throw new Problem("status_list_invalid", { detail: "The list cannot be inflated.", cause });
  }
}
