import { after, type Clock, type Instant, systemClock } from "@remit/kernel";

/** A clock that stands still until it is told to move; `jump` is what nobody should do to one: the time of day moves, and no time passes. */
export type TestClock = Clock & { advance(ms: number): void; set(at: Instant): void; jump(ms: number): void };

export function testClock(at: Instant = systemClock.now()): TestClock {
  let now = at;
  let jumpedMs = 0;
  return {
    now: () => now,
    monotonicNs: () => BigInt(now - jumpedMs) * 1_000_000n,
    jump: (ms) => {
      now = after(now, ms);
      jumpedMs += ms;
    },
    advance: (ms) => {
      now = after(now, ms);
    },
    set: (to) => {
      now = to;
    },
  };
}

/** Lets the time of day of this whole process jump, as when somebody sets its clock wrong. Returns the way back. */
export function jumpTime(ms: number): () => void {
  const real = Date.now;
  Date.now = () => real() + ms;
  return () => {
    Date.now = real;
  };
}

/**
 * Lets the time of day run `times` faster in this whole process: for the server, for what it is built on, and for whoever
 * talks to it here. Timers and durations run as ever. Returns the way back.
 */
export function accelerateTime(times: number): () => void {
  const real = Date.now;
  const startedAt = real();
  const startedMs = performance.now();
  Date.now = () => startedAt + Math.floor((performance.now() - startedMs) * times);
  return () => {
    Date.now = real;
  };
}
