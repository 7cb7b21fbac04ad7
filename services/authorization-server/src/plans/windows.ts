import { dayMs, type Instant, instantOf, minuteMs, secondMs, toRfc3339 } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { SpentWindow } from "./allowances.sql.ts";

/** What the AgentIdP API's clients know a used-up plan by; it stands beside our own code. */
export const legacyCode = "FREE_TIER_LIMIT_EXCEEDED";

const monthEnd = (now: Instant): Instant => {
  const [year = 0, month = 0] = toRfc3339(now).split("-", 2).map(Number);
  return instantOf(Date.UTC(year, month, 1));
};
const nextOf = (now: Instant, ms: number): Instant => instantOf((Math.floor(now / ms) + 1) * ms);

type Window = {
  readonly name: string;
  readonly noun: string;
  readonly seconds: number;
  readonly endsAt: (now: Instant) => Instant;
};

/** Days and months are UTC's: an allowance comes back at its midnight. */
const windows: Readonly<Record<SpentWindow, Window>> = {
  tokens_day: window("plan-tokens-day", "access tokens a day", { ms: dayMs }),
  tokens_month: {
    ...window("plan-tokens-month", "access tokens a month", { ms: 30 * dayMs }),
    endsAt: monthEnd,
  },
  calls_day: window("plan-calls-day", "API calls a day", { ms: dayMs }),
  requests_minute: window("plan-requests-minute", "requests a minute", { ms: minuteMs }),
};

function window(name: string, noun: string, { ms }: { ms: number }): Window {
  return { name, noun, seconds: ms / secondMs, endsAt: (now) => nextOf(now, ms) };
}

type Standing = { readonly most: number; readonly left: number; readonly now: Instant };

const secondsUntil = (at: Instant, now: Instant): number => Math.max(1, Math.ceil((at - now) / secondMs));

/** draft-ietf-httpapi-ratelimit-headers-10 §4 and §5, and the X- headers that older clients read. */
export function headersOf(of: SpentWindow, { most, left, now }: Standing): Record<string, string> {
  const { name, seconds, endsAt } = windows[of];
  const ends = endsAt(now);
  const remaining = Math.max(0, left);
  return {
    "RateLimit-Policy": `"${name}";q=${most};w=${seconds}`,
    RateLimit: `"${name}";r=${remaining};t=${secondsUntil(ends, now)}`,
    "X-RateLimit-Limit": String(most),
    "X-RateLimit-Remaining": String(remaining),
    "X-RateLimit-Reset": String(Math.ceil(ends / secondMs)),
  };
}

/** Both said: every policy is named, and the X- headers tell of the one with the lesser part left. */
export function joinedHeaders(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const part = (said: Readonly<Record<string, string>>): number =>
    said["X-RateLimit-Limit"] === undefined
      ? Number.POSITIVE_INFINITY
      : Number(said["X-RateLimit-Remaining"]) / Math.max(1, Number(said["X-RateLimit-Limit"]));
  const both = (name: string): Record<string, string> => {
    const lines = [one[name], other[name]].filter((line) => line !== undefined);
    return lines.length === 0 ? {} : { [name]: lines.join(", ") };
  };
  const tighter = part(other) < part(one) ? { ...one, ...other } : { ...other, ...one };
  return { ...tighter, ...both("RateLimit-Policy"), ...both("RateLimit") };
}

export function refusalOf(of: SpentWindow, most: number, now: Instant): Problem {
  const { noun, endsAt } = windows[of];
  return new Problem("plan_limit_reached", {
    detail: `The plan allows ${most} ${noun}.`,
    extra: { limit: of, most, legacy_code: legacyCode },
    headers: {
      ...headersOf(of, { most, left: 0, now }),
      "Retry-After": String(secondsUntil(endsAt(now), now)),
    },
  });
}
