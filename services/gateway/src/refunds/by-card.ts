import { invariant, moneyOf } from "@remit/kernel";
import type { Merchant } from "../offers/index.ts";
import type { Given, Read, RefundDeps } from "./refunds.ts";

/**
 * Through the seller's own account at Stripe. What was passed on to a connected account is taken back from it, as the engine
 * of that account does by itself (`reverse_transfer`); no request says so.
 */
export async function giveBackByCard(
  { engines }: RefundDeps,
  { refund, paid, merchant }: Read & { readonly merchant: Merchant },
): Promise<Given> {
  const engine = engines.card(merchant, paid.account);
  const amount = moneyOf(refund.amountMinor, paid.currency);
  invariant(amount !== undefined && paid.reference !== undefined, "a captured payment has money and a name");
  // The seller has no account here any more: until there is one again, nothing is known.
  if (engine === undefined) return { kind: "unknown" };
  const standing = await engine.refund({
    key: refund.id,
    attempt: refund.attempt,
    reference: paid.reference,
    amount,
    startedAt: refund.createdAt,
    recovered: refund.generation > 1 || refund.attempt > 1,
  });
  switch (standing.kind) {
    case "refunded":
      return standing.failed === undefined
        ? { kind: "refunded", reference: standing.refund }
        : { kind: "refused", because: standing.failed.because };
    case "refused":
      return { kind: "refused", because: standing.because };
    case "absent":
      return { kind: "again" };
    case "unknown":
      return { kind: "unknown" };
  }
}
