import { type Id, parseId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { refundFailure } from "@remit/rails/card";
import type Stripe from "stripe";
import { type Movement, movementOf } from "./balance.ts";
import { unavailable } from "./failures.ts";

/** A refund as Stripe has it now, as far as it may have failed. */
export type RefundSeen = {
  readonly payment: string | undefined;
  /** Our name for it, where we asked for it. */
  readonly refund: Id<"refund"> | undefined;
  /** What it took back of the transfer to a merchant's account, whatever became of the refund; undefined where it took nothing. */
  readonly takenBack: { readonly booking: Pick<Movement, "id" | "amount" | "fee"> | undefined } | undefined;
  /** Why it came to nothing, and what put the money back on our balance. */
  readonly failed:
    | { readonly because: string; readonly booking: Pick<Movement, "id" | "amount" | "fee"> | undefined }
    | undefined;
};

const expand = ["failure_balance_transaction", "transfer_reversal.balance_transaction"];

/** Throws `unavailable`. */
export async function readRefund(stripe: Stripe, reference: string): Promise<RefundSeen> {
  try {
    return seen(await stripe.refunds.retrieve(reference, { expand }));
  } catch (cause) {
    throw cause instanceof Problem ? cause : unavailable(cause);
  }
}

/** Null, where Stripe knows of none. */
const bookedIn = (
  transaction: string | Stripe.BalanceTransaction | null | undefined,
): Movement | undefined =>
  typeof transaction === "object" && transaction !== null ? movementOf(transaction) : undefined;

function seen(refund: Stripe.Refund): RefundSeen {
  const { payment_intent: intent, metadata, failure_balance_transaction: back } = refund;
  const failure = refundFailure(refund);
  const reversal = refund.transfer_reversal ?? null;
  return {
    payment: typeof intent === "string" ? intent : intent?.id,
    refund: parseId("refund", metadata?.["refund"] ?? ""),
    takenBack:
      reversal === null
        ? undefined
        : { booking: typeof reversal === "string" ? undefined : bookedIn(reversal.balance_transaction) },
    failed: failure && { ...failure, booking: bookedIn(back) },
  };
}
