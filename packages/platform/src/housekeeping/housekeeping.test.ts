import { after, dayMs, instantOf, minuteMs } from "@remit/kernel";
import { newEvent } from "@remit/protocol";
import { eventually, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newTenant } from "../../test/purses.ts";
import { createJobs } from "../jobs/index.ts";
import { claimFirstUse } from "../once/index.ts";
import { readOutbox, recordToOutbox, trimOutbox } from "../outbox/index.ts";
import { createLog } from "../telemetry/index.ts";
import { keepHouse } from "./index.ts";

let made: TestDatabase;
beforeAll(async () => {
  made = await testDatabase({ service: "platform" });
});
afterAll(() => made?.drop());

test("replays, answers and events leave when their time is over, and not before", async () => {
  const clock = testClock();
  const db = made.open({ record: recordToOutbox });
  const tenant = newTenant();
  const facts = { tenant, actor: { type: "system", id: "test" }, subject: "x", payload: {} } as const;
  await db.of(tenant).transaction(async (tx) => {
    await claimFirstUse(tx, "jti", after(clock.now(), minuteMs));
    await tx.record(newEvent("tenant.created", facts, clock.now()));
  });
  await eventually(
    async () => (await readOutbox(db.relay, { consumer: "test", limit: 10 }, async () => undefined)) === 1,
  );
  await made.asAdmin(
    "insert into idempotency_keys values ('org', 'c', 'r', 'k', 'd', 'c', now(), 'answer', now() - interval '1 s')",
  );
  const jobs = createJobs({ db, clock, log: createLog({ service: "test", level: "silent" }), pollMs: 20 });
  keepHouse(jobs, { db, clock });
  const counts = () =>
    made.asAdmin(`select (select count(*)::int from first_uses) as uses, (select count(*)::int from outbox) as events,
      (select count(*)::int from idempotency_keys) as answers`);
  await jobs.start();
  await eventually(async () => expect(await counts()).toEqual([{ uses: 1, events: 1, answers: 0 }]));
  clock.advance(8 * dayMs);
  await eventually(async () => expect(await counts()).toEqual([{ uses: 0, events: 0, answers: 0 }]));
  await jobs.stop();
});

test("events that nobody was ever there to read leave by their age alone", async () => {
  const unread = await testDatabase({ service: "platform" });
  try {
    const clock = testClock();
    const db = unread.open({ record: recordToOutbox });
    const tenant = newTenant();
    const facts = { tenant, actor: { type: "system", id: "test" }, subject: "x", payload: {} } as const;
    const record = () =>
      db.of(tenant).transaction((tx) => tx.record(newEvent("tenant.created", facts, clock.now())));
    await record();
    clock.advance(8 * dayMs);
    await record();
    expect(await trimOutbox(db.relay, instantOf(clock.now() - 7 * dayMs))).toBe(1);
    expect(await trimOutbox(db.relay, instantOf(clock.now() - 7 * dayMs))).toBe(0);
  } finally {
    await unread.drop();
  }
});
