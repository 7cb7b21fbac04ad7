import { type Money, unreachable } from "@remit/kernel";
import type { Booking, PassedOn, RefundStanding, Standing, Uncertainty } from "@remit/rails";
import type { Payment } from "./payment.ts";

/** What a payment does after the provider was asked or read. */
export type Decision =
  | {
      readonly kind: "become";
      readonly state: "authorized" | "releasing" | "released";
      readonly declineCode?: string;
    }
  | { readonly kind: "become"; readonly state: "declined" | "requires_action"; readonly declineCode: string }
  | {
      readonly kind: "become";
      readonly state: "captured";
      readonly captured: Money;
      readonly booking?: Booking;
      readonly passedOn?: PassedOn;
    }
  /** A read has shown that nothing happened: ask again with the next key. */
  | { readonly kind: "again" }
  /** Nobody knows yet, or what is known makes no sense: read later, change nothing. */
  | { readonly kind: "wait"; readonly because: Uncertainty | "contradiction" };

const become = (state: "authorized" | "releasing" | "released", declineCode?: string): Decision => ({
  kind: "become",
  state,
  ...(declineCode === undefined ? {} : { declineCode }),
});
const contradiction: Decision = { kind: "wait", because: "contradiction" };
const again: Decision = { kind: "again" };

/** The one decision for the direct answer, the sweeper after a crash, and a webhook's hint. */
export function decide(payment: Payment, standing: Standing): Decision {
  if (standing.kind === "unknown") return { kind: "wait", because: standing.because };
  switch (payment.state) {
    case "authorizing":
      return afterAuthorizing(payment, standing);
    case "capturing":
      return afterCapturing(payment, standing);
    case "releasing":
      return afterReleasing(standing);
    case "authorized":
    case "requires_action":
      return afterHint(payment, standing);
    // What has ended is not asked about; a refund has a decision of its own.
    case "captured":
    case "declined":
    case "refunded":
    case "refunding":
    case "released":
      return contradiction;
    default:
      return unreachable(payment.state);
  }
}

type Known = Exclude<Standing, { kind: "unknown" }>;

function afterAuthorizing(payment: Payment, standing: Known): Decision {
  switch (standing.kind) {
    case "authorized":
      if (standing.amount.units !== payment.amount.units) return contradiction;
      return become(payment.releaseWanted ? "releasing" : "authorized");
    case "prepared":
      return payment.releaseWanted ? become("releasing") : again;
    case "absent":
      return payment.releaseWanted ? become("released") : again;
    case "requires_action":
      if (payment.releaseWanted) return become("releasing");
      return { kind: "become", state: "requires_action", declineCode: "authentication_required" };
    case "declined":
      return { kind: "become", state: "declined", declineCode: standing.code };
    case "refused":
      return { kind: "become", state: "declined", declineCode: standing.because };
    case "released":
      return become("released");
    case "captured":
      // We ask for holds alone; whoever captured it was not us.
      return contradiction;
    default:
      return unreachable(standing);
  }
}

function afterCapturing(payment: Payment, standing: Known): Decision {
  switch (standing.kind) {
    case "captured":
      return capturedBy(payment, standing);
    case "authorized":
      return again;
    case "released":
      return become("released", "expired_before_capture");
    // A final no to the capture: the hold is given back, nothing is delivered.
    case "refused":
      return become("releasing", standing.because);
    case "declined":
      return become("releasing", standing.code);
    case "absent":
    case "prepared":
    case "requires_action":
      return contradiction;
    default:
      return unreachable(standing);
  }
}

function afterReleasing(standing: Known): Decision {
  switch (standing.kind) {
    case "released":
      return become("released");
    // A hold that was captured cannot be given back; what moved is booked.
    case "captured":
      return capturedOf(standing);
    case "authorized":
    case "prepared":
    case "declined":
    case "requires_action":
      return again;
    case "refused":
    case "absent":
      return contradiction;
    default:
      return unreachable(standing);
  }
}

/** News that nobody here asked for: a hold that ran out at the provider, or that its holder has confirmed there. */
function afterHint(payment: Payment, standing: Known): Decision {
  if (payment.state === "requires_action" && standing.kind === "authorized")
    return standing.amount.units === payment.amount.units ? become("authorized") : contradiction;
  if (standing.kind === "released") return become("released", "expired_before_capture");
  if (standing.kind === "captured") return capturedBy(payment, standing);
  return contradiction;
}

type Captured = Extract<Standing, { kind: "captured" }>;

const capturedBy = (payment: Payment, standing: Captured): Decision =>
  standing.amount.units > payment.amount.units ? contradiction : capturedOf(standing);

const capturedOf = ({ amount, booking, passedOn }: Captured): Decision => ({
  kind: "become",
  state: "captured",
  captured: amount,
  ...(booking === undefined ? {} : { booking }),
  ...(passedOn === undefined ? {} : { passedOn }),
});

export type RefundDecision =
  | {
      readonly kind: "refunded";
      readonly reference: string;
      readonly amount: Money;
      readonly booking?: Booking;
      readonly takenBack?: Booking;
      /** It has failed since: what it moved is posted all the same, and then taken back. */
      readonly failed: boolean;
    }
  | { readonly kind: "refused"; readonly because: string; readonly takenBackBy?: string }
  | { readonly kind: "again" }
  | { readonly kind: "wait"; readonly because: Uncertainty | "contradiction" };

/** The same for a refund, which has no state at the provider that would guard it: only its key does. */
export function decideRefund(asked: Money, standing: RefundStanding): RefundDecision {
  switch (standing.kind) {
    case "refunded": {
      const { refund: reference, amount, booking, takenBack } = standing;
      if (amount.units !== asked.units) return { kind: "wait", because: "contradiction" };
      return {
        kind: "refunded",
        reference,
        amount,
        failed: standing.failed !== undefined,
        ...(booking === undefined ? {} : { booking }),
        ...(takenBack === undefined ? {} : { takenBack }),
      };
    }
    case "refused":
      return standing;
    case "absent":
      return { kind: "again" };
    case "unknown":
      return { kind: "wait", because: standing.because };
    default:
      return unreachable(standing);
  }
}
