import { after, minuteMs, newId } from "@remit/kernel";
import { type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../sql/index.ts";
import { claimFirstUse, sweepFirstUses } from "./index.ts";

let made: TestDatabase;
let db: Database;
const clock = testClock();
const until = after(clock.now(), minuteMs);

beforeAll(async () => {
  made = await testDatabase({ service: "platform" });
  db = made.open();
});
afterAll(() => made?.drop());

const claim = (database: Database, key: string): Promise<boolean> =>
  database.global.transaction((tx) => claimFirstUse(tx, key, until));

test("C10 a proof sent to three processes at once is accepted by one", async () => {
  const pools = [db, made.open(), made.open()];
  const key = `dpop ${newId("request")}`;
  const claims = await Promise.all([...pools, ...pools, ...pools].map((pool) => claim(pool, key)));
  expect(claims.filter(Boolean)).toHaveLength(1);
});

test("C10 a claim whose transaction failed was never made", async () => {
  const failing = db.global.transaction(async (tx) => {
    expect(await claimFirstUse(tx, "failing", until)).toBe(true);
    throw new RangeError("later");
  });
  await expect(failing).rejects.toThrow("later");
  expect(await claim(db, "failing")).toBe(true);
});

test("C10 keys of any length are told apart, and none is stored as it is", async () => {
  const long = "x".repeat(100_000);
  expect(await claim(db, `${long}1`)).toBe(true);
  expect(await claim(db, `${long}2`)).toBe(true);
  expect(await claim(db, `${long}1`)).toBe(false);
  const [stored] = await made.asAdmin("select max(length(key)) as bytes from first_uses");
  expect(stored).toEqual({ bytes: 32 });
});

test("a claim is forgotten once its time is over and not before", async () => {
  expect(await claim(db, "passing")).toBe(true);
  await sweepFirstUses(db.global, until);
  expect(await claim(db, "passing")).toBe(false);
  expect(await sweepFirstUses(db.global, after(until, 1))).toBeGreaterThan(0);
  expect(await claim(db, "passing")).toBe(true);
});
