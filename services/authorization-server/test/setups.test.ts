import { createAgent, registerAgent } from "@remit/agent";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWallet, type Wallet } from "./asking.ts";
import type { Answer } from "./client.ts";
import { type Running, startServer } from "./running.ts";

const stranger = { email: "eve@example.com", name: "Eve", password: "another long and good password" };

let running: Running;
let wallet: Wallet;
let theirs: Wallet;

beforeAll(async () => {
  running = await startServer();
  await running.service.bootstrap({
    tenant: { name: "Eve's" },
    principal: stranger,
    admin: { clientSecret: "another-admin-secret-of-many-random-bits-01234" },
  });
  [wallet, theirs] = [await openWallet(running), await openWallet(running, stranger)];
});
afterAll(() => running.close());

const make = (by: Wallet = wallet, body: object = { name: "Reading agent" }): Promise<Answer> =>
  by.send({ method: "POST", path: "/api/v1/wallet/setups", body });
const read = (id: unknown, by: Wallet = wallet): Promise<Answer> =>
  by.send({ path: `/api/v1/wallet/setups/${String(id)}` });

const register = (setupToken: unknown) =>
  registerAgent({ issuer: running.issuer, setupToken: String(setupToken), redirectUris: [] });

describe("an agent that a person sets up", () => {
  test("registers itself once, is seen to be there, stands in the wallet before it has a mandate, and takes the one it is given", async () => {
    const { status, body, headers } = await make();
    expect(status).toBe(201);
    expect(headers.get("cache-control")).toBe("no-store");
    expect((await read(body["id"])).body).toMatchObject({ status: "waiting", agent: null });

    const { clientId, keys } = await register(body["setup_token"]);
    expect((await read(body["id"])).body).toMatchObject({
      status: "used",
      name: "Reading agent",
      agent: { id: clientId, name: "Reading agent" },
    });
    const { body: agents } = await wallet.send({ path: "/api/v1/wallet/agents" });
    expect(agents["data"]).toMatchObject([{ id: clientId, mandates: 0, frozen: false }]);
    await expect(register(body["setup_token"])).rejects.toMatchObject({ status: 401 });

    const agent = createAgent({ issuer: running.issuer, clientId, keys });
    expect(await agent.collectMandates()).toEqual([]);
    const given = await wallet.send({
      method: "POST",
      path: "/api/v1/mandates",
      body: { agent_id: clientId, currency: "EUR", amount_minor: 5_000, purpose: "Reading" },
    });
    expect(given.status).toBe(201);
    expect(await agent.collectMandates()).toMatchObject([{ id: given.body["id"] }]);
    expect(await agent.collectMandates()).toEqual([]);
    expect(await agent.mandates()).toHaveLength(1);
    await wallet.send({
      method: "POST",
      path: `/api/v1/mandates/${String(given.body["id"])}/revoke`,
      body: {},
    });
    expect(await createAgent({ issuer: running.issuer, clientId, keys }).collectMandates()).toEqual([]);
  });

  test("T01 is nobody else's: another person can read no setup, brake no such agent and give it nothing", async () => {
    const { body } = await make();
    const { clientId } = await register(body["setup_token"]);
    expect((await read(body["id"], theirs)).status).toBe(404);
    expect((await theirs.send({ path: "/api/v1/wallet/agents" })).body["data"]).toEqual([]);
    const freeze = `/api/v1/wallet/agents/${clientId}/freeze`;
    expect((await theirs.send({ method: "POST", path: freeze, body: {} })).status).toBe(404);
    const mandate = { agent_id: clientId, currency: "EUR", amount_minor: 5_000 };
    expect((await theirs.send({ method: "POST", path: "/api/v1/mandates", body: mandate })).status).toBe(404);
  });

  test("A09 what asks about a setup registers nobody, and a name must be there", async () => {
    const { body } = await make();
    await expect(register(body["id"])).rejects.toMatchObject({ status: 401 });
    expect((await read("A".repeat(43))).status).toBe(404);
    expect((await read(body["setup_token"])).status).not.toBe(200);
    for (const wrong of [{}, { name: "" }, { name: "x", kind: "merchant" }])
      expect((await make(wallet, wrong)).status).toBe(400);
    expect((await read(body["id"])).body).toMatchObject({ status: "waiting" });
  });

  test("V05 a mandate that somebody puts in the way of an agent is not taken for one", async () => {
    const { body } = await make();
    const { clientId, keys } = await register(body["setup_token"]);
    const mandate = { agent_id: clientId, currency: "EUR", amount_minor: 5_000 };
    await wallet.send({ method: "POST", path: "/api/v1/mandates", body: mandate });
    const agent = createAgent({
      issuer: running.issuer,
      clientId,
      keys: { assertion: keys.assertion, dpop: keys.dpop },
      fetch: async (url, init) => {
        if (!url.endsWith("/credential")) return fetch(url, init);
        const answer: unknown = await (await fetch(url, init)).json();
        const [issued = "", ...rest] = String(Object(answer).mandate_jwt ?? "").split("~");
        const forged = [`${issued.slice(0, -6)}AAAAAA`, ...rest].join("~");
        return Response.json({ ...Object(answer), mandate_jwt: forged });
      },
    });
    await expect(agent.collectMandates()).rejects.toThrow();
    expect(await agent.mandates()).toEqual([]);
    const other = createAgent({
      issuer: running.issuer,
      clientId,
      keys: { assertion: keys.assertion, dpop: generateJwk("ES256") },
    });
    await expect(other.collectMandates()).rejects.toThrow();
  });
});
