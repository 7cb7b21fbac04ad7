import { type Clock, monotonicMs, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";

/** What is known of one upstream, from the exchanges with it. */
export type Health = {
  /** Refuses like `admit` while the upstream is left alone, and takes nobody's turn. */
  check(): void;
  /** Lets a request through, or refuses it while the upstream is left alone (503 with Retry-After). */
  admit(): void;
  /** It answered, whatever it said. */
  answered(): void;
  /** It could not be reached, or broke off before it answered. */
  failed(): void;
};

const failuresMax = 5;
const leftAloneMs = secondMs;
const leftAloneMsMax = 30 * secondMs;
/**
 * After five failures in a row an upstream is left alone for a second, after the next failure for two, and so on to 30: one
 * request is let through each time to see whether it is back. Callers are told at once, and nobody waits for what is down.
 */
export function createHealth(origin: string, clock: Clock): Health {
  let failures = 0;
  let until = Number.NEGATIVE_INFINITY;
  const check = (): void => {
    const now = failures < failuresMax ? until : monotonicMs(clock);
    if (now < until) throw leftAlone(origin, until - now);
  };
  return {
    check,
    admit: () => {
      check();
      // Only this one request; the next waits for what becomes of it.
      if (failures >= failuresMax) until = monotonicMs(clock) + pauseAfter(failures);
    },
    answered: () => {
      failures = 0;
    },
    failed: () => {
      failures += 1;
      if (failures >= failuresMax) until = monotonicMs(clock) + pauseAfter(failures);
    },
  };
}

const pauseAfter = (failures: number): number =>
  Math.min(leftAloneMsMax, leftAloneMs * 2 ** Math.min(failures - failuresMax, 10));

export const leftAlone = (origin: string, ms: number): Problem =>
  new Problem("upstream_unavailable", {
    headers: { "Retry-After": String(Math.max(1, Math.ceil(ms / secondMs))) },
    private: { upstream: origin },
  });
