import { checkCatalogue, checkKeys, type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrations, tables } from "../src/index.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ service: "billing", sources: migrations });
});
afterAll(() => database.drop());

test("T03 every table is what it is declared to be, and the application role owns nothing", async () => {
  expect(await checkCatalogue(database, tables)).toEqual([]);
});

test("a foreign key is checked by a key, also while the database is new and was never analysed", async () => {
  expect(await checkKeys(database)).toEqual([]);
});
