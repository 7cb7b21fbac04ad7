import { after, dayMs, hourMs, type Id, newId, toRfc3339 } from "@remit/kernel";
import { verifyMandateChain } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkBudget, remainingAfter } from "../src/mandates/index.ts";
import { type Api, type As, openApi, type Sent, walletOf } from "./charging/api.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  issuer,
  newAgent,
  own,
  purchase,
  refusalOf,
  type TestAgent,
  type World,
} from "./charging/world.ts";

let world: World;
let api: Api;
let [second, third] = [undefined, undefined] as unknown as TestAgent[] as [TestAgent, TestAgent]; // made below
beforeAll(async () => {
  world = await createWorld();
  api = await openApi(world);
  second = await newAgent(world.db, world);
  third = await newAgent(world.db, world);
});
afterAll(async () => {
  await api.close();
  await world.close();
});

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const units = (minor: number): bigint => BigInt(minor) * 10_000n;
const asAgent = ({ id }: TestAgent): As => ({
  tenant: world.operator,
  client: id,
  scopes: ["oid4ac:payment"],
});
const send = (by: TestAgent, mandate: Id<"mandate">, body: object): Promise<Sent> =>
  api.send({ as: asAgent(by), method: "POST", path: `/api/v1/mandates/${mandate}/hand-on`, body });
const post = (path: string, as: As = walletOf(world)): Promise<Sent> =>
  api.send({ as, method: "POST", path, body: {} });

async function handOn(
  mandate: { readonly id: Id<"mandate"> },
  by: TestAgent,
  to: TestAgent,
  asked: object = {},
): Promise<IssuedTestMandate> {
  const { status, body } = await send(by, mandate.id, { agent_id: to.id, ...asked });
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return { id: body["id"] as Id<"mandate">, jwt: String(body["mandate_jwt"]) };
}
const charge = (mandate: IssuedTestMandate, agent: TestAgent, amount: number) =>
  world.charges.create(asMerchant(world), purchase(world, { mandate, agent, amount }));
const statusOf = async (id: Id<"mandate">): Promise<unknown> =>
  (await api.send({ as: walletOf(world), path: `/api/v1/mandates/${id}` })).body["status"];
const isRight = (id: Id<"mandate">): Promise<boolean> =>
  world.db.of(world.payer).transaction((tx) => checkBudget(tx, id));

describe("a mandate that was handed on", () => {
  test("G02 has no more left than any above it, which is what its principal is told", async () => {
    const root = await giveMandate(world);
    const leaf = await handOn(root, world.agent, second, { amount_minor: 2_000 });
    const find = async () => (await world.mandates.find(world.payer, leaf.id))?.mandate;
    const left = async (taking: bigint) => {
      const mandate = await find();
      if (mandate === undefined) throw new Error("no such mandate");
      return world.db.of(world.payer).transaction((tx) => remainingAfter(tx, mandate, taking));
    };
    expect(await left(units(500))).toBe(1_500);
    await charge(root, world.agent, 9_000);
    expect(await left(0n)).toBe(1_000);
    expect(await left(units(1_000))).toBe(0);
  });

  test("spends of every budget above it, and gives back to each what is not captured or is refunded", async () => {
    const root = await giveMandate(world, { velocity: [{ period: "day", amount_minor: 5_000 }] });
    const middle = await handOn(root, world.agent, second, { amount_minor: 3_000 });
    const leaf = await handOn(middle, second, third, { amount_minor: 2_000, per_charge_minor: 1_500 });
    const held = await charge(leaf, third, 1_200);
    for (const { id } of [root, middle, leaf])
      expect(await budgetOf(world, id)).toMatchObject({ held: units(1_200), spent: 0n, uses: 1 });
    await world.charges.capture(own(world, held.id), { ...order, amountMinor: 700 });
    await world.charges.refund(own(world, held.id), { key: "back", amountMinor: 200 });
    const gone = await charge(leaf, third, 900);
    await world.charges.release(own(world, gone.id), "cancelled");
    for (const { id } of [root, middle, leaf]) {
      expect(await budgetOf(world, id)).toMatchObject({ held: 0n, spent: units(500), uses: 1 });
      expect(await isRight(id)).toBe(true);
    }
    const [window] = (await world.mandates.find(world.payer, root.id))?.windows ?? [];
    expect(window).toMatchObject({ amount: units(700), uses: 1 });
  });

  test("O10 is refused where one above it has no room, and says only that it is one above", async () => {
    const root = await giveMandate(world, { amount_minor: 1_000 });
    const leaf = await handOn(root, world.agent, second);
    await charge({ ...root }, world.agent, 600);
    const refused = await charge(leaf, second, 500).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "mandate_cap_exceeded", extra: { limited_by: "ancestor" } });
    expect(Object(refused).extra).not.toHaveProperty("remaining");
    expect(await budgetOf(world, leaf.id)).toMatchObject({ held: 0n, uses: 0 });
  });

  test("O10 is refused by a period's rule of one above it", async () => {
    const root = await giveMandate(world, { velocity: [{ period: "day", count: 1 }] });
    const [one, other] = [await handOn(root, world.agent, second), await handOn(root, world.agent, third)];
    await charge(one, second, 10);
    expect(await refusalOf(charge(other, third, 10))).toBe("mandate_velocity_exceeded");
  });

  test.each([
    { amount_minor: 10_001 },
    { per_charge_minor: 501 },
    { merchants: ["https://other.test"] },
    { categories: ["music"] },
    { rails: ["x402"] },
    { velocity: [{ period: "day", count: 6 }] },
    { valid_until: toRfc3339(after(Date.now() as Parameters<typeof after>[0], 60 * dayMs)) },
  ])("O10 allows no more than its parent: %j", async (asked) => {
    const root = await giveMandate(world, {
      per_charge_minor: 500,
      merchants: ["https://shop.test"],
      categories: ["books"],
      rails: ["card"],
      velocity: [{ period: "day", count: 5 }],
    });
    const refused = await send(world.agent, root.id, { agent_id: second.id, ...asked });
    expect(refused).toMatchObject({ status: 400, body: { code: "mandate_would_widen" } });
  });

  test("goes to no agent of another organization, nor from one that does not hold it", async () => {
    const root = await giveMandate(world);
    const strange = await newAgent(world.db, { operator: newId("tenant"), clock: world.clock });
    expect(await send(world.agent, root.id, { agent_id: strange.id })).toMatchObject({ status: 400 });
    expect(await send(world.agent, root.id, { agent_id: world.agent.id })).toMatchObject({ status: 400 });
    expect(await send(second, root.id, { agent_id: third.id })).toMatchObject({ status: 404 });
  });

  test("O10 is not deeper than eight", async () => {
    let mandate: { id: Id<"mandate"> } = await giveMandate(world);
    for (let depth = 1; depth <= 8; depth++) {
      const [by, to] = depth % 2 === 1 ? [world.agent, second] : [second, world.agent];
      mandate = await handOn(mandate, by, to);
    }
    expect(await send(world.agent, mandate.id, { agent_id: second.id })).toMatchObject({
      status: 409,
      body: { code: "delegation_limit_reached" },
    });
  });

  test("O10 is refused once one above it is narrowed to less, or its time is over", async () => {
    const root = await giveMandate(world, { categories: ["books", "music"] });
    const leaf = await handOn(root, world.agent, second);
    const narrowed = {
      as: walletOf(world),
      method: "POST",
      path: `/api/v1/mandates/${root.id}/narrow`,
    } as const;
    await api.send({ ...narrowed, body: { categories: ["music"] } });
    expect(await refusalOf(charge(leaf, second, 10))).toBe("mandate_category_not_allowed");
    const other = await giveMandate(world);
    const below = await handOn(other, world.agent, second);
    const until = toRfc3339(after(world.clock.now(), hourMs));
    await api.send({
      ...narrowed,
      path: `/api/v1/mandates/${other.id}/narrow`,
      body: { valid_until: until },
    });
    world.clock.advance(2 * hourMs);
    expect(await refusalOf(charge(below, second, 10))).toBe("mandate_expired");
  });
});

describe("G05 an ancestor that ends", () => {
  test("O10 by revocation takes all below it with it, and what they held is not captured", async () => {
    const root = await giveMandate(world);
    const middle = await handOn(root, world.agent, second);
    const leaf = await handOn(middle, second, third);
    const held = await charge(leaf, third, 100);
    await post(`/api/v1/mandates/${middle.id}/revoke`);
    expect(await refusalOf(charge(leaf, third, 1))).toBe("mandate_revoked");
    expect(await refusalOf(world.charges.capture(own(world, held.id), order))).toBe("mandate_revoked");
    expect([await statusOf(root.id), await statusOf(middle.id), await statusOf(leaf.id)]).toEqual([
      "active",
      "revoked",
      "revoked",
    ]);
    expect(await budgetOf(world, root.id)).toMatchObject({ held: 0n, spent: 0n });
  });

  test("by suspension holds them back until every one above is active again", async () => {
    const root = await giveMandate(world);
    const middle = await handOn(root, world.agent, second);
    const leaf = await handOn(middle, second, third);
    await post(`/api/v1/mandates/${root.id}/suspend`);
    await post(`/api/v1/mandates/${middle.id}/suspend`);
    expect(await refusalOf(charge(leaf, third, 1))).toBe("mandate_suspended");
    await post(`/api/v1/mandates/${root.id}/resume`);
    expect(await statusOf(leaf.id)).toBe("suspended");
    await post(`/api/v1/mandates/${middle.id}/resume`);
    expect(await statusOf(leaf.id)).toBe("active");
    expect(await charge(leaf, third, 1)).toMatchObject({ state: "authorized" });
    const told = await world.database.asAdmin<{ event: string }>(
      "select event from audit_rows where subject = $1 order by event_id",
      [leaf.id],
    );
    expect(told.map(({ event }) => event)).toEqual([
      "mandate.issued",
      "mandate.suspended",
      "mandate.resumed",
    ]);
  });

  test("by a freeze of the agent that handed it on stops them too", async () => {
    const root = await giveMandate(world);
    const leaf = await handOn(root, world.agent, second);
    await post(`/api/v1/wallet/agents/${world.agent.id}/freeze`);
    expect(await refusalOf(charge(leaf, second, 1))).toBe("mandate_suspended");
    await post(`/api/v1/wallet/agents/${world.agent.id}/unfreeze`);
    expect(await charge(leaf, second, 1)).toMatchObject({ state: "authorized" });
  });
});

test("C01 of 100 parallel charges on a chain exactly as many are held as its narrowest budget has room for", async () => {
  const root = await giveMandate(world, { amount_minor: 10_000 });
  const middle = await handOn(root, world.agent, second, { amount_minor: 3_700 });
  const [left, right] = [await handOn(middle, second, third), await handOn(middle, second, world.agent)];
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, at) =>
      (at % 2 === 0 ? charge(left, third, 100) : charge(right, world.agent, 100)).then(
        () => "held",
        (error: unknown) => Object(error).code as string, // every refusal has one
      ),
    ),
  );
  expect(outcomes.filter((one) => one === "held")).toHaveLength(37);
  expect(new Set(outcomes)).toEqual(new Set(["held", "mandate_cap_exceeded"]));
  for (const { id } of [root, middle, left, right]) expect(await isRight(id)).toBe(true);
  expect(await budgetOf(world, root.id)).toMatchObject({ held: units(3_700), uses: 37 });
});

test("O10 a chain verifies offline, and not with a link left out, of another chain, or out of order", async () => {
  const root = await giveMandate(world);
  const middle = await handOn(root, world.agent, second, { amount_minor: 3_000 });
  const leaf = await handOn(middle, second, third, { amount_minor: 2_000 });
  const other = await handOn(await giveMandate(world), world.agent, second);
  const keys = world.keys.jwks(["mandate"]).keys;
  const verify = (...mandates: IssuedTestMandate[]) =>
    verifyMandateChain({
      mandates: mandates.map(({ jwt }) => jwt),
      issuer,
      issuerKeys: keys,
      now: world.clock.now(),
    });
  expect(verify(root, middle, leaf).map(({ claims }) => claims.jti)).toEqual([root.id, middle.id, leaf.id]);
  for (const chain of [[root, leaf], [leaf], [middle, leaf], [leaf, middle, root], [root, other], []])
    expect(() => verify(...chain)).toThrow(expect.objectContaining({ code: "mandate_chain_broken" }));
});
