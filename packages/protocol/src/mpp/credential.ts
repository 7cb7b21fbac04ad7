import { type Instant, toRfc3339 } from "@remit/kernel";
import { base64url, type Json, type JsonObject, readJson } from "../encoding/index.ts";
import { Members } from "../members.ts";
import { Problem } from "../problems.ts";
import { type Challenge, challengeRequest } from "./challenge.ts";

/** What a buyer sends back: the challenge as it was, and the method's own payload. */
export type Credential = {
  readonly challenge: Challenge;
  readonly payload: JsonObject;
  readonly source?: string;
};

/** What `Payment-Receipt` says. `reference` is the charge's id for a mandate. */
export type PaymentReceipt = {
  readonly status: "success";
  readonly method: string;
  readonly timestamp: string;
  readonly reference: string;
  /** The signed receipt, where there is one. */
  readonly receipt?: string;
  readonly externalId?: string;
};

export const paymentReceiptHeader = "Payment-Receipt";

/** The method of mandates, and its one intent. */
export const mandateMethod = { method: "oid4ac", intent: "charge" } as const;

const bytesMax = 32_768;
const challengeNames = [
  "id",
  "realm",
  "method",
  "intent",
  "request",
  "expires",
  "digest",
  "description",
  "opaque",
  "header",
] as const;

/** The value of `Authorization` or `Payment-Authorization`. */
export const formatCredential = (credential: Credential): string =>
  `Payment ${base64url.encode(JSON.stringify(credential))}`;

/** Reads the part after `Payment `. */
export function parseCredential(token: string): Credential {
  const json = Members.of(decode(token), "credential_malformed", "credential");
  const challenge = json.members("challenge");
  for (const name of ["id", "realm", "method", "intent", "request"]) challenge.text(name, { max: 16_384 });
  const echoed = Object.fromEntries(
    challengeNames.flatMap((name) =>
      challenge.has(name) ? [[name, challenge.text(name, { max: 16_384 })]] : [],
    ),
  );
  if (challengeRequest({ request: challenge.text("request", { max: 16_384 }) }) === undefined)
    challenge.refuse("request", "is no JSON object in base64url");
  const source = json.maybe("source", () => json.text("source", { max: 512 }));
  return {
    // The five required members were read just above; the rest are optional texts.
    challenge: echoed as Challenge,
    payload: json.object("payload"),
    ...(source !== undefined && { source }),
  };
}

/** The value of `Payment-Receipt`. */
export const formatReceipt = (paid: {
  readonly method: string;
  readonly at: Instant;
  readonly reference: string;
  readonly receipt?: string;
  readonly externalId?: string;
}): string => {
  const receipt: PaymentReceipt = {
    status: "success",
    method: paid.method,
    timestamp: toRfc3339(paid.at),
    reference: paid.reference,
    ...(paid.receipt !== undefined && { receipt: paid.receipt }),
    ...(paid.externalId !== undefined && { externalId: paid.externalId }),
  };
  return base64url.encode(JSON.stringify(receipt));
};

export function parseReceipt(text: string): PaymentReceipt {
  const json = Members.of(decode(text), "credential_malformed", "receipt");
  const receipt = json.maybe("receipt", () => json.text("receipt", { max: 16_384 }));
  const externalId = json.maybe("externalId", () => json.text("externalId", { max: 255 }));
  return {
    status: json.oneOf("status", ["success"]),
    method: json.text("method", { max: 64 }),
    timestamp: json.text("timestamp", { max: 40 }),
    reference: json.text("reference", { max: 255 }),
    ...(receipt !== undefined && { receipt }),
    ...(externalId !== undefined && { externalId }),
  };
}

function decode(text: string): Json {
  const bytes = text.length > bytesMax ? undefined : base64url.decode(text);
  const found = bytes === undefined ? undefined : readJson(bytes, bytesMax);
  if (found === undefined || !("value" in found))
    throw new Problem("credential_malformed", { detail: "The credential is no JSON in base64url." });
  return found.value;
}
