import {
  base64,
  type Challenge,
  challengeRequest,
  isJsonObject,
  type JsonObject,
  mandateMethod,
  mandateScheme,
  mandateTermsOf,
  Problem,
  parseCredential,
  parseMandatePayload,
  parsePaymentPayload,
  readJson,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { type Fields, valuesOf } from "../proxy/index.ts";

/** A payment as it came with a request: read, and nothing of it believed yet. */
export type Credential = {
  readonly header: "PAYMENT-SIGNATURE" | "X-PAYMENT" | "Authorization" | "Payment-Authorization";
  readonly issuer: string;
  /** The offer as it was signed (compact JWS). */
  readonly offer: string;
  readonly merchantNonce: string;
  readonly presentation: string;
  readonly accessToken: string;
  /** The challenge that is answered, where the protocol has one. */
  readonly challenge?: Challenge;
};

const headers = ["PAYMENT-SIGNATURE", "X-PAYMENT", "Authorization", "Payment-Authorization"] as const;
const lengthMax = 32_768;

/**
 * The one credential of a request, or undefined when it carries none. Two headers, or one header twice, are refused: this
 * hop and the next might each believe another one (V05).
 */
export function readCredential(fields: Fields): Credential | undefined {
  const found = headers.flatMap((header) =>
    valuesOf(fields, header.toLowerCase())
      .filter((value) => header !== "Authorization" || isPayment(value))
      .map((value) => ({ header, value })),
  );
  if (valuesOf(fields, "authorization").length > 1 || found.length > 1)
    throw new Problem("credential_ambiguous");
  const only = found[0];
  if (only === undefined) return undefined;
  if (only.value.length > lengthMax || !/^[\x20-\x7e]+$/.test(only.value))
    throw new Problem("credential_malformed", {
      detail: `${only.header} is no line of at most ${lengthMax} characters.`,
    });
  switch (only.header) {
    case "PAYMENT-SIGNATURE":
      return readVersion2(only.value);
    case "X-PAYMENT":
      return readVersion1(only.value);
    default:
      return readChallengeAnswer(only.header, only.value);
  }
}

const isPayment = (value: string): boolean => /^\s*payment(?:\s|,|$)/i.test(value);

/** x402 v2: the echoed requirement holds the offer. */
function readVersion2(text: string): Credential {
  const { accepted, payload } = parsePaymentPayload(text);
  if (accepted.scheme !== mandateScheme) throw unsupported();
  const { issuer, offer, merchantNonce } = mandateTermsOf(sha256, accepted);
  return { header: "PAYMENT-SIGNATURE", issuer, offer, merchantNonce, ...parseMandatePayload(payload) };
}

/** x402 v1 echoes no requirement, so the payload of a mandate names the terms itself. */
function readVersion1(text: string): Credential {
  const bytes = base64.decode(text);
  const read = bytes === undefined ? undefined : readJson(bytes, lengthMax);
  if (read === undefined || !("value" in read) || !isJsonObject(read.value)) throw malformed("X-PAYMENT");
  const { x402Version, scheme, payload } = read.value;
  if (x402Version !== 1 || scheme !== mandateScheme) throw unsupported();
  if (!isJsonObject(payload)) throw malformed("X-PAYMENT.payload");
  const { issuer, offer, merchant_nonce: merchantNonce } = payload;
  if (typeof issuer !== "string" || typeof offer !== "string" || typeof merchantNonce !== "string")
    throw malformed("X-PAYMENT.payload");
  return { header: "X-PAYMENT", issuer, offer, merchantNonce, ...parseMandatePayload(payload) };
}

/** MPP: `Payment <credential>`, which echoes the challenge byte for byte. */
function readChallengeAnswer(header: "Authorization" | "Payment-Authorization", value: string): Credential {
  const token = /^payment +([A-Za-z0-9_-]+)$/i.exec(value.trim())?.[1];
  if (token === undefined) throw malformed(header);
  const { challenge, payload } = parseCredential(token);
  if (challenge.method !== mandateMethod.method || challenge.intent !== mandateMethod.intent)
    throw unsupported();
  const { issuer, offer, merchantNonce } = mandateTermsOf(sha256, requestOf(challenge, header));
  return { header, issuer, offer, merchantNonce, challenge, ...parseMandatePayload(payload) };
}

function requestOf(challenge: Challenge, header: string): JsonObject {
  const request = challengeRequest(challenge);
  if (request === undefined) throw malformed(header);
  return request;
}

const malformed = (what: string): Problem =>
  new Problem("credential_malformed", { detail: `${what} cannot be read.` });

const unsupported = (): Problem =>
  new Problem("no_acceptable_payment", { detail: "This resource is paid with a mandate." });
