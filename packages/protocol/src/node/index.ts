export { verifyAccessToken } from "./access-tokens.ts";
export {
  hmacSha256,
  offerDigest,
  signOffer,
  signResponse,
  verifyCatalogue,
  verifyClosedPayment,
  verifyInstruction,
  verifyMerchantReceipt,
  verifyOffer,
  verifyOfferResponse,
  verifyReceipt,
} from "./commerce.ts";
export { type EvidenceFinding, type EvidenceReport, verifyEvidence } from "./evidence.ts";
export {
  generateJwk,
  holds,
  settle,
  sha256,
  sha256b64url,
  sign,
  signatureOf,
  signJws,
  thumbprint,
} from "./signatures.ts";
export {
  issueMandate,
  makeClientAssertion,
  makeDpopProof,
  makePresentation,
  presentationNonce,
  randomText,
  verifyCall,
  verifyClientAssertion,
  verifyDpopProof,
  verifyIdToken,
  verifyLogoutToken,
  verifyMandate,
  verifyMandateChain,
  verifyPresentation,
  verifySecurityEvent,
  verifyStatusList,
} from "./tokens.ts";
