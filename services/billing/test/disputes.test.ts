import { type Id, newId } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { openStripe } from "@remit/rails/card";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DisputeDeps, look } from "../src/disputes/looking.ts";
import type { Payment } from "../src/payments/index.ts";
import { paymentByReference } from "../src/payments/payments.sql.ts";
import { readDispute } from "../src/stripe/index.ts";
import { openStage, type Purchase, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
let db: Database;
let deps: DisputeDeps;
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 20_000 });
  payer = await stage.payer();
  db = stage.database.open({ record: recordToOutbox });
  const stripe = openStripe({ ...stage.sandbox.stripe, timeoutMs: 20_000 });
  const never = () => Promise.reject(new Error("nothing is sent here"));
  deps = {
    db,
    clock: stage.clock,
    log: createLog({ service: "billing", level: "silent" }),
    network: { read: (reference) => readDispute(stripe, reference), answer: never, close: never },
    paymentBehind: (reference): Promise<Payment | undefined> =>
      db.of(payer).transaction((tx) => paymentByReference(tx, reference)),
  };
});
afterAll(() => stage.close());

type Paid = { readonly of: Purchase; readonly id: unknown; readonly reference: string };

async function captured(): Promise<Paid> {
  const of = purchaseOf(payer);
  const { body } = await stage.order("hold", of);
  const { body: taken } = await stage.step("capture", body["id"], of);
  expect(taken["status"]).toBe("captured");
  return { of, id: body["id"], reference: String(taken["reference"]) };
}

/** What the merchant is owed, as its own books say. */
async function owed({ payee }: Purchase): Promise<bigint> {
  const rows = await stage.database.asAdmin<{ balance: string }>(
    "select balance from ledger_accounts where tenant_id = $1 and code = 'merchant_payable'",
    [payee],
  );
  return -BigInt(rows[0]?.balance ?? 0);
}

const kindsOf = async ({ charge }: Purchase): Promise<string[]> =>
  (
    await stage.database.asAdmin<{ transition: string }>(
      "select transition from ledger_entries where charge_id = $1 and transition <> 'captured' order by transition",
      [charge],
    )
  ).map(({ transition }) => transition);

const reserve = async (): Promise<string | undefined> =>
  (
    await stage.database.asAdmin<{ sum: string }>(
      "select sum(balance)::text as sum from ledger_accounts where code = 'dispute_reserve'",
    )
  )[0]?.sum;

const told = async (reference: string): Promise<Record<string, unknown> | undefined> => {
  const [row] = await stage.database.asAdmin<{ id: string }>("select id from disputes where reference = $1", [
    reference,
  ]);
  return row && (await stage.call("GET", `/api/v1/network-disputes/${row.id}`)).body;
};
const stands = (reference: string, status: string) =>
  eventually(async () => {
    const now = await told(reference);
    expect(now).toMatchObject({ status });
    return now;
  });

// A capture of 10.00 costs the merchant 0.59; a dispute takes the 10.00, and 15.00 for itself.
describe("a dispute of the card network", () => {
  test("is set aside from its merchant with the network's fee, and the fee alone stays when it is won", async () => {
    const { of, reference } = await captured();
    expect(await owed(of)).toBe(941n);
    const dispute = await stage.sandbox.dispute(reference);
    const open = await stands(dispute, "needs_response");
    expect(open).toMatchObject({
      charge: of.charge,
      payee: of.payee,
      amount_minor: 1000,
      reference: dispute,
    });
    expect(await owed(of)).toBe(941n - 1000n - 1500n);
    await stage.sandbox.decide(dispute, "won");
    await stands(dispute, "won");
    expect(await owed(of)).toBe(941n - 1500n);
    expect(await kindsOf(of)).toEqual([
      "booked",
      "booked",
      "booked",
      "fee_passed_on",
      "returned",
      "set_aside",
    ]);
    expect(await reserve()).toBe("0");
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("that is lost stays with the merchant, and comes back should the network change its mind", async () => {
    const { of, reference } = await captured();
    const dispute = await stage.sandbox.dispute(reference, { amount: 400 });
    await stage.sandbox.decide(dispute, "lost");
    await stands(dispute, "lost");
    expect(await owed(of)).toBe(941n - 400n - 1500n);
    await stage.sandbox.decide(dispute, "won");
    await stands(dispute, "won");
    await stage.sandbox.decide(dispute, "lost");
    await stands(dispute, "lost");
    // Each time that the network takes it, it takes its fee.
    expect(await owed(of)).toBe(941n - 400n - 3000n);
    expect((await kindsOf(of)).filter((kind) => kind === "set_aside")).toHaveLength(2);
    expect(await reserve()).toBe("0");
  });

  test("that is only an inquiry takes nothing", async () => {
    const { of, reference } = await captured();
    const dispute = await stage.sandbox.dispute(reference, { inquiry: true });
    await stands(dispute, "needs_response");
    expect(await owed(of)).toBe(941n);
    await stage.sandbox.decide(dispute, "warning_closed");
    await stands(dispute, "withdrawn");
    expect(await owed(of)).toBe(941n);
    expect(await kindsOf(of)).toEqual(["booked"]);
  });

  test("is one entry per movement, however many look at it at once and in whatever order they see it", async () => {
    const { of, reference } = await captured();
    const dispute = await stage.sandbox.dispute(reference);
    const early = await deps.network.read(dispute);
    await stage.sandbox.decide(dispute, "won");
    await Promise.all(Array.from({ length: 8 }, () => look(deps, dispute)));
    // What was read before it was won, and is written by a look that has been overtaken.
    const reading = Promise.withResolvers<void>();
    const stale = look(
      { ...deps, network: { ...deps.network, read: () => reading.promise.then(() => early) } },
      dispute,
    );
    await eventually(async () => {
      const [row] = await stage.database.asAdmin<{ look: number }>(
        "select look from disputes where reference = $1",
        [dispute],
      );
      expect(row?.look).toBeGreaterThan(8);
    });
    await look(deps, dispute);
    reading.resolve();
    expect((await stale)?.status).toBe("won");
    expect(await owed(of)).toBe(941n - 1500n);
    const kinds = await kindsOf(of);
    expect(kinds.filter((kind) => kind === "booked")).toHaveLength(3);
    expect(kinds.filter((kind) => kind === "fee_passed_on")).toHaveLength(1);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("is answered once and given up for good, at the network, and not when it is over", async () => {
    const first = await captured();
    const dispute = await stage.sandbox.dispute(first.reference);
    const { id } = (await stands(dispute, "needs_response")) ?? {};
    const at = `/api/v1/network-disputes/${String(id)}`;
    const answered = await stage.call("POST", `${at}/evidence`, { body: { text: "It was delivered." } });
    expect(answered).toMatchObject({ status: 200, body: { status: "under_review" } });
    const again = await stage.call("POST", `${at}/evidence`, { body: { text: "Really." } });
    expect(again).toMatchObject({ status: 409, body: { code: "dispute_state_conflict" } });
    const given = await stage.call("POST", `${at}/accept`, { body: {} });
    expect(given).toMatchObject({ status: 200, body: { status: "lost" } });
    expect((await stage.call("POST", `${at}/accept`, { body: {} })).status).toBe(409);
    const nobodys = `/api/v1/network-disputes/${newId("dispute")}`;
    expect((await stage.call("GET", nobodys)).status).toBe(404);
    expect((await stage.call("GET", at, { scope: "wallet:read" })).status).toBe(403);
  });

  test("that was answered as an inquiry is answered again once it takes the money", async () => {
    const { reference } = await captured();
    const dispute = await stage.sandbox.dispute(reference, { inquiry: true });
    const { id } = (await stands(dispute, "needs_response")) ?? {};
    const answer = async (text: string) =>
      (await stage.call("POST", `/api/v1/network-disputes/${String(id)}/evidence`, { body: { text } })).body;
    expect(await answer("It was delivered.")).toMatchObject({ status: "under_review" });
    await stage.sandbox.decide(dispute, "needs_response");
    await stands(dispute, "needs_response");
    expect(await answer("Here is the receipt.")).toMatchObject({ status: "under_review" });
  });

  test("whose answer is lost on the way is answered once when it is sent again", async () => {
    const { reference } = await captured();
    const dispute = await stage.sandbox.dispute(reference);
    const { id } = (await stands(dispute, "needs_response")) ?? {};
    const at = `/api/v1/network-disputes/${String(id)}/evidence`;
    await stage.sandbox.fail("disputes.update", { action: "drop_answer", times: 5 });
    expect((await stage.call("POST", at, { body: { text: "It was delivered." } })).status).toBe(503);
    await stage.sandbox.heal();
    const again = await stage.call("POST", at, { body: { text: "It was delivered." } });
    expect(again.status).toBe(409);
    await stands(dispute, "under_review");
  });

  test("forbids a refund of what it took, which is told as refused", async () => {
    const { of, id, reference } = await captured();
    const dispute = await stage.sandbox.dispute(reference);
    await stands(dispute, "needs_response");
    const refund = newId("refund");
    const { body } = await stage.step("refund", id, of, { refund, amount_minor: 1000 });
    expect(body["refunds"]).toMatchObject([{ id: refund, status: "refused" }]);
    expect(await owed(of)).toBe(941n - 2500n);
  });
});
