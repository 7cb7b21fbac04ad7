import { randomInt } from "node:crypto";
import { after, dayMs, hourMs, type Id, type Instant, minuteMs, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";

export type DeliveryStatus = "pending" | "delivered" | "dead_letter";

/** One event on its way to one webhook. */
export type Delivery = {
  readonly id: Id<"delivery">;
  readonly webhook: Id<"webhook">;
  readonly event: Id<"event">;
  readonly type: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly nextAt: Instant | undefined;
  readonly responseStatus: number | undefined;
  readonly error: string | undefined;
  readonly createdAt: Instant;
  readonly endedAt: Instant | undefined;
};

/** One try, as it was sent and answered. */
export type Attempt = {
  readonly attempt: number;
  readonly at: Instant;
  readonly durationMs: number | undefined;
  readonly url: string;
  /** Absent of an attempt whose process died: whether it was sent is not known. */
  readonly signature: string | undefined;
  readonly response: { readonly status: number; readonly body: string } | undefined;
  readonly error: string | undefined;
};

/** What a receiver answered, or why it did not. */
export type Answer = {
  readonly status?: number | undefined;
  readonly body?: string | undefined;
  readonly retryAfter?: string | undefined;
  readonly error?: AttemptError | undefined;
};

export type AttemptError =
  | "address_refused"
  | "timeout"
  | "response_too_large"
  | "response_encoded"
  | "no_answer"
  | "interrupted"
  | "worker_lost";

/** Before the second attempt, the third, and so on: some 65 hours in all (design section 11). */
const pausesMs = [
  5 * secondMs,
  minuteMs,
  5 * minuteMs,
  15 * minuteMs,
  hourMs,
  4 * hourMs,
  12 * hourMs,
  24 * hourMs,
  24 * hourMs,
] as const;
export const attemptsMax = pausesMs.length + 1;

/** A webhook all of whose attempts fail for so long is disabled. */
export const failingMsMax = 5 * dayMs;
const retryAfterMsMax = 24 * hourMs;

export type Outcome = {
  readonly status: DeliveryStatus;
  readonly nextAt: Instant | undefined;
  /** Until then its receiver wants to be left alone altogether (RFC 9110 §10.2.3). */
  readonly heldUntil: Instant | undefined;
};

/** Between -1 and 1, so that what failed together does not come back together. */
export type Chance = () => number;
export const evenChance: Chance = () => randomInt(-1_000, 1_001) / 1_000;
const jitterShare = 0.1;

/**
 * What an answer means. Success is 2xx and nothing else: a redirect is not followed. 410 says that the receiver is gone,
 * 429 and 503 with Retry-After when it wants to hear again.
 */
export function outcomeOf(
  answer: Answer,
  { round, now }: { readonly round: number; readonly now: Instant },
  chance: Chance = evenChance,
): Outcome {
  const { status = 0, error } = answer;
  if (error === undefined && status >= 200 && status < 300)
    return { status: "delivered", nextAt: undefined, heldUntil: undefined };
  const wanted = status === 429 || status === 503 ? retryAfterOf(answer.retryAfter, now) : undefined;
  const heldUntil = wanted === undefined ? undefined : after(now, wanted);
  const pauseMs = pausesMs[round - 1];
  if (status === 410 || pauseMs === undefined) return { status: "dead_letter", nextAt: undefined, heldUntil };
  const jittered = Math.round(pauseMs * (1 + jitterShare * chance()));
  return { status: "pending", nextAt: after(now, Math.max(jittered, wanted ?? 0)), heldUntil };
}

/** RFC 9110 §10.2.3: seconds or a date; a day at most. Undefined for what is neither. */
export function retryAfterOf(text: string | undefined, now: Instant): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * secondMs : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), retryAfterMsMax);
}

export const unknownDelivery = (): Problem =>
  new Problem("not_found", { detail: "There is no such delivery." });

/** The tables of this room. */
export const deliveryTables = {
  webhook_events: "tenant",
  webhook_deliveries: "tenant",
  webhook_attempts: "tenant",
} as const;
