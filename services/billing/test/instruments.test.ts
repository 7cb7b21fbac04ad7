import { type Id, newId } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const write = (at: string, tenant: Id<"tenant">, body: object = {}) =>
  stage.call("POST", `/api/v1/payment-methods${at}`, { scope: "wallet:write", tenant, body });
const list = async (tenant: Id<"tenant">): Promise<readonly Record<string, unknown>[]> =>
  (await stage.call("GET", "/api/v1/payment-methods", { scope: "wallet:read", tenant })).body.data as never; // parsed by its schema at the edge
/** The holder at the sandbox's page, which stands for Stripe's own form. */
const confirm = (page: unknown, card = "pm_card_visa", back = "") =>
  fetch(`${String(page)}${back && `?return_to=${encodeURIComponent(back)}`}`, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: `payment_method=${card}`,
  });
async function saved(tenant: Id<"tenant">, card?: string): Promise<string> {
  const { body } = await write("/setups", tenant);
  await confirm(body["confirm_at"], card);
  const finished = await write(`/${String(body["id"])}/finish`, tenant);
  if (finished.status !== 200) throw new Error(JSON.stringify(finished.body));
  return String(body["id"]);
}

describe("a card that its holder saves in the browser", () => {
  test("is usable once the holder has confirmed it, and not before", async () => {
    const tenant = newId("tenant");
    const opened = await write("/setups", tenant);
    expect(opened).toMatchObject({
      status: 201,
      body: { client_secret: expect.stringMatching(/^seti_\w+_secret_/) },
    });
    const finish = `/${String(opened.body["id"])}/finish`;
    expect(await write(finish, tenant)).toMatchObject({
      status: 409,
      body: { code: "authentication_pending" },
    });
    expect(await list(tenant)).toEqual([]);
    const page = await (await fetch(String(opened.body["confirm_at"]))).text();
    expect(page).toContain("Save this card");
    const back = "http://127.0.0.1/payment-methods?saved=1";
    const led = await confirm(opened.body["confirm_at"], "pm_card_authenticationRequired", back);
    expect([led.status, led.headers.get("location")]).toEqual([303, back]);
    const finished = await write(finish, tenant);
    expect(finished).toMatchObject({ status: 200, body: { brand: "visa", last4: "3184", default: true } });
    expect(await write(finish, tenant)).toMatchObject({ status: 200, body: { id: finished.body["id"] } });
    expect(await list(tenant)).toHaveLength(1);
    expect((await write(finish, newId("tenant"))).status).toBe(404);
  });

  test("that is declined can be another in the same setup, and Stripe's word alone makes it usable", async () => {
    const tenant = newId("tenant");
    const { body } = await write("/setups", tenant);
    expect((await confirm(body["confirm_at"], "pm_card_chargeDeclined")).status).toBe(200);
    expect(await write(`/${String(body["id"])}/finish`, tenant)).toMatchObject({
      status: 402,
      body: { code: "card_declined" },
    });
    await confirm(body["confirm_at"], "pm_card_mastercard");
    await eventually(async () =>
      expect(await list(tenant)).toMatchObject([{ last4: "4444", default: true }]),
    );
  });
});

describe("saved cards", () => {
  test("one is the default at every instant, whoever changes it at once", async () => {
    const tenant = newId("tenant");
    const [first, second, third] = [await saved(tenant), await saved(tenant), await saved(tenant)];
    await Promise.all([second, third, first, second].map((id) => write(`/${id}/default`, tenant)));
    expect((await list(tenant)).filter((card) => card["default"] === true)).toHaveLength(1);
    expect((await write(`/${second}/default`, newId("tenant"))).status).toBe(404);
    expect(await write(`/${third}/default`, tenant)).toMatchObject({ status: 200, body: { default: true } });
  });

  test("one that is removed pays nothing more and is detached at Stripe; the default goes last", async () => {
    const tenant = newId("tenant");
    const [first, second] = [await saved(tenant), await saved(tenant)];
    expect(await write(`/${first}/remove`, tenant)).toMatchObject({
      status: 409,
      body: { code: "payment_method_is_default" },
    });
    expect((await write(`/${second}/remove`, newId("tenant"))).status).toBe(404);
    const removed = await Promise.all([
      write(`/${second}/remove`, tenant),
      write(`/${second}/remove`, tenant),
    ]);
    expect(removed.map(({ status }) => status)).toEqual([200, 200]);
    const named = purchaseOf(tenant);
    expect((await stage.order("hold", named, { instrument: second as Id<"instrument"> })).body).toMatchObject(
      {
        code: "instrument_missing",
      },
    );
    expect((await write(`/${second}/default`, tenant)).status).toBe(404);
    expect(await write(`/${first}/remove`, tenant)).toMatchObject({ status: 200, body: { data: [] } });
    expect((await stage.order("hold", purchaseOf(tenant))).body).toMatchObject({
      code: "instrument_missing",
    });
    await eventually(async () =>
      expect(await stage.sandbox.requests("payment_methods.detach")).toHaveLength(2),
    );
    expect((await write(`/${first}/finish`, tenant)).status).toBe(404);
  });
});

describe("a payer who has left", () => {
  const forget = (tenant: Id<"tenant">) =>
    stage.call("POST", "/api/v1/payment-methods/forget", {
      scope: "payments:execute",
      body: { organization_id: tenant },
    });
  const deleted = async (): Promise<number> => (await stage.sandbox.requests("customers.delete")).length;

  test("has no card any more, here or at Stripe, and what was captured is given back all the same", async () => {
    const [tenant, other] = [newId("tenant"), newId("tenant")];
    for (const who of [tenant, tenant, other]) await saved(who);
    const { body: opened } = await write("/setups", tenant);
    const of = purchaseOf(tenant);
    const held = await stage.order("hold", of);
    const before = { deleted: await deleted(), detached: (await detaches()).length };
    expect(await Promise.all([forget(tenant), forget(tenant)])).toMatchObject([
      { status: 204 },
      { status: 204 },
    ]);
    expect(await list(tenant)).toEqual([]);
    expect((await write(`/${String(opened["id"])}/finish`, tenant)).status).toBe(402);
    expect((await stage.order("hold", purchaseOf(tenant))).body).toMatchObject({
      code: "instrument_missing",
    });
    const named = await stage.database.asAdmin(
      "select 1 from instruments where tenant_id = $1 and (brand is not null or last4 is not null)",
      [tenant],
    );
    expect(named).toEqual([]);
    // What is held needs its card at Stripe until it is captured.
    await jobSeen(tenant);
    expect([await deleted(), (await detaches()).length]).toEqual([before.deleted, before.detached]);
    expect((await stage.step("capture", held.body["id"], of)).body).toMatchObject({ status: "captured" });
    await due(tenant);
    await eventually(async () => expect(await deleted()).toBe(before.deleted + 1));
    expect(await detaches()).toHaveLength(before.detached + 2);
    expect((await stage.step("refund", held.body["id"], of)).body).toMatchObject({ refunded_minor: 1000 });
    // Asked again it changes nothing, nor for a payer whom Stripe never met.
    for (const who of [tenant, newId("tenant")]) {
      expect((await forget(who)).status).toBe(204);
      await eventually(async () => expect(await waiting(who)).toEqual([]));
    }
    expect(await list(other)).toHaveLength(1);
  });

  test("is told to Stripe until it has heard", async () => {
    const tenant = newId("tenant");
    await saved(tenant);
    const before = await deleted();
    await stage.sandbox.fail("customers.delete", { action: "error_500", times: 1 });
    expect((await forget(tenant)).status).toBe(204);
    await eventually(async () => expect(await deleted()).toBe(before + 1));
    await due(tenant);
    await eventually(async () => expect(await waiting(tenant)).toEqual([]));
  });

  const detaches = () => stage.sandbox.requests("payment_methods.detach");
  const waiting = (tenant: Id<"tenant">) =>
    stage.database.asAdmin<{ later: boolean }>(
      "select run_at > now() + interval '1 minute' as later from jobs where queue = 'payers.forget' and key = $1",
      [tenant],
    );
  const jobSeen = (tenant: Id<"tenant">) =>
    eventually(async () => expect(await waiting(tenant)).toEqual([{ later: true }]));
  const due = (tenant: Id<"tenant">) =>
    stage.database.asAdmin("update jobs set run_at = now() where queue = 'payers.forget' and key = $1", [
      tenant,
    ]);
});

test("a payment whose holder is asked is confirmed at its page, and goes on from there", async () => {
  const tenant = newId("tenant");
  await saved(tenant, "pm_card_authenticationRequired");
  const of = purchaseOf(tenant);
  const waiting = await stage.order("hold", of);
  expect(waiting.body).toMatchObject({ status: "requires_action" });
  const { body } = await stage.call("GET", `/api/v1/charges/${of.charge}/confirmation`, {
    scope: "wallet:write",
    tenant,
  });
  expect(await (await fetch(String(body["confirm_at"]))).text()).toContain("Yes, pay USD 10.00");
  const led = await confirm(body["confirm_at"], undefined, "http://127.0.0.1/approvals/one");
  expect(led.headers.get("location")).toBe("http://127.0.0.1/approvals/one");
  const read = await stage.call("GET", `/api/v1/payments?charge=${of.charge}`, { scope: "payments:execute" });
  expect(read.body).toMatchObject({ data: [{ status: "authorized" }] });
});
