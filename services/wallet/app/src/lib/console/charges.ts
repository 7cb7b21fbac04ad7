import type { SoldBody } from "@remit/protocol/contracts";

/** Those that a merchant asks for; a charge passes through others in a moment. */
export const soldStatuses = [
  "captured",
  "authorized",
  "pending_approval",
  "refunded",
  "released",
  "declined",
  "disputed",
] as const satisfies readonly SoldBody["status"][];
