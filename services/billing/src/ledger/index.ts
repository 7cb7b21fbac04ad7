export { type MerchantOwner } from "./chart.ts";
export { bookingEntry, captureEntry, type Entry, refundEntry } from "./entries.ts";
export { ledgerRoutes } from "./ledger.http.ts";
export { post } from "./ledger.ts";
