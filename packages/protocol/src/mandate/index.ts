export { type Admission, admits, type Purchase } from "./admits.ts";
export { areAboutPurchase, parsePurchaseDetails, purchaseDetailsType } from "./asked-purchase.ts";
export { examineMandateChain, type MandateChainInput } from "./chain.ts";
export {
  type ConsentEvidence,
  type MandateClaims,
  type MandateToIssue,
  mandateTyp,
  mandateTyps,
  mandateValidUntil,
  mandateVct,
  type ParentLink,
  type StatusReference,
} from "./claims.ts";
export {
  examineMandate,
  examineMandateParts,
  issueMandate,
  type MandateInput,
  type VerifiedMandate,
} from "./credential.ts";
export {
  type AcceptedAsset,
  isAmount,
  isOrigin,
  type LineItem,
  type MandateDetails,
  mandateDetailsType,
  mandateVersion,
  type Rail,
  rails,
  type StepUp,
  type Velocity,
  type VisibleDetails,
  velocityPeriods,
} from "./details.ts";
export { type BoughtLine, isListed, linesOf } from "./line-items.ts";
export { type MandateRequest, parseMandateDetails, parseMandateRequest } from "./request.ts";
export { describeMandate } from "./words.ts";
