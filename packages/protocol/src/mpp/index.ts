export {
  type Binding,
  type Challenge,
  challengeId,
  challengeRequest,
  checkChallenge,
  formatChallenge,
  makeChallenge,
  nameChallenge,
  namedText,
  opaqueOf,
  paymentAuthorizationHeader,
} from "./challenge.ts";
export {
  type Credential,
  formatCredential,
  formatReceipt,
  mandateMethod,
  type PaymentReceipt,
  parseCredential,
  parseReceipt,
  paymentReceiptHeader,
} from "./credential.ts";
export {
  rpcChallenge,
  rpcCredential,
  rpcPaymentCodes,
  rpcPaymentKeys,
  rpcReceipt,
} from "./json-rpc.ts";
export {
  evmMethod,
  evmRequest,
  parseEvmPayload,
  parseStripePayload,
  stripeMethod,
  stripeRequest,
} from "./methods.ts";
export { parseChallenges } from "./parse-challenges.ts";
