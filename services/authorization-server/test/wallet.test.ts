import { after, type Id, newId, secondMs, toNumericDate, toRfc3339 } from "@remit/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, type As, agentOf, openApi, type Sent, walletOf } from "./charging/api.ts";
import {
  asMerchant,
  createWorld,
  giveMandate,
  newAgent,
  own,
  purchase,
  refusalOf,
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

/** A person's wallet; the scope alone is not enough to give a mandate. */
const person = newId("account");
const personal = (): As => ({ ...walletOf(world), subject: person });
const charge = (wanted: Parameters<typeof purchase>[1]) =>
  world.charges.create(asMerchant(world), purchase(world, wanted));
const get = (path: string, as: As = personal()): Promise<Sent> => api.send({ as, path });
const post = (path: string, body: unknown = {}, as: As = personal()): Promise<Sent> =>
  api.send({ as, method: "POST", path, body });
const give = (body: object, as?: As) => post("/api/v1/mandates", body, as);
const statusBits = async (id: Id<"mandate">): Promise<number> => {
  const [row] = await world.database.asAdmin<{ state: number }>(
    `select status_entries.state from status_entries join mandates on list_id = status_list and place = status_place where id = $1`,
    [id],
  );
  return row?.state ?? -1;
};

describe("a mandate that a principal gives of its own accord", () => {
  test("pays, with what its agent fetches, and says in words what it allows", async () => {
    await giveMandate(world);
    const given = await give({
      agent_id: world.agent.id,
      currency: "EUR",
      amount_minor: 2_000,
      per_charge_minor: 1_500,
      velocity: [{ period: "day", count: 1, zone: "Europe/Amsterdam" }],
      purpose: "Books",
    });
    expect(given).toMatchObject({
      status: 201,
      body: {
        status: "active",
        cap_minor: 2_000,
        remaining_minor: 2_000,
        frozen: false,
        windows: [{ period: "day", zone: "Europe/Amsterdam", count: 1, used_count: 0, amount_minor: null }],
      },
    });
    expect(given.body["sentences"]).toContain("Spend up to 20.00 EUR in all.");
    const id = given.body["id"] as Id<"mandate">;
    const credential = await get(`/api/v1/mandates/${id}/credential`, agentOf(world));
    const jwt = String(credential.body["mandate_jwt"]);
    expect(await charge({ mandate: { id, jwt }, amount: 1_500 })).toMatchObject({ state: "authorized" });
    expect((await get(`/api/v1/mandates/${id}`)).body).toMatchObject({
      held_minor: 1_500,
      windows: [{ used_count: 1, used_minor: 1_500 }],
    });
    expect(await refusalOf(charge({ mandate: { id, jwt }, amount: 1 }))).toBe("mandate_velocity_exceeded");
  });

  test("is one mandate however often its request is sent with one key", async () => {
    const body = { agent_id: world.agent.id, currency: "EUR", amount_minor: 777 };
    const send = () =>
      api.send({ as: personal(), method: "POST", path: "/api/v1/mandates", body, key: "once" });
    const [first, again] = [await send(), await send()];
    expect([first.status, again.status, again.body["id"]]).toEqual([201, 201, first.body["id"]]);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  test("T01 goes to no agent that the principal has nothing to do with", async () => {
    const operator = newId("tenant");
    const strange = await newAgent(world.db, { operator, clock: world.clock });
    const body = { agent_id: strange.id, currency: "EUR", amount_minor: 1 };
    expect(await give(body)).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect(await give({ ...body, agent_id: newId("agent") })).toMatchObject({ status: 404 });
  });

  test.each([
    { currency: "XXX" },
    { amount_minor: 0 },
    { per_charge_minor: 5_001 },
    { merchants: ["https://shop.test/path"] },
    { velocity: [{ period: "day", count: 1, zone: "Mars/Olympus" }] },
    { also_accepts: [{ asset: "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", peg: "USD" }] },
    { valid_until: "2020-01-01T00:00:00Z" },
    { limits_hidden: true },
  ])("V01 %j is refused as an agent's request is", async (change) => {
    const body = { agent_id: world.agent.id, currency: "EUR", amount_minor: 5_000, ...change };
    expect((await give(body)).status).toBe(400);
  });

  test("is given by a person alone", async () => {
    const body = { agent_id: world.agent.id, currency: "EUR", amount_minor: 5_000 };
    expect(await give(body, walletOf(world))).toMatchObject({ status: 403, body: { code: "forbidden" } });
  });
});

describe("the history of a mandate", () => {
  test("has each change once, newest first, page by page", async () => {
    const { id } = await giveMandate(world);
    for (const change of ["suspend", "resume", "suspend"]) await post(`/api/v1/mandates/${id}/${change}`);
    await post(`/api/v1/mandates/${id}/suspend`);
    const first = await get(`/api/v1/mandates/${id}/history?limit=3`);
    const rest = await get(
      `/api/v1/mandates/${id}/history?limit=3&cursor=${String(first.body["next_cursor"])}`,
    );
    const types = [first, rest].flatMap(({ body }) =>
      (body["data"] as { type: string }[]).map(({ type }) => type),
    );
    expect(types).toEqual(["mandate.suspended", "mandate.resumed", "mandate.suspended", "mandate.issued"]);
    expect(rest.body["next_cursor"]).toBeNull();
    const strange = { ...personal(), tenant: newId("tenant") };
    expect(await get(`/api/v1/mandates/${id}/history`, strange)).toMatchObject({ status: 404 });
  });
});

describe("charges in a wallet", () => {
  test("are found by mandate, agent, merchant, state and time, and by nobody else", async () => {
    const mandate = await giveMandate(world);
    const made = [];
    for (const amount of [101, 102, 103]) made.push(await charge({ mandate, amount }));
    const [first, second] = made;
    if (first === undefined || second === undefined) throw new Error("they were made");
    await world.charges.release(own(world, first.id), "cancelled");
    const find = async (query: string, as?: As) => {
      const { body } = await get(`/api/v1/wallet/charges?mandate_id=${mandate.id}&${query}`, as);
      return (body["data"] as { amount_minor: number }[]).map(({ amount_minor }) => amount_minor);
    };
    expect((await find("")).toSorted((a, b) => a - b)).toEqual([101, 102, 103]);
    expect(await find("status=released")).toEqual([101]);
    expect(await find(`agent_id=${newId("agent")}`)).toEqual([]);
    expect(await find(`merchant_id=${world.merchant.id}&limit=100`)).toHaveLength(3);
    expect(await find("until=2020-01-01T00:00:00Z")).toEqual([]);
    expect(await find("since=2020-01-01T00:00:00Z")).toHaveLength(3);
    expect(await find("", { ...personal(), tenant: newId("tenant") })).toEqual([]);
    const page = await get(`/api/v1/wallet/charges?mandate_id=${mandate.id}&limit=2`);
    expect(await find(`limit=2&cursor=${String(page.body["next_cursor"])}`)).toHaveLength(1);
    expect(await get(`/api/v1/wallet/charges/${second.id}`)).toMatchObject({
      status: 200,
      body: { merchant_origin: "https://shop.test", status: "authorized", receipt_id: null },
    });
    await world.charges.capture(own(world, second.id), {
      amountMinor: undefined,
      responseDigest: undefined,
      requestDigest: undefined,
    });
    expect(Object.keys((await get(`/api/v1/wallet/charges/${second.id}`)).body)).toContain("receipt");
  });
});

describe("a purchase in a wallet", () => {
  test("is found by its number, its category and by words of where and what it was, and by nobody else", async () => {
    const mandate = await giveMandate(world);
    const lines = [{ name: "Ｈeron, BLUE", amount_minor: 700 }];
    const heron = await charge({
      mandate,
      amount: 700,
      offer: { name: "Étude of a bird", line_items: lines },
    });
    const report = await charge({ mandate, amount: 300 });
    const find = async (query: string, as?: As) => {
      const { body } = await get(`/api/v1/wallet/charges?mandate_id=${mandate.id}&${query}`, as);
      return (body["data"] as { id: string }[]).map(({ id }) => id);
    };
    expect(await find("q=heron")).toEqual([heron.id]);
    expect(await find("q=blue%20%C3%A9TUDE%20shop.test")).toEqual([heron.id]);
    expect(await find("q=blue%20report")).toEqual([]);
    expect(await find("q=a%20report")).toEqual([report.id]);
    expect(new Set(await find("q=Shop"))).toEqual(new Set([heron.id, report.id]));
    expect(await find(`q=%20${report.id}`)).toEqual([report.id]);
    expect(await find("q=%25")).toEqual([]);
    const first = await get(`/api/v1/wallet/charges?mandate_id=${mandate.id}&q=shop&limit=1`);
    expect(await find(`q=shop&limit=1&cursor=${String(first.body["next_cursor"])}`)).toHaveLength(1);
    expect(await find("category=books")).toHaveLength(2);
    expect(await find("category=music")).toEqual([]);
    const strange = { ...personal(), tenant: newId("tenant") };
    expect(await find(`q=${report.id}`, strange)).toEqual([]);
    expect(await find("q=shop", strange)).toEqual([]);
  });

  test("counts in the sums of its category alone", async () => {
    const mandate = await giveMandate(world);
    const { id } = await charge({ mandate, amount: 400 });
    const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
    await world.charges.capture(own(world, id), order);
    const sums = async (category: string) =>
      (await get(`/api/v1/wallet/spending?mandate_id=${mandate.id}&category=${category}`)).body["data"];
    expect(await sums("books")).toMatchObject([{ spent_minor: 400 }]);
    expect(await sums("music")).toEqual([]);
  });
});

describe("an agent that its principal freezes", () => {
  let agent: TestAgent;
  beforeAll(async () => {
    agent = await newAgent(world.db, world);
  });
  const freeze = (verb: "freeze" | "unfreeze") => post(`/api/v1/wallet/agents/${agent.id}/${verb}`);

  test("O08 buys nothing more under any mandate, and what it held is not captured", async () => {
    const [one, other] = [await giveMandate(world, {}, agent), await giveMandate(world, {}, agent)];
    const held = await charge({ mandate: one, amount: 100, agent });
    expect(await freeze("freeze")).toMatchObject({ status: 200, body: { frozen: true, mandates: 2 } });
    for (const mandate of [one, other]) {
      expect(await refusalOf(charge({ mandate, amount: 1, agent }))).toBe("agent_frozen");
      expect(await statusBits(mandate.id)).toBe(2);
    }
    const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
    expect(await refusalOf(world.charges.capture(own(world, held.id), order))).toBe("mandate_suspended");
    expect(await refusalOf(giveMandate(world, {}, agent))).toBe("agent_frozen");
    await freeze("unfreeze");
    expect(await charge({ mandate: one, amount: 1, agent })).toMatchObject({ state: "authorized" });
    expect(await statusBits(one.id)).toBe(0);
  });

  test("keeps what was suspended for another reason suspended when it is let go again", async () => {
    const [paused, frozenFirst] = [await giveMandate(world, {}, agent), await giveMandate(world, {}, agent)];
    await post(`/api/v1/mandates/${paused.id}/suspend`);
    await freeze("freeze");
    await post(`/api/v1/mandates/${frozenFirst.id}/suspend`);
    expect(await post(`/api/v1/mandates/${frozenFirst.id}/resume`)).toMatchObject({
      status: 403,
      body: { code: "agent_frozen" },
    });
    await post(`/api/v1/mandates/${frozenFirst.id}/suspend`);
    await freeze("unfreeze");
    for (const { id } of [paused, frozenFirst]) {
      expect((await get(`/api/v1/mandates/${id}`)).body).toMatchObject({
        status: "suspended",
        frozen: false,
      });
      expect(await statusBits(id)).toBe(2);
    }
  });

  test("stays frozen when the brake on all is lifted, and all of them stop by that one", async () => {
    const mandate = await giveMandate(world, {}, agent);
    const elsewhere = await giveMandate(world);
    await freeze("freeze");
    expect(await post("/api/v1/wallet/freeze")).toMatchObject({ body: { all_frozen: true } });
    expect(await refusalOf(charge({ mandate: elsewhere, amount: 1 }))).toBe("agent_frozen");
    expect(await refusalOf(giveMandate(world))).toBe("agent_frozen");
    await post("/api/v1/wallet/unfreeze");
    expect(await charge({ mandate: elsewhere, amount: 1 })).toMatchObject({ state: "authorized" });
    expect(await refusalOf(charge({ mandate, amount: 1, agent }))).toBe("agent_frozen");
    const listed = await get("/api/v1/wallet/agents?limit=100");
    expect(listed.body).toMatchObject({ all_frozen: false });
    const frozen = (listed.body["data"] as { id: string; frozen: boolean }[]).filter((one) => one.frozen);
    expect(frozen.map(({ id }) => id)).toEqual([agent.id]);
    await freeze("unfreeze");
  });

  test("is stopped in one tap, and let go only by a fresh second factor of who has one", async () => {
    const mandate = await giveMandate(world, {}, agent);
    const surely = (secondsAgo: number): As => ({
      ...personal(),
      signedIn: { acr: "urn:remit:aal2", auth_time: toNumericDate(world.clock.now()) - secondsAgo },
    });
    const lets = [
      `/api/v1/wallet/agents/${agent.id}/unfreeze`,
      "/api/v1/wallet/unfreeze",
      `/api/v1/mandates/${mandate.id}/resume`,
    ];
    api.passkey.has = true;
    try {
      for (const stop of [
        `/api/v1/mandates/${mandate.id}/suspend`,
        `/api/v1/wallet/agents/${agent.id}/freeze`,
        "/api/v1/wallet/freeze",
      ])
        expect((await post(stop)).status, stop).toBe(200);
      for (const letGo of lets)
        for (const as of [personal(), surely(301)])
          expect(await post(letGo, {}, as), letGo).toMatchObject({
            status: 401,
            body: { code: "insufficient_user_authentication", acr_values: "urn:remit:aal2", max_age: 300 },
          });
      expect((await get(`/api/v1/mandates/${mandate.id}`)).body).toMatchObject({
        status: "suspended",
        frozen: true,
      });
      for (const letGo of lets) expect((await post(letGo, {}, surely(299))).status, letGo).toBe(200);
    } finally {
      api.passkey.has = false;
    }
    expect(await charge({ mandate, amount: 1, agent })).toMatchObject({ state: "authorized" });
  });

  test("C01 is frozen after two brakes that move at once, as whichever came later finds it", async () => {
    for (let round = 0; round < 5; round++) {
      const mandate = await giveMandate(world, {}, agent);
      await post("/api/v1/wallet/freeze");
      await Promise.all([post("/api/v1/wallet/unfreeze"), freeze("freeze")]);
      expect(await refusalOf(charge({ mandate, amount: 1, agent }))).toBe("agent_frozen");
      expect((await get(`/api/v1/mandates/${mandate.id}`)).body).toMatchObject({ frozen: true });
      await freeze("unfreeze");
      expect(await charge({ mandate, amount: 1, agent })).toMatchObject({ state: "authorized" });
    }
  });

  test("O08 has nothing captured any more, not even under a mandate whose time is over", async () => {
    const until = toRfc3339(after(world.clock.now(), 20 * secondMs));
    const mandate = await giveMandate(world, { valid_until: until }, agent);
    const held = await charge({ mandate, amount: 100, agent });
    world.clock.advance(30 * secondMs);
    await freeze("freeze");
    const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
    expect(await refusalOf(world.charges.capture(own(world, held.id), order))).toBe("mandate_suspended");
    await freeze("unfreeze");
  });

  test("T01 is none of another principal's business", async () => {
    const strange = { ...personal(), tenant: newId("tenant") };
    expect(await post(`/api/v1/wallet/agents/${agent.id}/freeze`, {}, strange)).toMatchObject({
      status: 404,
    });
    expect(await get(`/api/v1/wallet/agents/${agent.id}`, strange)).toMatchObject({ status: 404 });
  });

  test("I5 each state that changes has its entry, and asking twice adds none", async () => {
    const { id } = await giveMandate(world, {}, agent);
    for (const verb of ["freeze", "freeze", "unfreeze", "unfreeze"] as const) await freeze(verb);
    const { body } = await get(`/api/v1/mandates/${id}/history`);
    expect((body["data"] as { type: string }[]).map(({ type }) => type)).toEqual([
      "mandate.resumed",
      "mandate.suspended",
      "mandate.issued",
    ]);
  });
});
