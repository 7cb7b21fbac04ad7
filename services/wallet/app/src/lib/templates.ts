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

/** What the form says of a template: limits as they are typed in this currency, and the last day, UTC. */
export type Begun = {
  readonly amount: string;
  readonly each: string;
  readonly ask: string;
  readonly until: string;
};

export const begunWith = ({ amount, each, ask, days }: Template, currency: string, nowMs: number): Begun => ({
  amount: amountIn(amount, currency),
  each: amountIn(each, currency),
  ask: ask === undefined ? "" : amountIn(ask, currency),
  until: dayAfter(nowMs, days),
});

export const dayAfter = (nowMs: number, days: number): string =>
  new Date(nowMs + days * 86_400_000).toISOString().slice(0, 10);

/** A yen is worth about a hundredth of the others' unit, and has no smaller one. */
export const amountIn = (units: number, currency: string): string =>
  currency === "JPY" ? String(units * 100) : `${units}.00`;
