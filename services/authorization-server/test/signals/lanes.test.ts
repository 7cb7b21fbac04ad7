import { type Id, type Instant, newId } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import type { OutboundAnswer } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { eventually, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migrations } from "../../src/service.ts";
import { createPusher } from "../../src/signals/pusher.ts";
import { setDue } from "../../src/signals/streams.sql.ts";
import { type Lane, releaseLane, type Taking, takeLanes } from "../../src/signals/waiting.sql.ts";

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
const take = (more: Partial<Taking> = {}): Promise<Lane[]> =>
  db.relay.transaction((tx) =>
    takeLanes(tx, {
      now: clock.now(),
      limit: 64,
      leaseMs,
      inside: false,
      platform: platformTenant,
      held: [],
      share: 8,
      ...more,
    }),
  );

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

test("one tenant has no more than its share, however long it has waited, and services of ours are none of them", async () => {
  const [greedy, modest] = [newId("tenant"), newId("tenant")];
  const first = await due(greedy, 20);
  const own = await due(modest, 2);
  const [ours] = await due(platformTenant, 1);
  const all = await take({ held: [greedy, greedy, greedy] });
  expect(new Set(all.map(({ stream }) => stream))).toEqual(new Set([...first.slice(0, 5), ...own]));
  expect((await take({ inside: true })).map(({ stream }) => stream)).toEqual([ours]);
});

test("a stream on which there is always more gives its place back after a lease", async () => {
  const of = newId("tenant");
  const [stream] = await due(of, 1);
  await database.asAdmin(
    `insert into tenant_standings (tenant_id, created_at, changed_at) values ($1, now(), now())`,
    [of],
  );
  await database.asAdmin(
    `insert into signal_streams (tenant_id, id, client_id, wide, audience, method, endpoint_url, created_at, updated_at)
     values ($1, $2, 'c', false, 'a', 'push', 'https://receiver.example/r', now(), now())`,
    [of, stream],
  );
  await database.asAdmin(
    `insert into signals (tenant_id, stream_id, seq, jti, txn, name, subject, data, created_at)
     select $1, $2, n, 'sig_' || n, 'evt', 'ssf.verification', '{"format":"opaque","id":"x"}', '{}', now()
     from generate_series(1, 3) n`,
    [of, stream],
  );
  let pushes = 0;
  let asked = 0;
  // Each answer takes longer than a lease.
  const request = (): Promise<OutboundAnswer> => {
    pushes += 1;
    clock.advance(leaseMs + 1);
    return Promise.resolve({ status: 202, headers: {}, body: new Uint8Array() });
  };
  const outbound = { request };
  const never = (): never => {
    throw new Error("no header is kept");
  };
  const deps = {
    db,
    clock,
    log: createLog({ service: "test", level: "silent" }),
    issuer: "https://as.example",
    keys: { sign: () => Promise.resolve("token") },
    headers: { seal: never, open: never },
    outbound,
    inside: outbound,
    pushed: () => undefined,
  };
  const pusher = createPusher(deps, { ask: () => (asked += 1), leaseMs });
  for (const made of [1, 2, 3]) {
    await pusher.look();
    await eventually(() => expect(pusher.holdsAny?.()).toBe(false));
    expect([pushes, asked]).toEqual([made, made]);
  }
});
