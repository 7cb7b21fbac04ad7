/** A column: its name, and by what its rows can be set in order. */
export type Column<T> = {
  readonly name: string;
  readonly right?: boolean;
  /** Only heard: buttons stand below. */
  readonly unseen?: boolean;
  readonly by?: (row: T) => string | number;
};

/** Some rows of a long list, and where the next ones begin. */
export type Part<T> = { readonly rows: readonly T[]; readonly next: string | null };

/** Where a part lies in a list whose length is known. */
export type Place = { readonly page: number; readonly length: number; readonly total: number };

/** What stands in the address beside the filter: another list begins when anything else changes. */
const besides = ["page", "cursor", "without", "delivery"];

/** The filter that a list is of, as one word. */
export function listOf(search: string): string {
  const query = new URLSearchParams(search);
  for (const name of besides) query.delete(name);
  query.sort();
  return query.toString();
}

/** This address with something else in it; undefined takes it out. */
export function addressWith(search: string, changed: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changed))
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  return `?${query}`;
}

/** What was asked for anew, and the rows that newer ones have pushed out of it: none is lost where more follow. */
export function withPushedOut<T>(given: Part<T>, before: Part<T>, idOf: (row: T) => string): Part<T> {
  const here = new Set(given.rows.map(idOf));
  const last = given.rows.at(-1);
  if (last === undefined) return before;
  const from = before.rows.findIndex((row) => idOf(row) === idOf(last));
  if (from === -1) return given;
  const pushedOut = before.rows.slice(from + 1).filter((row) => !here.has(idOf(row)));
  return pushedOut.length === 0 ? given : { rows: [...given.rows, ...pushedOut], next: before.next };
}

/** Set in order by a column, upwards or downwards: `2` or `-2`, by its number from one. */
export function inOrder<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  order: string | null,
): readonly T[] {
  const by = columns[Math.abs(Number(order)) - 1]?.by;
  if (order === null || by === undefined) return rows;
  const sign = order.startsWith("-") ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [x, y] = [by(a), by(b)];
    const less = typeof x === "string" && typeof y === "string" ? x.localeCompare(y) : Number(x) - Number(y);
    return sign * less;
  });
}
