import Stripe from "stripe";
import type { Uncertainty } from "../engine.ts";

/** What an error of the SDK means for a payment. */
export type Failure =
  | { readonly kind: "declined"; readonly code: string }
  | { readonly kind: "authentication_required" }
  /** The object is in a state that does not allow this; reading it tells which. */
  | { readonly kind: "wrong_state" }
  | { readonly kind: "refused"; readonly because: string }
  /** `settled`: Stripe has ended this call and keeps this answer for its key, so the same key gives no other. */
  | { readonly kind: "unknown"; readonly because: Uncertainty; readonly settled: boolean };

const stateCodes = [
  "payment_intent_unexpected_state",
  "charge_already_captured",
  "payment_intent_incompatible_payment_method",
];

/** Reads an error of the SDK. What is no error of the SDK is a bug of ours and thrown on. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Stripe.errors.StripeError)) throw error;
  if (error instanceof Stripe.errors.StripeConnectionError)
    return unknown(/timed out|aborted due to timeout/i.test(error.message) ? "timeout" : "connection", error);
  if (error instanceof Stripe.errors.StripeCardError) return cardFailure(error);
  const status = error.statusCode ?? 0;
  if (status === 409 || status === 429) return unknown("busy", error);
  if (status >= 500) return unknown("server_error", error);
  if (error.code !== undefined && stateCodes.includes(error.code)) return { kind: "wrong_state" };
  // Only a bad request is a final no. A wrong API key, a vanished object or a key used with other parameters is trouble of
  // ours that says nothing about the payment.
  if (status === 400 && error instanceof Stripe.errors.StripeInvalidRequestError)
    return { kind: "refused", because: error.code ?? error.type };
  return unknown("unexpected", error);
}

/** The payment that a refused call has made all the same. */
export const intentIn = (error: unknown): string | null =>
  error instanceof Stripe.errors.StripeError ? (error.payment_intent?.id ?? null) : null;

/**
 * True of a call that was refused, before anything came of it, because a parameter of that name is not known there, or
 * because its key was first used with other parameters: an earlier run may have had to spell it otherwise.
 */
export const misplaced = (error: unknown, names: readonly string[]): boolean =>
  error instanceof Stripe.errors.StripeError &&
  error.statusCode === 400 &&
  (error instanceof Stripe.errors.StripeIdempotencyError ||
    ((error.code === "parameter_unknown" || error.code === "parameter_missing") &&
      names.some((name) => error.param?.startsWith(name) === true)));

function cardFailure(error: Stripe.errors.StripeCardError): Failure {
  if (error.code === "authentication_required" || error.decline_code === "authentication_required")
    return { kind: "authentication_required" };
  // Where the issuer says no more, the SDK has an empty text.
  const code = [error.decline_code, error.code].find((said) => said !== undefined && said !== "");
  return { kind: "declined", code: code ?? "card_declined" };
}

const unknown = (because: Uncertainty, error: Stripe.errors.StripeError): Failure => ({
  kind: "unknown",
  because,
  settled: error.headers?.["idempotent-replayed"] === "true",
});
