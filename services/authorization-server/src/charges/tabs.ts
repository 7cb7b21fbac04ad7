import {
  after,
  cardMinimum,
  hourMs,
  type Id,
  type Instant,
  isInCardSteps,
  type Money,
  unreachable,
} from "@remit/kernel";
import type { Offer } from "@remit/protocol";
import type { Payment, Seen, Verb } from "./charges.ts";

/** `settling`, `capturing` and `releasing` are durable before billing is called, and are read back. */
export type TabState = "open" | "settling" | "capturing" | "releasing" | "settled" | "unpaid";

/** What a mandate owes one merchant for small purchases. The row in the payer's tenant is the truth. */
export type Tab = {
  readonly id: Id<"tab">;
  readonly payer: Id<"tenant">;
  readonly payee: Id<"tenant">;
  readonly mandate: Id<"mandate">;
  readonly agent: Id<"agent">;
  readonly merchant: Id<"merchant">;
  readonly merchantClient: string;
  readonly instrument: Id<"instrument"> | undefined;
  readonly state: TabState;
  /** Rises with each time that its money is asked for. */
  readonly generation: number;
  readonly owed: Money;
  readonly asked: Money | undefined;
  readonly limit: Money;
  /** What billing knows it by. */
  readonly charge: Id<"charge">;
  readonly payment: Id<"payment"> | undefined;
  readonly paymentReference: string | undefined;
  readonly because: string | undefined;
  readonly openedAt: Instant;
  readonly dueAt: Instant;
  readonly stateSince: Instant;
  readonly livemode: boolean;
};

export const tabsQueue = "tabs";
/** Why a tab is unpaid that nobody was asked for. */
export const amountTooSmall = "amount_too_small";
export const tabMs = 24 * hourMs;
/** How often the money of a tab is asked for, once a day, before it stays unpaid. */
export const tabAttemptsMax = 3;
const limitMinorDefault = 500;

/**
 * When a tab that the offer allows is charged at the latest; undefined for a purchase that runs on none. What no card can be
 * charged, in a currency of three places, would make a sum that none can be charged either.
 */
export function tabLimitOf({ tab, tab_minor: limit }: Offer, price: Money): number | undefined {
  if (tab !== true || !isInCardSteps(price)) return undefined;
  const limitMinor = limit ?? limitMinorDefault;
  return price.units < BigInt(limitMinor) ? limitMinor : undefined;
}

/** A tab is charged at its limit, after a day, or when its mandate ends. */
export const isDue = ({ owed, limit, dueAt }: Tab, now: Instant): boolean =>
  owed.units >= limit.units || now >= dueAt;

/** What follows from what billing says of a tab's payment. */
export type TabMove =
  | { readonly kind: "captured"; readonly payment: Payment }
  | { readonly kind: "capture"; readonly payment: Payment }
  | { readonly kind: "release"; readonly because: string }
  | { readonly kind: "unpaid"; readonly because: string }
  | { readonly kind: "send"; readonly verb: Verb }
  | { readonly kind: "wait" }
  | { readonly kind: "alarm"; readonly because: string };

export function moveTab(state: "settling" | "capturing" | "releasing", seen: Seen): TabMove {
  if (seen.kind === "unknown") return { kind: "wait" };
  if (seen.kind === "refused")
    // While billing's books are wrong nobody's card is asked: that is not the payer's fault, and it is asked for until it can be.
    return state === "settling" && seen.because !== "payouts_halted"
      ? { kind: "unpaid", because: seen.because }
      : wait;
  const payment = seen.kind === "payment" ? seen.payment : undefined;
  switch (state) {
    case "settling":
      return whileSettling(payment);
    case "capturing":
      return whileCapturing(payment);
    case "releasing":
      return whileReleasing(payment);
    default:
      return unreachable(state);
  }
}

const wait: TabMove = { kind: "wait" };
const alarm = ({ state }: Payment, during: TabState): TabMove => ({
  kind: "alarm",
  because: `payment ${state} while the tab is ${during}`,
});

function whileSettling(payment: Payment | undefined): TabMove {
  if (payment === undefined) return { kind: "send", verb: "hold" };
  switch (payment.state) {
    case "authorized":
      return { kind: "capture", payment };
    case "declined":
      return { kind: "unpaid", because: payment.declineCode ?? "card_declined" };
    case "released":
      return { kind: "unpaid", because: "expired_before_capture" };
    // Nobody is there to be asked, and it is never tried again without: the tab stays unpaid.
    case "requires_action":
      return { kind: "release", because: "authentication_required" };
    case "authorizing":
    case "releasing":
      return wait;
    case "capturing":
    case "captured":
    case "refunding":
    case "refunded":
      return alarm(payment, "settling");
  }
}

function whileCapturing(payment: Payment | undefined): TabMove {
  if (payment === undefined)
    return { kind: "alarm", because: "the payment of a tab's capture is unknown to billing" };
  switch (payment.state) {
    case "captured":
    case "refunding":
    case "refunded":
      return { kind: "captured", payment };
    case "authorized":
      return { kind: "send", verb: "capture" };
    case "declined":
    case "released":
      return { kind: "unpaid", because: payment.declineCode ?? "capture_refused" };
    case "capturing":
    case "releasing":
      return wait;
    case "authorizing":
    case "requires_action":
      return alarm(payment, "capturing");
  }
}

function whileReleasing(payment: Payment | undefined): TabMove {
  if (payment === undefined) return { kind: "send", verb: "release" };
  switch (payment.state) {
    case "released":
    case "declined":
      return { kind: "unpaid", because: payment.declineCode ?? "authentication_required" };
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

/** Whether a card can be charged what is owed: what is less is never asked for. */
export function isChargeable({ owed }: Tab): boolean {
  const least = cardMinimum(owed.asset);
  return least === undefined || owed.units >= least.units;
}

/**
 * When an unpaid tab is asked for again, a day after its card refused, whoever died since; undefined once it has been often enough, where a card cannot be charged so little,
 * and where the card's issuer wants its holder, who is never asked behind their back.
 */
export function askAgainAt(tab: Tab): Instant | undefined {
  const isFinal = tab.because === "authentication_required" || !isChargeable(tab);
  return tab.generation < tabAttemptsMax && !isFinal ? after(tab.stateSince, tabMs) : undefined;
}
