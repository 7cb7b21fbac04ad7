export {
  type EvidenceKey,
  type EvidenceKeySet,
  evidenceKeyAt,
  evidenceKeysPath,
  parseEvidenceKeys,
} from "./evidence-keys.ts";
export { examineMerchantReceipt, type MerchantReceipt, makeMerchantReceipt } from "./merchant-receipt.ts";
export {
  examineReceipt,
  leafDigestOf,
  makeReceipt,
  type Receipt,
  type ReceiptFacts,
  receiptTyp,
} from "./receipt.ts";
