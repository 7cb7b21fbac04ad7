import { assetOf, invariant, money, systemClock } from "@remit/kernel";
import { type TestSandbox, testSandbox } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCardEngine, openStripe, type SavedCard } from "../src/card/index.ts";
import type { PaymentEngine } from "../src/index.ts";
import { cardTraits, describeEngine, type Stage, type Trouble } from "./describe-engine.ts";

// The SDK sends once more after a closed connection, so a lost exchange is lost twice.
const actions: Readonly<
  Record<
    Trouble,
    {
      action: "drop_request" | "drop_answer" | "error_500" | "error_500_after_effect" | "decline";
      times: number;
    }
  >
> = {
  lost_request: { action: "drop_request", times: 2 },
  lost_answer: { action: "drop_answer", times: 2 },
  server_error: { action: "error_500", times: 1 },
  server_error_after_effect: { action: "error_500_after_effect", times: 1 },
  decline: { action: "decline", times: 1 },
};

const enrol = async (sandbox: TestSandbox, card: string, authenticate = false) => {
  const stripe = openStripe({ ...sandbox.stripe, timeoutMs: 2000 });
  const customer = await stripe.customers.create({});
  const setup = await stripe.setupIntents.create({
    customer: customer.id,
    payment_method: card,
    confirm: true,
    usage: "off_session",
    allowed_payment_method_types: ["card"],
  });
  if (authenticate) await sandbox.authenticate(setup.id);
  return {
    payer: customer.id,
    instrument: typeof setup.payment_method === "string" ? setup.payment_method : "",
  };
};

const assetNamed = (code: string) => {
  const asset = assetOf(code);
  invariant(asset !== undefined, "the suite pays in assets that exist");
  return asset;
};

async function cardStage(): Promise<Stage<SavedCard>> {
  const sandbox = await testSandbox();
  return {
    engine: createCardEngine({
      stripe: openStripe({ ...sandbox.stripe, timeoutMs: 2000 }),
      clock: systemClock,
    }),
    now: systemClock.now(),
    asset: assetNamed("USD"),
    inexpressible: money(assetNamed("BHD"), 10_001n),
    breakNext: (verb, trouble) =>
      sandbox.fail(verb === "refund" ? "refunds.create" : `payment_intents.${verb}`, actions[trouble]),
    count: async (key) => {
      const intents = (await sandbox.paymentIntents()).filter(({ metadata }) => metadata.payment === key);
      return {
        existing: intents.length,
        captured: intents.filter(({ status }) => status === "succeeded").length,
      };
    },
    forgetKeys: () => sandbox.forgetKeys(),
    refunds: async (reference) => (await sandbox.refunds(reference)).map(({ amount }) => BigInt(amount)),
    payer: () => enrol(sandbox, "pm_card_visa"),
    close: () => sandbox.close(),
  };
}

describeEngine("card", cardTraits, cardStage);

describe("a card", () => {
  let sandbox: TestSandbox;
  let engine: PaymentEngine<SavedCard>;
  beforeAll(async () => {
    sandbox = await testSandbox();
    engine = createCardEngine({
      stripe: openStripe({ ...sandbox.stripe, timeoutMs: 300 }),
      clock: systemClock,
    });
  });
  afterAll(() => sandbox.close());
  const order = async (card: string, units: bigint, authenticate = false) => ({
    key: `pay_${card}_${units}`,
    attempt: 1,
    amount: { asset: { code: "USD", places: 2, kind: "fiat" as const }, units },
    reference: null,
    startedAt: systemClock.now(),
    labels: {},
    source: await enrol(sandbox, card, authenticate),
  });

  test("that wants its holder is a requires_action, never a retry", async () => {
    const standing = await engine.hold(
      await order("pm_card_authenticationRequired", 900n, true),
      async () => true,
    );
    expect(standing.kind).toBe("requires_action");
    const reference = standing.kind === "requires_action" ? standing.reference : "";
    expect((await engine.readBack(reference)).kind).toBe("requires_action");
    expect(await sandbox.requests("payment_intents.confirm")).toHaveLength(1);
  });

  test("that fails when charged is declined with the issuer's code", async () => {
    const standing = await engine.hold(await order("pm_card_chargeCustomerFail", 900n), async () => true);
    expect(standing).toMatchObject({ kind: "declined", code: "generic_decline" });
  });

  test("below Stripe's minimum is refused and leaves nothing", async () => {
    const of = await order("pm_card_visa", 49n);
    expect(await engine.hold(of, async () => true)).toEqual({ kind: "refused", because: "amount_too_small" });
  });

  test("M09 whose capture never answers within the time limit is unknown, then read as captured", async () => {
    const of = await order("pm_card_visa", 5000n);
    let reference = "";
    await engine.hold(of, async (kept) => {
      reference = kept;
      return true;
    });
    await sandbox.fail("payment_intents.capture", { action: "hang" });
    expect(await engine.capture({ ...of, reference })).toEqual({ kind: "unknown", because: "timeout" });
    expect(await engine.readBack(reference)).toMatchObject({
      kind: "captured",
      booking: { fee: { units: 175n } },
    });
  });

  test("with a wrong key or at an address where nobody is, nothing is claimed", async () => {
    const nobody = createCardEngine({
      stripe: openStripe({ origin: "http://127.0.0.1:9", apiKey: "sk_test_x" }),
      clock: systemClock,
    });
    expect((await nobody.readBack("pi_x")).kind).toBe("unknown");
    const other = await order("pm_card_visa", 778n);
    await engine.hold(other, async () => true);
    const changed = { ...other, amount: { ...other.amount, units: 779n } };
    expect(await engine.hold(changed, async () => true)).toEqual({ kind: "unknown", because: "unexpected" });
    const stranger = createCardEngine({
      stripe: openStripe({ ...sandbox.stripe, apiKey: "sk_live_wrong" }),
      clock: systemClock,
    });
    expect(await stranger.hold(await order("pm_card_visa", 777n), async () => true)).toEqual({
      kind: "unknown",
      because: "unexpected",
    });
  });
});
