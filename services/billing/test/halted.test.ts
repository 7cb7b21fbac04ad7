import { type Id, newId, systemClock } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import { createLog } from "@remit/platform/telemetry";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { watchBooks } from "../src/ledger/standing.ts";
import { openStage, type Purchase, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 20_000 });
  payer = await stage.payer();
});
afterAll(() => stage.close());

const begin = (tenant: Id<"tenant">, merchant: Id<"merchant">) =>
  stage.call("POST", "/api/v1/payout-accounts", { scope: "offers:write", tenant, body: { merchant } });

async function onboarded(): Promise<Purchase> {
  const of = purchaseOf(payer);
  const { body } = await begin(of.payee, of.merchant);
  await stage.sandbox.onboard(String(body["url"]));
  await eventually(async () => {
    const at = "/api/v1/payout-accounts";
    const { body: shown } = await stage.call("GET", at, { scope: "billing:read", tenant: of.payee });
    expect(shown["data"]).toMatchObject([{ status: "active" }]);
  });
  return of;
}

const drift = (of: Purchase, by: number) =>
  stage.database.asAdmin(
    "update ledger_accounts set balance = balance + $1 where code = 'merchant_payable' and tenant_id = $2",
    [by, of.payee],
  );
const health = async () => {
  const response = await fetch(`${stage.address()}/health`);
  // The contract of the route says what it holds.
  const { checks } = (await response.json()) as { checks: Record<string, string> };
  return { status: response.status, ledger: checks["ledger"] };
};
const again = (of: Purchase): Purchase => ({ ...of, charge: newId("charge") });
const halted = { status: 409, body: { code: "payouts_halted" } };

describe("R06 books that do not balance", () => {
  test("R06 let no new money leave the platform until they do again, and say so", async () => {
    const shop = await onboarded();
    const running = await stage.order("hold", shop);
    expect(running.status).toBe(201);
    const other = purchaseOf(payer);
    const { body: kept } = await stage.order("hold", other);
    await stage.step("capture", kept["id"], other);
    await drift(other, 3);
    expect(await stage.books()).toMatchObject({ balanced: false });
    expect(await health()).toEqual({ status: 200, ledger: "failing" });

    const next = again(shop);
    expect(await stage.order("hold", next)).toMatchObject(halted);
    const { body: none } = await stage.call("GET", `/api/v1/payments?charge=${next.charge}`);
    expect(none["data"]).toEqual([]);
    expect(await begin(newId("tenant"), newId("merchant"))).toMatchObject(halted);
    // What stays with us is sold, and what had begun comes to its end.
    expect((await stage.order("hold", again(other))).status).toBe(201);
    expect((await stage.order("hold", shop)).status).toBe(200);
    expect(await stage.step("capture", running.body["id"], shop)).toMatchObject({
      body: { status: "captured" },
    });

    await drift(other, -3);
    expect(await stage.books()).toMatchObject({ balanced: true });
    expect(await health()).toEqual({ status: 200, ledger: "ok" });
    expect((await stage.order("hold", next)).status).toBe(201);
  });

  test("R06 nor is anything sent on to a merchant's account, which goes on by itself once they do", async () => {
    const shop = await onboarded();
    const { body: held } = await stage.order("hold", shop);
    const { body: sold } = await stage.step("capture", held["id"], shop);
    const other = purchaseOf(payer);
    const { body: kept } = await stage.order("hold", other);
    await stage.step("capture", kept["id"], other);
    await drift(other, 3);
    expect(await stage.books()).toMatchObject({ balanced: false });
    const moves = () =>
      stage.database.asAdmin<{ way: string; state: string; asked: boolean }>(
        "select way, state, asked_at is not null as asked from transfers where charge_id = $1 order by id",
        [shop.charge],
      );
    // What comes back to us does.
    const dispute = await stage.sandbox.dispute(String(sold["reference"]));
    const back = { way: "back", state: "sent", asked: true };
    await eventually(async () => expect(await moves()).toEqual([back]));
    const before = (await stage.sandbox.transfers()).length;
    await stage.sandbox.decide(dispute, "won");
    const waits = { way: "on", state: "sending", asked: false };
    await eventually(async () => expect(await moves()).toEqual([back, waits]));
    const jobs = (what: string) => stage.database.asAdmin(`${what} queue = 'transfers.send' and lease > 0`);
    const idle = "select 1 from jobs where leased_until is null and";
    await eventually(async () => expect(await jobs(idle)).toHaveLength(1));
    expect(await moves()).toEqual([back, waits]);
    expect(await stage.sandbox.transfers()).toHaveLength(before);

    await drift(other, -3);
    expect(await stage.books()).toMatchObject({ balanced: true });
    await eventually(async () => {
      await jobs("update jobs set run_at = now() where");
      expect(await moves()).toEqual([back, { way: "on", state: "sent", asked: true }]);
    });
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("R06 a check that read them before they went wrong, and ends last, lets nothing go on", async () => {
    const shop = await onboarded();
    const { body: kept } = await stage.order("hold", shop);
    await stage.step("capture", kept["id"], shop);
    const db = stage.database.open({ record: recordToOutbox });
    const log = createLog({ service: "billing", level: "silent" });
    const began = systemClock.now();
    await drift(shop, 5);
    expect(await stage.books()).toMatchObject({ balanced: false });
    await drift(shop, -5);
    // It saw them as they were when it began, and now it ends.
    let asked = 0;
    const clock = { ...systemClock, now: () => (asked++ === 0 ? began : systemClock.now()) };
    expect(await watchBooks({ db, log, clock })).toMatchObject({ balanced: true });
    expect((await health()).ledger).toBe("failing");
    expect(await stage.books()).toMatchObject({ balanced: true });
    expect((await health()).ledger).toBe("ok");
    await db.close();
  });

  test("R06 a check that comes to no end is said, and halts nothing that was right", async () => {
    const shop = await onboarded();
    const gone = (from: string, to: string) =>
      stage.database.asAdmin(`alter function ${from}(text, text) rename to ${to}`);
    await gone("ledger_check_postings", "ledger_check_away");
    const failed = await stage.call("GET", "/api/v1/ledger/check", { scope: "audit:read" });
    expect(failed.status).toBe(500);
    expect(await health()).toEqual({ status: 200, ledger: "failing" });
    expect((await stage.order("hold", shop)).status).toBe(201);
    await gone("ledger_check_away", "ledger_check_postings");
    expect(await stage.books()).toMatchObject({ balanced: true });
    expect(await health()).toEqual({ status: 200, ledger: "ok" });
  });
});
