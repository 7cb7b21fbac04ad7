import { type Id, newId } from "@remit/kernel";
import { createLog } from "@remit/platform/telemetry";
import { parseMandateRequest, publicJwkOf } from "@remit/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkBudget, checkBudgets } from "../src/mandates/index.ts";
import { approvalsOf, askPerson, newAgent, openWallet, pollPerson, type Wallet } from "./asking.ts";
import { type Api, openApi, walletOf } from "./charging/api.ts";
import { asMerchant, budgetOf, createWorld, purchase, type World } from "./charging/world.ts";
import type { OAuthClient } from "./client.ts";
import { mandateRequest } from "./consent.ts";
import { type Running, startServer } from "./running.ts";

describe("a mandate out of which is granted without asking", () => {
  let world: World;
  let api: Api;
  const person = newId("account");
  beforeAll(async () => {
    world = await createWorld();
    api = await openApi(world);
  });
  afterAll(async () => {
    await api.close();
    await world.close();
  });

  const standing = async (velocity?: object[]) => {
    const given = parseMandateRequest(
      { type: "oid4ac_mandate", currency: "EUR", amount_minor: 1_000, ...(velocity && { velocity }) },
      world.clock.now(),
    );
    return world.db.of(world.payer).transaction((tx) =>
      world.mandates.issue(tx, {
        request: given,
        agent: world.agent.id,
        agentTenant: world.operator,
        holder: publicJwkOf(world.agent.dpop),
        principal: { account: person },
        consent: { at: world.clock.now() },
        auto: true,
      }),
    );
  };
  const asked = (more: object = {}) =>
    parseMandateRequest(
      { type: "oid4ac_mandate", currency: "EUR", amount_minor: 1_000, ...more },
      world.clock.now(),
    );
  const grant = (parent: Id<"mandate">, request: ReturnType<typeof asked>) =>
    world.db.of(world.payer).transaction((tx) =>
      world.mandates.grantAutomatic(tx, {
        parent,
        agent: world.agent.id,
        tenant: world.operator,
        holder: publicJwkOf(world.agent.dpop),
        principal: person,
        request,
        now: world.clock.now(),
      }),
    );

  test("100 grants of it are still one budget", async () => {
    const root = await standing([{ period: "month", amount_minor: 1_000 }]);
    const granted = [];
    for (let at = 0; at < 100; at++) granted.push(await grant(root.id, asked()));
    const outcomes = await Promise.all(
      granted.map((mandate) =>
        world.charges.create(asMerchant(world), purchase(world, { mandate, amount: 300 })).then(
          () => "held",
          (error: unknown) => Object(error).code as string, // every refusal has one
        ),
      ),
    );
    expect(outcomes.filter((one) => one === "held")).toHaveLength(3);
    expect(new Set(outcomes)).toEqual(new Set(["held", "mandate_cap_exceeded"]));
    expect(await budgetOf(world, root.id)).toMatchObject({ held: 9_000_000n, uses: 3 });
    expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, root.id))).toBe(true);
  });

  test("M01 a budget that is not what its holds say is found, and no other is, of the chain or beside it", async () => {
    const root = await standing([{ period: "month", amount_minor: 1_000 }]);
    const mandate = await grant(root.id, asked());
    await world.charges.create(asMerchant(world), purchase(world, { mandate, amount: 300 }));
    const said: unknown[] = [];
    const log = createLog({
      service: "test",
      level: "error",
      destination: { write: (line) => void said.push(JSON.parse(line)) },
    });
    expect(await checkBudgets({ db: world.db, log })).toEqual([]);
    const lose = (units: number) =>
      world.database.asAdmin(
        `update ${world.database.schema}.mandate_budgets set held = held - ${units} where mandate_id = '${root.id}'`,
      );
    await lose(1);
    expect(await checkBudgets({ db: world.db, log })).toEqual([root.id]);
    expect(said).toEqual([expect.objectContaining({ tenant: world.payer, mandate: root.id })]);
    await lose(-1);
    expect(await checkBudgets({ db: world.db, log })).toEqual([]);
  });

  test("is none without a limit for a period", async () => {
    await expect(standing()).rejects.toMatchObject({ code: "invalid_authorization_details" });
    await expect(standing([{ period: "day", count: 3 }])).rejects.toMatchObject({
      code: "invalid_authorization_details",
    });
  });

  test("gives nothing that is more than it, or of another kind", async () => {
    const root = await standing([{ period: "month", amount_minor: 1_000 }]);
    for (const more of [
      { amount_minor: 1_001 },
      { currency: "USD" },
      { velocity: [{ period: "month", amount_minor: 1_001 }] },
    ])
      await expect(grant(root.id, asked(more))).rejects.toMatchObject({ code: "mandate_would_widen" });
    const page = { as: walletOf(world), path: `/api/v1/mandates/${root.id}` };
    expect((await api.send(page)).body).toMatchObject({ auto: true, parent_id: null });
  });
});

describe("an agent that asks for what its principal allowed beforehand", () => {
  let running: Running;
  let wallet: Wallet;
  let agent: OAuthClient;
  beforeAll(async () => {
    running = await startServer();
    wallet = await openWallet(running);
    agent = await newAgent(running);
  });
  afterAll(() => running.close());

  test("has it at once and nobody is asked; what does not fit waits for an answer", async () => {
    const { currency, merchants } = mandateRequest;
    const given = await wallet.send({
      method: "POST",
      path: "/api/v1/mandates",
      body: {
        agent_id: agent.id,
        currency,
        ...(merchants && { merchants }),
        amount_minor: 60_000,
        velocity: [{ period: "month", amount_minor: 60_000 }],
        auto: true,
      },
    });
    expect(given.status).toBe(201);
    const asked = await askPerson(agent);
    const answer = await pollPerson(agent, asked);
    expect(answer).toMatchObject({ status: 200, body: { mandate_id: expect.stringMatching(/^mnd_/) } });
    expect(await approvalsOf(wallet, "pending")).toEqual([]);
    const granted = await wallet.send({ path: `/api/v1/mandates/${String(answer.body["mandate_id"])}` });
    expect(granted.body).toMatchObject({ parent_id: given.body["id"], status: "active" });
    const more = { ...mandateRequest, amount_minor: 60_001 };
    const unfit = await askPerson(agent, { authorization_details: JSON.stringify([more]) });
    expect(unfit.status).toBe(200);
    expect(await approvalsOf(wallet, "pending")).toHaveLength(1);
  });
});
