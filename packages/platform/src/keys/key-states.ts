import { after, dayMs, type Instant, minuteMs, secondMs } from "@remit/kernel";
import type { SigningKeyRow } from "./keys.sql.ts";

// A key is published at least as long as others may keep an older JWKS (300 s, and 30 s until they look again) before
// it signs (K01).
export const publishMs = 330 * secondMs;
// Another process may sign with a retired key until it has reloaded; clocks may differ by as much again.
const handoverMs = minuteMs;
const leewayMs = minuteMs;
export const rotateAfterMs = 90 * dayMs;

/** The key that signs now: of those whose time has come, the youngest. Every process that knows the keys agrees. */
export function signerOf<K extends Pick<SigningKeyRow, "state" | "not_before">>(
  keys: readonly K[],
  now: Instant,
): K | undefined {
  const able = keys.filter(({ state }) => state === "current" || state === "next");
  const due = able.filter(({ not_before }) => not_before <= now);
  return due.toSorted((a, b) => b.not_before - a.not_before)[0];
}

/**
 * What of one purpose's keys is to change now: a next key whose time has come becomes current and retires the one
 * before; a retired key is removed once the last token it can have signed has expired (K02).
 */
export function changesDue(
  keys: readonly SigningKeyRow[],
  { now, tokenLifeMsMax }: { readonly now: Instant; readonly tokenLifeMsMax: number },
): SigningKeyRow[] {
  const next = keys.find(({ state, not_before }) => state === "next" && not_before <= now);
  const expired = keys.filter(
    ({ state, keep_until }) => state === "retired" && keep_until !== null && keep_until <= now,
  );
  const removed = expired.map((key): SigningKeyRow => ({ ...key, state: "removed", wrapped: null }));
  if (next === undefined) return removed;
  const notAfter = after(now, handoverMs);
  const retired = keys
    .filter(({ state }) => state === "current")
    .map(
      (key): SigningKeyRow => ({
        ...key,
        state: "retired",
        not_after: notAfter,
        keep_until: after(notAfter, tokenLifeMsMax + leewayMs),
      }),
    );
  // The one that leaves goes first: two current keys of one purpose are refused by the database.
  return [...removed, ...retired, { ...next, state: "current" }];
}

/** True when the purpose's current key is old enough and no next one is waiting. */
export function rotationDue(keys: readonly SigningKeyRow[], now: Instant): boolean {
  const current = keys.find(({ state }) => state === "current");
  return (
    current !== undefined &&
    now - current.not_before >= rotateAfterMs &&
    !keys.some(({ state }) => state === "next")
  );
}
