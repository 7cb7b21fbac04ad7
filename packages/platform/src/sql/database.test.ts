import { newId } from "@remit/kernel";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertSafeRole, type Database, openDatabase, sql } from "./index.ts";

let made: TestDatabase;
let db: Database;

beforeAll(async () => {
  made = await testDatabase({ service: "platform" });
  db = made.open();
});
afterAll(() => made?.drop());

test("types", async () => {
  const row = await db.global.transaction((tx) =>
    tx.one(
      sql`select 1::bigint as a, now() as b, '{"x":1}'::jsonb as c, array[1,2]::bigint[] as d, 1.10::numeric as e`,
    ),
  );
  console.log(row);
  expect(row).toMatchObject({ a: 1n, d: [1n, 2n], e: "1.10" });
});
test("safe", async () => {
  await assertSafeRole(db);
  const bad = openDatabase({ url: made.adminUrl, schema: made.schema, relayRole: made.roles.relay });
  await expect(assertSafeRole(bad)).rejects.toThrow("superuser");
  await bad.close();
});
