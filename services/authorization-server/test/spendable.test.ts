import { type Id, newId } from "@remit/kernel";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { roomUnder } from "../src/mandates/rooms.ts";
import { type Api, type As, openApi, walletOf } from "./charging/api.ts";
import {
  asMerchant,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  newAgent,
  purchase,
  type TestAgent,
  type World,
} from "./charging/world.ts";

// What a principal is told that may be spent: each euro once, and none that is refused.

let world: World;
let api: Api;
let [first, second, third] = [undefined, undefined, undefined] as unknown as [
  TestAgent,
  TestAgent,
  TestAgent,
]; // made below
beforeAll(async () => {
  world = await createWorld();
  api = await openApi(world);
});
afterAll(async () => {
  await api.close();
  await world.close();
});
/** A principal of its own for each test, with agents that nobody else gave anything. */
beforeEach(async () => {
  world = { ...world, payer: newId("tenant"), principal: newId("account") };
  [first, second, third] = [
    await newAgent(world.db, world),
    await newAgent(world.db, world),
    await newAgent(world.db, world),
  ];
});

const get = async (path: string, as: As = walletOf(world)): Promise<Record<string, unknown>> =>
  (await api.send({ as, path })).body;
const post = async (path: string, body: object = {}, as: As = walletOf(world)) =>
  api.send({ as, method: "POST", path, body });
const totals = async (): Promise<unknown> => (await get("/api/v1/wallet/totals"))["data"];
const roomOf = async ({ id }: TestAgent): Promise<unknown> =>
  (await get(`/api/v1/wallet/agents/${id}`))["remaining"];
const euros = (minor: number) => [{ currency: "EUR", remaining_minor: minor }];
const charge = (mandate: IssuedTestMandate, agent: TestAgent, amount: number) =>
  world.charges.create(asMerchant(world), purchase(world, { mandate, agent, amount }));

async function handOn(
  mandate: { readonly id: Id<"mandate"> },
  { by, to, asked = {} }: { readonly by: TestAgent; readonly to: TestAgent; readonly asked?: object },
): Promise<IssuedTestMandate> {
  const as = { tenant: world.operator, client: by.id, scopes: ["oid4ac:payment"] };
  const path = `/api/v1/mandates/${mandate.id}/hand-on`;
  const { status, body } = await post(path, { agent_id: to.id, ...asked }, as);
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return { id: body["id"] as Id<"mandate">, jwt: String(body["mandate_jwt"]) };
}

describe("what may be spent under all mandates", () => {
  test("counts what was handed on once, and what is spent of it once", async () => {
    const root = await giveMandate(world, { amount_minor: 50_000 }, first);
    const leaf = await handOn(root, { by: first, to: second, asked: { amount_minor: 40_000 } });
    await charge(leaf, second, 10_000);
    expect(await totals()).toEqual([
      {
        currency: "EUR",
        mandates: 1,
        allowed_minor: 50_000,
        spent_minor: 0,
        held_minor: 10_000,
        spendable_minor: 40_000,
      },
    ]);
  });

  test("is nothing of what is paused, frozen, used or over, and nothing of a stranger's", async () => {
    const paused = await giveMandate(world, { amount_minor: 1_000 }, first);
    await giveMandate(world, { amount_minor: 2_000 }, second);
    const once = await giveMandate(world, { amount_minor: 4_000, uses: "single" }, third);
    await giveMandate(world, { amount_minor: 8_000 }, third);
    await post(`/api/v1/mandates/${paused.id}/suspend`);
    await post(`/api/v1/wallet/agents/${second.id}/freeze`);
    await charge(once, third, 1_000);
    expect(await totals()).toMatchObject([{ mandates: 4, allowed_minor: 15_000, spendable_minor: 8_000 }]);
    expect([await roomOf(first), await roomOf(second), await roomOf(third)]).toEqual([
      euros(0),
      euros(0),
      euros(8_000),
    ]);
    expect((await get("/api/v1/wallet/forecast"))["data"]).toMatchObject([{ remaining_minor: 8_000 }]);
    const strange = { ...walletOf(world), tenant: newId("tenant") };
    expect((await get("/api/v1/wallet/totals", strange))["data"]).toEqual([]);
  });
});

describe("what one agent may spend", () => {
  test("is no more than those above its mandates leave, however much was handed to it", async () => {
    const root = await giveMandate(world, { amount_minor: 50_000 }, first);
    const middle = await handOn(root, { by: first, to: second, asked: { amount_minor: 30_000 } });
    await handOn(middle, { by: second, to: third, asked: { amount_minor: 20_000 } });
    await handOn(middle, { by: second, to: third, asked: { amount_minor: 20_000 } });
    await giveMandate(world, { amount_minor: 500 }, third);
    expect([await roomOf(first), await roomOf(second), await roomOf(third)]).toEqual([
      euros(50_000),
      euros(30_000),
      euros(30_500),
    ]);
    await charge(root, first, 40_000);
    expect(await roomOf(third)).toEqual(euros(10_500));
    await post(`/api/v1/mandates/${root.id}/suspend`);
    expect([await roomOf(second), await roomOf(third)]).toEqual([euros(0), euros(500)]);
  });

  test("is one budget when it handed its mandate on and got it back", async () => {
    const root = await giveMandate(world, { amount_minor: 1_000 }, first);
    const away = await handOn(root, { by: first, to: second });
    await handOn(away, { by: second, to: first });
    expect(await roomOf(first)).toEqual(euros(1_000));
    expect(await get(`/api/v1/wallet/agents/${first.id}`)).toMatchObject({ mandates: 2 });
  });

  test("sums branches and bounds each by what it hangs from", () => {
    const at = (id: string, room: number) => ({ id: id as Id<"mandate">, room: String(room) }); // an id is all that counts
    const [root, other] = [at("root", 100), at("other", 7)];
    const [left, right] = [at("left", 60), at("right", 80)];
    expect(roomUnder([{ chain: [root, left, at("a", 50)] }, { chain: [root, left, at("b", 50)] }])).toBe(60n);
    expect(roomUnder([{ chain: [root, left] }, { chain: [root, right] }, { chain: [other] }])).toBe(107n);
    expect(roomUnder([{ chain: [root, at("none", 0), right] }])).toBe(0n);
  });
});

test("agents are found by their ids, however many there are, and none that the principal gave nothing", async () => {
  await giveMandate(world, {}, first);
  await giveMandate(world, {}, second);
  const path = (...ids: string[]) => `/api/v1/wallet/agents?ids=${ids.join(",")}&limit=100`;
  const found = (await get(path(second.id, third.id)))["data"] as { id: string }[];
  expect(found.map(({ id }) => id)).toEqual([second.id]);
  const refused = await api.send({ as: walletOf(world), path: path("mnd_1") });
  expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
});

test("a list of mandates is of those a principal gave, of those handed on from one, or of those that stand", async () => {
  const root = await giveMandate(world, {}, first);
  const leaf = await handOn(root, { by: first, to: second });
  const below = await handOn(leaf, { by: second, to: third });
  const gone = await giveMandate(world, {}, first);
  await post(`/api/v1/mandates/${gone.id}/revoke`);
  const listed = async (query: string) =>
    ((await get(`/api/v1/mandates?${query}`))["data"] as { id: string }[]).map(({ id }) => id);
  expect(await listed("parent_id=none")).toEqual([gone.id, root.id]);
  expect(await listed("parent_id=none&standing=true")).toEqual([root.id]);
  expect(await listed(`parent_id=${root.id}`)).toEqual([leaf.id]);
  expect(await listed("standing=true&limit=2")).toEqual([below.id, leaf.id]);
  expect(await listed(`agent_id=${first.id}&standing=true`)).toEqual([root.id]);
  expect((await api.send({ as: walletOf(world), path: "/api/v1/mandates?parent_id=all" })).status).toBe(400);
});
