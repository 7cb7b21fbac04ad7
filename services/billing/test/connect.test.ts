import {
  after,
  type Clock,
  dayMs,
  hourMs,
  type Id,
  instantOf,
  newId,
  parseId,
  systemClock,
} from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import { sql } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { openStripe } from "@remit/rails/card";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { begunMax } from "../src/payouts/accounts.ts";
import { reconcile } from "../src/reconciliation/reconciliation.ts";
import { movementsOf } from "../src/stripe/index.ts";
import { openStage, type Purchase, type Stage } from "./stage.ts";

/** The real time, and how far ahead of it we are. */
let aheadMs = 0;
const clock: Clock = { ...systemClock, now: () => after(systemClock.now(), aheadMs) };
let stage: Stage;
let payer: Id<"tenant">;
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 20_000, clock, stripeClock: clock });
  payer = await stage.payer();
});
afterAll(() => stage.close());

type Shop = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> };
const shop = (): Shop => ({ tenant: newId("tenant"), merchant: newId("merchant") });
const purchaseAt = ({ tenant: payee, merchant }: Shop): Purchase => ({
  charge: newId("charge"),
  payer,
  payee,
  merchant,
});
const ask = ({ tenant, merchant }: Shop, more: object = {}) =>
  stage.call("POST", "/api/v1/payout-accounts", {
    scope: "offers:write",
    tenant,
    body: { merchant, ...more },
  });
const list = async ({ tenant }: Shop, at = "payout-accounts") =>
  // What the routes answer is declared in the contracts.
  (await stage.call("GET", `/api/v1/${at}`, { scope: "billing:read", tenant })).body["data"] as Record<
    string,
    unknown
  >[];
const first = async (of: Shop) => (await list(of))[0] ?? {};

/** A merchant whose account at Stripe takes money, and its name there. */
async function onboarded(of = shop()): Promise<Shop & { readonly account: string }> {
  const { body } = await ask(of);
  await stage.sandbox.onboard(String(body["url"]));
  const account = await eventually(async () => {
    const one = await first(of);
    expect(one).toMatchObject({ status: "active" });
    return String(one["reference"]);
  });
  return { ...of, account };
}

async function captured(of: Purchase, more: object = {}): Promise<{ id: unknown; reference: string }> {
  const { body } = await stage.order("hold", of);
  const { body: taken } = await stage.step("capture", body["id"], of, more);
  expect(taken["status"]).toBe("captured");
  return { id: body["id"], reference: String(taken["reference"]) };
}

const balances = async (of: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (
      await stage.database.asAdmin<{ code: string; sum: string }>(
        "select code, sum(balance)::text as sum from ledger_accounts where tenant_id = $1 group by code",
        [of],
      )
    ).map(({ code, sum }) => [code, sum]),
  );

describe("onboarding", () => {
  test("leads a person to a page of the processor's and back, and says what is still due", async () => {
    const of = shop();
    const { status, body, headers } = await ask(of, { country: "NL" });
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body).toMatchObject({
      account: { merchant: of.merchant, country: "NL", status: "waiting", effective_from: null },
    });
    const page = await (await fetch(String(body["url"]))).text();
    expect(page).toContain("Give the particulars");
    expect(await stage.sandbox.onboard(String(body["url"]), "more_due")).toBe(
      `${stage.issuer.origin}/account?payouts=returned`,
    );
    await eventually(async () =>
      expect(await first(of)).toMatchObject({
        status: "waiting",
        requirements: ["company.verification.document"],
      }),
    );
    const again = await ask(of);
    expect(again.body).toMatchObject({ account: { id: (await first(of))["id"] } });
    await stage.sandbox.onboard(String(again.body["url"]));
    await eventually(async () =>
      expect(await first(of)).toMatchObject({ status: "active", requirements: [] }),
    );
    await stage.sandbox.standAccount(String((await first(of))["reference"]), "stopped");
    await eventually(async () =>
      expect(await first(of)).toMatchObject({ status: "restricted", disabled_reason: "rejected.other" }),
    );
  });

  test("makes one account, however often and at once it is asked, and although an answer is lost", async () => {
    const of = shop();
    await stage.sandbox.fail("accounts.create", { action: "drop_answer", times: 1 });
    await Promise.all(Array.from({ length: 5 }, () => ask(of)));
    await stage.sandbox.heal();
    expect(await ask(of)).toMatchObject({ status: 200 });
    const made = await stage.database.asAdmin("select id from payout_accounts where merchant_id = $1", [
      of.merchant,
    ]);
    expect(made).toHaveLength(1);
  });

  test("finds the account that was made, though the answer was lost and Stripe has forgotten the key since", async () => {
    const of = shop();
    await stage.sandbox.fail("accounts.create", { action: "drop_answer", times: 20 });
    expect((await ask(of)).status).toBe(503);
    await stage.sandbox.heal();
    await stage.sandbox.forgetKeys();
    const { body } = await ask(of);
    const { accounts } = openStripe({ ...stage.sandbox.stripe, timeoutMs: 20_000 });
    const made: string[] = [];
    for await (const { id, metadata } of accounts.list({ limit: 100 }))
      if (metadata?.["merchant"] === of.merchant) made.push(id);
    expect(made).toEqual([Object(body["account"])["reference"]]);
  });

  test("is begun for so many merchants at most that Stripe has not accepted: anybody can make up names", async () => {
    const of = shop();
    for (let begun = 0; begun < begunMax; begun++)
      expect((await ask({ ...of, merchant: newId("merchant") })).status).toBe(200);
    const oneMore = await ask(of);
    expect(oneMore).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    const [known] = await list(of);
    // One that is under way goes on, and another organization's are its own.
    const goesOn = await ask({
      ...of,
      merchant: parseId("merchant", String(known?.["merchant"])) ?? of.merchant,
    });
    expect(goesOn.body).toMatchObject({ account: { id: known?.["id"] } });
    expect((await ask(shop())).status).toBe(200);
    expect(await list(of)).toHaveLength(begunMax);
  });

  test("returns to no address of somebody else's", async () => {
    for (const url of ["https://evil.example/", "http://127.0.0.1.evil.example/"]) {
      const { status, body } = await ask(shop(), { return_url: url });
      expect([status, body["code"]]).toEqual([400, "return_url_refused"]);
    }
  });

  test("is of its own organization alone, needs the right to say where money goes, and a change a fresh sign-in", async () => {
    const of = await onboarded();
    expect(await list(shop())).toEqual([]);
    const { id } = await first(of);
    const stranger = { scope: "billing:read", tenant: newId("tenant") } as const;
    expect((await stage.call("GET", `/api/v1/payout-accounts/${String(id)}/balance`, stranger)).status).toBe(
      404,
    );
    const refresh = `/api/v1/payout-accounts/${String(id)}/refresh`;
    expect((await stage.call("POST", refresh, { ...stranger, body: {} })).status).toBe(404);
    const reader = { scope: "billing:read", tenant: of.tenant, body: { merchant: of.merchant } } as const;
    expect((await stage.call("POST", "/api/v1/payout-accounts", reader)).status).toBe(403);
    const at = "/api/v1/payout-accounts/replacement";
    // An admin runs the organization, and does not say that its money goes elsewhere.
    expect((await stage.call("POST", at, { ...reader, scope: "offers:write" })).status).toBe(403);
    const stale = await stage.call("POST", at, { ...reader, scope: "admin:orgs" });
    expect(stale.status).toBe(401);
    expect(stale.headers.get("www-authenticate")).toContain("insufficient_user_authentication");
  });

  test("alone says where a merchant is paid: the database lets nothing else write it", async () => {
    const of = await onboarded();
    const db = stage.database.open();
    for (const text of [
      sql`update payout_accounts set reference = 'acct_evil' where merchant_id = ${of.merchant}`,
      sql`insert into payout_accounts (tenant_id, id, merchant_id, generation, country, reference, asked_by, asked_at)
        values (${of.tenant}, 'dst_evil', ${of.merchant}, 9, 'US', 'acct_evil', 'me', now())`,
      sql`delete from payout_accounts where merchant_id = ${of.merchant}`,
    ])
      await expect(db.of(of.tenant).transaction((tx) => tx.run(text))).rejects.toThrow(/permission denied/);
    await expect(
      stage.database.asAdmin("update payout_accounts set reference = 'acct_evil' where merchant_id = $1", [
        of.merchant,
      ]),
    ).rejects.toThrow(/never changed/);
    await db.close();
  });
});

describe("a charge of a merchant with a payout account", () => {
  test("goes on to it with our fee kept, once, and the clearing accounts return to nothing", async () => {
    const of = await onboarded();
    const purchase = purchaseAt(of);
    await captured(purchase);
    expect(await stage.sandbox.transfers()).toContainEqual(
      expect.objectContaining({ destination: of.account, amount: 1000, amount_reversed: 0 }),
    );
    // The fee of 10.00 is 0.59: Stripe has kept it for us, and nothing is owed.
    expect(await balances(of.tenant)).toEqual({ merchant_payable: "0" });
    expect(await balances("platform")).toMatchObject({ transfer_clearing: "0", card_clearing: "0" });
    const { id } = await first(of);
    const at = `/api/v1/payout-accounts/${String(id)}/balance`;
    expect((await stage.call("GET", at, { scope: "billing:read", tenant: of.tenant })).body).toEqual({
      available: [],
      pending: [{ currency: "USD", amount_minor: 941 }],
    });
  });

  test("is refunded out of it, in part and whole, and the fee stays", async () => {
    const of = await onboarded();
    const purchase = purchaseAt(of);
    const { id } = await captured(purchase, { amount_minor: 800 });
    await stage.step("refund", id, purchase, { amount_minor: 300 });
    await stage.step("refund", id, purchase, { amount_minor: 500 });
    expect(await stage.sandbox.transfers()).toContainEqual(
      expect.objectContaining({ destination: of.account, amount: 800, amount_reversed: 800 }),
    );
    expect(await balances(of.tenant)).toEqual({ merchant_payable: "0" });
    expect(await balances("platform")).toMatchObject({ transfer_clearing: "0", card_clearing: "0" });
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("keeps what it was made with: a late answer, and an account that has been stopped since", async () => {
    const of = await onboarded();
    const purchase = purchaseAt(of);
    const { body } = await stage.order("hold", purchase);
    await stage.sandbox.fail("payment_intents.capture", { action: "late_booking", times: 1 });
    await stage.step("capture", body["id"], purchase);
    await eventually(async () =>
      expect(await balances("platform")).toMatchObject({ transfer_clearing: "0", card_clearing: "0" }),
    );
    await stage.sandbox.standAccount(of.account, "stopped");
    await eventually(async () => expect(await first(of)).toMatchObject({ status: "restricted" }));
    // What is sold meanwhile is owed here.
    await captured(purchaseAt(of));
    expect(await balances(of.tenant)).toEqual({ merchant_payable: "-941" });
  });

  test("agrees with every balance transaction of Stripe's", async () => {
    const of = await onboarded();
    const purchase = purchaseAt(of);
    const { id } = await captured(purchase);
    await stage.step("refund", id, purchase, { amount_minor: 100 });
    const db = stage.database.open({ record: recordToOutbox });
    const stripe = openStripe({ ...stage.sandbox.stripe, timeoutMs: 20_000 });
    const deps = {
      db,
      clock,
      log: createLog({ service: "billing", level: "silent" }),
      movements: (span: Parameters<typeof movementsOf>[1]) => movementsOf(stripe, span),
    };
    const now = clock.now();
    const span = { from: instantOf(now - 30 * dayMs), until: instantOf(now + dayMs) };
    expect(await reconcile(deps, span)).toBe(0);
    await db.close();
  });
});

test("payouts are read from the account that paid them, and one that its bank sent back has failed", async () => {
  const of = await onboarded();
  await captured(purchaseAt(of));
  const payout = await stage.sandbox.payOut({
    account: of.account,
    currency: "usd",
    amount: 900,
    status: "in_transit",
  });
  await eventually(async () =>
    expect(await list(of, "payouts")).toMatchObject([
      { reference: payout, status: "in_transit", amount_minor: 900, currency: "USD", merchant: of.merchant },
    ]),
  );
  await stage.sandbox.payOut({ account: of.account, currency: "usd", amount: 41, status: "failed" });
  await eventually(async () =>
    expect(new Set((await list(of, "payouts")).map(({ status }) => status))).toEqual(
      new Set(["failed", "in_transit"]),
    ),
  );
  expect(await list(shop(), "payouts")).toEqual([]);
});

test("an onboarding whose link is no longer good leads to where a new one is made", async () => {
  const { body } = await ask(shop(), {
    refresh_url: `${stage.issuer.origin}/again`,
  });
  aheadMs = hourMs;
  const answer = await fetch(String(body["url"]), { redirect: "manual" });
  expect(answer.headers.get("location")).toBe(`${stage.issuer.origin}/again`);
});
