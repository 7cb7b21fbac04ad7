export {
  authCaptureRequirements,
  authCaptureScheme,
  type CardPayload,
  type CardTerms,
  cardRequirement,
  cardScheme,
  parseCardPayload,
} from "./card-scheme.ts";
export {
  evmChainIdOf,
  evmNetworksV1,
  exactEvmPayload,
  exactScheme,
  type Hex,
  mppTransferNonce,
  parseExactEvmPayload,
  type SignedTransfer,
  type TokenDomain,
  type TransferAuthorization,
  transferAuthorizationTypes,
  transferDigest,
} from "./exact-evm.ts";
export {
  exactRequirement,
  exactRequirementV1,
  parseTransfer,
  type TransferTerms,
} from "./exact-requirements.ts";
export {
  type MandatePayment,
  type MandateTerms,
  mandatePayload,
  mandateRequirement,
  mandateScheme,
  mandateSettled,
  mandateTermsOf,
  parseMandatePayload,
  receiptOfSettled,
  remitNetwork,
} from "./mandate-scheme.ts";
export {
  decodeHeader,
  encodeHeader,
  type PaymentPayload,
  type PaymentRequired,
  type PaymentRequirement,
  parsePaymentPayload,
  parsePaymentRequired,
  parseRequirement,
  parseSettleResponse,
  paymentRequiredHeader,
  paymentResponseHeader,
  paymentSignatureHeader,
  type SettleResponse,
} from "./messages.ts";
export {
  paymentIdentifierExtension,
  paymentIdentifierOf,
  paymentIdentifierOffer,
} from "./payment-identifier.ts";
export {
  parsePermit,
  parseUptoEvmPayload,
  permit2Address,
  permitDigest,
  transferPayload,
  uptoProxyAddress,
  uptoRequirement,
  uptoScheme,
} from "./upto-evm.ts";
