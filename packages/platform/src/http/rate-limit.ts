import type { Instant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Limit } from "./route.ts";

type Window = { endsAt: number; used: number };
type Counted = { readonly headers: Readonly<Record<string, string>> };

const windowsMax = 20_000;

/** Fixed windows in memory: they only refuse earlier, the limits that matter stand in the database. */
export type RateLimiter = { count(key: string, limit: Limit, now: Instant): Counted };

export function createRateLimiter(): RateLimiter {
  const windows = new Map<string, Window>();
  return {
    count(key, limit, now) {
      const window = windowOf(windows, { key, limit, now });
      window.used += 1;
      const resetS = Math.max(1, Math.ceil((window.endsAt - now) / 1000));
      const headers = limitHeaders(limit, {
        left: Math.max(0, limit.count - window.used),
        resetS,
        endsAt: window.endsAt,
      });
      if (window.used > limit.count)
        throw new Problem("rate_limited", { headers: { ...headers, "Retry-After": String(resetS) } });
      return { headers };
    },
  };
}

function windowOf(
  windows: Map<string, Window>,
  { key, limit, now }: { key: string; limit: Limit; now: Instant },
): Window {
  const open = windows.get(key);
  if (open !== undefined && open.endsAt > now) return open;
  windows.delete(key);
  // Bounded: whoever floods with new keys pushes out the oldest, not our memory.
  if (windows.size >= windowsMax) windows.delete(windows.keys().next().value ?? "");
  const window = { endsAt: now + limit.windowMs, used: 0 };
  windows.set(key, window);
  return window;
}

// draft-ietf-httpapi-ratelimit-headers-10 §4 and §5, and the X- headers that older clients read.
function limitHeaders(
  limit: Limit,
  state: { left: number; resetS: number; endsAt: number },
): Record<string, string> {
  return {
    "RateLimit-Policy": `"default";q=${limit.count};w=${Math.ceil(limit.windowMs / 1000)}`,
    RateLimit: `"default";r=${state.left};t=${state.resetS}`,
    "X-RateLimit-Limit": String(limit.count),
    "X-RateLimit-Remaining": String(state.left),
    "X-RateLimit-Reset": String(Math.ceil(state.endsAt / 1000)),
  };
}
