import { fromNumericDate, type Id, type Instant, invariant, type Money, money } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { fromStripe } from "@remit/rails/card";
import Stripe from "stripe";
import { type Movement, movementOf } from "./balance.ts";
import { isUnsettled, unavailable } from "./failures.ts";

/** A dispute as Stripe has it now, with every movement of our balance that it has caused. */
export type DisputeSeen = {
  readonly reference: string;
  readonly payment: string | undefined;
  readonly status: string;
  readonly reason: string;
  readonly amount: Money;
  readonly respondBy: Instant | undefined;
  readonly openedAt: Instant;
  readonly movements: readonly Movement[];
};

/** Throws `unavailable`. */
export async function readDispute(stripe: Stripe, reference: string): Promise<DisputeSeen> {
  try {
    return seen(await stripe.disputes.retrieve(reference));
  } catch (cause) {
    throw cause instanceof Problem ? cause : unavailable(cause);
  }
}

function seen(dispute: Stripe.Dispute): DisputeSeen {
  const {
    id: reference,
    status,
    reason,
    payment_intent: intent,
    created,
    evidence_details: details,
  } = dispute;
  const amount = fromStripe(dispute.amount, dispute.currency);
  invariant(amount !== undefined, "Stripe disputes in currencies we know");
  return {
    reference,
    payment: typeof intent === "string" ? intent : intent?.id,
    status,
    reason,
    amount: money(amount.asset, amount.units),
    respondBy: details.due_by === null ? undefined : fromNumericDate(details.due_by),
    openedAt: fromNumericDate(created),
    movements: dispute.balance_transactions.map(movementOf),
  };
}

/**
 * Sends what the merchant says on to the bank. Sent again while the dispute stands as it did, it is one answer; an inquiry that
 * was answered and became a dispute is answered anew. Throws `unavailable`.
 */
export const submitEvidence = (
  stripe: Stripe,
  of: {
    readonly id: Id<"dispute">;
    readonly reference: string;
    /** Stripe's own word for how it stands. */
    readonly status: string;
    readonly text: string;
  },
): Promise<void> =>
  told(() =>
    stripe.disputes.update(
      of.reference,
      { evidence: { uncategorized_text: of.text }, submit: true },
      { idempotencyKey: `${of.id}.evidence.${of.status}` },
    ),
  );

/** Gives a dispute up, for good. Throws `unavailable`. */
export const closeDispute = (
  stripe: Stripe,
  of: { readonly id: Id<"dispute">; readonly reference: string },
): Promise<void> => told(() => stripe.disputes.close(of.reference, {}, { idempotencyKey: `${of.id}.close` }));

/** A no of Stripe is no error here: what has become of the dispute is read afterwards. */
async function told(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const refused = error instanceof Stripe.errors.StripeInvalidRequestError || isIdempotency(error);
    if (!refused || isUnsettled(error)) throw unavailable(error);
  }
}

const isIdempotency = (error: unknown): boolean => error instanceof Stripe.errors.StripeIdempotencyError;
