import { checkOf, type ParsedJws, parseJws, type Unproven, type Unsigned } from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { checkExpected, type ExpectedOffer, offerAlgOf, offerKey } from "./expected.ts";
import { checkOfferTime, type Offer, offerLifetimeMsMax, parseOffer } from "./offer.ts";

/** The JWS type of an offer that travels without an HTTP response of its own (402 bodies, MCP). */
export const offerTyp = "remit-offer+jwt";

/** Reads a compact JWS whose payload is the offer itself. The signature is left to be checked. */
export function examineOffer(jws: string, expected: ExpectedOffer): Unproven<Offer> {
  const parsed = parseOfferJws(jws);
  const offer = parseOffer(parsed.payload);
  const key = offerKey(parsed.header.kid, expected.keys);
  if (parsed.header.alg !== offerAlgOf(key)) throw new Problem("offer_alg_rejected");
  checkOfferTime(offer, expected.now, offerLifetimeMsMax.jws);
  checkExpected(offer, expected);
  return { checks: [checkOf(parsed, key, "offer_signature_invalid")], value: offer };
}

/** The offer in a JWS that nobody has verified: to show it, or to learn whose key to fetch. Never to trust it. */
export const peekOffer = (jws: string): Offer => parseOffer(parseOfferJws(jws).payload);

/** The offer as a JWS to sign; what is signed is checked as strictly as what is read. */
export const offerJws = (offer: Offer): Unsigned<string> => ({
  header: { typ: offerTyp },
  payload: parseOffer(offer),
  finish: (jws) => jws,
});

function parseOfferJws(jws: string): ParsedJws {
  return parseJws(jws, { typ: [offerTyp], algs: ["ES256", "EdDSA"], refuse: "offer_malformed" });
}
