import { createHmac } from "node:crypto";
import { type Id, newId } from "@remit/kernel";
import { signJws } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { instruct, openStage, type Purchase, purchaseOf, type Stage, webhookSecret } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
beforeAll(async () => {
  stage = await openStage();
  payer = await stage.payer();
});
afterAll(() => stage.close());
beforeEach(() => stage.sandbox.heal());

const held = async (of: Purchase = purchaseOf(payer)) => {
  const { status, body } = await stage.order("hold", of);
  expect({ status, state: body.status }).toEqual({ status: 201, state: "authorized" });
  return { of, id: body.id };
};
const stateOf = async (id: unknown) =>
  (await stage.call("GET", `/api/v1/payments/${String(id)}`)).body.status;
const intentsOf = (of: Purchase) => stage.sandbox.paymentIntents({ charge: of.charge });

describe("a payment", () => {
  test("is held, captured, posted to the books and refunded in parts, each step once", async () => {
    const { of, id } = await held();
    expect((await stage.order("hold", of)).body).toMatchObject({ id, status: "authorized" });
    const captured = await stage.step("capture", id, of, { amount_minor: 800 });
    expect(captured).toMatchObject({
      status: 200,
      body: { status: "captured", captured_minor: 800, reference: expect.stringMatching(/^pi_/) },
    });
    expect((await stage.step("capture", id, of, { amount_minor: 800 })).body).toMatchObject({
      status: "captured",
    });
    const refund = newId("refund");
    const part = await stage.step("refund", id, of, { amount_minor: 300, refund });
    expect(part.body).toMatchObject({ status: "captured", refunded_minor: 300 });
    expect((await stage.step("refund", id, of, { amount_minor: 300, refund })).body).toMatchObject({
      refunded_minor: 300,
    });
    expect((await stage.step("refund", id, of, { amount_minor: 501 })).body).toMatchObject({
      code: "charge_refund_exceeds_captured",
    });
    const rest = await stage.step("refund", id, of, { amount_minor: 500 });
    expect(rest.body).toMatchObject({ status: "refunded", refunded_minor: 800 });
    const entries = await stage.call("GET", `/api/v1/ledger/entries?charge=${of.charge}`, {
      scope: "audit:read",
      tenant: of.payee,
    });
    // 800 captured, fee 2.9 % + 30 = 53; then 300 and 500 back.
    expect(JSON.stringify(entries.body)).toMatch(/"-747".*|.*"-747"/);
    const accounts = await stage.call("GET", "/api/v1/ledger/accounts", {
      scope: "audit:read",
      tenant: of.payee,
    });
    expect(accounts.body).toEqual({
      data: [
        {
          id: `merchant_payable:${of.merchant}:USD`,
          name: "merchant_payable",
          owner: of.merchant,
          asset: "USD",
          balance: "53",
        },
      ],
    });
    expect(await stage.books()).toMatchObject({ balanced: true });
    expect(await intentsOf(of)).toMatchObject([{ status: "succeeded", amount_received: 800 }]);
  });

  test("R07 more than was captured is not refunded, and the same refund twice is one", async () => {
    const { of, id } = await held();
    await stage.step("capture", id, of);
    const refund = newId("refund");
    const [one, two] = await Promise.all([
      stage.step("refund", id, of, { amount_minor: 600, refund }),
      stage.step("refund", id, of, { amount_minor: 600, refund }),
    ]);
    expect([one?.status, two?.status]).toEqual([200, 200]);
    await eventually(async () => (await stateOf(id)) === "captured");
    const more = await stage.step("refund", id, of, { amount_minor: 401 });
    expect([more.status, more.body.code]).toEqual([409, "charge_refund_exceeds_captured"]);
    expect(await stage.sandbox.requests("refunds.create")).toSatisfy(
      (all: { idempotency_key: string; replayed: boolean }[]) =>
        all.filter((seen) => seen.idempotency_key.startsWith(refund) && !seen.replayed).length === 1,
    );
  });

  test("is released, and what is released can neither be captured nor refunded", async () => {
    const { of, id } = await held();
    expect((await stage.step("release", id, of)).body).toMatchObject({ status: "released" });
    expect((await stage.step("release", id, of)).body).toMatchObject({ status: "released" });
    for (const op of ["capture", "refund"] as const) {
      const { status, body } = await stage.step(op, id, of);
      expect({ status, code: body.code, now: body.payment_status }).toEqual({
        status: 409,
        code: "payment_state_conflict",
        now: "released",
      });
    }
    expect(await intentsOf(of)).toMatchObject([{ status: "canceled" }]);
  });

  test("that is captured cannot be released", async () => {
    const { of, id } = await held();
    await stage.step("capture", id, of);
    expect((await stage.step("release", id, of)).body).toMatchObject({
      code: "payment_state_conflict",
      payment_status: "captured",
    });
    expect((await stage.step("capture", id, of, { amount_minor: 999 })).body).toMatchObject({
      code: "payment_state_conflict",
    });
  });

  test("asked for many times at once is one PaymentIntent, captured once, posted once", async () => {
    const of = purchaseOf(payer);
    const holds = await Promise.all(Array.from({ length: 8 }, () => stage.order("hold", of)));
    expect(new Set(holds.map(({ body }) => body.id)).size).toBe(1);
    const id = holds[0]?.body.id;
    await eventually(async () => (await stateOf(id)) === "authorized");
    await Promise.all(Array.from({ length: 8 }, () => stage.step("capture", id, of)));
    await eventually(async () => (await stateOf(id)) === "captured");
    expect(await intentsOf(of)).toHaveLength(1);
    expect(await stage.sandbox.requests("payment_intents.capture")).toSatisfy((all: { status: number }[]) =>
      all.every(({ status }) => status === 200),
    );
    const { body } = await stage.call("GET", "/api/v1/ledger/accounts", {
      scope: "audit:read",
      tenant: of.payee,
    });
    expect(body).toMatchObject({ data: [{ balance: "-941" }] });
  });

  test("capture and release at once: one wins, the money agrees with it", async () => {
    for (let n = 0; n < 5; n++) {
      const { of, id } = await held();
      await Promise.all([stage.step("capture", id, of), stage.step("release", id, of)]);
      const state = await stateOf(id);
      const [intent] = await intentsOf(of);
      expect([state, intent?.status]).toBeOneOf([
        ["captured", "succeeded"],
        ["released", "canceled"],
      ]);
    }
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("declined by the issuer, it says so with the issuer's code and stays so", async () => {
    const of = purchaseOf(await stage.payer("pm_card_chargeCustomerFail"));
    const declined = await stage.order("hold", of);
    expect(declined.body).toMatchObject({ status: "declined", decline_code: "generic_decline" });
    expect((await stage.order("hold", of)).body).toMatchObject({ id: declined.body.id, status: "declined" });
    expect((await stage.step("release", declined.body.id, of)).body).toMatchObject({ status: "declined" });
    expect(await stage.sandbox.paymentIntents({ charge: of.charge })).toHaveLength(1);
  });

  test("that wants its cardholder waits, is never asked for again, and can be released", async () => {
    const tenant = newId("tenant");
    const enrolling = await stage.call("POST", "/api/v1/payment-methods", {
      scope: "wallet:write",
      tenant,
      body: { payment_method: "pm_card_authenticationRequired" },
    });
    expect(enrolling.body).toMatchObject({
      code: "authentication_required",
      setup_intent: expect.stringMatching(/^seti_/),
    });
    await stage.sandbox.authenticate(String(enrolling.body.setup_intent));
    await eventually(async () => {
      const { body } = await stage.call("GET", "/api/v1/payment-methods", { scope: "wallet:read", tenant });
      expect(body).toMatchObject({ data: [{ last4: "3184", default: true }] });
    });
    const of = purchaseOf(tenant);
    const waiting = await stage.order("hold", of);
    expect(waiting.body).toMatchObject({
      status: "requires_action",
      decline_code: "authentication_required",
    });
    expect((await stage.step("capture", waiting.body.id, of)).body).toMatchObject({
      code: "payment_state_conflict",
    });
    expect((await stage.step("release", waiting.body.id, of)).body).toMatchObject({ status: "released" });
  });

  test("that its holder confirms at the issuer is authorised, and captured as any other", async () => {
    const tenant = newId("tenant");
    const enrolling = await stage.call("POST", "/api/v1/payment-methods", {
      scope: "wallet:write",
      tenant,
      body: { payment_method: "pm_card_authenticationRequired" },
    });
    await stage.sandbox.authenticate(String(enrolling.body.setup_intent));
    await eventually(async () => {
      const { body } = await stage.call("GET", "/api/v1/payment-methods", { scope: "wallet:read", tenant });
      expect(body).toMatchObject({ data: [{ default: true }] });
    });
    const of = purchaseOf(tenant);
    const waiting = await stage.order("hold", of);
    const confirmation = (by: typeof tenant) =>
      stage.call("GET", `/api/v1/charges/${of.charge}/confirmation`, { scope: "wallet:write", tenant: by });
    expect((await confirmation(newId("tenant"))).status).toBe(404);
    const { body } = await confirmation(tenant);
    expect(body).toMatchObject({ payment_intent: waiting.body.reference, client_secret: expect.any(String) });
    await stage.sandbox.authenticatePayment(String(body.payment_intent));
    const read = await stage.call("GET", `/api/v1/payments?charge=${of.charge}`, {
      scope: "payments:execute",
    });
    expect(read.body).toMatchObject({ data: [{ status: "authorized" }] });
    expect(JSON.stringify(read.body)).not.toContain("decline_code");
    expect((await confirmation(tenant)).status).toBe(404);
    expect((await stage.step("capture", waiting.body.id, of)).body).toMatchObject({ status: "captured" });
  });

  test("below Stripe's minimum is declined and leaves no PaymentIntent", async () => {
    const of = purchaseOf(payer);
    expect((await stage.order("hold", of, { amount_minor: 49 })).body).toMatchObject({
      status: "declined",
      decline_code: "amount_too_small",
    });
    expect(await intentsOf(of)).toEqual([]);
  });

  test("of somebody without a card is refused and leaves nothing", async () => {
    const of = purchaseOf(newId("tenant"));
    const refused = await stage.order("hold", of);
    expect([refused.status, refused.body.code]).toEqual([402, "instrument_missing"]);
    expect((await stage.call("GET", `/api/v1/payments?charge=${of.charge}`)).body).toEqual({ data: [] });
  });

  test("released before it was held: the late hold finds it released and never asks Stripe", async () => {
    const of = purchaseOf(payer);
    const released = await stage.order("release", of);
    expect(released).toMatchObject({ status: 200, body: { status: "released", reference: null } });
    expect((await stage.order("hold", of)).body).toMatchObject({ id: released.body.id, status: "released" });
    expect(await intentsOf(of)).toEqual([]);
  });
});

describe("lost answers", () => {
  const slow = { action: "hang", times: 1 } as const;

  test("M02 a hold whose answer is lost is found by its id: one PaymentIntent", async () => {
    const of = purchaseOf(payer);
    await stage.sandbox.fail("payment_intents.confirm", { action: "drop_answer", times: 2 });
    const lost = await stage.order("hold", of);
    expect(lost.body).toMatchObject({ status: "authorizing" });
    await eventually(async () => (await stateOf(lost.body.id)) === "authorized");
    expect(await intentsOf(of)).toMatchObject([{ status: "requires_capture" }]);
  });

  test("M02 a create whose answer is lost is replayed with its key: one PaymentIntent", async () => {
    const of = purchaseOf(payer);
    await stage.sandbox.fail("payment_intents.create", { action: "drop_answer", times: 2 });
    const lost = await stage.order("hold", of);
    expect(lost.body).toMatchObject({ status: "authorizing", reference: null });
    await eventually(async () => (await stateOf(lost.body.id)) === "authorized");
    expect(await intentsOf(of)).toHaveLength(1);
  });

  test("M09 a capture that times out though it succeeded is read back and captured, never cancelled blindly", async () => {
    const { of, id } = await held();
    await stage.sandbox.fail("payment_intents.capture", slow);
    expect((await stage.step("capture", id, of)).body).toMatchObject({ status: "capturing" });
    const release = await stage.step("release", id, of);
    expect(release.body).toMatchObject({ code: "payment_state_conflict", payment_status: "capturing" });
    await eventually(async () => (await stateOf(id)) === "captured");
    expect(await intentsOf(of)).toMatchObject([{ status: "succeeded" }]);
    const { body } = await stage.call("GET", "/api/v1/ledger/accounts", {
      scope: "audit:read",
      tenant: of.payee,
    });
    expect(body).toMatchObject({ data: [{ balance: "-941" }] });
  });

  test("M10 a stored 500 at capture is read, and captured with the next attempt's key", async () => {
    const { of, id } = await held();
    const before = (await stage.sandbox.requests("payment_intents.capture")).length;
    await stage.sandbox.fail("payment_intents.capture", { action: "error_500" });
    expect((await stage.step("capture", id, of)).body).toMatchObject({ status: "capturing" });
    await eventually(async () => (await stateOf(id)) === "captured");
    const keys = (await stage.sandbox.requests("payment_intents.capture"))
      .slice(before)
      .map(({ idempotency_key: key }) => key);
    expect(keys).toEqual([`${String(id)}.capture.1`, `${String(id)}.capture.2`]);
  });

  test("M10 a 500 after the fact is read as captured: no second key is tried", async () => {
    const { of, id } = await held();
    await stage.sandbox.fail("payment_intents.capture", { action: "error_500_after_effect" });
    await stage.step("capture", id, of);
    await eventually(async () => (await stateOf(id)) === "captured");
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("M14 a cancel that times out is tried until Stripe says canceled", async () => {
    const { of, id } = await held();
    await stage.sandbox.fail("payment_intents.cancel", { action: "hang_request" });
    expect((await stage.step("release", id, of)).body).toMatchObject({ status: "releasing" });
    await eventually(async () => (await stateOf(id)) === "released");
    expect(await intentsOf(of)).toMatchObject([{ status: "canceled" }]);
  });

  test("a release while the hold is unknown ends in released, with nothing held at Stripe", async () => {
    const of = purchaseOf(payer);
    await stage.sandbox.fail("payment_intents.confirm", slow);
    const lost = await stage.order("hold", of);
    expect((await stage.order("release", of)).body).toMatchObject({ id: lost.body.id });
    await eventually(async () => (await stateOf(lost.body.id)) === "released");
    expect(await intentsOf(of)).toMatchObject([{ status: "canceled" }]);
  });

  test("a refund whose answer is lost is paid once", async () => {
    const { of, id } = await held();
    await stage.step("capture", id, of);
    await stage.sandbox.fail("refunds.create", { action: "error_500_after_effect" });
    expect((await stage.step("refund", id, of, { amount_minor: 400 })).body).toMatchObject({
      status: "refunding",
    });
    await eventually(async () => (await stateOf(id)) === "captured");
    expect((await stage.call("GET", `/api/v1/payments/${String(id)}`)).body).toMatchObject({
      refunded_minor: 400,
    });
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test.each([
    ["in part", 500],
    ["in full", 1000],
  ])(
    "R07 a refund %s whose answer is lost and whose key Stripe forgets is paid and booked once",
    async (_, amount) => {
      const { of, id } = await held();
      await stage.step("capture", id, of);
      await stage.sandbox.fail("refunds.create", { action: "drop_answer", times: 2 });
      const refund = newId("refund");
      const lost = await stage.step("refund", id, of, { amount_minor: amount, refund });
      expect(lost.body).toMatchObject({
        status: "refunding",
        refunds: [{ id: refund, amount_minor: amount, status: "pending" }],
      });
      await stage.sandbox.forgetKeys();
      await eventually(async () => (await stateOf(id)) !== "refunding");
      expect((await stage.call("GET", `/api/v1/payments/${String(id)}`)).body).toMatchObject({
        refunded_minor: amount,
        refunds: [{ id: refund, amount_minor: amount, status: "succeeded" }],
      });
      const [intent] = await intentsOf(of);
      expect(await stage.sandbox.refunds(intent?.id ?? "")).toMatchObject([{ amount }]);
      const posted = await stage.database.asAdmin(
        "select kind from ledger_entries where charge_id = $1 and kind = 'refund'",
        [of.charge],
      );
      expect(posted).toEqual([{ kind: "refund" }]);
    },
  );

  test("R07 a refund that Stripe refuses is told as refused, also when it is sent again", async () => {
    const { of, id } = await held();
    await stage.step("capture", id, of);
    const [intent] = await intentsOf(of);
    // Somebody gives the money back at Stripe itself.
    const elsewhere = await fetch(`${stage.sandbox.origin}/v1/refunds`, {
      method: "POST",
      headers: { authorization: "Bearer sk_test_else" },
      body: `payment_intent=${intent?.id}`,
    });
    expect(elsewhere.status).toBe(200);
    const refund = newId("refund");
    for (let n = 0; n < 2; n++)
      expect((await stage.step("refund", id, of, { amount_minor: 400, refund })).body).toMatchObject({
        status: "captured",
        refunded_minor: 0,
        refunds: [{ id: refund, amount_minor: 400, status: "refused" }],
      });
    expect((await stage.call("GET", `/api/v1/payments?charge=${of.charge}`)).body).toMatchObject({
      data: [{ refunds: [{ id: refund, status: "refused" }] }],
    });
  });

  test("a capture that Stripe books later empties the clearing account when it has", async () => {
    const { of, id } = await held();
    await stage.sandbox.fail("payment_intents.capture", { action: "late_booking" });
    expect((await stage.step("capture", id, of)).body).toMatchObject({ status: "captured" });
    await eventually(async () => {
      const [clearing] = await stage.database.asAdmin<{ balance: string }>(
        "select sum(balance)::text as balance from ledger_accounts where code = 'card_clearing'",
      );
      expect(clearing?.balance).toBe("0");
    });
    const entries = await stage.database.asAdmin(
      "select kind from ledger_entries where charge_id = $1 order by id",
      [of.charge],
    );
    expect(entries).toEqual([{ kind: "capture" }, { kind: "booking" }]);
  });

  test("R07 a refund that Stripe books later empties the clearing account when it has", async () => {
    const { of, id } = await held();
    await stage.step("capture", id, of);
    await stage.sandbox.fail("refunds.create", { action: "late_booking" });
    const part = await stage.step("refund", id, of, { amount_minor: 400 });
    expect(part.body).toMatchObject({ status: "captured", refunded_minor: 400 });
    await eventually(async () => {
      const entries = await stage.database.asAdmin(
        "select kind from ledger_entries where charge_id = $1 order by kind",
        [of.charge],
      );
      expect(entries).toEqual(["booking", "booking", "capture", "refund"].map((kind) => ({ kind })));
    });
    const clearing = await stage.database.asAdmin(
      "select sum(balance)::text as balance from ledger_accounts where code = 'card_clearing'",
    );
    expect(clearing).toEqual([{ balance: "0" }]);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("M15 a hold that runs out at Stripe is noticed by its signed webhook, freed, and told of", async () => {
    const { of, id } = await held();
    const [intent] = await intentsOf(of);
    const cancelled = await fetch(`${stage.sandbox.origin}/v1/payment_intents/${intent?.id}/cancel`, {
      method: "POST",
      headers: { authorization: "Bearer sk_test_else" },
    });
    expect(cancelled.status).toBe(200);
    await eventually(async () => (await stateOf(id)) === "released");
    expect((await stage.call("GET", `/api/v1/payments/${String(id)}`)).body).toMatchObject({
      decline_code: "expired_before_capture",
    });
    const told = await stage.database.asAdmin<{ type: string }>(
      "select type from outbox where subject = $1",
      [id],
    );
    expect(told.map(({ type }) => type)).toContain("payment.released");
  });

  test("W14 a webhook that is unsigned, altered, old, live or of another account changes nothing", async () => {
    const { of, id } = await held();
    const [intent] = await intentsOf(of);
    const event = { id: "evt_forged", object: "event", type: "payment_intent.canceled", livemode: false };
    const bodyOf = (more: object = {}) =>
      JSON.stringify({ ...event, data: { object: { id: intent?.id } }, ...more });
    const nowS = Math.floor(stage.clock.now() / 1000);
    const signed = (body: string, atS = nowS, secret = webhookSecret) =>
      `t=${atS},v1=${createHmac("sha256", secret).update(`${atS}.${body}`).digest("hex")}`;
    const post = async (body: string, signature: string | undefined) => {
      const headers = signature === undefined ? {} : { "stripe-signature": signature };
      const answer = await fetch(`${stage.address()}/api/v1/webhooks/stripe`, {
        method: "POST",
        body,
        headers,
      });
      return answer.status;
    };
    for (const signature of [
      undefined,
      "",
      "t=1,v1=00",
      signed(bodyOf(), nowS, "whsec_other"),
      signed(bodyOf(), nowS - 600),
    ])
      expect(await post(bodyOf(), signature), signature).toBe(400);
    expect(await post(`${bodyOf()} `, signed(bodyOf()))).toBe(400);
    expect(await post("no json", signed("no json"))).toBe(400);
    const live = bodyOf({ livemode: true });
    expect(await post(live, signed(live))).toBe(400);
    const other = bodyOf({ account: "acct_other" });
    expect(await post(other, signed(other))).toBe(200);
    // Well signed, and untrue: what is written comes from a read, and Stripe says that the hold stands.
    const untrue = bodyOf();
    expect([await post(untrue, signed(untrue)), await post(untrue, signed(untrue))]).toEqual([200, 200]);
    await eventually(async () => {
      const jobs = await stage.database.asAdmin("select id from jobs where queue = 'payments.hint'");
      expect(jobs).toEqual([]);
    });
    expect(await stateOf(id)).toBe("authorized");
  });

  test("R01 a capture that billing makes, somebody else makes at Stripe, and events tell of again and again is one entry", async () => {
    const { of, id } = await held();
    const [intent] = await intentsOf(of);
    const body = (event: string) =>
      JSON.stringify({
        id: event,
        object: "event",
        type: "payment_intent.succeeded",
        livemode: false,
        data: { object: { id: intent?.id } },
      });
    const tell = async (event: string) => {
      const atS = Math.floor(stage.clock.now() / 1000);
      const mac = createHmac("sha256", webhookSecret)
        .update(`${atS}.${body(event)}`)
        .digest("hex");
      const told = await fetch(`${stage.address()}/api/v1/webhooks/stripe`, {
        method: "POST",
        body: body(event),
        headers: { "stripe-signature": `t=${atS},v1=${mac}` },
      });
      expect(told.status).toBe(200);
    };
    const elsewhere = fetch(`${stage.sandbox.origin}/v1/payment_intents/${intent?.id}/capture`, {
      method: "POST",
      headers: { authorization: "Bearer sk_test_else" },
    });
    const news = ["evt_one", "evt_one", "evt_two"].map(tell);
    await Promise.all([elsewhere, stage.step("capture", id, of), ...news]);
    await eventually(async () => (await stateOf(id)) === "captured");
    for (const event of ["evt_one", "evt_two", "evt_three"]) await tell(event);
    await stage.step("capture", id, of);
    const entries = () =>
      stage.database.asAdmin<{ kind: string }>(
        "select kind from ledger_entries where charge_id = $1 order by kind",
        [of.charge],
      );
    await eventually(async () => (await entries()).length >= 2);
    await eventually(async () => {
      const jobs = await stage.database.asAdmin(
        "select id from jobs where queue in ('payments.hint', 'payments.book') and key = $1",
        [id],
      );
      expect(jobs).toEqual([]);
    });
    expect(await entries()).toEqual([{ kind: "booking" }, { kind: "capture" }]);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });
});

describe("nothing moves without the authorization server's word", () => {
  test("V01 amounts that are no whole positive number of minor units are refused", async () => {
    for (const amount of [
      -1,
      0,
      1.5,
      "1e3",
      "1000",
      2 ** 53,
      Number.NaN,
      null,
      "١٠٠",
      "10000000000000000000",
    ]) {
      const answer = await stage.order("hold", purchaseOf(payer), { amount_minor: amount as number });
      expect([answer.status, answer.body.code], String(amount)).toEqual([403, "instruction_invalid"]);
    }
  });

  test("V02 unknown currencies and mixed case are refused; JPY and BHD count in their own minor units", async () => {
    for (const currency of ["usd", "Usd", "XXX", "ABC", "US", "USDC_BASE", ""]) {
      const answer = await stage.order("hold", purchaseOf(payer), { currency });
      expect([answer.status, answer.body.code], currency).toEqual([403, "instruction_invalid"]);
    }
    const yen = purchaseOf(payer);
    expect((await stage.order("hold", yen, { currency: "JPY", amount_minor: 100 })).body).toMatchObject({
      status: "authorized",
      amount_minor: 100,
    });
    expect(await intentsOf(yen)).toMatchObject([{ amount: 100 }]);
    const dinar = purchaseOf(payer);
    expect((await stage.order("hold", dinar, { currency: "BHD", amount_minor: 1234 })).body).toMatchObject({
      status: "declined",
      decline_code: "amount_not_chargeable",
    });
    expect(
      (await stage.order("hold", purchaseOf(payer), { currency: "BHD", amount_minor: 1230 })).body,
    ).toMatchObject({ status: "authorized" });
  });

  test("a forged, foreign, stale, live or misaddressed instruction is refused", async () => {
    const of = purchaseOf(payer);
    const good = instruct(stage.issuer, stage.clock, { op: "hold", of });
    const claims = JSON.parse(Buffer.from(good.split(".")[1] ?? "", "base64url").toString());
    const signed = (change: object, typ = "remit-instruction+jwt") =>
      signJws(stage.issuer.key, { typ }, { ...claims, ...change });
    const [head, body, signature = ""] = good.split(".");
    const flipped = `${head}.${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    const bad = [
      signed({}, "JWT"),
      signed({ aud: "https://elsewhere.test" }),
      signed({ iss: "https://elsewhere.test" }),
      signed({ iat: claims.iat - 300, exp: claims.iat - 180 }),
      signed({ exp: claims.iat + 3600 }),
      signed({ op: "pay" }),
      signed({ op: "refund" }),
      signed({ charge: "chg_1" }),
      signed({ payer: "org_1" }),
      flipped,
      `${head}.${body}.`,
      "not.a.jws",
    ];
    for (const instruction of bad) {
      const answer = await stage.call("POST", "/api/v1/payments", { body: { instruction } });
      expect([answer.status, answer.body.code], instruction.slice(0, 60)).toEqual([
        403,
        "instruction_invalid",
      ]);
    }
    const live = await stage.call("POST", "/api/v1/payments", {
      body: { instruction: signed({ livemode: true }) },
    });
    expect([live.status, live.body.code]).toEqual([400, "livemode_mismatch"]);
    expect(await intentsOf(of)).toEqual([]);
  });

  test("an instruction that contradicts its payment is refused, whoever sends it", async () => {
    const { of, id } = await held();
    expect((await stage.order("hold", of, { amount_minor: 999 })).body).toMatchObject({
      code: "instruction_invalid",
    });
    expect((await stage.order("hold", { ...of, merchant: newId("merchant") })).body).toMatchObject({
      code: "instruction_invalid",
    });
    expect((await stage.order("hold", { ...of, payer: await stage.payer() })).body).toMatchObject({
      code: "instruction_invalid",
    });
    expect((await stage.step("capture", id, of, { amount_minor: 1001 })).body).toMatchObject({
      code: "instruction_invalid",
    });
    expect((await stage.step("capture", id, { ...of, charge: newId("charge") })).body).toMatchObject({
      code: "instruction_invalid",
    });
    expect((await stage.step("capture", id, { ...of, payer: newId("tenant") })).status).toBe(404);
    expect(
      (
        await stage.call("POST", `/api/v1/payments/${String(id)}/capture`, {
          body: { instruction: instruct(stage.issuer, stage.clock, { op: "release", of }) },
        })
      ).body,
    ).toMatchObject({ code: "instruction_invalid" });
    expect(await stateOf(id)).toBe("authorized");
  });

  test("without a token, the scope or an Idempotency-Key nothing is even read", async () => {
    const bare = await fetch(`${stage.address()}/api/v1/payments`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
    expect(bare.status).toBe(401);
    const other = await stage.call("POST", "/api/v1/payments", {
      scope: "wallet:write",
      body: { instruction: "x" },
    });
    expect([other.status, other.body.code]).toEqual([403, "insufficient_scope"]);
    const keyless = await stage.call("POST", "/api/v1/payments", { key: "", body: { instruction: "x" } });
    expect(keyless.status).toBe(400);
  });
});

describe("saved cards", () => {
  test("a card is saved once per key, the first is the default, and only its own tenant sees it", async () => {
    const tenant = newId("tenant");
    const enrol = (card: string, key?: string) =>
      stage.call("POST", "/api/v1/payment-methods", {
        scope: "wallet:write",
        tenant,
        body: { payment_method: card },
        ...(key === undefined ? {} : { key }),
      });
    const first = await enrol("pm_card_visa", "same-key");
    expect(first).toMatchObject({ status: 201, body: { brand: "visa", last4: "4242", default: true } });
    const again = await enrol("pm_card_visa", "same-key");
    expect([again.body.id, again.headers.get("idempotent-replayed")]).toEqual([first.body.id, "true"]);
    expect((await enrol("pm_card_mastercard")).body).toMatchObject({ brand: "mastercard", default: false });
    expect((await enrol("pm_card_amex", "same-key")).status).toBe(422);
    const list = (of: Id<"tenant">) =>
      stage.call("GET", "/api/v1/payment-methods", { scope: "wallet:read", tenant: of });
    expect((await list(tenant)).body.data).toHaveLength(2);
    expect((await list(newId("tenant"))).body.data).toEqual([]);
    const foreign = purchaseOf(payer);
    expect(
      (await stage.order("hold", foreign, { instrument: first.body.id as Id<"instrument"> })).body,
    ).toMatchObject({ code: "instrument_missing" });
  });

  test("a card that is refused when it is saved, or that nobody knows, saves nothing", async () => {
    const tenant = newId("tenant");
    const enrol = (card: string) =>
      stage.call("POST", "/api/v1/payment-methods", {
        scope: "wallet:write",
        tenant,
        body: { payment_method: card },
      });
    expect((await enrol("pm_card_chargeDeclined")).body).toMatchObject({
      status: 402,
      code: "card_declined",
    });
    expect((await enrol("pm_nobody_knows")).body).toMatchObject({ status: 400, code: "invalid_request" });
    expect((await enrol("tok_visa")).status).toBe(400);
    await stage.sandbox.fail("setup_intents.create", { action: "error_500" });
    expect((await enrol("pm_card_visa")).body).toMatchObject({ status: 503, code: "unavailable" });
    expect(
      (await stage.call("GET", "/api/v1/payment-methods", { scope: "wallet:read", tenant })).body.data,
    ).toEqual([]);
  });

  test("a card whose saving is not answered is usable once Stripe says so, and given up if it was never asked", async () => {
    const tenant = newId("tenant");
    const enrol = () =>
      stage.call("POST", "/api/v1/payment-methods", {
        scope: "wallet:write",
        tenant,
        body: { payment_method: "pm_card_visa" },
      });
    const states = () =>
      stage.database.asAdmin("select state from instruments where tenant_id = $1 order by id", [tenant]);
    await stage.sandbox.fail("setup_intents.confirm", { action: "drop_answer", times: 2 });
    expect((await enrol()).status).toBe(503);
    await eventually(async () => expect(await states()).toEqual([{ state: "active" }]));
    await stage.sandbox.fail("setup_intents.confirm", { action: "drop_request", times: 2 });
    expect((await enrol()).status).toBe(503);
    expect(await states()).toEqual([{ state: "active" }, { state: "enrolling" }]);
    await stage.database.asAdmin("update jobs set run_at = now() where queue = 'instruments.finish'");
    await eventually(async () =>
      expect(await states()).toEqual([{ state: "active" }, { state: "declined" }]),
    );
  });

  test("a card that its issuer refuses when asked is declined, not enrolling for ever", async () => {
    const tenant = newId("tenant");
    await stage.sandbox.fail("setup_intents.confirm", { action: "decline" });
    const refused = await stage.call("POST", "/api/v1/payment-methods", {
      scope: "wallet:write",
      tenant,
      body: { payment_method: "pm_card_visa" },
    });
    expect(refused.body).toMatchObject({ status: 402, code: "card_declined" });
    const states = await stage.database.asAdmin("select state from instruments where tenant_id = $1", [
      tenant,
    ]);
    expect(states).toEqual([{ state: "declined" }]);
  });
});
