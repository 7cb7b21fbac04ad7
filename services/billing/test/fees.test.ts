import { type Id, newId } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CallOptions, openStage, type Purchase, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
beforeAll(async () => {
  stage = await openStage();
  payer = await stage.payer();
});
afterAll(() => stage.close());

const set = (of: Partial<Purchase>, more: Record<string, unknown> = {}, as: CallOptions = {}) =>
  stage.call("POST", "/api/v1/fee-schedules", {
    scope: "billing:write",
    tenant: platformTenant,
    ...as,
    body: {
      rail: "card",
      organization: of.payee,
      merchant: of.merchant,
      currency: "USD",
      tiers: [{ from_minor: 0, basis_points: 200 }],
      ...more,
    },
  });
const buy = async (of: Purchase) => {
  const { body } = await stage.order("hold", of);
  const captured = await stage.step("capture", body["id"], of);
  expect(captured.body).toMatchObject({ status: "captured", captured_minor: 1000 });
  return body["id"];
};
const balances = async (tenant: Id<"tenant">) => {
  const { body } = await stage.call("GET", "/api/v1/ledger/accounts", { scope: "audit:read", tenant });
  // The contract of the route says what it holds.
  const data = body["data"] as readonly { name: string; balance: string }[];
  return Object.fromEntries(data.map(({ name, balance }) => [name, balance]));
};

describe("fees over the API", () => {
  test("R02 a capture costs what is in force at its instant, and a change leaves what was captured before alone", async () => {
    const first = purchaseOf(payer);
    await buy(first);
    expect(await balances(first.payee)).toEqual({ merchant_payable: "-941" });
    const made = await set(first);
    expect(made).toMatchObject({ status: 201, body: { collection: "withheld", rounding: "half-even" } });
    expect(await balances(first.payee)).toEqual({ merchant_payable: "-941" });
    await buy({ ...first, charge: newId("charge") });
    expect(await balances(first.payee)).toEqual({ merchant_payable: "-1921" });
    const entries = await stage.database.asAdmin(
      "select rail, fee_schedule from ledger_entries e join ledger_postings p on p.entry_id = e.id where p.tenant_id = $1 order by e.posted_at",
      [first.payee],
    );
    expect(entries).toEqual([
      { rail: "card", fee_schedule: `fsc_${"1".padStart(26, "0")}` },
      { rail: "card", fee_schedule: made.body["id"] },
    ]);
  });

  test("a fee is collected in one way: what is invoiced is owed by the merchant and kept back from nothing", async () => {
    const of = purchaseOf(payer);
    await set(of, {
      collection: "invoiced",
      tiers: [{ from_minor: 0, basis_points: 100, minimum_minor: 15 }],
    });
    const payment = await buy(of);
    expect(await balances(of.payee)).toEqual({ merchant_payable: "-1000", merchant_receivable: "15" });
    expect((await stage.step("refund", payment, of, { amount_minor: 1000 })).status).toBe(200);
    expect(await balances(of.payee)).toEqual({ merchant_payable: "0", merchant_receivable: "15" });
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("a merchant sees its own terms and those of all, and nobody else's", async () => {
    const [mine, other] = [purchaseOf(payer), purchaseOf(payer)];
    await set(mine);
    await set(other);
    const list = (tenant: Id<"tenant">, query = "") =>
      stage.call("GET", `/api/v1/fee-schedules${query}`, { scope: "billing:read", tenant });
    const seen = JSON.stringify((await list(mine.payee)).body);
    expect(seen).toContain(mine.merchant);
    expect(seen).toContain(`fsc_${"1".padStart(26, "0")}`);
    expect(seen).not.toContain(other.merchant);
    expect(JSON.stringify((await list(platformTenant, `?organization=${other.payee}`)).body)).toContain(
      other.merchant,
    );
    expect((await list(mine.payee, `?organization=${other.payee}`)).status).toBe(403);
  });

  test("nobody but the operator sets what captures cost, and nobody without the scope", async () => {
    const of = purchaseOf(payer);
    expect((await set(of, {}, { tenant: of.payee })).status).toBe(403);
    expect((await set(of, {}, { scope: "billing:read" })).status).toBe(403);
    expect((await set(of, {}, { scope: "payments:execute" })).status).toBe(403);
  });

  test.each([
    ["a merchant without its organization", { organization: undefined }, 400],
    ["more than the whole", { tiers: [{ from_minor: 0, basis_points: 10_001 }] }, 400],
    ["a fraction of a unit", { tiers: [{ from_minor: 0, basis_points: 100, fixed_minor: 0.5 }] }, 400],
    ["an unknown member", { discount: 1 }, 400],
    ["an unknown rail", { rail: "cheque" }, 400],
    ["a beginning in the past", { effective_from: "2026-01-01T00:00:00Z" }, 409],
    [
      "an amount in no currency",
      { currency: undefined, tiers: [{ from_minor: 0, basis_points: 1, fixed_minor: 5 }] },
      409,
    ],
  ])("a schedule with %s is refused", async (_, more, status) => {
    expect((await set(purchaseOf(payer), more)).status).toBe(status);
  });

  test("the same request twice sets one schedule", async () => {
    const of = purchaseOf(payer);
    const twice = [await set(of, {}, { key: "once" }), await set(of, {}, { key: "once" })];
    expect(twice[0]?.body["id"]).toBe(twice[1]?.body["id"]);
    const made = await stage.database.asAdmin("select id from fee_schedules where merchant_id = $1", [
      of.merchant,
    ]);
    expect(made).toHaveLength(1);
  });
});
