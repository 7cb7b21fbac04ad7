declare const instant: unique symbol;

/** Milliseconds since 1970-01-01T00:00:00Z. RFC 3339 in JSON, NumericDate in JWTs, timestamptz in SQL. */
export type Instant = number & { readonly [instant]: true };

/** Where time comes from: the one thing a test replaces. `monotonicNs` never jumps and has no date. */
export type Clock = { readonly now: () => Instant; readonly monotonicNs: () => bigint };

export const secondMs = 1000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

export const systemClock: Clock = {
  now: () => Date.now() as Instant,
  monotonicNs: () => BigInt(Math.round(performance.now() * 1e6)),
};

/** Whole milliseconds by the clock that never jumps: for what lasts, within one process. No date can be made of it. */
export const monotonicMs = (clock: Pick<Clock, "monotonicNs">): number =>
  Number(clock.monotonicNs() / 1_000_000n);

/** When something happened, by both clocks of one process. */
export type Moment = { readonly at: Instant; readonly monotonicMs: number };

export const momentOf = (clock: Clock): Moment => ({ at: clock.now(), monotonicMs: monotonicMs(clock) });

/**
 * How long ago that was, for what is kept only so long: by the clock that never jumps, or by the other where that says
 * longer, since a machine that sleeps may stop the first.
 */
export const msSince = ({ at, monotonicMs: ms }: Moment, clock: Clock): number =>
  Math.max(monotonicMs(clock) - ms, clock.now() - at);

/** An instant from milliseconds; refuses what is no whole number of milliseconds or lies outside years 1970–9999. */
export function instantOf(ms: number): Instant {
  if (!Number.isSafeInteger(ms) || ms < 0 || ms > 253_402_300_799_999)
    throw new RangeError(`no instant: ${ms}`);
  return ms as Instant;
}

export const after = (at: Instant, ms: number): Instant => instantOf(at + ms);

/** RFC 3339 §5.6, UTC, three decimals. */
export const toRfc3339 = (at: Instant): string => new Date(at).toISOString();

/** For libraries that want a Date. */
export const toDate = (at: Instant): Date => new Date(at);

/** Parses RFC 3339 §5.6 strictly (`2026-11-22T10:00:00Z`, offsets allowed); undefined when it is none. */
export function fromRfc3339(text: string): Instant | undefined {
  const match = /^(\d{4}-\d\d)-(\d\d)[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.exec(text);
  const ms = match === null ? Number.NaN : Date.parse(text);
  if (Number.isNaN(ms) || ms < 0 || Number(match?.[2]) > daysOf(match?.[1])) return undefined;
  return ms as Instant;
}

// Date.parse takes 30 February for 2 March; day 0 of the next month is the last of this one.
function daysOf(month = ""): number {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year ?? 0, number ?? 0, 0)).getUTCDate();
}

/** RFC 7519 §2 NumericDate, whole seconds, rounded down. */
export const toNumericDate = (at: Instant): number => Math.floor(at / secondMs);

export const fromNumericDate = (seconds: number): Instant => instantOf(Math.floor(seconds * secondMs));
