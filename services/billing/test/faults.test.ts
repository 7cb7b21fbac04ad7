import type { Id } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 20_000 });
  payer = await stage.payer();
});
afterAll(() => stage.close());

const entriesOf = (charge: Id<"charge">) =>
  stage.database.asAdmin<{ kind: string; transition: string }>(
    "select kind, transition from ledger_entries where charge_id = $1 order by kind, transition",
    [charge],
  );

describe("news that comes before what it is about is recorded", () => {
  test("M21 a dispute of a capture that billing has not written down yet: both are booked once, in the end", async () => {
    const of = purchaseOf(payer);
    const { body } = await stage.order("hold", of);
    const [intent] = await stage.sandbox.paymentIntents({ charge: of.charge });
    const reference = String(intent?.["id"]);
    // Taken at Stripe, and its events are lost: here the payment is authorised still.
    await stage.database.asAdmin("update payments set leased_until = now() where id = $1", [body["id"]]);
    const taken = await fetch(`${stage.sandbox.origin}/v1/payment_intents/${reference}/capture`, {
      method: "POST",
      headers: { authorization: "Bearer sk_test_else" },
    });
    expect(taken.status).toBe(200);
    const dispute = await stage.sandbox.dispute(reference);
    await stage.step("capture", body["id"], of);
    await eventually(async () => {
      const payment = (await stage.call("GET", `/api/v1/payments/${String(body["id"])}`)).body;
      expect(payment["status"]).toBe("captured");
    });
    await eventually(async () => {
      const [row] = await stage.database.asAdmin<{ status: string }>(
        "select status from disputes where reference = $1",
        [dispute],
      );
      expect(row?.status).toBe("needs_response");
    });
    await eventually(async () => {
      const kinds = (await entriesOf(of.charge)).map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === "capture")).toHaveLength(1);
      expect(kinds).toContain("dispute");
    });
    const before = await entriesOf(of.charge);
    // Told again, and late: nothing is booked a second time.
    await stage.step("capture", body["id"], of);
    expect(await entriesOf(of.charge)).toEqual(before);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });
});

describe("a step that Stripe has failed many times", () => {
  const isNow = (id: unknown, status: string) =>
    eventually(async () => {
      const { body } = await stage.call("GET", `/api/v1/payments/${String(id)}`);
      expect(body["status"]).toBe(status);
    });
  const oftenTried = (id: unknown) =>
    stage.database.asAdmin("update payments set attempt = 9 where id = $1", [id]);

  test.each([
    ["hold", "payment_intents.confirm", "authorized"],
    ["capture", "payment_intents.capture", "captured"],
    ["release", "payment_intents.cancel", "released"],
    ["refund", "refunds.create", "refunded"],
  ] as const)("M06 %s: is through as soon as Stripe does it", async (op, operation, status) => {
    const of = purchaseOf(payer);
    const failing = () => stage.sandbox.fail(operation, { action: "error_500" });
    if (op === "hold") await failing();
    const { body } = await stage.order("hold", of);
    if (op === "refund") await stage.step("capture", body["id"], of);
    if (op !== "hold") {
      await failing();
      await stage.step(op, body["id"], of);
    }
    await oftenTried(body["id"]);
    await stage.sandbox.heal();
    await isNow(body["id"], status);
  });
});

describe("the books", () => {
  test("R06 a balance that drifts from its postings is found by one run of the check, and so is one that is put right", async () => {
    const of = purchaseOf(payer);
    const { body } = await stage.order("hold", of);
    await stage.step("capture", body["id"], of);
    expect(await stage.books()).toMatchObject({ balanced: true });
    const drift = (by: number) =>
      stage.database.asAdmin(
        "update ledger_accounts set balance = balance + $1 where tenant_id = $2 and code = 'merchant_payable'",
        [by, of.payee],
      );
    await drift(1);
    expect(await stage.books()).toMatchObject({ balanced: false });
    await drift(-1);
    expect(await stage.books()).toMatchObject({ balanced: true });
    // Two that drift by as much in either direction leave every sum at nothing, and are found all the same.
    await drift(7);
    await stage.database.asAdmin(
      "update ledger_accounts set balance = balance - 7 where id = (select id from ledger_accounts where code = 'platform_fees' and asset = 'USD' limit 1)",
    );
    const found = await stage.books();
    expect(found).toMatchObject({ balanced: false });
    expect(found["assets"]).toEqual([expect.objectContaining({ asset: "USD", imbalance: "0" })]);
  });
});
