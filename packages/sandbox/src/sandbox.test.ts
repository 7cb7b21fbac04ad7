import { appendFileSync, mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import Stripe from "stripe";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSandbox, type Sandbox } from "./index.ts";

let sandbox: Sandbox;
let stripe: Stripe;
let dataDir: string;

const start = async (webhooks: { url: string; secret: string }[] = []): Promise<void> => {
  sandbox = createSandbox({ port: 0, dataDir, webhooks });
  await sandbox.listen();
  const { hostname, port } = new URL(sandbox.origin);
  stripe = new Stripe("sk_test_sandbox", {
    host: hostname,
    port,
    protocol: "http",
    maxNetworkRetries: 0,
    timeout: 30_000,
    telemetry: false,
  });
};

beforeEach(async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), "remit-sandbox-"));
  await start();
});
afterEach(() => sandbox.close());

const control = async (method: string, at: string, body?: object) => {
  const answer = await fetch(sandbox.origin + at, { method, ...(body && { body: JSON.stringify(body) }) });
  return (await answer.json()) as { data: Record<string, unknown>[]; calls: number; error?: string };
};
const fail = (operation: string, action: string, more: object = {}) =>
  control("POST", "/sandbox/failures", { match: { operation }, action, ...more });
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof Stripe.errors.StripeError ? (error.code ?? error.type) : error),
  );

const unknownToStripe: object = { frobnicate: "x" };
const idOf = (reference: string | { id: string } | null): string =>
  typeof reference === "string" ? reference : (reference?.id ?? "");

async function enrolled(card = "pm_card_visa") {
  const customer = await stripe.customers.create({ metadata: { tenant: "org" } });
  const setup = await stripe.setupIntents.create({
    customer: customer.id,
    payment_method: card,
    usage: "off_session",
    confirm: true,
    allowed_payment_method_types: ["card"],
    expand: ["payment_method"],
  });
  return {
    customer: customer.id,
    setup,
    method: typeof setup.payment_method === "object" ? (setup.payment_method?.id ?? "") : "",
  };
}

async function intent(card = "pm_card_visa", key?: string) {
  const { customer, method } = await enrolled(card);
  return stripe.paymentIntents.create(
    {
      amount: 2500,
      currency: "usd",
      customer,
      payment_method: method,
      capture_method: "manual",
      metadata: { charge: "chg_1" },
    },
    key === undefined ? {} : { idempotencyKey: key },
  );
}

describe("the sandbox behaves as Stripe does", () => {
  test("a card is set up off session, held, captured in part and refunded", async () => {
    const created = await intent();
    expect(created.status).toBe("requires_confirmation");
    const held = await stripe.paymentIntents.confirm(created.id, { off_session: true });
    expect(held).toMatchObject({ status: "requires_capture", amount_capturable: 2500 });
    const paid = await stripe.paymentIntents.capture(created.id, {
      amount_to_capture: 2000,
      expand: ["latest_charge.balance_transaction"],
    });
    expect(paid).toMatchObject({
      status: "succeeded",
      amount_received: 2000,
      latest_charge: { amount_captured: 2000, balance_transaction: { amount: 2000, fee: 88, net: 1912 } },
    });
    const refund = await stripe.refunds.create({ payment_intent: created.id, amount: 500 });
    expect(refund).toMatchObject({ status: "succeeded", amount: 500 });
    expect((await stripe.refunds.list({ payment_intent: created.id })).data).toHaveLength(1);
    expect(await codeOf(stripe.refunds.create({ payment_intent: created.id, amount: 1501 }))).toBe(
      "amount_too_large",
    );
  });

  test("a captured or canceled intent refuses every further step with its state", async () => {
    const created = await intent();
    expect(await codeOf(stripe.paymentIntents.capture(created.id))).toBe("payment_intent_unexpected_state");
    await stripe.paymentIntents.cancel(created.id);
    expect(await codeOf(stripe.paymentIntents.confirm(created.id, { off_session: true }))).toBe(
      "payment_intent_unexpected_state",
    );
    expect(await codeOf(stripe.paymentIntents.cancel(created.id))).toBe("payment_intent_unexpected_state");
  });

  test("declines and wanted authentication are told, and the intent remembers them", async () => {
    expect(await codeOf(enrolled("pm_card_chargeDeclined"))).toBe("card_declined");
    const failing = await intent("pm_card_chargeCustomerFail");
    expect(await codeOf(stripe.paymentIntents.confirm(failing.id, { off_session: true }))).toBe(
      "card_declined",
    );
    expect(await stripe.paymentIntents.retrieve(failing.id)).toMatchObject({
      status: "requires_payment_method",
      last_payment_error: { decline_code: "generic_decline" },
    });
    const { setup } = await enrolled("pm_card_authenticationRequired");
    expect(setup.status).toBe("requires_action");
    await control("POST", `/sandbox/setup_intents/${setup.id}/authenticate`);
    const done = await stripe.setupIntents.retrieve(setup.id);
    expect(done.status).toBe("succeeded");
    const asks = await stripe.paymentIntents.create({
      amount: 900,
      currency: "eur",
      customer: idOf(done.customer),
      payment_method: idOf(done.payment_method),
      capture_method: "manual",
    });
    expect(await codeOf(stripe.paymentIntents.confirm(asks.id, { off_session: true }))).toBe(
      "authentication_required",
    );
  });

  test("wrong keys, unknown parameters, too little and unknown ids are refused", async () => {
    const stranger = new Stripe("sk_live_no", {
      host: "127.0.0.1",
      port: new URL(sandbox.origin).port,
      protocol: "http",
    });
    expect(await codeOf(stranger.customers.create({}))).toBe("StripeAuthenticationError");
    const { customer, method } = await enrolled();
    const of = { customer, payment_method: method, capture_method: "manual" as const };
    expect(await codeOf(stripe.paymentIntents.create({ amount: 49, currency: "usd", ...of }))).toBe(
      "amount_too_small",
    );
    expect(await codeOf(stripe.paymentIntents.create({ amount: 49, currency: "jpy", ...of }))).toBe(
      "amount_too_small",
    );
    expect(
      await codeOf(stripe.paymentIntents.create({ amount: 50, currency: "jpy", ...of, ...unknownToStripe })),
    ).toBe("parameter_unknown");
    expect(await codeOf(stripe.paymentIntents.retrieve("pi_none"))).toBe("resource_missing");
    const other = await stripe.customers.create({});
    expect(
      await codeOf(stripe.paymentIntents.create({ amount: 500, currency: "usd", ...of, customer: other.id })),
    ).toBe("StripeInvalidRequestError");
  });

  test("a lost create is found by customer and time", async () => {
    const created = await intent();
    const customer = idOf(created.customer);
    const listed = await stripe.paymentIntents.list({
      customer,
      created: { gte: created.created - 1 },
      limit: 100,
    });
    expect(listed.data.map(({ id }) => id)).toEqual([created.id]);
    expect((await stripe.paymentIntents.list({ customer, created: { gt: created.created } })).data).toEqual(
      [],
    );
  });
});

describe("idempotency keys", () => {
  test("the same key and parameters replay status and body; others are refused", async () => {
    const { customer, method } = await enrolled();
    const of = { amount: 700, currency: "usd", customer, payment_method: method };
    const first = await stripe.paymentIntents.create(of, { idempotencyKey: "k1" });
    const again = await stripe.paymentIntents.create(of, { idempotencyKey: "k1" });
    expect(again.id).toBe(first.id);
    expect(again.lastResponse.headers["idempotent-replayed"]).toBe("true");
    expect(await codeOf(stripe.paymentIntents.create({ ...of, amount: 800 }, { idempotencyKey: "k1" }))).toBe(
      "StripeIdempotencyError",
    );
    expect((await control("GET", "/sandbox/payment_intents")).data).toHaveLength(1);
  });

  test("what failed validation is not kept for its key; a stored 500 is, even though it happened", async () => {
    const { customer, method } = await enrolled();
    const of = { amount: 10, currency: "usd", customer, payment_method: method };
    expect(await codeOf(stripe.paymentIntents.create(of, { idempotencyKey: "k2" }))).toBe("amount_too_small");
    expect(
      (await stripe.paymentIntents.create({ ...of, amount: 1000 }, { idempotencyKey: "k2" })).amount,
    ).toBe(1000);
    const held = await intent();
    await stripe.paymentIntents.confirm(held.id, { off_session: true });
    await fail("payment_intents.capture", "error_500_after_effect");
    const capture = () => codeOf(stripe.paymentIntents.capture(held.id, {}, { idempotencyKey: "cap" }));
    expect([await capture(), await capture()]).toEqual(["StripeAPIError", "StripeAPIError"]);
    expect((await stripe.paymentIntents.retrieve(held.id)).status).toBe("succeeded");
  });

  test("a second call while the first is running is refused", async () => {
    await fail("customers.create", "delay_ms", { delay_ms: 100 });
    const first = stripe.customers.create({}, { idempotencyKey: "slow" });
    await expect
      .poll(async () => (await control("GET", "/sandbox/failures")).data[0]?.left, { timeout: 60_000 })
      .toBe(0);
    expect(await codeOf(stripe.customers.create({}, { idempotencyKey: "slow" }))).toBe(
      "idempotency_key_in_use",
    );
    expect((await first).object).toBe("customer");
  });
});

describe("failure switches", () => {
  test("an answer can be dropped, hung, refused or 500 without effect, as often as said", async () => {
    const created = await intent();
    const confirm = (key: string) =>
      codeOf(stripe.paymentIntents.confirm(created.id, { off_session: true }, { idempotencyKey: key }));
    await fail("payment_intents.confirm", "error_500");
    expect(await confirm("c1")).toBe("StripeAPIError");
    await fail("payment_intents.confirm", "decline", { decline_code: "insufficient_funds" });
    expect(await confirm("c2")).toBe("card_declined");
    expect((await stripe.paymentIntents.retrieve(created.id)).last_payment_error?.decline_code).toBe(
      "insufficient_funds",
    );
    const fresh = await intent();
    await fail("payment_intents.confirm", "hang");
    const hasty = { timeout: 300 };
    expect(await codeOf(stripe.paymentIntents.confirm(fresh.id, { off_session: true }, hasty))).toBe(
      "StripeConnectionError",
    );
    expect((await stripe.paymentIntents.retrieve(fresh.id)).status).toBe("requires_capture");
    await fail("payment_intents.capture", "drop_answer", { times: 2 });
    expect(await codeOf(stripe.paymentIntents.capture(fresh.id))).toBe("StripeConnectionError");
    expect((await stripe.paymentIntents.retrieve(fresh.id)).status).toBe("succeeded");
    expect((await control("POST", "/sandbox/failures", { match: {}, action: "explode" })).error).toMatch(
      /action/,
    );
  });

  test("the inbox takes webhooks as they come, and shows the newest first", async () => {
    for (const id of ["msg_1", "msg_2"]) {
      const headers = { "webhook-id": id, "webhook-timestamp": "1", "webhook-signature": "v1,x" };
      const body = `{"of":"${id}"}`;
      expect((await fetch(`${sandbox.origin}/sandbox/inbox`, { method: "POST", headers, body })).ok).toBe(
        true,
      );
    }
    expect((await control("GET", "/sandbox/inbox")).data).toEqual(
      ["msg_2", "msg_1"].map((id) => ({
        "webhook-id": id,
        "webhook-timestamp": "1",
        "webhook-signature": "v1,x",
        body: `{"of":"${id}"}`,
      })),
    );
  });

  test("the demo upstream counts its calls and breaks as told", async () => {
    const get = () =>
      fetch(`${sandbox.origin}/demo/report`).then(
        ({ status }) => status,
        () => "reset",
      );
    expect(await get()).toBe(200);
    await control("POST", "/sandbox/upstream", { answer: "reset", times: 1 });
    await control("POST", "/sandbox/upstream", { answer: "500", times: 1 });
    expect([await get(), await get()]).toEqual([500, 200]);
    await control("POST", "/sandbox/upstream", { answer: "reset", times: 1 });
    expect(await get()).toBe("reset");
    expect((await control("GET", "/sandbox/upstream")).calls).toBe(4);
  });
});

describe("Stripe does not forget", () => {
  test("objects, keys and sales survive a restart, and a torn last line is cut off", async () => {
    const created = await intent("pm_card_visa", "kept");
    await stripe.paymentIntents.confirm(created.id, { off_session: true });
    await fetch(`${sandbox.origin}/demo/report`);
    await sandbox.close();
    appendFileSync(path.join(dataDir, "sandbox.jsonl"), '{"kind":"request","request":{"at":1');
    await start();
    expect((await stripe.paymentIntents.retrieve(created.id)).status).toBe("requires_capture");
    const again = await stripe.paymentIntents.create(
      {
        amount: 2500,
        currency: "usd",
        customer: idOf(created.customer),
        payment_method: idOf(created.payment_method),
        capture_method: "manual",
        metadata: { charge: "chg_1" },
      },
      { idempotencyKey: "kept" },
    );
    expect(again.id).toBe(created.id);
    expect((await control("GET", "/sandbox/upstream")).calls).toBe(1);
    expect((await control("GET", "/sandbox/requests?operation=payment_intents.confirm")).data).toHaveLength(
      1,
    );
  });

  test("signed events reach the webhook, again after it failed, and verify with the SDK", async () => {
    const got: { body: string; signature: string }[] = [];
    let refused = 0;
    const receiver = createServer((request, response) => {
      let body = "";
      request.on("data", (part) => {
        body += part;
      });
      request.on("end", () => {
        if (refused === 0) {
          refused += 1;
          response.writeHead(503).end();
          return;
        }
        got.push({ body, signature: String(request.headers["stripe-signature"]) });
        response.end();
      });
    });
    await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    await sandbox.close();
    await start([{ url, secret: "whsec_test" }]);
    await stripe.customers.create({});
    await expect.poll(() => got.length, { timeout: 5000 }).toBe(1);
    const event = stripe.webhooks.constructEvent(got[0]?.body ?? "", got[0]?.signature ?? "", "whsec_test");
    expect(event.type).toBe("customer.created");
    expect(() =>
      stripe.webhooks.constructEvent(`${got[0]?.body} `, got[0]?.signature ?? "", "whsec_test"),
    ).toThrow();
    receiver.close();
  });
});
