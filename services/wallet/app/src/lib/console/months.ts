import { instantOf, toRfc3339 } from "@remit/kernel";

// Months as statements have them: in UTC, named `2026-11`.

/** `count` months before another, or up to and with the one of a moment, the newest first. */
export function monthsBefore(before: string, count: number): string[] {
  const months: string[] = [];
  for (let month = earlier(before); months.length < count; month = earlier(month)) months.push(month);
  return months;
}

export const monthOf = (atMs: number): string => toRfc3339(instantOf(atMs)).slice(0, 7);
export const isMonth = (text: string): boolean => /^2\d{3}-(0[1-9]|1[0-2])$/.test(text);
export const earlier = (month: string): string => moved(month, -1);
export const later = (month: string): string => moved(month, 1);

/** From its first moment to the next one's, which is not part of it. */
export const periodOf = (month: string) => ({
  from: `${month}-01T00:00:00Z`,
  until: `${later(month)}-01T00:00:00Z`,
});

function moved(month: string, by: number): string {
  const [year = 0, ordinal = 0] = month.split("-").map(Number);
  const counted = year * 12 + ordinal - 1 + by;
  return `${String(Math.floor(counted / 12)).padStart(4, "0")}-${String((counted % 12) + 1).padStart(2, "0")}`;
}
