import { after, type Clock, type Instant, systemClock } from "@remit/kernel";

/** A clock that stands still until it is told to move. */
export type TestClock = Clock & { advance(ms: number): void; set(at: Instant): void };

export function testClock(at: Instant = systemClock.now()): TestClock {
  let now = at;
  return {
    now: () => now,
    monotonicNs: () => BigInt(now) * 1_000_000n,
    advance: (ms) => {
      now = after(now, ms);
    },
    set: (to) => {
      now = to;
    },
  };
}
