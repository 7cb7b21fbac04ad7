import { createHmac } from "node:crypto";
import { type Id, newId, systemClock, toNumericDate } from "@remit/kernel";
import { planSchedule } from "@remit/protocol";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, openStage, type Stage, webhookSecret } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const scope = "plans:write" as const;

const planOf = async (tenant: Id<"tenant">): Promise<Record<string, unknown>> =>
  (await stage.call("GET", `/api/v1/plans/${tenant}`, { scope })).body;

const checkOut = (tenant: Id<"tenant">, body: object = {}): Promise<Answer> =>
  stage.call("POST", `/api/v1/plans/${tenant}/checkout`, { scope, body });

async function urlFor(tenant: Id<"tenant">, body: object = {}): Promise<string> {
  const answer = await checkOut(tenant, body);
  if (answer.status !== 200) throw new Error(`no checkout: ${JSON.stringify(answer.body)}`);
  return String(answer.body["url"]);
}

/** What whoever enforces plans was told of one. */
const told = async (tenant: Id<"tenant">): Promise<readonly { tier: string; version: number }[]> =>
  (
    await stage.database.asAdmin<{ payload: { tier: string; version: number } }>(
      "select payload from outbox where type = 'plan.changed' and tenant_id = $1 order by xid, seq",
      [tenant],
    )
  ).map(({ payload }) => payload);

const becomes = (tenant: Id<"tenant">, tier: string): Promise<void> =>
  eventually(async () => expect((await planOf(tenant))["tier"]).toBe(tier));

/** An organization that pays for `pro`. */
async function paying(): Promise<{ tenant: Id<"tenant">; subscription: string }> {
  const tenant = newId("tenant");
  const { subscription } = await stage.sandbox.pay(await urlFor(tenant));
  await becomes(tenant, "pro");
  return { tenant, subscription };
}

describe("a plan is bought at Stripe's Checkout", () => {
  test("paid for it counts, and is told once with a version", async () => {
    const tenant = newId("tenant");
    expect(await planOf(tenant)).toMatchObject({ tier: "free", version: 0, limits: planSchedule.free });
    const url = await urlFor(tenant);
    expect(url).toContain("/checkout/cs_test_");
    await stage.sandbox.pay(url);
    await becomes(tenant, "pro");
    expect(await planOf(tenant)).toMatchObject({
      version: 1,
      limits: planSchedule.pro,
      subscription_status: "active",
      source: "subscription",
    });
    expect(await told(tenant)).toMatchObject([{ tier: "pro", version: 1, max_agents: 100 }]);
    expect((await checkOut(tenant)).body["code"]).toBe("plan_change_refused");
  });

  test("who asks at once, and again, gets one visit", async () => {
    const tenant = newId("tenant");
    const urls = await Promise.all([1, 2, 3, 4].map(() => urlFor(tenant)));
    urls.push(await urlFor(tenant));
    expect(new Set(urls).size).toBe(1);
  });

  const sessionsMade = async (): Promise<number> =>
    (await stage.sandbox.requests("checkout_sessions.create")).filter(({ replayed }) => !replayed).length;

  test.each(["drop_answer", "error_500_after_effect"] as const)(
    "an answer of Stripe that is lost (%s) is read back: no second visit, and the one can be paid",
    async (action) => {
      const tenant = newId("tenant");
      const before = await sessionsMade();
      await stage.sandbox.fail("checkout_sessions.create", { action, times: 1 });
      const url = await urlFor(tenant);
      await stage.sandbox.heal();
      expect(await urlFor(tenant)).toBe(url);
      expect(await sessionsMade()).toBe(before + 1);
      await stage.sandbox.pay(url);
      await becomes(tenant, "pro");
    },
  );

  test("a Stripe that does nothing is an outage, and whoever asks again gets a visit", async () => {
    const tenant = newId("tenant");
    await stage.sandbox.fail("checkout_sessions.create", { action: "error_500", times: 1 });
    expect(await checkOut(tenant)).toMatchObject({ status: 503, body: { code: "unavailable" } });
    await stage.sandbox.heal();
    await urlFor(tenant);
  });

  test("with other addresses to return to, the former visit can no longer be paid", async () => {
    const tenant = newId("tenant");
    const former = await urlFor(tenant);
    const success_url = `${stage.issuer.origin}/account/plan`;
    const next = await urlFor(tenant, { success_url });
    expect(next).not.toBe(former);
    await expect(stage.sandbox.pay(former)).rejects.toThrow("not open");
    await stage.sandbox.pay(next);
    await becomes(tenant, "pro");
    expect((await stage.sandbox.subscriptions()).length).toBeGreaterThan(0);
  });

  test("a declined card buys nothing", async () => {
    const tenant = newId("tenant");
    await expect(stage.sandbox.pay(await urlFor(tenant), "pm_card_chargeDeclined")).rejects.toThrow(
      "declined",
    );
    expect((await planOf(tenant))["tier"]).toBe("free");
  });

  test("V07 an address to return to that is not allowed is refused before Stripe is asked", async () => {
    const before = (await stage.sandbox.requests("checkout_sessions.create")).length;
    for (const body of [{ success_url: "https://evil.example/" }, { cancel_url: "https://evil.example/" }]) {
      const refused = await checkOut(newId("tenant"), body);
      expect([refused.status, refused.body["code"]]).toEqual([400, "return_url_refused"]);
    }
    expect((await stage.sandbox.requests("checkout_sessions.create")).length).toBe(before);
  });

  test("T01 only the authorization server says for whom", async () => {
    const tenant = newId("tenant");
    for (const [other, path] of [
      ["admin:orgs", `/api/v1/plans/${tenant}/checkout`],
      ["payments:execute", `/api/v1/plans/${tenant}/checkout`],
    ] as const)
      expect((await stage.call("POST", path, { scope: other, body: {} })).body["code"]).toBe(
        "insufficient_scope",
      );
  });
});

describe("what becomes of a subscription", () => {
  test("a payment that is asked for again takes nothing; its end does, and is told", async () => {
    const { tenant, subscription } = await paying();
    await stage.sandbox.subscription(subscription, "past_due");
    await eventually(async () => expect((await planOf(tenant))["subscription_status"]).toBe("past_due"));
    expect(await planOf(tenant)).toMatchObject({ tier: "pro", version: 1 });
    await stage.sandbox.subscription(subscription, "canceled");
    await becomes(tenant, "free");
    expect(await told(tenant)).toMatchObject([
      { tier: "pro", version: 1 },
      { tier: "free", version: 2 },
    ]);
    // And it can be bought again.
    await stage.sandbox.pay(await urlFor(tenant));
    await becomes(tenant, "pro");
    expect((await told(tenant)).at(-1)).toMatchObject({ tier: "pro", version: 3 });
  });

  test("events that come twice, and in the wrong order, leave what Stripe says at the end", async () => {
    const { tenant, subscription } = await paying();
    await stage.sandbox.subscription(subscription, "canceled");
    await becomes(tenant, "free");
    const events = ["created", "deleted", "updated", "created", "updated"];
    for (const kind of events)
      expect(
        (await news(`customer.subscription.${kind}`, { id: subscription, status: "active" })).status,
      ).toBe(200);
    await eventually(async () => {
      const left = await stage.database.asAdmin("select from jobs where queue = 'plans.subscription'");
      expect(left).toHaveLength(0);
    });
    expect(await planOf(tenant)).toMatchObject({ tier: "free", version: 2 });
    expect(await told(tenant)).toHaveLength(2);
  });
});

const body = (type: string, object: object): string =>
  JSON.stringify({
    id: "evt_1",
    object: "event",
    type,
    livemode: false,
    created: toNumericDate(systemClock.now()),
    data: { object: { object: "subscription", ...object } },
  });

const send = (text: string, signature: string | undefined): Promise<Response> =>
  fetch(`${stage.address()}/api/v1/billing/webhook`, {
    method: "POST",
    headers: signature === undefined ? {} : { "stripe-signature": signature },
    body: text,
  });

const signed = (
  text: string,
  { secret = webhookSecret, atS = toNumericDate(systemClock.now()) } = {},
): string => `t=${atS},v1=${createHmac("sha256", secret).update(`${atS}.${text}`).digest("hex")}`;

const news = (type: string, object: object): Promise<Response> => {
  const text = body(type, object);
  return send(text, signed(text));
};

describe("what says it comes from Stripe", () => {
  const text = body("customer.subscription.updated", { id: "sub_x", status: "active" });

  test.each([
    ["with no signature", () => send(text, undefined)],
    ["signed by somebody else", () => send(text, signed(text, { secret: "whsec_other" }))],
    ["signed an hour ago", () => send(text, signed(text, { atS: toNumericDate(systemClock.now()) - 3_600 }))],
    ["changed by a byte", () => send(text.replace("active", "actife"), signed(text))],
  ])("%s is refused", async (_, sent) => {
    const answer = await sent();
    expect([answer.status, Object(await answer.json()).code]).toEqual([400, "stripe_signature_invalid"]);
  });

  test("about a subscription that Stripe does not know changes nothing", async () => {
    const tenant = newId("tenant");
    const metadata = { tenant };
    expect((await news("customer.subscription.created", { id: "sub_forged", metadata })).status).toBe(200);
    await eventually(async () => {
      expect(
        await stage.database.asAdmin("select from jobs where queue = 'plans.subscription'"),
      ).toHaveLength(0);
    });
    expect((await planOf(tenant))["tier"]).toBe("free");
  });
});

describe("who pays can end it", () => {
  const end = (tenant: Id<"tenant">, when: string): Promise<Answer> =>
    stage.call("POST", `/api/v1/plans/${tenant}/end`, { scope, body: { when } });

  test("with the period that is paid, or at once; asked again it is as wanted", async () => {
    const { tenant } = await paying();
    for (let times = 0; times < 2; times++)
      expect((await end(tenant, "period")).body).toMatchObject({
        tier: "pro",
        ends_with_period: true,
        period_end: expect.any(String),
      });
    for (let times = 0; times < 2; times++)
      expect((await end(tenant, "now")).body).toMatchObject({ tier: "free" });
    expect((await told(tenant)).map(({ tier }) => tier)).toEqual(["pro", "free"]);
  });

  test("a visit that runs is over, and one without a plan has nothing to end", async () => {
    const tenant = newId("tenant");
    const url = await urlFor(tenant);
    expect((await end(tenant, "period")).body).toMatchObject({ tier: "free", ends_with_period: false });
    await expect(stage.sandbox.pay(url)).rejects.toThrow("not open");
  });

  test("a Stripe that is away ends nothing, and says so", async () => {
    const { tenant } = await paying();
    await stage.sandbox.fail("subscriptions.cancel", { action: "error_500", times: 1 });
    expect((await end(tenant, "now")).body["code"]).toBe("unavailable");
    await stage.sandbox.heal();
    expect((await end(tenant, "now")).body["tier"]).toBe("free");
  });
});

describe("a plan by agreement", () => {
  const agree = (tenant: Id<"tenant">, agreed: object): Promise<Answer> =>
    stage.call("PUT", `/api/v1/plans/${tenant}`, {
      scope,
      body: { limits: null, by: "cli_operator", ...agreed },
    });

  test("has limits of its own, and is told", async () => {
    const tenant = newId("tenant");
    const limits = { ...planSchedule.enterprise, maxAgents: 5_000 };
    const agreed = await agree(tenant, { tier: "enterprise", limits });
    expect(agreed.body).toMatchObject({ tier: "enterprise", limits, source: "agreement", version: 1 });
    expect(await told(tenant)).toMatchObject([
      { tier: "enterprise", max_agents: 5_000, max_calls_per_day: null },
    ]);
    await agree(tenant, { tier: "enterprise", limits });
    expect(await told(tenant)).toHaveLength(1);
    expect((await checkOut(tenant)).body["code"]).toBe("plan_change_refused");
    expect((await agree(tenant, { tier: "free" })).body).toMatchObject({
      source: "subscription",
      version: 2,
    });
  });

  test("is refused while a subscription would go on to be paid", async () => {
    const { tenant } = await paying();
    expect((await agree(tenant, { tier: "enterprise" })).body["code"]).toBe("plan_change_refused");
  });
});
