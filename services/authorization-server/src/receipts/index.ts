export { proofBody, receiptRoutes } from "./receipts.http.ts";
export { createReceipts, type Receipts, type ReceiptsDeps, type SignedReceipt } from "./receipts.ts";

export const receiptTables = { receipts: "tenant" } as const;
