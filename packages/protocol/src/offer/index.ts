export { addsOnlyTaxOrShipping } from "./amended.ts";
export { checkExpected, type ExpectedOffer } from "./expected.ts";
export {
  checkOfferTime,
  type Offer,
  type OfferLine,
  type OfferResource,
  type OfferTool,
  offerDigestOf,
  offerExpiresAt,
  offerLifetimeMsMax,
  offerSkewMs,
  parseOffer,
  priceOf,
} from "./offer.ts";
export { examineOffer, offerJws, offerTyp, peekOffer } from "./offer-jws.ts";
export {
  examineOfferResponse,
  examineSignedResponse,
  offerComponents,
  offerLabel,
  prepareResponse,
  type ResponseSignature,
  type ResponseToSign,
  type SignedResponse,
} from "./signed-response.ts";
export { type OfferTransfer, readTransfer, tokensOf } from "./transfer.ts";
