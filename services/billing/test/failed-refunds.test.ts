import { after, dayMs, type Id, instantOf, newId } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import { recordToOutbox } from "@remit/platform/outbox";
import { createLog } from "@remit/platform/telemetry";
import { openStripe } from "@remit/rails/card";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { reconcile } from "../src/reconciliation/reconciliation.ts";
import { movementsOf } from "../src/stripe/index.ts";
import { openStage, type Purchase, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 20_000 });
  payer = await stage.payer();
});
afterAll(() => stage.close());
beforeEach(() => stage.sandbox.heal());

type Refunded = {
  readonly of: Purchase;
  readonly id: unknown;
  readonly refund: Id<"refund">;
  /** Stripe's name of the refund. */
  readonly reference: string;
};

/** 10.00 captured, and as much of it refunded as is said. */
async function refunded(amount = 1000): Promise<Refunded> {
  const of = purchaseOf(payer);
  const { body } = await stage.order("hold", of);
  const { body: taken } = await stage.step("capture", body["id"], of);
  const refund = newId("refund");
  await stage.step("refund", body["id"], of, { refund, amount_minor: amount });
  const [made] = await stage.sandbox.refunds(String(taken["reference"]));
  return { of, id: body["id"], refund, reference: made?.id ?? "" };
}

const paymentOf = async (id: unknown) => (await stage.call("GET", `/api/v1/payments/${String(id)}`)).body;
async function failed(made: Refunded): Promise<Record<string, unknown>> {
  await eventually(async () =>
    expect((await paymentOf(made.id))["refunds"]).toContainEqual(
      expect.objectContaining({ id: made.refund, status: "failed" }),
    ),
  );
  // A payment is read before its refunds: what was read in between may be older.
  return paymentOf(made.id);
}
const entriesOf = ({ charge }: Purchase) =>
  stage.database.asAdmin<{ kind: string; transition: string; reverses: string | null }>(
    "select kind, transition, reverses from ledger_entries where charge_id = $1 order by id",
    [charge],
  );
/** What the merchant is owed: 10.00 less the fee of 0.59, unless refunded. */
async function owed({ payee }: Purchase): Promise<bigint> {
  const rows = await stage.database.asAdmin<{ balance: string }>(
    "select balance from ledger_accounts where tenant_id = $1 and code = 'merchant_payable'",
    [payee],
  );
  return -BigInt(rows[0]?.balance ?? 0);
}
const clearing = async () =>
  (
    await stage.database.asAdmin<{ sum: string }>(
      "select sum(balance)::text as sum from ledger_accounts where code = 'card_clearing'",
    )
  )[0]?.sum;
const casesOf = async (reference: string) => {
  const { body } = await stage.call("GET", "/api/v1/reconciliation-cases", {
    scope: "billing:read",
    tenant: platformTenant,
  });
  // The contract of the route says what it holds.
  return (body["data"] as readonly Record<string, unknown>[]).filter(({ object }) => object === reference);
};
const eventsOf = ({ charge }: Purchase) =>
  stage.database.asAdmin<{ payload: Record<string, unknown> }>(
    "select payload from outbox where type = 'payment.refund_failed' and payload ->> 'charge' = $1",
    [charge],
  );
async function reconciled(): Promise<number> {
  const db = stage.database.open({ record: recordToOutbox });
  const stripe = openStripe({ ...stage.sandbox.stripe, timeoutMs: 20_000 });
  const log = createLog({ service: "billing", level: "silent" });
  const now = stage.clock.now();
  const movements = (span: Parameters<typeof movementsOf>[1]) => movementsOf(stripe, span);
  const deps = { db, clock: stage.clock, log, movements };
  const opened = await reconcile(deps, { from: instantOf(now - dayMs), until: after(now, dayMs) });
  await db.close();
  return opened;
}

describe("R04 a refund that its bank sends back after it was made", () => {
  test("R04 is owed to the merchant again, with one entry, an event and a case, and the books agree with Stripe's", async () => {
    const made = await refunded();
    expect(await paymentOf(made.id)).toMatchObject({ status: "refunded", refunded_minor: 1000 });
    expect(await owed(made.of)).toBe(-59n);
    await stage.sandbox.failRefund(made.reference);
    expect(await failed(made)).toMatchObject({ status: "captured", captured_minor: 1000, refunded_minor: 0 });
    expect(await owed(made.of)).toBe(941n);
    await eventually(async () =>
      expect(await casesOf(made.reference)).toMatchObject([{ kind: "refund_failed", ours: "1000" }]),
    );
    const entries = await entriesOf(made.of);
    const takenBack = entries.filter(({ transition }) => transition === "failed");
    expect(takenBack).toMatchObject([{ kind: "refund", reverses: expect.stringMatching(/^ent_/) }]);
    expect(entries.map(({ transition }) => transition).sort()).toEqual([
      "booked",
      "booked",
      "booked",
      "captured",
      "failed",
      "refunded",
    ]);
    expect((await eventsOf(made.of)).map(({ payload }) => payload)).toMatchObject([
      { refund: made.refund, amount_minor: 1000, currency: "USD", because: "lost_or_stolen_card" },
    ]);
    expect(await clearing()).toBe("0");
    expect(await stage.books()).toMatchObject({ balanced: true });
    expect(await reconciled()).toBe(0);
  });

  test("R04 is taken back once, however often and late it is told, and however many look at once", async () => {
    const made = await refunded(300);
    await stage.sandbox.failRefund(made.reference);
    await failed(made);
    const before = await entriesOf(made.of);
    const again = () =>
      stage.database.asAdmin(
        `insert into jobs (id, queue, key, payload, run_at) select 'job_' || g, 'payments.refunds', 'k' || g,
           jsonb_build_object('reference', $1::text), now() from generate_series(1, 8) g`,
        [made.reference],
      );
    await again();
    await eventually(async () =>
      expect(
        await stage.database.asAdmin(
          "select id from jobs where queue = 'payments.refunds' and key like 'k%'",
        ),
      ).toEqual([]),
    );
    expect(await entriesOf(made.of)).toEqual(before);
    expect(await eventsOf(made.of)).toHaveLength(1);
    expect(await casesOf(made.reference)).toHaveLength(1);
    expect(await paymentOf(made.id)).toMatchObject({ refunded_minor: 0 });
  });

  test("R04 leaves what is refunded meanwhile as it is, and its amount can be refunded anew", async () => {
    const made = await refunded(600);
    await stage.sandbox.failRefund(made.reference);
    await failed(made);
    await stage.sandbox.heal();
    const anew = await stage.step("refund", made.id, made.of, { amount_minor: 1000 });
    expect(anew.body).toMatchObject({ status: "refunded", refunded_minor: 1000 });
    expect(await owed(made.of)).toBe(-59n);
    expect(await clearing()).toBe("0");
    expect(await reconciled()).toBe(0);
  });

  test("M21 that is heard of before the refund is written down is posted and taken back, in the end", async () => {
    const of = purchaseOf(payer);
    const { body } = await stage.order("hold", of);
    const { body: taken } = await stage.step("capture", body["id"], of);
    // The answer is lost, and the refund fails before anybody reads it.
    await stage.sandbox.fail("refunds.create", { action: "drop_answer", times: 2 });
    await stage.sandbox.fail("refunds.list", { action: "drop_request", times: 50 });
    const refund = newId("refund");
    await stage.step("refund", body["id"], of, { refund, amount_minor: 400 });
    const [made] = await stage.sandbox.refunds(String(taken["reference"]));
    const reference = made?.id ?? "";
    await stage.sandbox.failRefund(reference);
    expect(await paymentOf(body["id"])).toMatchObject({ status: "refunding" });
    await stage.sandbox.heal();
    await stage.database.asAdmin("update payments set leased_until = now() where id = $1", [body["id"]]);
    await stage.database.asAdmin("update jobs set run_at = now() where queue in ('payments.settle')");
    expect(await failed({ of, id: body["id"], refund, reference })).toMatchObject({
      status: "captured",
      refunded_minor: 0,
    });
    await eventually(async () => expect(await clearing()).toBe("0"));
    expect(await owed(of)).toBe(941n);
    expect(await reconciled()).toBe(0);
  });

  test("R04 is taken back though Stripe books it later, and stays a case until somebody has settled it", async () => {
    const made = await refunded(500);
    await stage.sandbox.fail("refunds.retrieve", { action: "late_booking", times: 1_000 });
    await stage.sandbox.failRefund(made.reference);
    await failed(made);
    expect(await clearing()).toBe("500");
    await stage.sandbox.heal();
    await eventually(async () => {
      await stage.database.asAdmin("update jobs set run_at = now() where queue = 'payments.refunds'");
      expect(await clearing()).toBe("0");
    });
    expect(await casesOf(made.reference)).toMatchObject([{ resolved_at: null }]);
    expect(await reconciled()).toBe(0);
  });
});

test("a refund that somebody else made at Stripe, and that fails, is none of ours to take back", async () => {
  const of = purchaseOf(payer);
  const { body } = await stage.order("hold", of);
  const { body: taken } = await stage.step("capture", body["id"], of);
  const made = await fetch(`${stage.sandbox.origin}/v1/refunds`, {
    method: "POST",
    headers: { authorization: "Bearer sk_test_else", "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ payment_intent: String(taken["reference"]), amount: "100" }),
  });
  // Stripe's answer has an id.
  const { id } = (await made.json()) as { id: string };
  await stage.sandbox.failRefund(id);
  await eventually(async () =>
    expect(await stage.database.asAdmin("select id from jobs where key = $1", [id])).toEqual([]),
  );
  expect(await paymentOf(body["id"])).toMatchObject({ status: "captured", refunded_minor: 0 });
  expect(await owed(of)).toBe(941n);
});
