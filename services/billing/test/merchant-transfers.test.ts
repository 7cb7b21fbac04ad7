import { after, dayMs, type Id, instantOf, newId, parseId } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import { recordToOutbox } from "@remit/platform/outbox";
import { createLog } from "@remit/platform/telemetry";
import { openStripe } from "@remit/rails/card";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lookAtRefund } from "../src/payments/failed-refunds.ts";
import { reconcile } from "../src/reconciliation/reconciliation.ts";
import { movementsOf } from "../src/stripe/index.ts";
import { openStage, type Purchase, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 5_000 });
  payer = await stage.payer();
});
afterAll(() => stage.close());
beforeEach(() => stage.sandbox.heal());

type Sale = {
  readonly of: Purchase;
  readonly id: unknown;
  readonly reference: string;
  readonly account: string;
};

/** 10.00 captured for a merchant with an account at Stripe, to which it has gone on. */
async function sold(): Promise<Sale> {
  const [payee, merchant] = [newId("tenant"), newId("merchant")];
  const owner = { tenant: payee, scope: "offers:write" } as const;
  const { body } = await stage.call("POST", "/api/v1/payout-accounts", { ...owner, body: { merchant } });
  await stage.sandbox.onboard(String(body["url"]));
  const account = await eventually(async () => {
    const { body } = await stage.call("GET", "/api/v1/payout-accounts", {
      scope: "billing:read",
      tenant: payee,
    });
    // The contract of the route says what it holds.
    const [one] = body["data"] as readonly Record<string, unknown>[];
    expect(one).toMatchObject({ status: "active" });
    return String(one?.["reference"]);
  });
  const of: Purchase = { charge: newId("charge"), payer, payee, merchant };
  const held = await stage.order("hold", of);
  const { body: taken } = await stage.step("capture", held.body["id"], of);
  expect(taken["status"]).toBe("captured");
  return { of, id: held.body["id"], reference: String(taken["reference"]), account };
}

/** What stands on the merchant's own balance at Stripe: 9.41 after a sale. */
const atStripe = async ({ account }: Sale): Promise<number> =>
  (await stage.sandbox.movements())
    .filter(({ _account: whose }) => whose === account)
    .reduce((sum, { net }) => sum + net, 0);
const owed = async ({ of }: Sale): Promise<bigint> => {
  const rows = await stage.database.asAdmin<{ balance: string }>(
    "select balance from ledger_accounts where tenant_id = $1 and code = 'merchant_payable'",
    [of.payee],
  );
  return -BigInt(rows[0]?.balance ?? 0);
};
const movesOf = ({ of }: Sale) =>
  stage.database.asAdmin<{ way: string; state: string; amount_minor: number; attempt: number }>(
    "select way, state, amount_minor::integer as amount_minor, attempt from transfers where charge_id = $1 order by id",
    [of.charge],
  );
const clearing = () =>
  stage.database.asAdmin<{ code: string; sum: string }>(
    `select code, sum(balance)::text as sum from ledger_accounts
     where code in ('card_clearing', 'transfer_clearing', 'dispute_reserve') group by code having sum(balance) <> 0`,
  );
const moved = (sale: Sale, moves: readonly (readonly [way: string, units: number])[]) =>
  eventually(async () =>
    expect(await movesOf(sale)).toMatchObject(
      moves.map(([way, units]) => ({ way, state: "sent", amount_minor: units })),
    ),
  );
const sendNow = () =>
  stage.database.asAdmin(
    "update jobs set run_at = now() where queue in ('transfers.send', 'payments.refunds')",
  );
async function agrees(): Promise<void> {
  await eventually(async () => expect(await clearing()).toEqual([]));
  expect(await stage.books()).toMatchObject({ balanced: true });
  const db = stage.database.open({ record: recordToOutbox });
  const stripe = openStripe({ ...stage.sandbox.stripe, timeoutMs: 20_000 });
  const log = createLog({ service: "billing", level: "silent" });
  const movements = (span: Parameters<typeof movementsOf>[1]) => movementsOf(stripe, span);
  const now = stage.clock.now();
  const span = { from: instantOf(now - dayMs), until: after(now, dayMs) };
  expect(await reconcile({ db, clock: stage.clock, log, movements }, span)).toBe(0);
  await db.close();
}

describe("a dispute of what went on to a merchant's account", () => {
  test("R04 takes it back from there at once and sends it on again once it is won; the network's fee stays the merchant's", async () => {
    const sale = await sold();
    expect(await atStripe(sale)).toBe(941);
    const dispute = await stage.sandbox.dispute(sale.reference);
    await moved(sale, [["back", 1000]]);
    expect(await atStripe(sale)).toBe(941 - 1000);
    // Set aside, and taken back: what is left is the fee of 15.00.
    expect(await owed(sale)).toBe(-1500n);
    await stage.sandbox.decide(dispute, "won");
    await moved(sale, [
      ["back", 1000],
      ["on", 1000],
    ]);
    expect(await atStripe(sale)).toBe(941);
    expect(await owed(sale)).toBe(-1500n);
    const at = `/api/v1/statements/${sale.of.merchant}?currency=USD&from=2026-01-01T00:00:00Z&until=2100-01-01T00:00:00Z`;
    const { body } = await stage.call("GET", at, { scope: "billing:read", tenant: sale.of.payee });
    expect(body).toMatchObject({ closing_minor: -1500 });
    await agrees();
  });

  test("R04 leaves it there when it is lost, and follows the network should it change its mind", async () => {
    const sale = await sold();
    const dispute = await stage.sandbox.dispute(sale.reference, { amount: 400 });
    await stage.sandbox.decide(dispute, "lost");
    await moved(sale, [["back", 400]]);
    await stage.sandbox.decide(dispute, "won");
    await moved(sale, [
      ["back", 400],
      ["on", 400],
    ]);
    await stage.sandbox.decide(dispute, "lost");
    await moved(sale, [
      ["back", 400],
      ["on", 400],
      ["back", 400],
    ]);
    expect(await atStripe(sale)).toBe(541);
    await agrees();
  });

  test.each([
    ["its answer is lost", { action: "drop_answer", times: 2 }, 1],
    ["Stripe fails, and says so to the same key for ever", { action: "error_500", times: 1 }, 2],
    ["Stripe says that it failed, and did it", { action: "error_500_after_effect", times: 1 }, 1],
  ] as const)("R04 is taken back once though %s", async (_, failure, attempts) => {
    const sale = await sold();
    await stage.sandbox.fail("transfer_reversals.create", failure);
    const dispute = await stage.sandbox.dispute(sale.reference);
    await eventually(async () => {
      await sendNow();
      expect(await movesOf(sale)).toMatchObject([{ state: "sent", attempt: attempts }]);
    });
    expect(await atStripe(sale)).toBe(941 - 1000);
    // News of it again, and late.
    await stage.sandbox.decide(dispute, "under_review");
    await stage.sandbox.decide(dispute, "needs_response");
    await eventually(async () =>
      expect(await stage.database.asAdmin("select id from jobs where key = $1", [dispute])).toEqual([]),
    );
    expect(await movesOf(sale)).toHaveLength(1);
    await agrees();
  });

  test("R04 is no longer sent on to an account that Stripe has stopped: a case, and nothing more once it is lost after all", async () => {
    const sale = await sold();
    const dispute = await stage.sandbox.dispute(sale.reference);
    await moved(sale, [["back", 1000]]);
    await stage.sandbox.standAccount(sale.account, "stopped");
    await stage.sandbox.decide(dispute, "won");
    await eventually(async () => {
      const { body } = await stage.call("GET", "/api/v1/reconciliation-cases", {
        scope: "billing:read",
        tenant: platformTenant,
      });
      expect(body["data"]).toContainEqual(
        expect.objectContaining({ kind: "transfer_refused", ours: "1000" }),
      );
    });
    // What we could not send is owed here.
    expect(await owed(sale)).toBe(1000n - 1500n);
    await stage.sandbox.decide(dispute, "lost");
    await eventually(async () => {
      await sendNow();
      expect(await movesOf(sale)).toMatchObject([{ state: "sent" }, { way: "on", state: "dropped" }]);
    });
    expect(await owed(sale)).toBe(-3000n);
    await agrees();
  });
});

describe("a refund that came back, of what had gone on to a merchant's account", () => {
  test("R04 and was never booked, though it had taken the money back there: it goes on there again, once", async () => {
    const sale = await sold();
    await stage.sandbox.fail("refunds.create", { action: "decline", decline_code: "lost_or_stolen_card" });
    const { body } = await stage.step("refund", sale.id, sale.of, { amount_minor: 300 });
    const refused = { status: "refused" };
    expect(body).toMatchObject({ status: "captured", refunded_minor: 0, refunds: [refused] });
    await moved(sale, [["on", 300]]);
    expect(await atStripe(sale)).toBe(941);
    expect(await owed(sale)).toBe(0n);
    await agrees();
    // Refunded anew, of Stripe's own transfer 7.00 are left to reverse, and of ours 3.00.
    await stage.step("refund", sale.id, sale.of, { amount_minor: 1000 });
    await moved(sale, [
      ["on", 300],
      ["back", 700],
      ["back", 300],
    ]);
    expect(await owed(sale)).toBe(0n);
    await agrees();
  });

  test("R04 and is refunded anew before anybody has looked at what the refused one took back: the payer has its money, once", async () => {
    const sale = await sold();
    await stage.sandbox.fail("refunds.create", { action: "decline", decline_code: "lost_or_stolen_card" });
    await stage.sandbox.fail("refunds.retrieve", { action: "error_500", times: 1_000 });
    await stage.step("refund", sale.id, sale.of, { amount_minor: 700 });
    // Of Stripe's own transfer there are not as many left to reverse.
    const { body } = await stage.step("refund", sale.id, sale.of, { amount_minor: 700 });
    expect(body).toMatchObject({ status: "captured", refunded_minor: 700 });
    expect(await movesOf(sale)).toEqual([]);
    await stage.sandbox.heal();
    await eventually(async () => {
      await sendNow();
      const sent = (await movesOf(sale)).filter(({ state }) => state === "sent");
      const units = (way: string) =>
        sent.reduce((sum, one) => sum + (one.way === way ? one.amount_minor : 0), 0);
      expect([units("on"), units("back")]).toEqual([700, 700]);
    });
    expect(await owed(sale)).toBe(0n);
    await agrees();
  });

  test("R04 goes on there again, and is taken back from there by our own hand when it is refunded anew", async () => {
    const sale = await sold();
    await stage.step("refund", sale.id, sale.of, { amount_minor: 300 });
    expect(await atStripe(sale)).toBe(641);
    const [made] = await stage.sandbox.refunds(sale.reference);
    await stage.sandbox.failRefund(made?.id ?? "");
    await moved(sale, [["on", 300]]);
    expect(await atStripe(sale)).toBe(941);
    expect(await owed(sale)).toBe(0n);
    const { body } = await stage.step("refund", sale.id, sale.of, { amount_minor: 1000 });
    expect(body).toMatchObject({ status: "refunded" });
    // Of Stripe's own transfer 7.00 are left to reverse, and of ours 3.00.
    await moved(sale, [
      ["on", 300],
      ["back", 700],
      ["back", 300],
    ]);
    expect(await atStripe(sale)).toBe(-59);
    expect(await owed(sale)).toBe(0n);
    await agrees();
  });

  // The last: Stripe is made to say what it has not done, and no longer agrees with the books.
  test("R04 and of which Stripe has taken nothing back there leaves nothing owed, though it was posted as taken back", async () => {
    const sale = await sold();
    const { body } = await stage.step("refund", sale.id, sale.of, { amount_minor: 300 });
    const [made] = body["refunds"] as readonly { readonly id: string }[]; // as the contract has it
    const refund = parseId("refund", made?.id ?? "");
    const db = stage.database.open({ record: recordToOutbox });
    const log = createLog({ service: "billing", level: "silent" });
    const failed = { because: "lost_or_stolen_card", booking: undefined };
    const seen = { payment: sale.reference, refund, takenBack: undefined, failed };
    const deps = { db, clock: stage.clock, log, openCase: () => Promise.resolve() };
    const posted = () =>
      stage.database.asAdmin<{ transition: string; units: number }>(
        `select e.transition, p.units::integer as units from ledger_entries e join ledger_postings p on p.entry_id = e.id
         where e.object_id = $1 and p.account_id like 'merchant\\_payable:%' order by 1`,
        [refund],
      );
    for (let look = 0; look < 2; look++)
      await lookAtRefund({ ...deps, refundAt: () => Promise.resolve(seen) }, "re_failed");
    expect(await posted()).toEqual([
      { transition: "failed", units: -300 },
      { transition: "passed_on", units: 300 },
      { transition: "refunded", units: 300 },
      { transition: "taken_back", units: -300 },
    ]);
    await db.close();
  });
});
