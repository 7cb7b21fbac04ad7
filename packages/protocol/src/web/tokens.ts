import { type AccessTokenClaims, type AccessTokenInput, examineAccessToken } from "../access-token/index.ts";
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
import { base64url } from "../encoding/index.ts";
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
import {
  type CallToVerify,
  checkPermission,
  checkScheme,
  examineCallProof,
  examineToken,
  readAuthorization,
  type VerifiedCall,
} from "../resource-server/index.ts";
import { examineSecurityEvent, type SecurityEvent, type SecurityEventInput } from "../signals/index.ts";
import { examineStatusList, type StatusList, type StatusListInput } from "../status-list/index.ts";
import { inflate } from "./inflate.ts";
import { settle, sha256b64url, sign } from "./signatures.ts";

/** 128 random bits in base64url: a `jti`, a salt. */
export const randomText = (): string => base64url.encode(crypto.getRandomValues(new Uint8Array(16)));

export const makeDpopProof = async (request: DpopProofRequest): Promise<string> =>
  sign(dpopProof(request, randomText(), sha256b64url), request.key);

export const verifyDpopProof = async (input: DpopProofInput): Promise<DpopProof> =>
  settle(examineDpopProof(input, sha256b64url));

export const verifyAccessToken = async (input: AccessTokenInput): Promise<AccessTokenClaims> =>
  settle(examineAccessToken(input));

/** The token of a call and the proof of its key: RFC 9068 §4 and RFC 9449 §7.1, then scope and sign-in. */
export async function verifyCall({ credentials, rules, needs, nonces }: CallToVerify): Promise<VerifiedCall> {
  const { scheme, token } = readAuthorization(credentials.authorization);
  const claims = await settle(examineToken(token, rules, credentials.now));
  checkScheme(claims, scheme, needs);
  const proven =
    scheme === "dpop"
      ? await settle(examineCallProof({ credentials, token, claims }, nonces, sha256b64url))
      : undefined;
  checkPermission(claims, needs, credentials.now);
  return { token, claims, proven };
}

export const makeClientAssertion = async (
  request: ClientAssertionRequest & { readonly key: PrivateJwk },
): Promise<string> => sign(clientAssertion(request, randomText()), request.key);

export const verifyClientAssertion = async (input: ClientAssertionInput): Promise<ClientAssertion> =>
  settle(examineClientAssertion(input));

export const verifyIdToken = async (input: IdTokenInput): Promise<IdToken> => settle(examineIdToken(input));

export const verifyLogoutToken = async (input: LogoutTokenInput): Promise<LogoutToken> =>
  settle(examineLogoutToken(input));

export const verifySecurityEvent = async (input: SecurityEventInput): Promise<SecurityEvent> =>
  settle(examineSecurityEvent(input));

/** A signed mandate with all its disclosures. */
export const issueMandate = async (mandate: MandateToIssue, key: PrivateJwk): Promise<string> =>
  sign(unsignedMandate(mandate, { digest: sha256b64url, salt: randomText }), key);

export const verifyMandate = async (input: MandateInput): Promise<VerifiedMandate> =>
  settle(examineMandate(input, sha256b64url));

/** A mandate with all that it was handed on from. */
export const verifyMandateChain = async (input: MandateChainInput): Promise<readonly VerifiedMandate[]> =>
  settle(examineMandateChain(input, sha256b64url));

export const makePresentation = async (request: PresentationSigning): Promise<string> =>
  sign(presentation(request, sha256b64url), request.key);

export const verifyPresentation = async (input: PresentationInput): Promise<VerifiedPresentation> =>
  settle(examinePresentation(input, sha256b64url));

export const presentationNonce = (merchantNonce: string, offerDigest: string): string =>
  nonceOf(merchantNonce, offerDigest, sha256b64url);

/** A status list, its signature checked first and then inflated, up to `statusListBytesMax`. */
export async function verifyStatusList(input: StatusListInput): Promise<StatusList> {
  const { compressed, ...rest } = await settle(examineStatusList(input));
  return { ...rest, list: await inflate(compressed) };
}
