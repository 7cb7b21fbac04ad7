import { type Instant, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Count, Counters } from "../counters/index.ts";
import type { Limit } from "./route.ts";

/** One limit that a request counts against, and as whom. `name` is what the headers call it. */
export type Counted = {
  readonly name: string;
  readonly limit: Pick<Limit, "count" | "windowMs">;
  readonly key: string;
};

type Standing = Counted & { readonly state: Count };

/** Counts the request against each limit, the narrowest first; the headers say what is left. Refuses with `rate_limited` when one is used up. */
export async function countAll(
  counters: Counters,
  counted: readonly Counted[],
  now: Instant,
): Promise<Readonly<Record<string, string>>> {
  if (counted.length === 0) return {};
  const standings: Standing[] = [];
  for (const one of counted) {
    const state = await counters.count(`${one.name} ${one.key}`, one.limit.windowMs);
    standings.push({ ...one, state });
    // What the narrower one refuses is not counted against those who share the wider one.
    if (state.used > one.limit.count) break;
  }
  const headers = headersOf(standings, now);
  const over = standings.filter(({ limit, state }) => state.used > limit.count);
  if (over.length === 0) return headers;
  const retryAfter = Math.max(...over.map(({ state }) => secondsUntil(state.endsAt, now)));
  throw new Problem("rate_limited", { headers: { ...headers, "Retry-After": String(retryAfter) } });
}

const secondsUntil = (at: Instant, now: Instant): number => Math.max(1, Math.ceil((at - now) / secondMs));

const leftOf = ({ limit, state }: Standing): number => Math.max(0, limit.count - state.used);

// draft-ietf-httpapi-ratelimit-headers-10 §4 and §5, and of the tightest limit the X- headers that older clients read.
function headersOf(standings: readonly Standing[], now: Instant): Record<string, string> {
  const [tightest] = standings.toSorted((a, b) => leftOf(a) / a.limit.count - leftOf(b) / b.limit.count);
  if (tightest === undefined) return {};
  return {
    "RateLimit-Policy": standings
      .map(({ name, limit }) => `"${name}";q=${limit.count};w=${Math.ceil(limit.windowMs / secondMs)}`)
      .join(", "),
    RateLimit: standings
      .map((one) => `"${one.name}";r=${leftOf(one)};t=${secondsUntil(one.state.endsAt, now)}`)
      .join(", "),
    "X-RateLimit-Limit": String(tightest.limit.count),
    "X-RateLimit-Remaining": String(leftOf(tightest)),
    "X-RateLimit-Reset": String(Math.ceil(tightest.state.endsAt / secondMs)),
  };
}
