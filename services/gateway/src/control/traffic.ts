import type { Clock, Instant } from "@remit/kernel";

/** What this process has seen of one route since it started. Nothing is written for a request that does not pay. */
export type Seen = {
  readonly total: number;
  readonly unpaid: number;
  readonly refused: number;
  readonly open: number;
};

/** An answer on its way, and the status that it has in the end. */
export type Answering = { readonly statusCode: number; once(event: "close", listener: () => void): unknown };

export type Traffic = {
  readonly since: Instant;
  /** Counts the request by how it is answered. */
  count(route: { readonly id: string; readonly gate: string }, res: Answering): void;
  of(routes: readonly string[]): Seen;
};

type Counts = { total: number; unpaid: number; refused: number; open: number };

export function createTraffic(clock: Clock): Traffic {
  const counts = new Map<string, Counts>();
  const countsOf = (id: string): Counts => {
    const known = counts.get(id);
    if (known !== undefined) return known;
    const fresh = { total: 0, unpaid: 0, refused: 0, open: 0 };
    counts.set(id, fresh);
    return fresh;
  };
  return {
    since: clock.now(),
    count({ id, gate }, res) {
      const seen = countsOf(id);
      seen.total += 1;
      res.once("close", () => {
        if (res.statusCode === 402) seen.unpaid += 1;
        else if (res.statusCode >= 400) seen.refused += 1;
        else if (gate !== "paid") seen.open += 1;
      });
    },
    of: (routes) => {
      const sum = { total: 0, unpaid: 0, refused: 0, open: 0 };
      for (const id of routes) {
        const seen = counts.get(id);
        if (seen === undefined) continue;
        sum.total += seen.total;
        sum.unpaid += seen.unpaid;
        sum.refused += seen.refused;
        sum.open += seen.open;
      }
      return sum;
    },
  };
}
