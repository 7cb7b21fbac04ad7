import { newId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, type As, merchantOf, openApi, type Sent, walletOf } from "./charging/api.ts";
import {
  asMerchant,
  createWorld,
  giveMandate,
  issuer,
  newAgent,
  purchase,
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

const path = "/api/v1/merchant-policy";
const read = (as: As = merchantOf(world)): Promise<Sent> => api.send({ as, path });
const put = (body: object, version: string | undefined, as: As = merchantOf(world)): Promise<Sent> =>
  api.send({
    as,
    method: "PUT",
    path,
    body,
    ...(version === undefined ? {} : { headers: { "if-match": version } }),
  });
const accept = async (policy: object): Promise<Sent> => {
  const answer = await put(policy, (await read()).headers.get("etag") ?? "");
  if (answer.status !== 200) throw new Error(answer.text);
  return answer;
};
const refusedBy = async (amount = 1_000): Promise<unknown> => {
  const mandate = await giveMandate(world);
  return world.charges.create(asMerchant(world), purchase(world, { mandate, amount })).then(
    () => undefined,
    (error: unknown) => (error instanceof Problem ? [error.code, Object(error.extra)["refused_by"]] : error),
  );
};

describe("what a merchant accepts", () => {
  test.each<[string, () => object, string | undefined]>([
    ["nothing said", () => ({}), undefined],
    ["at its limit", () => ({ max_charge: [{ currency: "EUR", amount_minor: 1_000 }] }), undefined],
    ["above its limit", () => ({ max_charge: [{ currency: "EUR", amount_minor: 999 }] }), "max_charge"],
    [
      "a limit in another currency",
      () => ({ max_charge: [{ currency: "USD", amount_minor: 1 }] }),
      undefined,
    ],
    ["this agent alone", () => ({ agents_allowed: [world.agent.id] }), undefined],
    ["another agent alone", () => ({ agents_allowed: [newId("agent")] }), "agent"],
    ["every agent but this one", () => ({ agents_refused: [world.agent.id] }), "agent"],
    ["this issuer alone", () => ({ issuers_allowed: [issuer] }), undefined],
    ["another issuer alone", () => ({ issuers_allowed: ["https://issuer.example"] }), "issuer"],
    ["no card", () => ({ rails_refused: ["card"] }), "rail"],
    ["no stablecoin", () => ({ rails_refused: ["x402"] }), undefined],
  ])("%s", async (_what, policy, objection) => {
    await accept(policy());
    expect(await refusedBy()).toEqual(
      objection === undefined ? undefined : ["merchant_policy_refused", objection],
    );
  });

  test("is refused before anything is held, and the same presentation may come again", async () => {
    const agent = await newAgent(world.db, world);
    const mandate = await giveMandate(world, {}, agent);
    await accept({ agents_refused: [agent.id] });
    const request = purchase(world, { mandate, agent });
    await expect(world.charges.create(asMerchant(world), request)).rejects.toMatchObject({
      code: "merchant_policy_refused",
    });
    expect((await world.mandates.find(world.payer, mandate.id))?.budget).toMatchObject({ held: 0n, uses: 0 });
    await accept({});
    expect(await world.charges.create(asMerchant(world), request)).toMatchObject({ state: "authorized" });
  });

  test("changes only as it was read, by its own client", async () => {
    const version = (await read()).headers.get("etag") ?? "";
    expect((await put({}, undefined)).status).toBe(428);
    const both = await Promise.all([put({ rails_refused: ["x402"] }, version), put({}, version)]);
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 412]));
    expect(await put({}, version, { ...merchantOf(world), tenant: newId("tenant") })).toMatchObject({
      status: 403,
      body: { code: "charge_merchant_unknown" },
    });
    expect((await read({ ...merchantOf(world), client: newId("client") })).body["code"]).toBe(
      "charge_merchant_unknown",
    );
    expect((await put({}, version, walletOf(world))).body["code"]).toBe("insufficient_scope");
    const twice = [1, 2].map((amount_minor) => ({ currency: "EUR", amount_minor }));
    expect((await put({ max_charge: twice }, (await read()).headers.get("etag") ?? "")).status).toBe(400);
  });
});
