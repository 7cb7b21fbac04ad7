import { after, dayMs, type Id, type Instant } from "@remit/kernel";
import type { Sides } from "../charges/index.ts";

export type DisputeState = "needs_response" | "under_review" | "won" | "lost" | "withdrawn";
export type DisputeOrigin = "principal" | "network";

/** A captured charge that its principal, or the card network, does not accept. `won` and `lost` are the merchant's. */
export type Dispute = Sides & {
  readonly id: Id<"dispute">;
  readonly charge: Id<"charge">;
  readonly merchant: Id<"merchant">;
  readonly client: string;
  readonly agent: Id<"agent">;
  readonly origin: DisputeOrigin;
  readonly state: DisputeState;
  readonly reason: string;
  /** Why it was decided as it was: a code. */
  readonly because: string | undefined;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly refundMinor: bigint | undefined;
  readonly refund: "none" | "due" | "done" | "refused";
  /** The how-manieth request gives it back: one that was refused because the card network had the money is over. */
  readonly refundAttempt: number;
  /** Until when the merchant may answer. */
  readonly respondBy: Instant | undefined;
  /** Until when its answer may be judged. */
  readonly reviewBy: Instant | undefined;
  readonly openedAt: Instant;
  readonly answeredAt: Instant | undefined;
  readonly decidedAt: Instant | undefined;
  readonly version: number;
};

/** What happens to a principal's dispute. It gives way to one of the card network about the same charge, which has the money. */
export type DisputeAct = "answer" | "accept" | "withdraw" | "give_way" | "uphold" | "reject" | "wait";

export type DisputeMove = Pick<Dispute, "state"> &
  Partial<Pick<Dispute, "because" | "refund" | "reviewBy" | "answeredAt" | "decidedAt">>;

export const respondMs = 7 * dayMs;
export const reviewMs = 14 * dayMs;
/** As long as card networks let a cardholder dispute, most of the time. */
export const openWithinMs = 120 * dayMs;

export const isOpen = ({ state }: Pick<Dispute, "state">): boolean =>
  state === "needs_response" || state === "under_review";

/**
 * What an act makes of a principal's dispute; undefined where it does not count any more. Who does not answer in time loses; who
 * answered keeps the money, unless the operator finds for the principal while there is time.
 */
export function moveOf(dispute: Dispute, act: DisputeAct, now: Instant): DisputeMove | undefined {
  if (!isOpen(dispute)) return undefined;
  const waits = dispute.state === "needs_response";
  switch (act) {
    case "answer":
      return waits && now < (dispute.respondBy ?? now)
        ? { state: "under_review", answeredAt: now, reviewBy: after(now, reviewMs) }
        : undefined;
    case "accept":
      return lost("accepted", now);
    case "withdraw":
      return { state: "withdrawn", because: "withdrawn", decidedAt: now };
    case "give_way":
      return { state: "withdrawn", because: "at_network", decidedAt: now };
    case "uphold":
      return waits ? undefined : lost("upheld", now);
    case "reject":
      return waits ? undefined : { state: "won", because: "rejected", decidedAt: now };
    case "wait":
      return overdue(dispute, now);
  }
}

const lost = (because: string, now: Instant): DisputeMove => ({
  state: "lost",
  because,
  decidedAt: now,
  refund: "due",
});

function overdue({ state, respondBy, reviewBy }: Dispute, now: Instant): DisputeMove | undefined {
  if (state === "needs_response" && respondBy !== undefined && now >= respondBy)
    return lost("unanswered", now);
  if (state === "under_review" && reviewBy !== undefined && now >= reviewBy)
    return { state: "won", because: "not_upheld", decidedAt: now };
  return undefined;
}

/** When the next deadline of a dispute ends, if one runs. */
export const deadlineOf = ({ state, respondBy, reviewBy }: Dispute): Instant | undefined =>
  state === "needs_response" ? respondBy : state === "under_review" ? reviewBy : undefined;

export const disputesQueue = "disputes";

/** In the place of one client of a tenant: whichever of its merchants charged. */
export const anyMerchant: unique symbol = Symbol("any merchant of the tenant");
