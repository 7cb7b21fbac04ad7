import {
  after,
  hourMs,
  type Id,
  type Instant,
  type Money,
  minuteMs,
  secondMs,
  unreachable,
} from "@remit/kernel";
import type { AccessTokenClaims, PublicJwk } from "@remit/protocol";
import type { ReturnRefusal } from "@remit/protocol/contracts";

/** Each `-ing` state is durable before billing is called, and is read back when the outcome is unknown. */
export type ChargeState =
  | "pending_approval"
  | "authorizing"
  | "authorized"
  | "committed"
  | "capturing"
  | "captured"
  | "refunding"
  | "refunded"
  | "releasing"
  | "released"
  | "declined"
  | "expired";

/** What billing is asked to do. */
export type Verb = "hold" | "capture" | "release" | "refund";

/** One purchase under a mandate, from hold to capture or release. The row in the payer's tenant is the truth. */
export type Charge = {
  readonly id: Id<"charge">;
  readonly payer: Id<"tenant">;
  readonly payee: Id<"tenant">;
  readonly mandate: Id<"mandate">;
  readonly agent: Id<"agent">;
  readonly merchant: Id<"merchant">;
  readonly merchantClient: string;
  readonly merchantOrigin: string;
  readonly state: ChargeState;
  /** Rises only once a read has shown that the former payment is canceled. */
  readonly generation: number;
  readonly captureMode: "automatic" | "manual";
  readonly commits: boolean;
  readonly amount: Money;
  /** Set at the commit point. */
  readonly capture: Money | undefined;
  readonly refunded: Money;
  readonly refunding: Refunding | undefined;
  readonly rail: "card" | "x402" | "test";
  readonly instrument: Id<"instrument"> | undefined;
  readonly payment: Id<"payment"> | undefined;
  readonly paymentReference: string | undefined;
  readonly because: string | undefined;
  readonly offer: {
    readonly id: string;
    /** The bytes that were verified: the compact JWS, or the signed response as JSON. */
    readonly evidence: string;
    readonly digest: string;
    readonly key: PublicJwk;
  };
  readonly mandateHash: string;
  readonly presentationHash: string;
  /** The claims of the agent's token, which say whether it was revoked since. Never the token itself. */
  readonly token: AccessTokenClaims;
  readonly responseDigest: string | undefined;
  readonly requestDigest: string | undefined;
  readonly serveBy: Instant;
  readonly captureBy: Instant;
  readonly createdAt: Instant;
  readonly authorizedAt: Instant | undefined;
  readonly committedAt: Instant | undefined;
  readonly capturedAt: Instant | undefined;
  readonly receipt: Id<"receipt"> | undefined;
  /** The question to the principal, and until when it is open. */
  readonly asking: { readonly approval: Id<"approval">; readonly until: Instant } | undefined;
  readonly approvedAt: Instant | undefined;
  /** Runs on a tab, which is charged at this amount: billing hears of the tab alone. */
  readonly tabLimit: Money | undefined;
  readonly tab: Id<"tab"> | undefined;
  /** A revocation after this does not stop it. */
  readonly commitPointAt: Instant | undefined;
  readonly livemode: boolean;
  /** The offer that counts since tax or shipping was added; what was presented stays in `offer`. */
  readonly amended: Amended | undefined;
  /** The payment of the generation before, which is let go of before this one is asked for. */
  readonly former: { readonly payment: Id<"payment">; readonly amount: Money } | undefined;
};

/** A refund under way. Over a chain the merchant has made it, in the transaction it names, or has not. */
export type Refunding = {
  readonly id: Id<"refund">;
  readonly amount: Money;
  readonly transaction: string | undefined;
};

/** An offer that was verified later than the one that was presented. */
export type Amended = {
  readonly evidence: string;
  readonly key: PublicJwk;
  readonly digest: string;
  readonly at: Instant;
};

/** What billing says of a charge: a payment, that it knows none, that it refuses one, or nothing we can rely on. */
export type Seen =
  | { readonly kind: "payment"; readonly payment: Payment }
  | { readonly kind: "absent" }
  | { readonly kind: "refused"; readonly because: string }
  | { readonly kind: "unknown" };

export type PaymentState =
  | "authorizing"
  | "authorized"
  | "declined"
  | "capturing"
  | "captured"
  | "releasing"
  | "released"
  | "refunding"
  | "refunded"
  | "requires_action";

/** A refused refund has moved nothing and never will. */
export type SeenRefund = {
  readonly id: Id<"refund">;
  readonly state: "pending" | "succeeded" | "refused" | "failed";
  /** What its merchant may know of why it was refused. */
  readonly because: ReturnRefusal | undefined;
};

export type Payment = {
  readonly id: Id<"payment">;
  readonly generation: number;
  readonly state: PaymentState;
  readonly reference: string | undefined;
  readonly capturedMinor: bigint;
  readonly refundedMinor: bigint;
  /** What became of each refund, the newest first; undefined where billing does not say. */
  readonly refunds: readonly SeenRefund[] | undefined;
  readonly declineCode: string | undefined;
};

/** What follows from what billing says: a change of state, another word to billing, patience, or an alarm. */
export type Move =
  | { readonly kind: "authorized" }
  /** The card's issuer wants its holder: the principal is asked, and it is never tried again without. */
  | { readonly kind: "ask_holder" }
  | { readonly kind: "declined"; readonly because: string }
  | { readonly kind: "captured" }
  | { readonly kind: "released" }
  | { readonly kind: "refunded" }
  | { readonly kind: "refund_refused"; readonly because: string }
  | { readonly kind: "release"; readonly because: string }
  | { readonly kind: "send"; readonly verb: Verb }
  | { readonly kind: "wait" }
  | { readonly kind: "alarm"; readonly because: string };

const wait: Move = { kind: "wait" };

/** Who moves a charge: the merchant's request, which goes on, or recovery, which goes back before the commit point. */
export type Driver = "caller" | "recovery";

/** Decides on an answer of billing, whether it came to our call or was read back later: the same words, the same move. */
export function moveOn(charge: Charge, seen: Seen, driver: Driver): Move {
  if (seen.kind === "unknown") return wait;
  if (seen.kind === "refused") return whenRefused(charge, seen.because);
  const payment = seen.kind === "payment" ? seen.payment : undefined;
  switch (charge.state) {
    case "pending_approval":
      return whilePending(payment);
    case "authorizing":
      return whileAuthorizing(payment, driver);
    case "capturing":
      return whileCapturing(charge, payment);
    case "releasing":
      return whileReleasing(payment);
    case "refunding":
      return whileRefunding(charge, payment);
    case "authorized":
    case "committed":
    case "captured":
    case "refunded":
    case "released":
    case "declined":
    case "expired":
      return wait;
    default:
      return unreachable(charge.state);
  }
}

function whenRefused({ state }: Charge, because: string): Move {
  if (state === "authorizing") return { kind: "declined", because };
  return state === "refunding" ? { kind: "refund_refused", because } : wait;
}

/** What billing never says in this state unless one of us is wrong: a person must look. */
const alarm = ({ state }: Payment, during: ChargeState): Move => ({
  kind: "alarm",
  because: `payment ${state} while the charge is ${during}`,
});

function whileAuthorizing(payment: Payment | undefined, driver: Driver): Move {
  // Billing knows nothing, but our word may still be on its way: so going back is a word too, never a guess.
  if (payment === undefined)
    return driver === "caller" ? { kind: "send", verb: "hold" } : { kind: "release", because: "abandoned" };
  switch (payment.state) {
    case "authorized":
      return { kind: "authorized" };
    case "declined":
      return { kind: "declined", because: payment.declineCode ?? "card_declined" };
    case "requires_action":
      return { kind: "ask_holder" };
    case "releasing":
    case "released":
      return { kind: "release", because: "abandoned" };
    case "authorizing":
      return wait;
    case "capturing":
    case "captured":
    case "refunding":
    case "refunded":
      return alarm(payment, "authorizing");
  }
}

/** While the principal is asked on behalf of the card's issuer, there is a payment; else billing knows of none. */
function whilePending(payment: Payment | undefined): Move {
  switch (payment?.state) {
    case undefined:
    case "authorizing":
    case "requires_action":
      return wait;
    case "authorized":
      return { kind: "authorized" };
    case "declined":
      return { kind: "release", because: payment?.declineCode ?? "card_declined" };
    case "releasing":
    case "released":
      return { kind: "release", because: "authentication_required" };
    case "capturing":
    case "captured":
    case "refunding":
    case "refunded":
      return { kind: "alarm", because: "a payment moves on whose holder has not confirmed it" };
  }
}

function whileCapturing({ capture }: Charge, payment: Payment | undefined): Move {
  if (payment === undefined)
    return { kind: "alarm", because: "the payment of a capture is unknown to billing" };
  switch (payment.state) {
    case "captured":
      return payment.capturedMinor === capture?.units
        ? { kind: "captured" }
        : { kind: "alarm", because: "billing captured another amount than it was told to" };
    case "authorized":
      return { kind: "send", verb: "capture" };
    case "released":
    case "releasing":
    case "declined":
      return { kind: "release", because: payment.declineCode ?? "capture_refused" };
    case "capturing":
      return wait;
    case "authorizing":
    case "requires_action":
    case "refunding":
    case "refunded":
      return alarm(payment, "capturing");
  }
}

function whileReleasing(payment: Payment | undefined): Move {
  if (payment === undefined) return { kind: "send", verb: "release" };
  switch (payment.state) {
    case "released":
    case "declined":
      return { kind: "released" };
    case "authorizing":
    case "authorized":
    case "requires_action":
      return { kind: "send", verb: "release" };
    case "releasing":
      return wait;
    case "capturing":
    case "captured":
    case "refunding":
    case "refunded":
      return alarm(payment, "releasing");
  }
}

function whileRefunding(charge: Charge, payment: Payment | undefined): Move {
  if (payment === undefined)
    return { kind: "alarm", because: "the payment of a refund is unknown to billing" };
  const ours = payment.refunds?.find(({ id }) => id === charge.refunding?.id);
  if (ours?.state === "succeeded") return { kind: "refunded" };
  if (ours?.state === "refused" || ours?.state === "failed")
    return { kind: "refund_refused", because: ours.because ?? "payment_refund_refused" };
  if (ours?.state === "pending") return wait;
  const wanted = charge.refunded.units + (charge.refunding?.amount.units ?? 0n);
  if (payment.refunds === undefined && payment.refundedMinor >= wanted) return { kind: "refunded" };
  return payment.state === "refunding" ? wait : { kind: "send", verb: "refund" };
}

/** Queue of the jobs by which recovery looks at charges; a job's key is the charge's id. */
export const chargesQueue = "charges";

/** How long whoever drives a charge is left alone with it: then recovery looks, and the same request may take over. */
export const chargeLeaseMs = 10 * secondMs;

/** When recovery first looks at a charge that was set on its way now. */
export const firstLook = (now: Instant, leaseMs: number = chargeLeaseMs): Instant => after(now, leaseMs);

export const serveByMsDefault = minuteMs;
export const captureByMsMax = 6 * 24 * hourMs;

/** How long a principal has to answer. */
export const approveMs = 10 * minuteMs;
/** How long a purchase that was approved waits at least for whoever buys to come back for it. */
const resumeMsMin = 5 * minuteMs;

/** The time to serve begins with the yes. */
export function serveByAfter({ serveBy, asking }: Charge, now: Instant): Instant {
  const window = asking === undefined ? serveByMsDefault : serveBy - asking.until;
  return after(now, Math.max(window, resumeMsMin));
}

/** What is left to refund, in minor units. */
export const refundable = (charge: Charge): bigint => (charge.capture?.units ?? 0n) - charge.refunded.units;
