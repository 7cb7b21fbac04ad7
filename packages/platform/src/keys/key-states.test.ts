import { after, dayMs, type Instant, instantOf, minuteMs, secondMs } from "@remit/kernel";
import { publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { expect, test } from "vitest";
import { changesDue, publishMs, revoked, rotationDue, signerOf } from "./key-states.ts";
import type { SigningKeyRow } from "./keys.sql.ts";

const born = instantOf(1_795_300_000_000);
const tokenLifeMsMax = 15 * minuteMs;
const jwk = publicJwkOf(generateJwk("ES256"));

const row = (kid: string, over: Partial<SigningKeyRow> = {}): SigningKeyRow => ({
  kid,
  purpose: "access",
  alg: "ES256",
  public_jwk: jwk,
  wrapped: new Uint8Array(1),
  kek: "first",
  engine: "local",
  reference: null,
  state: "current",
  created_at: born,
  not_before: born,
  not_after: null,
  keep_until: null,
  revoked_at: null,
  reason: null,
  ...over,
});

/** The keys after the changes that are due. */
const moved = (keys: readonly SigningKeyRow[], now: Instant): SigningKeyRow[] => {
  const changes = changesDue(keys, { now, tokenLifeMsMax });
  return keys.map((key) => changes.find(({ kid }) => kid === key.kid) ?? key);
};

const rotating = [row("old"), row("new", { state: "next", not_before: after(born, publishMs) })];

test("K01 a new key is published for 300 s, the 30 s after which others look again, and a minute for each clock, before it signs", () => {
  expect(publishMs).toBeGreaterThanOrEqual((300 + 30 + 60 + 60) * secondMs);
  expect(signerOf(moved(rotating, after(born, publishMs - 1)))?.kid).toBe("old");
  expect(signerOf(moved(rotating, after(born, publishMs)))?.kid).toBe("new");
  expect(changesDue(rotating, { now: after(born, publishMs - 1), tokenLifeMsMax })).toEqual([]);
});

test("K01 a process that has not heard of the change signs with the former key, whatever its clock says", () => {
  const now = after(born, publishMs);
  const former = signerOf(rotating);
  expect(former?.kid).toBe("old");
  const told = moved(rotating, now).find(({ kid }) => kid === former?.kid);
  expect(told).toMatchObject({ state: "retired", not_after: after(now, minuteMs) });
});

test("K03 a revoked key is gone at once, and a key of evidence keeps the time in which it counts, and why it ended", () => {
  const now = after(born, dayMs);
  expect(revoked(row("a"), { now, reason: "stolen" })).toMatchObject({
    state: "removed",
    wrapped: null,
    reference: null,
    not_after: now,
    revoked_at: now,
    reason: "stolen",
  });
  const before = after(born, minuteMs);
  expect(revoked(row("a", { not_after: before }), { now, reason: "stolen" }).not_after).toBe(before);
});

test("the old key leaves before the new one comes, so that there is never a second current one", () => {
  const changes = changesDue(rotating, { now: after(born, publishMs), tokenLifeMsMax });
  expect(changes.map(({ kid, state }) => [kid, state])).toEqual([
    ["old", "retired"],
    ["new", "current"],
  ]);
});

test("K02 a retired key stays until the last token it can have signed has expired, and then its private half is gone", () => {
  const switched = after(born, publishMs);
  const keys = moved(rotating, switched);
  const old = keys.find(({ kid }) => kid === "old");
  expect(old?.not_after).toBeGreaterThan(switched);
  const lastToken = after(switched, minuteMs + tokenLifeMsMax);
  expect(moved(keys, lastToken).map(({ state }) => state)).toEqual(["retired", "current"]);
  const later = moved(keys, after(lastToken, minuteMs));
  expect(later.map(({ state }) => state)).toEqual(["removed", "current"]);
  expect(later[0]?.wrapped).toBeNull();
});

test("a retired or removed key never signs, not even when it is the only one", () => {
  const gone = [row("a", { state: "retired" }), row("b", { state: "removed" })];
  expect(signerOf(gone)).toBeUndefined();
});

test("a key rotates after 90 days, unless its successor waits already", () => {
  expect(rotationDue([row("a")], after(born, 90 * dayMs - 1))).toBe(false);
  expect(rotationDue([row("a")], after(born, 90 * dayMs))).toBe(true);
  expect(rotationDue([row("a"), row("b", { state: "next" })], after(born, 90 * dayMs))).toBe(false);
  expect(rotationDue([], born)).toBe(false);
});
