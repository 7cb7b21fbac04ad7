import { after, minuteMs, newId } from "@remit/kernel";
import { type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordToOutbox } from "../outbox/index.ts";
import { createMisuses, type KeyMismatch } from "./index.ts";

let made: TestDatabase;
const clock = testClock();

beforeAll(async () => {
  made = await testDatabase({ service: "platform" });
});
afterAll(() => made?.drop());

const open = () => made.open({ record: recordToOutbox });

const seen = (client: string, over: Partial<KeyMismatch> = {}): KeyMismatch => ({
  client,
  tenant: newId("tenant"),
  what: "access_token",
  bound: "bound",
  presented: newId("request"),
  now: clock.now(),
  ...over,
});

const told = (client: string) =>
  made.asAdmin<{ type: string; tenant: string; payload: Record<string, unknown> }>(
    "select type, tenant_id as tenant, payload from outbox where subject = $1 order by at",
    [client],
  );

test("G09 a thief with fifty keys at three processes writes one event a minute into its victim's log", async () => {
  const processes = [open(), open(), open()].map((db) => createMisuses(db, "billing"));
  const client = newId("agent");
  const tenant = newId("tenant");
  const tries = () =>
    Promise.all(
      processes.flatMap(({ keyMismatch }) =>
        Array.from({ length: 50 }, () => keyMismatch(seen(client, { tenant }))),
      ),
    );
  await tries();
  const [first, ...more] = await told(client);
  expect(more).toEqual([]);
  expect(first).toMatchObject({ type: "security.key_mismatch", tenant });
  expect(first?.payload).toMatchObject({ what: "access_token", bound: "bound" });
  clock.set(after(clock.now(), minuteMs));
  await tries();
  expect(await told(client)).toHaveLength(2);
});

test("G09 what one client's thief does keeps no other client's event back", async () => {
  const { keyMismatch } = createMisuses(open(), "billing");
  const clients = [newId("agent"), newId("agent")];
  for (const client of clients) await keyMismatch(seen(client));
  for (const client of clients) expect(await told(client)).toHaveLength(1);
});
