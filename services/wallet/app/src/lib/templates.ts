/** What a mandate of a kind usually allows. Amounts are whole units of a currency whose unit is worth about a dollar. */
export type Template = {
  readonly id: "reading" | "errands" | "project";
  readonly amount: number;
  readonly each: number;
  readonly ask?: number;
  readonly days: number;
};

export const templates: readonly Template[] = [
  { id: "reading", amount: 20, each: 2, days: 30 },
  { id: "errands", amount: 200, each: 50, ask: 25, days: 30 },
  { id: "project", amount: 500, each: 200, ask: 100, days: 90 },
];

/** A yen is worth about a hundredth of the others' unit, and has no smaller one. */
export const amountIn = (units: number, currency: string): string =>
  currency === "JPY" ? String(units * 100) : `${units}.00`;
