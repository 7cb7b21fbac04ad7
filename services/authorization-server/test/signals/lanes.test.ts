import { type Id, type Instant, newId } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migrations } from "../../src/service.ts";
import { setDue } from "../../src/signals/streams.sql.ts";
import { type Lane, releaseLane, takeLanes } from "../../src/signals/waiting.sql.ts";

const clock = testClock();
const leaseMs = 15_000;

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase({ service: "authorization_server", sources: migrations });
  db = database.open();
});
afterAll(() => database?.drop());
beforeEach(() => database.asAdmin("truncate signal_lanes"));

/** Lanes of this tenant that are due, the first for the longest. */
async function due(of: Id<"tenant">, count: number, since: Instant = clock.now()): Promise<Id<"stream">[]> {
  const ids = Array.from({ length: count }, () => newId("stream"));
  await database.asAdmin(
    `insert into signal_lanes (stream_id, tenant_id, due_at)
     select id, $1, $2::timestamptz + n * interval '1 ms' from unnest($3::text[]) with ordinality as one (id, n)`,
    [of, new Date(since - 60_000), ids],
  );
  return ids;
}
const take = (): Promise<Lane[]> =>
  db.relay.transaction((tx) => takeLanes(tx, { now: clock.now(), limit: 64, leaseMs }));

test("a stream that is enabled while its lane is looked at is looked at once more", async () => {
  const of = newId("tenant");
  const [stream] = await due(of, 1);
  const [lane] = await take();
  if (stream === undefined || lane === undefined) throw new Error("no lane was taken");
  await db.of(of).transaction((tx) => setDue(tx, stream, clock.now()));
  await db.of(of).transaction((tx) => releaseLane(tx, lane, undefined));
  expect((await take()).map((again) => again.stream)).toEqual([stream]);
});

test("a lane that nobody woke is taken once", async () => {
  const of = newId("tenant");
  await due(of, 1);
  const [lane] = await take();
  if (lane === undefined) throw new Error("no lane was taken");
  await db.of(of).transaction((tx) => releaseLane(tx, lane, undefined));
  expect(await take()).toEqual([]);
});
