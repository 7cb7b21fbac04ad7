export { booksRoutes } from "./books.http.ts";
export { type MerchantOwner } from "./chart.ts";
export { disputeBookedEntry, disputeFeeEntry, disputeMovedEntry } from "./dispute-entries.ts";
export {
  type Booked,
  bookingEntry,
  captureEntry,
  type Entry,
  invoiceEntry,
  invoicePaidEntry,
  type Paid,
  passedOnEntries,
  refundEntry,
  refundFailedEntry,
  takenBackEntry,
  transferredEntry,
} from "./entries.ts";
export { ledgerRoutes } from "./ledger.http.ts";
export { ledgerJobs } from "./ledger.jobs.ts";
export { entryNamed, post } from "./ledger.ts";
export {
  boundsOf,
  type ClearingAccount,
  clearingOf,
  closedMonths,
  closeMonth,
  dueMonths,
  finishMonth,
  type Month,
  monthNamed,
  monthOf,
  monthsNow,
  runningFees,
  type Sum,
  sumMonth,
  sumsOf,
  tenantsIn,
} from "./months.ts";
export { type OwnPayout, type PlanPayment, payoutEntries, planEntries } from "./own-entries.ts";
export { assertBooks, isHalted, refuseWhileHalted } from "./standing.ts";
export { returnEntries, seenOnChainEntry, transferEntry } from "./transfer-entries.ts";
