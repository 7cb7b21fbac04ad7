export { type MerchantOwner } from "./chart.ts";
export { bookingEntry, captureEntry, type Entry, refundEntry } from "./entries.ts";
export { feeOf } from "./fees.ts";
export { ledgerRoutes } from "./ledger.http.ts";
export { feeScheduleOf, post } from "./ledger.ts";
