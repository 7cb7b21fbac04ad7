import { after, type Instant, minuteMs, newId, secondMs, systemClock } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrations } from "../service.ts";
import { isAnyRevoked } from "./tokens.sql.ts";
import { revokeTokensIssued } from "./tokens.ts";

let made: TestDatabase;
let db: Database;

beforeAll(async () => {
  made = await testDatabase({ service: "authorization_server", sources: migrations });
  db = made.open();
});
afterAll(() => made?.drop());

/** Ends what a client has, as a process does whose clock says so, and whether that hits a token of another's clock. */
async function hits(clockSays: Instant, issuedAt: Instant): Promise<boolean> {
  const key = `client:${newId("agent")}` as const;
  return db.global.transaction(async (tx) => {
    await revokeTokensIssued(tx, key, { until: after(issuedAt, minuteMs), issuedUntil: clockSays });
    return isAnyRevoked(tx, [key], issuedAt);
  });
}

const inWholeSeconds = (at: Instant): Instant => after(at, -(at % secondMs));

test("A11 K08 a revocation by a process whose clock is behind spares no token of before", async () => {
  const now = systemClock.now();
  expect(await hits(after(now, -50 * secondMs), inWholeSeconds(now))).toBe(true);
});

test("A11 nor one that was being issued as it began, in the next second already", async () => {
  const now = systemClock.now();
  expect(await hits(now, inWholeSeconds(after(now, secondMs)))).toBe(true);
});

test("what is issued well afterwards is spared", async () => {
  const now = systemClock.now();
  expect(await hits(now, inWholeSeconds(after(now, 10 * secondMs)))).toBe(false);
});
