/** What may be made to go wrong with a call of the Stripe API. */
export const failureActions = [
  /** The card is refused; a refund fails at once, and is never booked. */
  "decline",
  /** The call waits `delay_ms`, then runs. */
  "delay_ms",
  /** The call runs; the connection closes instead of the answer. */
  "drop_answer",
  /** The call never runs; the connection closes. */
  "drop_request",
  /** 500, nothing has happened; the 500 is kept for the idempotency key. */
  "error_500",
  /** 500, and yet it happened; the 500 is kept for the idempotency key. */
  "error_500_after_effect",
  /** The call runs; nothing is ever answered. */
  "hang",
  /** The call never runs; nothing is ever answered. */
  "hang_request",
  /** The call runs; its answer shows no balance transaction yet, as with Stripe's asynchronous booking. */
  "late_booking",
] as const;

export type FailureAction = (typeof failureActions)[number];

export type FailureMatch = {
  readonly method?: string | undefined;
  /** A path, or its beginning when it ends in `*`. */
  readonly path?: string | undefined;
  /** `payment_intents.capture` and the like. */
  readonly operation?: string | undefined;
  /** Only the n-th matching call from now on, counted from 1. */
  readonly nth?: number | undefined;
};

export type FailureSwitch = {
  readonly match: FailureMatch;
  readonly action: FailureAction;
  /** How often it fires; once when not said. */
  readonly times?: number | undefined;
  readonly delay_ms?: number | undefined;
  readonly decline_code?: string | undefined;
};

export type FailedCall = { readonly method: string; readonly path: string; readonly operation: string };

/** The switches that are set. They live in memory: a restarted sandbox behaves. */
export type Failures = {
  set(failure: FailureSwitch): void;
  clear(): void;
  list(): readonly (FailureSwitch & { readonly seen: number; readonly left: number })[];
  /** The switch that fires for this call, if one does; counts it. */
  take(call: FailedCall): FailureSwitch | undefined;
};

type Armed = { readonly failure: FailureSwitch; seen: number; left: number };

export function createFailures(): Failures {
  let armed: Armed[] = [];
  return {
    set: (failure) => void armed.push({ failure, seen: 0, left: failure.times ?? 1 }),
    clear: () => {
      armed = [];
    },
    list: () => armed.map(({ failure, seen, left }) => ({ ...failure, seen, left })),
    take: (call) => {
      for (const one of armed) {
        if (one.left === 0 || !matches(one.failure.match, call)) continue;
        one.seen += 1;
        if (one.failure.match.nth !== undefined && one.seen !== one.failure.match.nth) continue;
        one.left -= 1;
        return one.failure;
      }
      return undefined;
    },
  };
}

function matches(match: FailureMatch, call: FailedCall): boolean {
  if (match.method !== undefined && match.method !== call.method) return false;
  if (match.operation !== undefined && match.operation !== call.operation) return false;
  if (match.path === undefined) return true;
  return match.path.endsWith("*") ? call.path.startsWith(match.path.slice(0, -1)) : call.path === match.path;
}
