export { type Asking, type PaymentRequiredAnswer, paymentRequired, prefersHtml } from "./paywall.ts";
export { listedOffer, type TermsDeps } from "./terms.ts";
export { bindingOf, contentDigestOf, type Door, placeOf, type Wanted } from "./wanted.ts";
export { bindingFor, cardTermsOf, transferTermsOf } from "./ways.ts";
