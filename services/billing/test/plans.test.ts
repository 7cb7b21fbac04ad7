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

/** Its visit is written down, and Stripe is about to be asked. */
const began = async (tenant: Id<"tenant">): Promise<void> => {
  await eventually(async () =>
    expect(
      await stage.database.asAdmin(
        "select from checkouts c join stripe_customers s using (tenant_id) where c.tenant_id = $1",
        [tenant],
      ),
    ).toHaveLength(1),
  );
  // The price is asked for before the session.
  await new Promise((done) => setTimeout(done, 250));
};

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

  const inFlight = (operation: string): Promise<void> =>
    stage.sandbox.fail(operation, { action: "delay_ms", delay_ms: 900, times: 1 });

  test("a second click while Stripe makes the visit gives no second one", async () => {
    const tenant = newId("tenant");
    const answered = async (): Promise<number> =>
      (await stage.sandbox.requests("checkout_sessions.create")).filter(
        ({ status, replayed }) => status === 200 && !replayed,
      ).length;
    const before = await answered();
    await inFlight("checkout_sessions.create");
    const first = urlFor(tenant);
    await began(tenant);
    // Stripe says that it has this call in hand: 409.
    expect(await checkOut(tenant)).toMatchObject({ status: 503, body: { code: "unavailable" } });
    const url = await first;
    expect(await urlFor(tenant)).toBe(url);
    expect(await answered()).toBe(before + 1);
    await stage.sandbox.pay(url);
    await becomes(tenant, "pro");
  });

  test("a visit whose process died before it had a session finds the one that Stripe made, or is over after an hour", async () => {
    const [lost, none] = [newId("tenant"), newId("tenant")];
    await urlFor(lost);
    await stage.database.asAdmin(
      "update checkouts set state = 'opening', session = null, url = null where tenant_id = $1",
      [lost],
    );
    const id = newId("checkout");
    await stage.database.asAdmin(
      `insert into checkouts (tenant_id, id, tier, success_url, cancel_url, state, created_at)
        values ($1, $2, 'pro', 'http://x', 'http://x', 'opening', now() - interval '61 min')`,
      [none, id],
    );
    await stage.database.asAdmin(
      "insert into jobs (id, queue, key, payload, run_at) values ($1, 'plans.checkout', $1, $2, now())",
      [id, JSON.stringify({ tenant: none, checkout: id })],
    );
    await stage.database.asAdmin("update jobs set run_at = now() where queue = 'plans.checkout'");
    const stateOf = async (tenant: Id<"tenant">): Promise<unknown> =>
      (await stage.database.asAdmin("select state from checkouts where tenant_id = $1", [tenant]))[0];
    await eventually(async () => expect(await stateOf(lost)).toEqual({ state: "open" }));
    await eventually(async () => expect(await stateOf(none)).toEqual({ state: "expired" }));
  });

  test("a visit that is ended while Stripe makes it cannot be paid", async () => {
    const tenant = newId("tenant");
    const expired = async (): Promise<number> =>
      (await stage.sandbox.requests("checkout_sessions.expire")).filter(({ status }) => status === 200)
        .length;
    const before = await expired();
    await inFlight("checkout_sessions.create");
    const first = checkOut(tenant);
    await began(tenant);
    await stage.call("POST", `/api/v1/plans/${tenant}/end`, { scope, body: { when: "now" } });
    expect(await first).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect(await expired()).toBe(before + 1);
    await urlFor(tenant);
  });

  test("none begins beside a plan that comes to be meanwhile", async () => {
    const tenant = newId("tenant");
    const agreeing = stage.database.asAdmin(`do $$ begin
      perform pg_advisory_xact_lock(hashtextextended('plan ${tenant}', 0));
      insert into plans (tenant_id, tier, version, source, read_no, changed_at)
        values ('${tenant}', 'enterprise', 1, 'agreement', 0, now());
      perform pg_sleep(1.5);
    end $$`);
    await eventually(async () =>
      expect(
        await stage.database.asAdmin(
          `select from pg_locks where locktype = 'advisory' and granted
             and database = (select oid from pg_database where datname = current_database())
             and ((classid::bigint << 32) | objid::bigint) = hashtextextended('plan ${tenant}', 0)`,
        ),
      ).toHaveLength(1),
    );
    expect((await checkOut(tenant)).body["code"]).toBe("plan_change_refused");
    await agreeing;
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

describe("a plan that is paid for", () => {
  /** News was lost: what is written is not what Stripe says. */
  const forget = (tenant: Id<"tenant">): Promise<unknown> =>
    stage.database.asAdmin("update plans set subscription_status = 'past_due' where tenant_id = $1", [
      tenant,
    ]);
  const isRead = (tenant: Id<"tenant">): Promise<void> =>
    eventually(async () => expect((await planOf(tenant))["subscription_status"]).toBe("active"));

  test("is looked at within a day though no news comes, and again after that", async () => {
    const { tenant } = await paying();
    const looks = () =>
      stage.database.asAdmin<{ soon: boolean }>(
        `select run_at > now() + interval '23 h' and run_at <= now() + interval '1 day' as soon
          from jobs where queue = 'plans.look' and key = $1`,
        [tenant],
      );
    expect(await looks()).toEqual([{ soon: true }]);
    await forget(tenant);
    await stage.database.asAdmin("update jobs set run_at = now() where queue = 'plans.look' and key = $1", [
      tenant,
    ]);
    await isRead(tenant);
    await eventually(async () => expect(await looks()).toEqual([{ soon: true }]));
  });

  test("is read in the end, however often Stripe could not be", async () => {
    const { tenant, subscription } = await paying();
    await forget(tenant);
    await stage.database.asAdmin(
      `insert into jobs (id, queue, key, payload, run_at, attempts)
        values ('job_' || $1, 'plans.subscription', $1, jsonb_build_object('subscription', $1::text), now(), 50)`,
      [subscription],
    );
    await isRead(tenant);
  });

  test("stays what was bought when the operator gives its price's key to a new price", async () => {
    const { tenant, subscription } = await paying();
    const { origin, apiKey } = stage.sandbox.stripe;
    const raised = await fetch(`${origin}/v1/prices`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}` },
      body: "currency=usd&unit_amount=9900&recurring[interval]=month&product_data[name]=pro&lookup_key=remit_pro_monthly&transfer_lookup_key=true",
    });
    expect(raised.status).toBe(200);
    await stage.sandbox.subscription(subscription, "past_due");
    await eventually(async () => expect((await planOf(tenant))["subscription_status"]).toBe("past_due"));
    expect((await planOf(tenant))["tier"]).toBe("pro");
    await stage.sandbox.subscription(subscription, "unpaid");
    await becomes(tenant, "free");
    await stage.sandbox.subscription(subscription, "active");
    await becomes(tenant, "pro");
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

  test("and go on with it while the period lasts, paying for nothing anew", async () => {
    const { tenant } = await paying();
    await end(tenant, "period");
    const visits = (await stage.sandbox.requests("checkout_sessions.create")).length;
    expect(await urlFor(tenant, { success_url: `${stage.issuer.origin}/back` })).toBe(
      `${stage.issuer.origin}/back`,
    );
    expect((await stage.sandbox.requests("checkout_sessions.create")).length).toBe(visits);
    expect(await planOf(tenant)).toMatchObject({ tier: "pro", version: 1, ends_with_period: false });
  });

  test("when its organization does not act; it goes on when it does, unless its people had ended it", async () => {
    const forThat = { when: "period", because: "organization" };
    const stops = (tenant: Id<"tenant">): Promise<Answer> =>
      stage.call("POST", `/api/v1/plans/${tenant}/end`, { scope, body: forThat });
    const acts = (tenant: Id<"tenant">): Promise<Answer> =>
      stage.call("POST", `/api/v1/plans/${tenant}/resume`, { scope });
    const { tenant } = await paying();
    for (let times = 0; times < 2; times++)
      expect((await stops(tenant)).body).toMatchObject({ tier: "pro", ends_with_period: true });
    for (let times = 0; times < 2; times++)
      expect((await acts(tenant)).body).toMatchObject({ tier: "pro", ends_with_period: false });
    // Ended by its people before it stopped, or after: it stays as they wanted it.
    await end(tenant, "period");
    await stops(tenant);
    expect((await acts(tenant)).body).toMatchObject({ ends_with_period: true });
    const other = await paying();
    await stops(other.tenant);
    await end(other.tenant, "period");
    expect((await acts(other.tenant)).body).toMatchObject({ ends_with_period: true });
    // And one whose period went by meanwhile is over.
    const third = await paying();
    await stops(third.tenant);
    await stage.sandbox.subscription(third.subscription, "canceled");
    await becomes(third.tenant, "free");
    expect((await acts(third.tenant)).body).toMatchObject({ tier: "free" });
  });

  test("also what is unpaid and gives no plan, before it is paid after all", async () => {
    const { tenant, subscription } = await paying();
    await stage.sandbox.subscription(subscription, "unpaid");
    await becomes(tenant, "free");
    await end(tenant, "period");
    expect(await stage.sandbox.subscriptions()).toContainEqual(
      expect.objectContaining({ id: subscription, status: "canceled" }),
    );
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

  test("ends a visit that runs: nobody pays for what is agreed on", async () => {
    const tenant = newId("tenant");
    const url = await urlFor(tenant);
    expect((await agree(tenant, { tier: "enterprise" })).body["tier"]).toBe("enterprise");
    await expect(stage.sandbox.pay(url)).rejects.toThrow("not open");
  });

  test("is refused while a subscription would go on to be paid", async () => {
    const { tenant } = await paying();
    expect((await agree(tenant, { tier: "enterprise" })).body["code"]).toBe("plan_change_refused");
  });
});
