import { after, dayMs, type Id, newId } from "@remit/kernel";
import { newEvent, type RemitEvent } from "@remit/protocol";
import { eventually, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newTenant } from "../../test/purses.ts";
import { type Database, sql } from "../sql/index.ts";
import { outboxChannel, readOutbox, recordToOutbox, trimOutbox } from "./index.ts";

let made: TestDatabase;
let db: Database;
let consumer = "";
const tenant = newTenant();
const clock = testClock();

beforeAll(async () => {
  made = await testDatabase({ service: "platform" });
  db = made.open({ record: recordToOutbox });
});
afterAll(() => made?.drop());
beforeEach(async () => {
  await made.asAdmin("truncate outbox, outbox_cursors");
  consumer = newId("request");
});

const eventOf = (of: RemitEvent["tenant"], n = 0): RemitEvent =>
  newEvent(
    "mandate.revoked",
    { tenant: of, actor: { type: "system", id: "test" }, subject: newId("mandate"), payload: { n } },
    clock.now(),
  );
const record = async (event = eventOf(tenant)): Promise<Id<"event">> => {
  await db.of(tenant).transaction((tx) => tx.record(event));
  return event.id;
};
/** The ids of what the consumer is handed next. */
const read = async (limit = 100, failing = false): Promise<string[]> => {
  const ids: string[] = [];
  await readOutbox(db.relay, { consumer, limit }, async (events) => {
    ids.push(...events.map(({ id }) => id));
    if (failing) throw new RangeError("the consumer failed");
  });
  return ids;
};
/** Other tests of the run share the cluster, and a reader waits for every open transaction of it. */
const readUntil = (expected: readonly string[]): Promise<void> =>
  eventually(async () => {
    const ids = await read();
    seen.push(...ids);
    expect(seen).toEqual(expected);
  });
let seen: string[] = [];
beforeEach(() => {
  seen = [];
});

describe("an event", () => {
  test("comes back as it was recorded", async () => {
    const event = eventOf(tenant, 7);
    await record(event);
    const got: RemitEvent[] = [];
    await eventually(async () => {
      await readOutbox(db.relay, { consumer, limit: 10 }, async (events) => void got.push(...events));
      expect(got).toMatchObject([event]);
    });
  });

  test("of a transaction that failed never was", async () => {
    const failing = db.of(tenant).transaction(async (tx) => {
      await tx.record(eventOf(tenant));
      await tx.run(sql`select 1 / 0`);
    });
    await expect(failing).rejects.toMatchObject({ code: "22012" });
    const id = await record();
    await readUntil([id]);
  });

  test("is recorded under its own tenant alone", async () => {
    const foreign = db.of(tenant).transaction((tx) => tx.record(eventOf(newTenant())));
    await expect(foreign).rejects.toThrow("under the tenant it is of");
  });

  test("of the platform is recorded by a transaction without tenant", async () => {
    const event = eventOf("platform");
    await db.global.transaction((tx) => tx.record(event));
    await readUntil([event.id]);
  });

  test("wakes a listener once it is committed", async () => {
    let heard = 0;
    const stop = db.listen(outboxChannel, () => {
      heard += 1;
    });
    await eventually(() => expect(heard).toBe(1));
    await record();
    await eventually(() => expect(heard).toBe(2));
    stop();
  });
});

describe("a reader", () => {
  test("skips no event whose transaction commits late", async () => {
    const early = eventOf(tenant, 1);
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: written, resolve: wrote } = Promise.withResolvers<void>();
    const late = db.of(tenant).transaction(async (tx) => {
      await tx.record(early);
      wrote();
      await hold;
    });
    await written;
    const quick = await record();
    expect(await read()).toEqual([]);
    letGo();
    await late;
    await readUntil([early.id, quick]);
  });

  test("reads on where it stopped, in order, each event once", async () => {
    const ids = [await record(), await record(), await record()];
    await eventually(async () => {
      seen.push(...(await read(2)));
      expect(seen).toEqual(ids);
    });
    expect(await read()).toEqual([]);
  });

  test("gets what its consumer failed on again", async () => {
    const id = await record();
    await eventually(async () => {
      await expect(read(1, true)).rejects.toThrow("the consumer failed");
    });
    await readUntil([id]);
  });

  test("does not disturb another consumer", async () => {
    const id = await record();
    await readUntil([id]);
    consumer = newId("request");
    seen = [];
    await readUntil([id]);
  });

  test("is alone while it reads, and a late one does not move the cursor of the next", async () => {
    const [one, two] = [await record(), await record()];
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: reading, resolve: began } = Promise.withResolvers<void>();
    const slow = eventually(async () => {
      const count = await readOutbox(db.relay, { consumer, limit: 1, leaseMs: 60_000 }, async () => {
        began();
        await hold;
      });
      expect(count).toBe(1);
    });
    await reading;
    expect(await read()).toEqual([]);
    await made.asAdmin("update outbox_cursors set leased_until = 'epoch'");
    await readUntil([one, two]);
    letGo();
    await slow;
    expect(await read()).toEqual([]);
  });
});

describe("trimming", () => {
  test("removes what all consumers have read and what is old enough", async () => {
    const id = await record();
    await readUntil([id]);
    const unread = await record();
    expect(await trimOutbox(db.relay, clock.now())).toBe(0);
    expect(await trimOutbox(db.relay, after(clock.now(), dayMs))).toBe(1);
    expect(await made.asAdmin("select id from outbox")).toEqual([{ id: unread }]);
  });

  test("removes nothing that a reader has yet to read", async () => {
    const id = await record();
    await readUntil([id]);
    await record();
    await trimOutbox(db.relay, after(clock.now(), dayMs));
    expect(await trimOutbox(db.relay, after(clock.now(), dayMs))).toBe(0);
  });
});
