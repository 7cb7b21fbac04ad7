import { type Id, newId } from "@remit/kernel";
import { newEvent, Problem } from "@remit/protocol";
import type { SetWalletRules } from "@remit/protocol/contracts";
import { SetWalletRules as Rules } from "@remit/protocol/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { takeReported } from "../src/planning.ts";
import { loosens } from "../src/rules/rules.ts";
import { type Api, type As, agentOf, openApi, personOf, type Sent, walletOf } from "./charging/api.ts";
import {
  asMerchant,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  newAgent,
  own,
  purchase,
  refusalOf,
  shopOrigin,
  type TestAgent,
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
beforeEach(async () => {
  await ruled({});
});

type Asked = Partial<SetWalletRules> | { readonly limits: readonly object[] };
const path = "/api/v1/wallet/rules";
const read = (as: As = walletOf(world)): Promise<Sent> => api.send({ as, path });
const put = (rules: object, ifMatch: string | undefined, as: As = personOf(world)): Promise<Sent> =>
  api.send({
    as,
    method: "PUT",
    path,
    body: rules,
    headers: ifMatch === undefined ? {} : { "if-match": ifMatch },
  });
const etag = async (): Promise<string> => (await read()).headers.get("etag") ?? "";
async function ruled(rules: Asked): Promise<Sent> {
  const answer = await put(rules, await etag());
  if (answer.status !== 200) throw new Error(answer.text);
  return answer;
}
const order = (amountMinor?: number) => ({
  amountMinor,
  responseDigest: undefined,
  requestDigest: undefined,
});
const charge = (mandate: IssuedTestMandate, amount: number, agent?: TestAgent) =>
  world.charges.create(
    asMerchant(world),
    purchase(world, { mandate, amount, ...(agent === undefined ? {} : { agent }) }),
  );
const day = (more: object = {}) => ({ currency: "EUR", period: "day", amount_minor: 1_000, ...more });
const usedOf = async (at = 0): Promise<{ amount_minor: number; count: number }> =>
  Object((await read()).body["limits"] as unknown[])[at]?.used;

describe("a principal's limit over all its mandates", () => {
  test("C01 holds under 24 charges at once, spread over three mandates", async () => {
    await ruled({ limits: [day()] });
    const before = await usedOf();
    const room = 1_000 - before.amount_minor;
    const mandates = await Promise.all([giveMandate(world), giveMandate(world), giveMandate(world)]);
    const outcomes = await Promise.all(
      Array.from({ length: 24 }, (_, at) => {
        const mandate = mandates[at % 3];
        if (mandate === undefined) throw new Error("there are three");
        return refusalOf(charge(mandate, 100));
      }),
    );
    expect(outcomes.filter((one) => one === "nothing")).toHaveLength(Math.floor(room / 100));
    expect(new Set(outcomes.filter((one) => one !== "nothing"))).toEqual(new Set(["rule_limit_exceeded"]));
    expect((await usedOf()).amount_minor).toBe(before.amount_minor + Math.floor(room / 100) * 100);
  });

  test("C01 whose change meets 20 charges counts each of them that was let pass, and no other", async () => {
    const agent = await newAgent(world.db, world);
    const mandate = await giveMandate(world, {}, agent);
    const mine = { agent_id: agent.id };
    const version = await etag();
    const change = async (): Promise<Sent> => {
      const answer = await put({ limits: [day({ ...mine, amount_minor: 700 })] }, version);
      // It has waited too long for those under way: whoever changes rules is told to try again.
      return answer.status === 503 ? change() : answer;
    };
    const [changed, ...outcomes] = await Promise.all([
      change(),
      ...Array.from({ length: 20 }, () => refusalOf(charge(mandate, 100, agent))),
    ]);
    expect(changed.status).toBe(200);
    const passed = outcomes.filter((one) => one === "nothing").length;
    // Those that came before the change are not stopped by it, and fill it.
    expect(await usedOf()).toMatchObject({ amount_minor: passed * 100, count: passed });
    expect(passed).toBeGreaterThanOrEqual(7);
    expect(await refusalOf(charge(mandate, 100, agent))).toBe("rule_limit_exceeded");
  });

  test("counts what was held since its period began, and gives back what is released or not captured", async () => {
    const agent = await newAgent(world.db, world);
    const mandate = await giveMandate(world, {}, agent);
    const [first, second] = [await charge(mandate, 400, agent), await charge(mandate, 300, agent)];
    await charge(mandate, 100, agent).then(({ id }) => world.charges.release(own(world, id), "cancelled"));
    await ruled({ limits: [day({ agent_id: agent.id, amount_minor: 700, count: 2 })] });
    expect(await usedOf()).toMatchObject({ amount_minor: 700, count: 2 });
    expect(await refusalOf(charge(mandate, 1, agent))).toBe("rule_limit_exceeded");
    await world.charges.release(own(world, second.id), "cancelled");
    await world.charges.capture(own(world, first.id), order(150));
    expect(await usedOf()).toMatchObject({ amount_minor: 150, count: 1 });
    await charge(mandate, 550, agent);
    expect(await refusalOf(charge(mandate, 1, agent))).toBe("rule_limit_exceeded");
  });

  test("tells merchants and agents that it is reached, and not how much is left", async () => {
    const agent = await newAgent(world.db, world);
    const mandate = await giveMandate(world, {}, agent);
    await ruled({ limits: [day({ agent_id: agent.id, amount_minor: 50, zone: "Europe/Amsterdam" })] });
    const refused = await charge(mandate, 60, agent).then(
      () => undefined,
      (error: unknown) => (error instanceof Problem ? error : undefined),
    );
    expect(refused?.extra).toEqual({ limited_by: "agent", period: "day", zone: "Europe/Amsterdam" });
  });

  test("of one agent is none of another's, counts what was handed on, and counts its own currency alone", async () => {
    const [agent, other] = [await newAgent(world.db, world), await newAgent(world.db, world)];
    const [mandate, others] = [await giveMandate(world, {}, agent), await giveMandate(world, {}, other)];
    await ruled({
      limits: [day({ agent_id: agent.id, amount_minor: 100 }), day({ currency: "USD", amount_minor: 1 })],
    });
    await charge(others, 900, other);
    const as = { ...agentOf(world), client: agent.id };
    const handed = await api.send({
      as,
      method: "POST",
      path: `/api/v1/mandates/${mandate.id}/hand-on`,
      body: { agent_id: other.id },
    });
    const handedOn = { id: handed.body["id"] as Id<"mandate">, jwt: String(handed.body["mandate_jwt"]) };
    expect(await refusalOf(charge(handedOn, 101, other))).toBe("rule_limit_exceeded");
    const { id } = await charge(handedOn, 60, other);
    expect(await refusalOf(charge(mandate, 41, agent))).toBe("rule_limit_exceeded");
    await world.charges.release(own(world, id), "cancelled");
    await charge(mandate, 100, agent);
    expect(await usedOf()).toMatchObject({ amount_minor: 100, count: 1 });
  });
});

describe("a principal's rule", () => {
  test("blocks a merchant or a kind of merchants, until it is lifted", async () => {
    const mandate = await giveMandate(world);
    await ruled({ blocked_merchants: [shopOrigin] });
    expect(await refusalOf(charge(mandate, 100))).toBe("rule_merchant_blocked");
    await ruled({ blocked_categories: ["books"] });
    expect(await refusalOf(charge(mandate, 100))).toBe("rule_category_blocked");
    await ruled({ blocked_merchants: ["https://other.test"], blocked_categories: ["gambling"] });
    expect((await charge(mandate, 100)).state).not.toBe("pending_approval");
  });

  test("asks above its threshold whatever the mandate says, in its own currency", async () => {
    const mandate = await giveMandate(world);
    await ruled({ step_up: [{ currency: "EUR", above_minor: 500 }] });
    expect((await charge(mandate, 501)).state).toBe("pending_approval");
    expect((await charge(mandate, 500)).state).not.toBe("pending_approval");
    await ruled({ step_up: [{ currency: "USD", above_minor: 1 }] });
    expect((await charge(mandate, 501)).state).not.toBe("pending_approval");
  });

  test.each<[string, Asked, string]>([
    ["a limit for a period", { limits: [day()] }, "mandate_not_admitted"],
    ["a kind of merchants", { blocked_categories: ["gambling"] }, "mandate_not_admitted"],
    ["a merchant", { blocked_merchants: ["https://bad.test"] }, "rule_merchant_blocked"],
    ["a threshold", { step_up: [{ currency: "EUR", above_minor: 99 }] }, "approval_required"],
  ])("that nobody keeps elsewhere stops exports: %s", async (_what, rules, code) => {
    const mandate = await giveMandate(world);
    await ruled(rules);
    const body = { kind: "acp", checkout_session_id: "cs_1", merchant_id: "acct_1", amount_minor: 100 };
    const sent = await api.send({
      as: personOf(world),
      method: "POST",
      path: `/api/v1/mandates/${mandate.id}/exports`,
      body,
    });
    expect(sent).toMatchObject({ status: 403, body: { code } });
  });

  test("changes only as it was read: without an ETag, with an old one, and of two at once", async () => {
    const version = await etag();
    expect(await put({}, undefined)).toMatchObject({ status: 428, body: { code: "precondition_required" } });
    const both = await Promise.all([put({ limits: [day()] }, version), put({}, version)]);
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 412]));
    expect(await put({}, version)).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect((await put({}, "*")).status).toBe(412);
    const now = await read();
    expect(now.headers.get("etag")).toBe(`"${String(now.body["version"])}"`);
  });

  test("is changed by a person of that tenant alone, and leaves an entry of what it became", async () => {
    const version = await etag();
    expect(await put({}, version, walletOf(world))).toMatchObject({
      status: 403,
      body: { code: "forbidden" },
    });
    const reader = { ...personOf(world), scopes: ["wallet:read"] };
    expect((await put({}, version, reader)).body["code"]).toBe("insufficient_scope");
    const strange = { ...walletOf(world), tenant: newId("tenant") };
    expect((await read(strange)).body).toMatchObject({ version: 0, limits: [], changed_at: null });
    const { body } = await ruled({ blocked_merchants: ["https://bad.test"] });
    const [row] = await world.database.asAdmin<{ body: string }>(
      "select body from audit_rows where event = 'wallet.rules_changed' and tenant_id = $1 order by event_id desc limit 1",
      [world.payer],
    );
    const entry = JSON.stringify(JSON.parse(row?.body ?? "{}"));
    expect(entry).toContain(`"version":${String(body["version"])}`);
    expect(entry).toContain(JSON.stringify(JSON.stringify(["https://bad.test"])).slice(1, -1));
  });

  test("that lets more pass needs a fresh second factor of who has one; that lets less pass does not", async () => {
    await ruled({ limits: [day()], blocked_merchants: [shopOrigin] });
    api.passkey.has = true;
    try {
      expect(
        (await put({ limits: [day({ amount_minor: 999 })], blocked_merchants: [shopOrigin] }, await etag()))
          .status,
      ).toBe(200);
      expect(await put({ limits: [day()] }, await etag())).toMatchObject({
        status: 401,
        body: { code: "insufficient_user_authentication", max_age: 300 },
      });
    } finally {
      api.passkey.has = false;
    }
  });

  test.each([
    ["two limits for the same", { limits: [day(), day({ amount_minor: 5 })] }],
    ["a limit of nothing", { limits: [{ currency: "EUR", period: "day" }] }],
    ["an unknown zone", { limits: [day({ zone: "Mars/Olympus" })] }],
    [
      "two thresholds for a currency",
      { step_up: [1, 2].map((above_minor) => ({ currency: "EUR", above_minor })) },
    ],
    ["an origin with a path", { blocked_merchants: ["https://bad.test/shop"] }],
    ["an unknown member", { allow: [] }],
  ])("V01 of %s is refused", async (_what, rules) => {
    expect((await put(rules, await etag())).status).toBe(400);
  });
});

test("what lets more pass is known as that", () => {
  const parse = (rules: Asked): SetWalletRules => Rules.parse(rules);
  const kept = (rules: Asked) => {
    const { limits, step_up, blocked_merchants, blocked_categories } = parse(rules);
    return {
      version: 1,
      changedAt: undefined,
      limits,
      stepUp: step_up,
      blockedMerchants: blocked_merchants,
      blockedCategories: blocked_categories,
    };
  };
  const full = {
    limits: [day({ count: 3 })],
    step_up: [{ currency: "EUR", above_minor: 10 }],
    blocked_merchants: [shopOrigin],
    blocked_categories: ["gambling"],
  } as Asked; // the members that rules have
  const from = kept(full);
  const said = (change: object): boolean => loosens(from, parse({ ...full, ...change }));
  expect(loosens(kept({}), parse(full))).toBe(false);
  expect(said({})).toBe(false);
  expect(said({ limits: [day({ count: 2, amount_minor: 999 }), day({ period: "week" })] })).toBe(false);
  for (const looser of [
    { limits: [] },
    { limits: [day({ count: 4 })] },
    { limits: [day()] },
    { limits: [day({ count: 3, amount_minor: 1_001 })] },
    { limits: [day({ count: 3, zone: "Europe/Amsterdam" })] },
    { step_up: [] },
    { step_up: [{ currency: "EUR", above_minor: 11 }] },
    { step_up: [{ currency: "USD", above_minor: 10 }] },
    { blocked_merchants: [] },
    { blocked_categories: ["other"] },
  ])
    expect(said(looser), JSON.stringify(looser)).toBe(true);
});

test("a mandate whose card is removed is suspended, with what was handed on from it; another's and the default's are not", async () => {
  const [card, other] = [newId("instrument"), newId("instrument")];
  const give = async (more: object): Promise<Id<"mandate">> => {
    const body = { agent_id: world.agent.id, currency: "EUR", amount_minor: 5_000, ...more };
    const given = await api.send({ as: personOf(world), method: "POST", path: "/api/v1/mandates", body });
    if (given.status !== 201) throw new Error(given.text);
    return given.body["id"] as Id<"mandate">; // its schema says so
  };
  await giveMandate(world);
  const [paid, elsewhere, byDefault] = [
    await give({ instrument_id: card }),
    await give({ instrument_id: other }),
    await give({}),
  ];
  const below = await api.send({
    as: agentOf(world),
    method: "POST",
    path: `/api/v1/mandates/${paid}/hand-on`,
    body: { agent_id: (await newAgent(world.db, world)).id, amount_minor: 100 },
  });
  const actor = { type: "account", id: world.principal } as const;
  const facts = { tenant: world.payer, actor, subject: card, payload: { brand: "visa", default: false } };
  const event = newEvent("instrument.removed", facts, world.clock.now());
  const hear = takeReported(world.db, world.mandates);
  await hear(event);
  const statusOf = async (id: unknown): Promise<unknown> =>
    (await api.send({ as: walletOf(world), path: `/api/v1/mandates/${String(id)}` })).body["status"];
  expect(await Promise.all([paid, below.body["id"], elsewhere, byDefault].map(statusOf))).toEqual([
    "suspended",
    "suspended",
    "active",
    "active",
  ]);
});
