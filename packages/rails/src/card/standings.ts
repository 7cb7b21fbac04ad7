import { invariant, type Money } from "@remit/kernel";
import type Stripe from "stripe";
import type { Booking, PassedOn, Standing } from "../engine.ts";
import { fromStripe } from "./amounts.ts";

/** Where a PaymentIntent stands, in our words. */
export function standingOf(intent: Stripe.PaymentIntent): Standing {
  const reference = intent.id;
  switch (intent.status) {
    case "requires_capture":
      return { kind: "authorized", reference, amount: moneyOf(intent.amount_capturable, intent.currency) };
    case "succeeded":
      return {
        ...bookingIn(intent),
        ...passedOnIn(intent),
        kind: "captured",
        reference,
        amount: moneyOf(intent.amount_received, intent.currency),
      };
    case "canceled":
      return { kind: "released", reference };
    case "requires_action":
      return { kind: "requires_action", reference };
    case "requires_confirmation":
      return { kind: "prepared", reference };
    case "requires_payment_method":
      return afterFailure(intent);
    case "processing":
      // Cards settle at once; a method that takes days has no place here, and reading again is right.
      return { kind: "unknown", because: "busy" };
    default:
      return { kind: "unknown", because: "unexpected" };
  }
}

/** Stripe takes the method off an intent that failed; the error says why it did. */
function afterFailure(intent: Stripe.PaymentIntent): Standing {
  const error = intent.last_payment_error;
  if (error === null) return { kind: "prepared", reference: intent.id };
  if (error.code === "authentication_required") return { kind: "requires_action", reference: intent.id };
  return {
    kind: "declined",
    reference: intent.id,
    code: error.decline_code ?? error.code ?? "card_declined",
  };
}

function bookingIn({ latest_charge }: Stripe.PaymentIntent): { booking?: Booking } {
  const transaction = typeof latest_charge === "object" ? latest_charge?.balance_transaction : undefined;
  return bookingOf(transaction ?? undefined);
}

/** Both movements or none: what is booked by half is read again. */
function passedOnIn({ latest_charge }: Stripe.PaymentIntent): { passedOn?: PassedOn } {
  if (typeof latest_charge !== "object" || latest_charge === null) return {};
  const { application_fee: fee } = latest_charge;
  const transfer = latest_charge.transfer ?? undefined;
  if (typeof transfer !== "object") return {};
  const { booking: sent } = bookingOf(transfer.balance_transaction ?? undefined);
  const { booking: kept } = bookingOf(
    typeof fee === "object" && fee !== null ? (fee.balance_transaction ?? undefined) : undefined,
  );
  if (sent === undefined || (fee !== null && kept === undefined)) return {};
  return {
    passedOn: { reference: transfer.id, transfer: sent, ...(kept === undefined ? {} : { fee: kept }) },
  };
}

/**
 * The booking of a balance transaction that came expanded, in the currency in which Stripe settles it. Nothing when it is only an
 * id yet, nor of a currency that we keep no books in: the payment stands as it does all the same.
 */
export function bookingOf(transaction: string | Stripe.BalanceTransaction | undefined): {
  booking?: Booking;
} {
  if (typeof transaction !== "object") return {};
  const amount = fromStripe(Math.abs(transaction.amount), transaction.currency);
  const fee = fromStripe(transaction.fee, transaction.currency);
  return amount === undefined || fee === undefined ? {} : { booking: { id: transaction.id, amount, fee } };
}

export function moneyOf(amount: number, currency: string): Money {
  const money = fromStripe(amount, currency);
  invariant(money !== undefined, "Stripe answers in a currency that we sent");
  return money;
}
