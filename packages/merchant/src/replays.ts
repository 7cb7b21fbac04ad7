import { type Clock, type Instant, monotonicMs, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";

/** Remembers what was used. Several processes of one API share one, or a proof could be used once at each. */
export type ReplayStore = {
  /** True for the first caller with this key, false for every later one until `until`. */
  claim(key: string, until: Instant): boolean | Promise<boolean>;
};

const keptMax = 200_000;
const sweepMs = secondMs;

/**
 * For a single process. Full, it refuses rather than forgets. A proof is remembered until both clocks say that it is over:
 * one that is set ahead and back again makes nothing fresh that was used (K08).
 */
export function createReplayMemory(clock: Clock): ReplayStore {
  const used = new Map<string, { readonly until: Instant; readonly untilMs: number }>();
  let sweptMs = monotonicMs(clock);
  const sweep = (now: Instant, nowMs: number): void => {
    if (nowMs - sweptMs < sweepMs) return;
    sweptMs = nowMs;
    for (const [key, { until, untilMs }] of used) if (until <= now && untilMs <= nowMs) used.delete(key);
  };
  return {
    claim(key, until) {
      const now = clock.now();
      const nowMs = monotonicMs(clock);
      const known = used.get(key);
      if (known !== undefined && (known.until > now || known.untilMs > nowMs)) return false;
      sweep(now, nowMs);
      if (used.size >= keptMax) throw new Problem("unavailable", { headers: { "Retry-After": "1" } });
      used.set(key, { until, untilMs: nowMs + Math.max(0, until - now) });
      return true;
    },
  };
}
