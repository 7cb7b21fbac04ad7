export { type PaymentRequiredAnswer, paymentRequired, prefersHtml } from "./paywall.ts";
export { bindingOf, contentDigestOf, listedOffer, placeOf, type TermsDeps, type Wanted } from "./terms.ts";
