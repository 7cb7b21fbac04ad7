import { Problem } from "@remit/protocol";
import Stripe from "stripe";

/** Stripe gave no usable answer to something that costs nobody anything: the caller may try again. */
export const unavailable = (cause: unknown): Problem =>
  new Problem("unavailable", {
    detail: "The card processor does not answer.",
    private: { type: cause instanceof Stripe.errors.StripeError ? cause.type : "unknown" },
    headers: { "Retry-After": "5" },
    cause,
  });

/**
 * Whether what was asked may be under way all the same: Stripe has another call with our key (409), was too busy to look at
 * this one (429), or was not heard. Anything else is an answer.
 */
export function isUnsettled(error: unknown): boolean {
  const cause = error instanceof Problem ? error.cause : error;
  if (cause instanceof Stripe.errors.StripeConnectionError) return true;
  return cause instanceof Stripe.errors.StripeError && (cause.statusCode === 409 || cause.statusCode === 429);
}

/** What a refused setup means for the person who wants to use the card. */
export function setupRefusal(error: unknown): Problem {
  if (error instanceof Stripe.errors.StripeCardError)
    return new Problem("card_declined", {
      detail: "The card cannot be saved.",
      extra: { decline_code: error.decline_code ?? error.code },
    });
  if (error instanceof Stripe.errors.StripeInvalidRequestError && error.statusCode === 400)
    return new Problem("invalid_request", {
      detail: "The payment method does not exist or cannot be used.",
      private: { code: error.code },
    });
  return unavailable(error);
}
