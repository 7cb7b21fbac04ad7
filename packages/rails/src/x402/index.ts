export {
  type Block,
  type Chain,
  ChainAway,
  type ChainOptions,
  openChain,
  type Receipt,
  type Sent,
} from "./chain.ts";
export type { Facilitator, Remembered, Settlement, SettleStep, Verification } from "./facilitator.ts";
export { type Use, useIn, type WantedTransfer } from "./logs.ts";
export {
  type AuthorizationSource,
  moneyOf,
  type ReadPayment,
  type Requirements,
  readPayment,
  readReference,
  referenceOf,
  schemeOf,
  type TransferPayment,
  type TransferReference,
} from "./payment.ts";
export { type Reason, reasons } from "./reasons.ts";
export { createRemoteFacilitator, isFacilitatorUrl, type RemoteFacilitator } from "./remote.ts";
export { createReturns, type Returns, type SeenReturn, type WantedReturn } from "./returns.ts";
export { type Call, type Signer, signerWithKey } from "./signer.ts";
export {
  createSigningEngine,
  type SigningEngineDeps,
  type SigningSource,
  signedReference,
  transferNonce,
} from "./signing-engine.ts";
export { type Checked, callOf, checkPayment, uncertaintyOf } from "./verify.ts";
export { type Wallet, type Wallets, walletsOfSeed, walletWithKey } from "./wallet.ts";
export { createX402Engine, type X402EngineDeps } from "./x402-engine.ts";
