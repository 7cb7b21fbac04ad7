export {
  type EvidenceKey,
  type EvidenceKeySet,
  evidenceKeyAt,
  evidenceKeysPath,
  parseEvidenceKeys,
} from "./evidence-keys.ts";
export {
  leafDigestOf,
  makeReceipt,
  type Receipt,
  type ReceiptFacts,
  readReceipt,
  receiptTyp,
} from "./receipt.ts";
