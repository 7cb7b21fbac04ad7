import { type Id, type Instant, toNumericDate } from "@remit/kernel";
import { checkOf, keyFor, type PublicJwk, parseJws, type Unproven, type Unsigned } from "../jose/index.ts";
import { Members } from "../members.ts";
import { Problem } from "../problems.ts";
import { receiptTyp } from "./receipt.ts";

/**
 * A merchant's own statement of a payment without a mandate: no issuer saw it, so that `iss` is the merchant's origin and
 * the key its offer key. `payment_reference` is what the rail calls the payment, where anybody can look it up.
 */
export type MerchantReceipt = {
  readonly iss: string;
  readonly iat: number;
  readonly jti: Id<"receipt">;
  readonly merchant: Id<"merchant">;
  readonly resource: { readonly method: string; readonly url: string };
  readonly amount_minor: number;
  readonly currency: string;
  readonly rail: "card" | "x402";
  readonly payment_reference: string;
  readonly payer: string;
  readonly captured_at: number;
  readonly livemode: boolean;
  readonly request_digest: string;
  /** Of a price by use: so many tokens, bytes or milliseconds, at `amount_minor` for each `quantity` units. */
  readonly metered?: {
    readonly unit: "mtok" | "mb" | "hour";
    readonly used: number;
    readonly amount_minor: number;
    readonly quantity: number;
    readonly held_minor: number;
  };
  /** Absent where the money came first and the goods are still owed. */
  readonly response_digest?: string;
};

/** Such a receipt, to be signed with the merchant's offer key. */
export const makeMerchantReceipt = (
  facts: Omit<MerchantReceipt, "iat" | "captured_at">,
  now: Instant,
): Unsigned<string> => ({
  header: { typ: receiptTyp },
  payload: { ...facts, iat: toNumericDate(now), captured_at: toNumericDate(now) },
  finish: (jws) => jws,
});

/** Reads one, leaving the signature to be checked with the keys that the merchant's origin publishes. */
export function examineMerchantReceipt(
  jws: string,
  expected: { readonly origin: string; readonly keys: readonly PublicJwk[] },
): Unproven<MerchantReceipt> {
  const parsed = parseJws(jws, { typ: [receiptTyp], algs: ["ES256", "EdDSA"], refuse: "receipt_invalid" });
  const claims = Members.of(parsed.payload, "receipt_invalid", "receipt");
  if (claims.text("iss") !== expected.origin) throw invalid("it is of another merchant");
  const key = keyFor(expected.keys, parsed.header);
  if (key === undefined) throw invalid("no key of the merchant signed it");
  const resource = claims.members("resource");
  const digest = { pattern: /^[\w-]{43}$/ };
  const response = claims.maybe("response_digest", () => claims.text("response_digest", digest));
  const metered = claims.maybe("metered", () => meteredOf(claims.members("metered")));
  const value: MerchantReceipt = {
    iss: expected.origin,
    iat: claims.integer("iat", 0),
    jti: claims.id("jti", "receipt"),
    merchant: claims.id("merchant", "merchant"),
    resource: { method: resource.text("method", { max: 16 }), url: resource.text("url", { max: 4096 }) },
    amount_minor: claims.integer("amount_minor", 1),
    currency: claims.text("currency", { pattern: /^[A-Z]{3}$/ }),
    rail: claims.oneOf("rail", ["card", "x402"]),
    payment_reference: claims.text("payment_reference", { max: 255 }),
    payer: claims.text("payer", { max: 255 }),
    captured_at: claims.integer("captured_at", 0),
    livemode: claims.flag("livemode"),
    request_digest: claims.text("request_digest", digest),
    ...(metered !== undefined && { metered }),
    ...(response !== undefined && { response_digest: response }),
  };
  return { checks: [checkOf(parsed, key, "receipt_invalid")], value };
}

const meteredOf = (metered: Members): MerchantReceipt["metered"] => ({
  unit: metered.oneOf("unit", ["mtok", "mb", "hour"]),
  used: metered.integer("used", 0),
  amount_minor: metered.integer("amount_minor", 1),
  quantity: metered.integer("quantity", 1),
  held_minor: metered.integer("held_minor", 1),
});

const invalid = (why: string): Problem =>
  new Problem("receipt_invalid", { detail: `The receipt does not hold: ${why}.` });
