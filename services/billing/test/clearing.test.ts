import { after, type Clock, hourMs, type Id, systemClock } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import { createLog } from "@remit/platform/telemetry";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isLate, watchClearing } from "../src/reconciliation/clearing.ts";
import { openStage, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 20_000 });
  payer = await stage.payer();
});
afterAll(() => stage.close());

const cases = () =>
  stage.database.asAdmin<{ id: string; resolved_at: Date | null }>(
    "select id, resolved_at from reconciliation_cases where kind = 'waits' order by opened_at",
  );

test("R04 money that waits in a clearing account for too long is a case, which closes itself when it has cleared", async () => {
  const db = stage.database.open({ record: recordToOutbox });
  const log = createLog({ service: "billing", level: "silent" });
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => after(systemClock.now(), aheadMs) };
  const watch = () => watchClearing({ db, clock, log });

  await stage.sandbox.fail("payment_intents.capture", { action: "late_booking", times: 1 });
  await stage.sandbox.fail("payment_intents.retrieve", { action: "late_booking", times: 1_000 });
  const of = purchaseOf(payer);
  const { body } = await stage.order("hold", of);
  await stage.step("capture", body["id"], of);
  expect(await watch()).toMatchObject([{ code: "card_clearing", asset: "USD", waiting: 1, late: false }]);
  expect(await cases()).toEqual([]);

  aheadMs = 2 * hourMs;
  await Promise.all([watch(), watch()]);
  expect(await watch()).toMatchObject([{ code: "card_clearing", late: true, balance: 1000n }]);
  expect(await cases()).toMatchObject([{ resolved_at: null }]);
  const { body: shown } = await stage.call("GET", "/api/v1/reconciliation-cases", {
    scope: "billing:read",
    // The platform's own organization is the operator's.
    tenant: "org_00000000000000000000000000" as Id<"tenant">,
  });
  expect(shown["data"]).toMatchObject([{ kind: "waits", object: "card_clearing:USD", ours: "1000" }]);

  // What is too old to be looked at charge by charge still stands in the balance.
  aheadMs = 30 * 24 * hourMs;
  expect(await watch()).toMatchObject([{ late: true, waiting: 0 }]);
  expect(await cases()).toMatchObject([{ resolved_at: null }]);

  await stage.sandbox.heal();
  await stage.database.asAdmin("update jobs set run_at = now() where queue = 'payments.book'");
  await eventually(async () => expect(await watch()).toMatchObject([{ late: false, balance: 0n }]));
  expect((await cases()).map(({ resolved_at: at }) => at === null)).toEqual([false]);
  await db.close();
});

test("an account is late by its own limit", () => {
  const now = systemClock.now();
  const since = after(now, -2 * hourMs);
  const waiting = { balance: 5n, recent: 5n, waitsSince: since } as const;
  expect(isLate({ code: "card_clearing", ...waiting }, now)).toBe(true);
  expect(isLate({ code: "payout_clearing", ...waiting }, now)).toBe(false);
  expect(isLate({ code: "payout_clearing", ...waiting, recent: 4n }, now)).toBe(true);
  expect(isLate({ code: "x402_clearing", balance: 0n, recent: 0n, waitsSince: null }, now)).toBe(false);
});
