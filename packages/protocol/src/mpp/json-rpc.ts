import { base64url, isJsonObject, type JsonObject } from "../encoding/index.ts";
import { canonicalise } from "../jcs/index.ts";
import { Problem } from "../problems.ts";
import { type Challenge, challengeRequest } from "./challenge.ts";
import type { PaymentReceipt } from "./credential.ts";

// draft-payment-transport-mcp-00: the Payment scheme in the messages of JSON-RPC and MCP.

/** The codes of its errors (IANA Considerations). */
export const rpcPaymentCodes = { required: -32_042, failed: -32_043 } as const;

/** Where its parts stand in `_meta`. A result that asks for a payment instead of an error is a habit of its clients. */
export const rpcPaymentKeys = {
  credential: "org.paymentauth/credential",
  receipt: "org.paymentauth/receipt",
  required: "org.paymentauth/payment-required",
} as const;

/** A challenge as JSON-RPC carries it: its request is an object, and no text in base64url ("Challenge Structure"). */
export function rpcChallenge(challenge: Challenge): JsonObject {
  const { request: _, header: _header, ...rest } = challenge;
  const request = challengeRequest(challenge);
  return { ...rest, request: request ?? {} };
}

/**
 * The value that `Payment-Authorization` would have: the challenge's request is canonical again ("both parties MUST
 * canonicalize"), so that its id can be checked as over HTTP.
 */
export function rpcCredential(value: unknown): string {
  if (!isJsonObject(value) || !isJsonObject(value["challenge"]))
    throw new Problem("credential_malformed", { detail: "The credential has no challenge." });
  const { request } = value["challenge"];
  if (!isJsonObject(request))
    throw new Problem("credential_malformed", { detail: "challenge.request is no JSON object." });
  const challenge = { ...value["challenge"], request: base64url.encode(canonicalise(request)) };
  return `Payment ${base64url.encode(JSON.stringify({ ...value, challenge }))}`;
}

/** A receipt as JSON-RPC carries it: it names the challenge ("Receipt Structure"). */
export const rpcReceipt = (receipt: PaymentReceipt, challenge: Pick<Challenge, "id">): JsonObject => ({
  ...receipt,
  challengeId: challenge.id,
});
