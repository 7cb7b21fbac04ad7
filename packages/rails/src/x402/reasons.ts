/**
 * Why a payment by `exact` on an EVM chain is not accepted, in the words of the x402 SDKs: their users know what to do.
 * The last three are ours.
 */
export const reasons = {
  payload: "invalid_payload",
  scheme: "unsupported_scheme",
  network: "invalid_exact_evm_network_mismatch",
  domain: "invalid_exact_evm_missing_eip712_domain",
  asset: "asset_not_deployed_contract",
  signature: "invalid_exact_evm_signature",
  recipient: "invalid_exact_evm_recipient_mismatch",
  validBefore: "invalid_exact_evm_payload_authorization_valid_before",
  validAfter: "invalid_exact_evm_payload_authorization_valid_after",
  value: "invalid_exact_evm_authorization_value",
  balance: "invalid_exact_evm_insufficient_balance",
  nonce: "invalid_exact_evm_nonce_already_used",
  tokenName: "invalid_exact_evm_token_name_mismatch",
  tokenVersion: "invalid_exact_evm_token_version_mismatch",
  unsupported: "invalid_exact_evm_eip3009_not_supported",
  simulation: "invalid_exact_evm_transaction_simulation_failed",
  transaction: "invalid_exact_evm_transaction_failed",
  transfer: "invalid_exact_evm_transfer_event_mismatch",
  // Of `upto` (specs/schemes/upto/scheme_upto_evm.md, and what its clients know besides).
  permitToken: "permit2_token_mismatch",
  permitAmount: "permit2_amount_mismatch",
  permitNonce: "permit2_invalid_nonce",
  permitAllowance: "permit2_allowance_required",
  permitFacilitator: "upto_facilitator_mismatch",
  permitProxy: "permit2_proxy_not_deployed",
  permitExceeded: "invalid_upto_evm_payload_settlement_exceeds_amount",
  pending: "settlement_pending",
  /** Somebody was told of this settlement already: it pays for one thing. */
  duplicate: "duplicate_settlement",
  /** The chain costs more than this facilitator is allowed to spend. */
  gas: "gas_price_too_high",
  /** The token wants more gas than a transfer takes. */
  gasUse: "gas_limit_exceeded",
} as const;

export type Reason = (typeof reasons)[keyof typeof reasons];
