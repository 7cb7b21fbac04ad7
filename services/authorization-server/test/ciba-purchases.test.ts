import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import path from "node:path";
import { type Id, newId, parseId } from "@remit/kernel";
import { payloadOf } from "@remit/protocol";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cibaGrant, newAgent, openWallet, pollPerson, type Wallet } from "./asking.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  own,
  purchase,
  type TestAgent,
  type World,
} from "./charging/world.ts";
import { type Answer, metadataFor, OAuthClient, register, setupToken } from "./client.ts";
import { mandateRequest } from "./consent.ts";
import { freePort, newKeys, principal, type Running, startServer } from "./running.ts";

const token = "8d67dc78-7faa-4d41-aabd-67707b374255";

let running: Running;
let wallet: Wallet;
let world: World;
let receiver: Server;
let notified: string[] = [];
let endpoint: string;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    notified.push(request.headers.authorization ?? "");
    response.writeHead(204).end();
  });
  const port = await freePort();
  await new Promise<void>((resolve) => receiver.listen(port, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${port}/heard`;
  running = await startServer({ tenantOutboundAllow: [`127.0.0.1:${port}`] });
  wallet = await openWallet(running);
  const [payer, person] = [parseId("tenant", running.tenant), parseId("account", running.account)];
  if (payer === undefined || person === undefined) throw new Error("a server has a tenant and a principal");
  const kek = await readFile(path.join(running.dataDir, "kek"));
  world = await createWorld({ beside: { database: running.database, kek, payer, principal: person } });
});
afterAll(async () => {
  await world.close();
  await running.close();
  await new Promise((resolve) => receiver.close(resolve));
});

const holderOf = (agent: OAuthClient): TestAgent => {
  const id = parseId("agent", agent.id);
  if (id === undefined) throw new Error("an agent's client is the agent");
  return { id, dpop: agent.keys.dpop };
};

/** A purchase of this agent that waits for its principal. */
async function waiting(agent: OAuthClient, wanted: Partial<Parameters<typeof purchase>[1]> = {}) {
  const holder = holderOf(agent);
  const mandate = await giveMandate(world, { step_up: [{ above_minor: 500 }] }, holder);
  const asked = purchase(world, { mandate, agent: holder, amount: 1_000, ...wanted });
  const charge = await world.charges.create(asMerchant(world), asked);
  expect(charge.state).toBe("pending_approval");
  return { mandate, charge, approval: charge.asking?.approval ?? newId("approval") };
}

const details = (charge: string): string => JSON.stringify([{ type: "oid4ac_purchase", charge_id: charge }]);

const ask = (agent: OAuthClient, charge: string, more: Record<string, string> = {}): Promise<Answer> =>
  agent.post("/oauth/bc-authorize", {
    scope: "openid",
    login_hint: principal.email,
    authorization_details: details(charge),
    ...more,
  });

const answer = (id: Id<"approval">, verb: "approve" | "deny"): Promise<Answer> =>
  wallet.send({ method: "POST", path: `/api/v1/approvals/${id}/${verb}` });

const errorOf = async (sent: Promise<Answer>): Promise<unknown> => (await sent).body["error"];

/** Without the wait between two polls, of which another test tells. */
const unhurried = () =>
  running.database.asAdmin("update oauth_artifacts set polled_at = null where polled_at is not null");

const untilTold = (poll: () => Promise<Answer>, wanted: object): Promise<void> =>
  eventually(async () => {
    await unhurried();
    expect(await poll()).toMatchObject(wanted);
  });

const stateOf = async (charge: Id<"charge">) =>
  (await world.charges.show({ side: "payee", ...asMerchant(world) }, charge))?.charge.state;

describe("a purchase that waits, asked about without a browser (OpenID CIBA)", () => {
  test("its yes is told to the agent: which purchase, by whom, and nothing to act on with", async () => {
    const agent = await newAgent(running);
    const { charge, approval } = await waiting(agent);
    const asked = await ask(agent, charge.id, { binding_message: "Order 17" });
    expect(asked).toMatchObject({ status: 200, body: { interval: 5 } });
    expect(asked.body["expires_in"]).toBeLessThanOrEqual(600);
    expect(await errorOf(pollPerson(agent, asked))).toBe("authorization_pending");
    expect((await wallet.send({ path: `/api/v1/approvals/${approval}` })).body).toMatchObject({
      binding_message: "Order 17",
      times_asked: 2,
      purchase: { charge_id: charge.id },
    });
    expect((await answer(approval, "approve")).body["status"]).toBe("approved");
    let told: Answer | undefined;
    await untilTold(async () => (told = await pollPerson(agent, asked)), { status: 200 });
    const yes = { type: "oid4ac_purchase", charge_id: charge.id, approval_id: approval };
    expect(told?.body["authorization_details"]).toEqual([yes]);
    expect(told?.body).not.toHaveProperty("refresh_token");
    expect(told?.body).not.toHaveProperty("mandate_jwt");
    expect(payloadOf(String(told?.body["id_token"]))).toMatchObject({ sub: running.account });
    const claims = Object(payloadOf(String(told?.body["access_token"])));
    expect(claims["authorization_details"]).toEqual([yes]);
    expect(claims["scope"] ?? "").toBe("");
    expect(claims).not.toHaveProperty("mandate_id");
    expect(["authorizing", "authorized"]).toContain(await stateOf(charge.id));
  });

  test("its no is told too, and what was held is free again", async () => {
    const agent = await newAgent(running);
    const { charge, approval, mandate } = await waiting(agent);
    const asked = await ask(agent, charge.id);
    await answer(approval, "deny");
    await untilTold(() => pollPerson(agent, asked), { body: { error: "access_denied" } });
    expect(await stateOf(charge.id)).toBe("declined");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n });
  });

  test("the merchant lets it go: the request is over", async () => {
    const agent = await newAgent(running);
    const { charge } = await waiting(agent);
    const asked = await ask(agent, charge.id);
    await world.charges.release(own(world, charge.id), "cancelled");
    await untilTold(() => pollPerson(agent, asked), { body: { error: "expired_token" } });
  });

  test("a poll too early is told to slow down, and a request that was to end soon expires without a yes", async () => {
    const agent = await newAgent(running);
    const { charge, approval } = await waiting(agent);
    const asked = await ask(agent, charge.id, { requested_expiry: "1" });
    expect(asked.body["expires_in"]).toBe(1);
    const patient = await ask(agent, charge.id);
    expect(await errorOf(pollPerson(agent, patient))).toBe("authorization_pending");
    expect(await errorOf(pollPerson(agent, patient))).toBe("slow_down");
    await untilTold(() => pollPerson(agent, asked), { body: { error: "expired_token" } });
    expect(await stateOf(charge.id)).toBe("pending_approval");
    await answer(approval, "deny");
  });

  test("of two requests about it the newer is told, the older is over", async () => {
    const agent = await newAgent(running);
    const { charge, approval } = await waiting(agent);
    const [first, second] = [await ask(agent, charge.id), await ask(agent, charge.id)];
    expect(await errorOf(pollPerson(agent, first))).toBe("expired_token");
    await answer(approval, "approve");
    await untilTold(() => pollPerson(agent, second), { status: 200 });
  });

  test("ping: the answer is told at the registered address with the agent's own token", async () => {
    const keys = newKeys();
    const ping = {
      backchannel_token_delivery_mode: "ping",
      backchannel_client_notification_endpoint: endpoint,
    };
    const { body } = await register(running, await setupToken(running, "agent"), metadataFor(keys, ping));
    const agent = new OAuthClient(running, String(body["client_id"]), keys);
    const { charge, approval } = await waiting(agent);
    const asked = await ask(agent, charge.id, { client_notification_token: token });
    notified = [];
    await answer(approval, "approve");
    await eventually(() => expect(notified).toEqual([`Bearer ${token}`]));
    expect((await pollPerson(agent, asked)).status).toBe(200);
  });
});

describe("C11 page, API and backchannel have one outcome", () => {
  test("C11 a yes, a no and another request at once: one state, and a grant only for the yes", async () => {
    for (let round = 0; round < 4; round++) {
      const agent = await newAgent(running);
      const { charge, approval } = await waiting(agent);
      const asked = await ask(agent, charge.id);
      const said = await Promise.all([
        answer(approval, round % 2 === 0 ? "approve" : "deny"),
        answer(approval, round % 2 === 0 ? "deny" : "approve"),
        ask(agent, charge.id).then(() => undefined),
      ]);
      expect(said.filter((one) => one?.status === 200)).toHaveLength(1);
      const { body } = await wallet.send({ path: `/api/v1/approvals/${approval}` });
      const won = body["status"] === "approved";
      expect(await stateOf(charge.id)).toMatch(won ? /^authoriz/ : /^declined$/);
      // The request that is told is the last one that found it waiting; the other one is over or was refused.
      await eventually(async () => {
        await unhurried();
        expect(["expired_token", "access_denied", "invalid_grant", undefined]).toContain(
          await errorOf(pollPerson(agent, asked)),
        );
      });
      const grants = await running.database.asAdmin<{ count: number }>(
        "select count(*)::int as count from oauth_grants where client_id = $1",
        [agent.id],
      );
      expect(grants[0]?.count).toBe(won ? 1 : 0);
    }
  });

  test("C09 its outcome is fetched by one of 20 polls, and a later one ends the tokens but not the mandate", async () => {
    const agent = await newAgent(running);
    const { charge, approval, mandate } = await waiting(agent);
    const asked = await ask(agent, charge.id);
    await answer(approval, "approve");
    await eventually(async () =>
      expect(
        await running.database.asAdmin("select 1 from oauth_grants where client_id = $1", [agent.id]),
      ).toHaveLength(1),
    );
    const polls = await Promise.all(Array.from({ length: 20 }, () => pollPerson(agent, asked)));
    expect(polls.filter(({ status }) => status === 200)).toHaveLength(1);
    await running.database.asAdmin(
      "update oauth_artifacts set consumed_at = consumed_at - interval '11 s' where model = 'BackchannelAuthenticationRequest'",
    );
    expect(await errorOf(pollPerson(agent, asked))).toBe("invalid_grant");
    const read = await wallet.send({ path: `/api/v1/mandates/${mandate.id}` });
    expect(read.body["status"]).toBe("active");
  });

  test("nobody but its own agent asks about it, and none is told after the answer", async () => {
    const agent = await newAgent(running);
    const other = await newAgent(running);
    const { charge, approval } = await waiting(agent);
    const refused = { status: 400, body: { error: "invalid_authorization_details" } };
    expect(await ask(other, charge.id)).toMatchObject(refused);
    expect(await ask(agent, newId("charge"))).toMatchObject(refused);
    await answer(approval, "approve");
    expect(await ask(agent, charge.id)).toMatchObject(refused);
  });

  test("A18 whoever else is named, known here or not, is nobody", async () => {
    const agent = await newAgent(running);
    const { charge, approval } = await waiting(agent);
    const eve = { email: "eve@example.com", name: "Eve", password: "another long and good password" };
    await running.service.bootstrap({
      tenant: { name: "Eve's" },
      principal: eve,
      admin: { clientSecret: "another-admin-secret-of-many-random-bits-01234" },
    });
    const hints = [eve.email, "nobody@example.com", newId("account"), "x".repeat(5000)];
    const answers = await Promise.all(hints.map((login_hint) => ask(agent, charge.id, { login_hint })));
    expect(new Set(answers.map(({ status, body }) => JSON.stringify({ status, body }))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 400, body: { error: "unknown_user_id" } });
    await answer(approval, "deny");
  });
});

test("what cannot come of a purchase is refused where it is asked", async () => {
  const agent = await newAgent(running);
  const { charge, approval } = await waiting(agent);
  const both = JSON.stringify([...JSON.parse(details(charge.id)), mandateRequest]);
  const extra = JSON.stringify({ ...JSON.parse(details(charge.id))[0], amount_minor: 1 });
  const bad: [Record<string, string>, string][] = [
    [{ scope: "openid oid4ac:payment" }, "invalid_request"],
    [{ resource: "https://shop.example" }, "invalid_request"],
    [{ authorization_details: both }, "invalid_authorization_details"],
    [{ authorization_details: extra }, "invalid_authorization_details"],
    [{ authorization_details: details("chg_1") }, "invalid_authorization_details"],
    [{ binding_message: "<b>pay</b>" }, "invalid_binding_message"],
  ];
  for (const [more, error] of bad) expect(await errorOf(ask(agent, charge.id, more))).toBe(error);
  for (const address of ["/oauth/par", "/oauth/device"]) {
    const sent = agent.post(address, { scope: "openid", authorization_details: details(charge.id) });
    expect(await errorOf(sent)).toBe("invalid_authorization_details");
  }
  const own = { grant_type: "client_credentials", authorization_details: details(charge.id) };
  expect((await agent.post("/oauth/token", own)).body["authorization_details"]).toBeUndefined();
  expect(await errorOf(agent.post("/oauth/token", { grant_type: cibaGrant, auth_req_id: charge.id }))).toBe(
    "invalid_grant",
  );
  await answer(approval, "deny");
});

test("G02 asking again about one purchase counts as asking", async () => {
  const agent = await newAgent(running);
  const { charge, approval } = await waiting(agent);
  await running.database.asAdmin(`update asking_quotas set asked_count = 49 where agent_id = '${agent.id}'`);
  expect((await ask(agent, charge.id)).status).toBe(200);
  expect((await ask(agent, charge.id)).status).toBe(429);
  await answer(approval, "deny");
});
