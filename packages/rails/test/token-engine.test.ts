import { assetOf, type Instant, invariant, money, systemClock } from "@remit/kernel";
import { type TestSandbox, testSandbox } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTokenEngine, openStripe, type SharedToken, type TokenEngineDeps } from "../src/card/index.ts";
import type { HoldOrder, PaymentEngine, Standing } from "../src/index.ts";
import { cardTraits, describeEngine, type Stage, type Trouble, type Verb } from "./describe-engine.ts";

// The SDK sends once more after a closed connection, so a lost exchange is lost twice.
const actions = {
  lost_request: { action: "drop_request", times: 2 },
  lost_answer: { action: "drop_answer", times: 2 },
  server_error: { action: "error_500", times: 1 },
  server_error_after_effect: { action: "error_500_after_effect", times: 1 },
  decline: { action: "decline", times: 1 },
} as const satisfies Record<Trouble, object>;

const operations: Readonly<Record<Verb, string>> = {
  create: "payment_intents.create",
  confirm: "payment_intents.create",
  capture: "payment_intents.capture",
  cancel: "payment_intents.cancel",
  refund: "refunds.create",
};

const assetNamed = (code: string) => {
  const asset = assetOf(code);
  invariant(asset !== undefined, "the suite pays in assets that exist");
  return asset;
};
const usd = assetNamed("USD");

const engineAt = (sandbox: TestSandbox, more: Partial<TokenEngineDeps> = {}): PaymentEngine<SharedToken> =>
  createTokenEngine({
    stripe: openStripe({ ...sandbox.stripe, timeoutMs: 2000 }),
    clock: systemClock,
    ...more,
  });

async function tokenStage(): Promise<Stage<SharedToken>> {
  const sandbox = await testSandbox();
  return {
    engine: engineAt(sandbox),
    now: systemClock.now(),
    asset: usd,
    inexpressible: money(assetNamed("BHD"), 10_001n),
    breakNext: (verb, trouble) => sandbox.fail(operations[verb], actions[trouble]),
    count: async (key) => {
      const intents = (await sandbox.paymentIntents()).filter(({ metadata }) => metadata.payment === key);
      return {
        existing: intents.length,
        captured: intents.filter(({ status }) => status === "succeeded").length,
      };
    },
    forgetKeys: () => sandbox.forgetKeys(),
    refunds: async (reference) => (await sandbox.refunds(reference)).map(({ amount }) => BigInt(amount)),
    payer: async ({ units }) => ({ spt: await sandbox.token({ amount: Number(units) }) }),
    close: () => sandbox.close(),
  };
}

describeEngine("shared payment token", { ...cardTraits, holdsInOneCall: true }, tokenStage);

describe("a shared payment token", () => {
  let sandbox: TestSandbox;
  let engine: PaymentEngine<SharedToken>;
  let number = 0;
  beforeAll(async () => {
    sandbox = await testSandbox();
    engine = engineAt(sandbox);
  });
  afterAll(() => sandbox.close());

  const kept = async () => true;
  const order = (spt: string, more: Partial<HoldOrder<SharedToken>> = {}): HoldOrder<SharedToken> => ({
    key: `pay_${++number}`,
    attempt: 1,
    amount: money(usd, 1000n),
    source: { spt },
    reference: null,
    startedAt: systemClock.now(),
    labels: { challenge: "chl_1", claim: "clm_1" },
    ...more,
  });
  const referenceOf = (standing: Standing): string =>
    "reference" in standing ? (standing.reference ?? "") : "";
  const seen = async (key: string) =>
    (await sandbox.paymentIntents()).filter(({ metadata }) => metadata.payment === key);

  test("is charged with the ids of challenge and claim beside it, and is consumed", async () => {
    const of = order(await sandbox.token({ amount: 1000 }));
    const reference = referenceOf(await engine.hold(of, kept));
    expect(await engine.capture({ ...of, reference })).toMatchObject({ kind: "captured" });
    expect(await seen(of.key)).toMatchObject([
      { status: "succeeded", metadata: { challenge: "chl_1", claim: "clm_1" } },
    ]);
    const token = (await sandbox.tokens()).find(({ id }) => id === of.source.spt);
    expect(token).toMatchObject({
      deactivated_reason: "consumed",
      usage_details: { amount_captured: { value: 1000 } },
    });
    expect(await engine.hold(order(of.source.spt), kept)).toEqual({
      kind: "refused",
      because: "shared_payment_token_consumed",
    });
  });

  test("C04 that is held pays nothing else; released, it may try again", async () => {
    const of = order(await sandbox.token({ amount: 1000 }));
    const held = await engine.hold(of, kept);
    expect(held.kind).toBe("authorized");
    const other = order(of.source.spt);
    expect(await engine.hold(other, kept)).toEqual({
      kind: "refused",
      because: "shared_payment_token_amount_exceeded",
    });
    expect((await engine.release({ ...of, reference: referenceOf(held) })).kind).toBe("released");
    expect((await engine.hold({ ...other, attempt: 2 }, kept)).kind).toBe("authorized");
  });

  test("C03 that is asked for 20 times at once under one key makes one payment", async () => {
    const of = order(await sandbox.token({ amount: 1000 }));
    const standings = await Promise.all(Array.from({ length: 20 }, () => engine.hold(of, kept)));
    // Whoever comes while the first is still running is told to ask again, and never that nothing is held.
    expect(new Set(standings.map(({ kind }) => kind))).toEqual(new Set(["authorized"]));
    expect(await seen(of.key)).toHaveLength(1);
  });

  test.each([
    ["more than its limit", { amount: 999 }, "shared_payment_token_amount_exceeded"],
    ["another currency", { amount: 1000, currency: "eur" }, "shared_payment_token_currency_mismatch"],
    ["another seller", { amount: 1000, networkId: "profile_test_other" }, "resource_missing"],
  ])("for %s is refused and holds nothing", async (_, grant, because) => {
    const of = order(await sandbox.token(grant));
    expect(await engine.hold(of, kept)).toEqual({ kind: "refused", because });
    expect(await seen(of.key)).toEqual([]);
  });

  test("below the minimum is refused before Stripe is asked", async () => {
    const of = order(await sandbox.token({ amount: 1000 }), { amount: money(usd, 49n) });
    const before = (await sandbox.requests("payment_intents.create")).length;
    expect(await engine.hold(of, kept)).toEqual({ kind: "refused", because: "amount_too_small" });
    expect(await sandbox.requests("payment_intents.create")).toHaveLength(before);
  });

  test("whose card wants its holder is refused and canceled: nobody is there to confirm it", async () => {
    const of = order(await sandbox.token({ amount: 1000, card: "pm_card_authenticationRequired" }));
    const standing = await engine.hold(of, kept);
    expect(standing).toMatchObject({ kind: "declined", code: "authentication_required" });
    expect(await seen(of.key)).toMatchObject([{ status: "canceled" }]);
    // A recovery that asks again with the same row learns the end of it.
    expect((await engine.hold(of, kept)).kind).toBe("released");
  });

  test("whose card wants its holder stays to be released when the cancelation is not answered", async () => {
    const of = order(await sandbox.token({ amount: 1000, card: "pm_card_authenticationRequired" }));
    await sandbox.fail("payment_intents.cancel", { action: "error_500" });
    const standing = await engine.hold(of, kept);
    expect(standing.kind).toBe("requires_action");
    const release = { ...of, reference: referenceOf(standing), attempt: 2 };
    expect((await engine.release(release)).kind).toBe("released");
  });

  test.each([
    ["pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"],
    ["pm_card_chargeDeclinedExpiredCard", "expired_card"],
    ["pm_card_visa_chargeDeclinedStolenCard", "stolen_card"],
  ])("of %s is declined with %s, and the payment can be ended before another attempt", async (card, code) => {
    const of = order(await sandbox.token({ amount: 1000, card }));
    const standing = await engine.hold(of, kept);
    expect(standing).toMatchObject({ kind: "declined", code });
    expect(await engine.hold(of, kept)).toEqual(standing);
    expect((await engine.release({ ...of, reference: referenceOf(standing) })).kind).toBe("released");
  });

  test("M02 a lost answer is replayed, and what became of the payment meanwhile is what counts", async () => {
    const of = order(await sandbox.token({ amount: 1000 }));
    const reference = referenceOf(await engine.hold(of, kept));
    await engine.release({ ...of, reference });
    expect(await engine.hold(of, kept)).toEqual({ kind: "released", reference });
    expect(await engine.hold({ ...of, reference }, kept)).toEqual({ kind: "released", reference });
    expect(await seen(of.key)).toHaveLength(1);
  });

  test("M02 after 20 h a token's payment is found among those of its time", async () => {
    const of = order(await sandbox.token({ amount: 1000 }));
    const held = await engine.hold(of, kept);
    const later = (systemClock.now() + 19 * 3_600_000) as Instant;
    const old = { ...of, startedAt: (systemClock.now() - 2 * 3_600_000) as Instant };
    const next = engineAt(sandbox, { clock: { ...systemClock, now: () => later } });
    expect(await next.hold(old, kept)).toEqual(held);
    expect(await seen(of.key)).toHaveLength(1);
  });

  test("is paid with in the older spelling where an account knows no other", async () => {
    const older = engineAt(sandbox, { apiVersion: "2025-10-29.preview" });
    for (const _ of [1, 2]) {
      const of = order(await sandbox.token({ amount: 1000 }));
      expect((await older.hold(of, kept)).kind).toBe("authorized");
      expect(await seen(of.key)).toHaveLength(1);
    }
    const refused = (await sandbox.requests("payment_intents.create")).filter(({ status }) => status === 400);
    expect(refused.length).toBeGreaterThan(0);
  });

  test("M02 a payment in the older spelling whose answer was lost is found by another process", async () => {
    const of = order(await sandbox.token({ amount: 1000 }));
    const older = engineAt(sandbox, { apiVersion: "2025-10-29.preview" });
    const held = await older.hold(of, kept);
    expect(held.kind).toBe("authorized");
    const next = engineAt(sandbox, { apiVersion: "2025-10-29.preview" });
    expect(await next.hold(of, kept)).toEqual(held);
    expect(await seen(of.key)).toHaveLength(1);
  });

  describe("on a platform", () => {
    const merchant = async (): Promise<string> => {
      const stripe = openStripe({ ...sandbox.stripe, timeoutMs: 2000 });
      const account = await stripe.accounts.create({ type: "express", country: "US" });
      const link = await stripe.accountLinks.create({
        account: account.id,
        type: "account_onboarding",
        return_url: "http://localhost/back",
        refresh_url: "http://localhost/again",
      });
      await fetch(link.url, { method: "POST", redirect: "manual" });
      return account.id;
    };

    test("a destination charge passes the money on and keeps the fee of what was captured; a refund takes both back", async () => {
      const destination = await merchant();
      const connect = { kind: "destination", destination, onBehalfOf: destination, feeBps: 290n } as const;
      const platform = engineAt(sandbox, { connect });
      const of = order(await sandbox.token({ amount: 1000 }));
      const reference = referenceOf(await platform.hold(of, kept));
      const amount = money(usd, 500n);
      expect((await platform.capture({ ...of, reference, amount })).kind).toBe("captured");
      const transfers = async () =>
        (await sandbox.transfers()).filter((transfer) => transfer.destination === destination);
      expect(await transfers()).toMatchObject([{ amount: 500, amount_reversed: 0 }]);
      const stripe = openStripe({ ...sandbox.stripe, timeoutMs: 2000 });
      const { data: fees } = await stripe.applicationFees.list();
      // 2.9 % of 5.00 is 14.5: half a cent goes to the even neighbour.
      expect(fees.find(({ account }) => account === destination)).toMatchObject({ amount: 14 });
      const back = {
        key: "rfd_1",
        attempt: 1,
        reference,
        amount,
        startedAt: systemClock.now(),
        recovered: false,
      };
      expect((await platform.refund(back)).kind).toBe("refunded");
      expect(await transfers()).toMatchObject([{ amount: 500, amount_reversed: 500 }]);
      const { data: after } = await stripe.applicationFees.list();
      expect(after.find(({ account }) => account === destination)).toMatchObject({ refunded: true });
    });

    test("a direct charge is the account's own: nobody else sees it", async () => {
      const account = await merchant();
      const direct = engineAt(sandbox, { connect: { kind: "direct", account, feeBps: 100n } });
      const of = order(await sandbox.token({ amount: 1000 }));
      const reference = referenceOf(await direct.hold(of, kept));
      expect(await engine.readBack(reference)).toEqual({ kind: "unknown", because: "unexpected" });
      expect(await direct.capture({ ...of, reference })).toMatchObject({
        kind: "captured",
        booking: { fee: { units: 69n } },
      });
    });

    test("a payment whose fee rounded to nothing is refunded all the same", async () => {
      const destination = await merchant();
      const platform = engineAt(sandbox, { connect: { kind: "destination", destination, feeBps: 50n } });
      const amount = money(usd, 50n);
      const of = order(await sandbox.token({ amount: 50 }), { amount });
      const reference = referenceOf(await platform.hold(of, kept));
      expect((await platform.capture({ ...of, reference })).kind).toBe("captured");
      const back = { key: "rfd_50", attempt: 1, reference, amount, startedAt: systemClock.now() };
      expect((await platform.refund({ ...back, recovered: false })).kind).toBe("refunded");
    });

    test("an account that has not given its particulars is paid nothing", async () => {
      const stripe = openStripe({ ...sandbox.stripe, timeoutMs: 2000 });
      const { id: destination } = await stripe.accounts.create({ type: "express" });
      const platform = engineAt(sandbox, { connect: { kind: "destination", destination } });
      expect(await platform.hold(order(await sandbox.token({ amount: 1000 })), kept)).toEqual({
        kind: "refused",
        because: "insufficient_capabilities_for_transfer",
      });
    });
  });
});
