import { checkKeys, testDatabase } from "@remit/testkit";
import { expect, onTestFinished, test } from "vitest";
import { migrations } from "../src/service.ts";

test("a foreign key is checked by a key, also while the database is new and was never analysed", async () => {
  const database = await testDatabase({ service: "authorization_server", sources: migrations });
  onTestFinished(() => database.drop());
  expect(await checkKeys(database)).toEqual([]);
});
