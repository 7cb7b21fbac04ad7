import { type Id, newId, systemClock } from "@remit/kernel";
import { createCounters } from "@remit/platform/counters";
import { createLog } from "@remit/platform/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createQuotas } from "../src/quotas/index.ts";
import { platformTenant } from "../src/tenants/index.ts";
import { callApi } from "./api.ts";
import { type Answer, newClient, OAuthClient } from "./client.ts";
import { newAsking, pushedForm } from "./consent.ts";
import { callback, newRelyingParty } from "./relying-party.ts";
import { type Running, startServer, walletRedirect } from "./running.ts";

let running: Running;
let agents: OAuthClient[] = [];

beforeAll(async () => {
  running = await startServer({ quotas: { tokens: 8, requests: 2, introspections: 2 } });
  // Each is registered with a token of the administrator, who has a quota too.
  agents = [];
  for (let i = 0; i < 7; i++) agents.push(await newClient(running, "agent"));
});

const anAgent = (): OAuthClient => {
  const agent = agents.pop();
  if (agent === undefined) throw new TypeError("more agents are needed");
  return agent;
};
afterAll(() => running.close());

const ask = (agent: OAuthClient): Promise<Answer> =>
  agent.credentials({ resource: running.issuer, scope: "oid4ac:payment" });

const push = (agent: OAuthClient): Promise<Answer> => agent.post("/oauth/par", pushedForm(newAsking()));

function expectRefused(answer: Answer): void {
  expect(answer.status).toBe(429);
  expect(answer.body).toMatchObject({ error: "temporarily_unavailable" });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(answer.headers.get("ratelimit")).toContain('"client";r=0;t=');
}

describe("a client has a quota of its own", () => {
  test("of tokens: what is left is told, then refused, and another client is not touched", async () => {
    const [one, two] = [anAgent(), anAgent()];
    await one.learnNonce();
    const first = await ask(one);
    expect(first.status).toBe(200);
    expect(first.headers.get("ratelimit-policy")).toContain('"client";q=8;w=60');
    let last = first;
    for (let i = 0; i < 8; i++) last = await ask(one);
    expectRefused(last);
    await two.learnNonce();
    expect((await ask(two)).status).toBe(200);
  });

  test("that it cannot use up for its whole tenant", async () => {
    const [one, two] = [anAgent(), anAgent()];
    for (let i = 0; i < 90; i++) await ask(one);
    await two.learnNonce();
    expect((await ask(two)).status).toBe(200);
  });

  test("of requests that a person will be asked about", async () => {
    const agent = anAgent();
    let last = await push(agent);
    for (let i = 0; i < 3; i++) last = await push(agent);
    expectRefused(last);
  });

  test("the wallet, which asks for everybody, has none", async () => {
    const wallet = new OAuthClient(running, "wallet", running.wallet);
    const asked = { redirect_uri: walletRedirect, scope: "openid", authorization_details: "[]" };
    for (let i = 0; i < 4; i++)
      expect(
        (await wallet.post("/oauth/par", pushedForm(newAsking(), { ...asked, resource: running.issuer })))
          .status,
      ).toBe(201);
  });

  test("in the platform's tenant strangers do not share one, elsewhere a tenant's clients do", async () => {
    const log = createLog({ service: "test", level: "silent" });
    const counters = createCounters({ prefix: "test", clock: systemClock, log });
    const quotas = createQuotas({ counters, clock: systemClock, settings: { tokens: 1 } });
    const each = async (tenant: Id<"tenant">): Promise<number> => {
      const taken = Array.from({ length: 12 }, (_, i) =>
        quotas.take("tokens", { id: `${tenant} ${i}`, tenant }),
      );
      return (await Promise.allSettled(taken)).filter(({ status }) => status === "fulfilled").length;
    };
    expect(await each(platformTenant)).toBe(12);
    expect(await each(newId("tenant"))).toBe(10);
  });

  test("also with a secret, and with its own token, and a public one by the address it comes from", async () => {
    // Of its own, since the administrator's quota is used up by registering.
    const other = await startServer({ quotas: { tokens: 8, requests: 2, introspections: 2 } });
    const party = await newRelyingParty(other);
    let last = await party.post("/oauth/introspect", { token: "x" });
    expect(last.status).toBe(200);
    for (let i = 0; i < 2; i++) last = await party.post("/oauth/introspect", { token: "x" });
    expectRefused(last);
    const pushed = { response_type: "code", redirect_uri: callback, scope: "openid" };
    for (let i = 0; i < 3; i++) last = await party.post("/oauth/par", pushed);
    expectRefused(last);
    const open = await newRelyingParty(other, { token_endpoint_auth_method: "none" });
    const redeem = (): Promise<Response> =>
      fetch(`${other.issuer}/oauth/token`, {
        method: "POST",
        body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: "x", client_id: open.id }),
      });
    expect((await redeem()).status).toBe(400);
    for (let i = 0; i < 7; i++) await redeem();
    expect((await redeem()).status).toBe(429);
    const agent = await newClient(other, "agent");
    const wanted = { resource: other.issuer, scope: "oid4ac:payment" };
    const token = String((await agent.credentials(wanted)).body["access_token"]);
    const call = { token, key: agent.keys.dpop, method: "POST", path: "/oauth/introspect" } as const;
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await callApi(other, { ...call, form: { token } })).status);
    expect(statuses).toEqual([200, 200, 429]);
    await other.close();
  });

  test("nobody else uses it up by naming the client", async () => {
    const [agent, stranger] = [anAgent(), anAgent()];
    await agent.learnNonce();
    for (let i = 0; i < 8; i++) {
      const claims = { iss: agent.id, sub: agent.id };
      const form = { client_id: agent.id, client_assertion: stranger.assertion(claims) };
      const answer = await stranger.credentials({ resource: running.issuer, ...form });
      expect(answer.status).toBe(401);
    }
    expect((await ask(agent)).status).toBe(200);
  });
});
