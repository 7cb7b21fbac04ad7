import { after, dayMs, fromRfc3339, toRfc3339 } from "@remit/kernel";

type Days = { readonly since?: string | undefined; readonly until?: string | undefined };

// After it no time is written (RFC 3339): nothing needs to be left out.
const lastDay = "9999-12-31";

/** From the first moment of a day (UTC) until the last one of another has passed, as lists of purchases are asked for. */
export const momentsOf = ({ since, until }: Days): Days => ({
  since: since && startOf(since),
  until: until === lastDay ? undefined : until && startOf(until, 1),
});

/** Of a day that is none, what is refused as such. */
function startOf(day: string, later = 0): string {
  const at = fromRfc3339(`${day}T00:00:00Z`);
  return at === undefined ? day : toRfc3339(after(at, later * dayMs));
}
