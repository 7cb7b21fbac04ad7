import type { Clock, Instant } from "@remit/kernel";

/** A clock that stands still until it is told to move. */
export type TestClock = Clock & { advance(ms: number): void; set(at: Instant): void };

export declare function testClock(at?: Instant): TestClock;
