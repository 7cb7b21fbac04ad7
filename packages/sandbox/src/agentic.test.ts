import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Instant, systemClock } from "@remit/kernel";
import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSandbox, type Sandbox } from "./index.ts";

let sandbox: Sandbox;
let stripe: Stripe;
let aheadMs = 0;
const clock = { ...systemClock, now: () => (systemClock.now() + aheadMs) as Instant };
const dataDir = mkdtempSync(path.join(tmpdir(), "remit-sandbox-"));

const start = async (): Promise<void> => {
  sandbox = createSandbox({ port: 0, dataDir, networkId: "profile_test_shop", clock });
  await sandbox.listen();
  const { hostname, port } = new URL(sandbox.origin);
  stripe = new Stripe("sk_test_sandbox", {
    host: hostname,
    port,
    protocol: "http",
    maxNetworkRetries: 0,
    telemetry: false,
  });
};
beforeAll(start);
afterAll(() => sandbox.close());

type Token = { id: string; object: string; deactivated_reason: string | null; status?: string };
// The SDK has no methods for tokens yet; its raw requests do the same.
const raw = (method: string, at: string, of: object = {}): Promise<Token> =>
  stripe.rawRequest(method, at, of);
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof Stripe.errors.StripeError ? (error.code ?? error.param) : error),
  );
const limits = { currency: "usd", max_amount: 1000 };
const mint = (more: object = {}) =>
  raw("POST", "/v1/test_helpers/shared_payment/granted_tokens", {
    payment_method: "pm_card_visa",
    usage_limits: limits,
    ...more,
  });
const pay = (token: string, amount: number, more: object = {}) => {
  const paid: object = { shared_payment_granted_token: token };
  return stripe.paymentIntents.create({ amount, currency: "usd", confirm: true, ...paid, ...more });
};
const read = (id: string) => raw("GET", `/v1/shared_payment/granted_tokens/${id}`);

describe("shared payment tokens", () => {
  test("one is paid with bit by bit, up to its limit, and is then consumed", async () => {
    const { id } = await mint();
    expect((await pay(id, 400)).status).toBe("succeeded");
    const held = await pay(id, 600, { capture_method: "manual" });
    expect(held.status).toBe("requires_capture");
    expect(await codeOf(pay(id, 50))).toBe("shared_payment_token_amount_exceeded");
    await stripe.paymentIntents.capture(held.id);
    expect(await read(id)).toMatchObject({
      object: "shared_payment.granted_token",
      deactivated_reason: "consumed",
      usage_details: { amount_captured: { value: 1000, currency: "usd" } },
    });
    expect(await codeOf(pay(id, 50))).toBe("shared_payment_token_consumed");
  });

  test("its time ends it, and so does its issuer", async () => {
    const until = Math.floor(clock.now() / 1000) + 60;
    const brief = await mint({ usage_limits: { ...limits, expires_at: until } });
    aheadMs += 61_000;
    expect(await codeOf(pay(brief.id, 100))).toBe("shared_payment_token_expired");
    expect(await read(brief.id)).toMatchObject({ deactivated_reason: "expired", deactivated_at: until });
    const { id } = await mint();
    await raw("POST", `/v1/test_helpers/shared_payment/granted_tokens/${id}/revoke`);
    expect(await codeOf(pay(id, 100))).toBe("shared_payment_token_revoked");
    expect((await read(id)).deactivated_reason).toBe("revoked");
  });

  test("its issuer sees the card behind it, the seller does not", async () => {
    const issued = await raw("POST", "/v1/shared_payment/issued_tokens", {
      payment_method: "pm_card_visa",
      usage_limits: limits,
      seller_details: { network_business_profile: "profile_test_shop" },
    });
    expect(issued).toMatchObject({ object: "shared_payment.issued_token", status: "active" });
    expect(issued).toHaveProperty("payment_method", expect.stringMatching(/^pm_/));
    const granted = await read(issued.id);
    expect(granted).toMatchObject({ object: "shared_payment.granted_token" });
    expect(JSON.stringify(granted)).not.toMatch(/"pm_|"_/);
    expect((await pay(issued.id, 100)).status).toBe("succeeded");
    const revoked = await raw("POST", `/v1/shared_payment/issued_tokens/${issued.id}/revoke`);
    expect(revoked).toMatchObject({ status: "deactivated", deactivated_reason: "revoked" });
  });

  test("both spellings pay, not both at once, and never without confirming", async () => {
    const { id } = await mint();
    const nested: object = { payment_method_data: { shared_payment_granted_token: id } };
    const plain: object = { shared_payment_granted_token: id };
    const price = { amount: 100, currency: "usd" };
    const both: object = { ...nested, ...plain };
    expect((await stripe.paymentIntents.create({ ...price, confirm: true, ...nested })).status).toBe(
      "succeeded",
    );
    expect(await codeOf(stripe.paymentIntents.create({ ...price, confirm: true, ...both }))).toBe(
      "payment_method_data",
    );
    expect(await codeOf(stripe.paymentIntents.create({ ...price, ...plain }))).toBe("confirm");
  });

  test("clients of other makers have one made at an address that takes their JSON, and a restart forgets none", async () => {
    const ask = (of: object) =>
      fetch(`${sandbox.origin}/sandbox/tokens`, { method: "POST", body: JSON.stringify(of) });
    const wanted = {
      amount: "500",
      currency: "usd",
      networkId: "profile_test_shop",
      paymentMethod: "pm_card_visa",
    };
    const { spt } = (await (await ask(wanted)).json()) as { spt: string };
    expect((await ask({ ...wanted, paymentMethod: "pm_nobody" })).status).toBe(400);
    expect((await ask({ currency: "usd" })).status).toBe(400);
    await sandbox.close();
    await start();
    expect((await pay(spt, 500)).status).toBe("succeeded");
  });
});

describe("connected accounts", () => {
  const merchant = async (): Promise<string> => {
    const account = await stripe.accounts.create({ type: "express" });
    const link = await stripe.accountLinks.create({
      account: account.id,
      type: "account_onboarding",
      return_url: "http://shop.example/back",
      refresh_url: "http://shop.example/again",
    });
    expect(await (await fetch(link.url)).text()).toContain(account.id);
    const done = await fetch(link.url, { method: "POST", redirect: "manual" });
    expect(done.headers.get("location")).toBe("http://shop.example/back");
    return account.id;
  };

  test("a transfer out of a charge is reversed bit by bit, and never more than there was", async () => {
    const destination = await merchant();
    const paid = await pay((await mint()).id, 1000);
    const charge = typeof paid.latest_charge === "string" ? paid.latest_charge : "";
    const of = { currency: "usd", destination, source_transaction: charge };
    const transfer = await stripe.transfers.create({ amount: 800, ...of });
    expect(await codeOf(stripe.transfers.create({ amount: 201, ...of }))).toBe(
      "transfer_source_balance_insufficient",
    );
    await stripe.transfers.createReversal(transfer.id, { amount: 300 });
    expect(await codeOf(stripe.transfers.createReversal(transfer.id, { amount: 501 }))).toBe(
      "amount_too_large",
    );
    await stripe.transfers.createReversal(transfer.id);
    expect(await stripe.transfers.retrieve(transfer.id)).toMatchObject({
      amount_reversed: 800,
      reversed: true,
    });
    const booked = async (options: Stripe.RequestOptions) => {
      const { data } = await stripe.balanceTransactions.list({ limit: 100 }, options);
      return data.filter(({ type }) => /transfer|payment/.test(type)).reduce((sum, { net }) => sum + net, 0);
    };
    expect(await booked({})).toBe(0);
    expect(await booked({ stripeAccount: destination })).toBe(0);
  });

  test("nobody acts for an account that does not exist, and one does not see another's payments", async () => {
    const account = await merchant();
    const stranger = await codeOf(stripe.balanceTransactions.list({}, { stripeAccount: "acct_nobody" }));
    expect(stranger).toBe("account_invalid");
    const direct = await stripe.paymentIntents.create(
      {
        amount: 900,
        currency: "usd",
        confirm: true,
        payment_method: "pm_card_visa",
        application_fee_amount: 90,
      },
      { stripeAccount: account },
    );
    expect(await codeOf(stripe.paymentIntents.retrieve(direct.id))).toBe("resource_missing");
    const fees = await stripe.applicationFees.list();
    expect(fees.data.find((fee) => fee.account === account)).toMatchObject({ amount: 90 });
    const mine = await stripe.balanceTransactions.list({}, { stripeAccount: account });
    expect(mine.data).toMatchObject([{ amount: 900, fee: 146, net: 754 }]);
  });

  test("a fee without an account, or of more than the payment, is refused", async () => {
    const destination = await merchant();
    const of = { amount: 500, currency: "usd", payment_method: "pm_card_visa" };
    expect(await codeOf(stripe.paymentIntents.create({ ...of, application_fee_amount: 1 }))).toBe(
      "application_fee_amount",
    );
    expect(
      await codeOf(
        stripe.paymentIntents.create({ ...of, application_fee_amount: 501, transfer_data: { destination } }),
      ),
    ).toBe("application_fee_amount");
    expect(
      await codeOf(stripe.paymentIntents.create({ ...of, transfer_data: { destination: "acct_nobody" } })),
    ).toBe("resource_missing");
  });
});
