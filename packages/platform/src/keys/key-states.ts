import { after, dayMs, type Instant, minuteMs, secondMs } from "@remit/kernel";
import type { SigningKeyRow } from "./keys.sql.ts";

// A new key is published before it signs for as long as others may keep an older JWKS (design section 5: 300 s), and
// the cool-down before they look again. Whoever publishes and whoever lets it sign may be two processes, whose clocks
// differ from the database's by at most a minute each (K07).
export const cacheMsMax = 300 * secondMs;
const cooldownMs = 30 * secondMs;
const clocksMs = 2 * minuteMs;
export const publishMs = cacheMsMax + cooldownMs + clocksMs;
// Another process signs with a retired key until it has heard of its successor; clocks may differ by as much again.
export const handoverMs = minuteMs;
const leewayMs = minuteMs;
export const rotateAfterMs = 90 * dayMs;

/**
 * The key that signs: the one in state `current`, whatever the clock of this process says. The state is changed by one
 * process under a lock, so all agree; who has not heard of it yet signs with the former key, which verifies as well.
 */
export const signerOf = <K extends Pick<SigningKeyRow, "state">>(keys: readonly K[]): K | undefined =>
  keys.find(({ state }) => state === "current");

type Times = { readonly now: Instant; readonly tokenLifeMsMax: number };

/**
 * What of one purpose's keys is to change now: a next key whose time has come becomes current and retires the one
 * before; a retired key is removed once the last token it can have signed has expired (K02).
 */
export function changesDue(keys: readonly SigningKeyRow[], times: Times): SigningKeyRow[] {
  const { now } = times;
  const next = keys.find(({ state, not_before }) => state === "next" && not_before <= now);
  const expired = keys.filter(
    ({ state, keep_until }) => state === "retired" && keep_until !== null && keep_until <= now,
  );
  const removed = expired.map((key): SigningKeyRow => ({ ...key, ...gone, state: "removed" }));
  if (next === undefined) return removed;
  const retired = keys.filter(({ state }) => state === "current").map((key) => retire(key, times));
  // The one that leaves goes first: two current keys of one purpose are refused by the database.
  return [...removed, ...retired, { ...next, state: "current" }];
}

function retire(key: SigningKeyRow, { now, tokenLifeMsMax }: Times): SigningKeyRow {
  const notAfter = after(now, handoverMs);
  const keepUntil = after(notAfter, tokenLifeMsMax + leewayMs);
  return { ...key, state: "retired", not_after: notAfter, keep_until: keepUntil };
}

/**
 * The key as it is from the moment it is revoked (K03): neither published nor signing, its private half destroyed. Of a
 * key of evidence the time stays in which its signatures count, which ends now at the latest.
 */
export function revoked(
  key: SigningKeyRow,
  { now, reason }: { now: Instant; reason: string },
): SigningKeyRow {
  const notAfter = key.not_after === null || key.not_after > now ? now : key.not_after;
  return { ...key, ...gone, state: "removed", not_after: notAfter, revoked_at: now, reason };
}

const gone = { wrapped: null, reference: null };

/** True when the purpose's current key is old enough and no next one is waiting. */
export function rotationDue(keys: readonly SigningKeyRow[], now: Instant): boolean {
  const current = keys.find(({ state }) => state === "current");
  return (
    current !== undefined &&
    now - current.not_before >= rotateAfterMs &&
    !keys.some(({ state }) => state === "next")
  );
}
