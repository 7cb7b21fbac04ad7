import { dayMs, instantOf, toRfc3339 } from "@remit/kernel";

type SoldDay = {
  readonly day: string;
  readonly currency: string;
  readonly captured_minor: number;
  readonly refunded_minor: number;
  readonly count: number;
};

export type Revenue = {
  readonly currency: string;
  readonly captured: number;
  readonly refunded: number;
  readonly count: number;
  /** What is left of each day's captures, also of days without any. */
  readonly days: readonly { readonly date: string; readonly value: number }[];
};

const length = 30;

export function byCurrency(found: readonly SoldDay[], from: string): readonly Revenue[] {
  const first = Date.parse(`${from}T00:00:00Z`);
  const dates = Array.from({ length }, (_, index) =>
    toRfc3339(instantOf(first + index * dayMs)).slice(0, 10),
  );
  const groups = [...Map.groupBy(found, ({ currency }) => currency)];
  return groups
    .map(([currency, days]) => {
      const sum = (what: (day: SoldDay) => number): number =>
        days.reduce((total, day) => total + what(day), 0);
      const left = new Map(days.map((day) => [day.day, day.captured_minor - day.refunded_minor]));
      return {
        currency,
        captured: sum(({ captured_minor }) => captured_minor),
        refunded: sum(({ refunded_minor }) => refunded_minor),
        count: sum(({ count }) => count),
        days: dates.map((date) => ({ date, value: left.get(date) ?? 0 })),
      };
    })
    .sort((a, b) => b.captured - a.captured);
}
