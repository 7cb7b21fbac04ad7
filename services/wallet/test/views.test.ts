import { rm } from "node:fs/promises";
import { newId } from "@remit/kernel";
import { kekFiles, openKeyring } from "@remit/platform/keys";
import { createLog } from "@remit/platform/telemetry";
import { scratchFolder, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrations } from "../src/index.ts";
import { createViews, type Views } from "../src/views/index.ts";

let database: TestDatabase;
let views: Views;
let close: () => void;
const dataDir = scratchFolder("remit-views-");
const list = `/console/${newId("tenant")}/agents`;

beforeAll(async () => {
  database = await testDatabase({ service: "wallet", sources: migrations });
  const db = database.open();
  const clock = testClock();
  const log = createLog({ service: "wallet", level: "silent" });
  const keyring = await openKeyring({ db, source: kekFiles(dataDir), clock, log });
  close = () => keyring.close();
  views = createViews({ db, keyring, clock });
});
afterAll(async () => {
  close();
  await database.drop();
  await rm(dataDir, { recursive: true });
});

test("a view is its person's alone, of one list, and says which list it is and not where in it one was", async () => {
  const ada = views.of(newId("account"));
  const eve = views.of(newId("account"));
  await ada.keep(list, { name: "  Night   desk ", search: "?status=active&text=&page=7&sort=2" });
  expect(await ada.of(list)).toEqual([{ name: "Night desk", search: "status=active&sort=2" }]);
  expect(await ada.of("/activity")).toEqual([]);
  expect(await eve.of(list)).toEqual([]);
  await eve.remove(list, "Night desk");
  expect(await ada.of(list)).toHaveLength(1);
});

test("a name stands once in a list: another filter under it takes its place", async () => {
  const ada = views.of(newId("account"));
  await ada.keep(list, { name: "Mine", search: "status=active" });
  await ada.keep(list, { name: "Mine", search: "status=suspended" });
  expect(await ada.of(list)).toEqual([{ name: "Mine", search: "status=suspended" }]);
  await ada.remove(list, " Mine ");
  expect(await ada.of(list)).toEqual([]);
});

test.each([
  ["of a page that is no list", { list: "/security", name: "Mine", search: "" }],
  ["of another's address", { list: "//evil.example/activity", name: "Mine", search: "" }],
  ["without a name", { list, name: "  ", search: "status=active" }],
  ["with a name that fills the page", { list, name: "n".repeat(61), search: "" }],
  ["that is longer than an address", { list, name: "Mine", search: `text=${"t".repeat(1_000)}` }],
])("a view %s is not kept", async (_what, { list: at, ...view }) => {
  const ada = views.of(newId("account"));
  expect(await ada.keep(at, view)).toBe(false);
  expect(await ada.all()).toEqual([]);
});

test("a list has thirty, whose names and words are no plain text, and none once they are forgotten", async () => {
  const ada = views.of(newId("account"));
  for (let nth = 0; nth < 30; nth++) await ada.keep(list, { name: `Secret ${nth}`, search: "text=Secret" });
  expect(await ada.keep(list, { name: "One more", search: "" })).toBe(false);
  expect(await ada.keep(list, { name: "Secret 3", search: "status=active" })).toBe(true);
  const stored = JSON.stringify(await database.asAdmin("select * from saved_views"));
  expect(stored).not.toContain("Secret");
  expect(stored.length).toBeGreaterThan(1_000);
  expect(await ada.all()).toHaveLength(30);
  await ada.forget();
  expect(await ada.all()).toEqual([]);
});
