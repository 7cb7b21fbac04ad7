export { checkExpected, type ExpectedOffer } from "./expected.ts";
export {
  checkOfferTime,
  type Offer,
  type OfferLine,
  type OfferResource,
  offerDigestOf,
  offerExpiresAt,
  offerLifetimeMsMax,
  offerSkewMs,
  parseOffer,
  priceOf,
} from "./offer.ts";
export { offerJws, offerTyp, peekOffer, readOfferJws } from "./offer-jws.ts";
export {
  offerComponents,
  offerLabel,
  prepareResponse,
  type ResponseSignature,
  type ResponseToSign,
  readOfferResponse,
  readSignedResponse,
  type SignedResponse,
} from "./signed-response.ts";
