import { after, dayMs, fromRfc3339, type Instant, invariant, toRfc3339 } from "@remit/kernel";

/** The first instant of a day in UTC: what days, which have no zone here, are counted by. */
function startOf(day: string): Instant {
  const at = fromRfc3339(`${day}T00:00:00Z`);
  invariant(at !== undefined, "a day is written as 2026-11-30");
  return at;
}

export const addDays = (day: string, days: number): string =>
  toRfc3339(after(startOf(day), days * dayMs)).slice(0, 10);

export const daysBetween = (since: string, until: string): number =>
  Math.round((startOf(until) - startOf(since)) / dayMs);

export const firstOfMonth = (day: string): string => `${day.slice(0, 7)}-01`;

export const lastOfMonth = (day: string): string => {
  const next = addDays(firstOfMonth(day), 31);
  return addDays(firstOfMonth(next), -1);
};

/** How many days back a forecast looks. */
export const lookBackDays = 28;

/** What a day costs on average, from what was spent on the last `days`; rounded up, so that nothing lasts longer than it does. */
export const perDay = (spent: bigint, days: number): bigint =>
  spent <= 0n ? 0n : (spent + BigInt(days) - 1n) / BigInt(days);

/** The day on which nothing is left if it goes on like this; undefined when it never ends, or ends after `until`. */
export function emptyOn(
  remaining: bigint,
  rate: bigint,
  { today, until }: { readonly today: string; readonly until: string },
): string | undefined {
  if (remaining <= 0n) return today;
  if (rate <= 0n) return undefined;
  const days = (remaining + rate - 1n) / rate;
  // Further than any mandate lasts, a day is not worth naming.
  if (days > 3_660n) return undefined;
  const day = addDays(today, Number(days));
  return day > until ? undefined : day;
}
