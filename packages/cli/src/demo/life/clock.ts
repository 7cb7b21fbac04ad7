import { type Clock, dayMs, type Instant, instantOf, systemClock } from "@remit/kernel";

/** A clock that begins some days ago and is moved forward by whoever tells the story; it never goes back. */
export type StoryClock = Clock & {
  /** To this hour of the day that is so many days before today, or to now; what has passed stays passed. */
  moveTo(daysAgo: number, hour: number): void;
  moveToNow(): void;
};

export function storyClock(daysAgo: number): StoryClock {
  let behindMs = daysAgo * dayMs;
  const now = (): Instant => instantOf(systemClock.now() - behindMs);
  return {
    now,
    monotonicNs: systemClock.monotonicNs,
    moveTo: (days, hour) => {
      const today = Math.floor(systemClock.now() / dayMs) * dayMs;
      const wanted = systemClock.now() - (today - days * dayMs + hour * 3_600_000);
      behindMs = Math.max(0, Math.min(behindMs, wanted));
    },
    moveToNow: () => {
      behindMs = 0;
    },
  };
}
