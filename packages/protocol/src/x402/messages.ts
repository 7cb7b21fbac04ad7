import { base64, type Json, type JsonObject, readJson } from "../encoding/index.ts";
import { Members } from "../members.ts";
import { Problem } from "../problems.ts";

/** x402 v2: one way to pay. `amount` is a decimal string of the asset's smallest units. */
export type PaymentRequirement = {
  readonly scheme: string;
  readonly network: string;
  readonly amount: string;
  readonly asset: string;
  readonly payTo: string;
  readonly maxTimeoutSeconds: number;
  readonly resource?: string;
  readonly extra: JsonObject;
};

/** x402 v2: what the `PAYMENT-REQUIRED` header of a 402 holds. */
export type PaymentRequired = {
  readonly x402Version: 2;
  readonly error?: string;
  readonly resource: { readonly url: string; readonly description?: string; readonly mimeType?: string };
  readonly accepts: readonly PaymentRequirement[];
  /** By name, `{info, schema}` each. */
  readonly extensions?: JsonObject;
};

/** x402 v2: what the `PAYMENT-SIGNATURE` header holds. `accepted` is the buyer's echo, never to be trusted. */
export type PaymentPayload = {
  readonly x402Version: 2;
  readonly resource?: { readonly url: string };
  readonly accepted: PaymentRequirement;
  readonly payload: JsonObject;
  readonly extensions?: JsonObject;
};

/** x402 v2: what the `PAYMENT-RESPONSE` header holds. `transaction` is the charge's id for a mandate. */
export type SettleResponse = {
  readonly success: boolean;
  readonly transaction: string;
  readonly network: string;
  readonly payer?: string;
  readonly amount?: string;
  readonly errorReason?: string;
  readonly extensions?: JsonObject;
};

export const paymentRequiredHeader = "PAYMENT-REQUIRED";
export const paymentSignatureHeader = "PAYMENT-SIGNATURE";
export const paymentResponseHeader = "PAYMENT-RESPONSE";

const bytesMax = 32_768;

/** Base64 (standard alphabet, padded) of UTF-8 JSON: the form of all three headers. */
export const encodeHeader = (value: PaymentRequired | PaymentPayload | SettleResponse): string =>
  base64.encode(JSON.stringify(value));

/** Reads such a header strictly; `credential_malformed` for anything else. */
export function decodeHeader(text: string): Json {
  const bytes = text.length > bytesMax ? undefined : base64.decode(text);
  const found = bytes === undefined ? undefined : readJson(bytes, bytesMax);
  if (found === undefined || !("value" in found))
    throw new Problem("credential_malformed", { detail: "The header is no JSON in padded base64." });
  return found.value;
}

/** Reads `PAYMENT-REQUIRED`. Entries that are not understood are passed over, as the protocol wants. */
export function parsePaymentRequired(text: string): PaymentRequired {
  const json = membersOf(decodeHeader(text), "payment required");
  json.integer("x402Version", 2, 2);
  const error = json.maybe("error", () => json.text("error", { max: 2000 }));
  const accepts = json.list("accepts", 50).flatMap((entry) => {
    try {
      return [parseRequirement(entry)];
    } catch (problem) {
      if (problem instanceof Problem) return [];
      throw problem;
    }
  });
  return {
    x402Version: 2,
    resource: { url: json.members("resource").text("url") },
    accepts,
    ...(json.has("extensions") && { extensions: json.object("extensions") }),
    ...(error !== undefined && { error }),
  };
}

/** Reads `PAYMENT-SIGNATURE`. */
export function parsePaymentPayload(text: string): PaymentPayload {
  const json = membersOf(decodeHeader(text), "payment");
  json.integer("x402Version", 2, 2);
  const resource = json.maybe("resource", () => ({ url: json.members("resource").text("url") }));
  return {
    x402Version: 2,
    accepted: parseRequirement(json.get("accepted")),
    payload: json.object("payload"),
    ...(json.has("extensions") && { extensions: json.object("extensions") }),
    ...(resource !== undefined && { resource }),
  };
}

/** Reads `PAYMENT-RESPONSE`. */
export function parseSettleResponse(text: string): SettleResponse {
  const json = membersOf(decodeHeader(text), "payment response");
  const optional = (name: "payer" | "amount" | "errorReason") => {
    const value = json.maybe(name, () => json.text(name));
    return value === undefined ? {} : { [name]: value };
  };
  const transaction = json.get("transaction");
  return {
    success: json.flag("success"),
    // The protocol sends an empty transaction with a failure.
    transaction: transaction === "" ? "" : json.text("transaction"),
    network: json.text("network"),
    ...optional("payer"),
    ...optional("amount"),
    ...optional("errorReason"),
    ...(json.has("extensions") && { extensions: json.object("extensions") }),
  };
}

export function parseRequirement(value: Json | undefined): PaymentRequirement {
  const entry = membersOf(value, "accepted");
  const resource = entry.maybe("resource", () => entry.text("resource"));
  return {
    scheme: entry.text("scheme", { max: 64 }),
    network: entry.text("network", { max: 128 }),
    amount: entry.text("amount", { pattern: /^(0|[1-9]\d{0,77})$/ }),
    // The card spelling of older gateways leaves it empty.
    asset: entry.get("asset") === "" ? "" : entry.text("asset", { max: 256 }),
    payTo: entry.text("payTo", { max: 256 }),
    maxTimeoutSeconds: entry.integer("maxTimeoutSeconds", 1),
    extra: entry.has("extra") ? entry.object("extra") : {},
    ...(resource !== undefined && { resource }),
  };
}

const membersOf = (value: Json | undefined, what: string): Members =>
  Members.of(value, "credential_malformed", what);
