import {
  type Challenge,
  challengeRequest,
  type JsonObject,
  mandateMethod,
  mandateScheme,
  mandateTermsOf,
  type PaymentCredential,
  Problem,
  parseMandatePayload,
  readPaymentCredential,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { Fields } from "../proxy/index.ts";

/** A payment with a mandate as it came with a request: read, and nothing of it believed yet. */
export type Credential = {
  /** Absent where the protocol does not echo it. */
  readonly issuer?: string;
  /** The offer as it was signed (compact JWS). */
  readonly offer: string;
  readonly merchantNonce: string;
  readonly presentation: string;
  readonly accessToken: string;
  /** The challenge that is answered, where the protocol has one. */
  readonly challenge?: Challenge;
};

/**
 * The one credential of a request, or undefined when it carries none (V05). What cannot be read is refused with 400, what
 * pays in a way that is not sold here with `no_acceptable_payment`.
 */
export function readCredential(fields: Fields): Credential | undefined {
  const found = readPaymentCredential(fields);
  return found === undefined ? undefined : mandateOf(found);
}

function mandateOf(found: PaymentCredential): Credential {
  if (found.kind === "mpp") {
    const { challenge, payload } = found.credential;
    if (challenge.method !== mandateMethod.method || challenge.intent !== mandateMethod.intent)
      throw unsupported();
    return { ...mandateTermsOf(sha256, requestOf(challenge)), challenge, ...parseMandatePayload(payload) };
  }
  if (found.kind === "spt") throw unsupported();
  const scheme = found.version === 2 ? found.payment.accepted.scheme : found.scheme;
  if (scheme !== mandateScheme) throw unsupported();
  if (found.version === 1) return { ...namedTerms(found.payload), ...parseMandatePayload(found.payload) };
  const { accepted, payload } = found.payment;
  return { ...mandateTermsOf(sha256, accepted), ...parseMandatePayload(payload) };
}

function requestOf(challenge: Challenge): JsonObject {
  const request = challengeRequest(challenge);
  if (request === undefined)
    throw new Problem("credential_malformed", { detail: "challenge.request is no JSON." });
  return request;
}

/** x402 v1 echoes no requirement, so the payload of a mandate names the terms itself. */
function namedTerms({
  offer,
  merchant_nonce: merchantNonce,
}: JsonObject): Pick<Credential, "offer" | "merchantNonce"> {
  if (typeof offer !== "string" || typeof merchantNonce !== "string")
    throw new Problem("credential_malformed", {
      detail: "payload.offer and payload.merchant_nonce are missing.",
    });
  return { offer, merchantNonce };
}

const unsupported = (): Problem =>
  new Problem("no_acceptable_payment", { detail: "This resource is paid with a mandate." });
