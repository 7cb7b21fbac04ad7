import { type Clock, type Instant, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";

/** Remembers what was used. Several processes of one API share one, or a proof could be used once at each. */
export type ReplayStore = {
  /** True for the first caller with this key, false for every later one until `until`. */
  claim(key: string, until: Instant): boolean | Promise<boolean>;
};

const keptMax = 200_000;
const sweepMs = secondMs;

/** For a single process. Full, it refuses rather than forgets. */
export function createReplayMemory(clock: Clock): ReplayStore {
  const used = new Map<string, Instant>();
  let sweptAt = clock.now();
  const sweep = (now: Instant): void => {
    if (now - sweptAt < sweepMs) return;
    sweptAt = now;
    for (const [key, until] of used) if (until <= now) used.delete(key);
  };
  return {
    claim(key, until) {
      const now = clock.now();
      const known = used.get(key);
      if (known !== undefined && known > now) return false;
      sweep(now);
      if (used.size >= keptMax) throw new Problem("unavailable", { headers: { "Retry-After": "1" } });
      used.set(key, until);
      return true;
    },
  };
}
