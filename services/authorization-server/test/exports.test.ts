import { type Id, instantOf, newId, parseId } from "@remit/kernel";
import { createJobs } from "@remit/platform/jobs";
import { createLog } from "@remit/platform/telemetry";
import { sha256b64url } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { changeStanding } from "../src/agents/index.ts";
import { tabJobs } from "../src/charges/index.ts";
import { endExport, lateUsesMs, revokeExportsOf, stopExport } from "../src/exports/index.ts";
import { checkBudget } from "../src/mandates/index.ts";
import { type Api, type As, agentOf, openApi, type Sent, walletOf } from "./charging/api.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  issuer,
  newAgent,
  purchase,
  refusalOf,
  shopOrigin,
  type World,
} from "./charging/world.ts";

let world: World;
let api: Api;
beforeAll(async () => {
  world = await createWorld();
  api = await openApi(world);
});
afterAll(async () => {
  await api.close();
  await world.close();
});

const units = (minor: number): bigint => BigInt(minor) * 10_000n;
const digest = sha256b64url("an open checkout mandate");
const usdc = "eip155:84532/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const billing = (): As => ({ tenant: newId("tenant"), client: "billing", scopes: ["events:write"] });
const post = (path: string, body: object, as: As): Promise<Sent> =>
  api.send({ as, method: "POST", path, body });
const exported = (mandate: Id<"mandate">, body: object, as: As = agentOf(world)): Promise<Sent> =>
  post(`/api/v1/mandates/${mandate}/exports`, body, as);
const ap2 = { kind: "ap2", open_checkout_digest: digest } as const;
const acp = {
  kind: "acp",
  merchant_id: "shop_1",
  checkout_session_id: "cs_1",
} as const;
const charge = (mandate: IssuedTestMandate, amount: number) =>
  world.charges.create(asMerchant(world), purchase(world, { mandate, amount }));
const tell = (id: unknown, body: object) => post(`/api/v1/exports/${String(id)}/uses`, body, billing());
const close = (id: unknown, body: object) => post(`/api/v1/exports/${String(id)}/close`, body, billing());

const kind = <T extends string>(type: T) => ({ type: z.literal(type) });
const isoCurrency = z.string().regex(/^[A-Z]{3}$/);
const OpenPaymentMandate = z.strictObject({
  vct: z.literal("mandate.payment.open.1"),
  constraints: z
    .array(
      z.discriminatedUnion("type", [
        z.strictObject({ ...kind("payment.reference"), conditional_transaction_id: z.string() }),
        z.strictObject({ ...kind("payment.amount_range"), currency: isoCurrency, max: z.int() }),
        z.strictObject({
          ...kind("payment.allowed_payees"),
          allowed: z.array(
            z.strictObject({ id: z.string(), name: z.string(), website: z.string().optional() }),
          ),
        }),
        z.strictObject({ ...kind("payment.agent_recurrence"), frequency: z.literal("ON_DEMAND") }),
        z.strictObject({ ...kind("payment.budget"), currency: isoCurrency, max: z.number() }),
        z.strictObject({ ...kind("payment.execution_date"), not_after: z.string() }),
      ]),
    )
    .refine((all) => all.some(({ type }) => type === "payment.reference")),
  cnf: z.strictObject({ jwk: z.looseObject({ kty: z.string() }) }),
  iat: z.int(),
  exp: z.int(),
});
const Allowance = z.strictObject({
  reason: z.literal("one_time"),
  max_amount: z.int(),
  currency: z.string().regex(/^[a-z]{3}$/),
  checkout_session_id: z.string(),
  merchant_id: z.string().max(256),
  expires_at: z.iso.datetime(),
});

describe("a mandate that is exported", () => {
  test("holds its full limit: a mandate of 500 exported twice is refused the second time", async () => {
    const mandate = await giveMandate(world, { amount_minor: 50_000 });
    const first = await exported(mandate.id, ap2);
    expect(first).toMatchObject({
      status: 201,
      body: { status: "held", limit_minor: 50_000, advisory: false },
    });
    expect(await exported(mandate.id, ap2)).toMatchObject({
      status: 402,
      body: { code: "mandate_cap_exceeded" },
    });
    expect(await exported(mandate.id, { ...ap2, amount_minor: 1 })).toMatchObject({ status: 402 });
    expect(await refusalOf(charge(mandate, 1))).toBe("mandate_cap_exceeded");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(50_000), spent: 0n });
  });

  test("C01 by 20 at once is exported as often as there is room", async () => {
    const mandate = await giveMandate(world, { amount_minor: 5_000 });
    const sent = await Promise.all(
      Array.from({ length: 20 }, () => exported(mandate.id, { ...acp, amount_minor: 1_000 })),
    );
    expect(sent.filter(({ status }) => status === 201)).toHaveLength(5);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(5_000), uses: 5 });
  });

  test("is one export however often its request is sent with one key", async () => {
    const mandate = await giveMandate(world);
    const send = () =>
      api.send({
        as: agentOf(world),
        method: "POST",
        path: `/api/v1/mandates/${mandate.id}/exports`,
        body: { ...acp, amount_minor: 4_000 },
        key: "one",
      });
    const [first, again] = [await send(), await send()];
    expect([first.status, again.body["id"]]).toEqual([201, first.body["id"]]);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(4_000) });
  });

  test("for AP2 is an open payment mandate for one checkout, signed and bound to the agent's key", async () => {
    const mandate = await giveMandate(world, { per_charge_minor: 1_999, merchants: [shopOrigin] });
    const { body } = await exported(mandate.id, { ...ap2, amount_minor: 5_050 });
    const [, payload] = String(body["credential"]).split(".");
    const claims = JSON.parse(Buffer.from(payload ?? "", "base64url").toString());
    expect(claims).toEqual(body["document"]);
    expect(claims).toMatchObject({ vct: "mandate.payment.open.1", cnf: { jwk: { kty: "EC" } } });
    expect(claims.constraints).toEqual([
      { type: "payment.reference", conditional_transaction_id: digest },
      { type: "payment.amount_range", currency: "EUR", max: 1_999 },
      {
        type: "payment.allowed_payees",
        allowed: [{ id: shopOrigin, name: "shop.test", website: shopOrigin }],
      },
      { type: "payment.agent_recurrence", frequency: "ON_DEMAND" },
      // In major units, as AP2 counts a budget.
      { type: "payment.budget", currency: "EUR", max: 50.5 },
      { type: "payment.execution_date", not_after: expect.any(String) },
    ]);
    expect(String(body["credential"]).endsWith("~")).toBe(true);
    expect(issuer).toBeDefined();
  });

  test("for ACP is an allowance, for Stripe the limits of a token, and neither is above one charge's limit", async () => {
    const mandate = await giveMandate(world, { per_charge_minor: 2_000 });
    const allowance = await exported(mandate.id, { ...acp, amount_minor: 2_000 });
    expect(allowance.body["document"]).toEqual({
      reason: "one_time",
      max_amount: 2_000,
      currency: "eur",
      checkout_session_id: "cs_1",
      merchant_id: "shop_1",
      expires_at: expect.stringMatching(/Z$/),
    });
    const spt = { kind: "spt", network_id: "profile_1", amount_minor: 500 };
    expect((await exported(mandate.id, spt)).body["document"]).toEqual({
      usage_limits: { currency: "eur", max_amount: 500, expires_at: expect.any(Number) },
      seller_details: { network_id: "profile_1" },
      shared_metadata: { remit_export: expect.stringMatching(/^chg_/) },
    });
    for (const asked of [
      { ...acp, amount_minor: 2_001 },
      { ...spt, amount_minor: 2_001 },
    ])
      expect(await exported(mandate.id, asked)).toMatchObject({
        body: { code: "charge_offer_amount_exceeds_mandate" },
      });
  });

  // Each member, type and value that the published schemas ask for or allow, and no other: AP2's open_payment_mandate.json
  // (`mandate.payment.open.1`) and ACP's `Allowance` of 2026-01-30, to which additional members are refused.
  test.each<[string, Record<string, unknown>]>([
    ["one use", { uses: "single" }],
    ["everything named", { per_charge_minor: 1_999, merchants: [shopOrigin, "https://other.test"] }],
    ["a currency without places", { currency: "JPY", amount_minor: 10_000 }],
    ["a currency with three places", { currency: "BHD", amount_minor: 10_001 }],
  ])(
    "parses with AP2's public schema, and with ACP's where it may be exported there: %s",
    async (_what, request) => {
      const mandate = await giveMandate(world, request);
      const open = await exported(mandate.id, { ...ap2, amount_minor: 1_000 });
      expect(open.status).toBe(201);
      expect(OpenPaymentMandate.parse(open.body["document"])).toEqual(open.body["document"]);
      if ("merchants" in request) return;
      const other = await giveMandate(world, request);
      const allowance = await exported(other.id, { ...acp, amount_minor: 1_000 });
      expect(Allowance.parse(allowance.body["document"])).toEqual(allowance.body["document"]);
    },
  );

  test("for an x402 client is advice: nothing is held, and it says so", async () => {
    const mandate = await giveMandate(world, {
      currency: "USD",
      also_accepts: [{ asset: usdc, peg: "USD" }],
    });
    const advice = await exported(mandate.id, { kind: "x402" });
    expect(advice).toMatchObject({ status: 201, body: { id: null, status: "advisory", advisory: true } });
    expect(advice.body["document"]).toMatchObject({
      controls: [{ asset: usdc, max_cumulative_spend: "100000000", max_amount_per_payment: "100000000" }],
      allowed_networks: ["eip155:84532"],
    });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n });
    expect(await exported((await giveMandate(world)).id, { kind: "x402" })).toMatchObject({
      body: { code: "mandate_asset_not_accepted" },
    });
  });

  test.each([
    [{ categories: ["books"] }, "mandate_not_admitted"],
    [{ offer_digest: digest }, "mandate_not_admitted"],
    [{ rails: ["x402"] }, "mandate_rail_not_allowed"],
    [{ merchants: [shopOrigin] }, "mandate_not_admitted"],
    [{ velocity: [{ period: "day", count: 3 }] }, "mandate_not_admitted"],
    [{ step_up: [{ above_minor: 100 }] }, "approval_required"],
    [{ step_up: [{ first_purchase_at_merchant: true }] }, "approval_required"],
  ])("with %j is refused: that limit would be lost on the way", async (change, code) => {
    const mandate = await giveMandate(world, change);
    expect((await exported(mandate.id, { ...acp, amount_minor: 500 })).body["code"]).toBe(code);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n });
  });

  test("O10 below an agent that was stopped is neither exported nor handed on", async () => {
    const [parent, child] = [await newAgent(world.db, world), await newAgent(world.db, world)];
    const root = await giveMandate(world, {}, parent);
    const as = ({ id }: { id: Id<"agent"> }): As => ({ ...agentOf(world), client: id });
    const handed = await post(`/api/v1/mandates/${root.id}/hand-on`, { agent_id: child.id }, as(parent));
    const leaf = handed.body["id"] as Id<"mandate">;
    const by = { type: "client", id: "test" } as const;
    await world.db
      .of(world.operator)
      .transaction((tx) => changeStanding(tx, parent.id, { to: "suspended", by, now: world.clock.now() }));
    expect((await exported(leaf, ap2, as(child))).body["code"]).toBe("agent_suspended");
    const further = await post(`/api/v1/mandates/${leaf}/hand-on`, { agent_id: world.agent.id }, as(child));
    expect(further.body["code"]).toBe("agent_suspended");
    expect(await budgetOf(world, root.id)).toMatchObject({ held: 0n });
  });

  test("T01 is no other agent's or tenant's to export, ask back or see", async () => {
    const mandate = await giveMandate(world);
    const client = newId("agent");
    const other = { ...agentOf(world), client, scopes: ["oid4ac:payment", "wallet:read"] };
    const strange = { ...walletOf(world), tenant: newId("tenant") };
    for (const as of [other, strange])
      expect(await exported(mandate.id, ap2, as)).toMatchObject({ status: 404 });
    const { body } = await exported(mandate.id, ap2);
    for (const as of [other, strange])
      expect(await post(`/api/v1/exports/${String(body["id"])}/revoke`, {}, as)).toMatchObject({
        status: 404,
      });
    expect(await api.send({ as: strange, path: `/api/v1/mandates/${mandate.id}/exports` })).toMatchObject({
      status: 404,
    });
    expect(await post(`/api/v1/exports/${String(body["id"])}/close`, {}, agentOf(world))).toMatchObject({
      status: 403,
    });
  });
});

describe("what is told of an export", () => {
  test("is spent once its issuer closes it, and the rest is free again; nobody else's word frees anything", async () => {
    const mandate = await giveMandate(world, { amount_minor: 5_000 });
    const { id } = (await exported(mandate.id, ap2)).body;
    for (const reference of ["pay_1", "pay_1", "pay_2"]) await tell(id, { reference, amount_minor: 700 });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(5_000), spent: 0n });
    const asked = await post(`/api/v1/exports/${String(id)}/revoke`, {}, walletOf(world));
    expect(asked.body).toMatchObject({ status: "revoking", used_minor: 1_400 });
    expect(await refusalOf(charge(mandate, 1))).toBe("mandate_cap_exceeded");
    expect(await close(id, { because: "revoked", used_minor: 1_300 })).toMatchObject({ status: 400 });
    expect(await close(id, { because: "revoked", used_minor: 1_400 })).toMatchObject({
      body: { status: "closed", because: "revoked" },
    });
    await close(id, { because: "revoked", used_minor: 1_400 });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(1_400) });
    expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
    expect(await charge(mandate, 3_600)).toMatchObject({ state: "authorized" });
    expect(await tell(id, { reference: "pay_3", amount_minor: 1 })).toMatchObject({
      status: 409,
      body: { code: "export_closed" },
    });
    const sums = await api.send({
      as: walletOf(world),
      path: `/api/v1/wallet/spending?by=merchant&mandate_id=${mandate.id}`,
    });
    expect(sums.body["data"]).toMatchObject([{ key: "export:ap2", spent_minor: 1_400 }]);
  });

  test("that it is wanted back is told to the issuer of its token, also when that is heard of later; else the answer says until when it may be spent", async () => {
    const spt = { kind: "spt", network_id: "internal" } as const;
    const ask = async (id: unknown) =>
      (await post(`/api/v1/exports/${String(id)}/revoke`, {}, walletOf(world))).body;
    const waiting = (id: unknown) =>
      world.database.asAdmin("select 1 as one from jobs where queue = 'exports.stop' and key = $1", [id]);
    const make = async (body: object) => (await exported((await giveMandate(world)).id, body)).body;
    // AP2 and ACP have nobody who could be told.
    for (const kind of [ap2, acp]) {
      const made = await make(kind);
      expect(await ask(made["id"])).toMatchObject({
        status: "revoking",
        spendable_until: made["expires_at"],
      });
      expect(await waiting(made["id"])).toEqual([]);
    }
    const [early, late] = [await make(spt), await make(spt)];
    await tell(early["id"], { token: "spt_early", used_minor: 300 });
    expect(await ask(early["id"])).toMatchObject({ spendable_until: early["expires_at"] });
    await ask(late["id"]);
    expect(await waiting(late["id"])).toEqual([]);
    await tell(late["id"], { token: "spt_late", used_minor: 0 });
    const at = instantOf(1_900_000_000_000);
    const asked: unknown[] = [];
    const revokeToken = async (token: string, of: Id<"charge">) => {
      asked.push([token, of]);
      return at;
    };
    for (const [token, { id }] of [
      ["spt_early", early],
      ["spt_late", late],
    ] as const) {
      expect(await waiting(id)).toEqual([{ one: 1 }]);
      const of = parseId("charge", String(id)) ?? newId("charge");
      for (const _ of [1, 2]) await stopExport({ db: world.db, revokeToken }, world.payer, of);
      expect(asked.splice(0)).toEqual([[token, id]]);
      expect(await ask(id)).toMatchObject({
        status: "revoking",
        spendable_until: new Date(at).toISOString(),
      });
    }
    // What was authorised before can still be captured: nothing is free yet.
    expect(await budgetOf(world, early["mandate_id"] as Id<"mandate">)).toMatchObject({
      held: units(10_000),
    });
    await close(early["id"], { because: "revoked", used_minor: 300, token: "spt_early" });
    expect(await ask(early["id"])).toMatchObject({ status: "closed", spendable_until: null });
  });

  test("is wanted back by itself once its mandate is revoked, and told to the issuer of its token", async () => {
    const mandate = await giveMandate(world);
    const made = await exported(mandate.id, { kind: "spt", network_id: "internal" });
    const id = made.body["id"];
    await tell(id, { token: "spt_revoked", used_minor: 300 });
    const actor = { type: "account", id: world.principal } as const;
    await world.db
      .of(world.payer)
      .transaction((tx) => world.mandates.revokeWithin(tx, mandate.id, { because: "test", actor }));
    const { db, clock } = world;
    const log = createLog({ service: "test", level: "silent" });
    const jobs = createJobs({ db, log, clock, pollMs: 20 });
    tabJobs(jobs, {
      ...world.chargesDeps,
      besides: (tx, ended) => revokeExportsOf(tx, ended, clock.now()),
    });
    await jobs.start();
    const stops = () =>
      world.database.asAdmin("select 1 as one from jobs where queue = 'exports.stop' and key = $1", [id]);
    await eventually(async () => (await stops()).length === 1);
    await jobs.stop();
    const { body } = await post(`/api/v1/exports/${String(id)}/revoke`, {}, walletOf(world));
    expect(body).toMatchObject({ status: "revoking" });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(10_000) });
  });

  test("is told by billing alone, whichever other service has the scope", async () => {
    const { id } = (await exported((await giveMandate(world)).id, ap2)).body;
    const portal = { ...billing(), client: "wallet" };
    for (const [verb, body] of [
      ["close", { because: "used", used_minor: 0 }],
      ["uses", { reference: "x", amount_minor: 1 }],
    ] as const)
      expect(await post(`/api/v1/exports/${String(id)}/${verb}`, body, portal)).toMatchObject({
        status: 403,
      });
  });

  test("in all under its token counts once, however often and in whatever order it is told", async () => {
    const mandate = await giveMandate(world, { amount_minor: 1_000 });
    const spt = { kind: "spt", network_id: "profile_1" };
    const { id } = (await exported(mandate.id, spt)).body;
    for (const used_minor of [300, 500, 300, 0, 500]) await tell(id, { token: "spt_1", used_minor });
    expect(await tell(id, { token: "spt_1", used_minor: 500 })).toMatchObject({
      body: { status: "held", used_minor: 500 },
    });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(1_000), spent: 0n });
    expect(await close(id, { because: "expired", used_minor: 500, token: "spt_1" })).toMatchObject({
      body: { status: "closed", because: "expired" },
    });
    // Old news, and news that cannot be.
    expect(await tell(id, { token: "spt_1", used_minor: 500 })).toMatchObject({ status: 200 });
    expect(await tell(id, { token: "spt_1", used_minor: 501 })).toMatchObject({
      body: { code: "export_closed" },
    });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(500) });
    const events = await world.database.asAdmin<{ used: number }>(
      "select (body::jsonb -> 'payload' ->> 'used_minor')::integer as used from audit_rows where subject = $1 and event = 'export.used' order by event_id",
      [id],
    );
    expect(events).toEqual([{ used: 300 }, { used: 500 }]);
  });

  test("of a second token is refused: each could be spent up to the limit", async () => {
    const mandate = await giveMandate(world, { amount_minor: 1_000 });
    const { id } = (await exported(mandate.id, { kind: "spt", network_id: "profile_1" })).body;
    await tell(id, { token: "spt_1", used_minor: 0 });
    for (const answer of [
      await tell(id, { token: "spt_2", used_minor: 400 }),
      await close(id, { because: "used", used_minor: 400, token: "spt_2" }),
    ])
      expect(answer).toMatchObject({ status: 409, body: { code: "export_token_other" } });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(1_000), spent: 0n });
  });

  describe("no more, when its time is over,", () => {
    const ended = async (body: object, told: object | undefined) => {
      const mandate = await giveMandate(world, { amount_minor: 1_000 });
      const { id, expires_at: end } = (await exported(mandate.id, body)).body;
      if (told !== undefined) await tell(id, told);
      const ids = { tenant: world.payer, export: String(id) as Id<"charge"> };
      const [job] = await world.database.asAdmin<{ late: number }>(
        "select (extract(epoch from run_at) * 1000)::bigint::float8 - $2 as late from jobs where queue = 'exports' and key = $1",
        [id, Date.parse(String(end))],
      );
      expect(job?.late).toBe(lateUsesMs);
      await expect(endExport(world, ids.tenant, ids.export)).rejects.toThrow();
      expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(1_000) });
      const later = {
        ...world,
        clock: { ...world.clock, now: () => instantOf(Date.parse(String(end)) + lateUsesMs) },
      };
      for (let times = 0; times < 2; times++) await endExport(later, ids.tenant, ids.export);
      expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
      return mandate;
    };

    test("frees of a token that was followed what was not taken", async () => {
      const spt = { kind: "spt", network_id: "profile_1" };
      const mandate = await ended(spt, { token: "spt_1", used_minor: 250 });
      expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(250) });
    });

    test.each([
      ["an allowance of ACP", acp, undefined],
      ["an open mandate of AP2", ap2, undefined],
      ["an open mandate of AP2 of which one use was told", ap2, { reference: "a", amount_minor: 250 }],
      ["a token that nobody has seen", { kind: "spt", network_id: "profile_1" }, undefined],
    ])("C01 frees nothing of %s: it may all have been taken", async (_what, body, told) => {
      const mandate = await ended(body, told);
      expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(1_000) });
      expect(await exported(mandate.id, { ...acp, amount_minor: 1 })).toMatchObject({ status: 402 });
    });
  });

  test("closes it by itself once all of it is used", async () => {
    const mandate = await giveMandate(world, { amount_minor: 1_000 });
    const { id } = (await exported(mandate.id, ap2)).body;
    await tell(id, { reference: "a", amount_minor: 600 });
    expect(await tell(id, { reference: "b", amount_minor: 400 })).toMatchObject({
      body: { status: "closed" },
    });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(1_000) });
  });

  test.each([
    ["a use", () => ({ verb: tell, body: { reference: "b", amount_minor: 401 } })],
    ["a sum", () => ({ verb: tell, body: { token: "spt_1", used_minor: 1_001 } })],
    ["its end", () => ({ verb: close, body: { because: "expired", used_minor: 1_001 } })],
  ])(
    "to be above its limit, by %s, is refused, and nothing of the limit is free again",
    async (_by, said) => {
      const mandate = await giveMandate(world, { amount_minor: 1_000 });
      const { id } = (await exported(mandate.id, ap2)).body;
      await tell(id, { reference: "a", amount_minor: 600 });
      const { verb, body } = said();
      expect(await verb(id, body)).toMatchObject({ status: 422, body: { code: "export_use_exceeds_limit" } });
      expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(1_000) });
      expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
      expect(await refusalOf(charge(mandate, 1))).toBe("mandate_cap_exceeded");
    },
  );

  test("that nothing was used gives everything back, the use as well", async () => {
    const mandate = await giveMandate(world, { uses: "single" });
    const { id } = (await exported(mandate.id, ap2)).body;
    await close(id, { because: "expired", used_minor: 0 });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n, uses: 0 });
  });
});
