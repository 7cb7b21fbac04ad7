import { fromNumericDate, type Id, type Instant, toNumericDate } from "@remit/kernel";
import { base64url, isJsonObject, type JsonObject, type Sha256 } from "../encoding/index.ts";
import { canonicalise } from "../jcs/index.ts";
import { checkOf, parseJws, type Unproven, type Unsigned } from "../jose/index.ts";
import { Members } from "../members.ts";
import { Problem } from "../problems.ts";
import { type EvidenceKey, evidenceKeyAt } from "./evidence-keys.ts";

/** The JWS type of a receipt. */
export const receiptTyp = "remit-receipt+jwt";

/** What was bought, by which evidence, for how much. Digests are base64url(SHA-256); amounts whole minor units. */
export type ReceiptFacts = {
  readonly jti: Id<"receipt">;
  readonly charge: Id<"charge">;
  readonly merchant: { readonly id: Id<"merchant">; readonly origin: string };
  readonly offer_digest: string;
  /** The merchant's later offer for the same goods, with tax or shipping added: what was captured is of this. */
  readonly amended_offer_digest?: string;
  readonly mandate_hash: string;
  readonly presentation_hash: string;
  readonly amount_minor: number;
  readonly currency: string;
  readonly rail: string;
  /** What the rail calls the payment, such as a PaymentIntent's id. */
  readonly payment_reference: string | null;
  /** NumericDate. */
  readonly held_at: number;
  readonly captured_at: number;
  readonly livemode: boolean;
  /** NumericDate of the commit point: a revocation after it did not stop this capture, and none before it was overlooked. */
  readonly commit_point_at?: number;
  /** The amount is owed by the payer's tab at the merchant, whose payment comes later. */
  readonly on_tab?: true;
  /** The merchant shipped before the capture. */
  readonly committed?: true;
  /** The log whose leaf this receipt is. */
  readonly log: string;
  /** What the issuer cannot know itself. */
  readonly asserted_by_merchant?: { readonly request_digest?: string; readonly response_digest?: string };
};

export type Receipt = ReceiptFacts & {
  readonly iss: string;
  readonly iat: number;
  /** base64url(SHA-256(JCS(all other claims))): the leaf of this receipt in the issuer's log. */
  readonly leaf_digest: string;
};

const skewS = 60;

/** A receipt to sign. */
export function makeReceipt(input: {
  readonly facts: ReceiptFacts;
  readonly issuer: string;
  readonly now: Instant;
  readonly sha256: Sha256;
}): Unsigned<string> {
  const claims = { iss: input.issuer, iat: toNumericDate(input.now), ...input.facts };
  const payload: Receipt = { ...claims, leaf_digest: leafDigestOf(input.sha256, claims) };
  return { header: { typ: receiptTyp }, payload, finish: (jws) => jws };
}

/**
 * Reads a receipt offline: its issuer, its claims, its leaf, and that its key was in force when it was issued. The
 * signature is left to be checked. `now` is given where a receipt from the future is to be refused.
 */
export function examineReceipt(
  jws: string,
  expected: {
    readonly issuer: string;
    readonly keys: readonly EvidenceKey[];
    readonly sha256: Sha256;
    readonly now?: Instant;
  },
): Unproven<Receipt> {
  const parsed = parseJws(jws, { typ: [receiptTyp], algs: ["ES256", "EdDSA"], refuse: "receipt_invalid" });
  const receipt = claimsOf(parsed.payload);
  if (receipt.iss !== expected.issuer) throw invalid("it is of another issuer");
  if (receipt.leaf_digest !== leafDigestOf(expected.sha256, parsed.payload))
    throw invalid("its leaf digest is not of its claims");
  const { held_at: heldAt, captured_at: capturedAt, commit_point_at: decidedAt = capturedAt } = receipt;
  if (heldAt > decidedAt || decidedAt > capturedAt || capturedAt > receipt.iat + skewS)
    throw invalid("its times are out of order");
  if (expected.now !== undefined && receipt.iat - skewS > toNumericDate(expected.now))
    throw invalid("it is from the future");
  const key = evidenceKeyAt(
    { keys: expected.keys, purpose: "receipt" },
    parsed.header,
    fromNumericDate(receipt.iat),
  );
  if (key === undefined) throw invalid("no key of the issuer was in force for it");
  return { checks: [checkOf(parsed, key, "receipt_invalid")], value: receipt };
}

/** The leaf of a receipt's claims; `leaf_digest` itself is left out. */
export function leafDigestOf(sha256: Sha256, claims: JsonObject): string {
  const { leaf_digest: _, ...leaf } = claims;
  return base64url.encode(sha256(canonicalise(leaf)));
}

const invalid = (why: string): Problem =>
  new Problem("receipt_invalid", { detail: `The receipt does not hold: ${why}.` });

const digest = { pattern: /^[\w-]{43}$/ };
const secondsMax = 253_402_300_799;

function claimsOf(payload: JsonObject): Receipt {
  const claims = Members.of(payload, "receipt_invalid", "receipt");
  const merchant = claims.members("merchant");
  const reference = claims.get("payment_reference");
  const asserted = claims.get("asserted_by_merchant");
  return {
    iss: claims.text("iss"),
    iat: claims.integer("iat", 0, secondsMax),
    jti: claims.id("jti", "receipt"),
    charge: claims.id("charge", "charge"),
    merchant: { id: merchant.id("id", "merchant"), origin: merchant.text("origin", { max: 300 }) },
    offer_digest: claims.text("offer_digest", digest),
    mandate_hash: claims.text("mandate_hash", digest),
    presentation_hash: claims.text("presentation_hash", digest),
    amount_minor: claims.integer("amount_minor", 1),
    currency: claims.text("currency", { pattern: /^[A-Z]{3}$/ }),
    rail: claims.text("rail", { max: 32 }),
    payment_reference: reference === null ? null : claims.text("payment_reference", { max: 255 }),
    held_at: claims.integer("held_at", 0, secondsMax),
    captured_at: claims.integer("captured_at", 0, secondsMax),
    livemode: claims.flag("livemode"),
    ...(claims.has("commit_point_at") && {
      commit_point_at: claims.integer("commit_point_at", 0, secondsMax),
    }),
    ...(claims.has("amended_offer_digest") && {
      amended_offer_digest: claims.text("amended_offer_digest", digest),
    }),
    ...(claims.has("on_tab") && { on_tab: trueOf(claims, "on_tab") }),
    ...(claims.has("committed") && { committed: trueOf(claims, "committed") }),
    log: claims.text("log"),
    leaf_digest: claims.text("leaf_digest", digest),
    ...(isJsonObject(asserted) && {
      asserted_by_merchant: assertedOf(claims.members("asserted_by_merchant")),
    }),
  };
}

const trueOf = (claims: Members, name: string): true =>
  claims.get(name) === true ? true : claims.refuse(name, "is true or absent");

function assertedOf(asserted: Members): NonNullable<Receipt["asserted_by_merchant"]> {
  const request = asserted.maybe("request_digest", () => asserted.text("request_digest", digest));
  const response = asserted.maybe("response_digest", () => asserted.text("response_digest", digest));
  return {
    ...(request !== undefined && { request_digest: request }),
    ...(response !== undefined && { response_digest: response }),
  };
}
