import { assetOf, fromRfc3339, type Id, type Instant, invariant, type Money, moneyOf } from "@remit/kernel";
import { base64url, type Sha256, urlOf } from "../encoding/index.ts";
import { canonicalise } from "../jcs/index.ts";
import { Members } from "../members.ts";
import { Problem } from "../problems.ts";
import { readable } from "../readable.ts";
import { isAtPar, type OfferTransfer, readTransfer } from "./transfer.ts";

/** What the offer sells: one request. `body_digest` is base64url(SHA-256(request body)). */
export type OfferResource = { readonly method: string; readonly url: string; readonly body_digest?: string };

/**
 * The tool of an MCP server that is sold, and base64url(SHA-256(JCS(how the server lists it now))); without digest it lists none
 * of this name.
 */
export type OfferTool = { readonly name: string; readonly digest?: string };

export type OfferLine = { readonly name: string; readonly amount_minor: number; readonly quantity?: number };

/** A merchant's price, a schema.org Offer. Amounts are whole minor units of `currency`. */
export type Offer = {
  readonly "@context"?: "https://schema.org";
  readonly "@type"?: "Offer";
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly description?: string;
  readonly amount_minor: number;
  readonly currency: string;
  readonly merchant: Id<"merchant">;
  readonly merchant_origin: string;
  readonly issued_at?: string;
  readonly expires_at: string;
  readonly livemode: boolean;
  readonly resource?: OfferResource;
  readonly tool?: OfferTool;
  readonly line_items?: readonly OfferLine[];
  readonly tax_minor?: number;
  readonly shipping_minor?: number;
  /** By use: what is held, and at most taken. `amount_minor` is then the least that is taken. */
  readonly max_amount_minor?: number;
  /** So much for each `quantity` units, one unless it says so. */
  readonly unit_price?: { readonly unit: string; readonly amount_minor: number; readonly quantity?: number };
  /** The merchant ships first and commits once; see the charge API. */
  readonly commits?: boolean;
  readonly tab?: boolean;
  readonly tab_minor?: number;
  readonly deliver?: "buffer" | "stream";
  readonly serve_by_s?: number;
  /** How it is paid over the x402 rail, where the merchant takes it. A fixed price alone: a transfer moves whole. */
  readonly transfer?: OfferTransfer;
};

/** The longest an offer may be valid, in ms: as a signed response, in a catalogue, and as a JWS. */
export const offerLifetimeMsMax = { response: 300_000, catalogue: 600_000, jws: 86_400_000 } as const;

/** How far a merchant's clock may be ahead of ours, in ms. */
export const offerSkewMs = 60_000;

/**
 * Checks that a JSON value is an offer: every member that Remit knows has its type and range, the parts sum to the
 * price, the origin is an origin, and the resource lies on it. Members it does not know stay, and the digest covers them.
 */
export function parseOffer(value: unknown): Offer {
  checkOffer(value);
  return value;
}

/** base64url(SHA-256(JCS(offer))), RFC 8785. */
export const offerDigestOf = (sha256: Sha256, offer: Offer): string =>
  base64url.encode(sha256(canonicalise(offer)));

/** The price; for a metered offer the ceiling. */
export function priceOf(offer: Offer): Money {
  const price = moneyOf(offer.max_amount_minor ?? offer.amount_minor, offer.currency);
  invariant(price !== undefined, "a parsed offer has a price");
  return price;
}

export const offerExpiresAt = (offer: Offer): Instant => instantOfText(offer.expires_at);

/** O04: valid from 60 s before `issued_at`, up to and not including `expires_at`. */
export function checkOfferTime(offer: Offer, now: Instant, lifetimeMsMax: number): void {
  const expiresAt = offerExpiresAt(offer);
  if (now >= expiresAt) throw new Problem("offer_signature_expired");
  const issuedAt = offer.issued_at === undefined ? undefined : instantOfText(offer.issued_at);
  if (issuedAt !== undefined && issuedAt >= now + offerSkewMs) throw new Problem("offer_not_yet_valid");
  if (expiresAt - (issuedAt ?? now) > lifetimeMsMax)
    throw new Problem("offer_malformed", {
      detail: `an offer is valid for at most ${lifetimeMsMax / 1000} s`,
    });
}

function instantOfText(text: string): Instant {
  const instant = fromRfc3339(text);
  invariant(instant !== undefined, "a parsed offer's times are RFC 3339");
  return instant;
}

function checkOffer(value: unknown): asserts value is Offer {
  const offer = Members.of(value, "offer_malformed", "offer");
  offer.maybe("@context", () => offer.oneOf("@context", ["https://schema.org"]));
  offer.maybe("@type", () => offer.oneOf("@type", ["Offer"]));
  offer.text("id", { max: 128, pattern: /^[\w.:-]+$/ });
  offer.text("sku", { max: 128, pattern: readable });
  offer.text("name", { max: 300, pattern: readable });
  offer.maybe("description", () => offer.text("description", { max: 2000, pattern: readable }));
  checkMoney(offer);
  offer.id("merchant", "merchant");
  const origin = offer.text("merchant_origin", { max: 300 });
  if (urlOf(origin)?.origin !== origin) offer.refuse("merchant_origin", "is no origin");
  for (const name of ["issued_at", "expires_at"])
    if (
      (name === "expires_at" || offer.has(name)) &&
      fromRfc3339(offer.text(name, { max: 40 })) === undefined
    )
      offer.refuse(name, "is no RFC 3339 time");
  offer.flag("livemode");
  offer.maybe("resource", () => checkResource(offer, origin));
  offer.maybe("tool", () => checkTool(offer.members("tool").only(["name", "digest"])));
  for (const name of ["commits", "tab"]) offer.maybe(name, () => offer.flag(name));
  offer.maybe("tab_minor", () => offer.integer("tab_minor", 1));
  offer.maybe("deliver", () => offer.oneOf("deliver", ["buffer", "stream"]));
  offer.maybe("serve_by_s", () => offer.integer("serve_by_s", 1, 900));
  offer.maybe("transfer", () => checkTransfer(offer));
}

function checkTransfer(offer: Members): void {
  const price = { amountMinor: offer.integer("amount_minor", 1), currency: offer.text("currency") };
  if (!isAtPar(readTransfer(offer.members("transfer")), price))
    offer.refuse("transfer", "is not at par with the price");
  if (offer.has("max_amount_minor")) offer.refuse("transfer", "pays no price by use");
}

function checkMoney(offer: Members): void {
  const amount = offer.integer("amount_minor", 1);
  if (assetOf(offer.text("currency", { pattern: /^[A-Z]{3}$/ }))?.kind !== "fiat")
    offer.refuse("currency", "is no ISO 4217 currency");
  for (const name of ["tax_minor", "shipping_minor"]) offer.maybe(name, () => offer.integer(name, 0));
  const ceiling = offer.maybe("max_amount_minor", () => offer.integer("max_amount_minor", amount));
  if ((ceiling === undefined) === offer.has("unit_price"))
    offer.refuse("unit_price", "and max_amount_minor come together");
  if (offer.has("unit_price")) {
    const unitPrice = offer.members("unit_price");
    unitPrice.text("unit", { max: 64, pattern: readable });
    unitPrice.integer("amount_minor", 1);
    unitPrice.maybe("quantity", () => unitPrice.integer("quantity", 1));
  }
  const lines = offer.maybe("line_items", () => offer.list("line_items", 200)) ?? [];
  if (lines.length > 0 && sumOf(lines, offer) !== BigInt(amount))
    offer.refuse("line_items", "with tax and shipping do not sum to amount_minor");
}

// Sums in bigint: two safe integers may have an unsafe sum.
function sumOf(lines: readonly unknown[], offer: Members): bigint {
  const extras = ["tax_minor", "shipping_minor"].map((name) =>
    BigInt(offer.maybe(name, () => offer.integer(name, 0)) ?? 0),
  );
  const parts = lines.map((value) => {
    const line = Members.of(value, "offer_malformed", "offer.line_items");
    line.text("name", { max: 300, pattern: readable });
    const quantity = line.maybe("quantity", () => line.integer("quantity", 1)) ?? 1;
    return BigInt(line.integer("amount_minor", 0)) * BigInt(quantity);
  });
  return [...extras, ...parts].reduce((sum, part) => sum + part, 0n);
}

function checkResource(offer: Members, origin: string): void {
  const resource = offer.members("resource").only(["method", "url", "body_digest"]);
  resource.text("method", { max: 16, pattern: /^[A-Z]+$/ });
  const url = urlOf(resource.text("url"));
  if (url === undefined || url.origin !== origin) resource.refuse("url", "is not on the merchant's origin");
  resource.maybe("body_digest", () => resource.text("body_digest", { pattern: /^[\w-]{43}$/ }));
}

function checkTool(tool: Members): void {
  tool.text("name", { max: 128, pattern: readable });
  tool.maybe("digest", () => tool.text("digest", { pattern: /^[\w-]{43}$/ }));
}
