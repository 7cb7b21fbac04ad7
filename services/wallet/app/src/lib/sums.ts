import type { Spending } from "@remit/protocol/contracts";

export type Sum = { readonly key: string; readonly minor: number };

/** What was spent in one currency, by key: sums of different ones say nothing. */
export const sumsIn = (spending: Spending, currency: string): readonly Sum[] =>
  spending.data
    .filter((one) => one.currency === currency)
    .map(({ key, spent_minor }) => ({ key, minor: spent_minor }));

/** The currencies that anything was spent in, the most used first. */
export function currenciesOf({ data }: Spending): readonly string[] {
  const uses = new Map<string, number>();
  for (const { currency, charges } of data) uses.set(currency, (uses.get(currency) ?? 0) + charges);
  return [...uses].sort(([, a], [, b]) => b - a).map(([currency]) => currency);
}

const dayMs = 86_400_000;

/** Every day from the first to the last, also those on which nothing was spent. */
export function daysOf({ since, until }: Spending, sums: readonly Sum[]): readonly Sum[] {
  const known = new Map(sums.map(({ key, minor }) => [key, minor]));
  const days: Sum[] = [];
  for (let at = Date.parse(since); at <= Date.parse(until); at += dayMs) {
    const key = new Intl.DateTimeFormat("sv", { timeZone: "UTC" }).format(at);
    days.push({ key, minor: known.get(key) ?? 0 });
  }
  return days;
}
