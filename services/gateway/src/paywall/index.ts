export { acceptable } from "./accept-payment.ts";
export { bazaarOf } from "./bazaar.ts";
export { mppProblemType } from "./mpp-problems.ts";
export {
  type Asking,
  errorOf,
  type PaymentRequiredAnswer,
  paymentRequired,
  prefersHtml,
  requiredText,
} from "./paywall.ts";
export { createPriceTags, listedOffer, pricedAt } from "./price-tags.ts";
export { type TermsDeps, termsOf } from "./terms.ts";
export { bindingOf, contentDigestOf, type Door, placeOf, type Wanted } from "./wanted.ts";
export { bindingFor, cardTermsOf, type Settlers, transferRequirementOf, transferTermsOf } from "./ways.ts";
