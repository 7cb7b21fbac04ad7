import { after, minuteMs, newId } from "@remit/kernel";
import { type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimFirstUse, createFirstUses } from "./index.ts";

let made: TestDatabase;
const clock = testClock();
const until = after(clock.now(), minuteMs);

beforeAll(async () => {
  made = await testDatabase({ service: "platform" });
});
afterAll(() => made?.drop());

test("C10 fifty claims of one key at once, in one process and in three, have one winner", async () => {
  const processes = [made.open(), made.open(), made.open()].map(createFirstUses);
  const key = `dpop ${newId("request")}`;
  const claims = processes.flatMap(({ claim }) => Array.from({ length: 50 }, () => claim(key, until)));
  expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
});

test("C10 different keys that come together are each claimed, and none a second time", async () => {
  const { claim } = createFirstUses(made.open());
  const keys = Array.from({ length: 40 }, () => newId("request"));
  expect(await Promise.all(keys.map((key) => claim(key, until)))).toEqual(keys.map(() => true));
  expect(await Promise.all(keys.map((key) => claim(key, until)))).toEqual(keys.map(() => false));
});

test("C10 what was claimed alone is claimed for those who come together, and the other way", async () => {
  const db = made.open();
  const { claim } = createFirstUses(db);
  const alone = (key: string): Promise<boolean> =>
    db.global.transaction((tx) => claimFirstUse(tx, key, until));
  expect([await alone("one"), await claim("one", until)]).toEqual([true, false]);
  expect([await claim("two", until), await alone("two")]).toEqual([true, false]);
});
