import type { JsonObject } from "../encoding/index.ts";
import type { HeaderPair } from "../http-signature/index.ts";
import { Members } from "../members.ts";
import { type Credential, parseCredential } from "../mpp/index.ts";
import { Problem } from "../problems.ts";
import { decodeHeader, type PaymentPayload, parsePaymentPayload } from "../x402/index.ts";

/** A credential as it came, by the door it came through; nothing in it is verified. */
export type PaymentCredential =
  | { readonly kind: "x402"; readonly version: 2; readonly payment: PaymentPayload; readonly raw: string }
  | {
      readonly kind: "x402";
      readonly version: 1;
      readonly scheme: string;
      readonly network: string;
      readonly payload: JsonObject;
      readonly raw: string;
    }
  /** The card form of the older gateways: a shared payment token in X-PAYMENT. */
  | { readonly kind: "spt"; readonly spt: string; readonly externalId?: string; readonly raw: string }
  | { readonly kind: "mpp"; readonly header: string; readonly credential: Credential; readonly raw: string };

const headerNames = ["payment-signature", "x-payment", "authorization", "payment-authorization"];

/**
 * The one payment credential of a request, from its headers as they came (V05: a header sent twice must not become
 * "the first wins"). Undefined when there is none; two of any kind are refused.
 */
export function readPaymentCredential(headers: readonly HeaderPair[]): PaymentCredential | undefined {
  const found = headers
    .map(([name, value]): HeaderPair => [name.toLowerCase(), value])
    .filter(([name, value]) => headerNames.includes(name) && (name !== "authorization" || isPayment(value)));
  const [first] = found;
  if (first === undefined) return undefined;
  if (found.length > 1) throw new Problem("credential_ambiguous");
  const [name, value] = first;
  if (name === "payment-signature")
    return { kind: "x402", version: 2, payment: parsePaymentPayload(value), raw: value };
  return name === "x-payment" ? readVersion1(value) : readMpp(name, value);
}

const isPayment = (value: string): boolean => /^\s*payment(\s|$)/i.test(value);

function readMpp(header: string, value: string): PaymentCredential {
  const token = /^payment +([A-Za-z0-9_-]+)$/i.exec(value)?.[1];
  if (token === undefined)
    throw new Problem("credential_malformed", {
      detail: "The header is not `Payment` and one base64url text.",
    });
  return { kind: "mpp", header, credential: parseCredential(token), raw: token };
}

function readVersion1(value: string): PaymentCredential {
  const json = Members.of(decodeHeader(value), "credential_malformed", "payment");
  const card = json.has("spt") ? json : cardOf(json);
  if (card !== undefined) {
    const externalId = card.maybe("externalId", () => card.text("externalId", { max: 255 }));
    return {
      kind: "spt",
      spt: card.text("spt", { max: 255, pattern: /^spt_\w+$/ }),
      raw: value,
      ...(externalId !== undefined && { externalId }),
    };
  }
  json.integer("x402Version", 1, 1);
  return {
    kind: "x402",
    version: 1,
    scheme: json.text("scheme", { max: 64 }),
    network: json.text("network", { max: 128 }),
    payload: json.object("payload"),
    raw: value,
  };
}

function cardOf(json: Members): Members | undefined {
  if (json.has("scheme") || !json.has("payload")) return undefined;
  const payload = json.members("payload");
  return payload.has("spt") ? payload : undefined;
}
