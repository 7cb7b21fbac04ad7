import { newId } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  approvalsOf,
  askingForm,
  askPerson,
  cibaGrant,
  newAgent,
  openWallet,
  pollPerson,
  type Wallet,
} from "./asking.ts";
import { type Answer, newClient, type OAuthClient } from "./client.ts";
import { mandateRequest } from "./consent.ts";
import { newKeys, principal, type Running, startServer } from "./running.ts";

const stranger = { email: "eve@example.com", name: "Eve", password: "another long and good password" };

let running: Running;
let wallet: Wallet;
let agent: OAuthClient;
let strangerId: string;

beforeAll(async () => {
  running = await startServer();
  wallet = await openWallet(running);
  agent = await newAgent(running);
  const other = await running.service.bootstrap({
    tenant: { name: "Eve's" },
    principal: stranger,
    admin: { clientSecret: "another-admin-secret-of-many-random-bits-01234" },
  });
  strangerId = other.account;
});
afterAll(() => running.close());

async function answer(verb: "approve" | "deny"): Promise<Answer> {
  const [waiting] = await approvalsOf(wallet, "pending");
  return wallet.send({ method: "POST", path: `/api/v1/approvals/${String(waiting?.["id"])}/${verb}` });
}

const errorOf = async (sent: Promise<Answer>): Promise<unknown> => (await sent).body["error"];

describe("a mandate asked for without a browser (OpenID CIBA, poll)", () => {
  test("is given once its principal says yes, with an ID token and bound to the agent's key", async () => {
    const asked = await askPerson(agent);
    expect(asked).toMatchObject({ status: 200, body: { expires_in: 600, interval: 5 } });
    expect(await errorOf(pollPerson(agent, asked))).toBe("authorization_pending");
    const approved = await answer("approve");
    expect(approved).toMatchObject({ status: 200, body: { status: "approved" } });
    const { body } = await pollPerson(agent, asked);
    expect(body).toMatchObject({ token_type: "DPoP", mandate_id: approved.body["mandate_id"] });
    expect(body["mandate_jwt"]).toMatch(/~$/);
    expect(body["id_token"]).toMatch(/^ey/);
    expect(body["refresh_token"]).toBeTypeOf("string");
    expect(body["authorization_details"]).toEqual([
      { type: "oid4ac_mandate", mandate_id: approved.body["mandate_id"] },
    ]);
  });

  test("is refused once its principal says no", async () => {
    const asked = await askPerson(agent);
    expect((await answer("deny")).body["status"]).toBe("denied");
    expect(await errorOf(pollPerson(agent, asked))).toBe("access_denied");
    expect(await errorOf(pollPerson(agent, asked))).toBe("invalid_grant");
  });

  test("C09 is fetched by one of 50 polls at once, and its tokens live on", async () => {
    const asked = await askPerson(agent);
    await answer("approve");
    const polls = await Promise.all(Array.from({ length: 50 }, () => pollPerson(agent, asked)));
    const won = polls.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(new Set(polls.map(({ body }) => body["error"]))).toEqual(new Set([undefined, "invalid_grant"]));
    const refreshed = await agent.post("/oauth/token", {
      grant_type: "refresh_token",
      refresh_token: String(won[0]?.body["refresh_token"]),
    });
    expect(refreshed.status).toBe(200);
  });

  test("C09 used again later is a replay: the mandate and its tokens end", async () => {
    const asked = await askPerson(agent);
    const mandate = String((await answer("approve")).body["mandate_id"]);
    const { body } = await pollPerson(agent, asked);
    await running.database.asAdmin(
      "update oauth_artifacts set consumed_at = consumed_at - interval '11 s' where model = 'BackchannelAuthenticationRequest'",
    );
    expect(await errorOf(pollPerson(agent, asked))).toBe("invalid_grant");
    const read = await wallet.send({ path: `/api/v1/mandates/${mandate}` });
    expect(read.body["status"]).toBe("revoked");
    const form = { grant_type: "refresh_token", refresh_token: String(body["refresh_token"]) };
    expect(await errorOf(agent.post("/oauth/token", form))).toBe("invalid_grant");
  });

  test("is nobody's but the agent's who asked", async () => {
    const asked = await askPerson(agent);
    const other = await newAgent(running);
    expect(await errorOf(pollPerson(other, asked))).toBe("invalid_grant");
    expect(await errorOf(pollPerson(other, { ...asked, body: { auth_req_id: "x".repeat(43) } }))).toBe(
      "invalid_grant",
    );
    await answer("deny");
  });

  test("that nobody answers expires, for the agent and for the principal", async () => {
    const asked = await askPerson(agent, { requested_expiry: "1" });
    expect(asked.body["expires_in"]).toBe(1);
    const [waiting] = await approvalsOf(wallet);
    await eventually(async () => expect(await errorOf(pollPerson(agent, asked))).toBe("expired_token"));
    const path = `/api/v1/approvals/${String(waiting?.["id"])}`;
    await eventually(async () => expect((await wallet.send({ path })).body["status"]).toBe("expired"));
    const late = await wallet.send({ method: "POST", path: `${path}/approve` });
    expect(late).toMatchObject({ status: 409, body: { code: "approval_expired" } });
  });

  test("a longer wait than ten minutes is not given", async () => {
    const asked = await askPerson(agent, { requested_expiry: "86400" });
    expect(asked.body["expires_in"]).toBe(600);
    await answer("deny");
  });
});

describe("polling", () => {
  test("too early is told, and makes the wait longer each time", async () => {
    const asked = await askPerson(agent);
    expect((await pollPerson(agent, asked)).body["error"]).toBe("authorization_pending");
    for (const wait of [10, 15]) {
      const { status, body } = await pollPerson(agent, asked);
      expect(status).toBe(400);
      expect(body).toMatchObject({
        error: "slow_down",
        error_description: `Wait ${wait} s between two polls.`,
      });
    }
    const since = (seconds: number) =>
      running.database.asAdmin(
        `update oauth_artifacts set polled_at = polled_at - interval '${seconds} s' where model = 'BackchannelAuthenticationRequest'`,
      );
    await since(13);
    expect(await errorOf(pollPerson(agent, asked))).toBe("slow_down");
    await since(20);
    expect(await errorOf(pollPerson(agent, asked))).toBe("authorization_pending");
    await answer("deny");
  });

  test("by 20 at once is pending for one and too early for the others", async () => {
    const asked = await askPerson(agent);
    const polls = await Promise.all(Array.from({ length: 20 }, () => errorOf(pollPerson(agent, asked))));
    expect(polls.filter((error) => error === "authorization_pending")).toHaveLength(1);
    expect(polls.filter((error) => error === "slow_down")).toHaveLength(19);
    await answer("deny");
  });
});

describe("G02 an agent cannot wear a person out", () => {
  test("G02 at most five of its questions wait, however many it asks at once", async () => {
    const eager = await newAgent(running);
    const asked = await Promise.all(Array.from({ length: 12 }, () => askPerson(eager)));
    expect(asked.filter(({ status }) => status === 200)).toHaveLength(5);
    const refused = asked.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(7);
    expect(refused[0]?.body["error"]).toBe("temporarily_unavailable");
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
    for (let i = 0; i < 5; i++) await answer("deny");
    expect((await askPerson(eager)).status).toBe(200);
    await answer("deny");
  });

  test("G02 it asks at most fifty times an hour, also when it asks the same", async () => {
    const eager = await newAgent(running);
    const same = { binding_message: "W1" };
    expect((await askPerson(eager, same)).status).toBe(200);
    await running.database.asAdmin(
      `update asking_quotas set asked_count = 49 where agent_id = '${eager.id}'`,
    );
    expect((await askPerson(eager, same)).status).toBe(200);
    expect((await askPerson(eager, same)).status).toBe(429);
    expect((await askPerson(eager)).status).toBe(429);
    await answer("deny");
  });

  test("G02 the same question again is one question, and the newer request is the one that is answered", async () => {
    const same = { binding_message: "Order 17" };
    const first = await askPerson(agent, same);
    const second = await askPerson(agent, same);
    const waiting = await approvalsOf(wallet, "pending");
    expect(waiting).toMatchObject([{ times_asked: 2, binding_message: "Order 17" }]);
    expect(await errorOf(pollPerson(agent, first))).toBe("expired_token");
    await answer("approve");
    expect((await pollPerson(agent, second)).status).toBe(200);
  });

  test("G02 another amount is another question", async () => {
    const same = { binding_message: "Order 18" };
    await askPerson(agent, same);
    const dearer = JSON.stringify([{ ...mandateRequest, amount_minor: 50_001 }]);
    await askPerson(agent, { ...same, authorization_details: dearer });
    expect(await approvalsOf(wallet, "pending")).toHaveLength(2);
    for (let i = 0; i < 2; i++) await answer("deny");
  });
});

describe("A18 who exists is not to be learnt by asking", () => {
  test("A18 an unknown address, a stranger, a stranger's id and nonsense are answered alike", async () => {
    const hints = [
      "nobody@example.com",
      stranger.email,
      strangerId,
      newId("account"),
      "' or 1=1 --",
      "x".repeat(5000),
    ];
    const answers = await Promise.all(hints.map((login_hint) => askPerson(agent, { login_hint })));
    const seen = answers.map(({ status, body }) => JSON.stringify({ status, body }));
    expect(new Set(seen).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 400, body: { error: "unknown_user_id" } });
  });

  test("a person is named by address, in any spelling of it, or by id", async () => {
    for (const login_hint of [principal.email.toUpperCase(), ` ${principal.email}`, running.account]) {
      expect((await askPerson(agent, { login_hint })).status).toBe(200);
      await answer("deny");
    }
  });
});

describe("what cannot be asked is refused where it is asked", () => {
  const none = "";
  test.each([
    ["a binding message too long", { binding_message: "x".repeat(65) }, "invalid_binding_message"],
    ["V06 markup in it", { binding_message: "<b>pay</b>" }, "invalid_binding_message"],
    ["letters that look like others", { binding_message: "Раypal" }, "invalid_binding_message"],
    ["a turn of direction", { binding_message: "a\u202eb" }, "invalid_binding_message"],
    ["a second line", { binding_message: "a\nb" }, "invalid_binding_message"],
    ["a login_hint_token", { login_hint: none, login_hint_token: "ey" }, "invalid_request"],
    ["a user_code", { user_code: "1234" }, "invalid_request"],
    ["a request_context", { request_context: "x" }, "invalid_request"],
    ["nobody named", { login_hint: none }, "invalid_request"],
    ["two named", { id_token_hint: "ey" }, "invalid_request"],
    ["no OpenID", { scope: "oid4ac:payment" }, "invalid_request"],
    ["an expiry that is none", { requested_expiry: "-1" }, "invalid_request"],
    ["no mandate", { authorization_details: none }, "invalid_authorization_details"],
    [
      "V06 a mandate of another kind",
      { authorization_details: '[{"__proto__":{}}]' },
      "invalid_authorization_details",
    ],
    ["V04 a mandate too deep", { authorization_details: "[".repeat(9000) }, "invalid_authorization_details"],
    [
      "an instrument of the agent's choice",
      {
        authorization_details: JSON.stringify([{ ...mandateRequest, instrument: newId("instrument") }]),
      },
      "invalid_authorization_details",
    ],
    ["no merchant's origin", { resource: "https://shop.example/x" }, "invalid_target"],
  ])("%s", async (_, more, error) => {
    const form = Object.entries(askingForm({ login_hint: principal.email, ...more })).filter(
      ([, text]) => text !== none,
    );
    const answered = await agent.post("/oauth/bc-authorize", Object.fromEntries(form));
    expect(answered).toMatchObject({ status: 400, body: { error } });
    expect(await approvalsOf(wallet, "pending")).toEqual([]);
  });

  test("A03 a proof of another key, a forged one, and one that was used", async () => {
    await agent.learnNonce();
    const url = agent.url("/oauth/bc-authorize");
    const form = askingForm({ login_hint: principal.email });
    const authenticated = () => ({
      client_id: agent.id,
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: agent.assertion(),
      ...form,
    });
    const send = (headers: Record<string, string>) =>
      agent.raw("/oauth/bc-authorize", authenticated(), headers);
    const foreign = agent.proof(url, { key: newKeys().dpop });
    expect((await send({ dpop: foreign })).body["error"]).toBe("invalid_dpop_proof");
    const forged = agent.proof(url).replace(/\.[^.]+$/, `.${"A".repeat(86)}`);
    expect((await send({ dpop: forged })).body["error"]).toBe("invalid_dpop_proof");
    const proof = agent.proof(url);
    expect((await send({ dpop: proof })).status).toBe(200);
    expect((await send({ dpop: proof })).body["error"]).toBe("invalid_dpop_proof");
    await answer("deny");
  });

  test("a merchant asks nobody", async () => {
    const merchant = await newClient(running, "merchant");
    const asked = await merchant.post("/oauth/bc-authorize", askingForm({ login_hint: principal.email }));
    expect(asked.status).toBe(400);
    const polled = await merchant.post("/oauth/token", { grant_type: cibaGrant, auth_req_id: "x" });
    expect(polled.status).toBe(400);
  });
});
