import type { JsonObject, Sha256 } from "../encoding/index.ts";
import { Members } from "../members.ts";
import { type Offer, peekOffer, priceOf } from "../offer/index.ts";
import { Problem } from "../problems.ts";
import { type PaymentRequirement, parseRequirement, type SettleResponse } from "./messages.ts";

/** The name of the scheme that pays with a mandate. */
export const mandateScheme = "mandate";

/** How long the buyer has, in seconds: as long as the merchant's nonce counts. */
const maxTimeoutSeconds = 300;

/** What a buyer needs to pay with a mandate. `offer` is the compact JWS. */
export type MandateTerms = {
  readonly issuer: string;
  readonly offer: string;
  readonly merchantNonce: string;
};

/** What a buyer sends: the presentation and the access token it is bound to. */
export type MandatePayment = { readonly presentation: string; readonly accessToken: string };

/** CAIP-2 name of an issuer's network: `remit:` and the first 32 hex digits of SHA-256(issuer). */
export function remitNetwork(sha256: Sha256, issuer: string): string {
  const bytes = sha256(issuer).subarray(0, 16);
  return `remit:${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * The entry of a 402 for the terms; amount, currency, payee and resource come from the offer and nowhere else. Who has just
 * signed the offer hands it over; otherwise it is read from the terms.
 */
export function mandateRequirement(
  sha256: Sha256,
  terms: MandateTerms,
  offer: Offer = peekOffer(terms.offer),
): PaymentRequirement {
  if (offer.resource === undefined)
    throw new Problem("offer_malformed", { detail: "offer.resource is missing" });
  return {
    scheme: mandateScheme,
    network: remitNetwork(sha256, terms.issuer),
    asset: assetOfOffer(offer),
    amount: amountOfOffer(offer),
    payTo: offer.merchant,
    resource: offer.resource.url,
    maxTimeoutSeconds,
    extra: { issuer: terms.issuer, offer: terms.offer, merchant_nonce: terms.merchantNonce },
  };
}

/**
 * The terms of an entry, whether offered or echoed. Refuses an entry that says anything else than its own offer:
 * what people and wallets see beside an offer must be what it signs.
 */
export function mandateTermsOf(sha256: Sha256, value: PaymentRequirement | JsonObject): MandateTerms {
  const entry = parseRequirement(value);
  const extra = Members.of(entry.extra, "credential_malformed", "accepted.extra");
  const terms = {
    issuer: extra.text("issuer"),
    offer: extra.text("offer", { max: 16_384 }),
    merchantNonce: extra.text("merchant_nonce", { max: 512 }),
  };
  const offer = peekOffer(terms.offer);
  const agrees =
    entry.scheme === mandateScheme &&
    entry.network === remitNetwork(sha256, terms.issuer) &&
    entry.asset === assetOfOffer(offer) &&
    entry.amount === amountOfOffer(offer) &&
    entry.payTo === offer.merchant &&
    (entry.resource === undefined || entry.resource === offer.resource?.url);
  if (!agrees) throw new Problem("credential_malformed", { detail: "The entry contradicts its offer." });
  return terms;
}

export const mandatePayload = ({ presentation, accessToken }: MandatePayment): JsonObject => ({
  presentation,
  access_token: accessToken,
});

export function parseMandatePayload(payload: JsonObject): MandatePayment {
  const members = Members.of(payload, "credential_malformed", "payload");
  return {
    presentation: members.text("presentation", { max: 16_384 }),
    accessToken: members.text("access_token", { max: 16_384 }),
  };
}

const receiptExtension = "remit-receipt";

/** The `PAYMENT-RESPONSE` of a captured charge; the receipt travels as an extension. */
export const mandateSettled = (settled: {
  readonly charge: string;
  readonly network: string;
  readonly payer: string;
  readonly amountMinor: number;
  readonly receipt?: string;
}): SettleResponse => ({
  success: true,
  transaction: settled.charge,
  network: settled.network,
  payer: settled.payer,
  amount: String(settled.amountMinor),
  ...(settled.receipt !== undefined && {
    extensions: { [receiptExtension]: { info: { receipt: settled.receipt } } },
  }),
});

/** The receipt in a `PAYMENT-RESPONSE`, if there is one. */
export function receiptOfSettled(settled: SettleResponse): string | undefined {
  if (settled.extensions?.[receiptExtension] === undefined) return undefined;
  const extensions = Members.of(settled.extensions, "credential_malformed", "extensions");
  return extensions.members(receiptExtension).members("info").text("receipt", { max: 16_384 });
}

const assetOfOffer = (offer: Offer): string => `iso4217:${offer.currency}`;
const amountOfOffer = (offer: Offer): string => priceOf(offer).units.toString();
