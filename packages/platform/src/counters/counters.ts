import type { Clock, Instant } from "@remit/kernel";
import type { Log } from "../telemetry/index.ts";
import { memoryCounters } from "./memory.ts";
import { redisCounters } from "./redis.ts";

/** How often a key came in its window, this time included, and when the window ends. */
export type Count = { readonly used: number; readonly endsAt: Instant };

/**
 * Counts in fixed windows, to refuse early what comes too often. They are a cache: emptied at any moment they let more
 * in for one window, and no replay, revocation or cap depends on them.
 */
export type Counters = {
  count(key: string, windowMs: number): Promise<Count>;
  /** Whether the Redis answers now; `own` where there is none to share. */
  state(): Promise<"shared" | "away" | "own">;
  close(): Promise<void>;
};

export type CountersOptions = {
  /** `redis://…` or `rediss://…`; several, separated by commas, are nodes of one cluster. Without it each process counts alone. */
  readonly redisUrl?: string | undefined;
  /** What tells the keys of one service from another's in a shared Redis. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Log;
};

/** Shared counters where there is a Redis (7 or Valkey), counters of this process else and while Redis does not answer. */
export function createCounters(options: CountersOptions): Counters {
  const own = memoryCounters(options.clock);
  const { redisUrl } = options;
  return redisUrl === undefined ? own : redisCounters({ ...options, redisUrl }, own);
}
