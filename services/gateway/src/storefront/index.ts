export { credit, proven, unsettled, withCredit } from "./answers.ts";
export { forwardAuth } from "./forward-auth.http.ts";
export { passOn } from "./open-routes.ts";
export { type OwnDoor, type StorefrontDeps, storefront, wantsFreshTerms } from "./storefront.http.ts";
