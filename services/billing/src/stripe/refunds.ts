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
  /** Why it came to nothing, and what put the money back on our balance. */
  readonly failed:
    | { readonly because: string; readonly booking: Pick<Movement, "id" | "amount" | "fee"> | undefined }
    | undefined;
};

/** Throws `unavailable`. */
export async function readRefund(stripe: Stripe, reference: string): Promise<RefundSeen> {
  try {
    return seen(await stripe.refunds.retrieve(reference, { expand: ["failure_balance_transaction"] }));
  } catch (cause) {
    throw cause instanceof Problem ? cause : unavailable(cause);
  }
}

function seen(refund: Stripe.Refund): RefundSeen {
  const { payment_intent: intent, metadata, failure_balance_transaction: back } = refund;
  const failure = refundFailure(refund);
  // Null, where Stripe knows of none.
  const booking = typeof back === "object" && back !== null ? movementOf(back) : undefined;
  return {
    payment: typeof intent === "string" ? intent : intent?.id,
    refund: parseId("refund", metadata?.["refund"] ?? ""),
    failed: failure && { ...failure, booking },
  };
}
