import { after, minuteMs, newId, systemClock } from "@remit/kernel";
import { newEvent } from "@remit/protocol";
import { eventually, type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newTenant } from "../../test/purses.ts";
import { recordToOutbox } from "../outbox/index.ts";
import type { Database } from "../sql/index.ts";
import { createMetrics } from "../telemetry/index.ts";
import { forwardEvents } from "./forward-events.ts";
import { createForwarding } from "./forwarding.ts";
import type { Peer } from "./peers.ts";

let made: TestDatabase;
let db: Database;
const tenant = newTenant();
const issuer = "http://issuer.example";

beforeAll(async () => {
  made = await testDatabase({ service: "platform" });
  db = made.open({ record: recordToOutbox });
});
afterAll(() => made?.drop());

const record = (minutesAgo: number): Promise<void> => {
  const at = after(systemClock.now(), -minutesAgo * minuteMs);
  const about = { tenant, actor: { type: "system", id: "test" }, subject: newId("mandate") } as const;
  return db
    .of(tenant)
    .transaction((tx) => tx.record(newEvent("mandate.revoked", { ...about, payload: {} }, at)));
};

test("events that the issuer does not take are told of by their age and a remedy, until it takes them", async () => {
  let status = 503;
  const peer: Peer = { call: async () => ({ status, body: {}, headers: {} }) };
  const metrics = createMetrics("test");
  const { state } = createForwarding({ db, peer, issuer, metrics });
  const forward = forwardEvents({ db, peer, issuer });
  const gauge = async (): Promise<number> =>
    Number(/^events_unsent_age_seconds\S* (\S+)/m.exec(await metrics.text())?.[1]);
  expect(await state()).toEqual({ status: "ok", oldest_unsent_s: 0, remedy: null });
  await record(1);
  expect(await state()).toMatchObject({ status: "ok", remedy: null });
  await eventually(() => expect(forward()).rejects.toMatchObject({ code: "unavailable" }));

  expect(await gauge()).toBeGreaterThanOrEqual(60);
  await made.asAdmin("update outbox set at = at - interval '9 minutes'");
  expect(await state()).toMatchObject({ status: "late", remedy: expect.stringContaining(issuer) });
  expect(await gauge()).toBeGreaterThanOrEqual(600);
  status = 204;
  await eventually(async () => {
    await forward();
    expect(await state()).toEqual({ status: "ok", oldest_unsent_s: 0, remedy: null });
  });
  expect(await gauge()).toBe(0);
});
