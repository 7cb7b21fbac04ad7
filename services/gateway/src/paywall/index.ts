export { acceptable } from "./accept-payment.ts";
export { bazaarOf } from "./bazaar.ts";
export { mppProblemType } from "./mpp-problems.ts";
export {
  type Asking,
  errorOf,
  type PaymentRequiredAnswer,
  paymentRequired,
  prefersHtml,
  requiredBy,
} from "./paywall.ts";
export { listedOffer, type TermsDeps, termsOf } from "./terms.ts";
export { bindingOf, contentDigestOf, type Door, placeOf, type Wanted } from "./wanted.ts";
export { bindingFor, cardTermsOf, transferTermsOf } from "./ways.ts";
